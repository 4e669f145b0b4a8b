//! `digest` of a receiver: the moments at which it is sent a summary, such as `Mon 08:00`. Pure.

use std::str::FromStr;

use chrono::{DateTime, Days, NaiveTime, Utc, Weekday};
use toml::Value;

use crate::config::fault::{Problem, shown};
use crate::config::raw::{Notes, Section};
use crate::config::value;
use crate::model::Zone;

use super::{Format, ReceiverKind, Webhook};

/// How many days are searched for a moment: a week and a day on either side, since zones differ by more than a day.
const DAYS: u64 = 8;

/// When a receiver is sent a digest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DigestSchedule {
    /// The days on which it is sent; every day if there is none.
    weekdays: Vec<Weekday>,
    /// The time of day.
    time: NaiveTime,
    /// The zone of that time, and of the moments in the digest.
    zone: Zone,
}

impl DigestSchedule {
    /// The last moment at which a digest was due, up to `now`.
    pub(crate) fn latest(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let newest = self.zone.local(now).date().checked_add_days(Days::new(1))?;
        let days = (0..=DAYS + 1).filter_map(|back| newest.checked_sub_days(Days::new(back)));
        self.moments(days).find(|moment| *moment <= now)
    }

    /// The first moment after `after` at which a digest is due.
    pub(crate) fn next(&self, after: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let oldest = self.zone.local(after).date().checked_sub_days(Days::new(1))?;
        let days = (0..=DAYS + 1).filter_map(|ahead| oldest.checked_add_days(Days::new(ahead)));
        self.moments(days).find(|moment| *moment > after)
    }

    /// The moments on these days. A time that the clocks skip is the moment at which they do, and one that comes twice is
    /// the first.
    fn moments(&self, days: impl Iterator<Item = chrono::NaiveDate>) -> impl Iterator<Item = DateTime<Utc>> {
        let is_meant = |day: &chrono::NaiveDate| {
            self.weekdays.is_empty() || self.weekdays.contains(&chrono::Datelike::weekday(day))
        };
        days.filter(is_meant).map(|day| self.zone.first_moment(day.and_time(self.time)))
    }

    /// A moment as the clocks of the zone show it: `2026-11-23 10:00`.
    pub(crate) fn shown(&self, moment: DateTime<Utc>) -> String {
        self.zone.local(moment).format("%Y-%m-%d %H:%M").to_string()
    }

    /// The name of the zone.
    pub(crate) fn zone_name(&self) -> &str {
        self.zone.name()
    }

    /// A digest at this time of every day in UTC.
    #[cfg(test)]
    pub(crate) fn daily(time: NaiveTime) -> Self {
        Self { weekdays: Vec::new(), time, zone: Zone::utc() }
    }

    /// The same on Fridays alone.
    #[cfg(test)]
    pub(crate) fn on_fridays(self) -> Self {
        Self { weekdays: vec![Weekday::Fri], ..self }
    }
}

/// Reads when a receiver is sent a digest.
pub(super) fn digest(
    section: &mut Section<'_>,
    kind: Option<&ReceiverKind>,
    zone: &Zone,
    notes: &mut Notes<'_>,
) -> Option<DigestSchedule> {
    let schedule = section.read("digest", notes, |value| schedule(value, zone))?;
    let path = section.path("digest");
    match kind {
        Some(ReceiverKind::Webhook(Webhook { format: Format::PagerDuty(_), .. })) => {
            let allowed = "format = \"slack\", \"teams\", \"template\" or \"json\", or an e-mail: a digest is for people to \
                           read in the morning, and must open no incident";
            notes.fault(&path, Problem::new("not for this format", allowed));
        }
        Some(ReceiverKind::Webhook(Webhook { format: Format::Template(template), .. })) => {
            if let Err(error) = template.try_digest() {
                let problem = format!("the template {template} is wrong for a digest: {error}");
                notes.fault(&path, Problem::new(problem, "a template that renders both, see docs/notifications.md"));
            }
        }
        _ => {}
    }
    Some(schedule)
}

/// `Mon 08:00`, `Mon,Thu 08:00`, or `08:00` for every day.
fn schedule(value: &Value, zone: &Zone) -> Result<DigestSchedule, Problem> {
    let allowed = "days and a time such as \"Mon 08:00\" or \"Mon,Thu 08:00\", or \"08:00\" for every day";
    let text = value::text(value, allowed)?;
    let wrong = || Problem::new(format!("{} is not such a time", shown(text)), allowed);
    let (days, time) = text.trim().rsplit_once(' ').unwrap_or(("", text.trim()));
    let time = NaiveTime::parse_from_str(time, "%H:%M").map_err(|_| wrong())?;
    let days = days.split(',').map(str::trim).filter(|_| !days.trim().is_empty());
    let mut weekdays = Vec::new();
    for day in days {
        let weekday = Weekday::from_str(day).map_err(|_| wrong())?;
        if !weekdays.contains(&weekday) {
            weekdays.push(weekday);
        }
    }
    Ok(DigestSchedule { weekdays, time, zone: zone.clone() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str, zone: &str) -> Option<DigestSchedule> {
        schedule(&Value::String(text.to_owned()), &Zone::built_in(zone).unwrap()).ok()
    }

    fn moment(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn a_digest_is_due_on_its_days_at_the_time_of_its_zone() {
        let cases = [
            // The 23rd of November 2026 is a Monday.
            ("Mon 08:00", "UTC", "2026-11-23T08:00:00Z", "2026-11-23T08:00:00Z", "2026-11-30T08:00:00Z"),
            ("Mon 08:00", "UTC", "2026-11-23T07:59:59Z", "2026-11-16T08:00:00Z", "2026-11-23T08:00:00Z"),
            (
                "mon, thursday 8:00",
                "Europe/Berlin",
                "2026-11-24T00:00:00Z",
                "2026-11-23T07:00:00Z",
                "2026-11-26T07:00:00Z",
            ),
            ("08:00", "America/New_York", "2026-11-24T00:00:00Z", "2026-11-23T13:00:00Z", "2026-11-24T13:00:00Z"),
            // Monday begins on Sunday in UTC.
            ("Mon 08:00", "Pacific/Auckland", "2026-11-22T20:00:00Z", "2026-11-22T19:00:00Z", "2026-11-29T19:00:00Z"),
            // The clocks are set forward over the time, and back over it.
            ("02:30", "America/New_York", "2027-03-14T12:00:00Z", "2027-03-14T07:00:00Z", "2027-03-15T06:30:00Z"),
            ("Sun 01:30", "America/New_York", "2027-11-07T06:45:00Z", "2027-11-07T05:30:00Z", "2027-11-14T06:30:00Z"),
        ];
        for (text, zone, now, latest, next) in cases {
            let schedule = read(text, zone).unwrap();
            assert_eq!(schedule.latest(moment(now)), Some(moment(latest)), "{text} {zone} {now}");
            assert_eq!(schedule.next(moment(now)), Some(moment(next)), "{text} {zone} {now}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "Mon", "8", "25:00", "Mon,, 08:00", "Moon 08:00", "Mon 08:00:30", "Mon 08:00 UTC", "08:00 Mon"]
        {
            assert_eq!(read(text, "UTC"), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn each_due_moment_follows_the_one_before(seconds in 1_700_000_000_i64..2_000_000_000, days in 0_usize..4) {
            let text = ["04:15", "Sun 01:30", "Mon,Wed,Fri 02:30", "Sat 23:59"][days];
            for zone in ["UTC", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca"] {
                let (schedule, now) = (read(text, zone).unwrap(), DateTime::from_timestamp(seconds, 0).unwrap());
                let (latest, next) = (schedule.latest(now).unwrap(), schedule.next(now).unwrap());
                prop_assert!(latest <= now && now < next && next - latest <= chrono::TimeDelta::hours(8 * 24));
                prop_assert_eq!(schedule.next(latest), Some(next));
                prop_assert_eq!(schedule.latest(next), Some(next));
            }
        }
    }
}
