//! Moments as the command line has them: so long ago, so far ahead, a day, or a moment. Pure.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, TimeDelta, Utc};

/// The beginning of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Since {
    /// This long before the present.
    Ago(Duration),
    /// This moment.
    At(DateTime<Utc>),
}

impl Since {
    /// The moment at which the history begins, of which `now` is the present; `None` if it is before all time.
    pub fn moment(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::At(moment) => Some(moment),
            Self::Ago(long) => TimeDelta::from_std(long).ok().and_then(|long| now.checked_sub_signed(long)),
        }
    }
}

/// Reads the beginning of a history.
///
/// # Errors
/// A text that says what is expected, when `text` is neither a duration, a day nor a moment.
pub fn since(text: &str) -> Result<Since, String> {
    let day = || text.parse::<NaiveDate>().map(|day| day.and_time(NaiveTime::MIN).and_utc());
    humantime::parse_duration(text)
        .map(Since::Ago)
        .or_else(|_| DateTime::parse_from_rfc3339(text).map(|moment| Since::At(moment.to_utc())))
        .or_else(|_| day().map(Since::At))
        .map_err(|_| {
            "expected a duration such as 7d, a day such as 2026-11-23 or a moment such as 2026-11-23T10:00:00Z".into()
        })
}

/// A moment in the future.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ahead(Since);

impl Ahead {
    /// The moment, of which `now` is the present; `None` if it is after all time.
    pub fn moment(self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self.0 {
            Since::At(moment) => Some(moment),
            Since::Ago(long) => TimeDelta::from_std(long).ok().and_then(|long| now.checked_add_signed(long)),
        }
    }
}

/// Reads a moment in the future, in the forms of [`since`].
///
/// # Errors
/// As for [`since`].
pub fn moment_ahead(text: &str) -> Result<Ahead, String> {
    since(text).map(Ahead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_history_begins_so_long_ago_on_a_day_or_at_a_moment() {
        let at = |text: &str| Ok(Since::At(text.parse().expect("a moment")));
        assert_eq!(since("7d"), Ok(Since::Ago(Duration::from_hours(7 * 24))));
        assert_eq!(since("2026-11-23"), at("2026-11-23T00:00:00Z"));
        assert_eq!(since("2026-11-23T10:00:00+02:00"), at("2026-11-23T08:00:00Z"));
        for bad in ["", "yesterday", "2026-13-01", "10:00"] {
            assert!(since(bad).is_err(), "{bad}");
        }
    }
}
