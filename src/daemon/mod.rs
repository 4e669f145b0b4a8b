//! Builds everything, reloads with rollback, and drains with a deadline. No rule about tokens lives here.

mod instruments;
mod log;
mod status;
mod telling;
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

use crate::config::{self, Config, TokenId};
use crate::engine::{self, Engine, Order, Pulse};
use crate::expose::{Door, History, Lanes, ReloadRequest, State};
use crate::receiver::{self, Http};
use crate::snapshot::Snapshot;
use crate::store::{self, Store};
use crate::syncro::{self, Budget, Client};
use crate::system::clock;
use crate::system::signal::{Signal, Signals};
use crate::system::systemd::Manager;

use instruments::Instruments;
use log::{loaded, started};
use telling::{Telling, told};
use web::{Opened, Web};

pub use log::{rejected, warnings};

/// systemd gives a service 90 s by default; nobody should wait a tenth of a minute for a monitor.
const DRAIN: Duration = Duration::from_secs(10);
/// A file system that hangs must not keep a reload, and with it the watchdog's food, for longer: less than the unit's
/// `WatchdogSec=`.
const LONGEST_READ: Duration = Duration::from_secs(15);
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
    pictures: watch::Receiver<Arc<Snapshot>>,
    /// Whether the last reload was rejected.
    rejected: bool,
    engine: JoinHandle<Result<(), String>>,
    keeper: JoinHandle<Result<(), String>>,
    telling: Telling,
    pulse: Pulse,
    stop: CancellationToken,
}

impl Daemon {
    /// Starts watching what `config`, read from `path`, says, behind `door`, loaded for it.
    ///
    /// # Errors
    /// When the port is taken, the store cannot be used, or something else that is needed cannot be had.
    pub async fn start(path: PathBuf, config: Config, door: Door) -> anyhow::Result<Self> {
        let config = Arc::new(config);
        let registry = Registry::new();
        let instruments = Instruments::new(&registry).context("register metrics")?;
        let client_instruments = syncro::Instruments::new(&registry).context("register metrics")?;
        let engine_instruments = engine::Instruments::new(&registry).context("register metrics")?;
        let counters = telling::Instruments {
            store: store::Instruments::new(&registry).context("register metrics")?,
            receiver: receiver::Instruments::new(&registry).context("register metrics")?,
        };
        let budget = Arc::new(Budget::new(config.syncro.requests_per_minute));
        let client =
            Client::new(&config.syncro, Arc::clone(&budget), client_instruments.clone()).map_err(anyhow::Error::msg)?;
        let opened = Opened::new(door, &config.web, None).await.map_err(|(_, error)| error)?;
        let path_of_store = config.storage.path.clone();
        // A disk that hangs must not keep the program from ending.
        let (store, memory) = spawn_blocking(move || Store::open(&path_of_store)).await??;
        let (batches, remembered) = mpsc::channel(BATCHES);
        let (engine, pictures) = Engine::new(Arc::clone(&config), memory, client, engine_instruments, batches);
        let (reload, reloads) = mpsc::channel(ORDERS);
        let (check, checks) = mpsc::channel(ORDERS);
        let kept_at = config.storage.path.clone();
        let history = History::new(move |wish| store::history(&kept_at, wish).map_err(|error| error.to_string()));
        let state = State {
            pictures: pictures.clone(),
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
        loaded(&config).await;
        started(&config, web.address);
        let (told, keep) = (told(&config, web.address), config.storage.keep);
        let (telling, keeper) =
            Telling::start(told, keep, store, counters, remembered, pictures.clone(), Http::default());
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
            pictures,
            rejected: false,
            engine,
            keeper,
            telling,
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
        let mut last_tick = None;
        self.manager.ready();
        let outcome = loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Signal::Reload => {
                        if let Some(signal) = self.reload_or_stop(&mut signals, None).await {
                            break Ok(signal);
                        }
                    }
                    Signal::Terminate | Signal::Interrupt => break Ok(signal.as_str()),
                },
                Some(request) = self.reloads.recv() => {
                    if let Some(signal) = self.reload_or_stop(&mut signals, Some(request)).await {
                        break Ok(signal);
                    }
                }
                Ok(()) = self.pictures.changed() => {
                    // Not every picture is a turn of the loop by its pulse, which alone feeds the watchdog.
                    let tick = self.pictures.borrow_and_update().last_tick;
                    if tick != std::mem::replace(&mut last_tick, tick) {
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
                ended = &mut self.keeper => {
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
        let snapshot = Arc::clone(&self.pictures.borrow());
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
                self.keeper.await.ok();
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

    /// Reloads and answers whoever asked for it, unless a signal says stop meanwhile.
    async fn reload_or_stop(&mut self, signals: &mut Signals, asked: Option<ReloadRequest>) -> Option<&'static str> {
        tokio::select! {
            signal = signals.stop() => Some(signal.as_str()),
            outcome = self.reload() => {
                // Why it failed has been logged where it was found. Who asked may have gone; the reload stands.
                asked.and_then(|asked| asked.send(outcome).ok());
                None
            }
        }
    }

    /// Reads the configuration again and swaps it in, or leaves the running one untouched and says why.
    async fn reload(&mut self) -> Result<(), String> {
        self.manager.reloading();
        let outcome = self.swap().await;
        self.instruments.reloaded(outcome.is_ok(), clock::now());
        self.rejected = outcome.is_err();
        self.manager.reloaded(if self.rejected {
            "the configuration was rejected, the one before runs on"
        } else {
            "the configuration was reloaded"
        });
        match &outcome {
            Ok(()) => loaded(&self.config).await,
            Err(faults) => rejected(faults.lines()),
        }
        outcome
    }

    async fn swap(&mut self) -> Result<(), String> {
        let path = self.path.clone();
        let read = spawn_blocking(move || {
            let config = config::load(&path).map_err(|faults| faults.to_string())?;
            let door = Door::load(&config.web).map_err(|faults| faults.join("\n"))?;
            Ok::<_, String>((config, door))
        });
        let (config, door) = timeout(LONGEST_READ, read)
            .await
            .map_err(|_| format!("failed to read the configuration within {} s", LONGEST_READ.as_secs()))?
            .map_err(|error| format!("failed to read the configuration: {error}"))??;
        let config = Arc::new(config);
        let client = Client::new(&config.syncro, Arc::clone(&self.budget), self.client_instruments.clone())?;
        let opened = Opened::new(door, &config.web, Some((&self.config.web, self.web.address)))
            .await
            .map_err(|(key, error)| format!("{key}: failed to {error:#}"))?;
        // From here on nothing can fail.
        self.budget.set(config.syncro.requests_per_minute);
        self.client_instruments.budget(config.syncro.requests_per_minute);
        self.web.change(opened, &config.web, &self.config.web);
        self.instruments.receivers(config.alerts.receivers.len());
        self.telling.configure(told(&config, self.web.address), config.storage.keep);
        if config.storage.path != self.config.storage.path {
            tracing::warn!(
                event = "config_warning",
                "storage.path: the store moves only at a restart; until then it stays `{}`",
                self.config.storage.path.display()
            );
        }
        self.config = Arc::clone(&config);
        self.orders.send(Order::Reload { config, client }).await.map_err(|_| "the loop has ended".to_owned())
    }
}

/// Why a part ended that should go on.
fn why(ended: Result<Result<(), String>, JoinError>) -> String {
    ended.map_err(|error| error.to_string()).flatten().err().unwrap_or_default()
}
