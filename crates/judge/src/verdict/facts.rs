//! A fact is an entry of a list: a token, or something that a token is short of, which is bad at times. Whatever is bad is
//! listed in time, whatever is listed is bad, and an entry leaves its list when it is over and not before.

use super::{Bench, Found, Kind, MINUTE, SECOND, SLACK, SUSPICION};
use crate::ledger::Received;
use crate::listings::{Key, Listing};
use crate::spans::{Ms, Spans};

/// Something that is bad at times, and how it is notified of.
pub(super) struct Fact<'f> {
    /// In words.
    pub(super) name: String,
    /// Which token.
    pub(super) token: usize,
    /// What of it, as it is listed.
    pub(super) thing: &'f str,
    /// The alerts that may list it.
    pub(super) alerts: &'f [&'f str],
    /// When it is so.
    pub(super) bad: Spans,
    /// When it appears so, and nothing shows that it is not.
    pub(super) appears_bad: Spans,
    /// When the monitor can see whether it is so.
    pub(super) seen: Spans,
    /// When an entry may begin and end: its token works, where it is about what the token is short of.
    pub(super) free: Spans,
    /// The interval at which it is checked.
    pub(super) interval: Ms,
    /// Whether the onset is one that has to be notified of, if it can be seen from a moment on.
    pub(super) owed: &'f dyn Fn(Ms, Ms) -> bool,
    /// Whether an alert speaks for it between an onset and a deadline without listing it.
    pub(super) covered: &'f dyn Fn(Ms, Ms) -> bool,
}

/// What became of a fact.
pub(super) struct Judged {
    found: Found,
    /// How often it had to be notified of.
    duties: u64,
    /// How long that took.
    delays: Vec<Ms>,
}

impl<'a> Bench<'a> {
    /// Where a fact was listed.
    fn listings_of<'s>(&'s self, fact: &'s Fact<'_>) -> impl Iterator<Item = &'s Listing<'a>> + Clone {
        let key: Key<'s> = (self.tenant_of(fact.token), &self.case.tokens[fact.token].name, fact.thing);
        let listings = self.listings.of_entry(key).iter();
        listings.filter(|listing| fact.alerts.contains(&listing.begun().alert.as_str()))
    }

    pub(super) fn fact(&self, fact: &Fact<'_>, may_end: impl Fn(&Received) -> bool) -> Judged {
        let mut found = Vec::new();
        let (duties, delays) = self.missed(fact, &mut found);
        self.untrue(fact, &mut found);
        self.wrong_ends(fact, may_end, &mut found);
        self.missed_ends(fact, &mut found);
        self.twice(fact, &mut found);
        Judged { found, duties, delays }
    }

    pub(super) fn take(&mut self, judged: Judged) {
        self.find_all(judged.found);
        self.verdict.duties += judged.duties;
        self.verdict.delays.extend(judged.delays);
    }

    /// Whether so many tenants turned bad around a moment that an outage may be suspected.
    pub(super) fn crowded(&self, from: Ms, to: Ms) -> bool {
        self.case.tenants.len() >= 4 && self.crowd(from, to)
    }

    /// Whatever was bad and could be seen for long enough had to be listed in time.
    fn missed(&self, fact: &Fact<'_>, found: &mut Found) -> (u64, Vec<Ms>) {
        let (mut duties, mut delays) = (0, Vec::new());
        for (from, to) in fact.bad.and(&fact.seen).iter() {
            let onset = fact.bad.span_at(from).map_or(from, |(onset, _)| onset);
            let mut patience = self.patience(fact.interval);
            if self.crowded(from - patience, from + patience) {
                patience += SUSPICION;
            }
            if self.clock_set_between(from - patience, from + patience) {
                patience += fact.interval;
            }
            let deadline = self.put_off(from + patience);
            if deadline >= to || !(fact.owed)(onset, from) {
                continue;
            }
            duties += 1;
            let begun = |listing: &&Listing<'_>| (onset..=deadline).contains(&listing.begun().at);
            let first = self.listings_of(fact).find(begun);
            let fires = || self.listings_of(fact).any(|listing| listing.is_on(from));
            match first {
                Some(listing) if onset == from && deadline == from + patience => {
                    delays.push(listing.begun().at - from);
                }
                Some(_) => {}
                None if fires() || (fact.covered)(onset, deadline) || self.unlisted(fact, onset, deadline) => {}
                None => found.push((
                    Kind::Missed,
                    deadline,
                    format!("{} since {} s, and is in no list of {}", fact.name, onset / 1000, fact.alerts.join(", ")),
                )),
            }
        }
        (duties, delays)
    }

    /// Whether an alert that had no room for every entry may have been about a fact.
    fn unlisted(&self, fact: &Fact<'_>, from: Ms, to: Ms) -> bool {
        self.received.iter().any(|received| {
            received.more
                && received.at <= to
                && fact.alerts.contains(&received.alert.as_str())
                && received.tenant == self.tenant_of(fact.token)
                && (received.at >= from || self.fires_at(from, |any| any.id == received.id))
        })
    }

    /// Whether an entry was in another alert when one listed it first or last, or soon after.
    fn in_another(&self, fact: &Fact<'_>, than: &Received, from: Ms, to: Ms) -> bool {
        self.listings_of(fact).any(|listing| listing.begun().id != than.id && listing.touches(from, to))
    }

    /// Whatever is listed must have been seen twice, the least distance apart.
    fn untrue(&self, fact: &Fact<'_>, found: &mut Found) {
        let policy = self.case.policy;
        for received in self.listings_of(fact).map(Listing::begun) {
            let since = self.decided_since(received.at);
            if self.clock_set_between(since - fact.interval, received.at)
                || fact.appears_bad.touches(since, received.at)
                || self.is_carried_over(fact, received, since)
                || self.is_of_former(fact, since, received.at)
            {
                continue;
            }
            // What is believed when first observed may be the refusal of a token that was revoked in the middle of a check.
            let revoked = policy.confirmations <= 1 && self.turned_bad(fact.token, since, received.at);
            if revoked && !fact.thing.is_empty() {
                continue;
            }
            let hidden = self.world().without(&fact.seen).length(since - fact.interval, received.at);
            let reach = fact.interval + self.patience(fact.interval) + hidden + SUSPICION;
            let until = fact.bad.iter().filter(|(from, _)| *from <= received.at).map(|(_, to)| to).last();
            let confirmed = until.map(|last| last.min(received.at)).is_some_and(|last| {
                let twice = policy.confirmations <= 1
                    || fact.bad.touches(since.min(last) - reach, last - policy.confirm_after + SECOND);
                last >= since && twice
            });
            let list = format!("{} lists it as {:?}", received.name(), received.change);
            if !confirmed {
                found.push((Kind::False, received.at, format!("{} is not so, and {list}", fact.name)));
            } else if !fact.free.touches(self.free_since(fact, since), received.at) {
                let what = format!("{} could not be seen, and {list} for the first time", fact.name);
                found.push((Kind::False, received.at, what));
            }
        }
    }

    /// Whether the monitor began anew from what it could write last, when a fact was so.
    fn is_of_former(&self, fact: &Fact<'_>, since: Ms, at: Ms) -> bool {
        let written = self.timeline.amnesia.span_at(since).map(|(from, _)| from - MINUTE);
        self.may_have_lost(since, at) && written.is_some_and(|written| fact.bad.touches(written, at))
    }

    /// Whether an entry only went over from another alert, and nothing showed since that it is otherwise.
    fn is_carried_over(&self, fact: &Fact<'_>, received: &Received, since: Ms) -> bool {
        let patience = self.patience(fact.interval) + SLACK;
        let seen_good = self.world().without(&fact.bad).and(&fact.seen).length(since - patience, since);
        self.in_another(fact, received, since, received.at) && seen_good < patience
    }

    /// From when on an entry must have been free to begin: what was seen is listed when it has been confirmed, and nobody can
    /// confirm it while Syncro does not answer.
    fn free_since(&self, fact: &Fact<'_>, since: Ms) -> Ms {
        let reach = fact.interval + self.patience(fact.interval) + SUSPICION;
        let silent = self.world().without(&self.timeline.sees_state(fact.token));
        let mut from = since - reach;
        while from > 0 && since - reach - silent.length(from, since) < from {
            from = since - reach - silent.length(from, since);
        }
        from
    }

    /// An entry that leaves a list must be over, or in another.
    fn wrong_ends(&self, fact: &Fact<'_>, may_end: impl Fn(&Received) -> bool, found: &mut Found) {
        let good = self.world().without(&fact.bad);
        let seen_good = good.and(&fact.free);
        for ended in self.listings_of(fact).filter_map(|listing| listing.ended) {
            let since = self.decided_since(ended.at);
            let over = seen_good.touches(since, ended.at)
                || self.in_another(fact, ended, since, self.put_off(ended.at + SLACK))
                || self.unlisted(fact, since, ended.at + SLACK)
                || may_end(ended);
            if over {
                continue;
            }
            let still = if good.touches(since, ended.at) { "could not be seen" } else { "is still so" };
            let what = format!("{} {still}, and left {} as {:?}", fact.name, ended.name(), ended.change);
            found.push((Kind::WronglyResolved, ended.at, what));
        }
    }

    /// An entry that is over must leave its list in time.
    fn missed_ends(&self, fact: &Fact<'_>, found: &mut Found) {
        let good = self.world().without(&fact.bad);
        for (from, to) in good.and(&fact.seen).iter() {
            let deadline = self.put_off(from + self.patience(fact.interval) + SLACK);
            if deadline >= to || self.clock_set_between(from - SLACK, deadline) {
                continue;
            }
            let stays = |listing: &&Listing<'_>| {
                listing.is_on(deadline) && {
                    let last = listing.last_by(deadline);
                    !last.more && !self.may_have_lost(last.at, deadline)
                }
            };
            if let Some(listing) = self.listings_of(fact).find(stays) {
                let over = from / 1000;
                let what = format!("{} is over since {over} s, and stays in {}", fact.name, listing.begun().name());
                found.push((Kind::WronglyResolved, deadline, what));
            }
        }
    }

    /// No entry is in two alerts, but for the moment in which it goes over from one to the other.
    fn twice(&self, fact: &Fact<'_>, found: &mut Found) {
        let listings: Vec<_> = self.listings_of(fact).collect();
        for (number, first) in listings.iter().enumerate() {
            for second in &listings[number + 1..] {
                let deadline = self.put_off(second.begun().at + SLACK);
                let both = first.is_on(second.begun().at) && first.is_on(deadline) && second.is_on(deadline);
                let lost = self.may_have_lost(first.last_by(deadline).at, deadline);
                if both && !lost && deadline < self.case.end {
                    let (first, second) = (first.begun().name(), second.begun().name());
                    found.push((Kind::Twice, deadline, format!("{} is in {first} and in {second}", fact.name)));
                }
            }
        }
    }
}

/// Whether the monitor had the time to see, just before an onset, that it was not so.
pub(super) fn was_known_good(bad: &Spans, seen: &Spans, onset: Ms, patience: Ms) -> bool {
    let good = Spans::one(0, onset).without(bad);
    let before = good.and(seen);
    good.iter().last().is_some_and(|(from, _)| before.length(from, onset) > patience)
}
