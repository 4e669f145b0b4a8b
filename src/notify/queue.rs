//! What waits for one receiver. What is about one alert stays in order; across alerts the worst comes first, then the
//! oldest; one that cannot be delivered is left alone for a while and delays its own alert only. Pure; `now` is the
//! time since the worker began.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::alert::Severity;
use crate::state::{Change, Delivery, alert_id, thin};

/// Everything that waits for one receiver.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// What waits about each alert, by its id.
    lines: HashMap<String, Line>,
    /// The alerts whose first notification may be tried.
    ready: BTreeMap<Rank, String>,
    /// The alerts that are postponed, by when that ends.
    postponed: BTreeMap<(Duration, i64), String>,
    /// When each notification was queued, by its number.
    ages: BTreeMap<i64, DateTime<Utc>>,
    /// How many notifications have been delivered.
    delivered: u64,
}

/// The order of alerts: the worst first, then the lowest number.
type Rank = (Reverse<Severity>, i64);

/// What waits about one alert.
#[derive(Debug, Default)]
struct Line {
    waiting: Vec<Delivery>,
    /// Whether the first has been tried: it may have arrived although no answer came.
    begun: bool,
    /// How many attempts to deliver the first have failed.
    failures: u32,
    /// How many of these failures in a row, up to the last, were refusals for good.
    refusals: u32,
    /// How many notifications the receiver had taken when the first attempt failed.
    delivered_before: u64,
    /// Until when the alert is postponed, as the time since the worker began; `None` if it may be tried.
    postponed_until: Option<Duration>,
    /// Whether the first has been postponed before.
    was_postponed: bool,
}

impl Line {
    /// The place of this line among all; a line is never empty while it is in the queue.
    fn rank(&self) -> Rank {
        // An alert that has become worse brings what is to be delivered before it to the front.
        let severity = self.waiting.iter().map(|delivery| delivery.notification.severity).max();
        (Reverse(severity.unwrap_or(Severity::Warning)), self.waiting.first().map_or(0, |delivery| delivery.id))
    }
}

impl Queue {
    /// Takes in one more delivery; returns those that need not be made any more.
    pub(super) fn push(&mut self, delivery: Delivery) -> Vec<Delivery> {
        let key = alert_id(&delivery.notification);
        self.ages.insert(delivery.id, delivery.queued_at);
        self.change(&key, |line| {
            line.waiting.push(delivery);
            thin(&mut line.waiting, line.begun)
        })
    }

    /// The delivery that is to be tried next; `None` if nothing waits or all of it is postponed.
    pub(super) fn next(&mut self, now: Duration) -> Option<Delivery> {
        self.release(now);
        self.ready.values().next().and_then(|key| self.first(key))
    }

    /// The deliveries that may be tried now in one message, as many as `most`: one of each alert, in the order in which
    /// they would be tried one by one, and either all about alerts that fire or all about alerts that have ended.
    pub(super) fn batch(&mut self, now: Duration, most: usize) -> Vec<Delivery> {
        self.release(now);
        let mut batch = Vec::new();
        // Those behind them come next; a long queue is not searched to its end.
        let firsts = self.ready.values().take(2 * most).filter_map(|key| self.lines.get(key)?.waiting.first());
        let ends = |delivery: &Delivery| Change::of(&delivery.notification).ends();
        for delivery in firsts {
            if batch.first().is_none_or(|first: &Delivery| ends(first) == ends(delivery)) {
                batch.push(delivery.clone());
            }
        }
        batch.truncate(most);
        batch
    }

    /// When something may be tried: at once, later, or never as things are.
    pub(super) fn due(&self) -> Option<Duration> {
        let postponed = self.postponed.keys().next().map(|(until, _)| *until);
        if self.ready.is_empty() { postponed } else { Some(Duration::ZERO) }
    }

    /// Another one besides those that `is_tried` says were tried just now: one that never failed, or else one that
    /// failed least.
    pub(super) fn another(&self, is_tried: impl Fn(&str) -> bool) -> Option<Delivery> {
        let mut others = self.ready.values().filter(|key| !is_tried(key));
        let failures = |key: &&String| self.lines.get(*key).map_or(0, |line| line.failures);
        let untried = others.clone().find(|key| failures(key) == 0);
        self.first(untried.or_else(|| others.by_ref().min_by_key(failures))?)
    }

    /// Whether something may be tried that has not failed yet.
    pub(super) fn has_untried(&self) -> bool {
        self.ready.values().any(|key| self.lines.get(key).is_some_and(|line| line.failures == 0))
    }

    /// The last of this alert, where more than one waits and nothing else does.
    pub(super) fn newest_of_all(&self, key: &str) -> Option<Delivery> {
        let line = self.lines.get(key).filter(|line| line.waiting.len() > 1 && self.lines.len() == 1)?;
        line.waiting.last().cloned()
    }

    /// The first of this alert is being tried.
    pub(super) fn begins(&mut self, key: &str) {
        if let Some(line) = self.lines.get_mut(key) {
            line.begun = true;
        }
    }

    /// The first of this alert could not be delivered; returns how often that has happened to it.
    pub(super) fn failed(&mut self, key: &str, is_refused: bool) -> u32 {
        let delivered = self.delivered;
        let Some(line) = self.lines.get_mut(key) else { return 0 };
        if line.failures == 0 {
            line.delivered_before = delivered;
        }
        line.failures = line.failures.saturating_add(1);
        line.refusals = if is_refused { line.refusals.saturating_add(1) } else { 0 };
        line.failures
    }

    /// How often the first of this alert could not be delivered.
    pub(super) fn failures(&self, key: &str) -> u32 {
        self.lines.get(key).map_or(0, |line| line.failures)
    }

    /// Whether anything waits about this alert.
    pub(super) fn has(&self, key: &str) -> bool {
        self.lines.contains_key(key)
    }

    /// How often in a row the first of this alert has been refused for good.
    pub(super) fn refusals(&self, key: &str) -> u32 {
        self.lines.get(key).map_or(0, |line| line.refusals)
    }

    /// Whether the receiver has taken another one since it first did not take this.
    pub(super) fn others_are_taken(&self, key: &str) -> bool {
        self.lines.get(key).is_some_and(|line| line.failures > 0 && self.delivered > line.delivered_before)
    }

    /// Postpones this alert; returns whether its first is postponed for the first time.
    pub(super) fn postpone(&mut self, key: &str, until: Duration) -> bool {
        self.change(key, |line| {
            line.postponed_until = Some(until);
            !std::mem::replace(&mut line.was_postponed, true)
        })
    }

    /// Holds the first of this alert back; that is no failure.
    pub(super) fn hold(&mut self, key: &str, until: Duration) {
        self.change(key, |line| line.postponed_until = Some(until));
    }

    /// Takes out what waits about this alert and has not been tried, where `is_needless`.
    pub(super) fn discard(&mut self, key: &str, is_needless: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        if !self.lines.contains_key(key) {
            return Vec::new();
        }
        self.change(key, |line| {
            let from = usize::from(line.begun);
            let discarded: Vec<_> = line.waiting.extract_if(from.., |delivery| is_needless(delivery)).collect();
            if !line.begun && !discarded.is_empty() {
                // What it was held back for is gone.
                line.postponed_until = None;
            }
            discarded
        })
    }

    /// Ends every postponement.
    pub(super) fn release_all(&mut self) {
        self.release(Duration::MAX);
    }

    /// Takes out what has been delivered: the first of its alert, unless that has been superseded meanwhile.
    pub(super) fn delivered(&mut self, delivery: &Delivery) -> Option<Delivery> {
        self.delivered += 1;
        let key = alert_id(&delivery.notification);
        self.first(&key).filter(|first| first.id == delivery.id)?;
        self.remove(&key)
    }

    /// Takes out the first of this alert.
    pub(super) fn remove(&mut self, key: &str) -> Option<Delivery> {
        self.lines.get(key)?;
        self.change(key, |line| {
            let waiting = std::mem::take(&mut line.waiting);
            *line = Line { waiting, ..Line::default() };
            (!line.waiting.is_empty()).then(|| line.waiting.remove(0))
        })
    }

    /// Takes out the first of this alert if its number is lower.
    pub(super) fn remove_before(&mut self, key: &str, id: i64) -> Option<Delivery> {
        self.first(key).filter(|first| first.id < id)?;
        self.remove(key)
    }

    /// Takes out what was queued up to this number.
    pub(super) fn take_until(&mut self, last: i64) -> Vec<Delivery> {
        let keys: Vec<_> = self.lines.keys().cloned().collect();
        let mut taken = Vec::new();
        for key in keys {
            while let Some(first) = self.first(&key).filter(|first| first.id <= last) {
                taken.extend(self.delivered(&first));
            }
        }
        taken.sort_unstable_by_key(|delivery| delivery.id);
        taken
    }

    /// Everything that waits; what is about one alert is in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Delivery> {
        self.lines.values().flat_map(|line| &line.waiting)
    }

    /// The highest number that waits.
    pub(super) fn last_id(&self) -> Option<i64> {
        self.ages.keys().next_back().copied()
    }

    /// Since when the oldest has waited.
    pub(super) fn oldest(&self) -> Option<DateTime<Utc>> {
        self.ages.values().next().copied()
    }

    pub(super) fn len(&self) -> usize {
        self.ages.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ages.is_empty()
    }

    fn first(&self, key: &str) -> Option<Delivery> {
        self.lines.get(key)?.waiting.first().cloned()
    }

    /// Changes a line and puts it where it belongs then.
    fn change<T>(&mut self, key: &str, change: impl FnOnce(&mut Line) -> T) -> T {
        let line = self.lines.entry(key.to_owned()).or_default();
        let rank = line.rank();
        let before: Vec<i64> = line.waiting.iter().map(|delivery| delivery.id).collect();
        match line.postponed_until {
            Some(until) => drop(self.postponed.remove(&(until, rank.1))),
            // A new line is in neither map yet.
            None if before.is_empty() => {}
            None => drop(self.ready.remove(&rank)),
        }
        let outcome = change(line);
        let rank = line.rank();
        let left: Vec<i64> = line.waiting.iter().map(|delivery| delivery.id).collect();
        let is_empty = left.is_empty();
        if is_empty {
            self.lines.remove(key);
        } else if let Some(until) = line.postponed_until {
            self.postponed.insert((until, rank.1), key.to_owned());
        } else {
            self.ready.insert(rank, key.to_owned());
        }
        for id in before.into_iter().filter(|id| !left.contains(id)) {
            self.ages.remove(&id);
        }
        outcome
    }

    /// Ends the postponements that were to end by `now`.
    fn release(&mut self, now: Duration) {
        while let Some(entry) = self.postponed.first_entry().filter(|entry| entry.key().0 <= now) {
            let key = entry.remove();
            if let Some(line) = self.lines.get_mut(&key) {
                line.postponed_until = None;
                self.ready.insert(line.rank(), key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::*;
    use crate::alert::{Alert, AlertKey, Message, Notification, Status};
    use crate::model::TokenId;
    use crate::state::MOST_WAITING;
    use crate::testing::at;

    /// The id of the alert about this token.
    fn key(name: &str) -> String {
        alert_id(&delivery(0, name, Severity::Warning, Status::Firing).notification)
    }

    fn alert_key(name: &str) -> AlertKey {
        let of = TokenId { tenant: "acme".to_owned(), token_name: name.to_owned() };
        AlertKey { alert: Alert::PermissionLost, of: of.into(), subject: None }
    }

    fn delivery(id: i64, name: &str, severity: Severity, status: Status) -> Delivery {
        let notification =
            Notification { key: alert_key(name), status, severity, since: at(id), message: Message::default() };
        Delivery { id, receiver: "hook".into(), queued_at: at(id), notification: Arc::new(notification) }
    }

    fn warning(id: i64, name: &str) -> Delivery {
        delivery(id, name, Severity::Warning, Status::Firing)
    }

    /// Delivers everything; returns the numbers in order.
    fn drain(queue: &mut Queue) -> Vec<i64> {
        let next = |queue: &mut Queue| {
            let next = queue.next(Duration::MAX)?;
            queue.delivered(&next).map(|delivery| delivery.id)
        };
        std::iter::from_fn(|| next(queue)).collect()
    }

    #[test]
    fn the_worst_comes_first_then_the_oldest_and_one_alert_in_order() {
        let mut queue = Queue::default();
        for delivery in [
            warning(1, "a"),
            warning(2, "b"),
            delivery(3, "c", Severity::Critical, Status::Firing),
            delivery(4, "b", Severity::Critical, Status::Reminder),
            delivery(5, "c", Severity::Critical, Status::Resolved),
        ] {
            assert!(queue.push(delivery).is_empty());
        }
        assert_eq!((queue.oldest(), queue.last_id(), queue.len()), (Some(at(1)), Some(5), 5));
        assert_eq!(drain(&mut queue), [2, 3, 4, 5, 1], "the warning of b comes before its critical reminder");
        assert_eq!((queue.oldest(), queue.is_empty()), (None, true));
    }

    #[test]
    fn what_fails_delays_its_own_alert_only() {
        let second = Duration::from_secs(1);
        let mut queue = Queue::default();
        for delivery in [warning(1, "a"), warning(2, "a"), warning(3, "b")] {
            queue.push(delivery);
        }
        assert_eq!(queue.failed(&key("a"), true), 1);
        assert!(!queue.others_are_taken(&key("a")) && queue.has_untried());
        assert_eq!(queue.another(|tried| tried == key("a")).map(|delivery| delivery.id), Some(3));
        queue.postpone(&key("a"), second);
        let other = queue.next(Duration::ZERO).unwrap();
        assert_eq!(queue.delivered(&other).map(|delivery| delivery.id), Some(3));
        assert!(queue.others_are_taken(&key("a")));
        assert_eq!((queue.next(Duration::ZERO).map(|delivery| delivery.id), queue.due()), (None, Some(second)));
        assert_eq!(queue.next(second).map(|delivery| delivery.id), Some(1));
        assert_eq!((queue.failed(&key("a"), false), queue.refusals(&key("a"))), (2, 0), "not refused, this time");
        assert_eq!(queue.remove(&key("a")).map(|delivery| delivery.id), Some(1));
        assert_eq!(queue.failed(&key("a"), true), 1, "the next one begins anew");
    }

    #[test]
    fn what_was_queued_later_stays_when_all_states_were_sent() {
        let mut queue = Queue::default();
        for id in 1..=4 {
            queue.push(warning(id, if id % 2 == 0 { "a" } else { "b" }));
        }
        queue.postpone(&key("b"), Duration::from_secs(1));
        assert_eq!(queue.take_until(3).iter().map(|delivery| delivery.id).collect::<Vec<_>>(), [1, 2, 3]);
        assert_eq!(drain(&mut queue), [4]);
    }

    #[test]
    fn a_batch_has_one_of_each_alert_and_no_end_among_beginnings() {
        let mut queue = Queue::default();
        for delivery in [
            warning(1, "a"),
            warning(2, "b"),
            delivery(3, "c", Severity::Critical, Status::Firing),
            delivery(4, "a", Severity::Warning, Status::Resolved),
            delivery(5, "d", Severity::Warning, Status::Resolved),
        ] {
            queue.push(delivery);
        }
        let ids = |batch: &[Delivery]| batch.iter().map(|delivery| delivery.id).collect::<Vec<_>>();
        let batch = queue.batch(Duration::ZERO, 10);
        assert_eq!(ids(&batch), [3, 1, 2]);
        assert_eq!(ids(&queue.batch(Duration::ZERO, 2)), [3, 1]);
        for delivery in &batch {
            queue.delivered(delivery);
        }
        assert_eq!(ids(&queue.batch(Duration::ZERO, 10)), [4, 5]);
    }

    #[test]
    fn what_is_held_back_gives_way_to_what_comes_later() {
        let mut queue = Queue::default();
        queue.push(warning(1, "a"));
        queue.hold(&key("a"), Duration::from_mins(1));
        assert_eq!(queue.next(Duration::ZERO).map(|delivery| delivery.id), None);
        assert_eq!(queue.discard(&key("a"), |_| true).len(), 1);
        queue.push(warning(2, "a"));
        assert_eq!(queue.next(Duration::ZERO).map(|delivery| delivery.id), Some(2));
        queue.begins(&key("a"));
        assert_eq!(queue.discard(&key("a"), |_| true).len(), 0, "it may have arrived");
    }

    proptest! {
        #[test]
        fn however_alerts_flap_few_wait_and_the_last_is_delivered(
            pushes in prop::collection::vec((0_u8..6, any::<bool>(), any::<bool>()), 1..200),
        ) {
            let (mut queue, mut last) = (Queue::default(), HashMap::new());
            for (id, (name, fires, is_postponed)) in (0..).zip(pushes) {
                let name = name.to_string();
                let status = if fires { Status::Firing } else { Status::Resolved };
                queue.push(delivery(id, &name, Severity::Warning, status));
                last.insert(key(&name), id);
                if is_postponed {
                    queue.postpone(&key(&name), Duration::from_secs(1));
                }
            }
            prop_assert!(queue.len() <= last.len() * MOST_WAITING && queue.len() == queue.iter().count());
            let mut delivered: HashMap<String, Vec<i64>> = HashMap::new();
            while let Some(next) = queue.next(Duration::MAX) {
                queue.delivered(&next);
                delivered.entry(alert_id(&next.notification)).or_default().push(next.id);
            }
            prop_assert!(queue.ready.is_empty() && queue.postponed.is_empty() && queue.lines.is_empty());
            for (key, ids) in delivered {
                prop_assert!(ids.is_sorted() && ids.last() == last.get(&key), "{key}: {ids:?}");
            }
        }
    }
}
