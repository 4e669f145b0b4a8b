//! Which due check starts next, and what it asks. Pure.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::belief::TokenStatus;
use crate::check::{Job, PermissionJob, Requests, WatchKey};
use crate::config::Config;
use crate::engine::effect::Effect;
use crate::plan::{Scope, is_doubtful, wants_user};
use crate::syncro::Lane;

use super::Core;
use super::watch::Watch;

impl Core {
    /// Starts due checks while there are slots, the most pressing first.
    pub(super) fn start_checks(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let Self { agenda, fleet, monitor, config, .. } = self;
        // A check that starts changes what is asked of its token next, not whose host is paused.
        let mut chosen: Vec<(WatchKey, Lane)> = Vec::new();
        let paused = |key| monitor.paused_until(&fleet.get(key)?.token.tenant.base_url, now);
        agenda.start(now, paused, |key, lane| {
            chosen.push((key, lane));
            fleet.get(key).is_some_and(|watch| scope(watch, lane, now).is_some())
        });
        for (key, lane) in chosen {
            let job = fleet.get_mut(key).map(|watch| job(key, watch, lane, config, now));
            effects.extend(job.map(Effect::Start));
        }
    }
}

/// Which permissions a check in this lane asks for.
fn scope(watch: &Watch, lane: Lane, now: DateTime<Utc>) -> Option<Scope> {
    let timing = &watch.timing;
    let forced = timing.check_at.is_some_and(|at| at <= now);
    let scope = if forced { timing.plan.permissions.map(|_| Scope::Full) } else { timing.plan.scope(now) };
    scope.filter(|_| lane != Lane::Validity)
}

/// What a check that starts now asks.
fn job(key: WatchKey, watch: &mut Watch, lane: Lane, config: &Config, now: DateTime<Utc>) -> Job {
    let scope = scope(watch, lane, now);
    watch.timing.quick_check_at.take_if(|at| *at <= now);
    watch.timing.check_at.take_if(|at| *at <= now);
    let (status, token, probes) = (&watch.status, &watch.token, config.syncro.probes);
    let permissions = scope.map(|scope| match scope {
        Scope::Full => {
            let audits = config.syncro.audit_excess && watch.timing.audit_from <= now;
            let probes_now = rotated(token.probes(probes), status);
            let audit = audits.then(|| token.audit(probes));
            PermissionJob { full: true, user: wants_user(status, now), probes: probes_now, audit }
        }
        Scope::Doubtful => {
            let is_doubted = |permission| {
                status.permissions.iter().any(|status| status.permission == permission && is_doubtful(status))
            };
            let probes = rotated(token.probes_of(probes, is_doubted), status);
            PermissionJob { full: false, user: false, probes, audit: None }
        }
    });
    Job { key, token: Arc::clone(token), lane, permissions }
}

/// After a failure other requests go first, so that requests that never end do not block the same others for ever.
fn rotated(mut probes: Requests, status: &TokenStatus) -> Requests {
    let by = (status.permission_checks.failures as usize).checked_rem(probes.len()).unwrap_or_default();
    probes.rotate_left(by);
    probes
}
