//! Whatever is true: an alert fires once, is reminded of every so often while it fires, and resolves once.

use std::collections::BTreeMap;

use super::{Bench, Kind, MINUTE, SLACK};
use crate::ledger::{Heard, Status};
use crate::spans::{Ms, Spans};

impl Bench<'_> {
    pub(super) fn protocol(&mut self) {
        let mut firing: BTreeMap<_, &Heard> = BTreeMap::new();
        for heard in self.heard {
            let before = firing.get(&heard.key()).copied();
            match (before, heard.status) {
                (None, Status::Firing) => {
                    firing.insert(heard.key(), heard);
                }
                (Some(before), Status::Firing) => {
                    if !self.may_have_forgotten(before.at, heard.at) {
                        self.find(Kind::Twice, heard.at, format!("{} fired while it fired", heard.name()));
                    }
                    firing.insert(heard.key(), heard);
                }
                (Some(before), Status::Reminder) => {
                    self.reminded(before, heard);
                    firing.insert(heard.key(), heard);
                }
                (Some(_), Status::Resolved) => {
                    firing.remove(&heard.key());
                }
                (None, Status::Reminder | Status::Resolved) => {
                    if !self.may_have_forgotten(0, heard.at) {
                        let what = format!("{} was {:?} while it did not fire", heard.name(), heard.status);
                        self.find(Kind::Twice, heard.at, what);
                    }
                }
            }
        }
        self.forgotten_reminders();
    }

    fn reminded(&mut self, before: &Heard, heard: &Heard) {
        let early = heard.at - before.at < self.case.policy.remind_every - SLACK;
        // The one before may have been delivered late.
        let early = early && heard.at - self.decided_since(before.at) < self.case.policy.remind_every;
        let early = early && !self.may_have_forgotten(before.at, heard.at);
        let worse = heard.critical && !before.critical;
        if early
            && !worse
            && heard.alert != "TokenExpiring"
            && !self.clock_set_between(self.decided_since(before.at), heard.at)
        {
            let after = (heard.at - before.at) / 1000;
            self.find(Kind::Reminder, heard.at, format!("{} was reminded of after {after} s", heard.name()));
        }
    }

    /// Alerts of tokens that work, or of states, which fired on and of which nobody was reminded.
    fn forgotten_reminders(&mut self) {
        let every = self.case.policy.remind_every;
        let mut last: BTreeMap<_, &Heard> = BTreeMap::new();
        let mut gaps: Vec<(&Heard, Ms)> = Vec::new();
        for heard in self.heard {
            let before = last.insert(heard.key(), heard).filter(|before| before.status != Status::Resolved);
            gaps.extend(before.map(|before| (before, heard.at)));
        }
        gaps.extend(last.values().filter(|last| last.status != Status::Resolved).map(|last| (*last, self.case.end)));
        let hindered = Spans::one(0, self.case.end).without(&self.timeline.up).or(&self.timeline.deaf);
        let hindered = hindered.or(&self.timeline.outages).or(&self.timeline.amnesia);
        for (before, until) in gaps {
            let is_state = before.alert.starts_with("Token") && before.alert != "TokenExpiring";
            if !is_state || before.alert == "TokenExpiryOutdated" || self.may_have_forgotten(before.at, until) {
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
