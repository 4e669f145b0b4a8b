//! How the core knows that it is not the tokens: pauses that Syncro asks for, and trouble of our own machine. Pure.
//!
//! A check that a pause holds up has not been made: it waits apart, takes no slot, and counts as due.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::{Alert, Impaired, Rules, Throttled, monitor_alerts};
use crate::belief::{Attempts, TokenState, TokenStatus};
use crate::model::Scope;
use crate::syncro::{Host, Observation, Pause, Reason};

use super::firing::{notified, shared};
use super::queue::Queue;
use super::{Core, Watch};
use crate::check::WatchKey;
use crate::engine::effect::Effect;

/// Pauses that go on for longer than this are told of.
const LONG_PAUSE: TimeDelta = TimeDelta::minutes(5);

/// A due check, in the order of service.
pub(super) type Entry = (Queue, DateTime<Utc>, WatchKey);

/// What keeps checks from saying anything about their tokens.
#[derive(Debug, Default)]
pub(super) struct Monitor {
    /// Pauses after which requests do not flow again yet.
    pauses: Vec<Pause>,
    /// Due checks of hosts that are paused.
    parked: BTreeSet<Entry>,
    /// When the first of their pauses ends.
    parked_until: Option<DateTime<Utc>>,
    /// Whether anything was answered since the start without a wish for a pause.
    flows: bool,
    /// Tokens whose last check failed by trouble of our own machine.
    impaired: BTreeSet<WatchKey>,
    /// The first and the last such check since there were none.
    first: DateTime<Utc>,
    last: DateTime<Utc>,
    /// What the system said last.
    detail: String,
}

impl Monitor {
    /// Due checks that wait for the end of a pause.
    pub(super) fn parked(&self) -> usize {
        self.parked.len()
    }

    /// Takes a check back that waits no longer.
    pub(super) fn discard(&mut self, entry: &Entry) {
        self.parked.remove(entry);
    }

    /// Puts a due check aside if its host is paused; returns whether it did.
    pub(super) fn park(&mut self, entry: Entry, watch: &Watch, now: DateTime<Utc>) -> bool {
        if self.pauses.is_empty() {
            return false;
        }
        let host = Host::of(&watch.token.tenant.base_url);
        let paused = self.pauses.iter().filter(|pause| pause.until > now && host.is(&pause.host));
        let Some(until) = paused.map(|pause| pause.until).max() else { return false };
        self.parked.insert(entry);
        self.parked_until = self.parked_until.into_iter().chain([until]).min();
        true
    }

    /// Gives back the checks that were put aside, once the first of their pauses is over.
    pub(super) fn unpark(&mut self, now: DateTime<Utc>) -> BTreeSet<Entry> {
        if self.parked_until.is_none_or(|until| until > now) {
            return BTreeSet::new();
        }
        self.parked_until = None;
        std::mem::take(&mut self.parked)
    }

    /// Whether what cannot be seen now may be so for our own sake.
    pub(super) fn is_blind(&self, now: DateTime<Utc>) -> bool {
        let throttles = |pause: &Pause| pause.reason == Reason::Throttled && pause.until > now;
        !self.impaired.is_empty() || self.pauses.iter().any(throttles)
    }

    /// Takes in how the last checks of a token ended.
    fn note(&mut self, key: WatchKey, status: &TokenStatus) {
        let works = status.state == TokenState::Valid && status.doubt.is_none();
        let checks = [Some(&status.validity), works.then_some(&status.permission_checks)];
        let failed = checks.into_iter().flatten().filter(|checks| checks.reason == Some(Reason::Monitor));
        let Some(at) = failed.filter_map(|checks| checks.last_attempt).max() else {
            self.impaired.remove(&key);
            return;
        };
        if self.impaired.is_empty() {
            (self.first, self.last) = (at, at);
        }
        self.impaired.insert(key);
        self.last = self.last.max(at);
    }
}

/// Whether a check failed for a reason that is not that of the tenant.
pub(super) fn is_own(checks: &Attempts) -> bool {
    checks.reason.is_some_and(Reason::is_own)
}

impl Core {
    /// Takes in which hosts asked to be left alone.
    pub fn paused(&mut self, pauses: Vec<Pause>) {
        self.monitor.pauses = pauses;
    }

    /// Takes in what a check says about ourselves.
    pub(super) fn note_monitor(&mut self, key: WatchKey, observed: Option<&Observation>) {
        let Some(watch) = self.watches.get(&key) else { return };
        self.monitor.note(key, &watch.status);
        let Some(observed) = observed else { return };
        let failure = observed.failure();
        self.monitor.flows |=
            !observed.asked.is_empty() && failure.as_ref().is_none_or(|failure| failure.reason != Reason::Throttled);
        if let Some(failure) = failure.filter(|failure| failure.reason == Reason::Monitor) {
            self.monitor.detail.clone_from(&failure.detail);
        }
    }

    /// Whether every check of a tenant's tokens failed for our own sake: that says nothing about the tenant.
    pub(super) fn is_own_trouble(&self, tenant: &str) -> bool {
        let members = self.tenants.get(tenant).into_iter().flat_map(|tenant| &tenant.members);
        let mut asked = members.filter_map(|key| self.watches.get(key)).map(|watch| &watch.status.validity).peekable();
        asked.peek().is_some() && asked.all(is_own)
    }

    /// Tells of pauses that go on for long, and of trouble of our own machine, or that they are over.
    pub(super) fn judge_monitor(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let fires = |alert| self.fleet_firing.iter().any(|known| known.alert == alert);
        let watches = &self.watches;
        self.monitor.impaired.retain(|key| watches.contains_key(key));
        let impaired = self.impairment(fires(Alert::MonitorImpaired));
        let throttled = self.throttling(fires(Alert::MonitorThrottled), now);
        if impaired.is_none() && throttled.is_none() && self.fleet_firing.is_empty() {
            return;
        }
        let rules = Rules::new(&self.config.alerts, now);
        let mut firing = self.fleet_firing.to_vec();
        let notifications = monitor_alerts(rules, throttled, impaired, self.monitor.flows, &mut firing);
        effects.extend(shared(|| Scope::Fleet, &mut self.fleet_firing, firing));
        effects.extend(notified(notifications));
    }

    /// Trouble of our own machine, once it has been seen again after `confirm_after`; it is over with the last token whose
    /// check failed by it.
    fn impairment(&self, fires: bool) -> Option<Impaired> {
        let Monitor { impaired, first, last, detail, .. } = &self.monitor;
        let patience = TimeDelta::from_std(self.config.alerts.confirm_after).unwrap_or(TimeDelta::MAX);
        let confirmed = fires || *last - *first >= patience;
        (!impaired.is_empty() && confirmed).then(|| Impaired {
            since: *first,
            tokens: impaired.len(),
            detail: detail.clone(),
        })
    }

    /// Pauses of a host that is asked, if they have gone on for long and nothing has been answered since the last of them.
    fn throttling(&self, fires: bool, now: DateTime<Utc>) -> Option<Throttled> {
        let is_long = |pause: &&Pause| fires || pause.since + LONG_PAUSE < now && !pause.answered;
        let is_asked =
            |pause: &&Pause| self.watches.values().any(|watch| Host::of(&watch.token.tenant.base_url).is(&pause.host));
        let pauses = self.monitor.pauses.iter().filter(|pause| pause.reason == Reason::Throttled);
        let pause = pauses.filter(is_long).filter(is_asked).min_by_key(|pause| pause.since)?;
        Some(Throttled { since: pause.since, host: pause.host.clone() })
    }
}
