//! When something is due: at every interval, or by a cron expression in a time zone.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use toml::Value;

use super::fault::{Problem, shown};
use super::value;

/// Shorter would only burn the request budget.
const SHORTEST: Duration = Duration::from_secs(1);
/// Longer would leave a dead token unseen for a month.
const LONGEST: Duration = Duration::from_hours(31 * 24);
/// An expression may hold more fields than this only by mistake; longer ones are not parsed.
const LONGEST_EXPRESSION: usize = 200;

/// When something is due.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// At every interval, spread over the tokens.
    Every(Duration),
    /// At the moments of a cron expression with seconds, in a time zone.
    Cron(Box<Cron>, Tz),
}

impl Schedule {
    /// The first moment after `now` at which a cron schedule is due; `None` for an interval, or if there is none.
    pub fn next_occurrence(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Every(_) => None,
            Self::Cron(cron, zone) => {
                cron.find_next_occurrence(&now.with_timezone(zone), false).ok().map(|moment| moment.to_utc())
            }
        }
    }

    /// The interval, or for a cron expression the shortest mean distance of its moments over a busy hour or day.
    pub fn busiest_interval(&self) -> Duration {
        match self {
            Self::Every(interval) => *interval,
            Self::Cron(cron, zone) => busiest_interval(cron, *zone),
        }
    }
}

/// Counts the moments of eight days from a fixed Sunday on, so that the answer depends on the expression alone.
fn busiest_interval(cron: &Cron, zone: Tz) -> Duration {
    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;
    const DAYS: u64 = 8;
    /// An expression that is due every second has this many moments in an hour; no need to look further.
    const ENOUGH: usize = 4000;
    let start = DateTime::from_timestamp(1_798_934_400, 0).unwrap_or_default();
    // croner 3's own iterator leaves out every other second of `* * * * * *`.
    let next = |moment: &DateTime<Tz>| cron.find_next_occurrence(moment, false).ok();
    let moments: Vec<u64> = std::iter::successors(next(&start.with_timezone(&zone)), next)
        .take(ENOUGH)
        .map(|moment| u64::try_from((moment.to_utc() - start).num_seconds()).unwrap_or(0))
        .take_while(|seconds| *seconds < DAYS * DAY)
        .collect();
    let most_in = |window: u64| {
        let mut most = 0;
        let mut oldest = 0;
        for (index, moment) in moments.iter().enumerate() {
            while moments[oldest] + window <= *moment {
                oldest += 1;
            }
            most = most.max(index - oldest + 1);
        }
        most as u64
    };
    let (in_hour, in_day) = (most_in(HOUR), most_in(DAY));
    if in_hour > 1 {
        Duration::from_secs(HOUR / in_hour)
    } else {
        DAY.checked_div(in_day).map_or(LONGEST, Duration::from_secs)
    }
}

/// Reads a schedule: a duration, or else a cron expression.
pub(super) fn schedule(value: &Value, zone: Tz) -> Result<Schedule, Problem> {
    let allowed = "a duration such as \"5m\" (1s to 31d), or a cron expression with seconds such as \"0 */5 * * * *\"";
    let word = value::text(value, allowed)?;
    if !word.trim().contains(' ') || humantime::parse_duration(word).is_ok() {
        return value::duration(value, SHORTEST..=LONGEST)
            .map(Schedule::Every)
            .map_err(|problem| Problem::new(problem.problem, allowed));
    }
    let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Disallowed).build();
    let cron = if word.len() <= LONGEST_EXPRESSION { parser.parse(word).ok() } else { None };
    let cron = cron.ok_or_else(|| {
        Problem::new(format!("{} is neither a duration nor a cron expression with seconds", shown(word)), allowed)
    })?;
    let start = DateTime::<Utc>::from_str("2027-01-01T00:00:00Z").unwrap_or_default();
    if cron.find_next_occurrence(&start.with_timezone(&zone), true).is_err() {
        return Err(Problem::new(format!("{} never comes", shown(word)), allowed));
    }
    Ok(Schedule::Cron(Box::new(cron), zone))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(word: &str) -> Result<Schedule, Problem> {
        schedule(&Value::String(word.to_owned()), Tz::UTC)
    }

    #[test]
    fn a_schedule_is_a_duration_or_a_cron_expression_with_seconds() {
        assert_eq!(read("5m"), Ok(Schedule::Every(Duration::from_mins(5))));
        assert_eq!(read("1h 30m"), Ok(Schedule::Every(Duration::from_mins(90))));
        assert!(matches!(read("0 */5 * * * *"), Ok(Schedule::Cron(..))));
        for bad in ["", "5", "5 parsecs", "0s", "40d", "*/5 * * * *", "0 0 0 30 2 *", "61 * * * * *", "* * * * * * *"] {
            assert!(read(bad).is_err(), "{bad}: {:?}", read(bad));
        }
    }

    #[test]
    fn the_busiest_interval_of_a_cron_expression_is_that_of_its_busy_hours() {
        let cases = [
            ("0 */5 * * * *", 300),
            ("* * * * * *", 1),
            ("0 */5 8-17 * * MON-FRI", 300),
            ("0 0 */6 * * *", 6 * 3600),
            ("0 30 3 * * *", 24 * 3600),
        ];
        for (expression, seconds) in cases {
            let schedule = read(expression).expect("a valid expression");
            assert_eq!(schedule.busiest_interval(), Duration::from_secs(seconds), "{expression}");
        }
    }

    #[test]
    fn a_cron_schedule_follows_its_zone_over_a_change_of_clocks() {
        let schedule = schedule(&Value::String("0 30 2 * * *".to_owned()), Tz::America__New_York).expect("valid");
        let next = |now: &str| {
            schedule.next_occurrence(DateTime::from_str(now).expect("a moment")).map(|moment| moment.to_rfc3339())
        };
        assert_eq!(next("2027-03-12T12:00:00Z").as_deref(), Some("2027-03-13T07:30:00+00:00"));
        // 02:30 does not exist on 2027-03-14; the check is not skipped.
        assert_eq!(next("2027-03-13T12:00:00Z").as_deref(), Some("2027-03-14T07:00:00+00:00"));
        assert_eq!(next("2027-03-14T12:00:00Z").as_deref(), Some("2027-03-15T06:30:00+00:00"));
    }
}
