//! Where notifications are delivered: the log, Alertmanagers, webhooks. A receiver delivers and reports what it has
//! delivered; it never chooses what to deliver. Each has a worker and a queue of its own, so that a dead one delays no
//! other.

mod alertmanager;
mod answer;
mod backoff;
mod canary;
mod canary_instruments;
mod clocks;
mod deliver;
mod digest;
mod fields;
mod format;
mod gathering;
mod heartbeat;
mod heartbeat_instruments;
mod instruments;
mod log;
mod mail;
mod once;
mod outgoing;
mod post;
mod queue;
mod reach;
mod request;
mod secret;
mod silences;
mod silencing;
mod smtp;
mod states;
mod test_notification;
mod text;
mod trouble;
mod updates;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::alert::Firing;
use crate::config::{Canary, Heartbeat, LOG, Receiver, ReceiverKind};
use crate::state::Snapshot;
use crate::state::{Delivery, Settled, Subscription};
use crate::system::telemetry;

use alertmanager::Board;
use fields::Fields;
use reach::Reach;
use silences::Silences;

pub use answer::{DeliveryFailure, Suspect, Taken, Trouble};
pub(crate) use fields::about;
pub use gathering::FirstSweep;
pub use instruments::Instruments;
pub use once::once;
pub(crate) use once::{digest_once, digest_preview, preview};
pub use outgoing::{Outgoing, Verb};
pub(crate) use post::Http;
pub use post::Post;
pub(crate) use test_notification::test_delivery;

/// How many deliveries may wait for a receiver; what is more waits in the outbox alone, until the next start.
const MOST_QUEUED: usize = 50_000;

/// How many canaries may be on their way to a receiver, and reports of what became of them on their way back.
const CANARIES: usize = 16;

/// The channels of the receivers, and what they start with.
#[derive(Debug)]
pub struct Handles {
    /// What is to be delivered. When nothing more can come, what waits is tried once more, and then all receivers end.
    pub deliveries: mpsc::Receiver<Delivery>,
    /// Where the receivers report what became of each delivery.
    pub done: mpsc::Sender<Settled>,
    /// The receivers besides the log, as they are configured now.
    pub receivers: watch::Receiver<Arc<Targets>>,
    /// The snapshot of the fleet, for what fires now.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// What fired when the program last ended, and was sent to Alertmanagers then.
    pub fired: Vec<Firing>,
    /// Up to which moment what is sent again and again was settled when the program last ended, by its name.
    pub recurring: HashMap<String, DateTime<Utc>>,
    /// The first sweep of all, unless it was long ago.
    pub first_sweep: FirstSweep,
}

/// The receivers of notifications, and the address at which people can read more.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Targets {
    /// The receivers besides the log.
    pub receivers: Vec<Arc<Receiver>>,
    /// The URL at which people reach this daemon.
    pub external_url: String,
    /// The heartbeat, if one is configured.
    pub heartbeat: Option<Heartbeat>,
    /// The canary, if one is configured.
    pub canary: Option<Canary>,
}

impl Targets {
    /// What each receiver is notified of, the log first, which is notified of everything.
    pub fn subscriptions(&self) -> Vec<Subscription> {
        let subscription = |receiver: &Arc<Receiver>| Subscription {
            name: receiver.name.as_str().into(),
            only: receiver.only.clone(),
            audience: receiver.kind.audience(),
        };
        std::iter::once(Subscription::to_everything(LOG)).chain(self.receivers.iter().map(subscription)).collect()
    }
}

/// Whether this is the number of a canary, which the outbox does not have.
fn is_canary(id: i64) -> bool {
    id < 0
}

/// Delivers each notification to its receiver until no more can come, and reports what became of it.
pub async fn run<P: Post + Clone>(handles: Handles, post: P, instruments: Instruments) {
    let Handles { mut deliveries, done, receivers, snapshots, fired, recurring, first_sweep } = handles;
    let ((canary, mut canaries), (report, reports)) = (mpsc::channel(CANARIES), mpsc::channel(CANARIES));
    let mut configured = receivers.clone();
    let (by_name, drain) = (HashMap::new(), CancellationToken::new());
    let (tasks, reach) = (JoinSet::new(), Reach::default());
    let mut workers = Workers {
        by_name,
        tasks,
        receivers,
        snapshots,
        fired,
        first_sweep,
        done,
        drain,
        post,
        instruments,
        reach,
        report,
    };
    workers.start_heartbeat();
    workers.start_canary(recurring.get(canary::NAME).copied(), canary, reports);
    workers.start_digests(recurring);
    let mut may_change = true;
    configured.mark_changed();
    loop {
        tokio::select! {
            // A change of the receivers is carried out before anything is delivered.
            biased;
            changed = configured.changed(), if may_change => {
                may_change = changed.is_ok();
                let targets = Arc::clone(&configured.borrow_and_update());
                workers.arrange(&targets);
                // An Alertmanager that is configured later was sent nothing before.
                workers.fired = Vec::new();
                // One that is configured later has missed what the first sweep found.
                workers.first_sweep = FirstSweep::default();
            }
            delivery = deliveries.recv() => match delivery {
                Some(delivery) => workers.deliver(delivery).await,
                None => break,
            },
            Some(canary) = canaries.recv() => workers.deliver(canary).await,
        }
    }
    workers.close().await;
}

/// The workers of all receivers, and what a new one starts with.
struct Workers<P> {
    by_name: HashMap<String, WorkerHandle>,
    tasks: JoinSet<()>,
    receivers: watch::Receiver<Arc<Targets>>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    fired: Vec<Firing>,
    first_sweep: FirstSweep,
    done: mpsc::Sender<Settled>,
    drain: CancellationToken,
    post: P,
    instruments: Instruments,
    reach: Reach,
    /// Where the workers report what became of a canary.
    report: mpsc::Sender<Settled>,
}

/// How a running worker is reached.
struct WorkerHandle {
    queue: mpsc::Sender<Delivery>,
    receiver: watch::Sender<Arc<Receiver>>,
    /// Cancelled when the receiver is no longer configured.
    gone: CancellationToken,
    /// Whether the last delivery found no room in the queue.
    overflows: bool,
}

impl<P: Post + Clone> Workers<P> {
    /// Starts, changes and ends workers as the receivers are configured now. What waits for a receiver that stays is
    /// retained.
    fn arrange(&mut self, targets: &Targets) {
        let stays = |name: &String| targets.receivers.iter().any(|receiver| receiver.name == *name);
        for (_, worker) in self.by_name.extract_if(|name, _| !stays(name)) {
            worker.gone.cancel();
        }
        for receiver in &targets.receivers {
            let Some(worker) = self.by_name.get(&receiver.name) else {
                self.start(receiver);
                continue;
            };
            worker.receiver.send_if_modified(|current| {
                let modified = current != receiver;
                *current = Arc::clone(receiver);
                modified
            });
        }
    }

    fn start_heartbeat(&mut self) {
        let handles = heartbeat::Handles {
            targets: self.receivers.clone(),
            snapshots: self.snapshots.clone(),
            reach: self.reach.clone(),
            drain: self.drain.clone(),
        };
        self.tasks.spawn(heartbeat::run(handles, self.post.clone(), self.instruments.heartbeat.clone()));
    }

    fn start_canary(
        &mut self,
        last: Option<DateTime<Utc>>,
        queue: mpsc::Sender<Delivery>,
        settled: mpsc::Receiver<Settled>,
    ) {
        let (targets, done) = (self.receivers.clone(), self.done.clone());
        let (reach, drain) = (self.reach.clone(), self.drain.clone());
        let handles = canary::Handles { targets, last, queue, settled, done, reach, drain };
        self.tasks.spawn(canary::run(handles, self.post.clone(), self.instruments.canary.clone()));
    }

    fn start_digests(&mut self, settled: HashMap<String, DateTime<Utc>>) {
        let handles = digest::Handles {
            targets: self.receivers.clone(),
            snapshots: self.snapshots.clone(),
            settled,
            done: self.done.clone(),
            drain: self.drain.clone(),
        };
        self.tasks.spawn(digest::run(handles, self.post.clone(), self.instruments.clone()));
    }

    fn start(&mut self, receiver: &Arc<Receiver>) {
        let (queue, queued) = mpsc::channel(MOST_QUEUED);
        let (settings, now) = watch::channel(Arc::clone(receiver));
        let gone = CancellationToken::new();
        let handles = worker::Handles {
            receiver: now,
            queued,
            done: self.done.clone(),
            targets: self.receivers.clone(),
            snapshots: self.snapshots.clone(),
            drain: self.drain.clone(),
            gone: gone.clone(),
            first_sweep: self.first_sweep,
            reach: self.reach.clone(),
            canary: self.report.clone(),
        };
        let fired = if receiver.kind == ReceiverKind::Alertmanager { self.fired.as_slice() } else { &[] };
        let board = Board::recall(fired, &receiver.only, &self.receivers.borrow().external_url);
        let silences = Silences::recall(fired);
        self.tasks.spawn(worker::run(handles, self.post.clone(), self.instruments.clone(), board, silences));
        self.by_name.insert(receiver.name.clone(), WorkerHandle { queue, receiver: settings, gone, overflows: false });
    }

    async fn deliver(&mut self, delivery: Delivery) {
        let name = Arc::clone(&delivery.receiver);
        let id = delivery.id;
        if *name == *LOG {
            log::deliver(&Fields::of(&delivery, &self.receivers.borrow().external_url));
            // It is marked as delivered below: a crash before the line is written would lose it.
            telemetry::written().await;
        } else if let Some(worker) = self.by_name.get_mut(&*name) {
            let overflows = worker.queue.try_send(delivery).is_err();
            if overflows && !worker.overflows {
                tracing::error!(
                    event = "receiver_overflows",
                    receiver = &*name,
                    "{MOST_QUEUED} notifications wait for receiver `{name}`; what comes now is tried after a restart"
                );
            }
            worker.overflows = overflows;
            return;
        } else {
            tracing::warn!(
                event = "receiver_unknown",
                receiver = &*name,
                "a notification for receiver `{name}` is given up: it is no longer configured"
            );
        }
        if is_canary(id) {
            // The outbox has no such row.
            return;
        }
        // The writer of the store ends only when everything ends.
        self.done.send(Settled::Delivered(id)).await.unwrap_or_default();
    }

    /// Tries what waits once more, and waits for all workers to end.
    async fn close(mut self) {
        self.drain.cancel();
        self.by_name.clear();
        while self.tasks.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests;
