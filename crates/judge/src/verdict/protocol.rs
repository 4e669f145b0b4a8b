//! Whatever is true: an alert fires once, is reminded of every so often while it fires, and resolves once.

use std::collections::BTreeMap;

use super::{Bench, Kind, MINUTE, SLACK};
use crate::ledger::{Received, Status};
use crate::spans::{Ms, Spans};

impl Bench<'_> {
    pub(super) fn protocol(&mut self) {
        let mut firing: BTreeMap<_, &Received> = BTreeMap::new();
        for received in self.received {
            let before = firing.get(&received.key()).copied();
            match (before, received.status) {
                (None, Status::Firing) => {
                    firing.insert(received.key(), received);
                }
                (Some(before), Status::Firing) => {
                    if !self.may_have_lost(before.at, received.at) {
                        self.find(Kind::Twice, received.at, format!("{} fired while it fired", received.name()));
                    }
                    firing.insert(received.key(), received);
                }
                (Some(before), Status::Reminder) => {
                    self.reminded(before, received);
                    firing.insert(received.key(), received);
                }
                (Some(_), Status::Resolved) => {
                    firing.remove(&received.key());
                }
                (None, Status::Reminder | Status::Resolved) => {
                    if !self.may_have_lost(0, received.at) {
                        let what = format!("{} was {:?} while it did not fire", received.name(), received.status);
                        self.find(Kind::Twice, received.at, what);
                    }
                }
            }
        }
        self.forgotten_reminders();
    }

    fn reminded(&mut self, before: &Received, received: &Received) {
        let early = received.at - before.at < self.case.policy.remind_every - SLACK;
        // The one before may have been delivered late.
        let early = early && received.at - self.decided_since(before.at) < self.case.policy.remind_every;
        let early = early && !self.may_have_lost(before.at, received.at);
        let worse = received.critical && !before.critical;
        if early
            && !worse
            && received.alert != "TokenExpiring"
            && !self.clock_set_between(self.decided_since(before.at), received.at)
        {
            let after = (received.at - before.at) / 1000;
            self.find(Kind::Reminder, received.at, format!("{} was reminded of after {after} s", received.name()));
        }
    }

    /// Alerts of tokens that work, or of states, which fired on and of which nobody was reminded.
    fn forgotten_reminders(&mut self) {
        let every = self.case.policy.remind_every;
        let mut last: BTreeMap<_, &Received> = BTreeMap::new();
        let mut gaps: Vec<(&Received, Ms)> = Vec::new();
        for received in self.received {
            let before = last.insert(received.key(), received).filter(|before| before.status != Status::Resolved);
            gaps.extend(before.map(|before| (before, received.at)));
        }
        gaps.extend(last.values().filter(|last| last.status != Status::Resolved).map(|last| (*last, self.case.end)));
        let hindered = Spans::one(0, self.case.end).without(&self.timeline.up).or(&self.timeline.deaf);
        let hindered = hindered.or(&self.timeline.outages).or(&self.timeline.amnesia);
        for (before, until) in gaps {
            let is_state = before.alert.starts_with("Token") && before.alert != "TokenExpiring";
            if !is_state || before.alert == "TokenExpiryOutdated" || self.may_have_lost(before.at, until) {
                continue;
            }
            let allowed = if self.clock_set_between(before.at, until) { 2 * every } else { every };
            let held = hindered.length(before.at, until);
            if until - before.at > allowed + held + 10 * MINUTE {
                let hours = (until - before.at) / (60 * MINUTE);
                let what = format!("{} fired on for {hours} h and nobody was reminded", before.name());
                self.find(Kind::Reminder, until, what);
            }
        }
    }
}
