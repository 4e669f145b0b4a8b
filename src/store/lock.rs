//! The lock that admits one daemon to a store: two would each overwrite what the other persists. It also shows whether a
//! daemon runs.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use super::error::Problem;

/// How often the lock is tried that somebody has, since a command that only asks has it for a moment, ...
const ATTEMPTS: usize = 5;
/// ... and how long after each.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(20);

/// The exclusive lock of a store. The operating system releases it when the process ends, however that ends.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock of the store at `path`: a file beside it, since SQLite has locks of its own on the store itself.
    ///
    /// # Errors
    /// When another process has the lock, or its file cannot be made.
    pub(super) fn take(path: &Path) -> Result<Self, Problem> {
        let beside = beside(path);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&beside)?;
        for _ in 0..ATTEMPTS {
            match file.try_lock() {
                Ok(()) => return Ok(Self { _file: file }),
                Err(TryLockError::WouldBlock) => sleep(BETWEEN_ATTEMPTS),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
        Err(Problem::InUse(beside))
    }
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

fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push("-lock");
    PathBuf::from(name)
}
