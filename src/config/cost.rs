//! What a configuration costs in requests to Syncro, against the budget. Arithmetic only. Pure.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::model::{Probes, Token};

use super::{Config, Schedule};

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
    /// The requests a minute that the schedule needs, averaged over a busy hour.
    pub requests_per_minute: f64,
    /// The configured budget, in requests a minute.
    pub budget: f64,
    /// How long one full check of every token takes if nothing but the budget delays it.
    pub sweep: Duration,
}

impl Cost {
    /// Computes what `config` costs.
    pub(crate) fn of(config: &Config) -> Self {
        let minutes = |interval: Duration| interval.as_secs_f64() / 60.0;
        let validity = config.schedule.validity.busiest_interval();
        let permissions = config.schedule.permissions.busiest_interval();
        let mut requests_per_sweep = 0;
        // Once a day the list of the users of each tenant is read.
        let tenants: BTreeSet<_> = config.tokens.iter().map(|token| &token.tenant.name).collect();
        let mut requests_per_minute = tenants.len() as f64 / minutes(USERS_INTERVAL);
        for token in &config.tokens {
            let probes = token.probes(config.syncro.probes).len();
            let audit = if config.syncro.audit_excess { token.audit(config.syncro.probes).len() } else { 0 };
            requests_per_sweep += full_check(token, config.syncro.probes, config.syncro.audit_excess);
            requests_per_minute += 1.0 / minutes(validity) + (probes as f64) / minutes(permissions);
            requests_per_minute += 1.0 / minutes(permissions.max(USER_INTERVAL));
            requests_per_minute += (audit as f64) / minutes(permissions.max(AUDIT_INTERVAL));
            if !coincide(&config.schedule.validity, &config.schedule.permissions) {
                requests_per_minute += 1.0 / minutes(permissions);
            }
        }
        let budget = f64::from(config.syncro.requests_per_minute.get());
        let sweep = Duration::try_from_secs_f64(requests_per_sweep as f64 * 60.0 / budget).unwrap_or(Duration::MAX);
        let tokens = config.tokens.len();
        Self { tokens, requests_per_sweep, requests_per_minute, budget, sweep }
    }

    /// Whether the budget covers what the schedule needs.
    pub(crate) fn fits(&self) -> bool {
        self.requests_per_minute <= self.budget
    }
}

/// The requests that one full check of a token takes.
pub(crate) fn full_check(token: &Token, probes: Probes, audits: bool) -> usize {
    let audit = if audits { token.audit(probes).len() } else { 0 };
    // A command that makes one check reads the list of users for what is asked of another one.
    2 + usize::from(token.asks_of_another_user(probes)) + token.probes(probes).len() + audit
}

/// Whether every permission check falls on a validity check, so that one `/me` serves both.
fn coincide(validity: &Schedule, permissions: &Schedule) -> bool {
    match (validity, permissions) {
        (Schedule::Every(validity), Schedule::Every(permissions)) => {
            permissions.as_millis().is_multiple_of(validity.as_millis().max(1))
        }
        _ => false,
    }
}
