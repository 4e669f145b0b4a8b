//! What waits to be written: bounded, and merged so that a token waits once however often it was checked. Values only.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::alert::Notification;
use crate::state::{Batch, Delivery, Learnt, Refusal, Settled};

/// How many lines of the history and of the outbox are retained while nothing can be written; older ones are given up.
/// Thousands of tokens that all die and come back within one outage of the disk make fewer.
const MOST: usize = 50_000;

/// What waits to be written in one transaction.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    /// The statuses of tokens, what fires, and the history.
    pub(super) batch: Batch,
    /// What was notified, and when, whoever the receivers are.
    pub(super) notified: Vec<(DateTime<Utc>, Arc<Notification>)>,
    /// The new rows of the outbox.
    pub(super) queued: Vec<Delivery>,
    /// The rows of the outbox that have been delivered since, and when.
    pub(super) delivered: Vec<(i64, DateTime<Utc>)>,
    /// The rows of the outbox that their receiver has refused for good since, when, and with what answer.
    pub(super) set_aside: Vec<(i64, DateTime<Utc>, String)>,
    /// The rows of the outbox that need not be delivered any more.
    pub(super) superseded: Vec<i64>,
    /// Which receiver knows of which alert, by its id, that it fires, or that it does not any more.
    pub(super) learnt: HashMap<(Arc<str>, String), bool>,
    /// Up to which moment what is sent again and again is settled, by its name.
    pub(super) recurring: HashMap<String, DateTime<Utc>>,
    /// What is older may be discarded.
    pub(super) discard_before: Option<DateTime<Utc>>,
}

impl Unwritten {
    pub(super) fn is_empty(&self) -> bool {
        let outbox =
            [self.queued.is_empty(), self.delivered.is_empty(), self.set_aside.is_empty(), self.superseded.is_empty()];
        let others =
            self.batch.is_empty() && self.notified.is_empty() && self.learnt.is_empty() && self.recurring.is_empty();
        others && outbox == [true; 4] && self.discard_before.is_none()
    }

    /// Takes in what a receiver learns. What is written of an alert and taken back before that need not be written.
    pub(super) fn learn(&mut self, Learnt { receiver, alert, fires }: Learnt) {
        self.learn_all([((receiver, alert), fires)]);
    }

    fn learn_all(&mut self, learnt: impl IntoIterator<Item = ((Arc<str>, String), bool)>) {
        for (which, fires) in learnt {
            if self.learnt.remove(&which) != Some(!fires) {
                self.learnt.insert(which, fires);
            }
        }
    }

    /// Takes in what became of a row of the outbox.
    pub(super) fn settle(&mut self, settled: Settled, now: DateTime<Utc>) {
        match settled {
            Settled::Delivered(id) => self.delivered.push((id, now)),
            Settled::SetAside(Refusal { id, answer, .. }) => self.set_aside.push((id, now, answer)),
            // While nothing can be written, a flapping alert must not fill the list with what nobody needs. What is
            // superseded is among the newest.
            Settled::Superseded(id) => match self.queued.iter().rposition(|delivery| delivery.id == id) {
                Some(at) => {
                    self.queued.remove(at);
                }
                None => self.superseded.push(id),
            },
            Settled::Recurred { name, at } => drop(self.recurring.insert(name, at)),
        }
    }

    /// Takes in what came later.
    pub(super) fn merge(&mut self, later: Self) {
        self.batch.merge(later.batch);
        self.learn_all(later.learnt);
        self.recurring.extend(later.recurring);
        if !self.queued.is_empty() && !later.superseded.is_empty() {
            let superseded: HashSet<i64> = later.superseded.iter().copied().collect();
            self.queued.retain(|delivery| !superseded.contains(&delivery.id));
        }
        self.notified.extend(later.notified);
        self.queued.extend(later.queued);
        self.delivered.extend(later.delivered);
        self.set_aside.extend(later.set_aside);
        self.superseded.extend(later.superseded);
        self.discard_before = later.discard_before.or(self.discard_before);
        self.make_room();
        retain_last(&mut self.batch.history);
        retain_last(&mut self.batch.carried_out);
        retain_last(&mut self.batch.taken_on);
        retain_last(&mut self.notified);
        retain_last(&mut self.queued);
        retain_last(&mut self.delivered);
        retain_last(&mut self.set_aside);
        retain_last(&mut self.superseded);
    }

    /// Gives up the rows of what was delivered before those of what is still to be delivered.
    fn make_room(&mut self) {
        if self.queued.len() > MOST {
            let delivered: HashSet<i64> = self.delivered.iter().map(|(id, _)| *id).collect();
            let mut spare = self.queued.len() - MOST;
            self.queued.retain(|delivery| {
                let is_given_up = spare > 0 && delivered.contains(&delivery.id);
                spare -= usize::from(is_given_up);
                !is_given_up
            });
        }
    }
}

/// Retains the last [`MOST`] of a list.
fn retain_last<T>(list: &mut Vec<T>) {
    list.drain(..list.len().saturating_sub(MOST));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Change, Severity};
    use crate::model::Scope;
    use crate::testing::{at, notification};

    fn queued(ids: std::ops::Range<i64>) -> Unwritten {
        let notification = notification(Scope::Tenant("acme".to_owned()), Change::New, Severity::Critical);
        let notification = Arc::new(notification);
        let delivery =
            |id| Delivery { id, receiver: "hook".into(), queued_at: at(0), notification: Arc::clone(&notification) };
        Unwritten { queued: ids.map(delivery).collect(), ..Unwritten::default() }
    }

    fn ids(unwritten: &Unwritten) -> Vec<i64> {
        unwritten.queued.iter().map(|delivery| delivery.id).collect()
    }

    #[test]
    fn what_is_superseded_before_it_was_written_never_is() {
        let mut unwritten = queued(1..4);
        unwritten.settle(Settled::Superseded(2), at(1));
        assert_eq!((ids(&unwritten), unwritten.superseded.is_empty()), (vec![1, 3], true));
        // A commit that failed brings its rows back.
        let mut failed = queued(1..4);
        let mut later = Unwritten::default();
        later.settle(Settled::Superseded(3), at(1));
        failed.merge(later);
        assert_eq!(ids(&failed), [1, 2]);
    }

    #[test]
    fn what_was_delivered_makes_room_for_what_was_not() {
        let most = i64::try_from(MOST).unwrap();
        let mut unwritten = queued(0..most);
        for id in 5..most {
            unwritten.settle(Settled::Delivered(id), at(1));
        }
        unwritten.merge(queued(most..most + 100));
        let ids = ids(&unwritten);
        assert_eq!((ids.len(), &ids[..6]), (MOST, &[0, 1, 2, 3, 4, 105][..]));
        assert_eq!(ids.last(), Some(&(most + 99)));
    }
}
