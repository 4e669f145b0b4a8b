//! What one process knows of the budget that it may share with others, and how it follows what a file says. Pure.

use std::collections::{BTreeMap, VecDeque};
use std::num::NonZeroU32;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::bucket::{Bucket, Decision, Rate};
use super::pause::LONGEST_PAUSE;

/// The most hosts whose pauses are shared: all of Syncro is one.
const MOST_HOSTS: usize = 16;

/// What was booked and has not left so long after its time is given up: it would leave with others.
const BELATED: Duration = Duration::from_millis(100);

/// What the file says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    /// The start of the machine from which times are counted.
    boot: String,
    requests_per_minute: NonZeroU32,
    /// When a whole burst may leave again, in nanoseconds.
    full_at: u64,
    /// Until when the hosts that were throttled are paused, in nanoseconds, by the name of what counts requests.
    throttled: BTreeMap<String, u64>,
}

/// What was found in the place of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// Nothing: the budget is not shared, or has not been used yet.
    Nothing,
    Entry(Entry),
    /// Something that cannot be read, or the file cannot be used.
    Unusable,
}

/// Whose requests are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Party {
    /// The daemon, whose configuration says how many requests may leave.
    Daemon,
    /// A command while a daemon runs.
    Beside,
    /// A command while none runs. Its configuration counts until another process changes the number.
    Alone,
}

/// What is asked of the ledger.
#[derive(Debug, Clone)]
pub(super) struct Query {
    pub(super) party: Party,
    /// What the configuration of this process says.
    pub(super) rate: Rate,
    /// The name of what counts requests.
    pub(super) host: String,
    /// Since when the request has waited for its turn.
    pub(super) since: Duration,
    /// How many other requests of this process wait for theirs.
    pub(super) others: u32,
    /// Whether what has not been used until now is given up.
    pub(super) without_burst: bool,
    /// The start of the machine from which times are counted.
    pub(super) boot: String,
    pub(super) now: Duration,
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Decided(Decision),
    /// Another process was throttled: the host is paused until then.
    Paused(Duration),
}

/// What this process knows of the budget.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    rate: Option<Rate>,
    bucket: Bucket,
    /// When requests of the daemon may leave that have been taken out of the budget already.
    booked: VecDeque<Duration>,
    throttled: BTreeMap<String, u64>,
    /// Whether what was found last could not be believed. What is damaged again and again costs one burst only.
    has_distrusted: bool,
}

impl Ledger {
    /// The ledger of a process that has not asked for anything yet.
    pub(super) fn new(party: Party, rate: Rate) -> Self {
        Self { rate: (party == Party::Daemon).then_some(rate), ..Self::default() }
    }

    /// When a request leaves that was taken out of the budget with one before it, if there is one.
    pub(super) fn take_booked(&mut self, query: &Query) -> Option<Decision> {
        if self.rate != Some(query.rate) {
            self.give_up_booked();
        }
        let at = std::iter::from_fn(|| self.booked.pop_front()).find(|at| *at + BELATED >= query.now)?;
        Some(Decision::leaves(at, query.now))
    }

    /// Gives up what was booked and has not left.
    pub(super) fn give_up_booked(&mut self) {
        self.booked.clear();
    }

    /// Takes one request out of the budget, and for the daemon those that wait behind it and leave soon; returns what the
    /// file is to say, unless nothing changed.
    pub(super) fn take(&mut self, found: Found, query: &Query) -> (Outcome, Option<Entry>) {
        let before = if let Found::Entry(entry) = &found { Some(entry.clone()) } else { None };
        let rate = self.learn(found, query);
        if let Some(until) = self.throttled.get(&query.host) {
            return (Outcome::Paused(Duration::from_nanos(*until)), None);
        }
        if query.without_burst {
            self.bucket = self.bucket.max(Bucket::used_up(rate, query.now));
        }
        let since = (query.party != Party::Daemon).then_some(query.since);
        let decision = self.bucket.take(rate, since, query.now);
        if query.party == Party::Daemon && !matches!(decision, Decision::Later(_)) {
            let others = query.others.min(rate.most_together() - 1);
            self.booked = (0..others).map(|_| self.bucket.book(rate, query.now)).collect();
        }
        // What was learnt is written even if no request leaves yet: a change must not be found again and again.
        let entry = self.entry(rate, &query.boot);
        (Outcome::Decided(decision), Some(entry).filter(|entry| before.as_ref() != Some(entry)))
    }

    /// Until when no request can leave, whatever a file says, as far as the daemon knows by itself: what others take only
    /// makes it later.
    pub(super) fn waits_until(&self, query: &Query) -> Option<Duration> {
        let knows = query.party == Party::Daemon && self.rate == Some(query.rate);
        Some(self.bucket.free_at(query.rate)).filter(|moment| knows && *moment > query.now)
    }

    /// Records that the host of the query was throttled until this moment; returns what the file is to say.
    pub(super) fn throttle(&mut self, found: Found, query: &Query, until: Duration) -> Entry {
        let rate = self.learn(found, query);
        let throttled = self.throttled.entry(query.host.clone()).or_default();
        *throttled = nanoseconds(until).max(*throttled);
        while self.throttled.len() > MOST_HOSTS {
            let soonest = self.throttled.iter().min_by_key(|(_, until)| **until).map(|(host, _)| host.clone());
            soonest.and_then(|host| self.throttled.remove(&host));
        }
        self.entry(rate, &query.boot)
    }

    /// How many requests a minute the last process took, if the file can be believed.
    pub(super) fn rate_of(found: &Found, boot: &str, now: Duration) -> Option<Rate> {
        match found {
            Found::Entry(entry) => entry.believed(boot, now).map(|(rate, _)| rate),
            Found::Nothing | Found::Unusable => None,
        }
    }

    /// Brings this process up to date with what was found; returns the rate that counts. What it knows itself counts as
    /// much as the file, since that may have been deleted or replaced.
    fn learn(&mut self, found: Found, query: &Query) -> Rate {
        let Query { boot, now, .. } = query;
        let longest = nanoseconds(*now + LONGEST_PAUSE);
        let believed = match &found {
            Found::Entry(entry) => entry.believed(boot, *now),
            Found::Nothing | Found::Unusable => None,
        };
        let rate = match (query.party, self.rate) {
            (Party::Daemon, _) | (Party::Alone, None) => query.rate,
            (Party::Beside, _) | (Party::Alone, Some(_)) => {
                believed.map(|(rate, _)| rate).or(self.rate).unwrap_or(query.rate)
            }
        };
        let own = self.rate.is_none_or(|own| own == rate).then_some(self.bucket);
        self.bucket = match believed {
            // The burst of the rate before may just have been used.
            Some((before, _)) if before != rate => Bucket::used_up(rate, *now),
            Some((_, shared)) => own.map_or(shared, |own| own.max(shared)),
            None => own.unwrap_or_else(|| Bucket::used_up(rate, *now)),
        };
        let distrusts = believed.is_none() && found != Found::Nothing;
        if distrusts && !self.has_distrusted {
            self.bucket = self.bucket.max(Bucket::used_up(rate, *now));
        }
        self.has_distrusted = distrusts;
        if let (Found::Entry(entry), Some(_)) = (found, believed) {
            for (host, until) in entry.throttled {
                let known = self.throttled.entry(host).or_default();
                *known = until.max(*known);
            }
        }
        self.throttled.retain(|_, until| *until > nanoseconds(*now) && *until <= longest);
        self.rate = Some(rate);
        rate
    }

    fn entry(&self, rate: Rate, boot: &str) -> Entry {
        Entry {
            boot: boot.to_owned(),
            requests_per_minute: rate.requests_per_minute(),
            full_at: nanoseconds(self.bucket.when_full()),
            throttled: self.throttled.clone(),
        }
    }
}

impl Entry {
    /// The rate and the bucket, unless they are of another start of the machine or nothing that can have come about.
    fn believed(&self, boot: &str, now: Duration) -> Option<(Rate, Bucket)> {
        let rate = Rate::per_minute(self.requests_per_minute);
        let bucket = Bucket::full_at(Duration::from_nanos(self.full_at));
        (self.boot == boot && bucket.is_plausible(rate, now)).then_some((rate, bucket))
    }
}

/// Five hundred years fit.
fn nanoseconds(moment: Duration) -> u64 {
    u64::try_from(moment.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
