//! When a failure to accept a connection is logged: a machine that has run out of something must not fill its log as
//! well.

use std::io::{self, ErrorKind};
use std::time::Duration;

use tokio::time::Instant;

/// The least time between two lines in the log.
const LINE_EVERY: Duration = Duration::from_mins(1);

/// The failures of one listener to accept a connection.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// When a failure was last logged.
    logged: Option<Instant>,
    /// How many failures have not been logged since then.
    silent: u64,
}

impl Failures {
    /// Counts a connection that could not be accepted. If a line is due in the log, returns how many failures before
    /// this one were not logged.
    pub(super) fn failed(&mut self, now: Instant) -> Option<u64> {
        if self.logged.is_some_and(|logged| now - logged < LINE_EVERY) {
            self.silent += 1;
            return None;
        }
        self.logged = Some(now);
        Some(std::mem::take(&mut self.silent))
    }

    /// Counts a connection that was accepted. If there were failures that were not logged and a line is due in the log,
    /// returns how many.
    pub(super) fn recovered(&mut self, now: Instant) -> Option<u64> {
        let is_due = self.silent > 0 && self.logged.is_some_and(|logged| now - logged >= LINE_EVERY);
        is_due.then(|| {
            self.logged = Some(now);
            std::mem::take(&mut self.silent)
        })
    }
}

/// Whether the error affects that one connection only, because its client went away: the next may be accepted at once.
pub(super) fn is_of_one(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_logged_once_a_minute_with_the_number_of_those_that_were_not() {
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
        assert_eq!(failures.recovered(begin + second * 120), Some(1), "what was not logged is counted in the end");
        assert_eq!(failures.recovered(begin + second * 600), None);
        assert_eq!(failures.failed(begin + second * 601), Some(0));
    }
}
