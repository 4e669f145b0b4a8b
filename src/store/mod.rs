//! What is persisted: the statuses of tokens, what fires, the history and the outbox, in one SQLite file. No rules.
//!
//! `database` reads and writes the file, `history` reads beside a daemon, `moving` hands tenants to another daemon, `writer` is the one writer while the daemon runs, on
//! a `disk`.

mod acknowledge;
mod alert_events;
mod alert_history;
mod database;
mod disk;
mod error;
mod history;
mod instruments;
mod lock;
mod moving;
mod own_file;
mod read;
mod redeliver;
mod retention;
mod unwritten;
mod writer;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::alert::Firing;
use crate::state::{PersistedState, in_milliseconds};
use crate::system::clock;

use database::Database;
use lock::Lock;
use read::Outbox;
use retention::Retention;

pub use acknowledge::{acknowledgement_orders, order_acknowledgement};
pub use alert_history::{alert_history, ended_alerts};
pub(crate) use disk::Blocking;
pub use disk::{Attempt, Disk, Work};
pub(crate) use error::{Problem, StoreError};
pub use history::{histories, history, state};
pub use instruments::Instruments;
pub use moving::{Imported, MovedState, export, import};
pub use redeliver::redeliver;
pub use writer::{Handles, Writer};

/// A store that is open for this process alone, ready for its [`Writer`].
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    database: Database,
    /// What was not delivered before the program ended, and what the receivers know.
    outbox: Outbox,
    /// What fired when the program ended.
    fired: Vec<Firing>,
    /// Whether the file was made just now.
    is_new: bool,
    /// Decides when the past is discarded.
    retention: Retention,
    lock: Lock,
}

impl Store {
    /// Opens the store at `path`, or makes it, and reads the persisted state.
    ///
    /// # Errors
    /// When another daemon uses the store, or it is damaged, locked, another program's, of a newer version, or cannot
    /// be written.
    pub fn open(path: &Path) -> Result<(Self, PersistedState), StoreError> {
        let problem = |problem: Problem| problem.at(path);
        let lock = Lock::take(path).map_err(problem)?;
        let mut database = Database::open(path).map_err(problem)?;
        let is_new = database.is_new;
        let (state, outbox) = database.load().map_err(problem)?;
        let fired = fired(&state);
        let now = clock::now();
        let retention = Retention::new(database.newest(now).map_err(problem)?, now);
        Ok((Self { path: path.to_owned(), database, outbox, fired, is_new, retention, lock }, state))
    }

    /// What fired when the program ended: what an Alertmanager was last sent.
    pub fn fired(&self) -> &[Firing] {
        &self.fired
    }

    /// Up to which moment what is sent again and again is settled, by its name.
    pub fn recurring(&self) -> &HashMap<String, DateTime<Utc>> {
        &self.outbox.recurring
    }

    /// Whether nothing was watched before: there was no store.
    pub fn is_new(&self) -> bool {
        self.is_new
    }
}

/// Whether a daemon uses the store at `path`. If that cannot be found out, one may.
pub(crate) fn is_in_use(path: &Path) -> bool {
    lock::is_taken(path).unwrap_or(true)
}

/// What fired; not what a program of the first version wrote, which an Alertmanager was sent under labels that are not known
/// any more: it ends there by itself.
fn fired(state: &PersistedState) -> Vec<Firing> {
    let all = state.tenants.values().chain([&state.fleet]).flatten();
    all.filter(|firing| !firing.id.is_empty()).cloned().collect()
}

/// A moment as the store has it: all texts have one length, so that they sort as the moments do.
fn written(moment: DateTime<Utc>) -> String {
    in_milliseconds(moment)
}

/// A value as JSON.
fn to_json(value: &impl serde::Serialize) -> Result<String, Problem> {
    serde_json::to_string(value).map_err(|error| Problem::Other(error.to_string()))
}

#[cfg(test)]
mod tests;
