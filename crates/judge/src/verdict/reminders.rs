//! Whoever fires on is reminded of, unless it could not be seen to be still so.

use std::collections::BTreeMap;

use super::states::is_of_state;
use super::{Bench, Kind, MINUTE, permissions};
use crate::ledger::Received;
use crate::spans::{Ms, Spans};

impl Bench<'_> {
    /// Alerts of which nobody was reminded in time, or of anything else about them.
    pub(super) fn forgotten_reminders(&mut self) {
        let mut last: BTreeMap<&str, &Received> = BTreeMap::new();
        let mut gaps: Vec<(&Received, Ms)> = Vec::new();
        for received in self.received.iter().copied() {
            let before = last.insert(&received.id, received).filter(|before| !before.change.ends());
            gaps.extend(before.map(|before| (before, received.at)));
        }
        gaps.extend(last.values().filter(|last| !last.change.ends()).map(|last| (*last, self.case.end)));
        for (before, until) in gaps {
            self.gap(before, until);
        }
    }

    fn gap(&mut self, before: &Received, until: Ms) {
        let every = self.case.policy.remind_every;
        if self.may_have_lost(before.at, until) {
            return;
        }
        let Some(hindered) = self.hindered(before) else { return };
        let allowed = if self.clock_set_between(before.at, until) { 2 * every } else { every };
        let held = hindered.length(before.at, until);
        if until - before.at > allowed + held + 10 * MINUTE {
            let hours = (until - before.at) / (60 * MINUTE);
            let what = format!("{} fired on for {hours} h and nobody was reminded", before.name());
            self.find(Kind::Reminder, until, what);
        }
    }

    /// When nobody can be reminded of an alert; none if it is one that is not reminded of by the interval.
    fn hindered(&self, of: &Received) -> Option<Spans> {
        let hindered = self.world().without(&self.timeline.up).or(&self.timeline.deaf);
        let hindered = hindered.or(&self.timeline.suppressed()).or(&self.timeline.amnesia);
        if is_of_state(&of.alert) {
            return Some(hindered);
        }
        if !permissions::RIGHT.contains(&of.alert.as_str()) || of.more {
            return None;
        }
        // It is suppressed for as long as any of its tokens may be, and until a check has seen that one works again.
        let policy = self.case.policy;
        let seen_again = policy.validity + self.patience(policy.validity);
        let unseen = |token: usize| self.world().without(&self.timeline.sees_user(token)).widened(0, seen_again);
        Some(self.tokens_of(of).into_iter().fold(hindered, |all, token| all.or(&unseen(token))))
    }
}
