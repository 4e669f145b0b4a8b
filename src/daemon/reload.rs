//! A reload: the configuration is read while everything runs on, and swapped in as a whole or not at all.

use std::sync::Arc;

use tokio::task::{JoinHandle, spawn_blocking};

use crate::config::{self, Config};
use crate::engine::Order;
use crate::http_server::Access;
use crate::syncro::{Client, SourceAddress};
use crate::system::clock;
use crate::web::ReloadRequest;

use super::Daemon;
use super::announce::{loaded, rejected, warnings};
use super::dispatch::targets;
use super::web::Opened;

/// How many requests for a reload may wait for the reload that runs.
const REQUESTS: usize = 64;

/// A configuration that is being read while everything runs on.
#[derive(Debug)]
pub(super) struct Reading {
    task: JoinHandle<Result<Read, String>>,
    /// The requests that wait for the outcome.
    requests: Vec<ReloadRequest>,
}

/// What was read for a reload.
#[derive(Debug)]
pub(super) struct Read {
    config: Config,
    access: Access,
    warnings: Vec<String>,
}

/// Waits for the configuration that is being read, for ever if none is. Cancel-safe.
pub(super) async fn read(reading: &mut Option<Reading>) -> (Result<Read, String>, Vec<ReloadRequest>) {
    let Some(Reading { task, .. }) = reading else { return std::future::pending().await };
    let read = task.await.unwrap_or_else(|error| Err(format!("failed to read the configuration: {error}")));
    let requests = reading.take().map(|reading| reading.requests).unwrap_or_default();
    (read, requests)
}

impl Daemon {
    /// Begins to read the configuration again. Everything runs on meanwhile, however long the disk takes.
    pub(super) fn reload(&mut self, request: Option<ReloadRequest>) {
        if self.reading.is_some() {
            // What is being read may be older than what this request is about.
            let waiting = self.next_reload.get_or_insert_default();
            match request {
                Some(request) if waiting.len() < REQUESTS => waiting.push(request),
                // Nobody may wait for the outcome any more.
                Some(request) => {
                    request.send(Err("too many reloads wait for the one that runs".to_owned())).unwrap_or_default();
                }
                None => {}
            }
            return;
        }
        self.manager.reloading();
        let (path, before) = (self.path.clone(), Arc::clone(&self.config));
        let task = spawn_blocking(move || {
            let config = config::reload(&path, &before).map_err(|faults| faults.to_string())?;
            let access = Access::load(&config.web).map_err(|faults| faults.join("\n"))?;
            let warnings = warnings(&config);
            Ok(Read { config, access, warnings })
        });
        self.reading = Some(Reading { task, requests: request.into_iter().collect() });
    }

    /// Swaps in what was read, or leaves the running configuration untouched and says why.
    pub(super) async fn reloaded(&mut self, read: Result<Read, String>, requests: Vec<ReloadRequest>) {
        let outcome = match read {
            Ok(read) => self.swap(read).await,
            Err(faults) => Err(faults),
        };
        self.instruments.reloaded(outcome.is_ok(), clock::now());
        self.rejected = outcome.is_err();
        self.manager.reloaded(if self.rejected {
            "the configuration was rejected, the one before runs on"
        } else {
            "the configuration was reloaded"
        });
        match &outcome {
            Ok(warnings) => loaded(&self.config, warnings),
            Err(faults) => rejected(faults.lines()),
        }
        let outcome = outcome.map(drop);
        for request in requests {
            // Nobody may wait for the outcome any more; the reload is done all the same.
            request.send(outcome.clone()).ok();
        }
        if let Some(requests) = self.next_reload.take() {
            self.reload(None);
            if let Some(reading) = &mut self.reading {
                reading.requests = requests;
            }
        }
    }

    async fn swap(&mut self, Read { config, access, warnings }: Read) -> Result<Vec<String>, String> {
        let config = Arc::new(config);
        // The budgets stay where they were, and so does the store until a restart.
        let sources = SourceAddress::of_daemon(&config.syncro, &self.store, &self.sources);
        let client = Client::new(config.syncro.timeout, &sources, self.client_instruments.clone())?;
        let opened = Opened::new(access, &config.web, Some((&self.config.web, self.web.address)))
            .await
            .map_err(|(key, error)| format!("{key}: failed to {error:#}"))?;
        // From here on nothing can fail.
        let rate = config.syncro.requests_per_minute;
        for source in &sources {
            source.budget().set(rate);
        }
        self.client_instruments.sources(&sources, rate);
        self.sources = sources;
        self.web.change(opened, &config.web, &self.config.web);
        self.dispatch.configure(targets(&config, self.web.address), config.storage.keep);
        if config.storage.path != self.config.storage.path {
            tracing::warn!(
                event = "config_warning",
                "storage.path: the store moves only at a restart; until then it stays `{}`",
                self.config.storage.path.display()
            );
        }
        self.config = Arc::clone(&config);
        self.instruments.configured(&config);
        let sent = self.orders.send(Order::Reload { config, client }).await;
        sent.map(|()| warnings).map_err(|_| "the loop has ended".to_owned())
    }
}
