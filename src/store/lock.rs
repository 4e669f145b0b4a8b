//! The lock that admits one daemon to a store, by whatever name: two would each overwrite what the other persists. It also
//! shows whether a daemon runs.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::system::shared_file;

use super::error::Problem;

/// How often the lock is tried that somebody has, since a command that only asks has it for a moment, ...
const ATTEMPTS: usize = 5;
/// ... and how long after each.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);

/// The exclusive lock of a store. The operating system releases it when the process ends, however that ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
    /// The store itself, if there was one: another name of it leads to the same file. It is closed last, since closing it
    /// ends the locks that SQLite has on it.
    _store: Option<File>,
}

impl Lock {
    /// Takes the lock of the store at `path`: that of a file beside it, and that of the store itself, which is of another kind
    /// than those that SQLite has on it.
    ///
    /// # Errors
    /// When another process has the lock, or its file cannot be made.
    pub(super) fn take(path: &Path) -> Result<Self, Problem> {
        let beside = beside(path);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&beside)?;
        lock(&file, &beside)?;
        // What is no file is refused when it is opened as a store; a pipe must not be waited for here.
        let store = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path);
        let store = store.ok().filter(|store| store.metadata().is_ok_and(|metadata| metadata.is_file()));
        if let Some(store) = &store {
            lock(store, path)?;
        }
        Ok(Self { _file: file, _store: store })
    }
}

/// Locks a file, whose path is `path`.
fn lock(file: &File, path: &Path) -> Result<(), Problem> {
    let is_ours = shared_file::lock(file, ATTEMPTS, BETWEEN_ATTEMPTS)?;
    if is_ours { Ok(()) } else { Err(Problem::InUse(path.to_owned())) }
}

/// Whether a daemon uses the store at `path`.
///
/// # Errors
/// When its lock cannot be opened.
pub(super) fn is_taken(path: &Path) -> io::Result<bool> {
    match File::open(beside(path)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
        Ok(file) => Ok(file.try_lock_shared().is_err()),
    }
}

/// The file beside the store, or beside that to which a symbolic link leads.
fn beside(path: &Path) -> PathBuf {
    shared_file::beside(&fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()), "-lock")
}
