//! Writing to standard output and to whatever may be read slowly. A reader that went away is no failure of the program;
//! what could not be written is.

use std::fs::File;
use std::io::{self, ErrorKind, Write};
use std::os::fd::AsFd;
use std::time::Duration;

/// How soon a write is tried again where a pipe or a terminal is full. Another program that shares it may have made it
/// non-blocking.
const AGAIN: Duration = Duration::from_millis(10);

/// A write that was cut off: some bytes were written, and then no more could be.
#[derive(Debug)]
pub(super) struct Cut {
    pub(super) written: usize,
    pub(super) error: io::Error,
}

/// Writes everything, and waits where `to` is full even if it does not block by itself.
pub(super) fn write_all(to: &mut impl Write, bytes: &[u8]) -> Result<(), Cut> {
    let mut written = 0;
    while written < bytes.len() {
        match to.write(&bytes[written..]) {
            Ok(0) => return Err(Cut { written, error: ErrorKind::WriteZero.into() }),
            Ok(count) => written += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(AGAIN),
            Err(error) => return Err(Cut { written, error }),
        }
    }
    Ok(())
}

/// Prints to standard output. A reader that went away, as `head` does, has had what it wanted.
///
/// # Errors
/// When it cannot be written for any other reason: a full disk, for one.
pub(crate) fn print(text: &str) -> io::Result<()> {
    // By a descriptor of its own: the library's buffer would not say how much of it was written.
    let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    match write_all(&mut out, text.as_bytes()).map_err(|cut| cut.error) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pipe that takes three bytes at a time, and refuses every other write.
    #[derive(Default)]
    struct Slow {
        taken: Vec<u8>,
        refused: bool,
        room: usize,
    }

    impl Write for Slow {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.refused = !self.refused;
            if self.refused {
                return Err(ErrorKind::WouldBlock.into());
            }
            if self.taken.len() >= self.room {
                return Err(ErrorKind::StorageFull.into());
            }
            let count = bytes.len().min(3);
            self.taken.extend_from_slice(&bytes[..count]);
            Ok(count)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_pipe_that_is_full_for_a_moment_gets_everything_and_a_cut_is_reported() {
        let mut slow = Slow { room: 100, ..Slow::default() };
        write_all(&mut slow, b"everything").unwrap();
        assert_eq!(slow.taken, b"everything");
        let mut full = Slow { room: 4, ..Slow::default() };
        let cut = write_all(&mut full, b"everything").unwrap_err();
        assert_eq!((cut.written, cut.error.kind()), (6, ErrorKind::StorageFull));
    }
}
