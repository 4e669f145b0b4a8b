//! What time alone makes true of a token or a tenant, and when each is seen to next. Pure.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::{Rules, Tenancy, next_change, tenant_alerts, token_alerts};
use crate::belief::Confirmation;
use crate::check::WatchKey;
use crate::engine::effect::Effect;
use crate::model::{Scope, TokenId};
use crate::plan::{audit_from, plan};

use super::Core;
use super::agenda::Queue;
use super::firing::{not_after, notified, shared};

/// A clock that is this much behind the last tick was set; less is drift.
const SET_BACK: TimeDelta = TimeDelta::seconds(5);

impl Core {
    pub(super) fn tick(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let before = self.last_tick.replace(now);
        if let Some(before) = before.filter(|before| now + SET_BACK < *before) {
            self.set_back(before, now, effects);
        }
        while let Some(key) = self.agenda.due_review(now) {
            self.review(key, now, effects);
        }
        self.judge_outage(now, effects);
        self.judge_monitor(now, effects);
        for tenant in self.outages.take_silent() {
            self.review_tenant(&tenant, now, effects);
        }
    }

    /// The clock was set back from `before` to `now`: whatever waits for a moment that had already come would wait for it
    /// again.
    fn set_back(&mut self, before: DateTime<Utc>, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        self.cached = None;
        self.outages.set_back(now);
        self.fleet.set_back(now);
        effects.extend(not_after(|| Scope::Fleet, self.fleet.firing_mut(), now));
        for (name, firing) in self.fleet.tenants_firing() {
            effects.extend(not_after(|| Scope::Tenant(name.clone()), firing, now));
        }
        for key in self.fleet.keys() {
            if let Some(watch) = self.fleet.get_mut(key) {
                Arc::make_mut(&mut watch.status).set_back(before, now);
                effects.extend(not_after(|| watch.token.id().into(), &mut watch.firing, now));
                watch.timing.set_back(now);
                watch.timing.audit_from =
                    audit_from(watch.phase, watch.status.audited(), &self.config, self.sweep, now);
            }
            self.review(key, now, effects);
        }
    }

    /// Makes a full check of a token due now. It waits for the budget like any other, and a second request changes nothing.
    pub(super) fn check(&mut self, token: &TokenId, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let Some(key) = self.fleet.find(token) else { return };
        if let Some(watch) = self.fleet.get_mut(key) {
            watch.timing.check_at = Some(now);
        }
        self.review(key, now, effects);
    }

    /// Notifies of what time alone has made true of a token, and sets when it is checked and reviewed next.
    pub(super) fn review(&mut self, key: WatchKey, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        self.review_after(key, false, now, effects);
    }

    /// Reviews a token; `probed` says whether a check of all its permissions has ended just now.
    pub(super) fn review_after(&mut self, key: WatchKey, probed: bool, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        self.plan(key, now);
        let Some(watch) = self.fleet.get(key) else { return };
        let suppressed_until = self.config.suppressed_until(&watch.token.tenant.name, now);
        let suppressed = suppressed_until.is_some() || self.outages.is_frozen();
        self.update_token(key, suppressed, probed, now, effects);
        let Some(watch) = self.fleet.get_mut(key) else { return };
        let is_checking_permissions = self.agenda.is_checking_permissions(key);
        if is_checking_permissions {
            watch.timing.plan.permissions = None;
        }
        // While alerts are suppressed nothing changes but that they no longer are.
        let rules = Rules::new(&self.config.alerts, now);
        let change =
            if suppressed { suppressed_until } else { next_change(rules, &watch.token, &watch.status, &watch.firing) };
        // A full check that is requested comes after the one that is under way, which began before.
        let timing = &watch.timing;
        let requested = if is_checking_permissions { timing.quick_check_at } else { timing.requested_at() };
        let due = requested.map_or(watch.timing.plan.at(), |at| at.min(watch.timing.plan.at()));
        if self.agenda.is_checking_token(key) {
            // It comes back here when the answer does.
            self.agenda.set(key, change, None);
        } else if due <= now {
            let queue = Queue::of(&watch.timing.plan, requested, now);
            self.agenda.set(key, change, Some((queue, due)));
        } else {
            self.agenda.set(key, change.into_iter().chain([due]).min(), None);
        }
    }

    /// Plans the next checks of a token anew.
    fn plan(&mut self, key: WatchKey, now: DateTime<Utc>) {
        let Some(watch) = self.fleet.get_mut(key) else { return };
        watch.timing.plan = plan(&watch.token, watch.phase, &watch.status, &self.config, now);
        if let Some(then) = watch.timing.catch_up {
            watch.timing.plan.put_off(self.started, then, watch.token.expires);
        }
    }

    /// Brings what fires for a token up to what is believed of it.
    fn update_token(
        &mut self,
        key: WatchKey,
        suppressed: bool,
        probed: bool,
        now: DateTime<Utc>,
        effects: &mut Vec<Effect>,
    ) {
        self.deduce_causes(key, effects);
        let Some(watch) = self.fleet.get(key) else { return };
        let is_checking_permissions = self.agenda.is_checking_permissions(key);
        let is_requested = watch.timing.check_at.is_some_and(|at| at <= now);
        // Nobody is notified by what was seen before of what is being checked, or is about to be. But where the budget is
        // short the next check is always due, and what has been seen just now does not wait for it.
        let is_due = is_requested || !probed && (is_checking_permissions || watch.timing.plan.scope(now).is_some());
        let peers = self.fleet.peers(key);
        let is_outdated = peers.iter().any(|(_, peer)| watch.is_outdated_by(peer));
        let rules = Rules { suppressed, awaits_check: is_due || is_outdated, ..Rules::new(&self.config.alerts, now) };
        let peers: Vec<_> = peers.iter().map(|(_, peer)| peer.as_peer()).collect();
        let mut firing = watch.firing.to_vec();
        let notifications = token_alerts(rules, &watch.token, &watch.status, &peers, &mut firing);
        let Some(watch) = self.fleet.get_mut(key) else { return };
        if is_outdated && !is_checking_permissions {
            // Not at once again, should that check not bring what it is made for.
            let next = |last| Confirmation::of(&self.config.alerts).next(last).max(now);
            watch.timing.check_at.get_or_insert(watch.status.validity.last_attempt.map_or(now, next));
        }
        effects.extend(shared(|| watch.token.id().into(), &mut watch.firing, firing));
        effects.extend(notified(notifications));
    }

    /// Brings what fires for a tenant as a whole up to whether any check of it gives a verdict.
    pub(super) fn review_tenant(&mut self, name: &str, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let silent = self.fleet.silence(name);
        let suppressed = self.config.suppressed_until(name, now).is_some()
            || self.outages.is_one_of_many(self.fleet.last_check(name))
            || self.fleet.is_own_trouble(name);
        let Some(fires) = self.fleet.tenant_firing(name) else { return };
        let rules = Rules { suppressed, ..Rules::new(&self.config.alerts, now) };
        let mut firing = fires.to_vec();
        let notifications = tenant_alerts(rules, Tenancy { tenant: name, silent }, &mut firing);
        effects.extend(shared(|| Scope::Tenant(name.to_owned()), fires, firing));
        effects.extend(notified(notifications));
        if silent.is_some() {
            self.outages.note_silent(name);
        }
    }
}
