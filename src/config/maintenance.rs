//! `[[maintenance]]`: times at which checks go on and alerts are suppressed. Pure.

use std::str::FromStr;

use chrono::{DateTime, Datelike, Days, NaiveDate, NaiveTime, TimeDelta, Utc, Weekday};
use toml::Value;

use super::context::Context;
use super::fault::{Problem, shown};
use super::raw::{Notes, Section};
use super::value;
use crate::model::Zone;

/// A time at which alerts are suppressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Maintenance {
    /// The names of the tenants whose alerts are suppressed; those of every tenant if it is empty.
    pub tenants: Vec<String>,
    /// The time at which they are suppressed.
    pub window: Window,
}

/// The time of a maintenance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Window {
    /// A span of time that comes once.
    Once {
        /// The first moment of it.
        from: DateTime<Utc>,
        /// The first moment after it.
        to: DateTime<Utc>,
    },
    /// A span of time that comes every week.
    Weekly {
        /// The days on which it begins.
        weekdays: Vec<Weekday>,
        /// The time of day at which it begins.
        begin: NaiveTime,
        /// How long it takes by the local clock.
        length: TimeDelta,
        /// The time zone of the local clock.
        zone: Zone,
    },
}

impl Maintenance {
    /// Until when this window suppresses the alerts of a tenant, if it does so at `now`.
    pub(crate) fn suppressed_until(&self, tenant: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if !self.tenants.is_empty() && !self.tenants.iter().any(|name| name == tenant) {
            return None;
        }
        match &self.window {
            Window::Once { from, to } => (*from <= now && now < *to).then_some(*to),
            Window::Weekly { weekdays, begin, length, zone } => {
                let today = zone.local(now).date();
                // One that began yesterday may last until today.
                let days = [today.checked_sub_days(Days::new(1)), Some(today)].into_iter().flatten();
                let days = days.filter(|day| weekdays.contains(&day.weekday()));
                let spans = days.filter_map(|day| span(day, *begin, *length, zone));
                spans.filter(|(from, to)| *from <= now && now < *to).map(|(_, to)| to).max()
            }
        }
    }
}

/// Until when any of these windows suppresses the alerts of a tenant, if one does so at `now`.
pub(crate) fn suppressed_until(all: &[Maintenance], tenant: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    all.iter().filter_map(|maintenance| maintenance.suppressed_until(tenant, now)).max()
}

/// The window that begins on this day, by the local clock: a change of clocks makes it shorter or longer.
fn span(day: NaiveDate, begin: NaiveTime, length: TimeDelta, zone: &Zone) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
    let from = day.and_time(begin);
    let to = from.checked_add_signed(length)?;
    Some((zone.first_moment(from), zone.first_moment(to)))
}

/// What was read from `[[maintenance]]`.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) maintenance: Vec<Maintenance>,
    /// The tenants that each entry names, with its key. Which of them exist can be checked only when all files have
    /// been read.
    pub(super) named: Vec<(String, Vec<String>)>,
}

/// Reads all entries of `[[maintenance]]`.
pub(super) fn maintenance(root: &mut Section<'_>, zone: &Zone, context: &Context<'_>, notes: &mut Notes<'_>) -> Read {
    let mut read = Read::default();
    for section in root.sections("maintenance", notes) {
        let path = section.path("tenants");
        let (tenants, window) = one(section, zone, context, notes);
        read.maintenance.extend(window.map(|window| Maintenance { tenants: tenants.clone(), window }));
        read.named.push((path, tenants));
    }
    read
}

/// Reads one entry: the names of its tenants, and its window.
fn one(
    mut section: Section<'_>,
    zone: &Zone,
    context: &Context<'_>,
    notes: &mut Notes<'_>,
) -> (Vec<String>, Option<Window>) {
    let tenants = section.read_list("tenants", "a list of tenant names", notes, value::name);
    let weekdays = section.read_list("weekdays", "a list such as [\"sat\", \"sun\"]", notes, weekday);
    let times = section.read("times", notes, times);
    let own = section.read("time_zone", notes, |value| value::time_zone(value, context));
    let zone = own.unwrap_or_else(|| zone.clone());
    let from = section.read("from", notes, |value| value::moment(value, &zone));
    let to = section.read("to", notes, |value| value::moment(value, &zone));
    let (weekly, once) = (["weekdays", "times"], ["from", "to"]);
    let has = |keys: [&str; 2]| keys.into_iter().any(|key| section.has(key));
    let path = section.path(if has(once) { "from" } else { "times" });
    let ends = section.path("to");
    match (has(weekly), has(once)) {
        (true, true) | (false, false) => {
            let allowed = "`times` with `weekdays` for every week, or `from` and `to` for once";
            let problem = if has(once) { "every week and once" } else { "missing" };
            notes.fault(&path, Problem::new(problem, allowed));
        }
        (true, false) if !section.has("times") => {
            notes.fault(&path, Problem::new("missing", "times such as \"22:00-04:00\""));
        }
        (false, true) if !(section.has("from") && section.has("to")) => {
            notes.fault(&ends, Problem::new("missing", "`from` and `to` together"));
        }
        _ => {}
    }
    if let (Some(from), Some(to)) = (from, to)
        && to <= from
    {
        notes.fault(&ends, Problem::new("ends before it begins", "a later moment than `from`"));
    }
    section.finish(notes);
    let window = match (times, from, to) {
        (Some((begin, length)), ..) => {
            const ALL: [Weekday; 7] =
                [Weekday::Mon, Weekday::Tue, Weekday::Wed, Weekday::Thu, Weekday::Fri, Weekday::Sat, Weekday::Sun];
            Some(Window::Weekly { weekdays: weekdays.unwrap_or_else(|| ALL.to_vec()), begin, length, zone })
        }
        (None, Some(from), Some(to)) => Some(Window::Once { from, to }),
        _ => None,
    };
    (tenants.unwrap_or_default(), window)
}

fn weekday(value: &Value) -> Result<Weekday, Problem> {
    let allowed = "a day such as \"mon\" or \"monday\"";
    let word = value::text(value, allowed)?;
    Weekday::from_str(word).map_err(|_| Problem::new(format!("{} is not a day of the week", shown(word)), allowed))
}

/// `22:00-04:00`: the beginning, and how long it lasts; over midnight if it ends earlier in the day than it begins.
fn times(value: &Value) -> Result<(NaiveTime, TimeDelta), Problem> {
    let allowed = "two times such as \"22:00-04:00\"";
    let word = value::text(value, allowed)?;
    let time = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M").ok();
    let parsed = word.split_once('-').and_then(|(begin, end)| Some((time(begin)?, time(end)?)));
    let (begin, end) = parsed.ok_or_else(|| Problem::new(format!("{} are not two times", shown(word)), allowed))?;
    let length = end - begin;
    // From a time to the same time is a whole day.
    Ok((begin, if length > TimeDelta::zero() { length } else { length + TimeDelta::days(1) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weekly(days: &[&str], word: &str, zone: &str) -> Maintenance {
        let zone = Zone::built_in(zone).expect("a built-in zone");
        let text = |word: &str| Value::String(word.to_owned());
        let weekdays = days.iter().map(|day| weekday(&text(day)).expect("a day")).collect();
        let (begin, length) = times(&text(word)).expect("times");
        Maintenance { tenants: vec!["acme".to_owned()], window: Window::Weekly { weekdays, begin, length, zone } }
    }

    #[test]
    fn a_weekly_window_follows_the_local_clock_over_midnight_and_over_a_change_of_clocks() {
        let night = weekly(&["sat"], "22:00-04:00", "America/New_York");
        let cases = [
            ("2027-03-13T01:00:00Z", None, "Friday evening"),
            ("2027-03-14T02:59:59Z", None, "a second before 22:00"),
            // Clocks go forward at 02:00 on Sunday: 04:00 is an hour sooner.
            ("2027-03-14T03:00:00Z", Some("2027-03-14T08:00:00+00:00"), "22:00 on Saturday"),
            ("2027-03-14T07:59:59Z", Some("2027-03-14T08:00:00+00:00"), "just before its end"),
            ("2027-03-14T08:00:00Z", None, "its end"),
            ("2027-03-15T03:00:00Z", None, "22:00 on Sunday"),
        ];
        for (now, until, case) in cases {
            let now = now.parse().expect("a moment");
            assert_eq!(night.suppressed_until("acme", now).map(|at| at.to_rfc3339()).as_deref(), until, "{case}");
            assert_eq!(night.suppressed_until("other", now), None, "{case}");
        }
        let always = weekly(&["mon", "tuesday"], "09:00-09:00", "UTC");
        let now = "2027-03-16T08:59:00Z".parse().expect("a moment");
        assert_eq!(
            always.suppressed_until("acme", now).map(|at| at.to_rfc3339()).as_deref(),
            Some("2027-03-16T09:00:00+00:00")
        );
    }

    #[test]
    fn a_window_that_comes_once_suppresses_every_tenant_if_it_names_none() {
        let (from, to) = ("2026-12-24T18:00:00Z", "2026-12-27T06:00:00Z");
        let at = |text: &str| text.parse::<DateTime<Utc>>().expect("a moment");
        let window = Window::Once { from: at(from), to: at(to) };
        let maintenance = Maintenance { tenants: Vec::new(), window };
        assert_eq!(maintenance.suppressed_until("anybody", at(from)), Some(at(to)));
        assert_eq!(maintenance.suppressed_until("anybody", at(to)), None);
    }

    #[test]
    fn times_and_days_that_are_none_are_refused() {
        let text = |word: &str| Value::String(word.to_owned());
        for bad in ["", "22:00", "22-04", "25:00-04:00", "22:00-04:00-05:00"] {
            assert!(times(&text(bad)).is_err(), "{bad}");
        }
        assert!(weekday(&text("someday")).is_err());
    }
}
