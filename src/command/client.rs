//! The client of the commands that ask Syncro outside of the daemon, and the request budget that they share with it.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::config::Config;
use crate::store;
use crate::syncro::{Budget, BudgetFile, Client, Instruments, LONGEST_COURTESY, SourceAddress, Unshared};

use super::say;

/// How long the folder of the store may take to answer.
const LONGEST_QUESTION: Duration = Duration::from_secs(5);
/// Where the packaged daemon keeps its store, for which it has `$STATE_DIRECTORY`.
const PACKAGED_STATE: &str = "/var/lib/syncro-token-monitor";

/// From which budget a command takes its requests.
#[derive(Debug)]
enum Share {
    /// From that of the running daemon, which has said how many requests a minute may leave if it has sent any.
    Daemon(Option<NonZeroU32>),
    /// From one that it shares with other commands; no daemon runs with this store.
    Commands,
    /// From one of its own, since there is no store, and so no daemon.
    Own,
    /// From a small one of its own, since nothing shows whether a daemon runs.
    Apart(Unshared),
}

/// A client for checks outside of the daemon, which send about so many `requests`, if that is known. It says on standard
/// error how the budget is shared with a daemon.
///
/// # Errors
/// A text that reads after "failed to ", when there is no TLS client, or a daemon may leave no room for other requests.
pub(super) async fn client(config: &Config, requests: Option<usize>) -> Result<Client, String> {
    let instruments = Instruments::new(&Registry::new()).map_err(|error| error.to_string())?;
    let sources = sources(config, requests).await?;
    Client::new(config.syncro.timeout, &sources, instruments).map(Client::patient)
}

/// The source addresses, each with the budget from which a command takes its requests.
async fn sources(config: &Config, requests: Option<usize>) -> Result<Vec<Arc<SourceAddress>>, String> {
    let (syncro, store) = (&config.syncro, &config.storage.path);
    // All of them lie beside each other, so that what holds of one holds of the others.
    let file = BudgetFile::of(store, syncro.source_addresses.first().copied());
    let path = file.path().display().to_string();
    let path_of_store = store.clone();
    let question = timeout(LONGEST_QUESTION, spawn_blocking(move || share(&path_of_store, &file)));
    let shared = match question.await {
        Ok(Ok(source)) => source,
        Ok(Err(error)) => Share::Apart(Unshared::NoThread(error.to_string())),
        Err(_) => Share::Apart(Unshared::Unfinished),
    };
    let rate = syncro.requests_per_minute;
    let of_command = |runs| SourceAddress::all(syncro, store, |file| Budget::of_command(rate, file, runs));
    let of_its_own = |rate| SourceAddress::all(syncro, store, |_| Budget::new(rate));
    match shared {
        Share::Daemon(shared) => {
            let shared = shared.unwrap_or(rate);
            let time = requests.map(|requests| time(requests, shared)).unwrap_or_default();
            say(&format!("shares the budget of the running daemon: {shared} requests a minute together{time}\n"));
            Ok(of_command(true))
        }
        Share::Commands => Ok(of_command(false)),
        Share::Own => {
            if is_elsewhere(config) {
                say(&format!(
                    "shares the budget of no daemon: none uses `{}`; if the daemon of the package runs, set \
                     STATE_DIRECTORY={PACKAGED_STATE}\n",
                    config.storage.path.display()
                ));
            }
            Ok(of_its_own(rate))
        }
        Share::Apart(why) => {
            let advice = "run it as the user of the daemon or as root, or use `status`, which asks Syncro nothing; where no \
                          daemon runs, set `storage.path` to a file in a folder where this user may write";
            let own = Budget::apart(rate).ok_or_else(|| {
                format!(
                    "share the budget of a daemon through `{path}`: {why}; {rate} requests a minute for the daemon leave \
                     no room for others, so nothing is sent; {advice}"
                )
            })?;
            say(&format!(
                "cannot share the budget of a daemon through `{path}`: {why}; sends at most {own} requests a minute of its \
                 own, so that a daemon and it stay within what Syncro allows; {advice}\n"
            ));
            Ok(of_its_own(own))
        }
    }
}

/// Finds out who uses the store at `path` and its budget. May block.
fn share(path: &Path, file: &BudgetFile) -> Share {
    // A daemon makes the store before anything else; where there is none, a command leaves nothing behind.
    if path.try_exists().is_ok_and(|exists| !exists) {
        return Share::Own;
    }
    match file.requests_per_minute() {
        Ok(rate) if store::is_in_use(path) => Share::Daemon(rate),
        Ok(_) => Share::Commands,
        Err(why) => Share::Apart(why),
    }
}

/// Whether the daemon of the package may run with another store than the one that the configuration names here.
fn is_elsewhere(config: &Config) -> bool {
    let elsewhere = Path::new(PACKAGED_STATE);
    !config.storage.path.starts_with(elsewhere) && std::env::var_os("STATE_DIRECTORY").is_none() && elsewhere.exists()
}

/// How long so many requests take.
fn time(requests: usize, requests_per_minute: NonZeroU32) -> String {
    let least = Duration::from_secs((requests as u64 * 60).div_ceil(u64::from(requests_per_minute.get())));
    let most = least.saturating_mul(LONGEST_COURTESY);
    let [least, most] = [least, most].map(humantime::format_duration);
    format!("; its {requests} requests may take {least}, or up to {most} while the daemon needs all of it")
}
