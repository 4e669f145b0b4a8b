//! Our clock against that of Syncro, which every answer shows: it decides whether a refused token has expired.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

/// A difference of more than this is logged; half of it ends that.
const TOLERANCE: TimeDelta = TimeDelta::minutes(2);

/// What is known of Syncro's clock.
#[derive(Debug, Default)]
pub(super) struct ServerClock {
    /// Whether the log says that the clocks differ.
    is_logged: AtomicBool,
    /// By how many seconds Syncro's clock is ahead of ours, as it last showed.
    offset: AtomicI64,
}

impl ServerClock {
    /// By how much Syncro's clock is ahead of ours, while the log says that they differ.
    pub(super) fn difference(&self) -> Option<TimeDelta> {
        let differ = self.is_logged.load(Ordering::Relaxed);
        differ.then(|| TimeDelta::seconds(self.offset.load(Ordering::Relaxed)))
    }

    /// Takes in the date of an answer that arrived at `now`, and returns by how many seconds Syncro's clock is ahead of ours.
    /// A difference is logged once, and so is its end.
    pub(super) fn observe(&self, date: DateTime<Utc>, now: DateTime<Utc>) -> i64 {
        let offset = date - now;
        let seconds = offset.num_seconds();
        self.offset.store(seconds, Ordering::Relaxed);
        if offset.abs() > TOLERANCE && !self.is_logged.swap(true, Ordering::Relaxed) {
            let difference = humantime::format_duration(std::time::Duration::from_secs(seconds.unsigned_abs()));
            let direction = if seconds > 0 { "behind" } else { "ahead of" };
            tracing::warn!(
                event = "syncro_clock",
                offset_seconds = seconds,
                "the clock of this machine is {difference} {direction} Syncro's: whether a token that is refused has expired \
                may be said wrongly until that is set right, by NTP perhaps"
            );
        } else if offset.abs() < TOLERANCE / 2 && self.is_logged.swap(false, Ordering::Relaxed) {
            tracing::info!(
                event = "syncro_clock",
                offset_seconds = seconds,
                "this machine's clock agrees with Syncro's again"
            );
        }
        seconds
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    #[test]
    fn a_difference_is_logged_once_and_so_is_its_end() {
        let clock = ServerClock::default();
        let logged = |offset: i64| {
            assert_eq!(clock.observe(at(1000 + offset), at(1000)), offset);
            assert!(clock.difference().is_none_or(|difference| difference == TimeDelta::seconds(offset)));
            clock.difference().is_some()
        };
        assert_eq!(
            [0, 120, 121, 100, 59, -121, -61, 0].map(logged),
            [false, false, true, true, false, true, true, false]
        );
    }
}
