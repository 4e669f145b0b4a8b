//! How the loop takes up what is remembered and takes over another configuration: what stays keeps its standing, what
//! goes is resolved and retired, what comes under another name is known again by its value. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::alert::{Firing, retire};
use crate::belief::{Evidence, TokenStatus, Transition, TransitionKind};
use crate::config::{Config, Cost};
use crate::model::{Scope, Token, TokenId};
use crate::plan::{Phase, audit_from, catch_up, plan};
use crate::state::{Entry, PersistedState, PersistedToken, Record};
use crate::syncro::{Observation, Part, TokenObservation};

use super::firing::{not_after, notified};
use super::{Core, Tenant, Watch};
use crate::check::WatchKey;
use crate::engine::effect::Effect;

impl Core {
    /// Goes on where the program ended the last time.
    pub(super) fn take_up(&mut self, mut memory: PersistedState, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        for (id, status) in memory.retired {
            self.remember_value(id, Arc::new(status));
        }
        for token in &Arc::clone(&self.config).tokens {
            let remembered = memory.tokens.remove(&token.id());
            let key = self.add(Arc::clone(token), now);
            let (Some(PersistedToken { mut status, firing }), Some(watch)) = (remembered, self.watches.get_mut(&key))
            else {
                continue;
            };
            // The clock may have been set back while nobody watched.
            let last = status.validity.last_attempt.unwrap_or(now);
            status.set_back(last, now);
            status.shrink_to_fit();
            let mut firing = Arc::new(firing);
            effects.extend(not_after(|| token.id().into(), &mut firing, now));
            if status.validity.last_attempt.is_some() {
                let then = catch_up(watch.phase, &self.config.schedule.validity, self.sweep, now);
                watch.catch_up = Some(then);
                watch.check_at = wants_more(token, &status, &self.config).then_some(then);
                self.unseen.remove(&key);
            }
            if !self.config.syncro.audit_excess {
                status.audit = None;
            }
            watch.audit_from = audit_from(watch.phase, status.audited(), &self.config, self.sweep, now);
            (watch.status, watch.firing) = (Arc::new(status), firing);
            self.note_monitor(key, None);
        }
        self.fleet_firing = Arc::new(std::mem::take(&mut memory.fleet));
        effects.extend(not_after(|| Scope::Fleet, &mut self.fleet_firing, now));
        self.recall_tenants();
        // Who gave no verdict is found out by the first beat.
        self.silent.extend(self.tenants.keys().cloned());
        for (name, firing) in memory.tenants {
            match self.tenants.get_mut(&name) {
                Some(tenant) => {
                    tenant.firing = Arc::new(firing);
                    effects.extend(not_after(|| Scope::Tenant(name.clone()), &mut tenant.firing, now));
                }
                None => resolve(&Scope::Tenant(name.clone()), &mut Arc::new(firing), effects),
            }
        }
        for (id, PersistedToken { status, firing }) in memory.tokens {
            self.hand_over(&id.tenant, &firing, now, effects);
            self.bury(id, Arc::new(status), Arc::new(firing), effects);
        }
    }

    /// Takes over another configuration.
    pub(super) fn reload(&mut self, config: Arc<Config>, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        self.sweep = Cost::of(&config).sweep;
        self.config = config;
        let mut known: BTreeMap<TokenId, WatchKey> =
            self.watches.iter().map(|(key, watch)| (watch.token.id(), *key)).collect();
        let mut gone = std::mem::take(&mut self.tenants);
        let mut stays = Vec::new();
        for token in &Arc::clone(&self.config).tokens {
            let name = &token.tenant.name;
            if let Some(tenant) = gone.remove(name) {
                self.tenants.insert(name.clone(), Tenant { members: Vec::new(), firing: tenant.firing });
            }
            let Some(key) = known.remove(&token.id()) else {
                self.add(Arc::clone(token), now);
                continue;
            };
            self.tenants.entry(name.clone()).or_default().members.push(key);
            if let Some(watch) = self.watches.get_mut(&key) {
                if watch.token != *token {
                    watch.check_at = Some(now);
                }
                watch.token = Arc::clone(token);
                if !self.config.syncro.audit_excess && watch.status.audit.is_some() {
                    Arc::make_mut(&mut watch.status).audit = None;
                }
                watch.audit_from = audit_from(watch.phase, watch.status.audited(), &self.config, self.sweep, now);
            }
            stays.push(key);
        }
        // Only now is it known who belongs to whom: of several tokens that a group concerns, one represents the others.
        for (id, key) in known {
            let Some(watch) = self.watches.remove(&key) else { continue };
            self.unseen.remove(&key);
            self.agenda.remove(&(watch.wake, key));
            if let Some((queue, at)) = watch.waiting {
                self.waiting.remove(&(queue, at, key));
                self.monitor.discard(&(queue, at, key));
            }
            self.hand_over(&watch.token.tenant.name, &watch.firing, now, effects);
            self.bury(id, watch.status, watch.firing, effects);
        }
        for key in stays {
            self.review(key, now, effects);
        }
        for (name, mut tenant) in gone {
            resolve(&Scope::Tenant(name.clone()), &mut tenant.firing, effects);
        }
        self.recall_tenants();
    }

    /// Watches one more token, of which nothing is known; it is due at once.
    fn add(&mut self, token: Arc<Token>, now: DateTime<Utc>) -> WatchKey {
        let key = WatchKey(self.next_key);
        self.next_key += 1;
        let (phase, status) = (Phase::of(&token), Arc::new(TokenStatus::default()));
        let plan = plan(&token, phase, &status, &self.config, now);
        self.tenants.entry(token.tenant.name.clone()).or_default().members.push(key);
        let (firing, asked) = (Arc::default(), Arc::default());
        let (waiting, check_at, quick_check_at, catch_up) = (None, None, None, None);
        let audit_from = audit_from(phase, None, &self.config, self.sweep, now);
        let watch = Watch {
            token,
            phase,
            status,
            firing,
            plan,
            wake: now,
            waiting,
            check_at,
            quick_check_at,
            catch_up,
            audit_from,
            asked,
        };
        self.watches.insert(key, watch);
        self.agenda.insert((now, key));
        self.unseen.insert(key);
        key
    }

    /// Ends what fires for a token that is no longer configured, and keeps what is known of it.
    fn bury(&mut self, id: TokenId, status: Arc<TokenStatus>, mut firing: Arc<Vec<Firing>>, effects: &mut Vec<Effect>) {
        resolve(&id.clone().into(), &mut firing, effects);
        effects.push(Effect::Record(Record::Retired(id.clone())));
        self.remember_value(id, status);
    }

    fn remember_value(&mut self, id: TokenId, status: Arc<TokenStatus>) {
        if let Some(fingerprint) = status.fingerprint.clone() {
            self.retired.insert(fingerprint, (id, status));
        }
    }

    /// A token of which the first verdict comes and that has the value of one that left the configuration is that one: it
    /// was renamed, or has come back. What was believed of its permissions has to be looked at before it is told of again.
    pub(super) fn recognise(
        &mut self,
        key: WatchKey,
        observed: &Observation,
        now: DateTime<Utc>,
        effects: &mut Vec<Effect>,
    ) {
        let Part::Token(TokenObservation::Me { fingerprint, .. }) = &observed.part else { return };
        let is_first =
            |watch: &&mut Watch| watch.status.validity.last_success.is_none() && observed.failure().is_none();
        let Some(watch) = self.watches.get_mut(&key).filter(is_first) else { return };
        let Some((from, status)) = self.retired.remove(fingerprint) else { return };
        watch.status = status;
        let permissions = Arc::make_mut(&mut watch.status).permissions.iter_mut();
        permissions.filter(|known| known.evidence == Evidence::Probe).for_each(|known| known.unseen = true);
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
        effects.push(Effect::Record(Record::Entry(Entry::Renamed { from, to: to.clone() })));
        effects.push(Effect::Record(Record::Entry(Entry::Changed { token: to, at: now, transition })));
    }
}

/// Ends what fires for somebody who is no longer configured.
fn resolve(of: &Scope, firing: &mut Arc<Vec<Firing>>, effects: &mut Vec<Effect>) {
    if firing.is_empty() {
        return;
    }
    effects.extend(notified(retire(of, Arc::make_mut(firing))));
    effects.push(Effect::Record(Record::Firing { of: of.clone(), firing: Arc::clone(firing) }));
}

/// Whether a permission can be asked for that no look has asked for: it is wanted only now.
fn wants_more(token: &Token, status: &TokenStatus, config: &Config) -> bool {
    let mut asked = token.wanted.iter().map(|wanted| wanted.permission);
    let is_new =
        |permission| config.syncro.probes.allowed(permission).is_some() && status.of_permission(permission).is_none();
    status.permission_checks.last_success.is_some() && asked.any(is_new)
}
