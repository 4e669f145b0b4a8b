//! Why the store cannot be used, as messages that say what to do.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// The store at a path cannot be used. The text is a fragment that reads after "failed to".
#[derive(Debug, thiserror::Error)]
#[error("use the store `{}`: {problem}", path.display())]
pub struct StoreError {
    /// The path of the database file.
    pub path: PathBuf,
    /// What is wrong with it. It is not the `source` of this error, since the text has it already.
    pub problem: Problem,
}

/// What is wrong with a store.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// A newer version of this program has written it.
    #[error(
        "a newer version of this program wrote it (schema {found}, this one knows {supported}); run that version, or \
         move the file away to begin anew"
    )]
    Newer {
        /// The version of the schema that the file has.
        found: usize,
        /// The newest version of the schema that this program supports.
        supported: usize,
    },
    /// It is the database of another program.
    #[error("it is another program's database; set `storage.path` to a file of our own")]
    Foreign,
    /// It is an empty file that others may read, so not one that this program made.
    #[error("it is an empty file that this program has not made; delete it, or set `storage.path` to another one")]
    NotOurs,
    /// Another process of this program uses it; the path is that of the lock.
    #[error("another syncro-token-monitor uses it, as its lock `{}` shows", .0.display())]
    InUse(PathBuf),
    /// Another program has locked it.
    #[error("another program holds it locked; end that program, a `sqlite3` session perhaps")]
    Locked,
    /// There is no room on the disk.
    #[error("the disk is full")]
    Full,
    /// SQLite finds it damaged, or what it holds cannot be parsed; the text says what was found.
    #[error("it is damaged ({0}); move it away to begin anew, or try the command `.recover` of `sqlite3`")]
    Damaged(String),
    /// There is no such file, and only `run` may make it.
    #[error("it does not exist; `run` makes it, relative to $STATE_DIRECTORY if that is set")]
    Missing,
    /// Any other error of the operating system or of SQLite, as its text.
    #[error("{0}")]
    Other(String),
}

impl Problem {
    /// The error that says which store has the problem.
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
            // Every file is made if it is missing, so it can only be the folder.
            std::io::ErrorKind::NotFound => Self::Other("its folder does not exist".to_owned()),
            std::io::ErrorKind::IsADirectory => {
                Self::Other("it is a folder; move that away, or set `storage.path` to a file".to_owned())
            }
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => Self::Other(format!(
                "{error}; the user whom the daemon runs as must be able to write there, as systemd's StateDirectory= \
                 sees to"
            )),
            _ => Self::Other(error.to_string()),
        }
    }
}
