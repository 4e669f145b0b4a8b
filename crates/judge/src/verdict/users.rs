//! What happens to users: `UserChanged`.

use super::{Bench, Found, Kind, SECOND, SLACK};
use crate::case::Happening;
use crate::ledger::{Change, Received};
use crate::spans::Ms;

impl Bench<'_> {
    pub(super) fn users(&mut self) {
        self.changes_true();
        self.demotions_notified();
        self.changes_end();
    }

    /// The moment until which one has to go back from `at` to have seen the user of a token for as long as if it had been
    /// seen since `since`: while the token does not work, or Syncro does not answer, a user moves unseen.
    fn seen_since(&self, token: usize, since: Ms, at: Ms) -> Ms {
        self.as_long_seen(&self.timeline.sees_user(token), since, at)
    }

    fn begun_changes(&self) -> impl Iterator<Item = &Received> {
        let begun = |received: &&Received| received.change == Change::New && received.alert == "UserChanged";
        self.received.iter().copied().filter(begun)
    }

    /// Whoever is said to have changed was moved to or from a group, or ceased to be a Global Admin.
    fn changes_true(&mut self) {
        let policy = self.case.policy;
        let reach = policy.permissions + 3600 * SECOND + self.patience(policy.permissions);
        let mut found: Found = Vec::new();
        for received in self.begun_changes() {
            let since =
                self.decided_since(received.at) - reach - policy.remind_every - self.set_back_before(received.at);
            let tokens = self.tokens_of(received);
            if tokens.is_empty() {
                found.push((Kind::False, received.at, format!("{} names nobody", received.name())));
                continue;
            }
            let changed = tokens.iter().any(|token| {
                let since = self.seen_since(*token, since, received.at);
                let lately = |edge: &Ms| (since..=received.at).contains(edge);
                let demoted = self.timeline.admin(*token).iter().any(|(_, to)| lately(&to));
                demoted
                    || (0..self.case.groups).any(|group| {
                        let edges = self.timeline.in_group(*token, group);
                        edges.iter().any(|(from, to)| lately(&from) || lately(&to))
                    })
            });
            if !changed {
                found.push((Kind::False, received.at, format!("{}: nothing of the kind happened", received.name())));
            }
        }
        self.find_all(found);
    }

    /// Whoever was seen to be a Global Admin, and then to be none, was notified of.
    fn demotions_notified(&mut self) {
        let policy = self.case.policy;
        let patience = self.patience(policy.validity);
        let (mut found, mut duties): (Found, u64) = (Vec::new(), 0);
        let first = |token: &usize| (0..*token).all(|other| !self.case.same_user(other, *token));
        for token in (0..self.case.tokens.len()).filter(first) {
            let (admin, sees) = (self.timeline.admin(token), self.timeline.sees_user(token));
            for (from, to) in admin.iter() {
                let deadline = self.put_off(to + patience + super::SUSPICION);
                let in_sight = sees.span_at(to - patience.min(to - from)).is_some_and(|(_, until)| until > deadline);
                let again = admin.touches(to, deadline);
                let undisturbed = to - from > patience && in_sight && !again && deadline < self.case.end;
                if !undisturbed || self.clock_set_between(from, deadline) {
                    continue;
                }
                duties += 1;
                let notified = |received: &&&Received| {
                    received.alert == "UserChanged"
                        && (to..=deadline).contains(&received.at)
                        && self.tokens_of(received).into_iter().any(|other| self.case.same_user(other, token))
                };
                let of_user = |received: &Received| {
                    received.alert == "UserChanged"
                        && self.tokens_of(received).into_iter().any(|other| self.case.same_user(other, token))
                };
                if !self.received.iter().any(|received| notified(&received)) && !self.fires_at(to, of_user) {
                    let name = self.token_name(token);
                    let what = format!("the user of {name} is no Global Admin any more since {} s", to / 1000);
                    found.push((Kind::Missed, deadline, what));
                }
            }
        }
        self.verdict.duties += duties;
        self.find_all(found);
    }

    /// Where nothing is short, it ends after one interval of reminders.
    fn changes_end(&mut self) {
        let every = self.case.policy.remind_every;
        let mut found: Found = Vec::new();
        for received in
            self.begun_changes().filter(|received| received.entries.iter().all(|entry| entry.thing.is_empty()))
        {
            let mine = |any: &&&Received| any.id == received.id;
            let all = || self.received.iter().filter(mine);
            let nothing_short = all().all(|any| any.entries.iter().all(|entry| entry.thing.is_empty()) && !any.more);
            let deadline = self.put_off(received.at + every + self.patience(self.case.policy.validity) + SLACK);
            let goes_on = !all().any(|any| any.at <= deadline && any.change.ends());
            let free =
                |token: usize| self.timeline.sees_user(token).span_at(received.at).is_some_and(|(_, to)| to > deadline);
            let hindered = self.may_have_lost(received.at, deadline)
                || self.clock_set_between(received.at, deadline)
                || self.timeline.deaf.touches(received.at, deadline)
                || self.timeline.amnesia.touches(received.at, deadline);
            let undisturbed = self.tokens_of(received).into_iter().all(free) && deadline < self.case.end;
            if nothing_short && goes_on && undisturbed && !hindered {
                let what = format!("{} fires on, and nothing is short", received.name());
                found.push((Kind::WronglyResolved, deadline, what));
            }
        }
        self.find_all(found);
    }

    /// By how much the clock was set back until then: what happened so long before may appear new once more.
    fn set_back_before(&self, at: Ms) -> Ms {
        let mut offset = 0;
        let steps = self.case.events.iter().filter(|event| event.at <= at).filter_map(|event| match event.what {
            Happening::Clock { offset } => Some(offset),
            _ => None,
        });
        let back = steps.map(|next| std::mem::replace(&mut offset, next) - next).filter(|back| *back > 0);
        back.filter(|back| *back <= self.case.end).sum()
    }
}
