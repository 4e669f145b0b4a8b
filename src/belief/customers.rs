//! How many customers a token sees: whether the number fell far below what it was within a month. Pure.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::confirmed::{Belief, Confirmation};

/// For so many days the highest number is remembered.
const DAYS: TimeDelta = TimeDelta::days(30);
/// Fewer customers than this may have been deleted by hand.
const LEAST_DIFFERENCE: u64 = 5;

/// The numbers of customers that a token saw.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Customers {
    /// The highest number of each day.
    days: Vec<(NaiveDate, u64)>,
    /// Whether it sees about as many as before.
    shown: Belief,
}

impl Customers {
    /// Whether nothing has been seen yet.
    pub(super) fn is_empty(&self) -> bool {
        self.days.is_empty()
    }

    /// The highest number within the last 30 days.
    pub(super) fn highest(&self) -> Option<u64> {
        self.days.iter().map(|(_, number)| *number).max()
    }

    /// Takes in how many customers the token sees.
    pub(super) fn see(&mut self, visible: u64, now: DateTime<Utc>, confirmation: Confirmation) {
        let today = now.date_naive();
        self.days.retain(|(day, _)| *day <= today && today - *day < DAYS);
        match self.days.last_mut().filter(|(day, _)| *day == today) {
            Some((_, number)) => *number = visible.max(*number),
            None => self.days.push((today, visible)),
        }
        let highest = self.highest().unwrap_or(visible);
        let is_hidden = visible < highest.div_ceil(2) && highest - visible >= LEAST_DIFFERENCE;
        if self.shown.granted.is_none() {
            self.shown = Belief::first(true, now);
        }
        self.shown.see(!is_hidden, now, confirmation);
    }

    /// Since when the token has seen less than half of what it saw.
    pub(super) fn hidden_since(&self) -> Option<DateTime<Utc>> {
        (self.shown.granted == Some(false)).then_some(self.shown.since)
    }

    /// Applies `change` to every moment.
    pub(super) fn moments(&mut self, change: &mut impl FnMut(&mut DateTime<Utc>)) {
        self.shown.moments(change);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, confirmed};

    #[test]
    fn more_than_half_and_at_least_five_must_be_gone() {
        let hidden = |before: u64, after: u64| {
            let mut customers = Customers::default();
            customers.see(before, at(0), confirmed(2));
            customers.see(after, at(3600), confirmed(2));
            assert_eq!(customers.hidden_since(), None, "once may be chance");
            customers.see(after, at(7200), confirmed(2));
            customers.hidden_since() == Some(at(3600))
        };
        assert_eq!(
            [hidden(10, 4), hidden(10, 5), hidden(8, 3), hidden(7, 3), hidden(0, 0)],
            [true, false, true, false, false]
        );
    }

    #[test]
    fn it_ends_with_recovery_or_after_a_month() {
        let mut customers = Customers::default();
        let mut day = 0;
        let mut see = |customers: &mut Customers, number| {
            day += 1;
            customers.see(number, at(day * 86_400), confirmed(1));
            customers.hidden_since().is_some()
        };
        assert!(!see(&mut customers, 100) && see(&mut customers, 10) && !see(&mut customers, 60));
        let days = (0..60).take_while(|_| see(&mut customers, 10)).count();
        assert_eq!(days, 29, "the 60 of the third day are forgotten after a month");
        assert!(customers.days.len() <= 30);
    }
}
