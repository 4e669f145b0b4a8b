//! The time until a token expires, as text and as a bar. Pure.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::Token;

use super::when::{When, span};

/// The time that the whole bar shows: an expiry farther ahead is shown in the same way.
const WHOLE: TimeDelta = TimeDelta::days(90);

/// The declared expiry of a token.
#[derive(Debug)]
pub(super) struct Expiry {
    /// The time that is left, such as `43 days`, or `expired`.
    pub(super) left: String,
    /// How much of the bar is full, in percent.
    pub(super) percent: i64,
    /// How near it is: `far`, `near` from the first expiry notice on, or `past`.
    pub(super) class: &'static str,
    /// The moment of the expiry.
    pub(super) when: When,
    /// Whether something renews the token by itself.
    pub(super) auto_rotated: bool,
}

impl Expiry {
    /// The expiry of a token, or `None` if none is declared.
    pub(super) fn of(token: &Token, notices: &[Duration], now: DateTime<Utc>) -> Option<Self> {
        let expires = token.expires?;
        let left = expires - now;
        let first = notices.first().and_then(|first| TimeDelta::from_std(*first).ok()).unwrap_or_default();
        let (text, class) = match left {
            left if left <= TimeDelta::zero() => ("expired".to_owned(), "past"),
            left if left <= first => (span(left), "near"),
            left => (span(left), "far"),
        };
        let percent = (left.num_seconds() * 100 / WHOLE.num_seconds()).clamp(0, 100);
        Some(Self { left: text, percent, class, when: When::new(expires, now), auto_rotated: token.auto_rotated })
    }
}

/// One expiry notice.
#[derive(Debug)]
pub(super) struct Mark {
    /// How long before the expiry it comes, such as `14 days`.
    pub(super) before: String,
    /// The moment at which it comes, or came.
    pub(super) when: When,
    /// Whether that moment has passed.
    pub(super) passed: bool,
}

/// The expiry notices of a token, the first one first.
pub(super) fn marks(token: &Token, notices: &[Duration], now: DateTime<Utc>) -> Vec<Mark> {
    let mark = |(before, at)| Mark { before: span(before), when: When::new(at, now), passed: at <= now };
    token.expiry_notices(notices).map(mark).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, token};

    #[test]
    fn the_bar_is_empty_at_the_expiry_and_near_from_the_first_notice_on() {
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
