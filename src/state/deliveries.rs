//! Notifications on their way to receivers, and which of those about one alert still have to be delivered when a
//! receiver has been away, or slow, while that alert fired and resolved again and again. Pure.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::alert::{Notification, Severity, Status};

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

/// What became of a notification that waited for a receiver. It waits no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The receiver has taken the delivery with this number, or is no longer configured.
    Delivered(i64),
    /// The receiver takes others and refuses this one for good; it is retained, and is not sent again by itself.
    SetAside(Refusal),
    /// What its alert has done since makes the delivery with this number needless: it was never made, and is discarded.
    Superseded(i64),
}

/// How many notifications about one alert may wait for one receiver: the beginning and the end of two incidents.
pub(crate) const MOST_WAITING: usize = 4;

/// Takes out of `waiting`, which is about one alert and in order, what need not be delivered once more than
/// [`MOST_WAITING`] wait, and returns it. What stays is the first, so that nothing that happened is left unmentioned,
/// the last, so that the receiver always learns the present state, one in between that is worse than the first, and,
/// where the first and the last say the same, the change between them, so that no alarm and no all-clear is received
/// twice in a row. `begun` says that the first has been tried: it may have arrived, so the rest is judged by itself.
pub(crate) fn thin(waiting: &mut Vec<Delivery>, begun: bool) -> Vec<Delivery> {
    let fixed = usize::from(begun);
    if waiting.len() <= MOST_WAITING + fixed {
        return Vec::new();
    }
    let free = &waiting[fixed..];
    let (last, first) = (free.len() - 1, severity(&free[0]));
    let mut retained = vec![0];
    let middle = 1..last;
    // This finds the first of the worst: `max_by_key` alone would give the last.
    let worst = middle.clone().filter(|at| fires(&free[*at])).rev().max_by_key(|at| severity(&free[*at]));
    retained.extend(worst.filter(|at| severity(&free[*at]) > first));
    let turns = last - 1;
    if fires(&free[0]) == fires(&free[last]) && fires(&free[turns]) != fires(&free[last]) {
        retained.push(turns);
    }
    retained.push(last);
    let mut at = 0;
    let superseded = waiting.extract_if(fixed.., |_| {
        at += 1;
        !retained.contains(&(at - 1))
    });
    superseded.collect()
}

fn fires(delivery: &Delivery) -> bool {
    delivery.notification.status != Status::Resolved
}

fn severity(delivery: &Delivery) -> Severity {
    delivery.notification.severity
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::alert::{Alert, AlertKey, Message, Notification};
    use crate::model::Scope;
    use crate::testing::at;

    /// Deliveries by letters: `f` fires as a warning, `F` fires as critical, `r` reminds, `.` is over.
    fn waiting(letters: &str) -> Vec<Delivery> {
        let delivery = |(index, letter)| {
            let (status, severity) = match letter {
                'f' => (Status::Firing, Severity::Warning),
                'F' => (Status::Firing, Severity::Critical),
                'r' => (Status::Reminder, Severity::Warning),
                _ => (Status::Resolved, Severity::Warning),
            };
            let key = AlertKey { alert: Alert::PermissionLost, of: Scope::Tenant("acme".to_owned()), subject: None };
            let notification = Notification { key, status, severity, since: at(0), message: Message::default() };
            Delivery {
                id: i64::from(index),
                receiver: "hook".into(),
                queued_at: at(0),
                notification: Arc::new(notification),
            }
        };
        (0..).zip(letters.chars()).map(delivery).collect()
    }

    fn thinned(letters: &str, begun: bool) -> String {
        let mut waiting = waiting(letters);
        let all = waiting.len();
        let superseded = thin(&mut waiting, begun);
        assert_eq!(waiting.len() + superseded.len(), all);
        assert!(waiting.is_sorted_by_key(|delivery| delivery.id), "in order");
        let letter = |delivery: &Delivery| letters.chars().nth(usize::try_from(delivery.id).unwrap()).unwrap();
        waiting.iter().map(letter).collect()
    }

    #[test]
    fn what_waits_for_one_alert_is_thinned_to_what_matters() {
        let cases = [
            ("two incidents are delivered in full", "f.f.", "f."),
            ("it fires again", "f.f.f", "f.f"),
            ("it is over again", "f.f.f.", "f."),
            ("it was received before, and is over", ".f.f.", ".f."),
            ("it was received before, and fires", ".f.f.f", ".f"),
            ("a critical moment in the middle", "f.F.f.", "fF."),
            ("the first of two critical moments", "f.F.F.f", "fF.f"),
            ("reminders of one incident", "frrrrr", "fr"),
        ];
        for (case, letters, expected) in cases {
            let expected = if letters.len() <= MOST_WAITING { letters } else { expected };
            assert_eq!(thinned(letters, false), expected, "{case}");
        }
        assert_eq!(thinned("f.f.", false), "f.f.");
    }

    #[test]
    fn the_first_that_was_tried_may_have_arrived_and_stays() {
        assert_eq!(thinned("f.f.f", true), "f.f.f", "one more may wait");
        assert_eq!(thinned("f.f.f.", true), "f.f.");
    }

    #[test]
    fn flapping_for_days_never_lets_more_wait_and_ends_right() {
        let mut line = Vec::new();
        for (number, delivery) in waiting(&"f.".repeat(5000)).into_iter().enumerate() {
            line.push(delivery);
            thin(&mut line, false);
            assert!(line.len() <= MOST_WAITING);
            assert_eq!((line[0].id, line.last().unwrap().id), (0, i64::try_from(number).unwrap()));
        }
    }
}
