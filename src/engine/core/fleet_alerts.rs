//! What fires for all tenants together: an outage of Syncro, and what hinders the monitor. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::{Alert, Firing, Notification, Rules, fleet_alerts, monitor_alerts};
use crate::engine::effect::Effect;
use crate::model::Scope;
use crate::syncro::{FailingAddress, Host, Pause};

use super::Core;
use super::firing::{notified, shared};
use super::outage_monitor::OutageEvidence;

impl Core {
    /// Takes in which hosts asked to be left alone, and which source addresses fail.
    pub fn take_in_sources(&mut self, pauses: Vec<Pause>, failing: Vec<FailingAddress>) {
        self.monitor.set_sources(pauses, failing);
    }

    fn fires(&self, alert: Alert) -> bool {
        self.fleet.firing().iter().any(|firing| firing.alert == alert)
    }

    /// Judges whether there is an outage now, notifies of it, and reviews every token when it has passed.
    pub(super) fn judge_outage(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let fires = self.fires(Alert::SyncroOutage);
        let fleet = &self.fleet;
        let evidence = OutageEvidence {
            observations: || fleet.observations(),
            contacts: |is_silent: &dyn Fn(&str) -> bool| fleet.contacts(is_silent),
            tenants: fleet.tenant_count(),
            patience: TimeDelta::from_std(self.config.alerts.unreachable_after).unwrap_or(TimeDelta::MAX),
            fires,
            is_blind: self.monitor.is_blind(now),
        };
        let before = self.outages.judge(evidence, now);
        let outage = self.outages.outage();
        if outage.map(|outage| outage.is_certain()) != before.map(|before| before.is_certain()) {
            // Whether somebody is notified of one of them alone depends on it.
            self.outages.silent().for_each(|name| self.reviews.note(name));
        }
        if before.is_none() && outage.is_none() && self.fleet.firing().is_empty() {
            return;
        }
        self.update_fleet(effects, now, |rules, firing| fleet_alerts(rules, outage.as_ref(), before.as_ref(), firing));
        if before.is_some_and(|before| before.freezes()) && !self.outages.is_frozen() {
            for key in self.fleet.keys() {
                self.review(key, now, effects);
            }
        }
    }

    /// Notifies of pauses that go on for long, and of trouble of our own machine, or that they are over.
    pub(super) fn judge_monitor(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let (fleet, monitor) = (&self.fleet, &mut self.monitor);
        monitor.retain(|key| fleet.get(key).is_some());
        let confirm_after = TimeDelta::from_std(self.config.alerts.confirm_after).unwrap_or(TimeDelta::MAX);
        let impaired = self.monitor.impairment(self.fires(Alert::MonitorImpaired), confirm_after);
        let is_asked = |host: &str| self.fleet.watches().any(|watch| Host::of(&watch.token.tenant.base_url).is(host));
        let throttled = self.monitor.throttling(self.fires(Alert::MonitorThrottled), is_asked, now);
        if impaired.is_none() && throttled.is_none() && self.fleet.firing().is_empty() {
            return;
        }
        let flows = self.monitor.flows();
        self.update_fleet(effects, now, |rules, firing| monitor_alerts(rules, throttled, impaired, flows, firing));
    }

    fn update_fleet(
        &mut self,
        effects: &mut Vec<Effect>,
        now: DateTime<Utc>,
        update: impl FnOnce(Rules<'_>, &mut Vec<Firing>) -> Vec<Notification>,
    ) {
        let mut firing = self.fleet.firing().to_vec();
        let notifications = update(Rules::new(&self.config.alerts, now), &mut firing);
        effects.extend(shared(|| Scope::Fleet, self.fleet.firing_mut(), firing));
        effects.extend(notified(notifications));
    }
}
