//! What is said when connections cannot be accepted, so that a machine that is short of something does not fill its log too.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::time::Instant;

/// One line in so long.
const LINE_EVERY: Duration = Duration::from_mins(1);

/// Failures of one listener.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// When one was last logged.
    logged: Option<Instant>,
    /// How many have not been, since.
    silent: u64,
}

impl Failures {
    /// A connection could not be accepted: how many before it were kept silent, if it is time for a line.
    pub(super) fn failed(&mut self, now: Instant) -> Option<u64> {
        if self.logged.is_some_and(|logged| now - logged < LINE_EVERY) {
            self.silent += 1;
            return None;
        }
        self.logged = Some(now);
        Some(std::mem::take(&mut self.silent))
    }

    /// One could: how many failures before it were kept silent, if there were any and it is time for a line.
    pub(super) fn recovered(&mut self, now: Instant) -> Option<u64> {
        let is_due = self.silent > 0 && self.logged.is_some_and(|logged| now - logged >= LINE_EVERY);
        is_due.then(|| {
            self.logged = Some(now);
            std::mem::take(&mut self.silent)
        })
    }
}

/// Whether only the one connection failed, and the next may be accepted at once: its client went away.
pub(super) fn is_of_one(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_said_once_a_minute_with_the_number_of_the_others() {
        let (begin, second) = (Instant::now(), Duration::from_secs(1));
        let mut failures = Failures::default();
        assert_eq!(failures.failed(begin), Some(0), "the first at once");
        for number in 1..60 {
            assert_eq!(failures.failed(begin + second * number), None);
            assert_eq!(failures.recovered(begin + second * number), None);
        }
        assert_eq!(failures.failed(begin + second * 60), Some(59));
        assert_eq!(failures.failed(begin + second * 61), None);
        assert_eq!(failures.recovered(begin + second * 119), None);
        assert_eq!(failures.recovered(begin + second * 120), Some(1), "what was kept silent is said at last");
        assert_eq!(failures.recovered(begin + second * 600), None);
        assert_eq!(failures.failed(begin + second * 601), Some(0));
    }
}
