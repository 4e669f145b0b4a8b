//! What is remembered: standings, what fires, the history, and what is still to be told, in one SQLite file. No rules.
//!
//! `database` reads and writes, `history` reads what has been, `keeper` is the one writer while the daemon runs, on a
//! `disk`.

mod database;
mod disk;
mod error;
mod history;
mod instruments;
mod keeper;
mod lock;
mod unwritten;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};

use crate::memory::{Delivery, Memory};

use database::Database;
use lock::Lock;

pub use disk::{Attempt, Blocking, Disk, Work};
pub use error::{Problem, StoreError};
pub use history::history;
pub use instruments::Instruments;
pub use keeper::{Keeper, Wires};

/// A store that is ours alone, ready for its keeper.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    database: Database,
    /// What was not told before the program ended, in order.
    untold: Vec<Delivery>,
    /// The number of the next delivery.
    next_id: i64,
    lock: Lock,
}

impl Store {
    /// Opens the store at `path`, or makes it, and reads what it remembers.
    ///
    /// # Errors
    /// When another daemon uses it, or it is damaged, locked, somebody else's, of a newer version, or cannot be written.
    pub fn open(path: &Path) -> Result<(Self, Memory), StoreError> {
        let problem = |problem: Problem| problem.at(path);
        let lock = Lock::take(path).map_err(problem)?;
        let mut database = Database::open(path).map_err(problem)?;
        let (memory, untold, next_id) = database.load().map_err(problem)?;
        Ok((Self { path: path.to_owned(), database, untold, next_id, lock }, memory))
    }
}

/// A moment as the store has it: of one length, so that texts sort as moments do.
fn written(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

#[cfg(test)]
mod tests;
