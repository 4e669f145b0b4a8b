//! From when until when each entry was in the list of each alert, by what was received.

use std::collections::BTreeMap;

use crate::ledger::Received;
use crate::spans::Ms;

/// Which entry of whom: the tenant, the token, and the thing.
pub(crate) type Key<'a> = (&'a str, &'a str, &'a str);

/// One entry in one alert without a gap.
#[derive(Debug)]
pub(crate) struct Listing<'a> {
    /// What was received of that alert while it named the entry; never empty.
    named: Vec<&'a Received>,
    /// What ended it: an alert that is over, or a list without it.
    pub(crate) ended: Option<&'a Received>,
}

impl<'a> Listing<'a> {
    /// What named it first.
    pub(crate) fn begun(&self) -> &'a Received {
        self.named[0]
    }

    /// What named it last until a moment, or first.
    pub(crate) fn last_by(&self, at: Ms) -> &'a Received {
        self.named.iter().rev().find(|received| received.at <= at).unwrap_or(&self.named[0])
    }

    /// Whether it was listed at a moment.
    pub(crate) fn is_on(&self, at: Ms) -> bool {
        self.begun().at <= at && self.ended.is_none_or(|ended| ended.at > at)
    }

    /// Whether it was listed at any moment from `from` up to and including `to`.
    pub(crate) fn touches(&self, from: Ms, to: Ms) -> bool {
        self.begun().at <= to && self.ended.is_none_or(|ended| ended.at > from)
    }
}

/// Every entry of every alert.
#[derive(Debug, Default)]
pub(crate) struct Listings<'a>(BTreeMap<Key<'a>, Vec<Listing<'a>>>);

impl<'a> Listings<'a> {
    pub(crate) fn of(received: &[&'a Received]) -> Self {
        let mut all = Self::default();
        // What each alert that fires lists, and where that is kept.
        let mut firing: BTreeMap<&str, BTreeMap<Key<'a>, usize>> = BTreeMap::new();
        for received in received.iter().copied() {
            let before = firing.remove(received.id.as_str()).unwrap_or_default();
            let mut now = BTreeMap::new();
            if !received.change.ends() {
                for entry in &received.entries {
                    let key = (received.tenant.as_str(), entry.token.as_str(), entry.thing.as_str());
                    now.entry(key).or_insert_with(|| all.name(key, before.get(&key).copied(), received));
                }
            }
            for (key, place) in before {
                if now.contains_key(&key) {
                    continue;
                }
                if received.more && !received.change.ends() {
                    // It may be one of those that there was no room for.
                    now.insert(key, place);
                } else {
                    all.end(key, place, received);
                }
            }
            if !received.change.ends() {
                firing.insert(received.id.as_str(), now);
            }
        }
        all
    }

    fn name(&mut self, key: Key<'a>, place: Option<usize>, received: &'a Received) -> usize {
        let of = self.0.entry(key).or_default();
        if let Some(listing) = place.and_then(|place| of.get_mut(place)) {
            listing.named.push(received);
        } else {
            of.push(Listing { named: vec![received], ended: None });
        }
        place.unwrap_or(of.len() - 1)
    }

    fn end(&mut self, key: Key<'a>, place: usize, received: &'a Received) {
        if let Some(listing) = self.0.get_mut(&key).and_then(|of| of.get_mut(place)) {
            listing.ended = Some(received);
        }
    }

    /// Where an entry was listed, in the order of its beginnings.
    pub(crate) fn of_entry<'s>(&'s self, key: Key<'s>) -> &'s [Listing<'a>] {
        self.0.get(&key).map_or(&[], Vec::as_slice)
    }
}
