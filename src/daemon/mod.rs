//! Builds everything, reloads with rollback, and drains with a deadline. No rule about tokens lives here.

mod announce;
mod dispatch;
mod instruments;
mod reload;
mod status;
mod web;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use prometheus::Registry;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::engine::{self, Engine, Order, Pulse};
use crate::http_server::{Access, Lanes};
use crate::model::TokenId;
use crate::notify::{self, Http};
use crate::state::Snapshot;
use crate::store::{self, Store};
use crate::syncro::{self, Budget, Client};
use crate::system::clock;
use crate::system::signal::{Signal, Signals};
use crate::system::systemd::Manager;
use crate::web::{History, ReloadRequest, State};

pub use announce::{rejected, warnings};

use announce::{loaded, started};
use dispatch::{NotificationDispatch, targets};
use instruments::Instruments;
use reload::{Reading, read};
use web::{Opened, Web};

/// systemd gives a service 90 s by default; nobody should wait a tenth of a minute for a monitor.
const DRAIN: Duration = Duration::from_secs(10);
/// Reloads and wishes for checks come by hand.
const ORDERS: usize = 4;
/// Turns of the loop whose memories wait for the store, which takes them at once even while it writes.
const BATCHES: usize = 16;

/// The running daemon.
#[derive(Debug)]
pub struct Daemon {
    path: PathBuf,
    config: Arc<Config>,
    instruments: Instruments,
    client_instruments: syncro::Instruments,
    budget: Arc<Budget>,
    orders: mpsc::Sender<Order>,
    reload: mpsc::Sender<ReloadRequest>,
    reloads: mpsc::Receiver<ReloadRequest>,
    checks: mpsc::Receiver<TokenId>,
    web: Web,
    manager: Manager,
    snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The reload that is being read, if one is.
    reading: Option<Reading>,
    /// Who asked for a reload after that one began: it may have missed what they changed.
    next_reload: Option<Vec<ReloadRequest>>,
    /// Whether the last reload was rejected.
    rejected: bool,
    engine: JoinHandle<Result<(), String>>,
    writer: JoinHandle<Result<(), String>>,
    dispatch: NotificationDispatch,
    pulse: Pulse,
    stop: CancellationToken,
}

impl Daemon {
    /// Starts watching what `config`, read from `path`, says, behind `access`, loaded for it.
    ///
    /// # Errors
    /// When the port is taken, the store cannot be used, or something else that is needed cannot be had.
    pub async fn start(path: PathBuf, config: Config, access: Access) -> anyhow::Result<Self> {
        let config = Arc::new(config);
        let registry = Registry::new();
        let instruments = Instruments::new(&registry).context("register metrics")?;
        let client_instruments = syncro::Instruments::new(&registry).context("register metrics")?;
        let engine_instruments = engine::Instruments::new(&registry).context("register metrics")?;
        let counters = dispatch::Instruments {
            store: store::Instruments::new(&registry).context("register metrics")?,
            receiver: notify::Instruments::new(&registry).context("register metrics")?,
        };
        let budget = Arc::new(Budget::new(config.syncro.requests_per_minute));
        let client =
            Client::new(&config.syncro, Arc::clone(&budget), client_instruments.clone()).map_err(anyhow::Error::msg)?;
        // Nothing else runs yet that it could hold up; a disk that hangs must not keep the program from ending.
        let path_of_store = config.storage.path.clone();
        let (store, memory) = spawn_blocking(move || Store::open(&path_of_store)).await??;
        // A file that was emptied looks like the wish to watch nothing, and would end every alert.
        anyhow::ensure!(
            memory.tokens.is_empty() || config.files.is_empty() || config.files.iter().any(|file| !file.is_blank),
            "start: the configuration is empty, but the store `{}` knows {} that were watched; restore the configuration, \
             or move the store away if nothing is to be watched",
            config.storage.path.display(),
            memory.tokens.len()
        );
        let opened = Opened::new(access, &config.web, None).await.map_err(|(_, error)| error)?;
        let (batches, remembered) = mpsc::channel(BATCHES);
        let (engine, snapshots) = Engine::new(Arc::clone(&config), memory, client, engine_instruments, batches);
        let (reload, reloads) = mpsc::channel(ORDERS);
        let (check, checks) = mpsc::channel(ORDERS);
        let kept_at = config.storage.path.clone();
        let history = History::new(move |query| store::history(&kept_at, query).map_err(|error| error.to_string()));
        let state = State {
            snapshots: snapshots.clone(),
            registry,
            reload: reload.clone(),
            checks: check,
            history,
            lanes: Lanes::default(),
        };
        let web = Web::start(opened, state)?;
        let (pulse, knocks) = Pulse::start().await?;
        let (orders, ordered) = mpsc::channel(ORDERS);
        let stop = CancellationToken::new();
        instruments.reloaded(true, clock::now());
        client_instruments.budget(config.syncro.requests_per_minute);
        instruments.receivers(config.alerts.receivers.len());
        instruments.zones(&config.zones);
        let for_warnings = Arc::clone(&config);
        let warnings = spawn_blocking(move || warnings(&for_warnings)).await?;
        loaded(&config, &warnings);
        started(&config, web.address);
        let (targets, keep) = (targets(&config, web.address), config.storage.keep);
        let (dispatch, writer) =
            NotificationDispatch::start(targets, keep, store, counters, remembered, snapshots.clone(), Http::default());
        let engine = tokio::spawn(engine.run(knocks, ordered, stop.clone()));
        Ok(Self {
            path,
            config,
            instruments,
            client_instruments,
            budget,
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
            engine,
            writer,
            dispatch,
            pulse,
            stop,
        })
    }

    /// Where a wish to reload may be sent.
    pub fn reloads(&self) -> mpsc::Sender<ReloadRequest> {
        self.reload.clone()
    }

    /// Watches until a signal says stop.
    ///
    /// # Errors
    /// When a part of the daemon died.
    pub async fn run(mut self, mut signals: Signals) -> anyhow::Result<()> {
        let (mut engine_runs, mut keeper_runs) = (true, true);
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
                    // Not every picture is a turn of the loop by its pulse, which alone feeds the watchdog.
                    let beat = self.snapshots.borrow_and_update().beat;
                    if beat != std::mem::replace(&mut last_beat, beat) {
                        self.turned();
                    }
                }
                Some(token) = self.checks.recv() => {
                    // A loop that has ended is noticed below.
                    self.orders.send(Order::Check(token)).await.ok();
                }
                ended = &mut self.engine => {
                    engine_runs = false;
                    break Err(anyhow::anyhow!("go on: the loop ended by itself: {}", why(ended)));
                }
                ended = &mut self.writer => {
                    keeper_runs = false;
                    break Err(anyhow::anyhow!("go on: the store's keeper ended by itself: {}", why(ended)));
                }
                () = self.web.ended() => break Err(anyhow::anyhow!("go on: the web server ended by itself")),
            }
        };
        self.drain(engine_runs, keeper_runs).await;
        let signal = outcome?;
        tracing::info!(event = "stopped", "stopped by {signal}");
        Ok(())
    }

    /// Tells the service manager that the loop turns, and how the fleet is.
    fn turned(&mut self) {
        if !self.manager.listens() {
            return;
        }
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let (status, countdown) = status::status(&snapshot, self.rejected, clock::now());
        self.manager.turned(&status, &countdown);
    }

    async fn drain(self, engine_runs: bool, keeper_runs: bool) {
        self.manager.stopping(DRAIN * 2);
        self.stop.cancel();
        let parts = async {
            // A panic is reported by the panic itself. The keeper ends when the loop has, and everything is written.
            if engine_runs {
                self.engine.await.ok();
            }
            if keeper_runs {
                self.writer.await.ok();
            }
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

/// Why a part ended that should go on.
fn why(ended: Result<Result<(), String>, JoinError>) -> String {
    ended.map_err(|error| error.to_string()).flatten().err().unwrap_or_default()
}
