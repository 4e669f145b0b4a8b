//! Where notices go: the log, Alertmanagers, webhooks. A receiver delivers and says what it has delivered; it never
//! chooses what to tell. Each has a worker and a queue of its own, so that one that is dead delays no other.

mod alertmanager;
mod answer;
mod backoff;
mod clocks;
mod deliver;
mod instruments;
mod log;
mod post;
mod queue;
mod secret;
mod states;
mod text;
mod webhook;
mod worker;

use std::collections::HashMap;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::alert::Firing;
use crate::config::{LOG, Receiver, ReceiverKind};
use crate::model::Scope;
use crate::state::Snapshot;
use crate::state::{Delivery, Settled};
use crate::system::telemetry;

use alertmanager::Board;

pub use alertmanager::RESEND;
pub use answer::{Suspect, Taken, Trouble, Why};
pub use instruments::Instruments;
pub use post::{Http, Outgoing, Post};
pub use states::once;

/// More than this waits in the outbox alone, until the next start.
const MOST_QUEUED: usize = 50_000;

/// What the receivers are connected to.
#[derive(Debug)]
pub struct Handles {
    /// What is to be told. When nothing more can come, what waits is tried once more, and then all end.
    pub deliveries: mpsc::Receiver<Delivery>,
    /// What became of it.
    pub done: mpsc::Sender<Settled>,
    /// Who is told besides the log.
    pub receivers: watch::Receiver<Arc<Targets>>,
    /// What fires now.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// What fired when the program last ended, and was sent to Alertmanagers then.
    pub fired: Vec<(Scope, Firing)>,
}

/// Who is told, and where more can be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Targets {
    /// Who, besides the log.
    pub receivers: Vec<Arc<Receiver>>,
    /// Where people reach this daemon.
    pub external_url: String,
}

impl Targets {
    /// The names of all receivers, the log's first.
    pub fn names(&self) -> Vec<Arc<str>> {
        std::iter::once(LOG)
            .chain(self.receivers.iter().map(|receiver| receiver.name.as_str()))
            .map(Arc::from)
            .collect()
    }
}

/// Hands each notice to its receiver until no more can come, and reports what has been told.
pub async fn run<P: Post + Clone>(handles: Handles, post: P, instruments: Instruments) {
    let Handles { mut deliveries, done, receivers, snapshots, fired } = handles;
    let mut configured = receivers.clone();
    let (by_name, drain) = (HashMap::new(), CancellationToken::new());
    let workers = JoinSet::new();
    let mut desks = Desks { by_name, workers, receivers, snapshots, fired, done, drain, post, instruments };
    let mut may_change = true;
    configured.mark_changed();
    loop {
        tokio::select! {
            // Who is told is settled before anything is told.
            biased;
            changed = configured.changed(), if may_change => {
                may_change = changed.is_ok();
                let targets = Arc::clone(&configured.borrow_and_update());
                desks.arrange(&targets);
                // An Alertmanager that is configured later was sent nothing before.
                desks.fired = Vec::new();
            }
            delivery = deliveries.recv() => match delivery {
                Some(delivery) => desks.deliver(delivery).await,
                None => break,
            },
        }
    }
    desks.close().await;
}

/// The workers.
struct Desks<P> {
    by_name: HashMap<String, Desk>,
    workers: JoinSet<()>,
    receivers: watch::Receiver<Arc<Targets>>,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    fired: Vec<(Scope, Firing)>,
    done: mpsc::Sender<Settled>,
    drain: CancellationToken,
    post: P,
    instruments: Instruments,
}

/// A worker, as it is reached.
struct Desk {
    queue: mpsc::Sender<Delivery>,
    receiver: watch::Sender<Arc<Receiver>>,
    /// It is no longer configured.
    gone: CancellationToken,
    overflows: bool,
}

impl<P: Post + Clone> Desks<P> {
    /// Starts, changes and ends workers as it is configured now. Who stays keeps what waits for it.
    fn arrange(&mut self, targets: &Targets) {
        let stays = |name: &String| targets.receivers.iter().any(|known| known.name == *name);
        for (_, desk) in self.by_name.extract_if(|name, _| !stays(name)) {
            desk.gone.cancel();
        }
        for receiver in &targets.receivers {
            let Some(desk) = self.by_name.get(&receiver.name) else {
                self.open(receiver);
                continue;
            };
            desk.receiver.send_if_modified(|known| {
                let modified = known != receiver;
                *known = Arc::clone(receiver);
                modified
            });
        }
    }

    fn open(&mut self, receiver: &Arc<Receiver>) {
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
        };
        let fired = if receiver.kind == ReceiverKind::Alertmanager { self.fired.as_slice() } else { &[] };
        let board = Board::recall(fired, &self.receivers.borrow().external_url);
        self.workers.spawn(worker::run(handles, self.post.clone(), self.instruments.clone(), board));
        self.by_name.insert(receiver.name.clone(), Desk { queue, receiver: settings, gone, overflows: false });
    }

    async fn deliver(&mut self, delivery: Delivery) {
        let name = Arc::clone(&delivery.receiver);
        let id = delivery.id;
        if *name == *LOG {
            log::deliver(&delivery.notification, &self.receivers.borrow().external_url);
            // It is marked as told below: a crash before it is written would lose it.
            telemetry::written().await;
        } else if let Some(desk) = self.by_name.get_mut(&*name) {
            let overflows = desk.queue.try_send(delivery).is_err();
            if overflows && !desk.overflows {
                tracing::error!(
                    event = "receiver_overflows",
                    receiver = &*name,
                    "{MOST_QUEUED} notices wait for receiver `{name}`; what comes now is tried after a restart"
                );
            }
            desk.overflows = overflows;
            return;
        } else {
            tracing::warn!(
                event = "receiver_unknown",
                receiver = &*name,
                "a notice for receiver `{name}` is given up: it is no longer configured"
            );
        }
        // Who remembers goes away only when everything ends.
        self.done.send(Settled::Delivered(id)).await.unwrap_or_default();
    }

    /// What waits is tried once more, then all end.
    async fn close(mut self) {
        self.drain.cancel();
        self.by_name.clear();
        while self.workers.join_next().await.is_some() {}
    }
}

#[cfg(test)]
mod tests;
