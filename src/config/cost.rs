//! What a configuration costs in requests to Syncro, against the budget. Arithmetic only. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::model::{Probes, Token};

use super::{Config, Syncro};

/// The shortest time between two requests of `/users/{id}` for one token.
pub(crate) const USER_INTERVAL: Duration = Duration::from_hours(1);

/// The time between two readings of the list of a tenant's users.
pub(crate) const USERS_INTERVAL: Duration = Duration::from_hours(24);

/// The shortest time between two audits of one token.
pub(crate) const AUDIT_INTERVAL: Duration = Duration::from_hours(24);

/// What the schedule of a configuration costs, in requests and in time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Cost {
    /// The number of tokens that are watched.
    pub tokens: usize,
    /// The requests that one full check of every token takes, the audits included.
    pub requests_per_sweep: usize,
    /// The requests a minute that the intervals that hold need, averaged over a busy hour.
    pub requests_per_minute: f64,
    /// The configured budget, in requests a minute.
    pub budget: f64,
    /// How long one full check of every token takes if nothing but the budget delays it.
    pub sweep: Duration,
}

impl Cost {
    /// Computes what `config` costs.
    pub(crate) fn of(config: &Config) -> Self {
        let Syncro { probes, audit_excess, .. } = config.syncro;
        let full_checks = config.tokens.iter().map(|token| full_check(token, probes, audit_excess));
        let requests_per_sweep: usize = full_checks.sum();
        let requests_per_minute =
            Load::of(&config.tokens, &config.syncro).requests_per_minute(config.intervals.holding());
        let budget = config.intervals.budget;
        let sweep = Duration::try_from_secs_f64(requests_per_sweep as f64 * 60.0 / budget).unwrap_or(Duration::MAX);
        let tokens = config.tokens.len();
        Self { tokens, requests_per_sweep, requests_per_minute, budget, sweep }
    }
}

/// How often the two checks are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frequency {
    pub(super) validity: Duration,
    pub(super) permissions: Duration,
    /// Whether every permission check falls on a validity check, so that one `/me` serves both.
    pub(super) coincide: bool,
}

/// What is asked of all tokens together, from which the cost of any schedule follows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Load {
    pub(super) tenants: usize,
    pub(super) tokens: usize,
    /// The probes of one permission check of every token.
    pub(super) probes: usize,
    /// The requests of one audit of every token.
    pub(super) audits: usize,
}

impl Load {
    pub(super) fn of(tokens: &[Arc<Token>], syncro: &Syncro) -> Self {
        let tenants: BTreeSet<_> = tokens.iter().map(|token| &token.tenant.name).collect();
        let audits = tokens.iter().filter(|_| syncro.audit_excess).map(|token| token.audit(syncro.probes).len());
        Self {
            tenants: tenants.len(),
            tokens: tokens.len(),
            probes: tokens.iter().map(|token| token.probes(syncro.probes).len()).sum(),
            audits: audits.sum(),
        }
    }

    /// The requests a minute that checks so often need, averaged over a busy hour.
    pub(super) fn requests_per_minute(&self, Frequency { validity, permissions, coincide }: Frequency) -> f64 {
        let each = |requests: usize, interval: Duration| requests as f64 * 60.0 / interval.as_secs_f64();
        // Once a day the list of the users of each tenant is read.
        each(self.tenants, USERS_INTERVAL)
            + each(self.tokens, validity)
            + each(self.probes, permissions)
            + each(self.tokens, permissions.max(USER_INTERVAL))
            + each(self.audits, permissions.max(AUDIT_INTERVAL))
            + if coincide { 0.0 } else { each(self.tokens, permissions) }
    }
}

/// The requests that one full check of a token takes.
pub(crate) fn full_check(token: &Token, probes: Probes, audits: bool) -> usize {
    let audit = if audits { token.audit(probes).len() } else { 0 };
    // A command that makes one check reads the list of users for what is asked of another one.
    2 + usize::from(token.asks_of_another_user(probes)) + token.probes(probes).len() + audit
}
