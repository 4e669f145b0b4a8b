//! Why the store cannot be used, in words that say what to do.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// The store at a path cannot be used: a fragment that reads after "failed to".
#[derive(Debug, thiserror::Error)]
#[error("use the store `{}`: {problem}", path.display())]
pub struct StoreError {
    /// The database file.
    pub path: PathBuf,
    /// What is the matter with it. Not its source: the message has it already.
    pub problem: Problem,
}

/// What is the matter with a store.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A later version of the program has been here.
    #[error(
        "a newer version of this program wrote it (schema {found}, this one knows {known}); run that version, or move the file away to begin anew"
    )]
    Newer {
        /// Its schema.
        found: usize,
        /// Ours.
        known: usize,
    },
    /// Somebody else's database.
    #[error("it is another program's database; set `storage.path` to a file of our own")]
    Foreign,
    /// Another process of this program.
    #[error("another syncro-token-monitor uses it, as its lock `{}` shows", .0.display())]
    InUse(PathBuf),
    /// Another program has locked it.
    #[error("another program holds it locked; end that program, a `sqlite3` session perhaps")]
    Locked,
    /// There is no room.
    #[error("the disk is full")]
    Full,
    /// What is there cannot be true.
    #[error("it is damaged ({0}); move it away to begin anew, or try the command `.recover` of `sqlite3`")]
    Damaged(String),
    /// There is no such file.
    #[error("it does not exist; `run` makes it, relative to $STATE_DIRECTORY if that is set")]
    Missing,
    /// The operating system or SQLite says no.
    #[error("{0}")]
    Other(String),
}

impl Problem {
    /// Says which store it is about.
    pub(super) fn at(self, path: &Path) -> StoreError {
        StoreError { path: path.to_owned(), problem: self }
    }
}

impl From<rusqlite::Error> for Problem {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Locked,
            Some(ErrorCode::DiskFull) => Self::Full,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged(error.to_string()),
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull => Self::Full,
            // Every file is made if it is not there.
            std::io::ErrorKind::NotFound => Self::Other("its folder does not exist".to_owned()),
            std::io::ErrorKind::IsADirectory => {
                Self::Other("it is a folder; move that away, or set `storage.path` to a file".to_owned())
            }
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => Self::Other(format!(
                "{error}; the user whom the daemon runs as must be able to write there, as systemd's StateDirectory= sees to"
            )),
            _ => Self::Other(error.to_string()),
        }
    }
}
