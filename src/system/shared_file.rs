//! Files that several processes of this program use at once: where they lie, and their locks.

use std::ffi::OsString;
use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

/// The file beside another, with the same name and this at its end.
pub(crate) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    name.into()
}

/// Locks a file for as long as it is open, and returns whether it did: a lock that another process has is tried so often, with
/// a pause after each attempt.
///
/// # Errors
/// When the lock cannot be tried.
pub(crate) fn lock(file: &File, attempts: usize, pause: Duration) -> io::Result<bool> {
    for _ in 0..attempts {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => sleep(pause),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
    Ok(false)
}
