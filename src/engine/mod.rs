//! The loop: pulses, finished looks and orders come in as events, `core` decides, the effects are carried out here.
//!
//! `core`, `dispatch` and `reload` are pure; `checker` looks; `pulse` beats.

mod checker;
mod core;
mod dispatch;
mod effect;
mod instruments;
mod log;
mod pulse;
mod reload;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::alert::receiver;
use crate::config::Config;
use crate::snapshot::Snapshot;
use crate::syncro::Client;
use crate::system::clock;

pub use self::checker::{Ended, Looked, look};
pub use self::core::{Core, Event};
pub use self::effect::{Checked, Effect, Job, Outcome, PermissionJob, WatchKey};
pub use self::instruments::Instruments;
pub use self::pulse::{Pulse, PulseError};

/// Finished looks that wait for the loop; more than can be under way at once.
const FINISHED: usize = 128;

/// What the daemon may tell the loop.
#[derive(Debug)]
pub enum Order {
    /// Go on with another configuration.
    Reload {
        /// The new configuration.
        config: Arc<Config>,
        /// A client that asks as it says.
        client: Client,
    },
}

/// The loop and what it owns.
#[derive(Debug)]
pub struct Engine {
    core: Core,
    client: Client,
    instruments: Instruments,
    snapshot: watch::Sender<Arc<Snapshot>>,
    looks: JoinSet<()>,
}

impl Engine {
    /// A loop that has not begun, and the picture it will show.
    pub fn new(
        config: Arc<Config>,
        client: Client,
        instruments: Instruments,
    ) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        let mut core = Core::new(config, clock::now());
        let (snapshot, pictures) = watch::channel(Arc::new(core.snapshot()));
        (Self { core, client, instruments, snapshot, looks: JoinSet::new() }, pictures)
    }

    /// Turns until `stop`, then gives up what is under way: looks change nothing, so nothing is lost.
    ///
    /// # Errors
    /// When a look panicked: its token would never be looked at again, and nobody would know.
    pub async fn run(
        mut self,
        mut pulse: mpsc::Receiver<()>,
        mut orders: mpsc::Receiver<Order>,
        stop: CancellationToken,
    ) -> Result<(), String> {
        let (finished, mut looked) = mpsc::channel::<Looked>(FINISHED);
        let mut batch = Vec::with_capacity(FINISHED);
        // The first beat is our own, so that nothing waits for the scheduler's first second.
        let mut events = vec![Event::Tick];
        loop {
            let now = clock::now();
            for event in events {
                for effect in self.core.handle(event, now) {
                    self.carry_out(effect, &finished);
                }
            }
            while let Some(ended) = self.looks.try_join_next() {
                ended.map_err(|error| format!("a look died: {error}"))?;
            }
            self.publish(now);
            events = Vec::new();
            tokio::select! {
                () = stop.cancelled() => break,
                Some(()) = pulse.recv() => events.push(Event::Tick),
                _ = looked.recv_many(&mut batch, FINISHED) => {
                    for Looked { key, look, took, ended } in batch.drain(..) {
                        self.instruments.took(&look, took);
                        events.push(Event::Looked { key, look: Box::new(look), ended });
                    }
                }
                Some(Order::Reload { config, client }) = orders.recv() => {
                    self.client = client;
                    events.push(Event::Reload(config));
                }
            }
        }
        self.looks.shutdown().await;
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect, finished: &mpsc::Sender<Looked>) {
        match effect {
            Effect::Start(job) => {
                let (client, finished) = (self.client.clone(), finished.clone());
                self.looks.spawn(async move { look(&client, job, &finished).await });
            }
            Effect::Tell(notice) => receiver::tell(&notice),
            Effect::Changed { token, transition } => {
                self.instruments.changed(transition.kind);
                log::changed(&token, &transition);
            }
            Effect::Checked(checked) => {
                self.instruments.checked(&checked);
                log::checked(&checked);
            }
        }
    }

    fn publish(&mut self, now: DateTime<Utc>) {
        let snapshot = self.core.snapshot();
        self.instruments.turned(&snapshot, now);
        self.snapshot.send_replace(Arc::new(snapshot));
    }
}
