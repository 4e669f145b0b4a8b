//! When a check is due: at every interval, or by a cron expression in a time zone. Pure.

use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, Utc};
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use toml::Value;

use super::fault::{Problem, shown};
use super::value;
use crate::model::Zone;

/// The shortest interval; a shorter one would only burn the request budget.
const SHORTEST: Duration = Duration::from_secs(1);
/// The longest interval; a longer one would leave a dead token unseen for a month.
const LONGEST: Duration = Duration::from_hours(31 * 24);
/// The most characters of a cron expression; a longer one is a mistake and is not parsed.
const LONGEST_EXPRESSION: usize = 200;

/// When a check is due.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// At every interval, spread over the tokens.
    Every(Duration),
    /// At the moments of a cron expression with seconds.
    Cron {
        /// The expression.
        cron: Box<Cron>,
        /// The time zone in which it is read.
        zone: Zone,
        /// How long after a check the moments are skipped that the budget does not carry.
        skipped: Duration,
    },
}

impl Schedule {
    /// The first moment after `now` at which a cron schedule is due; `None` for an interval, or if there is none.
    pub(crate) fn next_occurrence(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Every(_) => None,
            Self::Cron { cron, zone, skipped } => next(cron, zone, now + *skipped, false),
        }
    }

    /// Makes a check of each token due by so much more seldom.
    pub(super) fn space(&mut self, by: Duration) {
        match self {
            Self::Every(interval) => *interval += by,
            Self::Cron { skipped, .. } => *skipped += by,
        }
    }

    /// The interval, or for a cron expression the shortest mean distance of its moments over a busy hour or day.
    pub(crate) fn busiest_interval(&self) -> Duration {
        match self {
            Self::Every(interval) => *interval,
            Self::Cron { cron, zone, skipped } => busiest_interval(cron, zone) + *skipped,
        }
    }
}

/// What a change of clocks does to the moments of an expression, by the rules of Vixie's cron.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Changes {
    /// Whether it is due in both passes of an hour that comes twice: so is an expression that repeats, such as one for
    /// every five minutes.
    repeats: bool,
    /// Whether it is due at the end of an hour that is skipped if it would have been due in it. One that is due in
    /// every hour is not, as it is due soon after anyway.
    snaps: bool,
}

impl Changes {
    fn of(cron: &Cron) -> Self {
        let fields: Vec<_> = cron.as_str().split_whitespace().take(3).collect();
        let repeats = fields.iter().any(|field| field.contains(['*', '?', '/']));
        let snaps = fields.get(2).is_none_or(|hour| !matches!(*hour, "*" | "?" | "*/1"));
        Self { repeats, snaps }
    }
}

/// The first moment after `from`, or at it if that counts, at which an expression is due in a zone. croner itself skips
/// the second pass of an hour that comes twice and returns to the first, so it is asked only within stretches of time
/// in which clocks are not changed.
fn next(cron: &Cron, zone: &Zone, from: DateTime<Utc>, inclusive: bool) -> Option<DateTime<Utc>> {
    /// Enough for two changes of clocks a year, over the years until a leap day falls on the right day of the week, and
    /// for the moments of an hour that comes twice.
    const MOST_STEPS: usize = 10_000;
    let changes = Changes::of(cron);
    let (mut from, mut inclusive) = (from.trunc_subsecs(0), inclusive);
    let mut offset = zone.offset_at(from);
    for _ in 0..MOST_STEPS {
        let due = cron.find_next_occurrence(&from.with_timezone(&offset), inclusive).ok()?.to_utc();
        let Some(change) = zone.next_change(from, due) else {
            if changes.repeats || !zone.is_repeated(due) {
                return Some(due);
            }
            (from, inclusive) = (due, false);
            continue;
        };
        let after = zone.offset_at(change);
        if changes.snaps && after.local_minus_utc() > offset.local_minus_utc() {
            // Where the clocks would be if they had not been changed.
            let skipped = cron.find_next_occurrence(&change.with_timezone(&offset), true).ok()?.naive_local();
            if skipped < change.with_timezone(&after).naive_local() {
                return Some(change);
            }
        }
        (from, inclusive, offset) = (change, true, after);
    }
    None
}

/// Counts the moments of eight days from a fixed Sunday on, so that the answer depends on the expression alone.
fn busiest_interval(cron: &Cron, zone: &Zone) -> Duration {
    const HOUR: u64 = 3600;
    const DAY: u64 = 24 * HOUR;
    const DAYS: u64 = 8;
    /// An expression that is due every second has fewer moments than this in an hour, so no more are needed.
    const ENOUGH: usize = 4000;
    let start = DateTime::from_timestamp(1_798_934_400, 0).unwrap_or_default();
    let next = |moment: &DateTime<Utc>| next(cron, zone, *moment, false);
    let moments: Vec<u64> = std::iter::successors(next(&start), next)
        .take(ENOUGH)
        .map(|moment| u64::try_from((moment - start).num_seconds()).unwrap_or(0))
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
pub(super) fn schedule(value: &Value, zone: &Zone) -> Result<Schedule, Problem> {
    let allowed = "a duration such as \"5m\" (1s to 31d), or a cron expression with seconds such as \"0 */5 * * * *\"";
    let word = value::text(value, allowed)?;
    if !word.trim().contains(' ') || humantime::parse_duration(word).is_ok() {
        return value::duration(value, SHORTEST..=LONGEST)
            .map(Schedule::Every)
            .map_err(|problem| Problem::new(problem.problem, allowed));
    }
    let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Disallowed).build();
    // croner takes a list with nothing in it, and then searches three thousand years for a moment.
    let says =
        |item: &str| item.contains(|character: char| character.is_ascii_alphanumeric() || "*?".contains(character));
    let is_whole = |field: &str| field.split(',').all(says);
    let is_sound = word.len() <= LONGEST_EXPRESSION && word.split_whitespace().all(is_whole);
    let cron = if is_sound { parser.parse(word).ok() } else { None };
    let cron = cron.ok_or_else(|| {
        Problem::new(format!("{} is neither a duration nor a cron expression with seconds", shown(word)), allowed)
    })?;
    let start = DateTime::<Utc>::from_str("2027-01-01T00:00:00Z").unwrap_or_default();
    if next(&cron, zone, start, true).is_none() {
        return Err(Problem::new(format!("{} never comes", shown(word)), allowed));
    }
    Ok(Schedule::Cron { cron: Box::new(cron), zone: zone.clone(), skipped: Duration::ZERO })
}

#[cfg(test)]
mod tests {
    use chrono::{NaiveDateTime, TimeDelta};
    use proptest::prelude::*;

    use super::*;

    fn read(word: &str) -> Result<Schedule, Problem> {
        schedule(&Value::String(word.to_owned()), &Zone::utc())
    }

    fn zone(name: &str) -> Zone {
        Zone::built_in(name).expect("a built-in zone")
    }

    /// The moments from one to another at which an expression is due.
    fn due(expression: &str, zone: &Zone, from: &str, until: &str) -> Vec<String> {
        let schedule = schedule(&Value::String(expression.to_owned()), zone).expect("valid");
        let moment = |text: &str| DateTime::from_str(text).expect("a moment");
        let next = |now: &DateTime<Utc>| schedule.next_occurrence(*now);
        let all = std::iter::successors(next(&moment(from)), next).take_while(|due| *due <= moment(until));
        all.map(|due| due.format("%dT%H:%MZ").to_string()).collect()
    }

    #[test]
    fn a_schedule_is_a_duration_or_a_cron_expression_with_seconds() {
        assert_eq!(read("5m"), Ok(Schedule::Every(Duration::from_mins(5))));
        assert_eq!(read("1h 30m"), Ok(Schedule::Every(Duration::from_mins(90))));
        assert!(matches!(read("0 */5 * * * *"), Ok(Schedule::Cron { .. })));
        for bad in [
            "",
            "5",
            "5 parsecs",
            "0s",
            "40d",
            "*/5 * * * *",
            "0 0 0 30 2 *",
            "61 * * * * *",
            "* * * * * * *",
            "0 0 , 15W * *",
            "0 0 1, * * *",
            "0 0 1 22 9 +",
        ] {
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
        let schedule = schedule(&Value::String("0 30 2 * * *".to_owned()), &zone("America/New_York")).expect("valid");
        let next = |now: &str| {
            schedule.next_occurrence(DateTime::from_str(now).expect("a moment")).map(|moment| moment.to_rfc3339())
        };
        assert_eq!(next("2027-03-12T12:00:00Z").as_deref(), Some("2027-03-13T07:30:00+00:00"));
        // 02:30 does not exist on 2027-03-14; the check is not skipped.
        assert_eq!(next("2027-03-13T12:00:00Z").as_deref(), Some("2027-03-14T07:00:00+00:00"));
        assert_eq!(next("2027-03-14T12:00:00Z").as_deref(), Some("2027-03-15T06:30:00+00:00"));
    }

    #[test]
    fn an_hour_that_comes_twice_is_watched_twice_but_daily_once() {
        let new_york = zone("America/New_York");
        let night = |expression: &str| due(expression, &new_york, "2027-11-07T05:00:00Z", "2027-11-07T07:00:00Z");
        assert_eq!(night("0 */30 * * * *"), ["07T05:30Z", "07T06:00Z", "07T06:30Z", "07T07:00Z"]);
        assert_eq!(night("0 */30 1 * * *"), ["07T05:30Z", "07T06:00Z", "07T06:30Z"]);
        assert_eq!(night("0 30 * * * *"), ["07T05:30Z", "07T06:30Z"]);
        assert_eq!(night("0 30 1 * * *"), ["07T05:30Z"]);
        assert_eq!(night("0 0,30 1,2 * * *"), ["07T05:30Z", "07T07:00Z"]);
        assert_eq!(due("0 30 1 * * *", &new_york, "2027-11-07T06:10:00Z", "2027-11-08T12:00:00Z"), ["08T06:30Z"]);
        let lord_howe = zone("Australia/Lord_Howe");
        let night = |expression: &str| due(expression, &lord_howe, "2027-04-03T14:00:00Z", "2027-04-03T15:30:00Z");
        assert_eq!(night("0 */15 1 * * *"), ["03T14:15Z", "03T14:30Z", "03T14:45Z", "03T15:00Z", "03T15:15Z"]);
    }

    #[test]
    fn what_would_be_due_in_a_skipped_hour_is_due_at_its_end_once() {
        let new_york = zone("America/New_York");
        let night = |expression: &str| due(expression, &new_york, "2027-03-14T06:00:00Z", "2027-03-14T07:40:00Z");
        assert_eq!(night("0 30 2 * * *"), ["14T07:00Z"]);
        assert_eq!(night("0 0,15,30 2 * * *"), ["14T07:00Z"]);
        assert_eq!(night("0 */15 2 * * *"), ["14T07:00Z"]);
        assert_eq!(night("0 30 2,3 * * *"), ["14T07:00Z", "14T07:30Z"]);
        assert_eq!(night("0 7 * * * *"), ["14T06:07Z", "14T07:07Z"], "it is due soon after anyway");
        let apia = due("0 0 12 30 12 *", &zone("Pacific/Apia"), "2011-12-29T00:00:00Z", "2011-12-31T23:00:00Z");
        assert_eq!(apia, ["30T10:00Z"], "the day of which there was none");
        let santiago = due("0 0 0 * * *", &zone("America/Santiago"), "2027-09-04T12:00:00Z", "2027-09-06T12:00:00Z");
        assert_eq!(santiago, ["05T04:00Z", "06T03:00Z"]);
    }

    const ODD: [&str; 8] = [
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Africa/Casablanca",
        "Antarctica/Troll",
        "America/New_York",
        "America/Santiago",
        "Europe/Dublin",
        "Pacific/Chatham",
    ];

    proptest! {
        #[test]
        fn a_schedule_that_repeats_is_due_at_every_fitting_minute(
            name in proptest::sample::select(&ODD),
            start in 1_250_000_000_i64..2_400_000_000,
            step in proptest::sample::select(&[5_i64, 10, 15, 30]),
        ) {
            // Begin a little before clocks are changed.
            let zone = zone(name);
            let start = DateTime::from_timestamp(start, 0).expect("a moment");
            let change = zone.next_change(start, start + TimeDelta::days(300)).unwrap_or(start);
            let mut now = change - TimeDelta::hours(2);
            let schedule = schedule(&Value::String(format!("0 */{step} * * * *")), &zone).expect("valid");
            let minute = |moment: DateTime<Utc>| i64::from(chrono::Timelike::minute(&zone.local(moment)));
            let whole = |moment: DateTime<Utc>| chrono::Timelike::second(&zone.local(moment)) == 0;
            while now < change + TimeDelta::hours(2) {
                let next = schedule.next_occurrence(now).expect("due");
                let first = (1..=3600).map(|seconds| now.trunc_subsecs(0) + TimeDelta::seconds(seconds));
                let first = first.into_iter().find(|moment| whole(*moment) && minute(*moment) % step == 0);
                prop_assert_eq!(Some(next), first, "{} from {}", name, now);
                now = next;
            }
        }

        #[test]
        fn a_daily_schedule_is_due_once_each_day_of_the_calendar(
            name in proptest::sample::select(&ODD),
            start in 1_250_000_000_i64..2_400_000_000,
            hour in 0_u32..24,
            minute in 0_u32..60,
        ) {
            let zone = zone(name);
            let start = DateTime::from_timestamp(start, 0).expect("a moment");
            let change = zone.next_change(start, start + TimeDelta::days(300)).unwrap_or(start);
            let schedule = schedule(&Value::String(format!("0 {minute} {hour} * * *")), &zone).expect("valid");
            let first = zone.local(change).date() - TimeDelta::days(3);
            let wanted: Vec<NaiveDateTime> =
                (0..6).filter_map(|day| (first + TimeDelta::days(day)).and_hms_opt(hour, minute, 0)).collect();
            // A time that is skipped is due when clocks skip it; two that are skipped at once are due once.
            let mut wanted: Vec<_> = wanted.into_iter().map(|time| zone.first_moment(time)).collect();
            wanted.dedup();
            let mut now = wanted[0] - TimeDelta::seconds(1);
            for due in wanted {
                now = schedule.next_occurrence(now).expect("due");
                prop_assert_eq!(now, due, "{}", name);
            }
        }
    }
}
