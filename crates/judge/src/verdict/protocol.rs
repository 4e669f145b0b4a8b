//! Whatever is true: an alert begins once, changes only as its changes say, and ends once; a new onset has a new id.

use std::collections::BTreeMap;

use super::{Bench, Kind, MINUTE, RECEIVER_BACK, SLACK};
use crate::ledger::{Change, Received};
use crate::spans::Ms;

/// What was received of one id so far.
struct Life<'a> {
    /// What began it, or reminded of it, last.
    reminded: &'a Received,
    last: &'a Received,
}

impl Bench<'_> {
    pub(super) fn protocol(&mut self) {
        let mut lives: BTreeMap<&str, Life<'_>> = BTreeMap::new();
        for received in self.received.iter().copied() {
            if received.id.is_empty() {
                self.find(Kind::Change, received.at, format!("{} has no id", received.name()));
                continue;
            }
            let before = lives.get(received.id.as_str());
            self.follows(before, received);
            let begins = |before: &Life<'_>| {
                before.last.change.ends() || matches!(received.change, Change::New | Change::Reminder)
            };
            let reminded = before.filter(|before| !begins(before)).map_or(received, |before| before.reminded);
            lives.insert(&received.id, Life { reminded, last: received });
        }
    }

    /// Whether a notification may come after what was received of the same id before.
    fn follows(&mut self, before: Option<&Life<'_>>, received: &Received) {
        let (name, at) = (received.name(), received.at);
        let lost_since = before.map_or(0, |before| before.last.at);
        let lost = self.may_have_lost(lost_since, at);
        match before {
            None if received.change == Change::New => {}
            None => {
                if !lost {
                    self.find(Kind::Twice, at, format!("{name} was {:?} and had never begun", received.change));
                }
            }
            Some(Life { last, .. }) if last.change.ends() => {
                if !lost {
                    let what = format!("{name} was {:?} after it was {:?}", received.change, last.change);
                    self.find(Kind::Twice, at, what);
                }
            }
            Some(_) if received.change == Change::New => {
                if !lost {
                    self.find(Kind::Twice, at, format!("{name} began while it fired"));
                }
            }
            Some(Life { reminded, last }) => {
                self.same_alert(last, received);
                if received.change == Change::Reminder {
                    self.reminded(reminded, received);
                }
                if !self.may_be_merged(last.at, at) {
                    self.changed(last, received);
                }
            }
        }
    }

    /// Whether something may have happened in between of which the receiver learnt nothing.
    fn may_be_merged(&self, from: Ms, to: Ms) -> bool {
        let held_up = self.timeline.deaf.widened(0, RECEIVER_BACK).or(&self.timeline.amnesia.widened(0, MINUTE));
        held_up.touches(from, to) || self.may_have_lost(from, to)
    }

    fn same_alert(&mut self, last: &Received, received: &Received) {
        let same = (&last.alert, &last.tenant, &last.scope) == (&received.alert, &received.tenant, &received.scope);
        if !same {
            let what = format!("{} was {} with the scope {}", received.name(), last.name(), last.scope);
            self.find(Kind::Change, received.at, what);
        }
    }

    /// A change must be what it says.
    fn changed(&mut self, last: &Received, received: &Received) {
        let (was, is) = (last.severity, received.severity);
        let fault = match received.change {
            Change::Escalated if is <= was => format!("escalated from {was:?} to {is:?}"),
            Change::Deescalated if is >= was => format!("deescalated from {was:?} to {is:?}"),
            Change::Updated if last.list() == received.list() && !received.more => {
                format!("updated, and lists what it did before: {:?}", received.list())
            }
            Change::Updated | Change::Reminder if is != was => {
                format!("{:?}, and went from {was:?} to {is:?}", received.change)
            }
            _ => return,
        };
        self.find(Kind::Change, received.at, format!("{} was {fault}", received.name()));
    }

    fn reminded(&mut self, before: &Received, received: &Received) {
        let every = self.case.policy.remind_every;
        // The one before may have been delivered late.
        let early = received.at - before.at < every - SLACK && received.at - self.decided_since(before.at) < every;
        let hindered = self.may_have_lost(before.at, received.at)
            || self.clock_set_between(self.decided_since(before.at), received.at);
        if early && !hindered && received.alert != "TokenExpiring" {
            let after = (received.at - before.at) / 1000;
            self.find(Kind::Reminder, received.at, format!("{} was reminded of after {after} s", received.name()));
        }
    }
}
