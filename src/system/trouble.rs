//! Tells trouble of our own machine (descriptors, memory, disk, threads) from trouble of what was asked.

use std::any::Any;
use std::error::Error;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use futures_util::FutureExt;

/// Linux's numbers of the errors for which the standard library has no kind.
const EIO: i32 = 5;
const ENXIO: i32 = 6;
const ENODEV: i32 = 19;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const ENOBUFS: i32 = 105;
const EUCLEAN: i32 = 117;
const EREMOTEIO: i32 = 121;

/// How tokio's panic begins when the system gives it no thread for a call that blocks.
const NO_THREAD: &str = "OS can't spawn worker thread";

/// Whether an error says that this machine is short of something, wherever it comes from: a socket, a thread or a file.
pub fn is_machine_trouble(error: &io::Error) -> bool {
    let by_kind = matches!(
        error.kind(),
        // What the system gives for a want of threads.
        ErrorKind::WouldBlock
            | ErrorKind::OutOfMemory
            | ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::StaleNetworkFileHandle
    );
    by_kind || matches!(error.raw_os_error(), Some(EIO | ENFILE | EMFILE | ENOBUFS))
}

/// The same for an error of a file. There, too, a device or a file server that does not answer is the machine's trouble;
/// of a socket the same errors would speak of the other end.
pub fn is_storage_trouble(error: &io::Error) -> bool {
    let by_kind = matches!(
        error.kind(),
        ErrorKind::TimedOut | ErrorKind::NotConnected | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable
    );
    by_kind || matches!(error.raw_os_error(), Some(ENXIO | ENODEV | EUCLEAN | EREMOTEIO)) || is_machine_trouble(error)
}

/// The trouble of our own machine in an error or in what caused it, in the system's words.
pub fn machine_trouble(error: &(dyn Error + 'static)) -> Option<String> {
    std::iter::successors(Some(error), |&cause| cause.source()).find_map(|cause| {
        let error = cause.downcast_ref::<io::Error>()?;
        if is_machine_trouble(error) {
            return Some(error.to_string());
        }
        // An I/O error hides what it wraps from `source`.
        error.get_ref().and_then(|inner| machine_trouble(inner))
    })
}

/// Whether the process, or the machine, has no file descriptor left. The resolver and the loader of certificates turn that
/// into errors of their own, so it is asked for where they fail.
pub fn is_out_of_descriptors() -> bool {
    File::open("/").is_err_and(|error| is_machine_trouble(&error))
}

/// Waits for work that may need another thread.
///
/// # Errors
/// The system's words when there is no thread for it. Tokio panics then, which would end the program for a want that
/// passes; any other panic goes on.
pub async fn with_a_thread<T>(work: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(work).catch_unwind().await.or_else(|panic| match no_thread(&*panic) {
        Some(error) => Err(error),
        None => resume_unwind(panic),
    })
}

/// Begins work on another thread.
///
/// # Errors
/// As [`with_a_thread`]. Tokio may carry the work out later all the same.
pub fn on_a_thread<T>(begin: impl FnOnce() -> T) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(begin)).or_else(|panic| match no_thread(&*panic) {
        Some(error) => Err(error),
        None => resume_unwind(panic),
    })
}

fn no_thread(panic: &(dyn Any + Send)) -> Option<String> {
    let message =
        panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied())?;
    message.starts_with(NO_THREAD).then(|| message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("outer")]
    struct Outer(#[source] io::Error);

    #[test]
    fn what_the_machine_is_short_of_is_its_own_trouble() {
        for number in [EIO, ENFILE, EMFILE, ENOBUFS, 11, 12, 28, 30, 116, 122] {
            let error = io::Error::from_raw_os_error(number);
            assert!(is_machine_trouble(&error) && is_storage_trouble(&error), "{error}");
        }
        for number in [ENXIO, ENODEV, EUCLEAN, EREMOTEIO, 107, 110, 113] {
            let error = io::Error::from_raw_os_error(number);
            assert!(is_storage_trouble(&error) && !is_machine_trouble(&error), "{error}");
        }
        // Not there, not allowed, refused, reset: these speak of the thing itself. No address of that family (99) is what
        // a host with an IPv6 address gives where there is no IPv6.
        for number in [2, 13, 20, 40, 99, 104, 111] {
            let error = io::Error::from_raw_os_error(number);
            assert!(!is_storage_trouble(&error), "{error}");
        }
    }

    #[test]
    fn trouble_is_found_however_deep_it_is_wrapped() {
        let full = || io::Error::from_raw_os_error(EMFILE);
        let said = full().to_string();
        for error in [Outer(full()), Outer(io::Error::other(Outer(full()))), Outer(io::Error::other(full()))] {
            assert_eq!(machine_trouble(&error), Some(said.clone()), "{error:?}");
        }
        assert_eq!(machine_trouble(&Outer(io::Error::from_raw_os_error(111))), None);
        assert!(!is_out_of_descriptors());
    }

    #[tokio::test]
    async fn a_want_of_threads_is_an_error_and_a_fault_still_a_panic() {
        let said = format!("{NO_THREAD}: Resource temporarily unavailable (os error 11)");
        let (panics, once) = (said.clone(), said.clone());
        assert_eq!(on_a_thread(|| std::panic::panic_any(once)), Err::<(), _>(said.clone()));
        assert_eq!(with_a_thread(async { 1 }).await, Ok(1));
        assert_eq!(with_a_thread(async { std::panic::panic_any(panics) }).await, Err::<(), _>(said));
        let fault = with_a_thread(async { std::panic::panic_any("a fault of ours") });
        let ended = AssertUnwindSafe(fault).catch_unwind().await;
        assert!(ended.is_err_and(|panic| panic.downcast_ref::<&str>() == Some(&"a fault of ours")));
    }
}
