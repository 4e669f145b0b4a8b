//! The state of the loop and how events change it. Pure: `handle` takes an event and `now` and returns effects.
//!
//! `Fleet` has the tokens and the tenants, `Agenda` says when each is reviewed and which checks are under way,
//! `OutageMonitor` and `Monitor` whether it is Syncro or our own machine. What happens to them: `review` one token,
//! `tenant_alerts` one tenant, `observed` a check that ended, `peers` the tokens of one security group, `users` the list of a tenant's users,
//! `quick_checks` and `fleet_alerts` all tenants, `reload` the whole configuration, `acknowledge` what an operator takes on, `next_check` what starts next.
//!
//! For one event nothing costs more than the logarithm of the number of tokens and the tokens of one tenant, but a reload,
//! a clock set back, and what is judged of all tenants while many of them fail.

mod acknowledge;
mod agenda;
mod firing;
mod fleet;
mod fleet_alerts;
mod monitor;
mod next_check;
mod observed;
mod outage_monitor;
mod peers;
mod quick_checks;
mod reload;
mod review;
mod rotation;
mod tenant_alerts;
mod users;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::alert::AcknowledgementOrder;
use crate::check::{Ended, WatchKey};
use crate::config::{Config, Cost};
use crate::model::TokenId;
use crate::state::{PersistedState, Snapshot};
use crate::syncro::Observation;

use super::effect::{Effect, Switch};
use acknowledge::EndedAlerts;
use agenda::Agenda;
use fleet::Fleet;
use monitor::Monitor;
use outage_monitor::OutageMonitor;
use rotation::Rotations;
use tenant_alerts::TenantReviews;

/// What happened.
#[derive(Debug)]
pub enum Event {
    /// The pulse, once a second.
    Tick,
    /// A part of a check ended.
    Observed {
        /// The token that was checked.
        key: WatchKey,
        /// What was observed.
        observed: Box<Observation>,
        /// What is free again, if this was the last part.
        ended: Option<Ended>,
    },
    /// Another configuration is to be taken over.
    Reload(Arc<Config>),
    /// A full check of this token is requested.
    Check(TokenId),
    /// Somebody takes an alert on, or gives it back.
    Acknowledge(AcknowledgementOrder),
    /// The value of a next token was put in the place of the one in use.
    Switched(Switch),
    /// That could not be done, for this reason.
    NotSwitched(Switch, String),
}

/// The state of the loop.
#[derive(Debug)]
pub struct Core {
    config: Arc<Config>,
    started: DateTime<Utc>,
    /// How long the budget needs for one full check of every token.
    sweep: Duration,
    fleet: Fleet,
    agenda: Agenda,
    rotations: Rotations,
    outages: OutageMonitor,
    monitor: Monitor,
    reviews: TenantReviews,
    /// The alerts that have ended of late.
    ended: EndedAlerts,
    last_tick: Option<DateTime<Utc>>,
    is_first_sweep_done: bool,
}

impl Core {
    /// Watches every token of `config`, going on from the persisted state. A token that is not in it is due at once.
    #[must_use]
    pub fn start(config: Arc<Config>, mut state: PersistedState, now: DateTime<Utc>) -> (Self, Vec<Effect>) {
        let mut core = Self {
            sweep: Cost::of(&config).sweep,
            config,
            started: now,
            fleet: Fleet::default(),
            agenda: Agenda::default(),
            rotations: Rotations::default(),
            outages: OutageMonitor::default(),
            monitor: Monitor::default(),
            reviews: TenantReviews::default(),
            ended: EndedAlerts::default(),
            last_tick: None,
            is_first_sweep_done: false,
        };
        let mut effects = Vec::new();
        let orders = std::mem::take(&mut state.orders);
        core.resume(state, now, &mut effects);
        // Before anything else, so that nobody is reminded of what somebody had taken on.
        for order in orders {
            core.acknowledge(order, now, &mut effects);
        }
        core.is_first_sweep_done = core.fleet.is_checked();
        (core, effects)
    }

    /// Takes in one event; the effects are in the order in which they are to be carried out.
    #[must_use]
    pub fn handle(&mut self, event: Event, now: DateTime<Utc>) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Tick => self.tick(now, &mut effects),
            Event::Observed { key, observed, ended } => self.observed(key, &observed, ended, now, &mut effects),
            Event::Reload(config) => self.reload(config, now, &mut effects),
            Event::Check(token) => self.check(&token, now, &mut effects),
            Event::Acknowledge(order) => self.acknowledge(order, now, &mut effects),
            Event::Switched(switch) => self.switched(&switch, None, now, &mut effects),
            Event::NotSwitched(switch, why) => self.switched(&switch, Some(why), now, &mut effects),
        }
        self.settle(now, &mut effects);
        self.ended.note(&effects);
        self.is_first_sweep_done |= self.fleet.is_checked();
        self.start_checks(now, &mut effects);
        effects
    }

    /// The fleet as it is believed to be.
    pub fn snapshot(&mut self) -> Snapshot {
        let (tokens, tenants) = self.fleet.snapshot();
        Snapshot {
            tokens,
            tenants,
            fleet_firing: Arc::clone(self.fleet.firing()),
            maintenance: Arc::clone(&self.config.maintenance),
            expiry_notice: Arc::clone(&self.config.alerts.expiry_notice),
            probes: self.config.syncro.probes,
            elsewhere: Arc::clone(&self.config.elsewhere),
            excluded_metrics: Arc::clone(&self.config.excluded_metrics),
            intervals: Some(self.config.intervals),
            checks_due: self.agenda.due(),
            next_check: self.agenda.next_check(self.last_tick),
            next_due: self.agenda.next_due(self.last_tick).into_iter().chain(self.reviews.next()).min(),
            last_tick: self.last_tick,
            beat: None,
            clock_difference: None,
            failing_addresses: self.monitor.failing().to_vec(),
            unchecked: self.fleet.unchecked(),
            first_sweep_done: self.is_first_sweep_done,
        }
    }
}

#[cfg(test)]
mod tests;
