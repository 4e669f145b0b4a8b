//! Whether a digest is to be sent, over restarts and changes of the clock. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::DigestSchedule;

/// A digest that could not be sent for longer after it was due is left out: the next one says the same, and is newer.
const LATEST: TimeDelta = TimeDelta::hours(24);

/// What is to be done about a digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing: the last one that was due is settled.
    Nothing,
    /// It was due at this moment, and is to be sent.
    Send(DateTime<Utc>),
    /// It was due at this moment, which is too long ago.
    Missed(DateTime<Utc>),
}

/// What is to be done at `now`, where everything that was due up to `settled` is settled.
pub(super) fn due(schedule: &DigestSchedule, settled: DateTime<Utc>, now: DateTime<Utc>) -> Due {
    match schedule.latest(now) {
        Some(latest) if latest > settled && now - latest <= LATEST => Due::Send(latest),
        Some(latest) if latest > settled => Due::Missed(latest),
        _ => Due::Nothing,
    }
}

/// The moment up to which everything is settled, as it is persisted; nothing that was due before a receiver was configured
/// is sent. A clock that was ahead by more than a day has left behind a moment that counts for nothing.
pub(super) fn settled(persisted: Option<DateTime<Utc>>, now: DateTime<Utc>) -> DateTime<Utc> {
    persisted.filter(|at| *at - now <= LATEST).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use chrono::NaiveTime;

    use super::*;
    use crate::testing::at;

    const HOUR: i64 = 3600;

    #[test]
    fn a_digest_is_due_once_for_each_moment() {
        // This fixed moment is eight o'clock in UTC.
        let schedule = DigestSchedule::daily(NaiveTime::from_hms_opt(8, 0, 0).unwrap());
        let cases = [
            ("not yet", -HOUR, -60, Due::Nothing),
            ("the moment has come", -HOUR, 0, Due::Send(at(0))),
            ("it was sent", 0, HOUR, Due::Nothing),
            ("the daemon was down for some hours", -HOUR, 9 * HOUR, Due::Send(at(0))),
            ("it was down for days", -100 * HOUR, 9 * HOUR, Due::Send(at(0))),
            ("the next one", 0, 24 * HOUR, Due::Send(at(24 * HOUR))),
            ("the clock was set back after it was sent", 0, -60, Due::Nothing),
        ];
        for (case, settled, now, expected) in cases {
            assert_eq!(due(&schedule, at(settled), at(now)), expected, "{case}");
        }
    }

    #[test]
    fn a_digest_that_was_due_long_ago_is_left_out() {
        let schedule: DigestSchedule = DigestSchedule::daily(NaiveTime::from_hms_opt(8, 0, 0).unwrap()).on_fridays();
        // The fixed moment is a Friday.
        assert_eq!(due(&schedule, at(-60), at(24 * 3600)), Due::Send(at(0)));
        assert_eq!(due(&schedule, at(-60), at(24 * 3600 + 1)), Due::Missed(at(0)));
        assert_eq!(due(&schedule, at(0), at(6 * 24 * 3600)), Due::Nothing);
    }

    #[test]
    fn nothing_is_due_from_before_and_a_clock_far_ahead_counts_for_nothing() {
        assert_eq!(settled(None, at(0)), at(0));
        assert_eq!(settled(Some(at(-500_000)), at(0)), at(-500_000));
        assert_eq!(settled(Some(at(3600)), at(0)), at(3600), "a clock that was set back a little repeats nothing");
        assert_eq!(settled(Some(at(100_000_000)), at(0)), at(0));
    }
}
