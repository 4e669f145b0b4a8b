//! The loop: ticks, finished checks and orders come in as events, `core` decides, the effects are carried out here.
//! Whatever is to be persisted or notified of goes to the store, which hands notifications on once they are persisted.
//!
//! `core` and what belongs to it is pure; `pulse` beats.

mod core;
mod effect;
mod instruments;
mod log;
mod pulse;
mod rotate;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::alert::{Acknowledged, AcknowledgementOrder};
use crate::check::{Observed, check};
use crate::config::Config;
use crate::model::TokenId;
use crate::state::Snapshot;
use crate::state::{Batch, Entry, PersistedState, Record};
use crate::syncro::Client;
use crate::system::clock::{self, Monotonic};

pub use self::core::{Core, Event};
pub use self::effect::{Effect, Switch};
pub use self::instruments::Instruments;
pub(crate) use self::pulse::Pulse;

/// How many finished parts of checks may wait for the loop: more than can be under way at once.
const FINISHED: usize = 128;

/// What the daemon may ask of the loop.
#[derive(Debug)]
pub enum Order {
    /// Go on with another configuration.
    Reload {
        /// The new configuration.
        config: Arc<Config>,
        /// A client that asks as it says.
        client: Client,
    },
    /// Check a token now.
    Check(TokenId),
    /// Somebody takes an alert on, or gives it back.
    Acknowledge {
        /// What is wanted, which the store has by then.
        order: AcknowledgementOrder,
        /// Where it is said what became of it, once the snapshot shows that.
        answer: oneshot::Sender<Acknowledged>,
    },
}

/// The loop and what it owns.
#[derive(Debug)]
pub struct Engine {
    core: Core,
    client: Client,
    instruments: Instruments,
    snapshot: watch::Sender<Arc<Snapshot>>,
    checks: JoinSet<()>,
    /// What became of switches.
    switched: (mpsc::Sender<Event>, mpsc::Receiver<Event>),
    batches: mpsc::Sender<Batch>,
    batch: Batch,
    /// What follows from the persisted state alone.
    first: Vec<Effect>,
    /// The last pulse.
    beat: Option<Monotonic>,
    /// Who waits to learn what became of an order, by its number.
    waiting: Vec<(i64, oneshot::Sender<Acknowledged>)>,
    /// What became of orders by the events of now.
    acknowledged: Vec<(i64, Acknowledged)>,
}

impl Engine {
    /// A loop that has not begun, and the snapshots that it publishes: the first shows what `state` says.
    pub fn new(
        config: Arc<Config>,
        state: PersistedState,
        client: Client,
        instruments: Instruments,
        batches: mpsc::Sender<Batch>,
    ) -> (Self, watch::Receiver<Arc<Snapshot>>) {
        let (mut core, effects) = Core::start(config, state, clock::now());
        let (snapshot, snapshots) = watch::channel(Arc::new(core.snapshot()));
        let (checks, batch) = (JoinSet::new(), Batch::default());
        let switched = mpsc::channel(FINISHED);
        let first = effects;
        let (waiting, acknowledged) = (Vec::new(), Vec::new());
        let engine = Self {
            core,
            client,
            instruments,
            snapshot,
            checks,
            switched,
            batches,
            batch,
            first,
            beat: None,
            waiting,
            acknowledged,
        };
        (engine, snapshots)
    }

    /// Runs until `stop`, then gives up what is under way: a check changes nothing by itself, so nothing is lost.
    ///
    /// # Errors
    /// When a check panicked: its token would never be checked again, and nobody would know. When nobody takes what is to
    /// be persisted: nobody would ever be notified of it.
    pub async fn run(
        mut self,
        mut pulse: mpsc::Receiver<()>,
        mut orders: mpsc::Receiver<Order>,
        stop: CancellationToken,
    ) -> Result<(), String> {
        let (finished, mut observed) = mpsc::channel::<Observed>(FINISHED);
        let mut batch = Vec::with_capacity(FINISHED);
        for effect in std::mem::take(&mut self.first) {
            self.carry_out(effect, &finished);
        }
        // The first beat is our own, so that nothing waits for the scheduler's first second.
        let mut events = vec![Event::Tick];
        loop {
            let now = clock::now();
            self.core.take_in_sources(self.client.pauses(now), self.client.failing());
            for event in events {
                if matches!(event, Event::Tick) {
                    self.beat = Some(Monotonic::now());
                }
                for effect in self.core.handle(event, now) {
                    self.carry_out(effect, &finished);
                }
            }
            while let Some(ended) = self.checks.try_join_next() {
                ended.map_err(|error| format!("a check died: {error}"))?;
            }
            if !self.batch.is_empty() {
                let batch = std::mem::take(&mut self.batch);
                self.batches.send(batch).await.map_err(|_| "nobody takes what is to be persisted".to_owned())?;
            }
            self.publish(now);
            self.answer();
            events = Vec::new();
            tokio::select! {
                // In a fixed order, so that a simulation can be replayed. None of those before the last can crowd it out:
                // a pulse comes once a second, an order by hand.
                biased;
                () = stop.cancelled() => break,
                Some(()) = pulse.recv() => events.push(Event::Tick),
                Some(order) = orders.recv() => events.push(match order {
                    Order::Reload { config, client } => {
                        self.client = client;
                        Event::Reload(config)
                    }
                    Order::Check(token) => Event::Check(token),
                    Order::Acknowledge { order, answer } => {
                        self.waiting.push((order.number, answer));
                        Event::Acknowledge(order)
                    }
                }),
                Some(event) = self.switched.1.recv() => events.push(event),
                _ = observed.recv_many(&mut batch, FINISHED) => {
                    for Observed { key, observation, took, ended } in batch.drain(..) {
                        self.instruments.took(&observation, took);
                        events.push(Event::Observed { key, observed: Box::new(observation), ended });
                    }
                }
            }
        }
        self.checks.shutdown().await;
        Ok(())
    }

    fn carry_out(&mut self, effect: Effect, finished: &mpsc::Sender<Observed>) {
        match effect {
            Effect::Start(job) => {
                let (client, finished) = (self.client.clone(), finished.clone());
                self.checks.spawn(async move { check(&client, job, &finished).await });
            }
            Effect::Switch(switch) => {
                self.checks.spawn(rotate::rotate(switch, self.switched.0.clone()));
            }
            Effect::Checked(checked) => {
                self.instruments.checked(&checked);
                log::checked(&checked);
            }
            Effect::Acknowledged { order, outcome } => {
                log::acknowledged(&order, outcome);
                self.acknowledged.push((order.number, outcome));
            }
            Effect::Group { token, problem } => log::group(&token, problem.as_deref()),
            Effect::Record(record) => {
                if let Record::Entry(Entry::Changed { token, transition, .. }) = &record {
                    self.instruments.changed(transition.kind);
                    log::changed(token, transition);
                }
                self.batch.add(record);
            }
        }
    }

    /// Says what became of the orders of now, to whoever waits for that.
    fn answer(&mut self) {
        for (number, outcome) in self.acknowledged.drain(..) {
            for (_, answer) in self.waiting.extract_if(.., |(waiting, _)| *waiting == number) {
                // Whoever wanted it may have gone away.
                answer.send(outcome).ok();
            }
        }
    }

    fn publish(&mut self, now: DateTime<Utc>) {
        let snapshot =
            Snapshot { beat: self.beat, clock_difference: self.client.clock_difference(), ..self.core.snapshot() };
        self.instruments.turned(&snapshot, now);
        self.snapshot.send_replace(Arc::new(snapshot));
    }
}
