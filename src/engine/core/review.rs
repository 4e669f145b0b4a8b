//! What time alone makes true of a token or a tenant, and when each is seen to next. Pure.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::belief::Confirmation;
use crate::check::WatchKey;
use crate::engine::effect::Effect;
use crate::model::{Scope, TokenId};
use crate::plan::{audit_from, plan};

use super::Core;
use super::agenda::Queue;
use super::firing::not_after;

/// A clock that is this much behind the last tick was set; less is drift.
const SET_BACK: TimeDelta = TimeDelta::seconds(5);

impl Core {
    pub(super) fn tick(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let before = self.last_tick.replace(now);
        if let Some(before) = before.filter(|before| now + SET_BACK < *before) {
            self.set_back(before, now, effects);
        }
        while let Some(key) = self.agenda.due_review(now) {
            match self.rotations.of(key) {
                Some((owner, _)) => self.plan_rotation(owner, now),
                None => self.review(key, now, effects),
            }
        }
        self.judge_outage(now, effects);
        self.judge_monitor(now, effects);
        self.reviews.tick(now);
    }

    /// The clock was set back from `before` to `now`: whatever waits for a moment that had already come would wait for it
    /// again.
    fn set_back(&mut self, before: DateTime<Utc>, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        self.outages.set_back(now);
        self.fleet.set_back(now);
        effects.extend(not_after(|| Scope::Fleet, self.fleet.firing_mut(), now));
        for (name, firing) in self.fleet.tenants_firing() {
            effects.extend(not_after(|| Scope::Tenant(name.clone()), firing, now));
        }
        for key in self.fleet.keys() {
            if let Some(watch) = self.fleet.get_mut(key) {
                Arc::make_mut(&mut watch.status).set_back(before, now);
                watch.timing.set_back(now);
                watch.timing.audit_from =
                    audit_from(watch.phase, watch.status.audited(), &self.config, self.sweep, now);
            }
            self.review(key, now, effects);
        }
        self.plan_rotations(now);
    }

    /// Makes a full check of a token due now. It waits for the budget like any other, and a second request changes nothing.
    pub(super) fn check(&mut self, token: &TokenId, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let Some(key) = self.fleet.find(token) else { return };
        if let Some(watch) = self.fleet.get_mut(key) {
            watch.timing.check_at = Some(now);
        }
        self.review(key, now, effects);
    }

    /// Sets when a token is checked and reviewed next; what fires for its tenant is judged at the end of the event.
    pub(super) fn review(&mut self, key: WatchKey, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        self.plan(key, now);
        self.deduce_causes(key, effects);
        let Some(watch) = self.fleet.get(key) else { return };
        self.reviews.note(&watch.token.tenant.name);
        let is_checking_permissions = self.agenda.is_checking_permissions(key);
        let is_outdated = self.fleet.is_outdated(key);
        let Some(watch) = self.fleet.get_mut(key) else { return };
        if is_outdated && !is_checking_permissions {
            // Not at once again, should that check not bring what it is made for.
            let next = |last| Confirmation::of(&self.config.alerts).next(last).max(now);
            watch.timing.check_at.get_or_insert(watch.status.validity.last_attempt.map_or(now, next));
        }
        if is_checking_permissions {
            watch.timing.plan.permissions = None;
        }
        // A full check that is requested comes after the one that is under way, which began before.
        let timing = &watch.timing;
        let requested = if is_checking_permissions { timing.quick_check_at } else { timing.requested_at() };
        let due = requested.map_or(watch.timing.plan.at(), |at| at.min(watch.timing.plan.at()));
        if self.agenda.is_checking_token(key) {
            // It comes back here when the answer does.
            self.agenda.set(key, None, None);
        } else if due <= now {
            let queue = Queue::of(&watch.timing.plan, requested, now);
            self.agenda.set(key, None, Some((queue, due)));
        } else {
            self.agenda.set(key, Some(due), None);
        }
    }

    /// Plans the next checks of a token anew.
    fn plan(&mut self, key: WatchKey, now: DateTime<Utc>) {
        let Some(watch) = self.fleet.get_mut(key) else { return };
        watch.timing.plan = plan(&watch.token, watch.phase, &watch.status, &self.config, now);
        if let Some(then) = watch.timing.catch_up {
            watch.is_behind = watch.timing.plan.at() <= self.started;
            watch.timing.plan.put_off(self.started, then, watch.token.expires);
        }
    }
}
