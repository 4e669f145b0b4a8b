//! The reasons why a file could not be read: those of the file itself, and trouble of this machine. Pure.

use std::io;

/// Why a file could not be read: a fragment that reads after "failed to read `PATH`: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// There is nothing at its path.
    #[error("{0}")]
    Missing(String),
    /// The program may not read it.
    #[error("{0}")]
    Denied(String),
    /// It is something other than a regular file, and was not read for that reason.
    #[error("it is {0}, not a regular file")]
    NotRegular(&'static str),
    /// It is longer than this limit, in bytes.
    #[error("it is larger than {}", size(*.0))]
    TooLong(u64),
    /// Its path leads to no file at all: it has a circle of links, a link to nowhere, or too long a name.
    #[error("{0}")]
    BadPath(String),
    /// Nothing is known about the file, because this machine is in trouble.
    #[error("{0}")]
    Machine(MachineTrouble),
}

/// Trouble of this machine, which says nothing about the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MachineTrouble {
    /// An error of the operating system: no descriptors, no memory, a broken disk, a file system that has gone.
    #[error("{0}")]
    System(String),
    /// There was no answer in time.
    #[error("it does not answer")]
    Deadline,
    /// A read of this file, or of too many beside it, began before and has not ended.
    #[error("it does not answer: the read before has not ended")]
    Unfinished,
    /// No thread could be started.
    #[error("no thread could be started to read it: {0}")]
    NoThread(String),
    /// Too many reads wait.
    #[error("too many other files wait to be read")]
    Busy,
    /// It was written while it was read.
    #[error("it changed while it was read")]
    Changing,
}

impl ReadError {
    /// Classifies an error of the operating system. Only certain errors concern the file itself; whatever else there is
    /// may pass, and must not be taken for a missing file.
    pub(crate) fn from_system(error: &io::Error) -> Self {
        let text = error.to_string();
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR) => Self::Missing(text),
            Some(libc::EACCES | libc::EPERM) => Self::Denied(text),
            Some(libc::ELOOP | libc::ENAMETOOLONG) => Self::BadPath(text),
            Some(libc::EISDIR) => Self::NotRegular("a folder"),
            Some(libc::ENXIO) => Self::NotRegular("a socket or a device without a driver"),
            None if error.kind() == io::ErrorKind::InvalidInput => Self::BadPath(text),
            _ => Self::Machine(MachineTrouble::System(text)),
        }
    }
}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        Self::from_system(&error)
    }
}

/// A limit in the unit that people would use.
fn size(bytes: u64) -> String {
    const KIB: u64 = 1024;
    match bytes {
        0..KIB => format!("{bytes} bytes"),
        _ if bytes < KIB * KIB => format!("{} KiB", bytes / KIB),
        _ => format!("{} MiB", bytes / KIB / KIB),
    }
}
