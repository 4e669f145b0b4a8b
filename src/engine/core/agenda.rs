//! When each token is reviewed next, which due checks wait for a slot, and which checks are under way. Pure.
//!
//! A check that a pause of its host holds up waits apart: it has not been made, takes no slot, and counts as due.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::belief::Check;
use crate::check::{Ended, WatchKey};
use crate::plan::Plan;
use crate::syncro::CheckLane;

/// How many checks may be under way at once, by lane. Enough that hosts which do not answer, each waited for during the whole
/// time-out, leave room for the others within the budget; few enough for the memory to stay small.
pub(super) const SLOTS: [usize; 3] = [16, 32, 16];

/// How long a token waits for a check that serves both purposes before it is checked for validity alone, which costs a
/// second `/me`: long enough for a small fleet to waste nothing, short enough for a large one to notify soon.
const PATIENCE: TimeDelta = TimeDelta::seconds(60);

/// Where a due check waits, in the order of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Queue {
    Urgent,
    /// Both checks are due: one `/me` serves both. If there is no slot for long, validity is checked first, alone.
    Both,
    Validity,
    Permissions,
}

impl Queue {
    /// Every queue, in the order of service.
    const ALL: [Self; 4] = [Self::Urgent, Self::Both, Self::Validity, Self::Permissions];

    /// Where a token with a due check waits.
    pub(super) fn of(plan: &Plan, requested: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        if requested.is_some_and(|at| at <= now) || plan.lane(now) == CheckLane::Urgent {
            return Self::Urgent;
        }
        match (plan.validity.at <= now, plan.scope(now)) {
            (true, Some(_)) => Self::Both,
            (true, None) => Self::Validity,
            (false, _) => Self::Permissions,
        }
    }

    /// The lanes in which a check of this queue may start, the preferred one first.
    fn lanes(self, impatient: bool) -> &'static [CheckLane] {
        match self {
            Self::Urgent => &[CheckLane::Urgent],
            Self::Both if impatient => &[CheckLane::Permissions, CheckLane::Validity],
            Self::Both | Self::Permissions => &[CheckLane::Permissions],
            Self::Validity => &[CheckLane::Validity],
        }
    }
}

/// A due check: its queue, since when it is due, and of which token it is.
type Waiting = (Queue, DateTime<Utc>, WatchKey);

/// What stands in the agenda for one token.
#[derive(Debug, Default)]
struct Entry {
    review: Option<DateTime<Utc>>,
    waiting: Option<(Queue, DateTime<Utc>)>,
}

/// What is to be done when.
#[derive(Debug)]
pub(super) struct Agenda {
    reviews: BTreeSet<(DateTime<Utc>, WatchKey)>,
    waiting: BTreeSet<Waiting>,
    /// Due checks whose hosts are paused.
    parked: BTreeSet<Waiting>,
    /// When the first of their pauses ends.
    parked_until: Option<DateTime<Utc>>,
    /// What stands in the sets above, by token.
    entries: BTreeMap<WatchKey, Entry>,
    /// The free slots by lane.
    free: [usize; 3],
    /// Tokens of which `/me` is being asked.
    checking_token: HashSet<WatchKey>,
    /// Tokens of which the permissions are being asked.
    checking_permissions: HashSet<WatchKey>,
}

impl Default for Agenda {
    fn default() -> Self {
        Self {
            reviews: BTreeSet::new(),
            waiting: BTreeSet::new(),
            parked: BTreeSet::new(),
            parked_until: None,
            entries: BTreeMap::new(),
            free: SLOTS,
            checking_token: HashSet::new(),
            checking_permissions: HashSet::new(),
        }
    }
}

impl Agenda {
    /// Replaces what stands there for a token: when it is reviewed next, and where its due check waits since when.
    pub(super) fn set(
        &mut self,
        key: WatchKey,
        review: Option<DateTime<Utc>>,
        waiting: Option<(Queue, DateTime<Utc>)>,
    ) {
        self.remove(key);
        self.reviews.extend(review.map(|at| (at, key)));
        self.waiting.extend(waiting.map(|(queue, since)| (queue, since, key)));
        if review.is_some() || waiting.is_some() {
            self.entries.insert(key, Entry { review, waiting });
        }
    }

    /// Removes everything that stands there for a token. A check of it that is under way ends by itself.
    pub(super) fn remove(&mut self, key: WatchKey) {
        let Some(Entry { review, waiting }) = self.entries.remove(&key) else { return };
        if let Some(at) = review {
            self.reviews.remove(&(at, key));
        }
        if let Some((queue, since)) = waiting {
            self.waiting.remove(&(queue, since, key));
            self.parked.remove(&(queue, since, key));
        }
    }

    /// Takes out a token whose review is due.
    pub(super) fn due_review(&mut self, now: DateTime<Utc>) -> Option<WatchKey> {
        let (at, key) = self.reviews.first().copied().filter(|(at, _)| *at <= now)?;
        self.reviews.remove(&(at, key));
        if let Some(entry) = self.entries.get_mut(&key) {
            entry.review = None;
        }
        Some(key)
    }

    /// When the next check starts: `now` while one waits for a slot or is under way.
    pub(super) fn next_check(&self, now: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        let under_way = [&self.checking_token, &self.checking_permissions];
        if under_way.iter().any(|keys| !keys.is_empty()) { now } else { self.next_due(now) }
    }

    /// When the next check is due that is not under way: `now` while one waits for a slot.
    pub(super) fn next_due(&self, now: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
        if !self.waiting.is_empty() {
            return now;
        }
        self.reviews.first().map(|(at, _)| *at).into_iter().chain(self.parked_until).min()
    }

    /// How many checks are due and not under way; those that wait for the end of a pause are among them.
    pub(super) fn due(&self) -> usize {
        self.waiting.len() + self.parked.len()
    }

    /// Starts the most pressing checks while there are slots. `paused` says until when the host of a token is paused, if it
    /// is; `start` starts a check in a lane, and returns whether it asks for permissions too.
    pub(super) fn start(
        &mut self,
        now: DateTime<Utc>,
        paused: impl Fn(WatchKey) -> Option<DateTime<Utc>>,
        mut start: impl FnMut(WatchKey, CheckLane) -> bool,
    ) {
        if self.parked_until.is_some_and(|until| until <= now) {
            self.parked_until = None;
            self.waiting.append(&mut self.parked);
        }
        for queue in Queue::ALL {
            while let Some((waiting, lane)) = self.startable(queue, now) {
                let key = waiting.2;
                self.waiting.remove(&waiting);
                if let Some(until) = paused(key) {
                    self.parked.insert(waiting);
                    self.parked_until = self.parked_until.into_iter().chain([until]).min();
                    continue;
                }
                if let Some(entry) = self.entries.get_mut(&key) {
                    entry.waiting = None;
                }
                self.free[lane as usize] -= 1;
                self.checking_token.insert(key);
                if start(key, lane) {
                    self.checking_permissions.insert(key);
                }
            }
        }
    }

    /// The first check of a queue, and the lane in which there is a slot for it.
    fn startable(&self, queue: Queue, now: DateTime<Utc>) -> Option<(Waiting, CheckLane)> {
        let from = (queue, DateTime::<Utc>::MIN_UTC, WatchKey(0));
        let waiting = self.waiting.range(from..).next().copied().filter(|waiting| waiting.0 == queue)?;
        let lanes = queue.lanes(now - waiting.1 > PATIENCE);
        let lane = lanes.iter().copied().find(|lane| self.free[*lane as usize] > 0)?;
        Some((waiting, lane))
    }

    /// A part of a check has ended; `ended` says what is free again, if it was the last part.
    pub(super) fn ended(&mut self, key: WatchKey, check: Check, ended: Option<Ended>) {
        if check == Check::Validity {
            self.checking_token.remove(&key);
        }
        if let Some(Ended { lane, permissions }) = ended {
            self.free[lane as usize] += 1;
            if permissions {
                self.checking_permissions.remove(&key);
            }
        }
    }

    /// Whether `/me` of a token is being asked.
    pub(super) fn is_checking_token(&self, key: WatchKey) -> bool {
        self.checking_token.contains(&key)
    }

    /// Whether the permissions of a token are being asked.
    pub(super) fn is_checking_permissions(&self, key: WatchKey) -> bool {
        self.checking_permissions.contains(&key)
    }

    /// The free slots by lane.
    #[cfg(test)]
    pub(super) fn free(&self) -> [usize; 3] {
        self.free
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    fn started(agenda: &mut Agenda, now: i64, paused_until: Option<i64>) -> Vec<(u64, CheckLane)> {
        let mut started = Vec::new();
        let paused = |_| paused_until.map(at);
        agenda.start(at(now), paused, |key, lane| {
            started.push((key.0, lane));
            lane == CheckLane::Permissions
        });
        started
    }

    #[test]
    fn a_token_stands_in_the_agenda_once() {
        let mut agenda = Agenda::default();
        let key = WatchKey(7);
        agenda.set(key, Some(at(10)), Some((Queue::Validity, at(0))));
        agenda.set(key, Some(at(5)), Some((Queue::Urgent, at(0))));
        assert_eq!((agenda.reviews.first(), agenda.due()), (Some(&(at(5), key)), 1));
        assert_eq!(
            (agenda.due_review(at(4)), agenda.due_review(at(5)), agenda.due_review(at(99))),
            (None, Some(key), None)
        );
        agenda.remove(key);
        assert_eq!((agenda.due(), agenda.next_check(Some(at(100)))), (0, None));
        assert_eq!(started(&mut agenda, 100, None), []);
    }

    #[test]
    fn the_most_pressing_check_starts_first_and_none_without_a_slot() {
        let mut agenda = Agenda::default();
        let lanes = [Queue::Permissions, Queue::Validity, Queue::Both, Queue::Urgent];
        for (number, queue) in (0..).zip(lanes) {
            agenda.set(WatchKey(number), None, Some((queue, at(0))));
        }
        let expected = [
            (3, CheckLane::Urgent),
            (2, CheckLane::Permissions),
            (1, CheckLane::Validity),
            (0, CheckLane::Permissions),
        ];
        assert_eq!(started(&mut agenda, 1, None), expected);
        assert!(agenda.is_checking_token(WatchKey(1)) && !agenda.is_checking_permissions(WatchKey(1)));
        for number in 10..10 + SLOTS[CheckLane::Validity as usize] as u64 {
            agenda.set(WatchKey(number), None, Some((Queue::Validity, at(0))));
        }
        assert_eq!(started(&mut agenda, 1, None).len(), SLOTS[CheckLane::Validity as usize] - 1, "one is taken");
        assert_eq!(agenda.due(), 1);
        agenda.ended(WatchKey(1), Check::Validity, Some(Ended { lane: CheckLane::Validity, permissions: false }));
        assert_eq!((started(&mut agenda, 1, None).len(), agenda.due()), (1, 0));
    }

    #[test]
    fn a_paused_check_takes_no_slot_and_counts_as_due() {
        let mut agenda = Agenda::default();
        agenda.set(WatchKey(0), None, Some((Queue::Validity, at(0))));
        assert_eq!(started(&mut agenda, 1, Some(60)), []);
        assert_eq!((agenda.due(), agenda.next_check(Some(at(1))), agenda.free()), (1, Some(at(60)), SLOTS));
        assert_eq!(started(&mut agenda, 59, None), [], "not before the pause ends");
        assert_eq!(started(&mut agenda, 60, None), [(0, CheckLane::Validity)]);
    }

    #[test]
    fn the_next_check_is_now_until_the_last_part_of_one_has_ended() {
        let mut agenda = Agenda::default();
        let now = Some(at(1));
        agenda.set(WatchKey(0), None, Some((Queue::Both, at(0))));
        assert_eq!(agenda.next_check(now), now, "it waits");
        assert_eq!(started(&mut agenda, 1, None), [(0, CheckLane::Permissions)]);
        assert_eq!(agenda.next_check(now), now, "it is under way");
        agenda.ended(WatchKey(0), Check::Validity, None);
        assert_eq!(agenda.next_check(now), now, "the permissions are");
        agenda.ended(WatchKey(0), Check::Permissions, Some(Ended { lane: CheckLane::Permissions, permissions: true }));
        agenda.set(WatchKey(0), Some(at(300)), None);
        assert_eq!(agenda.next_check(now), Some(at(300)));
    }
}
