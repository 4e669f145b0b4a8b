//! Notifications on their way to receivers, and which of those about one kind and scope still have to be delivered when a
//! receiver has been away, or slow, while alerts of it fired and resolved again and again. Pure.

use std::collections::HashSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use indexmap::IndexMap;

use crate::alert::{AlertKey, Change, Notification, Severity};

use super::refusal::Refusal;

/// One notification on its way to one receiver: a row of the outbox.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The number of the row, which is never used twice: a receiver can recognise by it what it has received before.
    pub id: i64,
    /// The name of the receiver.
    pub receiver: Arc<str>,
    /// When it was queued, by the wall clock.
    pub queued_at: DateTime<Utc>,
    /// What is to be delivered.
    pub notification: Arc<Notification>,
}

impl Delivery {
    /// The line in which it waits for its receiver: that of the kind and the scope of its alert. Several alerts may have one
    /// line, one after the other or at once; what waits about each of them stays in order.
    pub(crate) fn line(&self) -> &AlertKey {
        &self.notification.key
    }

    /// Whether its alert does not fire any more.
    pub(crate) fn ends(&self) -> bool {
        self.notification.change.ends()
    }

    fn severity(&self) -> Severity {
        self.notification.severity
    }
}

/// What became of a notification that waited for a receiver, which waits no longer; or of what is sent by the calendar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The receiver has taken the delivery with this number, or is no longer configured.
    Delivered(i64),
    /// The receiver takes others and refuses this one for good; it is retained, and is not sent again by itself.
    SetAside(Refusal),
    /// What its alert has done since makes the delivery with this number needless: it was never made, and is discarded.
    Superseded(i64),
    /// What is sent again and again was sent for this moment, or is not to be sent for any before it.
    Recurred {
        /// The name under which that is persisted.
        name: String,
        /// The moment.
        at: DateTime<Utc>,
    },
}

impl Settled {
    /// The number of the delivery, if it is about one.
    pub(crate) fn delivery(&self) -> Option<i64> {
        match self {
            Self::Delivered(id) | Self::Superseded(id) | Self::SetAside(Refusal { id, .. }) => Some(*id),
            Self::Recurred { .. } => None,
        }
    }
}

/// How many notifications about one kind and scope may wait for one receiver: the beginning and the end of two incidents.
pub(crate) const MOST_WAITING: usize = 4;

/// Takes out of `waiting`, which is about one kind and scope and in order, what need not be delivered once more than
/// [`MOST_WAITING`] wait, and returns it: first what lies between the beginning and the end of each alert, then alerts that
/// have come and gone meanwhile. Of these stay the earliest, so that nothing that happened is left unmentioned, the latest,
/// and one that was worse than the earliest. An alert that fires, or whose beginning was delivered before, never goes
/// unmentioned. `begun` says that the first has been tried: it may have arrived, so the rest is judged by itself.
pub(crate) fn thin(waiting: &mut Vec<Delivery>, begun: bool) -> Vec<Delivery> {
    let fixed = usize::from(begun);
    if waiting.len() <= MOST_WAITING + fixed {
        return Vec::new();
    }
    let needed = needed_of_each(&waiting[fixed..]);
    let mut superseded = retain(waiting, fixed, &needed);
    if waiting.len() > MOST_WAITING + fixed {
        let needed = without_past_incidents(&waiting[fixed..]);
        superseded.extend(retain(waiting, fixed, &needed));
    }
    superseded
}

/// Takes out what waits from the index `fixed` on and does not have one of these numbers.
fn retain(waiting: &mut Vec<Delivery>, fixed: usize, needed: &HashSet<i64>) -> Vec<Delivery> {
    waiting.extract_if(fixed.., |delivery| !needed.contains(&delivery.id)).collect()
}

/// What waits about each alert, in order; the alerts are in the order in which they begin.
fn by_alert(waiting: &[Delivery]) -> Vec<Vec<&Delivery>> {
    let mut alerts: IndexMap<&str, Vec<_>> = IndexMap::new();
    for delivery in waiting {
        alerts.entry(&delivery.notification.id).or_default().push(delivery);
    }
    alerts.into_values().collect()
}

/// The numbers of what is needed of each alert: its first notification, its last, one in between that is worse than the
/// first, and, where the first and the last say the same, the change between them, so that no alarm and no all-clear is
/// received twice in a row.
fn needed_of_each(waiting: &[Delivery]) -> HashSet<i64> {
    let mut needed = HashSet::new();
    for alert in by_alert(waiting) {
        let (Some((first, rest)), Some(last)) = (alert.split_first(), alert.last()) else { continue };
        needed.extend([first.id, last.id]);
        let between = &rest[..rest.len().saturating_sub(1)];
        // This finds the first of the worst: `max_by_key` alone would give the last.
        let worst = between.iter().filter(|delivery| !delivery.ends()).rev().max_by_key(|delivery| delivery.severity());
        needed.extend(worst.filter(|worst| worst.severity() > first.severity()).map(|worst| worst.id));
        let turn = between.last().filter(|turn| first.ends() == last.ends() && turn.ends() != last.ends());
        needed.extend(turn.map(|turn| turn.id));
    }
    needed
}

/// The numbers of all that waits but for alerts that have come and gone meanwhile: of these only the earliest, the latest,
/// and the first of the worst, if that is worse than the earliest.
fn without_past_incidents(waiting: &[Delivery]) -> HashSet<i64> {
    let is_past = |alert: &Vec<&Delivery>| {
        let (first, last) = (alert.first(), alert.last());
        first.is_some_and(|first| first.notification.change == Change::New) && last.is_some_and(|last| last.ends())
    };
    let (past, others): (Vec<_>, Vec<_>) = by_alert(waiting).into_iter().partition(is_past);
    let severity = |alert: &Vec<&Delivery>| alert.iter().map(|delivery| delivery.severity()).max();
    let end = |alert: &&Vec<&Delivery>| alert.last().map(|last| last.id);
    let earliest = past.first();
    let worst = past.iter().rev().max_by_key(|alert| severity(alert));
    let worst = worst.filter(|worst| earliest.is_some_and(|earliest| severity(worst) > severity(earliest)));
    let retained = [earliest, past.iter().max_by_key(end), worst];
    retained.into_iter().flatten().chain(&others).flatten().map(|delivery| delivery.id).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Scope;
    use crate::testing::{at, notification};

    /// More may wait than [`MOST_WAITING`] where incidents became worse in between, and one still fires.
    const MOST_WAITING_OF_ONE_AT_A_TIME: usize = 12;

    /// Deliveries by letters: `f` begins as a warning, `F` begins as critical, `E` becomes critical, `r` reminds, `u` updates,
    /// `.` is over. The alert is that of the number before, or else the first.
    fn waiting(letters: &str) -> Vec<Delivery> {
        let (mut alert, mut waiting) = ('0', Vec::new());
        for (id, letter) in (0..).zip(letters.chars()) {
            let (change, severity) = match letter {
                'f' => (Change::New, Severity::Warning),
                'F' => (Change::New, Severity::Critical),
                'E' => (Change::Escalated, Severity::Critical),
                'r' => (Change::Reminder, Severity::Warning),
                'u' => (Change::Updated, Severity::Warning),
                '.' => (Change::Resolved, Severity::Warning),
                number => {
                    alert = number;
                    continue;
                }
            };
            let notification = notification(Scope::Tenant("acme".to_owned()), change, severity);
            let notification = Arc::new(Notification { id: alert.to_string(), ..notification });
            waiting.push(Delivery { id, receiver: "hook".into(), queued_at: at(0), notification });
        }
        waiting
    }

    fn thinned(letters: &str, begun: bool) -> String {
        let mut waiting = waiting(letters);
        let all = waiting.len();
        let superseded = thin(&mut waiting, begun);
        assert_eq!(waiting.len() + superseded.len(), all);
        assert!(waiting.is_sorted_by_key(|delivery| delivery.id), "in order");
        let letter = |delivery: &Delivery| letters.chars().nth(usize::try_from(delivery.id).unwrap()).unwrap();
        let (mut text, mut alert) = (String::new(), "0");
        for delivery in &waiting {
            if delivery.notification.id != alert {
                alert = &delivery.notification.id;
                text.push_str(alert);
            }
            text.push(letter(delivery));
        }
        text
    }

    #[test]
    fn what_waits_about_one_alert_is_thinned_to_what_matters() {
        let cases = [
            ("two turns are delivered in full", "f.f.", "f.f."),
            ("it fires again", "f.f.f", "f.f"),
            ("it is over again", "f.f.f.", "f."),
            ("it was received before, and is over", ".f.f.", ".f."),
            ("it was received before, and fires", ".f.f.f", ".f"),
            ("a critical moment in the middle", "f.F.f.", "fF."),
            ("the first of two critical moments", "f.F.F.f", "fF.f"),
            ("reminders of one incident", "frrrrr", "fr"),
            ("it became worse", "fuuErr.", "fE."),
        ];
        for (case, letters, expected) in cases {
            assert_eq!(thinned(letters, false), expected, "{case}");
        }
    }

    #[test]
    fn alerts_that_came_and_went_make_room_for_others() {
        let cases = [
            ("two incidents are delivered in full", "1f.2f.", "1f.2f."),
            ("the earliest and the latest of three", "1f.2f.3f.", "1f.3f."),
            ("one that was worse", "1f.2f.3F.4F.5f.", "1f.3F.5f."),
            ("one that still fires, and what was updated", "1f.2f.3f.4fuu", "1f.3f.4fu"),
            ("two that fire at once", "1f2f3f.4f.5f.", "1f2f3f.5f."),
            ("the earliest may be the one that ended last", "1f2f.3f.4f.1.", "1f."),
            ("one whose beginning was received", "1r.2f.3f.4f.", "1r.2f.4f."),
        ];
        for (case, letters, expected) in cases {
            assert_eq!(thinned(letters, false), expected, "{case}");
        }
    }

    #[test]
    fn the_first_that_was_tried_may_have_arrived_and_stays() {
        assert_eq!(thinned("f.f.f", true), "f.f.f", "one more may wait");
        assert_eq!(thinned("f.f.f.", true), "f.f.");
        assert_eq!(thinned("1f.2f.3f.4f.", true), "1f.2f.4f.", "and its end too");
    }

    #[test]
    fn flapping_for_days_never_lets_more_wait_and_ends_right() {
        let mut line = Vec::new();
        let one = waiting(&"f.".repeat(2500));
        let each = (2500..5000).flat_map(|alert| {
            let of_one = waiting("f.").into_iter().map(move |mut delivery| {
                delivery.id += 2 * alert;
                Arc::make_mut(&mut delivery.notification).id = alert.to_string();
                delivery
            });
            of_one.collect::<Vec<_>>()
        });
        for (number, delivery) in one.into_iter().chain(each).enumerate() {
            line.push(delivery);
            thin(&mut line, false);
            assert!(line.len() <= MOST_WAITING + 2, "{}", line.len());
            assert_eq!((line[0].id, line.last().unwrap().id), (0, i64::try_from(number).unwrap()));
        }
    }

    proptest! {
        #[test]
        fn whatever_comes_the_present_is_delivered_and_no_end_without_its_beginning(
            steps in prop::collection::vec(0_u8..6, 1..300), begun in any::<bool>(),
        ) {
            // One alert at a time begins, changes, and ends.
            let (mut alert, mut fires, mut line) = (0, false, Vec::<Delivery>::new());
            for (id, step) in (0..).zip(steps) {
                let (change, severity) = match (fires, step) {
                    (false, 0..=3) => (Change::New, Severity::Warning),
                    (false, _) => (Change::New, Severity::Critical),
                    (true, 0) => (Change::Reminder, Severity::Warning),
                    (true, 1) => (Change::Escalated, Severity::Critical),
                    (true, 2) => (Change::Updated, Severity::Critical),
                    (true, _) => (Change::Resolved, Severity::Warning),
                };
                alert += i32::from(!fires);
                fires = !change.ends();
                let notification = notification(Scope::Tenant("acme".to_owned()), change, severity);
                let notification = Arc::new(Notification { id: alert.to_string(), ..notification });
                line.push(Delivery { id, receiver: "hook".into(), queued_at: at(0), notification });
                thin(&mut line, begun);
                prop_assert!(line.len() <= MOST_WAITING_OF_ONE_AT_A_TIME + 4 * usize::from(begun), "{line:?}");
                prop_assert_eq!((line[0].id, line.last().map(|last| last.id)), (0, Some(id)));
                for of_one in by_alert(&line) {
                    let (first, last) = (of_one[0], of_one[of_one.len() - 1]);
                    prop_assert_eq!(first.notification.change, Change::New);
                    let is_present = last.notification.id == alert.to_string();
                    prop_assert!(last.ends() || is_present, "{:?} has no end", last.notification.id);
                }
            }
        }
    }
}
