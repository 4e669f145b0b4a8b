//! What waits for one receiver, in a line for each kind and scope of alerts. What is in one line stays in order; across
//! lines the worst comes first, then the oldest; what cannot be delivered is left alone for a while and delays its own line
//! only. Pure; `now` is the time since the worker began.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::alert::{AlertKey, Severity};
use crate::state::{Delivery, thin};

/// Everything that waits for one receiver.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// What waits about each kind and scope.
    lines: HashMap<AlertKey, Line>,
    /// The lines whose first notification may be tried.
    ready: BTreeMap<Rank, AlertKey>,
    /// The lines that are postponed, by when that ends.
    postponed: BTreeMap<(Duration, i64), AlertKey>,
    /// What is held back and delays nothing else, by when it comes to its line.
    held: BTreeMap<(Duration, i64), Delivery>,
    /// When each notification was queued, by its number.
    ages: BTreeMap<i64, DateTime<Utc>>,
    /// How many notifications have been delivered.
    delivered: u64,
}

/// The order of lines: the worst first, then the lowest number.
type Rank = (Reverse<Severity>, i64);

/// What waits about one kind and scope.
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
    /// Until when the line is postponed, as the time since the worker began; `None` if it may be tried.
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
        let key = delivery.line().clone();
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

    /// The deliveries that may be tried now in one message, as many as `most`: one of each line, in the order in which
    /// they would be tried one by one, and either all about alerts that fire or all about alerts that have ended.
    pub(super) fn batch(&mut self, now: Duration, most: usize) -> Vec<Delivery> {
        self.release(now);
        let mut batch = Vec::new();
        // Those behind them come next; a long queue is not searched to its end.
        let firsts = self.ready.values().take(2 * most).filter_map(|key| self.lines.get(key)?.waiting.first());
        for delivery in firsts {
            if batch.first().is_none_or(|first: &Delivery| first.ends() == delivery.ends()) {
                batch.push(delivery.clone());
            }
        }
        batch.truncate(most);
        batch
    }

    /// When something may be tried: at once, later, or never as things are.
    pub(super) fn due(&self) -> Option<Duration> {
        let next = [self.postponed.keys().next(), self.held.keys().next()].into_iter().flatten().min();
        if self.ready.is_empty() { next.map(|(until, _)| *until) } else { Some(Duration::ZERO) }
    }

    /// Another one besides those that `is_tried` says were tried just now: one that never failed, or else one that
    /// failed least.
    pub(super) fn another(&self, is_tried: impl Fn(&AlertKey) -> bool) -> Option<Delivery> {
        let mut others = self.ready.values().filter(|key| !is_tried(key));
        let failures = |key: &&AlertKey| self.lines.get(*key).map_or(0, |line| line.failures);
        let untried = others.clone().find(|key| failures(key) == 0);
        self.first(untried.or_else(|| others.by_ref().min_by_key(failures))?)
    }

    /// Whether something may be tried that has not failed yet.
    pub(super) fn has_untried(&self) -> bool {
        self.ready.values().any(|key| self.lines.get(key).is_some_and(|line| line.failures == 0))
    }

    /// The last of this line, where more than one waits and no other line does.
    pub(super) fn newest_of_all(&self, key: &AlertKey) -> Option<Delivery> {
        let line = self.lines.get(key).filter(|line| line.waiting.len() > 1 && self.lines.len() == 1)?;
        line.waiting.last().cloned()
    }

    /// The first of this line is being tried.
    pub(super) fn begins(&mut self, key: &AlertKey) {
        if let Some(line) = self.lines.get_mut(key) {
            line.begun = true;
        }
    }

    /// The first of this line could not be delivered; returns how often that has happened to it.
    pub(super) fn failed(&mut self, key: &AlertKey, is_refused: bool) -> u32 {
        let delivered = self.delivered;
        let Some(line) = self.lines.get_mut(key) else { return 0 };
        if line.failures == 0 {
            line.delivered_before = delivered;
        }
        line.failures = line.failures.saturating_add(1);
        line.refusals = if is_refused { line.refusals.saturating_add(1) } else { 0 };
        line.failures
    }

    /// How often the first of this line could not be delivered.
    pub(super) fn failures(&self, key: &AlertKey) -> u32 {
        self.lines.get(key).map_or(0, |line| line.failures)
    }

    /// Whether anything waits in this line.
    pub(super) fn has(&self, key: &AlertKey) -> bool {
        self.lines.contains_key(key)
    }

    /// Whether anything waits in its line about the alert of this delivery.
    pub(super) fn has_alert_of(&self, delivery: &Delivery) -> bool {
        let is_same = |other: &Delivery| other.notification.id == delivery.notification.id;
        self.lines.get(delivery.line()).is_some_and(|line| line.waiting.iter().any(is_same))
    }

    /// How often in a row the first of this line has been refused for good.
    pub(super) fn refusals(&self, key: &AlertKey) -> u32 {
        self.lines.get(key).map_or(0, |line| line.refusals)
    }

    /// Whether the receiver has taken another one since it first did not take this.
    pub(super) fn others_are_taken(&self, key: &AlertKey) -> bool {
        self.lines.get(key).is_some_and(|line| line.failures > 0 && self.delivered > line.delivered_before)
    }

    /// Postpones this line; returns whether its first is postponed for the first time.
    pub(super) fn postpone(&mut self, key: &AlertKey, until: Duration) -> bool {
        self.change(key, |line| {
            line.postponed_until = Some(until);
            !std::mem::replace(&mut line.was_postponed, true)
        })
    }

    /// Takes in one more delivery, which does not come to its line before a moment.
    pub(super) fn hold(&mut self, delivery: Delivery, until: Duration) {
        self.ages.insert(delivery.id, delivery.queued_at);
        self.held.insert((until, delivery.id), delivery);
    }

    /// Takes out what waits in this line and has not been tried, where `is_needless`.
    pub(super) fn discard(&mut self, key: &AlertKey, is_needless: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        let is_held = |_: &(Duration, i64), held: &mut Delivery| held.line() == key && is_needless(held);
        let mut discarded: Vec<_> = self.held.extract_if(.., is_held).map(|(_, held)| held).collect();
        for held in &discarded {
            self.ages.remove(&held.id);
        }
        if self.lines.contains_key(key) {
            discarded.extend(self.change(key, |line| {
                let from = usize::from(line.begun);
                line.waiting.extract_if(from.., |delivery| is_needless(delivery)).collect::<Vec<_>>()
            }));
        }
        discarded
    }

    /// Ends every postponement.
    pub(super) fn release_all(&mut self) {
        self.release_postponed(Duration::MAX);
    }

    /// Takes out what has been delivered, unless it has been superseded meanwhile.
    pub(super) fn delivered(&mut self, delivery: &Delivery) -> Option<Delivery> {
        self.delivered += 1;
        let key = delivery.line();
        let at = self.lines.get(key)?.waiting.iter().position(|waiting| waiting.id == delivery.id)?;
        if at == 0 { self.remove(key) } else { self.change(key, |line| Some(line.waiting.remove(at))) }
    }

    /// Takes out the first of this line.
    pub(super) fn remove(&mut self, key: &AlertKey) -> Option<Delivery> {
        self.lines.get(key)?;
        self.change(key, |line| {
            let waiting = std::mem::take(&mut line.waiting);
            *line = Line { waiting, ..Line::default() };
            (!line.waiting.is_empty()).then(|| line.waiting.remove(0))
        })
    }

    /// Takes out what waits about the alert of this delivery and was queued before it.
    pub(super) fn remove_before(&mut self, delivery: &Delivery) -> Vec<Delivery> {
        let (id, alert) = (delivery.id, &delivery.notification.id);
        self.discard(delivery.line(), |waiting| waiting.id < id && waiting.notification.id == *alert)
    }

    /// Takes out what was queued up to this number.
    pub(super) fn take_until(&mut self, last: i64) -> Vec<Delivery> {
        self.release(Duration::MAX);
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

    /// Everything that waits; what is in one line is in order.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Delivery> {
        self.lines.values().flat_map(|line| &line.waiting).chain(self.held.values())
    }

    /// The highest number that waits.
    pub(super) fn last_id(&self) -> Option<i64> {
        self.ages.keys().next_back().copied()
    }

    /// Since when the oldest has waited.
    pub(super) fn oldest(&self) -> Option<DateTime<Utc>> {
        // Numbers below zero are those of canaries, which are newer than they seem.
        self.ages.range(0..).chain(self.ages.range(..0)).next().map(|(_, at)| *at)
    }

    pub(super) fn len(&self) -> usize {
        self.ages.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.ages.is_empty()
    }

    fn first(&self, key: &AlertKey) -> Option<Delivery> {
        self.lines.get(key)?.waiting.first().cloned()
    }

    /// Changes a line and puts it where it belongs then.
    fn change<T>(&mut self, key: &AlertKey, change: impl FnOnce(&mut Line) -> T) -> T {
        let line = self.lines.entry(key.clone()).or_default();
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
            self.postponed.insert((until, rank.1), key.clone());
        } else {
            self.ready.insert(rank, key.clone());
        }
        for id in before.into_iter().filter(|id| !left.contains(id)) {
            self.ages.remove(&id);
        }
        outcome
    }

    /// Ends the postponements that were to end by `now`, and puts what was held back until then into its line.
    fn release(&mut self, now: Duration) {
        while let Some(entry) = self.held.first_entry().filter(|entry| entry.key().0 <= now) {
            let delivery = entry.remove();
            let key = delivery.line().clone();
            self.change(&key, |line| {
                let tried = usize::from(line.begun);
                let at = line.waiting.partition_point(|waiting| waiting.id < delivery.id).max(tried);
                line.waiting.insert(at, delivery);
            });
        }
        self.release_postponed(now);
    }

    fn release_postponed(&mut self, now: Duration) {
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
    use crate::alert::{Alert, Change, Notification};
    use crate::model::Scope;
    use crate::testing::{at, notification};

    /// The line of the alerts about this token.
    fn key(name: &str) -> AlertKey {
        AlertKey { alert: Alert::TokenRejected, of: Scope::of_token("acme", name) }
    }

    fn delivery(id: i64, name: &str, severity: Severity, change: Change) -> Delivery {
        let notification = Arc::new(notification(Scope::of_token("acme", name), change, severity));
        Delivery { id, receiver: "hook".into(), queued_at: at(id), notification }
    }

    /// The same about another alert of the same line.
    fn of_alert(alert: &str, delivery: Delivery) -> Delivery {
        let notification = Notification { id: alert.to_owned(), ..(*delivery.notification).clone() };
        Delivery { notification: Arc::new(notification), ..delivery }
    }

    fn warning(id: i64, name: &str) -> Delivery {
        delivery(id, name, Severity::Warning, Change::New)
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
            delivery(3, "c", Severity::Critical, Change::New),
            delivery(4, "b", Severity::Critical, Change::Reminder),
            delivery(5, "c", Severity::Critical, Change::Resolved),
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
        assert_eq!(queue.another(|tried| *tried == key("a")).map(|delivery| delivery.id), Some(3));
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
            delivery(3, "c", Severity::Critical, Change::New),
            delivery(4, "a", Severity::Warning, Change::Resolved),
            delivery(5, "d", Severity::Warning, Change::Resolved),
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
    fn what_is_held_back_delays_nothing_and_gives_way_to_what_comes_later() {
        let mut queue = Queue::default();
        let (minute, next) = (Duration::from_mins(1), |queue: &mut Queue, now| queue.next(now).map(|next| next.id));
        queue.hold(warning(1, "a"), minute);
        assert_eq!((next(&mut queue, Duration::ZERO), queue.due(), queue.len()), (None, Some(minute), 1));
        queue.push(of_alert("another", warning(2, "a")));
        assert_eq!(next(&mut queue, Duration::ZERO), Some(2), "another alert of its line goes on");
        assert_eq!(next(&mut queue, minute), Some(1));
        queue.begins(&key("a"));
        assert_eq!(queue.discard(&key("a"), |_| true).len(), 1, "what was tried may have arrived");
        queue.hold(warning(3, "a"), 2 * minute);
        assert_eq!(queue.discard(&key("a"), |waiting| waiting.id == 3).len(), 1);
        assert_eq!((drain(&mut queue), queue.len()), (vec![1], 0));
    }

    #[test]
    fn what_is_older_goes_only_with_what_is_newer_about_its_own_alert() {
        let mut queue = Queue::default();
        for (id, alert) in [(1, "x"), (2, "y"), (3, "x"), (4, "y")] {
            queue.push(of_alert(alert, warning(id, "a")));
        }
        let newest = queue.newest_of_all(&key("a")).unwrap();
        let removed: Vec<_> = queue.remove_before(&newest).into_iter().map(|delivery| delivery.id).collect();
        assert_eq!((newest.id, removed), (4, vec![2]));
        assert_eq!(queue.delivered(&newest).map(|delivery| delivery.id), Some(4), "though it is not the first");
        assert_eq!(drain(&mut queue), [1, 3]);
    }

    proptest! {
        #[test]
        fn however_alerts_flap_few_wait_and_the_last_is_delivered(
            pushes in prop::collection::vec((0_u8..6, any::<bool>(), any::<bool>()), 1..200),
        ) {
            let (mut queue, mut last, mut alerts) = (Queue::default(), HashMap::new(), HashMap::new());
            for (id, (name, begins, is_postponed)) in (0..).zip(pushes) {
                let name = name.to_string();
                // Each time that it begins it is another alert.
                let alert = alerts.entry(name.clone()).or_insert((0, false));
                let change = match *alert {
                    (number, false) => {
                        *alert = (number + 1, true);
                        Change::New
                    }
                    (_, true) if begins => Change::Reminder,
                    (number, true) => {
                        *alert = (number, false);
                        Change::Resolved
                    }
                };
                queue.push(of_alert(&alert.0.to_string(), delivery(id, &name, Severity::Warning, change)));
                last.insert(key(&name), id);
                if is_postponed {
                    queue.postpone(&key(&name), Duration::from_secs(1));
                }
            }
            // The earliest, the latest, and the one that fires.
            prop_assert!(queue.len() <= last.len() * 6 && queue.len() == queue.iter().count());
            let mut delivered: HashMap<AlertKey, Vec<i64>> = HashMap::new();
            while let Some(next) = queue.next(Duration::MAX) {
                queue.delivered(&next);
                delivered.entry(next.line().clone()).or_default().push(next.id);
            }
            prop_assert!(queue.ready.is_empty() && queue.postponed.is_empty() && queue.lines.is_empty());
            for (key, ids) in delivered {
                prop_assert!(ids.is_sorted() && ids.last() == last.get(&key), "{key:?}: {ids:?}");
            }
        }
    }
}
