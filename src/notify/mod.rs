//! Where notifications are delivered: the log, Alertmanagers, webhooks. A receiver delivers and reports what it has
//! delivered; it never chooses what to deliver. Each has a worker and a queue of its own, so that a dead one delays no
//! other.

mod alertmanager;
mod answer;
mod backoff;
mod clocks;
mod deliver;
mod fields;
mod format;
mod gathering;
mod instruments;
mod log;
mod mail;
mod once;
mod post;
mod queue;
mod request;
mod secret;
mod smtp;
mod states;
mod text;
mod trouble;
mod updates;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::alert::Firing;
use crate::config::{LOG, Receiver, ReceiverKind};
use crate::state::Snapshot;
use crate::state::{Delivery, Settled, Subscription};
use crate::system::telemetry;

use alertmanager::Board;
use fields::Fields;

pub use answer::{DeliveryFailure, Suspect, Taken, Trouble};
pub(crate) use fields::about;
pub use gathering::FirstSweep;
pub use instruments::Instruments;
pub use once::once;
pub(crate) use once::preview;
pub(crate) use post::Http;
pub use post::{Outgoing, Post};

/// How many deliveries may wait for a receiver; what is more waits in the outbox alone, until the next start.
const MOST_QUEUED: usize = 50_000;

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

/// Delivers each notification to its receiver until no more can come, and reports what became of it.
pub async fn run<P: Post + Clone>(handles: Handles, post: P, instruments: Instruments) {
    let Handles { mut deliveries, done, receivers, snapshots, fired, first_sweep } = handles;
    let mut configured = receivers.clone();
    let (by_name, drain) = (HashMap::new(), CancellationToken::new());
    let tasks = JoinSet::new();
    let mut workers =
        Workers { by_name, tasks, receivers, snapshots, fired, first_sweep, done, drain, post, instruments };
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
        };
        let fired = if receiver.kind == ReceiverKind::Alertmanager { self.fired.as_slice() } else { &[] };
        let board = Board::recall(fired, &receiver.only, &self.receivers.borrow().external_url);
        self.tasks.spawn(worker::run(handles, self.post.clone(), self.instruments.clone(), board));
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
