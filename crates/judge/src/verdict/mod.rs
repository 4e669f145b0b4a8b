//! Compares what was received with the truth. Each rule is a sentence of the contract; each allows the time that the contract
//! allows, and no more than that where nothing hindered the monitor.

mod expiry;
mod facts;
mod fleet;
mod form;
mod onsets;
mod permissions;
mod protocol;
mod reminders;
mod split;
mod states;
mod users;

use std::collections::BTreeMap;
use std::fmt;

use crate::case::{Case, FaultKind, Happening};
use crate::ledger::{Received, once};
use crate::listings::Listings;
use crate::spans::{Ms, Spans};
use crate::timeline::Timeline;

const SECOND: Ms = 1000;
const MINUTE: Ms = 60 * SECOND;
/// What the contract does not promise to the second: places in the request budget, a commit, a slow answer.
const SLACK: Ms = 2 * MINUTE;
/// A receiver that is back is notified within so long.
const RECEIVER_BACK: Ms = 3 * MINUTE;
/// Alerts about tokens wait so long while many tenants turn bad alike.
const SUSPICION: Ms = 11 * MINUTE;

/// What was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Something bad of which nobody was notified in time.
    Missed,
    /// An alert of something that was not so.
    False,
    /// The same beginning, or the same end, twice; the same entry in two alerts.
    Twice,
    /// One cause in several alerts, or several onsets in one.
    Split,
    /// An end that was none, or one that was not notified.
    WronglyResolved,
    /// A change that was none, or an alert whose parts do not fit together.
    Change,
    /// Of a reminder: too soon, or not at all.
    Reminder,
    /// More requests than any plan needs.
    Storm,
    /// History was lost.
    Forgotten,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::Missed,
        Self::False,
        Self::Twice,
        Self::Split,
        Self::WronglyResolved,
        Self::Change,
        Self::Reminder,
        Self::Storm,
        Self::Forgotten,
    ];
}

/// One thing that was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What kind of wrong.
    pub kind: Kind,
    /// When it shows, in true time.
    pub at: Ms,
    /// In words.
    pub what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?} at {:.1} s: {}", self.kind, self.at as f64 / 1000.0, self.what)
    }
}

/// What the judge found.
#[derive(Debug, Clone, Default)]
pub struct Verdict {
    /// Everything that was wrong.
    pub findings: Vec<Finding>,
    /// How many facts had to be notified of.
    pub duties: u64,
    /// How many notifications were judged.
    pub received: u64,
    /// How long each duty took where nothing hindered it, beyond the interval and the confirmations.
    pub delays: Vec<Ms>,
}

/// Judges one world by what its receiver received and by how many requests each tenant got in each minute.
pub fn judge(case: &Case, received: &[Received], requests: &[Vec<u32>]) -> Verdict {
    let timeline = Timeline::of(case);
    let received = once(received);
    let listings = Listings::of(&received);
    let verdict = Verdict { received: received.len() as u64, ..Verdict::default() };
    let mut bench = Bench { case, timeline: &timeline, received: &received, listings: &listings, verdict };
    bench.protocol();
    bench.forms();
    bench.forgotten_reminders();
    bench.states();
    bench.permissions();
    bench.rights();
    bench.users();
    bench.splits();
    bench.onsets();
    bench.expiries();
    bench.fleet();
    bench.storms(requests);
    bench.verdict.findings.sort_by_key(|finding| finding.at);
    bench.verdict
}

/// What was found.
type Found = Vec<(Kind, Ms, String)>;

/// A case before the judge.
struct Bench<'a> {
    case: &'a Case,
    timeline: &'a Timeline<'a>,
    received: &'a [&'a Received],
    listings: &'a Listings<'a>,
    verdict: Verdict,
}

impl Bench<'_> {
    fn find(&mut self, kind: Kind, at: Ms, what: String) {
        self.verdict.findings.push(Finding { kind, at, what });
    }

    fn tenant_of(&self, token: usize) -> &str {
        &self.case.tenants[self.case.tokens[token].tenant]
    }

    fn token_name(&self, token: usize) -> String {
        format!("{}/{}", self.tenant_of(token), self.case.tokens[token].name)
    }

    fn find_all(&mut self, found: Found) {
        for (kind, at, what) in found {
            self.find(kind, at, what);
        }
    }

    fn tokens_in(&self, tenant: usize) -> impl Iterator<Item = usize> {
        (0..self.case.tokens.len()).filter(move |token| self.case.tokens[*token].tenant == tenant)
    }

    fn token_named(&self, tenant: &str, name: &str) -> Option<usize> {
        (0..self.case.tokens.len())
            .find(|token| self.case.tokens[*token].name == name && self.tenant_of(*token) == tenant)
    }

    /// The tokens that a notification names; those of the user where it names only that.
    fn tokens_of(&self, received: &Received) -> Vec<usize> {
        let is_named = |token: &usize| received.names(self.tenant_of(*token), &self.case.tokens[*token].name);
        let named: Vec<_> = (0..self.case.tokens.len()).filter(is_named).collect();
        let of_user = |token: &usize| Some(self.case.user_id(*token)) == received.user_id;
        if named.is_empty() { (0..self.case.tokens.len()).filter(of_user).collect() } else { named }
    }

    fn is_of(&self, received: &Received, token: usize) -> bool {
        received.names(self.tenant_of(token), &self.case.tokens[token].name)
    }

    fn world(&self) -> Spans {
        Spans::one(0, self.case.end)
    }

    /// The moment until which one has to go back from `at` to have been seen for as long as from `since` to then.
    fn as_long_seen(&self, seen: &Spans, since: Ms, at: Ms) -> Ms {
        let unseen = self.world().without(seen);
        let mut from = since;
        while from > 0 && since - unseen.length(from, at) < from {
            from = since - unseen.length(from, at);
        }
        from
    }

    /// How long something takes that nothing hinders, from its onset to its notification.
    fn patience(&self, interval: Ms) -> Ms {
        let policy = self.case.policy;
        interval + policy.confirmations * policy.confirm_after + SLACK
    }

    /// A deadline, put off for as long as the receiver took nothing or the disk held things up.
    fn put_off(&self, mut deadline: Ms) -> Ms {
        for (from, to) in self.timeline.deaf.iter() {
            if from <= deadline && deadline < to + RECEIVER_BACK {
                deadline = to + RECEIVER_BACK;
            }
        }
        if self.timeline.amnesia.touches(deadline - SLACK, deadline) { deadline + MINUTE } else { deadline }
    }

    /// The first moment from which something that was received at `at` may have been decided: it waits while the receiver takes
    /// nothing, and while the monitor is away, one after the other.
    fn decided_since(&self, at: Ms) -> Ms {
        let down = self.world().without(&self.timeline.up);
        let waits = self.timeline.deaf.widened(0, RECEIVER_BACK).or(&down.widened(0, SLACK));
        let mut since = at - SLACK;
        while let Some((from, _)) = waits.span_at(since) {
            since = from - SLACK;
        }
        if self.timeline.amnesia.touches(since, at) { since - MINUTE } else { since }
    }

    /// Whether an alert that `is` picks fires at a moment, by what was received.
    fn fires_at(&self, at: Ms, is: impl Fn(&Received) -> bool) -> bool {
        let received = self.received.iter().filter(|received| received.at <= at && is(received));
        let last: BTreeMap<_, _> = received.map(|received| (received.id.as_str(), received)).collect();
        last.values().any(|received| !received.change.ends())
    }

    fn clock_set_between(&self, from: Ms, to: Ms) -> bool {
        self.timeline.clock_steps.iter().any(|step| (from..=to).contains(step))
    }

    /// Whether the monitor may have lost in between: it ran on without its store, and ended before that was fixed.
    fn may_have_lost(&self, from: Ms, to: Ms) -> bool {
        let down = |event: &&crate::case::Event| matches!(event.what, Happening::Down { .. });
        self.case.events.iter().filter(down).filter(|event| (from..=to).contains(&event.at)).any(|event| {
            self.timeline.amnesia.touches(from - MINUTE, event.at) && {
                // It was not fixed for long enough to be written before the end.
                self.timeline.amnesia.touches(event.at - MINUTE, event.at)
            }
        })
    }

    /// When faults of some kinds went on, and for `after` beyond their end.
    fn faulty(&self, after: Ms, is: impl Fn(FaultKind) -> bool) -> Spans {
        Spans::of(self.case.events.iter().filter_map(|event| match &event.what {
            Happening::Fault(fault) if is(fault.kind) => Some((event.at, event.at + fault.lasts + after)),
            _ => None,
        }))
    }

    /// When trouble of our own machine, or a throttle, may be the reason for silence.
    fn silent_for_other_reasons(&self) -> Spans {
        self.faulty(SUSPICION, |kind| matches!(kind, FaultKind::OurMachine | FaultKind::Throttled(_)))
    }

    /// Whether a token stopped working in that time, for reasons of its own.
    fn turned_bad(&self, token: usize, from: Ms, to: Ms) -> bool {
        let bad = self.world().without(&self.timeline.works(token));
        bad.iter().any(|(onset, _)| (from..=to).contains(&onset))
    }

    /// Whether tokens of over half of the tenants, or of three, did.
    fn crowd(&self, from: Ms, to: Ms) -> bool {
        let turned = |tenant: usize| self.tokens_in(tenant).any(|token| self.turned_bad(token, from, to));
        let count = (0..self.case.tenants.len()).filter(|tenant| turned(*tenant)).count();
        2 * count > self.case.tenants.len().min(4)
    }

    fn storms(&mut self, requests: &[Vec<u32>]) {
        let policy = self.case.policy;
        let ms = |number: usize| Ms::try_from(number).unwrap_or(Ms::MAX);
        let each = 2 + ms(self.case.permissions.len());
        let checks = MINUTE / policy.validity.max(1) + MINUTE / policy.permissions.max(1) + 6;
        for (tenant, minutes) in requests.iter().enumerate() {
            let tokens = ms(self.tokens_in(tenant).count());
            let most = u32::try_from(tokens * each * checks + 30).unwrap_or(u32::MAX);
            if let Some((minute, count)) = minutes.iter().enumerate().max_by_key(|(_, count)| **count)
                && *count > most
            {
                let name = &self.case.tenants[tenant];
                let what = format!("{name} got {count} requests in a minute; {most} would be plenty");
                self.find(Kind::Storm, ms(minute) * MINUTE, what);
            }
        }
    }
}
