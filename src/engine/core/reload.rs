//! How the loop resumes from the persisted state and takes over another configuration: a token that stays has the status it
//! had, one that leaves is resolved and retired, one that comes under another name is recognised by its value. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::alert::{Firing, retire};
use crate::belief::{Evidence, TokenStatus, Transition, TransitionKind};
use crate::config::{Config, Cost};
use crate::model::{Scope, Token, TokenId};
use crate::plan::{audit_from, catch_up};
use crate::state::{Entry, PersistedState, PersistedToken, Record};
use crate::syncro::{Observation, Part, TokenObservation};

use super::Core;
use super::firing::{not_after, notified};
use super::fleet::Reconfigured;
use super::watch::Watch;
use crate::check::WatchKey;
use crate::engine::effect::Effect;

impl Core {
    /// Resumes where the program ended the last time.
    pub(super) fn resume(&mut self, mut state: PersistedState, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        for (id, status) in state.retired {
            self.fleet.retire(id, Arc::new(status));
        }
        for token in &Arc::clone(&self.config).tokens {
            let persisted = state.tokens.remove(&token.id());
            let key = self.fleet.add(Arc::clone(token), &self.config, self.sweep, now);
            self.agenda.set(key, Some(now), None);
            if let Some(persisted) = persisted {
                let status = resume_former(&mut state.tenants, &token.id(), persisted, effects);
                self.resume_token(key, status, now);
            }
        }
        *self.fleet.firing_mut() = Arc::new(upgraded(std::mem::take(&mut state.fleet), &Scope::Fleet));
        effects.extend(not_after(|| Scope::Fleet, self.fleet.firing_mut(), now));
        self.plan_rotations(now);
        self.outages.set_turned(self.fleet.turned());
        for name in self.fleet.tenant_names() {
            self.reviews.note(name);
        }
        // What another daemon watches now stays as it is: it is neither over nor gone.
        state.tokens.retain(|id, _| !self.config.elsewhere.contains(&id.tenant));
        state.tenants.retain(|name, _| !self.config.elsewhere.contains(name));
        for (id, persisted) in state.tokens {
            let status = resume_former(&mut state.tenants, &id, persisted, effects);
            self.remove(id, Arc::new(status), now, effects);
        }
        for (name, firing) in state.tenants {
            let firing = upgraded(firing, &Scope::Tenant(name.clone()));
            match self.fleet.tenant_mut(&name) {
                Some(tenant) => {
                    tenant.firing = Arc::new(firing);
                    effects.extend(not_after(|| Scope::Tenant(name.clone()), &mut tenant.firing, now));
                }
                None => resolve(name, firing, effects),
            }
        }
    }

    /// Resumes a token that was watched before the program started.
    fn resume_token(&mut self, key: WatchKey, mut status: TokenStatus, now: DateTime<Utc>) {
        let Some(watch) = self.fleet.get_mut(key) else { return };
        // The clock may have been set back while nobody watched.
        let last = status.validity.last_attempt.unwrap_or(now);
        status.set_back(last, now);
        status.shrink_to_fit();
        let was_checked = status.validity.last_attempt.is_some();
        if was_checked {
            let then = catch_up(watch.phase, self.config.intervals.validity.holds, self.sweep, now);
            watch.timing.catch_up = Some(then);
            watch.timing.check_at = wants_more(&watch.token, &status, &self.config).then_some(then);
        }
        if !self.config.syncro.audit_excess {
            status.audit = None;
        }
        watch.timing.audit_from = audit_from(watch.phase, status.audited(), &self.config, self.sweep, now);
        self.monitor.note(key, &status);
        watch.status = Arc::new(status);
        if was_checked {
            self.fleet.mark_checked(key);
        }
        self.fleet.note_checked_first(key);
    }

    /// Takes over another configuration.
    pub(super) fn reload(&mut self, config: Arc<Config>, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        self.sweep = Cost::of(&config).sweep;
        self.config = config;
        let Reconfigured { remaining, added, removed, removed_tenants } =
            self.fleet.reconfigure(&self.config, self.sweep, now);
        for key in added {
            self.agenda.set(key, Some(now), None);
        }
        for (key, has_changed) in &remaining {
            let Some(watch) = self.fleet.get_mut(*key) else { continue };
            if *has_changed {
                watch.timing.check_at = Some(now);
            }
            if !self.config.syncro.audit_excess && watch.status.audit.is_some() {
                Arc::make_mut(&mut watch.status).audit = None;
            }
            watch.timing.audit_from = audit_from(watch.phase, watch.status.audited(), &self.config, self.sweep, now);
        }
        for (key, watch) in removed {
            self.agenda.remove(key);
            self.remove(watch.token.id(), watch.status, now, effects);
        }
        self.plan_rotations(now);
        for (key, _) in remaining {
            self.review(key, now, effects);
        }
        for (name, firing) in removed_tenants {
            resolve(name, firing.to_vec(), effects);
        }
        for name in self.fleet.tenant_names() {
            self.reviews.note(name);
        }
        self.outages.set_turned(self.fleet.turned());
    }

    /// Retires the status of a token that is no longer configured.
    fn remove(&mut self, id: TokenId, status: Arc<TokenStatus>, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        effects.push(Effect::Record(Record::Retired(id.clone())));
        self.fleet.leave(&id, now);
        self.fleet.retire(id, status);
    }

    /// A token of which the first verdict comes and that has the value of one that left the configuration is that one: it
    /// was renamed, or has come back. What was believed of its permissions is checked before anybody is notified of it again.
    pub(super) fn recognise(
        &mut self,
        key: WatchKey,
        observed: &Observation,
        now: DateTime<Utc>,
        effects: &mut Vec<Effect>,
    ) {
        let Part::Token(TokenObservation::Me { fingerprint, .. }) = &observed.part else { return };
        let is_first = |watch: &Watch| watch.status.validity.last_success.is_none() && observed.failure().is_none();
        if !self.fleet.get(key).is_some_and(is_first) {
            return;
        }
        let Some((from, status)) = self.fleet.recognise(fingerprint) else { return };
        let Some(watch) = self.fleet.get_mut(key) else { return };
        // Of its expiry somebody has been notified since it came back, or not.
        let noticed = watch.status.noticed;
        watch.status = status;
        let status = Arc::make_mut(&mut watch.status);
        (status.noticed, status.has_returned) = (noticed, true);
        let probed = status.permissions.iter_mut().filter(|permission| permission.evidence == Evidence::Probe);
        probed.for_each(|permission| permission.unseen = true);
        let to = watch.token.id();
        if from == to {
            return;
        }
        let transition = Transition {
            kind: TransitionKind::Name,
            subject: None,
            before: format!("{}/{}", from.tenant, from.token_name),
            after: format!("{}/{}", to.tenant, to.token_name),
            since: now,
            evidence: None,
            shown_by: None,
        };
        if self.fleet.rename(&from, &to) {
            let (firing, _) = self.fleet.fires(&to.tenant);
            effects.push(Effect::Record(Record::Firing { of: Scope::Tenant(to.tenant.clone()), firing }));
        }
        effects.push(Effect::Record(Record::Entry(Entry::Renamed { from, to: to.clone() })));
        effects.push(Effect::Record(Record::Entry(Entry::Changed { token: to, at: now, transition })));
    }
}

/// Ends what fires for a tenant that is no longer configured.
fn resolve(name: String, firing: Vec<Firing>, effects: &mut Vec<Effect>) {
    if !firing.is_empty() {
        effects.extend(notified(retire(firing)));
        effects.push(Effect::Record(Record::Firing { of: Scope::Tenant(name), firing: Arc::default() }));
    }
}

/// Takes over what a program of the first version wrote of the alerts of one token, if it did: they are the tenant's now.
/// Returns what was believed of the token.
fn resume_former(
    tenants: &mut BTreeMap<String, Vec<Firing>>,
    token: &TokenId,
    PersistedToken { status, firing: former }: PersistedToken,
    effects: &mut Vec<Effect>,
) -> TokenStatus {
    if former.is_empty() {
        return status;
    }
    let user = status.user.as_ref().map(|user| user.id);
    let firing = tenants.entry(token.tenant.clone()).or_default();
    for mut one in former {
        one.upgrade(&token.clone().into(), user, firing);
        firing.push(one);
    }
    effects.push(Effect::Record(Record::Firing { of: token.clone().into(), firing: Arc::default() }));
    let firing = Arc::new(firing.clone());
    effects.push(Effect::Record(Record::Firing { of: Scope::Tenant(token.tenant.clone()), firing }));
    status
}

/// Completes what a program of the first version wrote of the alerts of a tenant as a whole, or of the fleet.
fn upgraded(former: Vec<Firing>, of: &Scope) -> Vec<Firing> {
    let mut firing = Vec::with_capacity(former.len());
    for mut one in former {
        one.upgrade(of, None, &firing);
        firing.push(one);
    }
    firing
}

/// Whether a permission can be asked for that no check has asked for: it is wanted only now.
fn wants_more(token: &Token, status: &TokenStatus, config: &Config) -> bool {
    let mut asked = token.wanted.iter().map(|wanted| wanted.permission);
    let is_new =
        |permission| config.syncro.probes.allowed(permission).is_some() && status.of_permission(permission).is_none();
    status.permission_checks.last_success.is_some() && asked.any(is_new)
}
