//! A belief in a yes or a no that is doubted before it is given up: a no must be observed several times in a row. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::config::Alerts;

/// How a no is confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Confirmation {
    /// How often in a row a no must be observed before it is believed.
    pub times: u32,
    /// The least distance between two observations that count: two in the same moment would confirm a flap.
    pub after: TimeDelta,
}

impl Confirmation {
    /// The confirmation that is configured for alerts.
    pub fn of(alerts: &Alerts) -> Self {
        let after = TimeDelta::from_std(alerts.confirm_after).unwrap_or(TimeDelta::MAX);
        Self { times: alerts.confirmations.get(), after }
    }

    /// Every observation counts, and the first is enough: for a check that is made once.
    pub fn once() -> Self {
        Self { times: 1, after: TimeDelta::zero() }
    }

    /// When the next observation counts, after the one at `last` that counted.
    pub fn next(self, last: DateTime<Utc>) -> DateTime<Utc> {
        last.checked_add_signed(self.after).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// Whether something is granted, as far as it has been confirmed. A token has dozens of them, so that each takes little room.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(from = "Persisted", into = "Persisted")]
pub struct Belief {
    /// Whether it is believed to be granted; `None` before anything is believed.
    pub granted: Option<bool>,
    /// Since when that has been so, as it was first observed.
    pub since: DateTime<Utc>,
    /// Whether it is not granted any more, but was before.
    pub lost: bool,
    /// The doubts, if there are any, which is rare.
    doubted: Option<Box<Doubted>>,
    /// When a yes was last observed, and when before that.
    granted_at: [Moment; 2],
    /// When a no was last observed.
    refused_at: Moment,
}

/// How often in a row a no was observed that is not believed yet.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Doubted {
    times: u32,
    /// When the first of these doubts was observed.
    first: DateTime<Utc>,
    /// When the last of them that counts was observed.
    last: DateTime<Utc>,
}

/// A moment of our clock, which counts milliseconds; the epoch for what has not happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Moment(i64);

impl From<DateTime<Utc>> for Moment {
    fn from(moment: DateTime<Utc>) -> Self {
        Self(moment.timestamp_millis())
    }
}

impl From<Moment> for DateTime<Utc> {
    fn from(moment: Moment) -> Self {
        Self::from_timestamp_millis(moment.0).unwrap_or_default()
    }
}

/// A belief as the store has it: it is written with each check, so that what is as in most of them is left out. The epoch is for
/// what there is not, and for what an older program did not write.
#[derive(Serialize, Deserialize)]
struct Persisted {
    #[serde(rename = "held")]
    granted: Option<bool>,
    since: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "is_default")]
    lost: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    doubts: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    doubted_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "is_default")]
    counted_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "is_default")]
    granted_at: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "is_default")]
    granted_before: DateTime<Utc>,
    #[serde(default, skip_serializing_if = "is_default")]
    refused_at: DateTime<Utc>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl From<Persisted> for Belief {
    fn from(persisted: Persisted) -> Self {
        let Persisted { granted, since, lost, doubts, .. } = persisted;
        let doubted = Doubted { times: doubts, first: persisted.doubted_at, last: persisted.counted_at };
        Self {
            granted,
            since,
            lost,
            doubted: (doubts > 0).then(|| Box::new(doubted)),
            granted_at: [persisted.granted_at, persisted.granted_before].map(Moment::from),
            refused_at: persisted.refused_at.into(),
        }
    }
}

impl From<Belief> for Persisted {
    fn from(belief: Belief) -> Self {
        let Doubted { times, first, last } = belief.doubted.as_deref().cloned().unwrap_or_default();
        let [granted_at, granted_before] = belief.last_granted();
        Self {
            granted: belief.granted,
            since: belief.since,
            lost: belief.lost,
            doubts: times,
            doubted_at: first,
            counted_at: last,
            granted_at,
            granted_before,
            refused_at: belief.refused_at(),
        }
    }
}

impl Belief {
    /// Takes in one observation, and returns whether the belief changed.
    pub fn see(&mut self, granted: bool, now: DateTime<Utc>, confirmation: Confirmation) -> bool {
        if granted {
            self.granted_at = [now.into(), self.granted_at[0]];
        } else {
            self.refused_at = now.into();
        }
        if granted || self.granted == Some(false) {
            self.end_doubts();
        }
        if self.granted == Some(granted) {
            return false;
        }
        if granted {
            *self = Self { granted_at: self.granted_at, ..Self::first(true, now) };
            return true;
        }
        let mut doubted = self.doubted.take().unwrap_or_else(|| Box::new(Doubted { first: now, ..Doubted::default() }));
        if doubted.times == 0 || now >= confirmation.next(doubted.last) {
            (doubted.times, doubted.last) = (doubted.times + 1, now);
            if doubted.times >= confirmation.times {
                let lost = self.granted == Some(true);
                (self.granted, self.since, self.lost) = (Some(false), doubted.first, lost);
                return true;
            }
        }
        self.doubted = Some(doubted);
        false
    }

    /// How often in a row a no was observed that is not believed yet.
    pub(crate) fn doubts(&self) -> u32 {
        self.doubted.as_ref().map_or(0, |doubted| doubted.times)
    }

    /// Discards what was observed and is not believed.
    pub(crate) fn end_doubts(&mut self) {
        self.doubted = None;
    }

    /// What was observed last, whether it is believed or not.
    pub(crate) fn last_seen(&self) -> Option<bool> {
        self.granted.map(|granted| granted && self.doubted.is_none())
    }

    /// The belief after the first observation, which is believed at once: there is nothing yet that could be lost.
    pub fn first(granted: bool, now: DateTime<Utc>) -> Self {
        let (never, seen) = (Moment::default(), now.into());
        let (granted_at, refused_at) = if granted { (seen, never) } else { (never, seen) };
        Self { granted: Some(granted), since: now, granted_at: [granted_at, never], refused_at, ..Self::default() }
    }

    /// Since when nothing but a no has been observed; `None` if the last observation was a yes.
    pub(crate) fn refused_since(&self) -> Option<DateTime<Utc>> {
        if self.granted? { self.doubted.as_ref().map(|doubted| doubted.first) } else { Some(self.since) }
    }

    /// When a yes was last observed; the epoch if never.
    pub(crate) fn granted_at(&self) -> DateTime<Utc> {
        self.granted_at[0].into()
    }

    /// The last two moments at which a yes was observed, the newest first; the epoch for what was not.
    pub(crate) fn last_granted(&self) -> [DateTime<Utc>; 2] {
        self.granted_at.map(Into::into)
    }

    /// When a no was last observed; the epoch if never.
    pub(crate) fn refused_at(&self) -> DateTime<Utc> {
        self.refused_at.into()
    }

    /// When the next no counts; `None` while nothing is doubted.
    pub(crate) fn confirmable_at(&self, confirmation: Confirmation) -> Option<DateTime<Utc>> {
        self.doubted.as_ref().map(|doubted| confirmation.next(doubted.last))
    }

    /// Applies `change` to every moment that the belief contains.
    pub(super) fn moments(&mut self, change: &mut impl FnMut(&mut DateTime<Utc>)) {
        change(&mut self.since);
        if let Some(doubted) = &mut self.doubted {
            [&mut doubted.first, &mut doubted.last].into_iter().for_each(&mut *change);
        }
        let [granted_at, granted_before] = &mut self.granted_at;
        for moment in [granted_at, granted_before, &mut self.refused_at] {
            let mut changed = (*moment).into();
            change(&mut changed);
            *moment = changed.into();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    #[test]
    fn a_no_counts_again_only_after_the_least_distance() {
        let confirmation = Confirmation { times: 3, after: TimeDelta::seconds(30) };
        let mut belief = Belief::first(true, at(0));
        let mut seen = |millis: i64| {
            let now = at(0) + TimeDelta::milliseconds(millis);
            (belief.see(false, now, confirmation), belief.doubts())
        };
        assert_eq!(seen(1000), (false, 1));
        assert_eq!(seen(1020), (false, 1), "20 ms later it confirms nothing");
        assert_eq!(seen(30_999), (false, 1));
        assert_eq!(seen(31_000), (false, 2));
        assert_eq!(seen(60_000), (false, 2));
        assert_eq!(seen(61_000), (true, 0));
        assert_eq!((belief.since, belief.granted_at()), (at(1), at(0)));
    }

    #[test]
    fn a_yes_in_between_ends_a_doubt_and_the_last_two_are_remembered() {
        let confirmation = Confirmation { times: 2, after: TimeDelta::zero() };
        let mut belief = Belief::first(true, at(0));
        let mut see = |seconds, granted| {
            let is_news = belief.see(granted, at(seconds), confirmation);
            (is_news, belief.refused_since(), belief.confirmable_at(confirmation).is_some())
        };
        assert_eq!(see(1, false), (false, Some(at(1)), true));
        assert_eq!(see(2, true), (false, None, false));
        assert_eq!(see(3, false), (false, Some(at(3)), true), "it counts anew");
        assert_eq!(see(4, false), (true, Some(at(3)), false));
        assert_eq!(see(5, false), (false, Some(at(3)), false));
        assert_eq!(see(6, true), (true, None, false));
        assert_eq!((belief.last_granted(), belief.refused_at()), ([at(6), at(2)], DateTime::default()));
        assert_eq!(Belief::default().refused_since(), None);
    }

    #[test]
    fn it_is_persisted_whole_and_what_there_is_not_is_left_out() {
        let confirmation = Confirmation { times: 3, after: TimeDelta::zero() };
        let mut belief = Belief::first(true, at(0));
        assert_eq!(serde_json::to_value(&belief).unwrap().as_object().unwrap().len(), 3);
        for (seconds, granted) in [(1, true), (2, false), (3, false)] {
            assert!(!belief.see(granted, at(seconds), confirmation));
        }
        let mut value = serde_json::to_value(&belief).unwrap();
        assert_eq!(value["doubts"], 2);
        assert_eq!(value.as_object().unwrap().len(), 8, "{value}");
        let mut read: Belief = serde_json::from_value(value.clone()).unwrap();
        assert_eq!(read, belief);
        assert!(read.see(false, at(4), confirmation) && read.lost && read.since == at(2));
        value["doubts"] = 0.into();
        assert_eq!(
            serde_json::from_value::<Belief>(value).unwrap().refused_since(),
            None,
            "as older programs wrote it"
        );
    }
}
