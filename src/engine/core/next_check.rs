//! Which due check starts next, and what it asks. Pure.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::belief::{Check, Confirmation, TokenStatus};
use crate::check::{Ended, Job, PermissionJob, Requests, WatchKey};
use crate::config::Config;
use crate::engine::effect::Effect;
use crate::plan::{PermissionScope, is_doubtful, wants_user};
use crate::syncro::CheckLane;

use super::Core;
use super::rotation;
use super::users;
use super::watch::Watch;

impl Core {
    /// Starts due checks while there are slots, the most pressing first.
    pub(super) fn start_checks(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let Self { agenda, fleet, monitor, config, rotations, .. } = self;
        let mut chosen: Vec<(WatchKey, CheckLane, Option<PermissionScope>)> = Vec::new();
        let mut beside = Vec::new();
        let owner = |key| rotations.of(key).map_or(key, |(owner, _)| owner);
        let paused = |key| monitor.paused_until(&fleet.get(owner(key))?.token.tenant, &config.syncro, now);
        agenda.start(now, paused, |key, lane| {
            if rotations.of(key).is_some() {
                let job = rotation::job(rotations, (fleet, config), (key, lane));
                let asks = job.as_ref().is_some_and(|job| job.permissions.is_some());
                beside.push((key, lane, job));
                return asks;
            }
            let scope = fleet.get(key).and_then(|watch| scope(watch, lane, now));
            chosen.push((key, lane, scope));
            scope.is_some()
        });
        for (key, lane, job) in beside {
            match job {
                Some(job) => effects.push(Effect::Start(job)),
                None => agenda.ended(key, Check::Validity, Some(Ended { lane, permissions: false })),
            }
        }
        for (key, lane, scope) in chosen {
            let (probes, confirmation) = (config.syncro.probes, Confirmation::of(&config.alerts));
            let users = match scope {
                Some(PermissionScope::Full) => users::sought(fleet, key, probes, confirmation, now),
                _ => None,
            };
            let another_user = fleet.another_user(key);
            let Some(watch) = fleet.get_mut(key) else { continue };
            watch.timing.quick_check_at.take_if(|at| *at <= now);
            if scope.is_some() || !agenda.is_checking_permissions(key) {
                watch.timing.check_at.take_if(|at| *at <= now);
            }
            let permissions =
                scope.map(|scope| PermissionJob { users, another_user, ..permissions(scope, watch, config, now) });
            effects.push(Effect::Start(Job { key, token: Arc::clone(&watch.token), lane, permissions }));
        }
    }
}

/// Which permissions a check in this lane asks for.
fn scope(watch: &Watch, lane: CheckLane, now: DateTime<Utc>) -> Option<PermissionScope> {
    let timing = &watch.timing;
    let forced = timing.check_at.is_some_and(|at| at <= now);
    let scope = if forced { timing.plan.permissions.map(|_| PermissionScope::Full) } else { timing.plan.scope(now) };
    scope.filter(|_| lane != CheckLane::Validity)
}

/// What a check that starts now asks about permissions.
fn permissions(scope: PermissionScope, watch: &Watch, config: &Config, now: DateTime<Utc>) -> PermissionJob {
    let (status, token, probes) = (&watch.status, &watch.token, config.syncro.probes);
    match scope {
        PermissionScope::Full => {
            let audits = config.syncro.audit_excess && watch.timing.audit_from <= now;
            let probes_now = rotated(token.probes(probes), status);
            let audit = audits.then(|| token.audit(probes));
            PermissionJob {
                full: true,
                user: wants_user(status, now),
                users: None,
                another_user: None,
                probes: probes_now,
                audit,
            }
        }
        PermissionScope::Doubtful => {
            let is_doubted = |permission| {
                status.permissions.iter().any(|status| status.permission == permission && is_doubtful(status))
            };
            let probes = rotated(token.probes_of(probes, is_doubted), status);
            let user = status.user.as_ref().is_some_and(|user| user.doubted_at.is_some());
            PermissionJob { full: false, user, users: None, another_user: None, probes, audit: None }
        }
    }
}

/// After a failure other requests go first, so that requests that never end do not block the same others for ever.
fn rotated(mut probes: Requests, status: &TokenStatus) -> Requests {
    let by = (status.permission_checks.failures as usize).checked_rem(probes.len()).unwrap_or_default();
    probes.rotate_left(by);
    probes
}
