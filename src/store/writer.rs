//! The one writer of the store while the daemon runs. What the engine hands over is committed, at most once a second, and
//! only then told. When the store cannot be written, everything goes on without it, and it is tried again and again.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until};

use crate::state::Snapshot;
use crate::state::{Batch, Delivery, Settled};
use crate::system::clock;

use super::Store;
use super::database::Database;
use super::disk::{Attempt, Disk, Work};
use super::error::Problem;
use super::instruments::Instruments;
use super::lock::Lock;
use super::retention::Retention;
use super::unwritten::Unwritten;

/// Commits are at least this far apart, however many tokens there are. The mark that something was told does not wait for
/// its turn, since until then a crash repeats it; marks too are at least this far apart.
const PACE: Duration = Duration::from_secs(1);
/// How soon a store that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// A commit that takes longer than this is not waited for: a disk that hangs must not silence alerts.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the keeper is connected to.
#[derive(Debug)]
pub struct Handles {
    /// What is to be remembered. When nothing more can come, the keeper ends in order.
    pub batches: mpsc::Receiver<Batch>,
    /// Where what is to be told goes.
    pub receiver: mpsc::Sender<Delivery>,
    /// The names of all who are told everything.
    pub receivers: watch::Receiver<Arc<[Arc<str>]>>,
    /// What became of what was handed on.
    pub done: mpsc::Receiver<Settled>,
    /// What is believed now, for a store that has to be begun anew.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// How long history is kept.
    pub keep: watch::Receiver<Duration>,
    /// Where commits are carried out.
    pub disk: Arc<dyn Disk>,
}

/// The writer and what it has in hand.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    instruments: Instruments,
    batches: mpsc::Receiver<Batch>,
    receiver: Option<mpsc::Sender<Delivery>>,
    receivers: watch::Receiver<Arc<[Arc<str>]>>,
    done: mpsc::Receiver<Settled>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    keep: watch::Receiver<Duration>,
    disk: Arc<dyn Disk>,
    /// None while a commit has it, or when it could not be used.
    database: Option<Database>,
    commit: Option<JoinHandle<Attempt>>,
    began: Option<Instant>,
    marked: Option<Instant>,
    up: bool,
    retention: Retention,
    next_id: i64,
    unwritten: Unwritten,
    /// Goes out with the next commit.
    queued: Vec<Delivery>,
    /// Goes out with the commit that is under way.
    committing: Vec<Delivery>,
    /// May be told.
    deliveries: VecDeque<Delivery>,
    /// Whether batches may still come, and reports of what was told.
    batches_open: bool,
    done_open: bool,
    /// Held for as long as anything may be written.
    _lock: Lock,
}

impl Writer {
    /// A keeper that goes on with an open store.
    pub fn new(store: Store, instruments: Instruments, handles: Handles) -> Self {
        let Store { path, database, undelivered, next_id, retention, lock, .. } = store;
        let Handles { batches, receiver, receivers, done, snapshots, keep, disk } = handles;
        instruments.up(true);
        Self {
            path,
            instruments,
            batches,
            receiver: Some(receiver),
            receivers,
            done,
            snapshots,
            keep,
            disk,
            database: Some(database),
            commit: None,
            began: None,
            marked: None,
            up: true,
            retention,
            next_id,
            unwritten: Unwritten::default(),
            queued: Vec::new(),
            committing: Vec::new(),
            deliveries: undelivered.into(),
            batches_open: true,
            done_open: true,
            _lock: lock,
        }
    }

    /// Writes and hands on until no more batches can come and all that came is written and told.
    ///
    /// # Errors
    /// When a commit panicked, or the receiver ended by itself.
    pub async fn run(mut self) -> Result<(), String> {
        loop {
            let told_all = self.queued.is_empty() && self.committing.is_empty() && self.deliveries.is_empty();
            if !self.batches_open && told_all {
                // The receiver ends when it has told all, and then reports end too.
                self.receiver = None;
            }
            let written_all = self.unwritten.is_empty() || !self.up;
            if !self.done_open && self.commit.is_none() && written_all {
                break;
            }
            let next = self.next_commit();
            let hangs = self.began.unwrap_or_else(Instant::now) + PATIENCE;
            tokio::select! {
                // In a fixed order, so that a simulation can be replayed; every branch waits again after each turn.
                biased;
                batch = self.batches.recv(), if self.batches_open => match batch {
                    Some(batch) => self.take(batch, clock::now()),
                    None => self.batches_open = false,
                },
                settled = self.done.recv(), if self.done_open => match settled {
                    Some(settled) => self.unwritten.settle(settled, clock::now()),
                    None if self.receiver.is_none() => self.done_open = false,
                    None => return Err("the receiver of alerts ended by itself".to_owned()),
                },
                () = room(self.receiver.as_ref()), if !self.deliveries.is_empty() => self.deliver(),
                ended = ended(self.commit.as_mut()) => {
                    self.commit = None;
                    self.ended(ended.map_err(|error| format!("a commit died: {error}"))?);
                }
                () = sleep_until(next), if self.commit.is_none() && !self.unwritten.is_empty() => self.begin(),
                () = sleep_until(hangs), if self.commit.is_some() && self.up => {
                    self.goes_down(Problem::Other("the disk does not answer".to_owned()));
                }
            }
        }
        // Closing it writes the log into the database, which may take a moment.
        let database = self.database.take();
        spawn_blocking(|| drop(database)).await.map_err(|error| error.to_string())
    }

    fn next_commit(&self) -> Instant {
        let earliest = match (self.up, self.batches_open, self.unwritten.notified.is_empty()) {
            (false, ..) => self.began.map(|began| began + RETRY),
            (true, false, _) => None,
            (true, true, true) => self.began.map(|began| began + PACE),
            (true, true, false) => self.marked.map(|marked| marked + PACE),
        };
        earliest.unwrap_or_else(Instant::now)
    }

    fn take(&mut self, mut batch: Batch, now: DateTime<Utc>) {
        let receivers = Arc::clone(&self.receivers.borrow());
        let mut new = Vec::new();
        for notification in std::mem::take(&mut batch.notifications).into_iter().map(Arc::new) {
            for receiver in receivers.iter() {
                let (id, receiver, notification) = (self.next_id, Arc::clone(receiver), Arc::clone(&notification));
                self.next_id += 1;
                new.push(Delivery { id, receiver, queued_at: now, notification });
            }
        }
        self.unwritten.queued.extend(new.iter().cloned());
        self.queued.extend(new);
        self.unwritten.merge(Unwritten { batch, ..Unwritten::default() });
        if !self.up {
            self.deliveries.extend(self.queued.drain(..));
        }
    }

    /// Hands on what there is room for.
    fn deliver(&mut self) {
        let Some(receiver) = &self.receiver else { return };
        while let Ok(permit) = receiver.try_reserve()
            && let Some(delivery) = self.deliveries.pop_front()
        {
            permit.send(delivery);
        }
    }

    fn begin(&mut self) {
        let now = clock::now();
        self.began = Some(Instant::now());
        if !self.unwritten.notified.is_empty() {
            self.marked = self.began;
        }
        // One that a commit failed to carry out is not forgotten.
        let discard_before = self.retention.discard_before(*self.keep.borrow(), now);
        self.unwritten.discard_before = discard_before.or(self.unwritten.discard_before);
        self.committing = std::mem::take(&mut self.queued);
        let (database, unwritten) = (self.database.take(), std::mem::take(&mut self.unwritten));
        let picture = Arc::clone(&self.snapshots.borrow());
        self.commit = Some(self.disk.commit(Work::new(self.path.clone(), database, unwritten, picture, now)));
    }

    fn ended(&mut self, attempt: Attempt) {
        let Attempt { database, left, outcome } = attempt;
        self.database = database;
        let later = std::mem::replace(&mut self.unwritten, left);
        self.unwritten.merge(later);
        match outcome {
            Ok(()) => {
                self.instruments.committed();
                if !self.up {
                    self.up = true;
                    self.instruments.up(true);
                    tracing::info!(event = "store_up", "what happens is remembered again");
                }
                self.deliveries.extend(self.committing.drain(..));
            }
            Err(problem) => self.goes_down(problem),
        }
    }

    /// Nothing is remembered for now, so nothing waits for that.
    fn goes_down(&mut self, problem: Problem) {
        self.deliveries.extend(self.committing.drain(..));
        self.deliveries.extend(self.queued.drain(..));
        if std::mem::replace(&mut self.up, false) {
            self.instruments.up(false);
            tracing::error!(
                event = "store_down",
                "what happens is not being remembered: failed to {}. Checks, metrics and alerts go on; a restart \
                 before it is mended forgets what happened since, and may tell it again",
                problem.at(&self.path)
            );
        }
    }
}

/// Waits for room in the receiver's queue; for ever if there is no receiver any more.
async fn room(receiver: Option<&mpsc::Sender<Delivery>>) {
    match receiver {
        // A receiver that ended is found out by its reports.
        Some(receiver) if receiver.reserve().await.is_ok() => {}
        _ => std::future::pending().await,
    }
}

/// The end of the commit that is under way; never if there is none.
async fn ended(commit: Option<&mut JoinHandle<Attempt>>) -> Result<Attempt, tokio::task::JoinError> {
    match commit {
        Some(commit) => commit.await,
        None => std::future::pending().await,
    }
}
