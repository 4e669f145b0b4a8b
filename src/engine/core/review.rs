//! How the core sees to one token or tenant: what a look changes, what time alone makes true, when to look next. Pure.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::{Rules, Tenancy, next_change, tenant_alerts, token_alerts};
use crate::belief::{Attempts, Check, Confirmation, Policy, TransitionKind, step};
use crate::model::{Scope, TokenId};
use crate::plan::{audit_from, plan};
use crate::state::{Entry, Record};
use crate::syncro::{Asked, Failure, Observation, Part};

use super::Core;
use super::firing::{not_after, notified, shared};
use super::monitor::is_own;
use super::queue::queue;
use crate::check::Ended;
use crate::check::WatchKey;
use crate::engine::effect::{Checked, Effect, Outcome, checked_by};

/// What every look begins with.
const ME: &str = "/me";
/// A clock that goes back by more than this was set; less is drift.
const SET_BACK: TimeDelta = TimeDelta::seconds(5);

impl Core {
    pub(super) fn tick(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let before = self.last_tick.replace(now);
        if let Some(before) = before.filter(|before| now + SET_BACK < *before) {
            self.set_back(before, now, effects);
        }
        while let Some((at, key)) = self.agenda.first().copied().filter(|(at, _)| *at <= now) {
            self.agenda.remove(&(at, key));
            self.review(key, now, effects);
        }
        self.judge_outage(now, effects);
        self.judge_monitor(now, effects);
        for tenant in std::mem::take(&mut self.silent) {
            self.review_tenant(&tenant, now, effects);
        }
    }

    /// The clock was set back from `before` to `now`: whatever waits for a moment that had already come would wait for it
    /// again.
    fn set_back(&mut self, before: DateTime<Utc>, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        self.cached = None;
        self.overruled_until = None;
        self.reachable_since = self.reachable_since.map(|since| since.min(now));
        effects.extend(not_after(|| Scope::Fleet, &mut self.fleet_firing, now));
        for (name, tenant) in &mut self.tenants {
            effects.extend(not_after(|| Scope::Tenant(name.to_owned()), &mut tenant.firing, now));
        }
        for key in self.watches.keys().copied().collect::<Vec<_>>() {
            if let Some(watch) = self.watches.get_mut(&key) {
                Arc::make_mut(&mut watch.status).set_back(before, now);
                effects.extend(not_after(|| watch.token.id().into(), &mut watch.firing, now));
                watch.catch_up = None;
                for at in [&mut watch.check_at, &mut watch.quick_check_at].into_iter().flatten() {
                    *at = now.min(*at);
                }
                watch.audit_from = audit_from(watch.phase, watch.status.audited(), &self.config, self.sweep, now);
            }
            self.review(key, now, effects);
        }
    }

    /// Makes a full look at a token due now. It waits for the budget like any other, and wishing twice changes nothing.
    pub(super) fn check(&mut self, token: &TokenId, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let members = self.tenants.get(&token.tenant).map(|tenant| tenant.members.as_slice()).unwrap_or_default();
        let named = |key: &&WatchKey| self.watches.get(key).is_some_and(|watch| watch.token.name == token.token_name);
        let Some(key) = members.iter().find(named).copied() else { return };
        if let Some(watch) = self.watches.get_mut(&key) {
            watch.check_at = Some(now);
        }
        self.review(key, now, effects);
    }

    /// Tells what time alone has made true of a token, and sees to its next look.
    pub(super) fn review(&mut self, key: WatchKey, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let Some(watch) = self.watches.get_mut(&key) else { return };
        watch.plan = plan(&watch.token, watch.phase, &watch.status, &self.config, now);
        if let Some(then) = watch.catch_up {
            watch.plan.put_off(self.started, then, watch.token.expires);
        }
        // What is being looked at, or is about to be, is not told of by what was seen before.
        let awaits_check = self.asked_permissions.contains(&key)
            || watch.plan.scope(now).is_some()
            || watch.check_at.is_some_and(|at| at <= now);
        let Some(watch) = self.watches.get(&key) else { return };
        let suppressed_until = self.config.suppressed_until(&watch.token.tenant.name, now);
        let suppressed = suppressed_until.is_some() || self.is_frozen();
        let peers = self.peers(key);
        let is_outdated = peers.iter().any(|(_, other)| watch.is_outdated_by(other));
        let awaits_check = awaits_check || is_outdated;
        let rules = Rules { suppressed, awaits_check, ..Rules::new(&self.config.alerts, now) };
        let seen: Vec<_> = peers.iter().map(|(_, other)| other.seen()).collect();
        let mut firing = watch.firing.to_vec();
        let notifications = token_alerts(rules, &watch.token, &watch.status, &seen, &mut firing);
        let Some(watch) = self.watches.get_mut(&key) else { return };
        if is_outdated && !self.asked_permissions.contains(&key) {
            // Not at once again, should that check not bring what it is made for.
            let next = |last| Confirmation::of(&self.config.alerts).next(last).max(now);
            watch.check_at.get_or_insert(watch.status.validity.last_attempt.map_or(now, next));
        }
        let of = || watch.token.id().into();
        effects.extend(shared(of, &mut watch.firing, firing));
        effects.extend(notified(notifications));
        if self.asked_permissions.contains(&key) {
            watch.plan.permissions = None;
        }
        self.agenda.remove(&(watch.wake, key));
        if let Some((queue, at)) = watch.waiting.take() {
            self.waiting.remove(&(queue, at, key));
            self.monitor.discard(&(queue, at, key));
        }
        // While alerts are held nothing changes but that they no longer are.
        let next = || next_change(rules, &watch.token, &watch.status, &watch.firing);
        let mut wake = if rules.suppressed { suppressed_until } else { next() };
        let wished = watch.check_at.into_iter().chain(watch.quick_check_at).min();
        let due = wished.map_or(watch.plan.at(), |at| at.min(watch.plan.at()));
        if self.asked_token.contains(&key) {
            // It comes back here when the answer does.
        } else if due <= now {
            let queue = queue(&watch.plan, wished, now);
            watch.waiting = Some((queue, due));
            self.waiting.insert((queue, due, key));
        } else {
            wake = wake.into_iter().chain([due]).min();
        }
        if let Some(wake) = wake {
            watch.wake = wake;
            self.agenda.insert((wake, key));
        }
    }

    pub(super) fn observed(
        &mut self,
        key: WatchKey,
        observed: &Observation,
        ended: Option<Ended>,
        now: DateTime<Utc>,
        effects: &mut Vec<Effect>,
    ) {
        let check = checked_by(observed);
        if check == Check::Validity {
            self.asked_token.remove(&key);
        }
        if let Some(Ended { lane, permissions }) = ended {
            self.free[lane as usize] += 1;
            if permissions {
                self.asked_permissions.remove(&key);
            }
        }
        // A check that was under way when the clock was set back was not made in the future.
        let corrected;
        let observed = if observed.at > now {
            corrected = Observation { at: now, ..observed.clone() };
            &corrected
        } else {
            observed
        };
        self.recognise(key, observed, now, effects);
        let frozen = self.is_frozen();
        let Some(watch) = self.watches.get_mut(&key) else { return };
        watch.catch_up = None;
        watch.asked = asked(&watch.asked, observed);
        let (id, token, status) = (watch.token.id(), Arc::clone(&watch.token), Arc::make_mut(&mut watch.status));
        let failures = match check {
            Check::Validity => status.validity.failures,
            Check::Permissions => status.permission_checks.failures,
        };
        let group_before = status.group_problem().map(str::to_owned);
        let fired = Arc::clone(&watch.firing);
        let policy = Policy {
            token: &token,
            confirmation: Confirmation::of(&self.config.alerts),
            probes: self.config.syncro.probes,
            news_for: self.config.alerts.remind_every,
            frozen,
        };
        let transitions = step(status, observed, policy);
        watch.audit_from = audit_from(watch.phase, status.audited(), &self.config, self.sweep, now);
        let outcome = outcome(failures, observed.failure().as_deref());
        let group = status.group_problem().map(str::to_owned);
        if group.is_some() != group_before.is_some() {
            effects.push(Effect::Group { token: id.clone(), problem: group });
        }
        effects.push(Effect::Checked(Checked { token: id.clone(), check, outcome }));
        effects.push(Effect::Record(Record::TokenStatus { token: id.clone(), status: Arc::clone(&watch.status) }));
        let entry =
            |transition| Effect::Record(Record::Entry(Entry::Changed { token: id.clone(), at: now, transition }));
        let of_group = transitions.iter().any(|known| {
            matches!(known.kind, TransitionKind::Permission | TransitionKind::Right | TransitionKind::SecurityGroup)
        });
        effects.extend(transitions.into_iter().map(entry));
        self.note_monitor(key, Some(observed));
        if check == Check::Validity {
            self.note_tenant(key, now, effects);
        }
        self.review(key, now, effects);
        if of_group {
            self.check_peers(key, now, effects);
        }
        let remains = self.watches.get(&key).map(|watch| Arc::clone(&watch.firing)).unwrap_or_default();
        let ended = fired.iter().filter(|known| !remains.iter().any(|other| other.is_same(known)));
        self.hand_over(&token.tenant.name, &ended.cloned().collect::<Vec<_>>(), now, effects);
        self.review_tenant(&token.tenant.name, now, effects);
        self.unseen.remove(&key);
    }

    /// Since when nothing could be learnt about any token of a tenant, and why not the last time.
    pub(super) fn silence(&self, name: &str) -> Option<(DateTime<Utc>, &'static str)> {
        let members = &self.tenants.get(name)?.members;
        let standings = members.iter().filter_map(|key| self.watches.get(key)).map(|watch| &watch.status);
        // A token without a usable value was not looked at, so it says nothing about its tenant.
        let asked = standings.filter(|status| {
            status.validity.last_attempt.is_some() && status.unreadable.is_none() && !is_own(&status.validity)
        });
        silent(&asked.map(|status| &status.validity))
    }

    pub(super) fn review_tenant(&mut self, name: &str, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let silent = self.silence(name);
        let suppressed =
            self.config.suppressed_until(name, now).is_some() || self.is_one_of_many(name) || self.is_own_trouble(name);
        let Some(tenant) = self.tenants.get_mut(name) else { return };
        let rules = Rules { suppressed, ..Rules::new(&self.config.alerts, now) };
        let mut firing = tenant.firing.to_vec();
        let notifications = tenant_alerts(rules, Tenancy { tenant: name, silent }, &mut firing);
        effects.extend(shared(|| Scope::Tenant(name.to_owned()), &mut tenant.firing, firing));
        effects.extend(notified(notifications));
        if silent.is_some() {
            self.silent.insert(name.to_owned());
        }
    }
}

/// What a token was last asked: a full look at the permissions replaces all that was asked of them before, any other
/// look the same question.
fn asked(before: &[Asked], observed: &Observation) -> Arc<[Asked]> {
    let forgets_others = matches!(&observed.part, Part::Permissions(observed) if observed.full);
    let is_kept = |known: &&Asked| {
        let again = observed.asked.iter().any(|asked| asked.is_same_question(known));
        !again && (!forgets_others || known.path == ME)
    };
    let me = observed.asked.iter().filter(|asked| asked.path == ME);
    let others = observed.asked.iter().filter(|asked| asked.path != ME);
    me.chain(before.iter().filter(is_kept)).chain(others).cloned().collect()
}

/// Since when nothing could be learnt about any of these tokens, and why not the last time: since the first failure after
/// the last verdict about any of them. A token that failed before that verdict already says nothing of when.
fn silent<'a>(attempts: &(impl Iterator<Item = &'a Attempts> + Clone)) -> Option<(DateTime<Utc>, &'static str)> {
    let answered = attempts.clone().filter_map(|attempts| attempts.last_success).max();
    let failing = attempts.clone().filter(|attempts| attempts.silent_since > answered);
    let since = failing.clone().filter_map(|attempts| attempts.silent_since).min()?;
    let last = failing.max_by_key(|attempts| attempts.last_attempt)?;
    Some((since, last.reason.map_or("unknown", |reason| reason.as_str())))
}

fn outcome(failures: u32, failure: Option<&Failure>) -> Outcome {
    match failure {
        Some(failure) => Outcome::Failed { failure: failure.clone(), first: failures == 0 },
        None if failures > 0 => Outcome::Again(failures),
        None => Outcome::Verdict,
    }
}
