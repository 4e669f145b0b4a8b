//! The state of the loop and how events change it. Pure: `handle` takes an event and `now` and returns effects.
//!
//! `review` sees to one token or tenant, `peers` to the tokens of one security group, `reload` to the whole configuration,
//! `dispatch` to who is looked at next.
//! For one event nothing costs more than the logarithm of the number of tokens and the tokens of one tenant, but a reload
//! and a clock set back.

mod dispatch;
mod firing;
mod monitor;
mod outage;
mod peers;
mod queue;
mod reload;
mod review;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::alert::{Firing, Peer};
use crate::belief::{Outage, TokenState, TokenStatus};
use crate::catalog::PermissionId;
use crate::config::{Config, Cost};
use crate::model::{Token, TokenId};
use crate::plan::{Phase, Plan};
use crate::state::PersistedState;
use crate::state::{Snapshot, TenantSnapshot, TokenSnapshot};
use crate::syncro::{Asked, Fingerprint, Observation};

use super::effect::Effect;
use crate::check::Ended;
use crate::check::WatchKey;
use monitor::Monitor;
use queue::{Queue, SLOTS};

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The pulse.
    Tick,
    /// A part of a look ended.
    Observed {
        /// Whose.
        key: WatchKey,
        /// What it brought back.
        observed: Box<Observation>,
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
struct Watch {
    token: Arc<Token>,
    phase: Phase,
    status: Arc<TokenStatus>,
    firing: Arc<Vec<Firing>>,
    plan: Plan,
    /// Its entry in the agenda.
    wake: DateTime<Utc>,
    /// Its entry among those that wait for a slot.
    waiting: Option<(Queue, DateTime<Utc>)>,
    /// A changed configuration makes a full look due then.
    check_at: Option<DateTime<Utc>>,
    /// Whether it works is looked at then, because others turned bad.
    quick_check_at: Option<DateTime<Utc>>,
    /// What became due while nobody watched is made up for then, not at once with all others.
    catch_up: Option<DateTime<Utc>>,
    /// The first full look from then on audits it too, if that is configured.
    audit_from: DateTime<Utc>,
    /// What it was last asked, and how that went; not remembered over a restart.
    asked: Arc<[Asked]>,
}

impl Watch {
    /// As another token of the same tenant sees it.
    pub(super) fn seen(&self) -> Peer<'_> {
        Peer { token: &self.token, status: &self.status, firing: &self.firing }
    }

    /// Whether another token of the same security group shows that what is believed of the group and not notified of yet
    /// is no longer so.
    pub(super) fn is_outdated_by(&self, other: &Self) -> bool {
        if self.status.state != TokenState::Valid || self.status.doubt.is_some() {
            // Its permissions are not checked before it works again.
            return false;
        }
        let fires = |permission: PermissionId| {
            self.firing.iter().any(|known| known.subject.as_deref() == Some(permission.name()))
        };
        self.status.outdated_by(&other.status).any(|permission| !fires(permission))
    }
}

/// The tokens of one tenant.
#[derive(Debug, Default)]
struct Tenant {
    members: Vec<WatchKey>,
    firing: Arc<Vec<Firing>>,
}

/// What a snapshot shares.
type Cached = (Arc<Vec<TokenSnapshot>>, Arc<Vec<TenantSnapshot>>);

/// The state of the loop.
#[derive(Debug)]
pub struct Core {
    config: Arc<Config>,
    started: DateTime<Utc>,
    /// How long the budget needs for one full look at every token.
    sweep: Duration,
    watches: BTreeMap<WatchKey, Watch>,
    tenants: BTreeMap<String, Tenant>,
    /// Tokens that left the configuration, by their value.
    retired: HashMap<Fingerprint, (TokenId, Arc<TokenStatus>)>,
    /// Tenants of which a token that worked is refused in a way that is not believed yet.
    turned: BTreeSet<String>,
    /// Whether many of them turned bad alike.
    outage: Option<Outage>,
    /// Those who turned bad are not taken for an outage before then: one has lasted so long that it was none.
    overruled_until: Option<DateTime<Utc>>,
    /// When most could be looked at again; who has not been looked at since is not told of.
    reachable_since: Option<DateTime<Utc>>,
    /// What fires for all tenants together.
    fleet_firing: Arc<Vec<Firing>>,
    /// Tenants that gave no verdict, to be told of when their time has come.
    silent: BTreeSet<String>,
    next_key: u64,
    agenda: BTreeSet<(DateTime<Utc>, WatchKey)>,
    waiting: BTreeSet<(Queue, DateTime<Utc>, WatchKey)>,
    /// Tokens of which `/me` is being asked.
    asked_token: HashSet<WatchKey>,
    /// Tokens of which the permissions are being asked.
    asked_permissions: HashSet<WatchKey>,
    /// Free slots by lane.
    free: [usize; 3],
    last_tick: Option<DateTime<Utc>>,
    /// What keeps checks from saying anything.
    monitor: Monitor,
    /// Tokens that have never been looked at.
    unseen: HashSet<WatchKey>,
    first_sweep_done: bool,
    /// The picture as it was last shown; none if something in it changed since.
    cached: Option<Cached>,
}

impl Core {
    /// Watches every token of `config`, going on where `memory` ends. Who is not remembered is due at once.
    #[must_use]
    pub fn start(config: Arc<Config>, memory: PersistedState, now: DateTime<Utc>) -> (Self, Vec<Effect>) {
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
            cached: None,
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
            Event::Observed { key, observed, ended } => self.observed(key, &observed, ended, now, &mut effects),
            Event::Reload(config) => self.reload(config, now, &mut effects),
            Event::Check(token) => self.check(&token, now, &mut effects),
        }
        self.first_sweep_done |= self.unseen.is_empty();
        let shown = effects.iter().any(|effect| !matches!(effect, Effect::Start(_)));
        if shown || reloaded {
            self.cached = None;
        }
        self.start_checks(now, &mut effects);
        effects
    }

    /// The fleet as it is believed to be.
    pub fn snapshot(&mut self) -> Snapshot {
        let token = |watch: &Watch| TokenSnapshot {
            token: Arc::clone(&watch.token),
            status: Arc::clone(&watch.status),
            firing: Arc::clone(&watch.firing),
            asked: Arc::clone(&watch.asked),
        };
        let tenant = |(name, tenant): (&String, &Tenant)| TenantSnapshot {
            name: name.clone(),
            firing: Arc::clone(&tenant.firing),
        };
        let (watches, known) = (&self.watches, &self.tenants);
        let (tokens, tenants) = self.cached.get_or_insert_with(|| {
            let tenants = known.iter().map(tenant).collect();
            (Arc::new(watches.values().map(token).collect()), Arc::new(tenants))
        });
        Snapshot {
            tokens: Arc::clone(tokens),
            tenants: Arc::clone(tenants),
            fleet_firing: Arc::clone(&self.fleet_firing),
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
