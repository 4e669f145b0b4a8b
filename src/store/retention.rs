//! When the past is discarded: never because of a clock that may be wrong, since what is discarded cannot be restored.
//!
//! A machine may start with a clock that is years ahead and be set right later. So nothing is discarded in the first
//! hour, and only while the clock agrees with what the store holds and with how long the program has run. The store
//! itself discards no more than a month of the past at a time.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::{Transaction, params};
use tokio::time::Instant;

use super::error::Problem;

/// Nothing is discarded before the program has run for so long: a clock that is wrong at the start has usually been set
/// by then.
const SETTLING: Duration = Duration::from_hours(1);
/// How often what is older than the retention is discarded.
const EVERY: Duration = Duration::from_hours(24);
/// The program may have been away for this part of the retention: a longer absence is rarer than a clock that is wrong.
const ABSENCE: u32 = 4;

/// Decides when the past is discarded.
#[derive(Debug)]
pub(super) struct Retention {
    opened: Instant,
    next: Instant,
    /// When the store was last written to before it was opened, or when it was opened if it says nothing of that.
    newest: DateTime<Utc>,
}

impl Retention {
    /// The retention of a store that was opened just now, at `now` by the wall clock, and that was last written to at
    /// `newest`.
    pub(super) fn new(newest: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Self {
        let opened = Instant::now();
        Self { opened, next: opened + SETTLING, newest: newest.unwrap_or(now) }
    }

    /// The moment before which everything may be discarded now, where history is to be retained for `keep`; `None` if
    /// nothing may be discarded.
    pub(super) fn discard_before(&mut self, keep: Duration, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.next > Instant::now() {
            return None;
        }
        self.next = Instant::now() + EVERY;
        let later = |duration| TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX);
        let plausible =
            self.newest.checked_add_signed(later(self.opened.elapsed()))?.checked_add_signed(later(keep / ABSENCE))?;
        if now > plausible {
            tracing::warn!(
                event = "retention_put_off",
                "nothing is discarded: the clock says {}, but the store was last written to on {} when it was opened",
                now.format("%Y-%m-%d"),
                self.newest.format("%Y-%m-%d")
            );
            return None;
        }
        now.checked_sub_signed(later(keep))
    }
}

/// Discards what is older than `before`: no more than the oldest month of it, since a clock that is wrong and yet
/// believed must not take everything at once, and nothing that was written after a row that is retained, since then a
/// clock was behind.
///
/// # Errors
/// When a statement fails.
pub(super) fn discard_older(transaction: &Transaction<'_>, before: &str) -> Result<(), Problem> {
    for (table, column) in [
        ("transitions", "at"),
        ("alert_events", "at"),
        ("outbox", "told_at"),
        ("outbox", "set_aside_at"),
        ("tokens", "retired_at"),
    ] {
        let oldest = format!(
            "SELECT strftime('%Y-%m-%dT%H:%M:%fZ', min({column}), '+31 days') FROM {table} WHERE {column} IS NOT NULL"
        );
        let oldest: Option<String> = transaction.query_row(&oldest, [], |row| row.get(0))?;
        let first_retained = format!("SELECT min(rowid) FROM {table} WHERE {column} >= ?1");
        let first_retained: Option<i64> = transaction.query_row(&first_retained, [before], |row| row.get(0))?;
        if let Some(month) = oldest {
            let discard = format!("DELETE FROM {table} WHERE {column} < min(?1, ?2) AND rowid < ?3");
            transaction.execute(&discard, params![before, month, first_retained.unwrap_or(i64::MAX)])?;
        }
    }
    Ok(())
}

/// Deletes what is carried out, in the transaction that writes what it changed.
pub(super) fn forget_carried_out(transaction: &Transaction<'_>, numbers: &[i64]) -> Result<(), Problem> {
    if numbers.is_empty() {
        return Ok(());
    }
    let mut delete = transaction.prepare("DELETE FROM acknowledgement_orders WHERE number = ?1")?;
    for number in numbers {
        delete.execute([number])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    const DAY: i64 = 24 * 3600;
    const KEEP: Duration = Duration::from_hours(400 * 24);

    #[tokio::test(start_paused = true)]
    async fn a_clock_years_ahead_discards_nothing_and_a_right_one_once_a_day() {
        let mut retention = Retention::new(Some(at(-DAY)), at(0));
        assert_eq!(retention.discard_before(KEEP, at(0)), None, "not in the first hour");
        tokio::time::advance(SETTLING).await;
        assert_eq!(retention.discard_before(KEEP, at(3600)), Some(at(3600 - 400 * DAY)));
        assert_eq!(retention.discard_before(KEEP, at(7200)), None, "once a day");
        tokio::time::advance(EVERY).await;
        assert_eq!(retention.discard_before(KEEP, at(3 * 365 * DAY)), None, "years ahead");
        tokio::time::advance(EVERY).await;
        assert!(retention.discard_before(KEEP, at(2 * DAY)).is_some(), "set right again");
        let mut absent = Retention::new(Some(at(-3 * 365 * DAY)), at(0));
        tokio::time::advance(SETTLING).await;
        assert_eq!(absent.discard_before(KEEP, at(3600)), None, "it starts years ahead");
    }

    #[tokio::test(start_paused = true)]
    async fn how_long_the_program_may_have_been_away_depends_on_how_long_history_is_retained() {
        for (days, keep, discards) in [(60, 400, true), (60, 30, false), (7, 30, true), (110, 400, false)] {
            let mut retention = Retention::new(Some(at(-days * DAY)), at(0));
            tokio::time::advance(SETTLING).await;
            let discarded = retention.discard_before(Duration::from_hours(keep * 24), at(3600));
            assert_eq!(discarded.is_some(), discards, "{days} days away, {keep} retained");
        }
    }
}
