//! One time zone: the time that its clocks show at a moment, and the moments at which they show a time. Pure; its data
//! come from a file of the system or are built into the program.

use std::str::FromStr;
use std::sync::Arc;

use chrono::{DateTime, FixedOffset, LocalResult, NaiveDateTime, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::{Tz, TzOffset};
use tz::timezone::TransitionRule;

/// No clock is farther from UTC than this, which leaves room for one that skips a whole day.
const FARTHEST: TimeDelta = TimeDelta::hours(26);

/// A time zone; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(Arc<Data>);

#[derive(Debug, PartialEq, Eq)]
enum Data {
    BuiltIn(Tz),
    System(System),
}

/// A zone as a TZif file describes it.
#[derive(Debug, PartialEq, Eq)]
struct System {
    name: String,
    zone: tz::TimeZone,
    /// Every distance from UTC that occurs, each once.
    offsets: Vec<FixedOffset>,
    /// The distance from UTC after the last change, where the file does not say what follows.
    last: FixedOffset,
}

impl Zone {
    /// Coordinated universal time, for which no data are needed.
    pub(crate) fn utc() -> Self {
        Self(Arc::new(Data::BuiltIn(Tz::UTC)))
    }

    /// The zone of this name as it is built into the program.
    pub(crate) fn built_in(name: &str) -> Option<Self> {
        Tz::from_str(name).ok().map(|zone| Self(Arc::new(Data::BuiltIn(zone))))
    }

    /// The zone that a TZif file describes.
    ///
    /// # Errors
    /// What is wrong with the file: a fragment that reads after "the file ".
    pub(crate) fn from_file(name: &str, bytes: &[u8]) -> Result<Self, String> {
        let zone = tz::TimeZone::from_tz_data(bytes).map_err(|error| format!("is no time zone: {error}"))?;
        let rules = zone.as_ref();
        if !rules.leap_seconds().is_empty() {
            // Moments are counted without them everywhere else.
            return Err("counts leap seconds".to_owned());
        }
        let mut types: Vec<i32> = rules.local_time_types().iter().map(tz::LocalTimeType::ut_offset).collect();
        match rules.extra_rule() {
            None => {}
            Some(TransitionRule::Fixed(only)) => types.push(only.ut_offset()),
            Some(TransitionRule::Alternate(two)) => types.extend([two.std().ut_offset(), two.dst().ut_offset()]),
        }
        types.sort_unstable();
        types.dedup();
        let offset = |seconds| FixedOffset::east_opt(seconds).ok_or("is a day or more from UTC".to_owned());
        let offsets = types.into_iter().map(offset).collect::<Result<_, _>>()?;
        let last = rules.transitions().last().map_or(0, tz::timezone::Transition::local_time_type_index);
        let last = rules.local_time_types().get(last).map_or(0, tz::LocalTimeType::ut_offset);
        let last = offset(last)?;
        Ok(Self(Arc::new(Data::System(System { name: name.to_owned(), zone, offsets, last }))))
    }

    /// Its IANA name.
    pub fn name(&self) -> &str {
        match &*self.0 {
            Data::BuiltIn(zone) => zone.name(),
            Data::System(system) => &system.name,
        }
    }

    /// How far its clocks are from UTC at this moment.
    pub(crate) fn offset_at(&self, moment: DateTime<Utc>) -> FixedOffset {
        match &*self.0 {
            Data::BuiltIn(zone) => TzOffset::fix(&zone.offset_from_utc_datetime(&moment.naive_utc())),
            Data::System(System { zone, last, .. }) => {
                let found = zone.find_local_time_type(moment.timestamp()).ok();
                found.and_then(|found| FixedOffset::east_opt(found.ut_offset())).unwrap_or(*last)
            }
        }
    }

    /// What its clocks show at this moment.
    pub(crate) fn local(&self, moment: DateTime<Utc>) -> NaiveDateTime {
        moment.with_timezone(&self.offset_at(moment)).naive_local()
    }

    /// The moments at which its clocks show this time: none where they skip it, two where they are set back over it.
    pub fn moments(&self, time: NaiveDateTime) -> LocalResult<DateTime<Utc>> {
        match &*self.0 {
            Data::BuiltIn(zone) => zone.from_local_datetime(&time).map(|moment| moment.to_utc()),
            Data::System(System { offsets, .. }) => {
                let moments = offsets.iter().filter_map(|offset| {
                    let moment = time.checked_sub_offset(*offset)?.and_utc();
                    (self.offset_at(moment) == *offset).then_some(moment)
                });
                // The farther east, the earlier: the last is the first that comes.
                let mut moments: Vec<_> = moments.collect();
                moments.sort_unstable();
                match moments.as_slice() {
                    [] => LocalResult::None,
                    [only] => LocalResult::Single(*only),
                    [first, .., last] => LocalResult::Ambiguous(*first, *last),
                }
            }
        }
    }

    /// The first moment at which its clocks show this time, or the one at which they skip it.
    pub(crate) fn first_moment(&self, time: NaiveDateTime) -> DateTime<Utc> {
        if let Some(moment) = self.moments(time).earliest() {
            return moment;
        }
        let near = |distance: TimeDelta| time.and_utc().checked_add_signed(distance);
        let (Some(before), Some(after)) = (near(-FARTHEST), near(FARTHEST)) else { return time.and_utc() };
        first(before, after, |moment| self.local(moment) >= time)
    }

    /// The first moment after `from`, and not after `until`, at which its clocks are changed.
    pub(crate) fn next_change(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Option<DateTime<Utc>> {
        const DAY: TimeDelta = TimeDelta::days(1);
        let offset = self.offset_at(from);
        let mut same = from;
        while same < until {
            let next = same.checked_add_signed(DAY).map_or(until, |next| next.min(until));
            if self.offset_at(next) != offset {
                return Some(first(same, next, |moment| self.offset_at(moment) != offset));
            }
            same = next;
        }
        None
    }

    /// Whether its clocks showed the time of this moment before, and were set back since.
    pub(crate) fn is_repeated(&self, moment: DateTime<Utc>) -> bool {
        matches!(self.moments(self.local(moment)), LocalResult::Ambiguous(first, _) if first < moment)
    }
}

/// The first whole second after `before`, and not after `after`, at which `holds` is true, as it is at `after`.
fn first(before: DateTime<Utc>, after: DateTime<Utc>, holds: impl Fn(DateTime<Utc>) -> bool) -> DateTime<Utc> {
    let (mut not, mut yes) = (before.timestamp(), after.timestamp());
    let moment = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or(after);
    while yes - not > 1 {
        let middle = not + (yes - not) / 2;
        if holds(moment(middle)) {
            yes = middle;
        } else {
            not = middle;
        }
    }
    moment(yes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As IANA 2026f has them.
    const CASABLANCA: &[u8] = include_bytes!("../../tests/zoneinfo/Africa/Casablanca");
    const EDMONTON: &[u8] = include_bytes!("../../tests/zoneinfo/America/Edmonton");
    const VANCOUVER: &[u8] = include_bytes!("../../tests/zoneinfo/America/Vancouver");
    const WINNIPEG: &[u8] = include_bytes!("../../tests/zoneinfo/America/Winnipeg");

    fn file(bytes: &[u8]) -> Zone {
        Zone::from_file("of/a/file", bytes).expect("a zone")
    }

    fn time(text: &str) -> NaiveDateTime {
        text.parse().expect("a time")
    }

    fn moment(text: &str) -> DateTime<Utc> {
        text.parse().expect("a moment")
    }

    #[test]
    fn a_file_holds_for_all_the_years_after_its_last_change() {
        for (zone, day, hours) in [
            (file(VANCOUVER), "2027-01-15", 7),
            (file(VANCOUVER), "2051-07-15", 7),
            (file(EDMONTON), "2027-01-15", 6),
            (file(WINNIPEG), "2040-12-01", 5),
            (file(CASABLANCA), "2027-01-15", 0),
            (file(CASABLANCA), "2090-06-01", 0),
        ] {
            let midnight = time(&format!("{day}T00:00:00"));
            assert_eq!(zone.first_moment(midnight), midnight.and_utc() + TimeDelta::hours(hours), "{day}");
        }
        // Before 2026 nothing is different.
        assert_eq!(file(VANCOUVER).first_moment(time("2025-01-15T00:00:00")), moment("2025-01-15T08:00:00Z"));
    }

    #[test]
    fn a_footer_with_a_rule_counts_as_well() {
        // No change at all, and a rule for summer time: what is left of a file after `zic -r`.
        let mut bytes = Vec::new();
        for _ in 0..2 {
            bytes.extend(b"TZif2");
            bytes.extend([0; 15]);
            for count in [0_u32, 0, 0, 0, 1, 4] {
                bytes.extend(count.to_be_bytes());
            }
            bytes.extend((-5_i32 * 3600).to_be_bytes());
            bytes.extend([0, 0]);
            bytes.extend(b"EST\0");
        }
        bytes.extend(b"\nEST5EDT,M3.2.0,M11.1.0\n");
        let zone = file(&bytes);
        assert_eq!(zone.first_moment(time("2077-07-01T00:00:00")), moment("2077-07-01T04:00:00Z"));
        assert_eq!(zone.first_moment(time("2077-01-01T00:00:00")), moment("2077-01-01T05:00:00Z"));
        assert_eq!(zone.moments(time("2027-03-14T02:30:00")), LocalResult::None);
        assert_eq!(zone.first_moment(time("2027-03-14T02:37:00")), moment("2027-03-14T07:00:00Z"));
        let both = LocalResult::Ambiguous(moment("2027-11-07T05:30:00Z"), moment("2027-11-07T06:30:00Z"));
        assert_eq!(zone.moments(time("2027-11-07T01:30:00")), both);
        assert!(zone.is_repeated(moment("2027-11-07T06:30:00Z")) && !zone.is_repeated(moment("2027-11-07T05:30:00Z")));
    }

    #[test]
    fn a_broken_file_is_no_zone_and_no_crash() {
        for broken in [&b""[..], b"TZif", b"#!/bin/sh\n", &VANCOUVER[..VANCOUVER.len() / 2], &[0; 4096]] {
            assert!(Zone::from_file("x", broken).is_err());
        }
    }

    /// What is odd in them: half an hour of summer time, a day that was skipped, a winter time for Ramadan, two hours
    /// of summer time, three quarters of an hour, summer time below zero, midnight skipped.
    const ODD: [&str; 9] = [
        "Australia/Lord_Howe",
        "Pacific/Apia",
        "Africa/Casablanca",
        "Antarctica/Troll",
        "Pacific/Chatham",
        "Europe/Dublin",
        "America/Santiago",
        "America/New_York",
        "Africa/Cairo",
    ];

    fn zones() -> impl Strategy<Value = Zone> {
        let files = [CASABLANCA, EDMONTON, VANCOUVER, WINNIPEG].map(file);
        let built_in = ODD.map(|name| Zone::built_in(name).expect("a built-in zone"));
        proptest::sample::select(built_in.into_iter().chain(files).collect::<Vec<_>>())
    }

    proptest! {
        #[test]
        fn what_clocks_show_and_when_they_show_it_agree(zone in zones(), seconds in 1_200_000_000_i64..2_500_000_000) {
            let moment = DateTime::from_timestamp(seconds, 0).expect("a moment");
            let shown = zone.local(moment);
            let moments = zone.moments(shown);
            prop_assert!(moments.earliest() == Some(moment) || moments.latest() == Some(moment), "{moments:?}");
            prop_assert_eq!(zone.is_repeated(moment), moments.earliest() < Some(moment));
            prop_assert!(zone.first_moment(shown) <= moment);
            // Whatever time is asked for, clocks show it then, or have just skipped it.
            let asked = moment.naive_utc();
            let first = zone.first_moment(asked);
            let before = zone.local(first - TimeDelta::seconds(1));
            prop_assert!(zone.local(first) == asked || (before < asked && asked < zone.local(first)));
            if let Some(change) = zone.next_change(moment, moment + TimeDelta::days(400)) {
                prop_assert_ne!(zone.offset_at(change), zone.offset_at(change - TimeDelta::seconds(1)));
                prop_assert_eq!(zone.offset_at(change - TimeDelta::seconds(1)), zone.offset_at(moment));
            }
        }

        #[test]
        fn no_bytes_crash_it(at in 0_usize..1000, byte: u8, length in 0_usize..4000, seconds: i64) {
            let mut bytes = VANCOUVER.to_vec();
            let index = at % bytes.len();
            bytes[index] = byte;
            bytes.truncate(length);
            if let Ok(zone) = Zone::from_file("x", &bytes) {
                let moment = DateTime::from_timestamp(seconds % 100_000_000_000, 0).expect("a moment");
                let shown = zone.local(moment);
                zone.first_moment(shown);
            }
        }
    }
}
