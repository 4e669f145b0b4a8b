//! One consistent picture of the fleet: what the engine shows to everyone who exposes it. Sharing it copies pointers. Pure.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::alert::Firing;
use crate::belief::{Evidence, PermissionState, PermissionStatus, TokenState, TokenStatus};
use crate::config::{Maintenance, suppressed_until};
use crate::model::{Scope, Token};
use crate::syncro::Asked;
use crate::system::clock::Monotonic;

/// One token in the picture.
#[derive(Debug, Clone)]
pub struct TokenSnapshot {
    /// As it is configured.
    pub token: Arc<Token>,
    /// What is believed about it.
    pub status: Arc<TokenStatus>,
    /// What fires for it.
    pub firing: Arc<Vec<Firing>>,
    /// What it was last asked since the start, and how that went.
    pub asked: Arc<[Asked]>,
}

impl Snapshot {
    /// Everything that fires, and for whom.
    pub fn firing(&self) -> impl Iterator<Item = (Scope, &Firing)> {
        let of_tokens =
            self.tokens.iter().flat_map(|one| one.firing.iter().map(|firing| (one.token.id().into(), firing)));
        let of_tenants = self.tenants.iter();
        let of_tenants =
            of_tenants.flat_map(|one| one.firing.iter().map(|firing| (Scope::Tenant(one.name.clone()), firing)));
        of_tokens.chain(of_tenants).chain(self.fleet_firing.iter().map(|firing| (Scope::Fleet, firing)))
    }

    /// Until when alerts of this tenant are held by maintenance, if they are now.
    pub fn suppressed_until(&self, tenant: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        suppressed_until(&self.maintenance, tenant, now)
    }
}

/// How a token is, in one word, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// What uses it fails.
    Broken,
    /// It works, but something about it should be seen to.
    Attention,
    /// Nothing is known to be wrong, but the last look gave no verdict.
    Unseen,
    /// All is as it should be.
    Well,
}

impl Health {
    /// Every one, the worst first.
    pub const ALL: [Self; 4] = [Self::Broken, Self::Attention, Self::Unseen, Self::Well];

    /// The word in URLs and JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Broken => "broken",
            Self::Attention => "attention",
            Self::Unseen => "unseen",
            Self::Well => "well",
        }
    }
}

impl TokenSnapshot {
    /// How it is. By what is believed rather than by what fires: alerts may be held, and of several tokens that a
    /// security group hurts only one speaks.
    pub fn health(&self) -> Health {
        let status = &self.status;
        let works = matches!(status.state, TokenState::Valid | TokenState::Unknown);
        if !works || self.lacks(|required, known| required && (known.evidence == Evidence::Probe || known.belief.lost))
        {
            Health::Broken
        } else if !self.firing.is_empty() || self.lacks(|_, _| true) {
            Health::Attention
        } else if status.state == TokenState::Unknown || status.validity.failures > 0 {
            Health::Unseen
        } else {
            Health::Well
        }
    }

    /// Whether it lacks a wanted permission of this kind.
    fn lacks(&self, is_meant: impl Fn(bool, &PermissionStatus) -> bool) -> bool {
        self.token.wanted.iter().any(|wanted| {
            let known = self.status.of_permission(wanted.permission);
            known.is_some_and(|known| known.state() == PermissionState::Missing && is_meant(wanted.required, known))
        })
    }
}

/// What fires for one tenant as a whole.
#[derive(Debug, Clone)]
pub struct TenantSnapshot {
    /// The tenant's name.
    pub name: String,
    /// What fires for it.
    pub firing: Arc<Vec<Firing>>,
}

/// The fleet at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Every configured token, tenant by tenant.
    pub tokens: Arc<Vec<TokenSnapshot>>,
    /// What fires for tenants as a whole.
    pub tenants: Arc<Vec<TenantSnapshot>>,
    /// What fires for all of them together.
    pub fleet_firing: Arc<Vec<Firing>>,
    /// When alerts are held.
    pub maintenance: Arc<[Maintenance]>,
    /// How long before its expiry a token is spoken of; longest first.
    pub expiry_notice: Arc<[Duration]>,
    /// Checks that should have begun.
    pub checks_due: usize,
    /// When there is something to do next, if nothing waits already.
    pub next_check: Option<DateTime<Utc>>,
    /// The last pulse of the loop, by the wall clock.
    pub last_tick: Option<DateTime<Utc>>,
    /// The same by the clock that is never set: whether the loop turns is judged by its age.
    pub beat: Option<Monotonic>,
    /// Whether every token has been looked at since the start.
    pub first_sweep_done: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::belief::{Policy, step};
    use crate::syncro::{MeObservation, Observation, ProbeObservation};
    use crate::testing::{config, failure, observed, probed, token, works};

    const LIST: &str = "Tickets - List/Search";

    fn health(checks: &[Observation], required: bool) -> Health {
        let mut token = token("t", &[LIST]);
        token.wanted[0].required = required;
        let (config, mut status) = (config(Vec::new()), TokenStatus::default());
        for observed in checks {
            let policy = Policy {
                token: &token,
                confirmation: crate::belief::Confirmation::once(),
                probes: config.syncro.probes,
                news_for: config.alerts.remind_every,
                frozen: false,
            };
            let _ = step(&mut status, observed, policy);
        }
        let (token, status) = (Arc::new(token), Arc::new(status));
        TokenSnapshot { token, status, firing: Arc::default(), asked: Arc::default() }.health()
    }

    #[test]
    fn a_token_is_broken_if_what_it_needs_is_gone_and_unseen_only_if_nothing_is_known_to_be_wrong() {
        let well = || observed(0, works(&[]));
        let not_seen = || observed(9, MeObservation::Failed(failure()));
        let missing = || probed(1, &[(LIST, ProbeObservation::Missing)]);
        let granted = || probed(1, &[(LIST, ProbeObservation::Granted(200))]);
        let cases = [
            ("never looked at", vec![], true, Health::Unseen),
            ("all is well", vec![well(), granted()], true, Health::Well),
            ("could not look", vec![well(), granted(), not_seen()], true, Health::Unseen),
            ("a required permission is missing", vec![well(), missing()], true, Health::Broken),
            ("it still is, though we could not look", vec![well(), missing(), not_seen()], true, Health::Broken),
            ("a recommended one is missing", vec![well(), missing()], false, Health::Attention),
        ];
        for (case, checks, required, expected) in cases {
            assert_eq!(health(&checks, required), expected, "{case}");
        }
    }
}
