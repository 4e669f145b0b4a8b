//! What waits to be written: bounded, and merged so that a token waits once however often it was looked at. Values only.

use chrono::{DateTime, Utc};

use crate::memory::{Batch, Delivery};

/// So many lines of history and of the outbox are kept while nothing can be written; older ones are given up. Thousands
/// of tokens that all die and come back within one outage of the disk make fewer.
const MOST: usize = 50_000;

/// What waits to be written in one transaction.
#[derive(Debug, Default)]
pub(super) struct Unwritten {
    /// Standings, firing and history.
    pub(super) batch: Batch,
    /// New rows of the outbox.
    pub(super) queued: Vec<Delivery>,
    /// Rows of the outbox that have been told since.
    pub(super) told: Vec<(i64, DateTime<Utc>)>,
    /// What is older may be forgotten.
    pub(super) forget_before: Option<DateTime<Utc>>,
}

impl Unwritten {
    pub(super) fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.queued.is_empty() && self.told.is_empty() && self.forget_before.is_none()
    }

    /// Takes in what came later.
    pub(super) fn merge(&mut self, later: Self) {
        self.batch.merge(later.batch);
        self.queued.extend(later.queued);
        self.told.extend(later.told);
        self.forget_before = later.forget_before.or(self.forget_before);
        keep_last(&mut self.batch.history);
        keep_last(&mut self.queued);
        keep_last(&mut self.told);
    }
}

fn keep_last<T>(list: &mut Vec<T>) {
    list.drain(..list.len().saturating_sub(MOST));
}
