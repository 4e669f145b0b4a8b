//! Distinguishes trouble of this machine (descriptors, memory, disk, threads) from trouble of the other side of a
//! request.

use std::any::Any;
use std::error::Error;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use futures_util::FutureExt;

/// The numbers that Linux gives to the errors for which the standard library has no kind (errno(3)).
const EIO: i32 = 5;
const ENFILE: i32 = 23;
const EMFILE: i32 = 24;
const ENOBUFS: i32 = 105;

/// The beginning of tokio's panic when the system gives it no thread for a call that blocks.
const NO_THREAD: &str = "OS can't spawn worker thread";

/// Whether an error says that this machine is short of something, wherever it comes from: a socket, a thread or a file.
pub(crate) fn is_machine_trouble(error: &io::Error) -> bool {
    let by_kind = matches!(
        error.kind(),
        // The system's error when no thread can be started.
        ErrorKind::WouldBlock
            | ErrorKind::OutOfMemory
            | ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::ReadOnlyFilesystem
            | ErrorKind::StaleNetworkFileHandle
    );
    by_kind || matches!(error.raw_os_error(), Some(EIO | ENFILE | EMFILE | ENOBUFS))
}

/// The text of the error by which this machine is in trouble, found in an error or in its causes.
pub(crate) fn machine_trouble(error: &(dyn Error + 'static)) -> Option<String> {
    found(error, is_machine_trouble)
}

/// The text of the error by which a connection cannot be made from the local address that was asked for, found in an error or
/// in its causes. Where none was asked for, the same error may be about the other end.
pub(crate) fn lacking_address(error: &(dyn Error + 'static)) -> Option<String> {
    found(error, |error| error.kind() == ErrorKind::AddrNotAvailable)
}

fn found(error: &(dyn Error + 'static), is_sought: fn(&io::Error) -> bool) -> Option<String> {
    std::iter::successors(Some(error), |&cause| cause.source()).find_map(|cause| {
        let error = cause.downcast_ref::<io::Error>()?;
        if is_sought(error) {
            return Some(error.to_string());
        }
        // An I/O error hides what it wraps from `source`.
        error.get_ref().and_then(|inner| found(inner, is_sought))
    })
}

/// Whether the process or the machine has no file descriptor left. The resolver and the loader of certificates turn
/// that into errors of their own, so this is checked where they fail.
pub(crate) fn is_out_of_descriptors() -> bool {
    File::open("/").is_err_and(|error| is_machine_trouble(&error))
}

/// Waits for work that may need another thread.
///
/// # Errors
/// The text of the system's error when there is no thread for it. Tokio panics then, which would end the program for a
/// shortage that passes; any other panic is passed on.
pub(crate) async fn with_a_thread<T>(work: impl Future<Output = T>) -> Result<T, String> {
    AssertUnwindSafe(work).catch_unwind().await.or_else(|panic| match no_thread(&*panic) {
        Some(error) => Err(error),
        None => resume_unwind(panic),
    })
}

/// Begins work on another thread.
///
/// # Errors
/// As for [`with_a_thread`]. Tokio may carry the work out later all the same.
pub(crate) fn on_a_thread<T>(begin: impl FnOnce() -> T) -> Result<T, String> {
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
            assert!(is_machine_trouble(&error), "{error}");
        }
        // Not there, not allowed, refused, reset, not reached: these are about the thing itself, or about the other end. No
        // address of that family (99) is what a host with an IPv6 address gives where there is no IPv6.
        for number in [2, 13, 20, 40, 99, 104, 107, 110, 111, 113] {
            let error = io::Error::from_raw_os_error(number);
            assert!(!is_machine_trouble(&error), "{error}");
        }
    }

    #[test]
    fn trouble_is_found_however_deep_it_is_wrapped() {
        let full = || io::Error::from_raw_os_error(EMFILE);
        let text = full().to_string();
        for error in [Outer(full()), Outer(io::Error::other(Outer(full()))), Outer(io::Error::other(full()))] {
            assert_eq!(machine_trouble(&error), Some(text.clone()), "{error:?}");
        }
        assert_eq!(machine_trouble(&Outer(io::Error::from_raw_os_error(111))), None);
        assert!(!is_out_of_descriptors());
    }

    #[tokio::test]
    async fn a_shortage_of_threads_is_an_error_and_a_fault_still_a_panic() {
        let text = format!("{NO_THREAD}: Resource temporarily unavailable (os error 11)");
        let (panics, once) = (text.clone(), text.clone());
        assert_eq!(on_a_thread(|| std::panic::panic_any(once)), Err::<(), _>(text.clone()));
        assert_eq!(with_a_thread(async { 1 }).await, Ok(1));
        assert_eq!(with_a_thread(async { std::panic::panic_any(panics) }).await, Err::<(), _>(text));
        let fault = with_a_thread(async { std::panic::panic_any("a fault of ours") });
        let ended = AssertUnwindSafe(fault).catch_unwind().await;
        assert!(ended.is_err_and(|panic| panic.downcast_ref::<&str>() == Some(&"a fault of ours")));
    }
}
