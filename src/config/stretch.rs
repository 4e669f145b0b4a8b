//! How far the intervals of the schedule are stretched where the budget does not carry them: both by the same factor, so that
//! they stay in proportion, and no further than they must. Pure.

use std::time::Duration;

use super::cost::{Frequency, Load};
use super::schedule::Schedule;
use super::{SYNCRO_REQUESTS_PER_MINUTE, Schedules};

/// The share of the budget that stretched intervals use: what is confirmed, asked by hand or near its expiry needs the rest.
const USED: f64 = 0.98;

/// How often a check of each token is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    /// How often it was asked for.
    pub target: Duration,
    /// How often it is made.
    pub holds: Duration,
}

/// How often each token is checked, and what that costs against the budget.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Intervals {
    /// The check whether the token works.
    pub validity: Interval,
    /// The check of its permissions.
    pub permissions: Interval,
    /// The requests a minute that the targets need from the source address that most is asked from.
    pub needed: f64,
    /// The requests a minute that may be sent from each source address.
    pub budget: f64,
    /// The number of source addresses.
    pub sources: usize,
    /// The number of tokens.
    tokens: usize,
    /// Whether one `/me` serves both checks.
    coincide: bool,
}

impl Intervals {
    /// What was asked for, which a budget of 90 requests a minute carries.
    #[cfg(test)]
    pub(crate) fn as_asked_for(validity: Duration, permissions: Duration) -> Self {
        let [validity, permissions] = [validity, permissions].map(|target| Interval { target, holds: target });
        Self { validity, permissions, needed: 1.0, budget: 90.0, sources: 1, tokens: 0, coincide: true }
    }

    /// How often the two checks are made.
    pub(super) fn holding(&self) -> Frequency {
        Frequency { validity: self.validity.holds, permissions: self.permissions.holds, coincide: self.coincide }
    }

    /// Whether the budget is too small for the targets.
    pub(crate) fn are_stretched(&self) -> bool {
        self.validity.holds > self.validity.target || self.permissions.holds > self.permissions.target
    }

    /// What holds instead of the targets, as a sentence without its full stop; `None` where the targets hold.
    pub(crate) fn stretched(&self) -> Option<String> {
        let changed = |Interval { target, holds }| format!("every {} instead of {}", shown(holds), shown(target));
        self.are_stretched().then(|| {
            format!(
                "the budget of {} requests a minute{} carries a validity check {} and a permission check {}",
                self.budget,
                self.of_each_source(),
                changed(self.validity),
                changed(self.permissions),
            )
        })
    }

    /// Of what the budget is, where there are several.
    fn of_each_source(&self) -> String {
        if self.sources > 1 { format!(" for each of {} source addresses", self.sources) } else { String::new() }
    }

    /// What would restore the targets, as a sentence without its full stop.
    pub(crate) fn remedy(&self) -> String {
        let budget = self.needed.ceil();
        let limit = if budget > f64::from(SYNCRO_REQUESTS_PER_MINUTE) {
            format!(", more than the {SYNCRO_REQUESTS_PER_MINUTE} that Syncro allows one address")
        } else {
            String::new()
        };
        let tokens = (self.tokens as f64 * self.budget / self.needed).floor();
        let fewer = match tokens {
            ..1.0 => String::new(),
            1.0 => ", or only one token like these".to_owned(),
            _ => format!(", or at most {tokens} tokens like these"),
        };
        format!("the targets need a budget of {budget} requests a minute{}{limit}{fewer}", self.of_each_source())
    }
}

/// A duration as it is read: in whole seconds below an hour, and in whole minutes above.
fn shown(duration: Duration) -> String {
    let unit = if duration < Duration::from_hours(1) { 1 } else { 60 };
    let seconds = duration.as_secs().div_ceil(unit) * unit;
    humantime::format_duration(Duration::from_secs(seconds)).to_string()
}

/// Stretches a schedule to what the budget of each source address carries, by what is asked from it. Returns the intervals that hold.
///
/// # Errors
/// The requests a minute that are needed if the validity of each token is checked as seldom as `at_most` allows, where that
/// is still more than the budget.
pub(super) fn stretch(schedule: &mut Schedules, loads: &[Load], budget: f64) -> Result<Intervals, f64> {
    let pace = Pace::of(schedule);
    let needed_at = |factor| loads.iter().map(|load| load.requests_per_minute(pace.at(factor))).fold(0.0, f64::max);
    let needed = needed_at(1.0);
    let widest = (schedule.at_most.as_secs_f64() / pace.validity.as_secs_f64()).max(1.0);
    let holds = if needed <= budget {
        pace.at(1.0)
    } else {
        let fits = |factor: f64| needed_at(factor) <= USED * budget;
        if !fits(widest) {
            return Err(needed_at(widest));
        }
        // The least factor that fits lies between the two.
        let (mut short, mut fitting) = (1.0, widest);
        while fitting - short > 0.000_1 * short {
            let middle = f64::midpoint(short, fitting);
            if fits(middle) { fitting = middle } else { short = middle }
        }
        pace.at(fitting)
    };
    let validity = Interval { target: pace.validity, holds: holds.validity };
    let permissions = Interval { target: pace.permissions, holds: holds.permissions };
    schedule.validity.space(validity.holds.saturating_sub(validity.target));
    schedule.permissions.space(permissions.holds.saturating_sub(permissions.target));
    let tokens = loads.iter().map(|load| load.tokens).sum();
    Ok(Intervals { validity, permissions, needed, budget, sources: loads.len(), tokens, coincide: holds.coincide })
}

/// The targets of a schedule, and how each of them can be stretched.
struct Pace {
    validity: Duration,
    permissions: Duration,
    /// Of a cron expression, every second or third moment is used, and so on.
    in_steps: [bool; 2],
    /// How many validity checks there are for each permission check, if they coincide.
    ratio: Option<u32>,
}

impl Pace {
    fn of(schedule: &Schedules) -> Self {
        let [validity, permissions] = [&schedule.validity, &schedule.permissions].map(Schedule::busiest_interval);
        let in_steps = [&schedule.validity, &schedule.permissions].map(|one| matches!(one, Schedule::Cron { .. }));
        let coincide = in_steps == [false; 2] && permissions.as_millis().is_multiple_of(validity.as_millis().max(1));
        let ratio = coincide.then(|| (permissions.as_millis() / validity.as_millis().max(1)).try_into().ok()).flatten();
        Self { validity, permissions, in_steps, ratio }
    }

    /// Both intervals, that many times as long.
    fn at(&self, factor: f64) -> Frequency {
        let times = |interval: Duration, in_steps: bool| {
            if factor <= 1.0 {
                interval
            } else if in_steps {
                interval.mul_f64(factor.ceil())
            } else {
                // Checks are due on whole seconds.
                Duration::from_secs_f64(interval.mul_f64(factor).as_secs_f64().ceil())
            }
        };
        let validity = times(self.validity, self.in_steps[0]);
        let permissions = match self.ratio {
            Some(ratio) => validity.saturating_mul(ratio),
            None => times(self.permissions, self.in_steps[1]),
        };
        Frequency { validity, permissions, coincide: self.ratio.is_some() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Zone;
    use toml::Value;

    const MINUTE: Duration = Duration::from_mins(1);

    fn schedules(validity: &str, permissions: &str) -> Schedules {
        let read =
            |word: &str| super::super::schedule::schedule(&Value::String(word.to_owned()), &Zone::utc()).unwrap();
        Schedules {
            validity: read(validity),
            permissions: read(permissions),
            at_most: Duration::from_hours(24),
            near_expiry: MINUTE,
        }
    }

    /// So many tokens with nine probes each, in tenants of three.
    fn load(tokens: usize) -> Load {
        Load { tenants: tokens / 3, tokens, probes: 9 * tokens, ..Load::default() }
    }

    fn minutes(interval: Interval) -> [u64; 2] {
        [interval.target, interval.holds].map(|duration| duration.as_secs() / 60)
    }

    #[test]
    fn targets_hold_while_the_budget_carries_them() {
        let mut schedule = schedules("5m", "1h");
        let intervals = stretch(&mut schedule, &[load(240)], 90.0).unwrap();
        assert!(!intervals.are_stretched() && intervals.stretched().is_none(), "{intervals:?}");
        assert_eq!(schedule, schedules("5m", "1h"));
    }

    #[test]
    fn both_intervals_are_stretched_alike_until_the_budget_is_used_and_no_further() {
        for (tokens, budget) in [(270, 90.0), (600, 90.0), (5_000, 180.0), (50_000, 720.0), (30, 1.0)] {
            let mut schedule = schedules("5m", "1h");
            let intervals = stretch(&mut schedule, &[load(tokens)], budget).unwrap();
            let Intervals { validity, permissions, .. } = intervals;
            assert_eq!(permissions.holds, 12 * validity.holds, "{tokens}: one `/me` still serves both");
            let of = |schedule: &Schedules| load(tokens).requests_per_minute(Pace::of(schedule).at(1.0));
            let used = of(&schedule) / budget;
            assert!((0.97..=0.98).contains(&used), "{tokens}: {used} of the budget is used: {intervals:?}");
        }
    }

    #[test]
    fn a_cron_expression_skips_moments_instead_of_leaving_them() {
        let mut schedule = schedules("0 */5 * * * *", "0 0 * * * *");
        let intervals = stretch(&mut schedule, &[load(600)], 90.0).unwrap();
        assert_eq!((minutes(intervals.validity), minutes(intervals.permissions)), ([5, 15], [60, 180]));
        let at = crate::testing::at(3);
        let next = schedule.validity.next_occurrence(at).unwrap();
        assert_eq!((next - at).num_seconds(), 15 * 60 - 3);
    }

    #[test]
    fn nothing_is_stretched_beyond_what_is_allowed() {
        let mut schedule = schedules("5m", "1h");
        schedule.at_most = 10 * MINUTE;
        let needed = stretch(&mut schedule, &[load(600)], 90.0).unwrap_err();
        assert!((100.0..120.0).contains(&needed), "{needed}");
        assert_eq!(schedule.validity, schedules("5m", "1h").validity, "it is left as it was");
        schedule.at_most = 20 * MINUTE;
        assert!(stretch(&mut schedule, &[load(600)], 90.0).unwrap().validity.holds <= 20 * MINUTE);
    }

    #[test]
    fn the_source_address_that_most_is_asked_from_decides() {
        let of = |loads: &[Load]| stretch(&mut schedules("5m", "1h"), loads, 90.0).unwrap();
        assert!(!of(&[load(240), load(120)]).are_stretched(), "each has a budget of its own");
        let uneven = of(&[load(600), load(60)]);
        assert_eq!(uneven.validity, of(&[load(600)]).validity);
        assert_eq!(
            uneven.stretched().unwrap(),
            "the budget of 90 requests a minute for each of 2 source addresses carries a validity check every 12m 30s instead \
             of 5m and a permission check every 2h 30m instead of 1h"
        );
        assert_eq!(
            uneven.remedy(),
            "the targets need a budget of 221 requests a minute for each of 2 source addresses, more than the 180 that Syncro \
             allows one address, or at most 269 tokens like these"
        );
    }

    #[test]
    fn it_is_said_what_holds_and_what_would_restore_the_targets() {
        let of = |tokens: usize, budget: f64| stretch(&mut schedules("5m", "1h"), &[load(tokens)], budget).unwrap();
        assert_eq!(
            of(600, 90.0).stretched().unwrap(),
            "the budget of 90 requests a minute carries a validity check every 12m 30s instead of 5m and a permission \
             check every 2h 30m instead of 1h"
        );
        assert_eq!(
            of(600, 90.0).remedy(),
            "the targets need a budget of 221 requests a minute, more than the 180 that Syncro allows one address, or at \
             most 245 tokens like these"
        );
        assert_eq!(
            of(300, 90.0).remedy(),
            "the targets need a budget of 111 requests a minute, or at most 245 tokens like these"
        );
    }
}
