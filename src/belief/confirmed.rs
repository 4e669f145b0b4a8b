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

/// Whether something is granted, as far as it has been confirmed. A token has dozens of them, which are written with each of
/// its checks, so that what is as in most of them is left out there.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Belief {
    /// Whether it is believed to be granted; `None` before anything is believed.
    #[serde(rename = "held")]
    pub granted: Option<bool>,
    /// Since when that has been so, as it was first observed.
    pub since: DateTime<Utc>,
    /// Whether it is not granted any more, but was before.
    #[serde(default, skip_serializing_if = "is_default")]
    pub lost: bool,
    /// How often in a row a no was observed that is not believed yet.
    #[serde(default, skip_serializing_if = "is_default")]
    pub doubts: u32,
    /// When the first of these doubts was observed; the epoch if there is none.
    #[serde(default, skip_serializing_if = "is_default")]
    doubted_at: DateTime<Utc>,
    /// When the last of them that counts was observed; the epoch if there is none.
    #[serde(default, skip_serializing_if = "is_default")]
    counted_at: DateTime<Utc>,
    /// When a yes was last observed; the epoch if never, or if an older program wrote this.
    #[serde(default, skip_serializing_if = "is_default")]
    granted_at: DateTime<Utc>,
    /// When a yes was observed before that; the epoch if never, or if an older program wrote this.
    #[serde(default, skip_serializing_if = "is_default")]
    granted_before: DateTime<Utc>,
    /// When a no was last observed; the epoch if never, or if an older program wrote this.
    #[serde(default, skip_serializing_if = "is_default")]
    refused_at: DateTime<Utc>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Belief {
    /// Takes in one observation, and returns whether the belief changed.
    pub fn see(&mut self, granted: bool, now: DateTime<Utc>, confirmation: Confirmation) -> bool {
        if granted || self.granted == Some(false) {
            *self = self.undoubted();
        }
        if granted {
            self.granted_before = std::mem::replace(&mut self.granted_at, now);
        } else {
            self.refused_at = now;
        }
        if self.granted == Some(granted) {
            return false;
        }
        if granted {
            *self = Self { granted_before: self.granted_before, ..Self::first(true, now) };
            return true;
        }
        if self.doubts == 0 {
            self.doubted_at = now;
        } else if now < confirmation.next(self.counted_at) {
            return false;
        }
        self.counted_at = now;
        self.doubts += 1;
        if self.doubts < confirmation.times {
            return false;
        }
        let lost = self.granted == Some(true);
        *self = Self { granted: Some(false), since: self.doubted_at, lost, ..self.undoubted() };
        true
    }

    fn undoubted(&self) -> Self {
        Self { doubts: 0, doubted_at: DateTime::default(), counted_at: DateTime::default(), ..self.clone() }
    }

    /// What was observed last, whether it is believed or not.
    pub(crate) fn last_seen(&self) -> Option<bool> {
        self.granted.map(|granted| granted && self.doubts == 0)
    }

    /// The belief after the first observation, which is believed at once: there is nothing yet that could be lost.
    pub fn first(granted: bool, now: DateTime<Utc>) -> Self {
        let never = DateTime::default();
        let (granted_at, refused_at) = if granted { (now, never) } else { (never, now) };
        Self {
            granted: Some(granted),
            since: now,
            lost: false,
            doubts: 0,
            doubted_at: never,
            counted_at: never,
            granted_at,
            granted_before: never,
            refused_at,
        }
    }

    /// Since when nothing but a no has been observed; `None` if the last observation was a yes.
    pub(crate) fn refused_since(&self) -> Option<DateTime<Utc>> {
        if self.granted? { (self.doubts > 0).then_some(self.doubted_at) } else { Some(self.since) }
    }

    /// When a yes was last observed; the epoch if never.
    pub(crate) fn granted_at(&self) -> DateTime<Utc> {
        self.granted_at
    }

    /// The last two moments at which a yes was observed, the newest first; the epoch for what was not.
    pub(crate) fn last_granted(&self) -> [DateTime<Utc>; 2] {
        [self.granted_at, self.granted_before]
    }

    /// When a no was last observed; the epoch if never.
    pub(crate) fn refused_at(&self) -> DateTime<Utc> {
        self.refused_at
    }

    /// When the next no counts; `None` while nothing is doubted.
    pub(crate) fn confirmable_at(&self, confirmation: Confirmation) -> Option<DateTime<Utc>> {
        (self.doubts > 0).then(|| confirmation.next(self.counted_at))
    }

    /// Applies `change` to every moment that the belief contains.
    pub(super) fn moments(&mut self, change: &mut impl FnMut(&mut DateTime<Utc>)) {
        let moments = [&mut self.since, &mut self.doubted_at, &mut self.counted_at];
        moments
            .into_iter()
            .chain([&mut self.granted_at, &mut self.granted_before, &mut self.refused_at])
            .for_each(change);
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
            (belief.see(false, now, confirmation), belief.doubts)
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
}
