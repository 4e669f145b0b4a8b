//! What hinders checks from showing anything about their tokens: pauses that Syncro asks for, and trouble of our own machine.
//! Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::{Impaired, Throttled};
use crate::belief::TokenStatus;
use crate::check::WatchKey;
use crate::config;
use crate::model::Tenant;
use crate::syncro::{FailingAddress, Host, Observation, Pause, Reason};

/// Pauses that go on for longer than this are notified of.
const LONG_PAUSE: TimeDelta = TimeDelta::minutes(5);

/// The pauses and the troubles of the monitor itself.
#[derive(Debug, Default)]
pub(super) struct Monitor {
    /// Pauses after which requests do not flow again yet.
    pauses: Vec<Pause>,
    /// The source addresses that fail.
    failing: Vec<FailingAddress>,
    /// Whether anything was answered since the start without a request to pause.
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
    /// Takes in which hosts asked to be left alone, and which source addresses fail.
    pub(super) fn set_sources(&mut self, pauses: Vec<Pause>, failing: Vec<FailingAddress>) {
        (self.pauses, self.failing) = (pauses, failing);
    }

    /// The source addresses that fail.
    pub(super) fn failing(&self) -> &[FailingAddress] {
        &self.failing
    }

    /// Until when requests about a tenant are paused, if they are.
    pub(super) fn paused_until(
        &self,
        tenant: &Tenant,
        syncro: &config::Syncro,
        now: DateTime<Utc>,
    ) -> Option<DateTime<Utc>> {
        if self.pauses.is_empty() {
            return None;
        }
        let (host, source) = (Host::of(&tenant.base_url), self.source_address(tenant, syncro));
        let concerns = |pause: &&Pause| pause.until > now && pause.source_address == source && host.is(&pause.host);
        self.pauses.iter().filter(concerns).map(|pause| pause.until).max()
    }

    /// The source address from which a tenant is asked now; `None` where the system chooses it.
    fn source_address(&self, tenant: &Tenant, syncro: &config::Syncro) -> Option<IpAddr> {
        let ranked = syncro.ranked_sources(&tenant.name);
        let addresses: Vec<_> = ranked.into_iter().map(|place| syncro.source_addresses[place]).collect();
        let works = |address: &&IpAddr| !self.failing.iter().any(|failing| failing.address == **address);
        addresses.iter().find(works).or(addresses.first()).copied()
    }

    /// Whether requests have been answered since the start.
    pub(super) fn flows(&self) -> bool {
        self.flows
    }

    /// Whether what cannot be seen now may be so for a reason of our own.
    pub(super) fn is_blind(&self, now: DateTime<Utc>) -> bool {
        let throttles = |pause: &Pause| pause.reason == Reason::Throttled && pause.until > now;
        !self.impaired.is_empty() || self.pauses.iter().any(throttles)
    }

    /// Takes in how the last checks of a token ended.
    pub(super) fn note(&mut self, key: WatchKey, status: &TokenStatus) {
        let checks = [Some(&status.validity), status.works().then_some(&status.permission_checks)];
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

    /// Takes in what an observation shows of the monitor itself.
    pub(super) fn observe(&mut self, observation: &Observation) {
        let failure = observation.failure();
        let throttled = failure.as_ref().is_some_and(|failure| failure.reason == Reason::Throttled);
        self.flows |= !observation.asked.is_empty() && !throttled;
        if let Some(failure) = failure.filter(|failure| failure.reason == Reason::Monitor) {
            self.detail.clone_from(&failure.detail);
        }
    }

    /// Leaves out tokens that are not watched any more.
    pub(super) fn retain(&mut self, is_watched: impl Fn(WatchKey) -> bool) {
        self.impaired.retain(|key| is_watched(*key));
    }

    /// Trouble of our own machine, once it has been seen again after `confirm_after`; it is over with the last token whose
    /// check failed by it.
    pub(super) fn impairment(&self, fires: bool, confirm_after: TimeDelta) -> Option<Impaired> {
        let confirmed = fires || self.last - self.first >= confirm_after;
        (!self.impaired.is_empty() && confirmed).then(|| Impaired {
            since: self.first,
            tokens: self.impaired.len(),
            detail: self.detail.clone(),
        })
    }

    /// A pause of a host that `is_asked`, if it has gone on for long and nothing has been answered since the last one.
    pub(super) fn throttling(
        &self,
        fires: bool,
        is_asked: impl Fn(&str) -> bool,
        now: DateTime<Utc>,
    ) -> Option<Throttled> {
        let is_long = |pause: &&Pause| fires || pause.since + LONG_PAUSE < now && !pause.answered;
        let pauses = self.pauses.iter().filter(|pause| pause.reason == Reason::Throttled);
        let pauses = pauses.filter(is_long).filter(|pause| is_asked(&pause.host));
        let pause = pauses.min_by_key(|pause| pause.since)?;
        Some(Throttled { since: pause.since, host: pause.host.clone(), source_address: pause.source_address })
    }
}
