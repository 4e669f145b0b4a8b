//! The one writer of the store while the daemon runs. What the engine hands over is committed, at most once a second,
//! and only then delivered. When the store cannot be written, everything continues without it, and it is tried again
//! and again.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep_until};

use crate::state::Snapshot;
use crate::state::{Batch, Delivery, KnownAlerts, RefusalNotices, Routed, Settled, Subscription};
use crate::system::clock;

use super::Store;
use super::database::Database;
use super::disk::{Attempt, Disk, Work};
use super::error::Problem;
use super::instruments::Instruments;
use super::lock::Lock;
use super::read::Outbox;
use super::retention::Retention;
use super::unwritten::Unwritten;

/// Commits are at least this far apart, however many tokens there are. The mark that something was delivered does not
/// wait for its turn, since until then a crash repeats the delivery; marks too are at least this far apart.
const PACE: Duration = Duration::from_secs(1);
/// How soon a store that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(5);
/// A commit that takes longer than this is not waited for: a disk that hangs must not silence alerts.
const PATIENCE: Duration = Duration::from_secs(10);

/// The channels of a [`Writer`], and its disk.
#[derive(Debug)]
pub struct Handles {
    /// What is to be persisted. When nothing more can come, the writer ends in order.
    pub batches: mpsc::Receiver<Batch>,
    /// Where the writer sends what is to be delivered.
    pub deliveries: mpsc::Sender<Delivery>,
    /// All receivers, and what each is notified of.
    pub receivers: watch::Receiver<Arc<[Subscription]>>,
    /// What became of the deliveries.
    pub done: mpsc::Receiver<Settled>,
    /// What is believed now, for a store that has to be begun anew.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// How long history is retained, as `storage.keep` says.
    pub keep: watch::Receiver<Duration>,
    /// Where commits are carried out.
    pub disk: Arc<dyn Disk>,
}

/// The writer, with everything that waits to be written or delivered.
#[derive(Debug)]
pub struct Writer {
    path: PathBuf,
    instruments: Instruments,
    batches: mpsc::Receiver<Batch>,
    /// Where deliveries are sent; `None` once everything is delivered and nothing more can come.
    deliveries: Option<mpsc::Sender<Delivery>>,
    receivers: watch::Receiver<Arc<[Subscription]>>,
    known: KnownAlerts,
    refusals: RefusalNotices,
    done: mpsc::Receiver<Settled>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    keep: watch::Receiver<Duration>,
    disk: Arc<dyn Disk>,
    /// The database; `None` while a commit has it, or when it could not be used.
    database: Option<Database>,
    commit: Option<JoinHandle<Attempt>>,
    /// When the last commit began.
    began: Option<Instant>,
    /// When the last commit began that marked something as delivered.
    marked: Option<Instant>,
    /// Whether the store can be written, as far as the last commit showed.
    up: bool,
    retention: Retention,
    next_id: i64,
    unwritten: Unwritten,
    /// The deliveries that the next commit will write.
    queued: Vec<Delivery>,
    /// The deliveries that the commit under way is writing.
    committing: Vec<Delivery>,
    /// The deliveries that are written and may be made.
    ready: VecDeque<Delivery>,
    /// Whether batches may still come.
    batches_open: bool,
    /// Whether reports of what became of deliveries may still come.
    done_open: bool,
    /// The lock is retained for as long as anything may be written.
    _lock: Lock,
}

impl Writer {
    /// A writer of an open store, which first delivers what the store says is undelivered.
    pub fn new(store: Store, instruments: Instruments, handles: Handles) -> Self {
        let Store { path, database, outbox, retention, lock, .. } = store;
        let Outbox { undelivered, next_id, known, .. } = outbox;
        let Handles { batches, deliveries, receivers, done, snapshots, keep, disk } = handles;
        instruments.up(true);
        Self {
            path,
            instruments,
            batches,
            deliveries: Some(deliveries),
            receivers,
            known,
            refusals: RefusalNotices::default(),
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
            ready: undelivered.into(),
            batches_open: true,
            done_open: true,
            _lock: lock,
        }
    }

    /// Writes and delivers until no more batches can come and everything that came is written and delivered.
    ///
    /// # Errors
    /// When a commit panicked, or the receivers of alerts ended by themselves.
    pub async fn run(mut self) -> Result<(), String> {
        loop {
            let all_delivered = self.queued.is_empty() && self.committing.is_empty() && self.ready.is_empty();
            if !self.batches_open && all_delivered {
                // The receivers end when they have delivered everything, and then the reports end too.
                self.deliveries = None;
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
                    Some(settled) => self.settle(settled, clock::now()),
                    None if self.deliveries.is_none() => self.done_open = false,
                    None => return Err("the receiver of alerts ended by itself".to_owned()),
                },
                () = room(self.deliveries.as_ref()), if !self.ready.is_empty() => self.deliver(),
                ended = ended(self.commit.as_mut()) => {
                    self.commit = None;
                    self.ended(ended.map_err(|error| format!("a commit died: {error}"))?);
                }
                () = sleep_until(next), if self.commit.is_none() && !self.unwritten.is_empty() => self.begin(),
                () = sleep_until(hangs), if self.commit.is_some() && self.up => {
                    self.fail(Problem::Other("the disk does not answer".to_owned()));
                }
            }
        }
        // Closing it writes the log into the database, which may take a moment.
        let database = self.database.take();
        spawn_blocking(|| drop(database)).await.map_err(|error| error.to_string())
    }

    fn next_commit(&self) -> Instant {
        let earliest = match (self.up, self.batches_open, self.unwritten.delivered.is_empty()) {
            (false, ..) => self.began.map(|began| began + RETRY),
            (true, false, _) => None,
            (true, true, true) => self.began.map(|began| began + PACE),
            (true, true, false) => self.marked.map(|marked| marked + PACE),
        };
        earliest.unwrap_or_else(Instant::now)
    }

    fn take(&mut self, mut batch: Batch, now: DateTime<Utc>) {
        let receivers = Arc::clone(&self.receivers.borrow());
        for notification in std::mem::take(&mut batch.notifications).into_iter().map(Arc::new) {
            self.unwritten.notified.push((now, Arc::clone(&notification)));
            let (routed, learnt) = self.known.route(&notification, &receivers);
            for learnt in learnt {
                self.unwritten.learn(learnt);
            }
            for routed in routed {
                self.queue(routed, now);
            }
        }
        self.unwritten.merge(Unwritten { batch, ..Unwritten::default() });
    }

    /// Takes in what became of a delivery. Of one that is refused for good the other receivers are notified.
    fn settle(&mut self, settled: Settled, now: DateTime<Utc>) {
        if let Settled::SetAside(refusal) = &settled
            && self.batches_open
        {
            let receivers = Arc::clone(&self.receivers.borrow());
            for routed in self.refusals.route(refusal, &receivers, &self.known, now) {
                self.refusals.queued(self.next_id);
                self.queue(routed, now);
            }
        }
        self.unwritten.settle(settled, now);
    }

    /// Makes a delivery, which the next commit writes before it is sent.
    fn queue(&mut self, Routed { receiver, notification }: Routed, now: DateTime<Utc>) {
        let delivery = Delivery { id: self.next_id, receiver, queued_at: now, notification };
        self.next_id += 1;
        self.unwritten.queued.push(delivery.clone());
        self.queued.push(delivery);
        if !self.up {
            self.ready.extend(self.queued.drain(..));
        }
    }

    /// Sends as many deliveries as the channel has room for.
    fn deliver(&mut self) {
        let Some(deliveries) = &self.deliveries else { return };
        while let Ok(permit) = deliveries.try_reserve()
            && let Some(delivery) = self.ready.pop_front()
        {
            permit.send(delivery);
        }
    }

    fn begin(&mut self) {
        let now = clock::now();
        self.began = Some(Instant::now());
        if !self.unwritten.delivered.is_empty() {
            self.marked = self.began;
        }
        // What a failed commit was to discard is still to be discarded.
        let discard_before = self.retention.discard_before(*self.keep.borrow(), now);
        self.unwritten.discard_before = discard_before.or(self.unwritten.discard_before);
        self.committing = std::mem::take(&mut self.queued);
        let (database, unwritten) = (self.database.take(), std::mem::take(&mut self.unwritten));
        let snapshot = Arc::clone(&self.snapshots.borrow());
        self.commit = Some(self.disk.commit(Work::new(self.path.clone(), database, unwritten, snapshot, now)));
    }

    fn ended(&mut self, attempt: Attempt) {
        let Attempt { database, left, outcome } = attempt;
        self.database = database;
        let later = std::mem::replace(&mut self.unwritten, left);
        self.unwritten.merge(later);
        match outcome {
            Ok(again) => {
                self.instruments.committed();
                if !self.up {
                    self.up = true;
                    self.instruments.up(true);
                    tracing::info!(event = "store_up", "what happens is persisted again");
                }
                self.ready.extend(self.committing.drain(..));
                self.ready.extend(again);
            }
            Err(problem) => self.fail(problem),
        }
    }

    /// Nothing can be persisted for now, so no delivery waits for that.
    fn fail(&mut self, problem: Problem) {
        self.ready.extend(self.committing.drain(..));
        self.ready.extend(self.queued.drain(..));
        if std::mem::replace(&mut self.up, false) {
            self.instruments.up(false);
            tracing::error!(
                event = "store_down",
                "what happens is not being persisted: failed to {}. Checks, metrics and alerts go on; a restart \
                 before it is fixed loses what happened since, and may notify of it again",
                problem.at(&self.path)
            );
        }
    }
}

/// Waits for room in the channel to the receivers; for ever if that is closed.
async fn room(deliveries: Option<&mpsc::Sender<Delivery>>) {
    match deliveries {
        // That the receivers have ended shows when their reports end.
        Some(deliveries) if deliveries.reserve().await.is_ok() => {}
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
