//! The lock that admits one daemon to a store: two would each overwrite what the other persists.

use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::error::Problem;

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
        let mut name = OsString::from(path);
        name.push("-lock");
        let beside = PathBuf::from(name);
        let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&beside)?;
        match file.try_lock() {
            Ok(()) => Ok(Self { _file: file }),
            Err(TryLockError::WouldBlock) => Err(Problem::InUse(beside)),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }
}
