//! Where a commit is carried out: on a thread of its own, so that a slow disk delays nothing else, or in a simulation.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use tokio::task::{JoinHandle, spawn_blocking};

use crate::state::{Batch, Delivery, Snapshot};
use crate::system::trouble::on_a_thread;

use super::database::Database;
use super::error::Problem;
use super::unwritten::Unwritten;

/// Carries out commits, one after the other.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Begins to carry out `work`; the handle yields what became of it.
    fn commit(&self, work: Work) -> JoinHandle<Attempt>;
}

/// The disk of the daemon: each commit runs on a thread that may block.
#[derive(Debug)]
pub(crate) struct Blocking;

impl Disk for Blocking {
    fn commit(&self, work: Work) -> JoinHandle<Attempt> {
        let take = |slot: &Mutex<Option<Work>>| slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (slot, lost) = (Arc::new(Mutex::new(Some(work))), Attempt::lost);
        let taken = Arc::clone(&slot);
        let begun = on_a_thread(|| spawn_blocking(move || take(&taken).map_or_else(lost, Work::carry_out)));
        begun.unwrap_or_else(|error| {
            // Without a thread the store is down until there is one; what is to be written is retained.
            let attempt = take(&slot).map_or_else(lost, |work| work.fail(std::io::Error::other(error)));
            tokio::spawn(async { attempt })
        })
    }
}

/// What one commit writes.
#[derive(Debug)]
pub struct Work {
    path: PathBuf,
    /// `None` if it could not be used the last time.
    database: Option<Database>,
    unwritten: Unwritten,
    /// What is believed now, for a database that has to be begun anew.
    snapshot: Arc<Snapshot>,
    now: DateTime<Utc>,
}

/// A commit that has ended, successfully or not.
#[derive(Debug)]
pub struct Attempt {
    pub(super) database: Option<Database>,
    /// What is still not written.
    pub(super) left: Unwritten,
    /// What is to be sent again.
    pub(super) outcome: Result<Vec<Delivery>, Problem>,
}

impl Attempt {
    /// The outcome where the work was taken by another thread already, which never happens.
    fn lost() -> Self {
        let outcome = Err(Problem::Other("a commit was begun twice".to_owned()));
        Self { database: None, left: Unwritten::default(), outcome }
    }
}

impl Work {
    pub(super) fn new(
        path: PathBuf,
        database: Option<Database>,
        unwritten: Unwritten,
        snapshot: Arc<Snapshot>,
        now: DateTime<Utc>,
    ) -> Self {
        Self { path, database, unwritten, snapshot, now }
    }

    /// Writes all of it or nothing. May block for as long as the disk takes.
    pub fn carry_out(self) -> Attempt {
        let Self { path, database, unwritten, snapshot, now } = self;
        // A store that failed is closed and opened again: what is wrong with it may be fixed in between.
        match database.filter(Database::is_in_place).map_or_else(|| Database::open(&path), Ok) {
            Ok(database) => commit(database, unwritten, &snapshot, now),
            Err(problem) => Attempt { database: None, left: unwritten, outcome: Err(problem) },
        }
    }

    /// Writes nothing, as if the disk had failed with this error.
    pub fn fail(self, error: std::io::Error) -> Attempt {
        Attempt { database: None, left: self.unwritten, outcome: Err(error.into()) }
    }
}

fn commit(mut database: Database, mut unwritten: Unwritten, snapshot: &Snapshot, now: DateTime<Utc>) -> Attempt {
    if std::mem::take(&mut database.is_new) {
        let mut all = Unwritten { batch: Batch::of(snapshot), ..Unwritten::default() };
        all.merge(unwritten);
        unwritten = all;
    }
    match database.write(&unwritten, now) {
        Ok(again) => Attempt { database: Some(database), left: Unwritten::default(), outcome: Ok(again) },
        Err(error) => Attempt { database: None, left: unwritten, outcome: Err(error) },
    }
}
