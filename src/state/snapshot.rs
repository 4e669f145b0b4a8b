//! One consistent snapshot of the fleet, which the engine shows to the rooms above. Sharing it copies pointers. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::alert::Firing;
use crate::belief::{Comparison, Evidence, PermissionState, PermissionStatus, TokenState, TokenStatus};
use crate::config::{Intervals, Maintenance, suppressed_until};
use crate::model::{Metric, NextToken, Probes, Token};
use crate::syncro::{Asked, FailingAddress};
use crate::system::clock::Monotonic;

use super::pieces::Pieces;

/// One token at the moment of the snapshot.
#[derive(Debug, Clone)]
pub struct TokenSnapshot {
    /// The token as it is configured.
    pub token: Arc<Token>,
    /// What is believed of it.
    pub status: Arc<TokenStatus>,
    /// Whether an alert that fires lists it.
    pub is_affected: bool,
    /// The requests of its last checks since the start, with their outcomes.
    pub asked: Arc<[Asked]>,
}

impl Snapshot {
    /// Everything that fires: for tenants, whatever the scope, and for all of them together.
    pub fn firing(&self) -> impl Iterator<Item = &Firing> {
        self.tenants.iter().flat_map(|tenant| tenant.firing.iter()).chain(self.fleet_firing.iter())
    }

    /// What fires and affects this token.
    pub fn firing_of(&self, token: &TokenSnapshot) -> impl Iterator<Item = &Firing> {
        let Token { tenant, name, .. } = &*token.token;
        let found = self.tenants.find_by_name(&tenant.name, |other| &other.name);
        let firing = found.map_or(&[][..], |(_, tenant)| tenant.firing.as_slice());
        firing.iter().filter(move |firing| firing.concerns(name))
    }

    /// Until when maintenance suppresses the alerts of this tenant; `None` if it does not suppress them at `now`.
    pub(crate) fn suppressed_until(&self, tenant: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        suppressed_until(&self.maintenance, tenant, now)
    }
}

/// The health of a token in one word, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, IntoStaticStr, ToSchema, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Health {
    /// What uses the token fails.
    Broken,
    /// The token works, but something about it should be seen to.
    Attention,
    /// Nothing is known to be wrong, but the last check gave no verdict.
    Unseen,
    /// Everything is as it should be. URLs and JSON have another word for it, which is promised.
    #[serde(rename = "well")]
    #[strum(serialize = "well")]
    Ok,
}

impl Health {
    /// Every value, the worst first.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The word for it in URLs and in JSON.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl TokenSnapshot {
    /// Since when the value of the token has been the one that it is, as far as it was seen.
    pub(crate) fn value_seen_since(&self) -> Option<DateTime<Utc>> {
        self.status.value_since.or(self.status.known_since)
    }

    /// The token that is to follow it, if one is configured, what is believed of it, and how it compares.
    pub fn next(&self, probes: Probes) -> Option<(&NextToken, Option<&TokenStatus>, Comparison)> {
        let (next, status) = (self.token.next.as_ref()?, self.status.next.as_deref());
        let comparison =
            status.map_or_else(Comparison::default, |status| Comparison::of(&self.token, &self.status, status, probes));
        Some((next, status, comparison))
    }

    /// The health of the token at a moment. It follows from what is believed rather than from what fires, since alerts may be
    /// suppressed.
    pub fn health(&self, at: DateTime<Utc>) -> Health {
        let status = &self.status;
        let works = matches!(status.state, TokenState::Valid | TokenState::Unknown);
        let is_proven =
            |permission: &PermissionStatus| permission.evidence == Evidence::Probe || permission.belief.lost;
        if !works || self.lacks(at, |required, permission| required && is_proven(permission)) {
            Health::Broken
        } else if self.is_affected || self.lacks(at, |required, permission| permission.matters(required)) {
            Health::Attention
        } else if status.state == TokenState::Unknown || status.validity.failures > 0 {
            Health::Unseen
        } else {
            Health::Ok
        }
    }

    /// Whether the token lacks a wanted permission for which `is_meant` holds, given whether it is required and its
    /// status. What the configuration says that it is meant to lack does not count.
    fn lacks(&self, at: DateTime<Utc>, is_meant: impl Fn(bool, &PermissionStatus) -> bool) -> bool {
        let mut wanted = self.token.wanted.iter().filter(|wanted| self.token.ignores(wanted.permission, at).is_none());
        wanted.any(|wanted| {
            let status = self.status.of_permission(wanted.permission);
            status.is_some_and(|status| status.state() == PermissionState::Missing && is_meant(wanted.required, status))
        })
    }
}

/// What fires for one tenant.
#[derive(Debug, Clone)]
pub struct TenantSnapshot {
    /// The name of the tenant.
    pub name: String,
    /// The alerts that fire for it, whatever their scope within it.
    pub firing: Arc<Vec<Firing>>,
}

/// The fleet at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Every configured token, tenant by tenant.
    pub tokens: Pieces<TokenSnapshot>,
    /// What fires for each tenant, sorted by the names of the tenants.
    pub tenants: Pieces<TenantSnapshot>,
    /// The names of the tenants that another daemon is to watch.
    pub elsewhere: Arc<BTreeSet<String>>,
    /// What fires for all tenants together.
    pub fleet_firing: Arc<Vec<Firing>>,
    /// The configured maintenance, during which alerts are suppressed.
    pub maintenance: Arc<[Maintenance]>,
    /// How long before the expiry of a token its expiry notices are due, the longest first.
    pub expiry_notice: Arc<[Duration]>,
    /// The probes that may be sent.
    pub probes: Probes,
    /// The metrics that are left out of a scrape.
    pub excluded_metrics: Arc<[Metric]>,
    /// How often each token is checked; `None` before the loop has begun.
    pub intervals: Option<Intervals>,
    /// How many checks should have begun.
    pub checks_due: usize,
    /// When the next check starts: the last tick, while one waits for a slot or is under way.
    pub next_check: Option<DateTime<Utc>>,
    /// When the loop has something to begin next: a check, or the review of a tenant.
    pub next_due: Option<DateTime<Utc>>,
    /// The last tick of the loop, by the wall clock.
    pub last_tick: Option<DateTime<Utc>>,
    /// The same by the clock that is never set: whether the loop turns is judged by the age of this moment.
    pub beat: Option<Monotonic>,
    /// By how much Syncro's clock is ahead of ours, if they differ by more than two minutes.
    pub clock_difference: Option<TimeDelta>,
    /// The source addresses from which requests are not answered that are from another one.
    pub failing_addresses: Vec<FailingAddress>,
    /// How many tokens have never been checked.
    pub unchecked: usize,
    /// Whether every token has been checked since the start.
    pub first_sweep_done: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::belief::{Policy, step};
    use crate::syncro::{MeObservation, Observation, ProbeObservation};
    use crate::testing::{at, config, failure, observed, probed, token, token_snapshot, works};

    const LIST: &str = "Tickets - List/Search";

    fn health(checks: &[Observation], required: bool) -> Health {
        let mut token = token("t", &[LIST]);
        token.wanted[0].required = required;
        let (config, mut status) = (config(Vec::new()), TokenStatus::default());
        for observation in checks {
            let policy = Policy {
                user_names: true,
                token: &token,
                confirmation: crate::belief::Confirmation::once(),
                probes: config.syncro.probes,
                news_for: config.alerts.remind_every,
                frozen: false,
            };
            let _ = step(&mut status, observation, policy);
        }
        token_snapshot(token, status).health(at(0))
    }

    #[test]
    fn a_token_is_broken_if_what_it_needs_is_gone_and_unseen_only_if_nothing_is_known_to_be_wrong() {
        let valid = || observed(0, works(&[]));
        let failed = || observed(9, MeObservation::Failed(failure()));
        let missing = || probed(1, &[(LIST, ProbeObservation::Missing)]);
        let granted = || probed(1, &[(LIST, ProbeObservation::Granted(200))]);
        let cases = [
            ("never checked", vec![], true, Health::Unseen),
            ("everything works", vec![valid(), granted()], true, Health::Ok),
            ("the last check failed", vec![valid(), granted(), failed()], true, Health::Unseen),
            ("a required permission is missing", vec![valid(), missing()], true, Health::Broken),
            ("it still is, though the last check failed", vec![valid(), missing(), failed()], true, Health::Broken),
            ("a recommended one was missing from the start", vec![valid(), missing()], false, Health::Ok),
            ("a recommended one was lost", vec![valid(), granted(), missing()], false, Health::Attention),
        ];
        for (case, checks, required, expected) in cases {
            assert_eq!(health(&checks, required), expected, "{case}");
        }
    }
}
