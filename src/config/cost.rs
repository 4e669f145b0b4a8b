//! What a configuration costs in requests to Syncro, against the budget. Arithmetic only. Pure.

use std::collections::HashMap;
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
    /// The configured budget of all source addresses together, in requests a minute.
    pub budget: f64,
    /// How long one full check of every token takes if nothing but the budget of its source address delays it.
    pub sweep: Duration,
}

impl Cost {
    /// Computes what `config` costs.
    pub(crate) fn of(config: &Config) -> Self {
        let loads = Load::of_each_source(&config.tokens, &config.syncro);
        let requests_per_minute = loads.iter().map(|load| load.requests_per_minute(config.intervals.holding())).sum();
        let busiest = loads.iter().map(|load| load.full_checks).max().unwrap_or_default();
        let sweep = Duration::try_from_secs_f64(busiest as f64 * 60.0 / config.intervals.budget);
        let sweep = sweep.unwrap_or(Duration::MAX);
        let budget = config.syncro.whole_budget();
        let requests_per_sweep = loads.iter().map(|load| load.full_checks).sum();
        let tokens = config.tokens.len();
        Self { tokens, requests_per_sweep, requests_per_minute, budget, sweep }
    }

    /// Computes what `config` costs from each source address, in their order.
    pub(crate) fn of_each_source(config: &Config) -> impl Iterator<Item = SourceCost> {
        let holding = config.intervals.holding();
        Load::of_each_source(&config.tokens, &config.syncro).into_iter().map(move |load| SourceCost {
            tenants: load.tenants,
            tokens: load.tokens,
            requests_per_minute: load.requests_per_minute(holding),
        })
    }
}

/// What is asked from one source address.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SourceCost {
    /// The number of tenants that are asked from it.
    pub tenants: usize,
    /// The number of their tokens.
    pub tokens: usize,
    /// The requests a minute that the intervals that hold need, averaged over a busy hour.
    pub requests_per_minute: f64,
}

/// How often the two checks are made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frequency {
    pub(super) validity: Duration,
    pub(super) permissions: Duration,
    /// Whether every permission check falls on a validity check, so that one `/me` serves both.
    pub(super) coincide: bool,
}

/// What is asked of tokens together, from which the cost of any schedule follows.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Load {
    pub(super) tenants: usize,
    pub(super) tokens: usize,
    /// The probes of one permission check of every token.
    pub(super) probes: usize,
    /// The requests of one audit of every token.
    pub(super) audits: usize,
    /// The requests of one full check of every token, the audits included.
    pub(super) full_checks: usize,
}

impl Load {
    /// What is asked from each source address, in their order; from the one that the system chooses, if there are none.
    pub(super) fn of_each_source(tokens: &[Arc<Token>], syncro: &Syncro) -> Vec<Self> {
        let mut loads = vec![Self::default(); syncro.source_addresses.len().max(1)];
        let mut sources = HashMap::new();
        for token in tokens {
            let tenant = token.tenant.name.as_str();
            let source = *sources.entry(tenant).or_insert_with(|| {
                let source = syncro.ranked_sources(tenant).first().copied().unwrap_or_default();
                loads[source].tenants += 1;
                source
            });
            let load = &mut loads[source];
            // A next token is asked what the one in use is, though less often whether it works.
            let values = 1 + usize::from(token.next.is_some());
            load.tokens += values;
            load.probes += values * token.probes(syncro.probes).len();
            load.audits += if syncro.audit_excess { token.audit(syncro.probes).len() } else { 0 };
            load.full_checks += full_check(token, syncro.probes, syncro.audit_excess);
            load.full_checks += (values - 1) * full_check(token, syncro.probes, false);
        }
        loads
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
