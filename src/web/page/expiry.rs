//! How long a token has to live: as words and as a bar. Pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::Token;

use super::when::{When, span};

/// The whole bar: what is further away looks the same.
const WHOLE: TimeDelta = TimeDelta::days(90);

/// The declared expiry.
#[derive(Debug)]
pub(super) struct Expiry {
    /// `43 days`, or `expired`.
    pub(super) left: String,
    /// How much of the bar is full, in percent.
    pub(super) percent: i64,
    /// How near it is: `far`, `near` once it is spoken of, `past`.
    pub(super) class: &'static str,
    /// When.
    pub(super) when: When,
    /// Whether something renews it.
    pub(super) auto_rotated: bool,
}

impl Expiry {
    pub(super) fn of(token: &Token, notices: &[Duration], now: DateTime<Utc>) -> Option<Self> {
        let expires = token.expires?;
        let left = expires - now;
        let first = notices.first().and_then(|first| TimeDelta::from_std(*first).ok()).unwrap_or_default();
        let (words, class) = match left {
            left if left <= TimeDelta::zero() => ("expired".to_owned(), "past"),
            left if left <= first => (span(left), "near"),
            left => (span(left), "far"),
        };
        let percent = (left.num_seconds() * 100 / WHOLE.num_seconds()).clamp(0, 100);
        Some(Self { left: words, percent, class, when: When::new(expires, now), auto_rotated: token.auto_rotated })
    }
}

/// One notice before the expiry.
#[derive(Debug)]
pub(super) struct Mark {
    /// `14 days`.
    pub(super) before: String,
    /// When it passes, or passed.
    pub(super) when: When,
    /// Whether it has.
    pub(super) passed: bool,
}

/// The notices of a token, the first one first.
pub(super) fn marks(token: &Token, notices: &[Duration], now: DateTime<Utc>) -> Vec<Mark> {
    let mark = |(before, at)| Mark { before: span(before), when: When::new(at, now), passed: at <= now };
    token.notices(notices).map(mark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, token};

    #[test]
    fn the_bar_is_empty_at_the_end_and_near_once_it_is_spoken_of() {
        let notices = [30, 7].map(|days| Duration::from_hours(24 * days));
        let shown = |days: i64| {
            let mut token = token("t", &[]);
            token.expires = Some(at(days * 86_400));
            let expiry = Expiry::of(&token, &notices, at(0)).unwrap();
            let passed = marks(&token, &notices, at(0)).iter().filter(|mark| mark.passed).count();
            (expiry.left, expiry.percent, expiry.class, passed)
        };
        assert_eq!(shown(400), ("400 days".to_owned(), 100, "far", 0));
        assert_eq!(shown(45), ("45 days".to_owned(), 50, "far", 0));
        assert_eq!(shown(9), ("9 days".to_owned(), 10, "near", 1));
        assert_eq!(shown(-1), ("expired".to_owned(), 0, "past", 2));
        assert!(Expiry::of(&token("never", &[]), &notices, at(0)).is_none());
    }
}
