//! Which due look starts next: what waits for a slot, and who goes first. Pure.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::plan::{Scope, is_doubtful, wants_user};
use crate::syncro::Lane;

use super::Core;
use super::queue::Queue;
use crate::check::{Job, PermissionJob, Requests, WatchKey};
use crate::engine::effect::Effect;

/// How long a token waits for a look that serves both checks before it is looked at for validity alone, which costs a
/// second `/me`: long enough for a small fleet to waste nothing, short enough for a large one to hear bad news soon.
const PATIENCE: TimeDelta = TimeDelta::seconds(60);

impl Core {
    /// Starts due looks while there are slots, the most pressing first.
    pub(super) fn start_checks(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        self.waiting.append(&mut self.monitor.unpark(now));
        for queue in [Queue::Urgent, Queue::Both, Queue::Validity, Queue::Permissions] {
            let from = (queue, DateTime::<Utc>::MIN_UTC, WatchKey(0));
            while let Some(entry) = self.waiting.range(from..).next().copied().filter(|entry| entry.0 == queue) {
                let impatient = now - entry.1 > PATIENCE;
                let lanes: &[Lane] = match queue {
                    Queue::Urgent => &[Lane::Urgent],
                    Queue::Both if impatient => &[Lane::Permissions, Lane::Validity],
                    Queue::Both | Queue::Permissions => &[Lane::Permissions],
                    Queue::Validity => &[Lane::Validity],
                };
                let Some(lane) = lanes.iter().copied().find(|lane| self.free[*lane as usize] > 0) else { break };
                self.waiting.remove(&entry);
                if self.watches.get(&entry.2).is_some_and(|watch| self.monitor.park(entry, watch, now)) {
                    continue;
                }
                effects.extend(self.job(entry.2, lane, now).map(Effect::Start));
            }
        }
    }

    fn job(&mut self, key: WatchKey, lane: Lane, now: DateTime<Utc>) -> Option<Job> {
        let watch = self.watches.get_mut(&key)?;
        watch.waiting = None;
        watch.quick_check_at.take_if(|at| *at <= now);
        let forced = watch.check_at.take_if(|at| *at <= now).is_some();
        let scope = if forced { watch.plan.permissions.map(|_| Scope::Full) } else { watch.plan.scope(now) };
        let scope = scope.filter(|_| lane != Lane::Validity);
        self.free[lane as usize] -= 1;
        self.asked_token.insert(key);
        let status = &watch.status;
        let probes = self.config.syncro.probes;
        // After a failure others go first, so that requests that take for ever do not keep the same ones from being asked.
        let turn = status.permission_checks.failures as usize;
        let turned = |mut probes: Requests| {
            let by = turn.checked_rem(probes.len()).unwrap_or_default();
            probes.rotate_left(by);
            probes
        };
        let permissions = scope.map(|scope| match scope {
            Scope::Full => {
                let user = wants_user(status, now);
                let audits = self.config.syncro.audit_excess && watch.audit_from <= now;
                let audit = audits.then(|| watch.token.audit(probes));
                PermissionJob { full: true, user, probes: turned(watch.token.probes(probes)), audit }
            }
            Scope::Doubtful => {
                let doubtful = |permission| {
                    status.permissions.iter().any(|known| known.permission == permission && is_doubtful(known))
                };
                let probes = turned(watch.token.probes_of(probes, doubtful));
                PermissionJob { full: false, user: false, probes, audit: None }
            }
        });
        if permissions.is_some() {
            self.asked_permissions.insert(key);
        }
        Some(Job { key, token: Arc::clone(&watch.token), lane, permissions })
    }
}
