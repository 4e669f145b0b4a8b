//! `run`: starts the daemon and waits for its end.

use std::path::PathBuf;

use tokio::task::spawn_blocking;

use crate::daemon::{Daemon, rejected};
use crate::exit::Exit;
use crate::http_server::Access;
use crate::system::signal::Signals;

use super::{failed, load};

pub(super) async fn run(path: PathBuf, mut signals: Signals) -> Exit {
    let started = tokio::select! {
        signal = signals.stop() => {
            tracing::info!(event = "stopped", "stopped by {} while starting", signal.as_str());
            return Exit::Success;
        }
        started = start(path) => started,
    };
    match started {
        Err(exit) => exit,
        Ok(daemon) => match daemon.run(signals).await {
            Ok(()) => Exit::Success,
            Err(error) => failed(&error),
        },
    }
}

/// Reads the configuration and starts the daemon, or logs why that failed and returns how the program ends.
async fn start(path: PathBuf) -> Result<Daemon, Exit> {
    let file = path.clone();
    // A file system that hangs must not prevent the program from ending.
    let read = spawn_blocking(move || {
        let config = load(&file)?;
        match Access::load(&config.web) {
            Ok(access) => Ok((config, access)),
            Err(faults) => {
                rejected(faults.iter().map(String::as_str));
                Err(Exit::Configuration)
            }
        }
    });
    let (config, access) = read.await.map_err(|error| failed(&error.into()))??;
    Daemon::start(path, config, access).await.map_err(|error| failed(&error))
}
