//! The state of the loop and how events change it. Pure: `handle` takes an event and `now` and returns effects.
//!
//! Nothing here costs more than the logarithm of the number of tokens for one event, but a reload and a clock set back.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::{Firing, Rules, Tenancy, next_change, tenant_alerts, token_alerts};
use crate::config::{Config, Token};
use crate::plan::{Phase, Plan, plan};
use crate::snapshot::{Snapshot, TokenPicture};
use crate::standing::{Attempts, Check, Policy, Standing, step};
use crate::syncro::{Failure, Look};

use super::checker::Ended;
use super::dispatch::{Queue, SLOTS, queue};
use super::effect::{Checked, Effect, Outcome, WatchKey, checked_by};

/// A clock that goes back by more than this was set; less is drift.
const SET_BACK: TimeDelta = TimeDelta::seconds(5);

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The pulse.
    Tick,
    /// A part of a look ended.
    Looked {
        /// Whose.
        key: WatchKey,
        /// What it brought back.
        look: Box<Look>,
        /// What is free again, if this was its last part.
        ended: Option<Ended>,
    },
    /// Another configuration.
    Reload(Arc<Config>),
}

/// One token that is watched.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) token: Arc<Token>,
    pub(super) phase: Phase,
    pub(super) standing: Arc<Standing>,
    pub(super) firing: Arc<Vec<Firing>>,
    pub(super) plan: Plan,
    /// Its entry in the agenda.
    pub(super) wake: DateTime<Utc>,
    /// Its entry among those that wait for a slot.
    pub(super) waiting: Option<(Queue, DateTime<Utc>)>,
    /// A changed configuration makes a look due at once.
    pub(super) look_now: bool,
}

/// The tokens of one tenant.
#[derive(Debug, Default)]
pub(super) struct Tenant {
    pub(super) members: Vec<WatchKey>,
    pub(super) firing: Vec<Firing>,
}

/// What a snapshot shares: the tokens, and what fires for tenants.
type Painted = (Arc<Vec<TokenPicture>>, Arc<Vec<Firing>>);

/// The state of the loop.
#[derive(Debug)]
pub struct Core {
    pub(super) config: Arc<Config>,
    pub(super) watches: BTreeMap<WatchKey, Watch>,
    pub(super) tenants: BTreeMap<String, Tenant>,
    /// Tenants that gave no verdict, to be told of when their time has come.
    silent: BTreeSet<String>,
    next_key: u64,
    pub(super) agenda: BTreeSet<(DateTime<Utc>, WatchKey)>,
    pub(super) waiting: BTreeSet<(Queue, DateTime<Utc>, WatchKey)>,
    /// Tokens of which `/me` is being asked.
    pub(super) asked_token: HashSet<WatchKey>,
    /// Tokens of which the permissions are being asked.
    pub(super) asked_permissions: HashSet<WatchKey>,
    /// Free slots by lane.
    pub(super) free: [usize; 3],
    last_tick: Option<DateTime<Utc>>,
    /// Tokens that have never been looked at.
    pub(super) unseen: HashSet<WatchKey>,
    first_sweep_done: bool,
    /// The picture as it was last shown; none if something in it changed since.
    painted: Option<Painted>,
}

impl Core {
    /// Watches every token of `config`; each is due at once.
    pub fn new(config: Arc<Config>, now: DateTime<Utc>) -> Self {
        let mut core = Self {
            config,
            watches: BTreeMap::new(),
            tenants: BTreeMap::new(),
            silent: BTreeSet::new(),
            next_key: 0,
            agenda: BTreeSet::new(),
            waiting: BTreeSet::new(),
            asked_token: HashSet::new(),
            asked_permissions: HashSet::new(),
            free: SLOTS,
            last_tick: None,
            unseen: HashSet::new(),
            first_sweep_done: false,
            painted: None,
        };
        for token in &Arc::clone(&core.config).tokens {
            core.add(Arc::clone(token), now);
        }
        core
    }

    /// Takes in one event; the effects are in the order in which they are to be carried out.
    #[must_use]
    pub fn handle(&mut self, event: Event, now: DateTime<Utc>) -> Vec<Effect> {
        let mut effects = Vec::new();
        let reloaded = matches!(event, Event::Reload(_));
        match event {
            Event::Tick => self.tick(now, &mut effects),
            Event::Looked { key, look, ended } => self.looked(key, &look, ended, now, &mut effects),
            Event::Reload(config) => self.reload(config, now, &mut effects),
        }
        self.first_sweep_done |= self.unseen.is_empty();
        let shown = effects.iter().any(|effect| !matches!(effect, Effect::Start(_)));
        if shown || reloaded {
            self.painted = None;
        }
        self.start(now, &mut effects);
        effects
    }

    /// The fleet as it is believed to be.
    pub fn snapshot(&mut self) -> Snapshot {
        let picture = |watch: &Watch| TokenPicture {
            token: Arc::clone(&watch.token),
            standing: Arc::clone(&watch.standing),
            firing: Arc::clone(&watch.firing),
        };
        let (watches, tenants) = (&self.watches, &self.tenants);
        let (tokens, tenant_firing) = self.painted.get_or_insert_with(|| {
            let tokens = Arc::new(watches.values().map(picture).collect());
            (tokens, Arc::new(tenants.values().flat_map(|tenant| tenant.firing.clone()).collect()))
        });
        Snapshot {
            tokens: Arc::clone(tokens),
            tenant_firing: Arc::clone(tenant_firing),
            checks_due: self.waiting.len(),
            last_tick: self.last_tick,
            first_sweep_done: self.first_sweep_done,
        }
    }

    pub(super) fn add(&mut self, token: Arc<Token>, now: DateTime<Utc>) {
        let key = WatchKey(self.next_key);
        self.next_key += 1;
        let (phase, standing) = (Phase::of(&token), Arc::new(Standing::default()));
        let plan = plan(&token, phase, &standing, &self.config, now);
        self.tenants.entry(token.tenant.name.clone()).or_default().members.push(key);
        let firing = Arc::default();
        let watch = Watch { token, phase, standing, firing, plan, wake: now, waiting: None, look_now: false };
        self.agenda.insert((now, key));
        self.unseen.insert(key);
        self.watches.insert(key, watch);
    }

    fn tick(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let set_back = self.last_tick.is_some_and(|last| now + SET_BACK < last);
        self.last_tick = Some(now);
        if set_back {
            self.painted = None;
            for key in self.watches.keys().copied().collect::<Vec<_>>() {
                if let Some(watch) = self.watches.get_mut(&key) {
                    Arc::make_mut(&mut watch.standing).not_after(now);
                }
                self.review(key, now, effects);
            }
        }
        while let Some((at, key)) = self.agenda.first().copied().filter(|(at, _)| *at <= now) {
            self.agenda.remove(&(at, key));
            self.review(key, now, effects);
        }
        for tenant in std::mem::take(&mut self.silent) {
            self.review_tenant(&tenant, now, effects);
        }
    }

    /// Tells what time alone has made true of a token, and sees to its next look.
    pub(super) fn review(&mut self, key: WatchKey, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let Some(watch) = self.watches.get_mut(&key) else { return };
        let rules = Rules { alerts: &self.config.alerts, now };
        let notices = token_alerts(rules, &watch.token, &watch.standing, Arc::make_mut(&mut watch.firing));
        effects.extend(notices.into_iter().map(Effect::Tell));
        watch.plan = plan(&watch.token, watch.phase, &watch.standing, &self.config, now);
        if self.asked_permissions.contains(&key) {
            watch.plan.permissions = None;
        }
        self.agenda.remove(&(watch.wake, key));
        if let Some((queue, at)) = watch.waiting.take() {
            self.waiting.remove(&(queue, at, key));
        }
        let mut wake = next_change(rules, &watch.token, &watch.standing, &watch.firing);
        if self.asked_token.contains(&key) {
            // It comes back here when the answer does.
        } else if watch.look_now || watch.plan.at() <= now {
            let queue = queue(&watch.plan, watch.look_now, now);
            let at = watch.plan.at().min(now);
            watch.waiting = Some((queue, at));
            self.waiting.insert((queue, at, key));
        } else {
            wake = wake.into_iter().chain([watch.plan.at()]).min();
        }
        if let Some(wake) = wake {
            watch.wake = wake;
            self.agenda.insert((wake, key));
        }
    }

    fn looked(
        &mut self,
        key: WatchKey,
        look: &Look,
        ended: Option<Ended>,
        now: DateTime<Utc>,
        effects: &mut Vec<Effect>,
    ) {
        let check = checked_by(look);
        if check == Check::Validity {
            self.asked_token.remove(&key);
        }
        if let Some(Ended { lane, permissions }) = ended {
            self.free[lane as usize] += 1;
            if permissions {
                self.asked_permissions.remove(&key);
            }
        }
        let Some(watch) = self.watches.get_mut(&key) else { return };
        let (token, standing) = (Arc::clone(&watch.token), Arc::make_mut(&mut watch.standing));
        let failures = match check {
            Check::Validity => standing.validity.failures,
            Check::Permissions => standing.permission_checks.failures,
        };
        let policy = Policy {
            token: &token,
            confirmations: self.config.alerts.confirmations.get(),
            probes: self.config.syncro.probes,
            news_for: self.config.alerts.remind_every,
        };
        let transitions = step(standing, look, policy);
        effects.push(Effect::Checked(Checked { token: token.id(), check, outcome: outcome(failures, look.failure()) }));
        effects.extend(transitions.into_iter().map(|transition| Effect::Changed { token: token.id(), transition }));
        self.review(key, now, effects);
        self.review_tenant(&token.tenant.name, now, effects);
        self.unseen.remove(&key);
    }

    fn review_tenant(&mut self, name: &str, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let Some(tenant) = self.tenants.get_mut(name) else { return };
        let standings = tenant.members.iter().filter_map(|key| self.watches.get(key)).map(|watch| &watch.standing);
        // A token without a usable value was not looked at, so it says nothing about its tenant.
        let asked =
            standings.filter(|standing| standing.validity.last_attempt.is_some() && standing.unreadable.is_none());
        let silent = silent(asked.map(|standing| &standing.validity));
        let rules = Rules { alerts: &self.config.alerts, now };
        let notices = tenant_alerts(rules, Tenancy { tenant: name, silent }, &mut tenant.firing);
        effects.extend(notices.into_iter().map(Effect::Tell));
        if silent.is_some() {
            self.silent.insert(name.to_owned());
        }
    }
}

/// Since when nothing could be learnt about any of these tokens, and why not the last time.
fn silent<'a>(attempts: impl Iterator<Item = &'a Attempts>) -> Option<(DateTime<Utc>, &'static str)> {
    let mut silent = None;
    for attempts in attempts {
        let since = attempts.failing_since?;
        let reason = attempts.reason.map_or("unknown", |reason| reason.as_str());
        silent = silent.filter(|(known, _)| *known >= since).or(Some((since, reason)));
    }
    silent
}

fn outcome(failures: u32, failure: Option<&Failure>) -> Outcome {
    match failure {
        Some(failure) => Outcome::Failed { failure: failure.clone(), first: failures == 0 },
        None if failures > 0 => Outcome::Again(failures),
        None => Outcome::Verdict,
    }
}

#[cfg(test)]
mod tests;
