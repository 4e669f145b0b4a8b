//! How the loop takes up what is remembered and takes over another configuration: what stays keeps its standing, what
//! goes is resolved and retired, what comes under another name is known again by its value. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::alert::{Firing, retire};
use crate::config::{Config, Cost, Token, TokenId};
use crate::memory::{Entry, Keep, Memory, Remembered};
use crate::plan::{Phase, audit_from, catch_up, plan};
use crate::standing::{Evidence, Standing, Transition, TransitionKind};
use crate::syncro::{Look, Part, Seen};

use super::core::{Core, Tenant, Watch};
use super::effect::{Effect, WatchKey};
use super::review::{not_after, told};

impl Core {
    /// Goes on where the program ended the last time.
    pub(super) fn take_up(&mut self, mut memory: Memory, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        for (id, standing) in memory.retired {
            self.remember_value(id, Arc::new(standing));
        }
        for token in &Arc::clone(&self.config).tokens {
            let remembered = memory.tokens.remove(&token.id());
            let key = self.add(Arc::clone(token), now);
            let (Some(Remembered { mut standing, firing }), Some(watch)) = (remembered, self.watches.get_mut(&key))
            else {
                continue;
            };
            // The clock may have been set back while nobody watched.
            let last = standing.validity.last_attempt.unwrap_or(now);
            standing.set_back(last, now);
            standing.shrink_to_fit();
            let mut firing = Arc::new(firing);
            effects.extend(not_after(|| token.id(), &mut firing, now));
            if standing.validity.last_attempt.is_some() {
                let then = catch_up(watch.phase, &self.config.schedule.validity, self.sweep, now);
                watch.catch_up = Some(then);
                watch.look_at = wants_more(token, &standing, &self.config).then_some(then);
                self.unseen.remove(&key);
            }
            if !self.config.syncro.audit_excess {
                standing.audit = None;
            }
            watch.audit_from = audit_from(watch.phase, standing.audited(), &self.config, self.sweep, now);
            (watch.standing, watch.firing) = (Arc::new(standing), firing);
            self.note_monitor(key, None);
        }
        self.fleet_firing = Arc::new(memory.tenants.remove("").unwrap_or_default());
        effects.extend(not_after(TokenId::of_fleet, &mut self.fleet_firing, now));
        self.recall_sights();
        // Who gave no verdict is found out by the first beat.
        self.silent.extend(self.tenants.keys().cloned());
        for (name, firing) in memory.tenants {
            match self.tenants.get_mut(&name) {
                Some(tenant) => {
                    tenant.firing = Arc::new(firing);
                    effects.extend(not_after(|| TokenId::of_tenant(&name), &mut tenant.firing, now));
                }
                None => resolve(&TokenId::of_tenant(&name), &mut Arc::new(firing), effects),
            }
        }
        for (id, Remembered { standing, firing }) in memory.tokens {
            self.hand_over(&id.tenant, &firing, now, effects);
            self.bury(id, Arc::new(standing), Arc::new(firing), effects);
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
                    watch.look_at = Some(now);
                }
                watch.token = Arc::clone(token);
                if !self.config.syncro.audit_excess && watch.standing.audit.is_some() {
                    Arc::make_mut(&mut watch.standing).audit = None;
                }
                watch.audit_from = audit_from(watch.phase, watch.standing.audited(), &self.config, self.sweep, now);
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
                self.monitor.forget(&(queue, at, key));
            }
            self.hand_over(&watch.token.tenant.name, &watch.firing, now, effects);
            self.bury(id, watch.standing, watch.firing, effects);
        }
        for key in stays {
            self.review(key, now, effects);
        }
        for (name, mut tenant) in gone {
            resolve(&TokenId::of_tenant(&name), &mut tenant.firing, effects);
        }
        self.recall_sights();
    }

    /// Watches one more token, of which nothing is known; it is due at once.
    fn add(&mut self, token: Arc<Token>, now: DateTime<Utc>) -> WatchKey {
        let key = WatchKey(self.next_key);
        self.next_key += 1;
        let (phase, standing) = (Phase::of(&token), Arc::new(Standing::default()));
        let plan = plan(&token, phase, &standing, &self.config, now);
        self.tenants.entry(token.tenant.name.clone()).or_default().members.push(key);
        let (firing, asked) = (Arc::default(), Arc::default());
        let (waiting, look_at, peek_at, catch_up) = (None, None, None, None);
        let audit_from = audit_from(phase, None, &self.config, self.sweep, now);
        let watch = Watch {
            token,
            phase,
            standing,
            firing,
            plan,
            wake: now,
            waiting,
            look_at,
            peek_at,
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
    fn bury(&mut self, id: TokenId, standing: Arc<Standing>, mut firing: Arc<Vec<Firing>>, effects: &mut Vec<Effect>) {
        resolve(&id, &mut firing, effects);
        effects.push(Effect::Keep(Keep::Retired(id.clone())));
        self.remember_value(id, standing);
    }

    fn remember_value(&mut self, id: TokenId, standing: Arc<Standing>) {
        if let Some(fingerprint) = standing.fingerprint.clone() {
            self.retired.insert(fingerprint, (id, standing));
        }
    }

    /// A token of which the first verdict comes and that has the value of one that left the configuration is that one: it
    /// was renamed, or has come back. What was believed of its permissions has to be looked at before it is told of again.
    pub(super) fn recognise(&mut self, key: WatchKey, look: &Look, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let Part::Token(Seen::Me { fingerprint, .. }) = &look.part else { return };
        let is_first = |watch: &&mut Watch| watch.standing.validity.last_success.is_none() && look.failure().is_none();
        let Some(watch) = self.watches.get_mut(&key).filter(is_first) else { return };
        let Some((from, standing)) = self.retired.remove(fingerprint) else { return };
        watch.standing = standing;
        let permissions = Arc::make_mut(&mut watch.standing).permissions.iter_mut();
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
        effects.push(Effect::Keep(Keep::Entry(Entry::Renamed { from, to: to.clone() })));
        effects.push(Effect::Keep(Keep::Entry(Entry::Changed { token: to, at: now, transition })));
    }
}

/// Ends what fires for somebody who is no longer configured.
fn resolve(of: &TokenId, firing: &mut Arc<Vec<Firing>>, effects: &mut Vec<Effect>) {
    if firing.is_empty() {
        return;
    }
    effects.extend(told(retire(of, Arc::make_mut(firing))));
    effects.push(Effect::Keep(Keep::Firing { of: of.clone(), firing: Arc::clone(firing) }));
}

/// Whether a permission can be asked for that no look has asked for: it is wanted only now.
fn wants_more(token: &Token, standing: &Standing, config: &Config) -> bool {
    let mut asked = token.wanted.iter().map(|wanted| wanted.permission);
    let is_new =
        |permission| config.syncro.probes.allowed(permission).is_some() && standing.of_permission(permission).is_none();
    standing.permission_checks.last_success.is_some() && asked.any(is_new)
}
