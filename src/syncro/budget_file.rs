//! The file through which the daemon and commands such as `check` share one request budget. Each request locks it for
//! some microseconds, or one for those that the daemon sends soon after it. It is never synced: after a crash of the machine its contents are not believed anyway.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::system::{clock, shared_file};

use super::bucket::Rate;
use super::ledger::{Entry, Found, Ledger};

/// The most bytes that are read. An entry has a few hundred.
const LONGEST: u64 = 16 * 1024;
/// How often a lock is tried that another process has, ...
const ATTEMPTS: usize = 50;
/// ... and how long after each. A process that was stopped while it had the lock must not stop the others.
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(2);

/// Why the budget cannot be shared. The text reads after a colon.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unshared {
    /// The folder of the store does not exist, so no daemon runs there.
    #[error("its folder does not exist")]
    NoFolder,
    /// Something else has its name.
    #[error("it is no regular file")]
    NoFile,
    /// A process has had it locked for long.
    #[error("another process has had it locked for a tenth of a second")]
    Locked,
    /// An earlier access to it has not ended.
    #[error("an access to it takes longer than a second")]
    Unfinished,
    /// The system has no thread for an access to it.
    #[error("{0}")]
    NoThread(String),
    /// Any other error of the operating system.
    #[error(transparent)]
    Other(io::Error),
}

impl From<io::Error> for Unshared {
    fn from(error: io::Error) -> Self {
        Self::Other(error)
    }
}

/// The file of a budget, which need not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BudgetFile {
    path: PathBuf,
}

impl BudgetFile {
    /// The file beside the store at `path`.
    pub(crate) fn beside(store: &Path) -> Self {
        Self { path: shared_file::beside(store, "-budget") }
    }

    /// The file of what leaves from one source address; that beside the store is of the address that the system chooses.
    pub(crate) fn of(store: &Path, source_address: Option<IpAddr>) -> Self {
        match source_address {
            None => Self::beside(store),
            Some(address) => Self { path: shared_file::beside(store, &format!("-budget-{address}")) },
        }
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How many requests a minute leave, by whoever used it last. The file is made if it does not exist. May block.
    ///
    /// # Errors
    /// When the budget cannot be shared.
    pub(crate) fn requests_per_minute(&self) -> Result<Option<NonZeroU32>, Unshared> {
        let (boot, now) = (clock::boot_id(), clock::since_boot());
        self.update(|found| (Ledger::rate_of(&found, &boot, now).map(Rate::requests_per_minute), None))
    }

    /// Lets `change` decide what the file is to say, by what it says now, while no other process can change it.
    ///
    /// # Errors
    /// When it cannot be made, locked, read or written. Then `change` has not been called, or nothing has been written.
    pub(super) fn update<T>(&self, change: impl FnOnce(Found) -> (T, Option<Entry>)) -> Result<T, Unshared> {
        let file = self.open()?;
        if !shared_file::lock(&file, ATTEMPTS, BETWEEN_ATTEMPTS)? {
            return Err(Unshared::Locked);
        }
        let found = read(&file)?;
        let (outcome, entry) = change(found);
        if let Some(entry) = entry {
            let mut line = serde_json::to_vec(&entry).map_err(io::Error::from)?;
            // What follows the line is of an entry before, which was longer.
            line.push(b'\n');
            file.write_all_at(&line, 0)?;
        }
        // The lock ends with the file.
        Ok(outcome)
    }

    fn open(&self) -> Result<File, Unshared> {
        let mut options = OpenOptions::new();
        // Somebody else may own the folder while root runs a command: no link is followed, and no pipe waited for.
        options.read(true).write(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).mode(0o600);
        let is_missing = |error: &io::Error| error.kind() == ErrorKind::NotFound;
        let file = match options.open(&self.path) {
            Err(error) if is_missing(&error) => match options.create_new(true).open(&self.path) {
                Ok(file) => self.made(file),
                Err(error) if is_missing(&error) => return Err(Unshared::NoFolder),
                // Another process has just made it.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => options.create_new(false).open(&self.path)?,
                Err(error) => return Err(error.into()),
            },
            opened => opened?,
        };
        if file.metadata()?.is_file() { Ok(file) } else { Err(Unshared::NoFile) }
    }

    /// Gives a new file to the owner of its folder: the daemon has to be able to use what root has made.
    fn made(&self, file: File) -> File {
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        if let (Ok(folder), Ok(own)) = (folder.metadata(), file.metadata())
            && folder.uid() != own.uid()
        {
            // Nobody but root can give a file away.
            fchown(&file, Some(folder.uid()), Some(folder.gid())).unwrap_or_default();
        }
        file
    }
}

fn read(file: &File) -> Result<Found, Unshared> {
    let mut bytes = Vec::new();
    file.take(LONGEST).read_to_end(&mut bytes)?;
    if bytes.is_empty() {
        return Ok(Found::Nothing);
    }
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(serde_json::from_slice(line).map_or(Found::Unusable, Found::Entry))
}

#[cfg(test)]
mod tests;
