//! The file of a store before anything is done with it: made for its owner alone, or found to be ours.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

use super::error::Problem;

/// Makes the file at `path`, for its owner alone, if there is none. One that is there is ours if it says so; then it is for its
/// owner alone from now on; `application` is how a database of this program is marked. Returns whether it may be one that this program has just begun.
///
/// # Errors
/// When it cannot be made or read, or it is empty and was not made by this program.
pub(super) fn own_file(path: &Path, application: i64) -> Result<(fs::Metadata, bool), Problem> {
    const OWNER_ONLY: u32 = 0o600;
    match OpenOptions::new().read(true).write(true).create_new(true).mode(OWNER_ONLY).open(path) {
        Ok(file) => return Ok((file.metadata()?, true)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.into()),
    }
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::from(ErrorKind::IsADirectory).into());
    }
    let is_private = metadata.permissions().mode() & 0o777 == OWNER_ONLY;
    if metadata.len() == 0 && !is_private {
        return Err(Problem::NotOurs);
    }
    if !is_private && is_marked(&file, application)? {
        file.set_permissions(fs::Permissions::from_mode(OWNER_ONLY))?;
    }
    Ok((metadata, is_private))
}

/// Whether the header of a file says that it is a database of this program (sqlite.org/fileformat.html).
fn is_marked(file: &File, application: i64) -> io::Result<bool> {
    const MARK: std::ops::Range<usize> = 68..72;
    let mut header = [0; 100];
    let read = file.read_at(&mut header, 0)?;
    let is_ours = i64::from(u32::from_be_bytes([header[68], header[69], header[70], header[71]])) == application;
    Ok(read >= MARK.end && header.starts_with(b"SQLite format 3\0") && is_ours)
}
