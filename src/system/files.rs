//! The one bounded reader of every file that the configuration or a command names: it reads regular files only, no more
//! than a limit, within a deadline, and never two reads of the same path at once. It decides nothing about what is in
//! them.

use std::collections::BTreeMap;
use std::fs::{self, File, FileType, Metadata, OpenOptions};
use std::io::{self, Read};
use std::os::fd::AsFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::zeroize::Zeroizing;
use tokio::time::Instant;

pub(crate) use super::read_error::{MachineTrouble, ReadError};
use super::readers::{run, run_blocking};

/// How long one read may take. A file on a disk that works is read in far less.
const LONGEST_READ: Duration = Duration::from_secs(5);
/// How long a read from a pipe may take. A program that writes into it may have to ask a person or a vault first.
const LONGEST_WRITER: Duration = Duration::from_mins(2);
/// How often a file is read that is written again and again meanwhile.
const ATTEMPTS: usize = 3;
/// The first size of the buffer, in bytes, for files that do not say how long they are, such as those of `/proc`.
const FIRST_BUFFER: usize = 8 * 1024;

/// The contents of a file. They may be a secret, so nothing of them is left in memory.
pub(crate) type Contents = Zeroizing<Vec<u8>>;

/// The moment until which a number of files must have been read, all together.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Instant);

impl Deadline {
    /// The deadline that is so long from now.
    pub fn within(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    /// How long one read may take now: none takes longer than [`LONGEST_READ`].
    fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now()).min(LONGEST_READ)
    }
}

impl Default for Deadline {
    /// The deadline of one file: five seconds from now.
    fn default() -> Self {
        Self::within(LONGEST_READ)
    }
}

/// Reads a regular file of at most `longest` bytes.
///
/// # Errors
/// Why nothing could be read, after five seconds at most.
pub async fn read(path: &Path, longest: u64) -> Result<Contents, ReadError> {
    let file = path.to_owned();
    run(path, LONGEST_READ, move || regular(&file, longest)).await
}

/// Reads as [`read`] does, on this thread, which waits.
///
/// # Errors
/// As for [`read`], or that the deadline has passed.
pub fn read_blocking(path: &Path, longest: u64, deadline: Deadline) -> Result<Contents, ReadError> {
    let file = path.to_owned();
    run_blocking(path, deadline.left(), move || regular(&file, longest))
}

/// Reads the first bytes of a regular file, `longest` at most.
///
/// # Errors
/// As for [`read_blocking`].
pub(crate) fn read_start(path: &Path, longest: u64, deadline: Deadline) -> Result<Contents, ReadError> {
    let file = path.to_owned();
    run_blocking(path, deadline.left(), move || {
        let (mut file, metadata) = open(&file)?;
        contents(&mut (&mut file).take(longest), metadata.len().min(longest), longest)
    })
}

/// Reads a regular file that is `name` below `folder`, wherever links lead.
///
/// # Errors
/// As for [`read_blocking`], or that it is outside of the folder.
pub(crate) fn read_below(folder: &Path, name: &str, longest: u64, deadline: Deadline) -> Result<Contents, ReadError> {
    let path = folder.join(name);
    let (folder, file) = (folder.to_owned(), path.clone());
    run_blocking(&path, deadline.left(), move || {
        let real = file.canonicalize()?;
        if real.starts_with(folder.canonicalize()?) {
            regular(&real, longest)
        } else {
            Err(ReadError::BadPath("it leads out of its folder".to_owned()))
        }
    })
}

/// Reads, for a command that a person runs once, what may also come from a pipe: a program that is still working on the
/// value, or standard input by one of its names.
///
/// # Errors
/// As for [`read`]; a pipe that nobody opens to write counts as a file that does not answer.
pub(crate) fn read_once(path: &Path, longest: u64) -> Result<Contents, ReadError> {
    const STANDARD_INPUT: [&str; 3] = ["/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"];
    if STANDARD_INPUT.iter().any(|name| path == Path::new(name)) {
        return read_standard_input(longest, false);
    }
    let file = path.to_owned();
    let pipe = run_blocking(path, LONGEST_READ, move || {
        let is_pipe = fs::metadata(&file)?.file_type().is_fifo();
        // Opening a pipe waits until somebody opens it to write.
        if is_pipe { Ok(Some(File::open(&file)?)) } else { Ok(None) }
    })?;
    match pipe {
        None => read_blocking(path, longest, Deadline::default()),
        Some(mut pipe) => run_blocking(path, LONGEST_WRITER, move || contents(&mut pipe, 0, longest)),
    }
}

/// Reads standard input to its end, or to the end of its first line.
///
/// # Errors
/// When there are more than `longest` bytes, or no end within two minutes.
pub(crate) fn read_standard_input(longest: u64, one_line: bool) -> Result<Contents, ReadError> {
    run_blocking(Path::new("/dev/stdin"), LONGEST_WRITER, move || {
        // The library's own buffer would retain a copy of a secret.
        let mut input = File::from(io::stdin().as_fd().try_clone_to_owned()?);
        if one_line { line(&mut input, longest) } else { contents(&mut input, 0, longest) }
    })
}

/// The permission bits of many files, in their order; `None` where they cannot be read. The files of one folder are
/// read together, so that a dead folder costs one thread and one wait.
pub(crate) fn modes_blocking(paths: &[&Path], deadline: Deadline) -> Vec<Option<u32>> {
    let mut folders: BTreeMap<&Path, Vec<usize>> = BTreeMap::new();
    for (index, path) in paths.iter().enumerate() {
        folders.entry(path.parent().unwrap_or(Path::new(""))).or_default().push(index);
    }
    let mut modes = vec![None; paths.len()];
    for (folder, members) in folders {
        let files: Vec<_> = members.iter().map(|index| paths[*index].to_owned()).collect();
        let mode = |path: &PathBuf| fs::metadata(path).ok().map(|metadata| metadata.mode());
        let found = run_blocking(folder, deadline.left(), move || Ok(files.iter().map(mode).collect::<Vec<_>>()));
        for (index, mode) in members.into_iter().zip(found.unwrap_or_default()) {
            modes[index] = mode;
        }
    }
    modes
}

/// Whether there is something at this path, be it a link to nowhere.
///
/// # Errors
/// Why this cannot be known, such as trouble of the machine.
pub(crate) fn exists_blocking(path: &Path, deadline: Deadline) -> Result<bool, ReadError> {
    let file = path.to_owned();
    match run_blocking(path, deadline.left(), move || Ok(fs::symlink_metadata(&file).map(|_| ())?)) {
        Ok(()) => Ok(true),
        Err(ReadError::Missing(_) | ReadError::BadPath(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The paths of the entries of a folder, `most` at most, in the order of their names; `None` if there is no such
/// folder.
///
/// # Errors
/// Why the folder cannot be read to its end.
pub(crate) fn list_blocking(folder: &Path, most: usize, deadline: Deadline) -> Result<Option<Vec<PathBuf>>, ReadError> {
    let path = folder.to_owned();
    run_blocking(folder, deadline.left(), move || {
        let entries = match fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return match fs::symlink_metadata(&path) {
                    Ok(_) => Err(ReadError::BadPath("it is a link to nowhere".to_owned())),
                    Err(_) => Ok(None),
                };
            }
            Err(error) => return Err(error.into()),
        };
        let mut paths = Vec::new();
        for entry in entries {
            if paths.len() >= most {
                return Err(ReadError::BadPath(format!("more than {most} files are in it")));
            }
            paths.push(entry?.path());
        }
        paths.sort();
        Ok(Some(paths))
    })
}

/// Reads a regular file, again if somebody writes it meanwhile.
fn regular(path: &Path, longest: u64) -> Result<Contents, ReadError> {
    for _ in 0..ATTEMPTS {
        let (mut file, before) = open(path)?;
        if before.len() > longest {
            return Err(ReadError::TooLong(longest));
        }
        let read = contents(&mut file, before.len(), longest)?;
        let after = file.metadata()?;
        let of = |metadata: &Metadata| (metadata.len(), metadata.mtime(), metadata.mtime_nsec());
        // A file that the system makes up while it is read, as in /proc, has no length.
        if of(&before) == of(&after) && (after.len() == 0 || after.len() == read.len() as u64) {
            return Ok(read);
        }
    }
    Err(ReadError::Machine(MachineTrouble::Changing))
}

/// Opens a regular file. Anything else is not opened at all, since opening some devices does something; what became
/// something else meanwhile is opened without waiting, and not read.
fn open(path: &Path) -> Result<(File, Metadata), ReadError> {
    let regular = |kind: FileType| if kind.is_file() { Ok(()) } else { Err(ReadError::NotRegular(kind_of(kind))) };
    regular(fs::metadata(path)?.file_type())?;
    // The library adds O_CLOEXEC itself.
    let file = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)?;
    let metadata = file.metadata()?;
    regular(metadata.file_type())?;
    Ok((file, metadata))
}

fn kind_of(kind: FileType) -> &'static str {
    if kind.is_dir() {
        "a folder"
    } else if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }
}

/// Reads to the end, or until there is too much. When the buffer grows, the old one is wiped.
fn contents(reader: &mut impl Read, expected: u64, longest: u64) -> Result<Contents, ReadError> {
    let room = |length: u64| usize::try_from(length.saturating_add(1)).unwrap_or(usize::MAX);
    let first = if expected == 0 { FIRST_BUFFER.min(room(longest)) } else { room(expected.min(longest)) };
    let mut buffer: Contents = Zeroizing::new(vec![0; first]);
    let mut filled = 0;
    loop {
        if filled == buffer.len() {
            if filled >= room(longest) {
                return Err(ReadError::TooLong(longest));
            }
            let mut larger = Zeroizing::new(vec![0; (2 * filled).min(room(longest))]);
            larger[..filled].copy_from_slice(&buffer);
            buffer = larger;
        }
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    buffer.truncate(filled);
    Ok(buffer)
}

/// Reads to the end of the first line, which may be the end of everything.
fn line(reader: &mut impl Read, longest: u64) -> Result<Contents, ReadError> {
    let room = usize::try_from(longest.saturating_add(1)).unwrap_or(usize::MAX);
    let mut line: Contents = Zeroizing::new(Vec::with_capacity(room));
    let mut byte = [0];
    while line.len() < room {
        match reader.read(&mut byte) {
            Ok(0) => return Ok(line),
            Ok(_) => line.push(byte[0]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        if byte[0] == b'\n' {
            return Ok(line);
        }
    }
    Err(ReadError::TooLong(longest))
}

/// Those of these files that others than their owner and group may read.
pub(crate) fn readable_by_others(paths: Vec<&Path>, deadline: Deadline) -> Vec<&Path> {
    const OTHERS_MAY_READ: u32 = 0o004;
    let modes = modes_blocking(&paths, deadline);
    let open = |mode: &Option<u32>| mode.is_some_and(|mode| mode & OTHERS_MAY_READ != 0);
    paths.into_iter().zip(modes).filter(|(_, mode)| open(mode)).map(|(path, _)| path).collect()
}

#[cfg(test)]
mod tests;
