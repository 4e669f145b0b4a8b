//! `run`: the daemon.

use std::path::PathBuf;

use crate::config;
use crate::daemon::{Daemon, rejected};
use crate::exit::Exit;
use crate::expose::Door;
use crate::system::signal::Signals;

use super::failed;

pub(super) async fn run(path: PathBuf) -> Exit {
    let config = match config::load(&path) {
        Ok(config) => config,
        Err(faults) => {
            rejected(faults.0.iter().map(ToString::to_string).collect::<Vec<_>>().iter().map(String::as_str));
            return Exit::Configuration;
        }
    };
    if let Err(faults) = Door::load(&config.web) {
        rejected(faults.iter().map(String::as_str));
        return Exit::Configuration;
    }
    let outcome = async {
        let signals = Signals::listen()?;
        Daemon::start(path, config).await?.run(signals).await
    };
    match outcome.await {
        Ok(()) => Exit::Success,
        Err(error) => failed(&error),
    }
}
