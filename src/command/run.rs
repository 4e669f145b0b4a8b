//! `run`: the daemon.

use std::path::PathBuf;

use crate::daemon::{Daemon, rejected};
use crate::exit::Exit;
use crate::expose::Door;
use crate::system::signal::Signals;

use super::{failed, load};

pub(super) async fn run(path: PathBuf) -> Exit {
    let config = match load(&path) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let door = match Door::load(&config.web) {
        Ok(door) => door,
        Err(faults) => {
            rejected(faults.iter().map(String::as_str));
            return Exit::Configuration;
        }
    };
    let outcome = async {
        let signals = Signals::listen()?;
        Daemon::start(path, config, door).await?.run(signals).await
    };
    match outcome.await {
        Ok(()) => Exit::Success,
        Err(error) => failed(&error),
    }
}
