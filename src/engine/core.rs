//! The state of the loop and how events change it. Pure: `handle` takes an event and `now` and returns effects.
//!
//! `review` sees to one token or tenant, `peers` to the tokens of one security group, `reload` to the whole configuration,
//! `dispatch` to who is looked at next.
//! For one event nothing costs more than the logarithm of the number of tokens and the tokens of one tenant, but a reload
//! and a clock set back.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::alert::{Firing, Neighbour};
use crate::catalog::PermissionId;
use crate::config::{Config, Cost, Token, TokenId};
use crate::memory::Memory;
use crate::plan::{Phase, Plan};
use crate::snapshot::{Snapshot, TenantPicture, TokenPicture};
use crate::standing::{Outage, Standing, TokenState};
use crate::syncro::{Asked, Fingerprint, Look};

use super::checker::Ended;
use super::dispatch::{Queue, SLOTS};
use super::effect::{Effect, WatchKey};
use super::monitor::Monitor;

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
    /// Somebody wants a token to be looked at now.
    Check(TokenId),
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
    /// A changed configuration makes a full look due then.
    pub(super) look_at: Option<DateTime<Utc>>,
    /// Whether it works is looked at then, because others turned bad.
    pub(super) peek_at: Option<DateTime<Utc>>,
    /// What became due while nobody watched is made up for then, not at once with all others.
    pub(super) catch_up: Option<DateTime<Utc>>,
    /// The first full look from then on audits it too, if that is configured.
    pub(super) audit_from: DateTime<Utc>,
    /// What it was last asked, and how that went; not remembered over a restart.
    pub(super) asked: Arc<[Asked]>,
}

impl Watch {
    /// As another token of the same tenant sees it.
    pub(super) fn seen(&self) -> Neighbour<'_> {
        Neighbour { token: &self.token, standing: &self.standing, firing: &self.firing }
    }

    /// Whether another token of the same security group shows that what is believed of the group and not notified of yet
    /// is no longer so.
    pub(super) fn is_outdated_by(&self, other: &Self) -> bool {
        if self.standing.state != TokenState::Valid || self.standing.doubt.is_some() {
            // Its permissions are not checked before it works again.
            return false;
        }
        let fires = |permission: PermissionId| {
            self.firing.iter().any(|known| known.subject.as_deref() == Some(permission.name()))
        };
        self.standing.outdated_by(&other.standing).any(|permission| !fires(permission))
    }
}

/// The tokens of one tenant.
#[derive(Debug, Default)]
pub(super) struct Tenant {
    pub(super) members: Vec<WatchKey>,
    pub(super) firing: Arc<Vec<Firing>>,
}

/// What a snapshot shares.
type Painted = (Arc<Vec<TokenPicture>>, Arc<Vec<TenantPicture>>);

/// The state of the loop.
#[derive(Debug)]
pub struct Core {
    pub(super) config: Arc<Config>,
    pub(super) started: DateTime<Utc>,
    /// How long the budget needs for one full look at every token.
    pub(super) sweep: Duration,
    pub(super) watches: BTreeMap<WatchKey, Watch>,
    pub(super) tenants: BTreeMap<String, Tenant>,
    /// Tokens that left the configuration, by their value.
    pub(super) retired: HashMap<Fingerprint, (TokenId, Arc<Standing>)>,
    /// Tenants of which a token that worked is refused in a way that is not believed yet.
    pub(super) turned: BTreeSet<String>,
    /// Whether many of them turned bad alike.
    pub(super) outage: Option<Outage>,
    /// Those who turned bad are not taken for an outage before then: one has lasted so long that it was none.
    pub(super) overruled_until: Option<DateTime<Utc>>,
    /// When most could be looked at again; who has not been looked at since is not told of.
    pub(super) reachable_since: Option<DateTime<Utc>>,
    /// What fires for all tenants together.
    pub(super) fleet_firing: Arc<Vec<Firing>>,
    /// Tenants that gave no verdict, to be told of when their time has come.
    pub(super) silent: BTreeSet<String>,
    pub(super) next_key: u64,
    pub(super) agenda: BTreeSet<(DateTime<Utc>, WatchKey)>,
    pub(super) waiting: BTreeSet<(Queue, DateTime<Utc>, WatchKey)>,
    /// Tokens of which `/me` is being asked.
    pub(super) asked_token: HashSet<WatchKey>,
    /// Tokens of which the permissions are being asked.
    pub(super) asked_permissions: HashSet<WatchKey>,
    /// Free slots by lane.
    pub(super) free: [usize; 3],
    pub(super) last_tick: Option<DateTime<Utc>>,
    /// What keeps checks from saying anything.
    pub(super) monitor: Monitor,
    /// Tokens that have never been looked at.
    pub(super) unseen: HashSet<WatchKey>,
    first_sweep_done: bool,
    /// The picture as it was last shown; none if something in it changed since.
    pub(super) painted: Option<Painted>,
}

impl Core {
    /// Watches every token of `config`, going on where `memory` ends. Who is not remembered is due at once.
    #[must_use]
    pub fn start(config: Arc<Config>, memory: Memory, now: DateTime<Utc>) -> (Self, Vec<Effect>) {
        let mut core = Self {
            sweep: Cost::of(&config).sweep,
            config,
            started: now,
            watches: BTreeMap::new(),
            tenants: BTreeMap::new(),
            retired: HashMap::new(),
            turned: BTreeSet::new(),
            outage: None,
            overruled_until: None,
            reachable_since: None,
            fleet_firing: Arc::default(),
            silent: BTreeSet::new(),
            next_key: 0,
            agenda: BTreeSet::new(),
            waiting: BTreeSet::new(),
            asked_token: HashSet::new(),
            asked_permissions: HashSet::new(),
            free: SLOTS,
            last_tick: None,
            monitor: Monitor::default(),
            unseen: HashSet::new(),
            first_sweep_done: false,
            painted: None,
        };
        let mut effects = Vec::new();
        core.take_up(memory, now, &mut effects);
        core.first_sweep_done = core.unseen.is_empty();
        (core, effects)
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
            Event::Check(token) => self.check(&token, now, &mut effects),
        }
        self.first_sweep_done |= self.unseen.is_empty();
        let shown = effects.iter().any(|effect| !matches!(effect, Effect::Start(_)));
        if shown || reloaded {
            self.painted = None;
        }
        self.start_looks(now, &mut effects);
        effects
    }

    /// The fleet as it is believed to be.
    pub fn snapshot(&mut self) -> Snapshot {
        let token = |watch: &Watch| TokenPicture {
            token: Arc::clone(&watch.token),
            standing: Arc::clone(&watch.standing),
            firing: Arc::clone(&watch.firing),
            asked: Arc::clone(&watch.asked),
        };
        let tenant = |(name, tenant): (&String, &Tenant)| TenantPicture {
            name: name.clone(),
            firing: Arc::clone(&tenant.firing),
        };
        let (watches, known) = (&self.watches, &self.tenants);
        let fleet = || TenantPicture { name: String::new(), firing: Arc::clone(&self.fleet_firing) };
        let (tokens, tenants) = self.painted.get_or_insert_with(|| {
            let tenants = known.iter().map(tenant).chain([fleet()]).collect();
            (Arc::new(watches.values().map(token).collect()), Arc::new(tenants))
        });
        Snapshot {
            tokens: Arc::clone(tokens),
            tenants: Arc::clone(tenants),
            maintenance: Arc::clone(&self.config.maintenance),
            expiry_notice: Arc::clone(&self.config.alerts.expiry_notice),
            checks_due: self.waiting.len() + self.monitor.parked(),
            next_check: if self.waiting.is_empty() { self.agenda.first().map(|(at, _)| *at) } else { self.last_tick },
            last_tick: self.last_tick,
            beat: None,
            first_sweep_done: self.first_sweep_done,
        }
    }
}

#[cfg(test)]
mod tests;
