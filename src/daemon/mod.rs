//! The daemon: builds everything, reloads with rollback, and drains with a deadline. No rule about tokens lives here.

mod acknowledgements;
mod announce;
mod dispatch;
mod instruments;
mod reload;
mod status;
mod supervisor;
mod web;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use prometheus::Registry;
use tokio::sync::{mpsc, watch};
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::alert::Firing;
use crate::config::Config;
use crate::engine::{self, Engine, Order, Pulse};
use crate::http_server::{Access, Lanes};
use crate::model::TokenId;
use crate::notify::{self, Http};
use crate::state::Snapshot;
use crate::store::{self, Store};
use crate::syncro::{self, Client, SourceAddress};
use crate::system::clock;
use crate::system::signal::{Signal, Signals};
use crate::system::systemd::Manager;
use crate::web::{History, Meter, ReloadRequest, State};

pub(crate) use announce::{rejected, warnings};

use acknowledgements::Acknowledgements;
use announce::{loaded, started};
use dispatch::{NotificationDispatch, Wiring, targets};
use instruments::Instruments;
use reload::{Reading, read};
use supervisor::Supervisor;
use web::{Opened, Web};

/// How long the daemon waits for its parts to end: systemd gives a service 90 s by default, but nobody should wait
/// longer than this for a monitor.
const DRAIN: Duration = Duration::from_secs(10);
/// How many requests for reloads and checks may wait; they come by hand.
const ORDERS: usize = 4;
/// How many batches of the engine may wait for the writer, which takes them at once even while it writes.
const BATCHES: usize = 16;

/// The running daemon.
#[derive(Debug)]
pub(crate) struct Daemon {
    path: PathBuf,
    /// Where the store is, whatever a reload says.
    store: PathBuf,
    config: Arc<Config>,
    instruments: Instruments,
    client_instruments: syncro::Instruments,
    sources: Vec<Arc<SourceAddress>>,
    orders: mpsc::Sender<Order>,
    reload: mpsc::Sender<ReloadRequest>,
    reloads: mpsc::Receiver<ReloadRequest>,
    checks: mpsc::Receiver<TokenId>,
    web: Web,
    manager: Manager,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The reload that is being read, if one is.
    reading: Option<Reading>,
    /// The requests for a reload that came after that one began: it may have missed what they are about.
    next_reload: Option<Vec<ReloadRequest>>,
    /// Whether the last reload was rejected.
    rejected: bool,
    supervisor: Supervisor,
    dispatch: NotificationDispatch,
    pulse: Pulse,
    stop: CancellationToken,
}

impl Daemon {
    /// Starts watching the tokens of `config`, which was read from `path`, with a web server behind `access`, which was
    /// loaded for it.
    ///
    /// # Errors
    /// When the port is taken, the store cannot be used, or something else that is needed cannot be made.
    pub(crate) async fn start(path: PathBuf, config: Config, access: Access) -> anyhow::Result<Self> {
        let config = Arc::new(config);
        let registry = Registry::new();
        let instruments = Instruments::new(&registry).context("register metrics")?;
        let client_instruments = syncro::Instruments::new(&registry).context("register metrics")?;
        let engine_instruments = engine::Instruments::new(&registry).context("register metrics")?;
        let counters = dispatch::Instruments {
            store: store::Instruments::new(&registry).context("register metrics")?,
            notify: notify::Instruments::new(&registry).context("register metrics")?,
        };
        let sources = SourceAddress::of_daemon(&config.syncro, &config.storage.path, &[]);
        let client = Client::new(config.syncro.timeout, &sources, client_instruments.clone());
        let client = client.map_err(anyhow::Error::msg)?;
        // Nothing else runs yet that this could delay; a disk that hangs must not prevent the program from ending.
        let path_of_store = config.storage.path.clone();
        let (store, persisted) = spawn_blocking(move || Store::open(&path_of_store)).await??;
        // A file that was emptied reads like the intention to watch nothing, and would end every alert.
        anyhow::ensure!(
            persisted.tokens.is_empty() || config.files.is_empty() || config.files.iter().any(|file| !file.is_blank),
            "start: the configuration is empty, but the store `{}` knows {} that were watched; restore the \
             configuration, \
             or move the store away if nothing is to be watched",
            config.storage.path.display(),
            persisted.tokens.len()
        );
        let opened = Opened::new(access, &config.web, None).await.map_err(|(_, error)| error)?;
        let (batches, to_persist) = mpsc::channel(BATCHES);
        let carried_out = persisted.orders.iter().map(|order| order.number).collect();
        let (engine, snapshots) = Engine::new(Arc::clone(&config), persisted, client, engine_instruments, batches);
        let (reload, reloads) = mpsc::channel(ORDERS);
        let (check, checks) = mpsc::channel(ORDERS);
        let (acknowledge, requests) = mpsc::channel(ORDERS);
        let [of_tokens, of_alerts, of_ended] = [(); 3].map(|()| config.storage.path.clone());
        let history = History::new(
            move |queries| store::histories(&of_tokens, queries).map_err(|error| error.to_string()),
            move |alert| store::alert_history(&of_alerts, alert).map_err(|error| error.to_string()),
            move || store::ended_alerts(&of_ended).map_err(|error| error.to_string()),
        );
        let state = State {
            snapshots: snapshots.clone(),
            registry,
            exposition: Arc::default(),
            reload: reload.clone(),
            checks: check,
            meter: Arc::new(Meter::new(config.syncro.requests_per_minute.get())),
            acknowledgements: acknowledge,
            history,
            lanes: Lanes::default(),
        };
        let web = Web::start(opened, state)?;
        let (pulse, ticks) = Pulse::start().await?;
        let (orders, ordered) = mpsc::channel(ORDERS);
        let stop = CancellationToken::new();
        instruments.reloaded(true, clock::now());
        client_instruments.sources(&sources, config.syncro.requests_per_minute);
        instruments.configured(&config);
        let for_warnings = Arc::clone(&config);
        let warnings = spawn_blocking(move || warnings(&for_warnings)).await?;
        loaded(&config, &warnings);
        started(&config, web.address);
        let (targets, keep) = (targets(&config, web.address), config.storage.keep);
        let mut supervisor = Supervisor::default();
        let confirmed_after = config.alerts.confirm_after.saturating_mul(config.alerts.confirmations.get());
        let fired = fired(&store, &config);
        let wiring = Wiring {
            store,
            instruments: counters,
            batches: to_persist,
            snapshots: snapshots.clone(),
            confirmed_after,
            fired,
        };
        let dispatch = NotificationDispatch::start(targets, keep, wiring, Http::default(), &mut supervisor);
        let path_of_store = config.storage.path.clone();
        let acknowledgements = Acknowledgements { path: path_of_store, requests, orders: orders.clone(), carried_out };
        supervisor.start("the part that takes acknowledgements", acknowledgements.run(stop.clone()));
        supervisor.start("the loop", engine.run(ticks, ordered, stop.clone()));
        Ok(Self {
            path,
            store: config.storage.path.clone(),
            config,
            instruments,
            client_instruments,
            sources,
            orders,
            reload,
            reloads,
            checks,
            web,
            manager: Manager::from_environment(),
            snapshots,
            reading: None,
            next_reload: None,
            rejected: false,
            supervisor,
            dispatch,
            pulse,
            stop,
        })
    }

    /// Where a request for a reload may be sent.
    pub(crate) fn reloads(&self) -> mpsc::Sender<ReloadRequest> {
        self.reload.clone()
    }

    /// Watches until a signal says stop.
    ///
    /// # Errors
    /// When a part of the daemon died.
    pub(crate) async fn run(mut self, mut signals: Signals) -> anyhow::Result<()> {
        let mut last_beat = None;
        self.manager.ready();
        let outcome = loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Signal::Reload => self.reload(None),
                    Signal::Terminate | Signal::Interrupt => break Ok(signal.as_str()),
                },
                Some(request) = self.reloads.recv() => self.reload(Some(request)),
                (read, requests) = read(&mut self.reading) => self.reloaded(read, requests).await,
                Ok(()) = self.snapshots.changed() => {
                    // Not every snapshot comes from a tick of the loop, and only a tick feeds the watchdog.
                    let beat = self.snapshots.borrow_and_update().beat;
                    if beat != std::mem::replace(&mut last_beat, beat) {
                        self.turned();
                    }
                }
                Some(token) = self.checks.recv() => {
                    // That the loop has ended shows below.
                    self.orders.send(Order::Check(token)).await.ok();
                }
                ended = self.supervisor.ended() => break Err(anyhow::anyhow!("go on: {ended}")),
                () = self.web.ended() => break Err(anyhow::anyhow!("go on: the web server ended by itself")),
            }
        };
        self.drain().await;
        let signal = outcome?;
        tracing::info!(event = "stopped", "stopped by {signal}");
        Ok(())
    }

    /// Notifies the service manager that the loop turns, and of the state of the fleet.
    fn turned(&mut self) {
        if !self.manager.listens() {
            return;
        }
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let (status, countdown) = status::status(&snapshot, self.rejected, clock::now());
        self.manager.turned(&status, &countdown);
    }

    async fn drain(self) {
        self.manager.stopping(DRAIN * 2);
        self.stop.cancel();
        let parts = async {
            // The loop ends, then the receivers and the writer, once everything is written.
            self.supervisor.join().await.ok();
            self.web.stop().await;
            self.pulse.stop().await;
        };
        if timeout(DRAIN, parts).await.is_err() {
            tracing::warn!(
                event = "drain_timeout",
                "not everything ended within {} s; stopping anyway",
                DRAIN.as_secs()
            );
        }
    }
}

/// What fired when the program last ended, as far as this daemon watches it now.
fn fired(store: &Store, config: &Config) -> Vec<Firing> {
    let is_ours = |firing: &&Firing| firing.scope.tenant().is_none_or(|tenant| !config.elsewhere.contains(tenant));
    store.fired().iter().filter(is_ours).cloned().collect()
}
