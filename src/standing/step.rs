//! How one part of a look changes a standing: the token and its user here, its permissions in `probed`. Pure; "could not
//! look" moves no belief.

mod probed;

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::config::{Probes, Token};
use crate::syncro::{Fingerprint, Look, MOST_RIGHTS, Me, MeObservation, Part, Seen};

use super::belief::{Belief, Confirmation};
use super::permissions::{Evidence, RightStanding, Sight};
use super::user::User;
use super::verdict::{Expectation, TokenState, Verdict, judge};
use super::{Doubt, Standing, Transition, TransitionKind};

/// What decides how a look is taken.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    /// The token that was looked at.
    pub token: &'a Token,
    /// How a bad verdict is confirmed.
    pub confirmation: Confirmation,
    /// Which probes may be sent.
    pub probes: Probes,
    /// How long a change of the security group is news.
    pub news_for: Duration,
    /// Whether what is bad is not to be believed for now: too many turned bad alike.
    pub frozen: bool,
}

/// Takes one look into a standing; returns what changed.
#[must_use]
pub fn step(standing: &mut Standing, look: &Look, policy: Policy<'_>) -> Vec<Transition> {
    let mut changes = Changes { now: look.at, policy, transitions: Vec::new() };
    match &look.part {
        Part::Token(Seen::Unreadable(why)) if let Some(failure) = why.of_monitor() => {
            standing.validity.note(look.at, Some(&failure));
        }
        Part::Token(Seen::Unreadable(why)) => {
            standing.unreadable = Some(why.clone());
            standing.validity.note(look.at, None);
            changes.state(standing, TokenState::Unreadable);
        }
        Part::Token(Seen::Me { fingerprint, observation }) => {
            standing.unreadable = None;
            changes.fingerprint(standing, fingerprint);
            changes.me(standing, observation);
        }
        Part::Permissions(permissions) => changes.permissions(standing, permissions),
    }
    changes.transitions
}

struct Changes<'a> {
    now: DateTime<Utc>,
    policy: Policy<'a>,
    transitions: Vec<Transition>,
}

impl Changes<'_> {
    fn push(&mut self, kind: TransitionKind, subject: Option<String>, before: &str, after: &str, since: DateTime<Utc>) {
        let (before, after) = (before.to_owned(), after.to_owned());
        self.transitions.push(Transition { kind, subject, before, after, since, evidence: None, shown_by: None });
    }

    fn fingerprint(&mut self, standing: &mut Standing, fingerprint: &Fingerprint) {
        if let Some(before) = standing.fingerprint.as_ref().filter(|before| *before != fingerprint) {
            self.push(TransitionKind::Fingerprint, None, &before.to_string(), &fingerprint.to_string(), self.now);
        }
        standing.fingerprint = Some(fingerprint.clone());
    }

    fn me(&mut self, standing: &mut Standing, observation: &MeObservation) {
        let Token { tenant, expires, .. } = self.policy.token;
        let expectation = Expectation { subdomain: tenant.subdomain.as_deref(), expires: *expires };
        let state = match judge(expectation, observation, self.now) {
            Verdict::CouldNotLook(failure) => return standing.validity.note(self.now, Some(&failure)),
            Verdict::Is(state) => state,
        };
        standing.validity.note(self.now, None);
        self.state(standing, state);
        self.outlived(standing, state);
        if let (TokenState::Valid, MeObservation::Works(me)) = (state, observation) {
            self.user(standing, me);
        } else {
            // Whatever was refused since `/me` last answered well may have been refused for this.
            for known in standing.permissions.iter_mut().filter(|known| known.evidence == Evidence::Probe) {
                known.belief.doubts = 0;
            }
        }
    }

    /// Counts how often it worked after its declared expiry. One check at which it did not is no proof that it is over; a
    /// date that was moved is.
    fn outlived(&self, standing: &mut Standing, seen: TokenState) {
        let has_expired = self.policy.token.expires.is_some_and(|expires| self.now >= expires);
        if !has_expired || standing.state != TokenState::Valid {
            standing.worked_after_expiry = 0;
        } else if seen == TokenState::Valid {
            standing.worked_after_expiry = standing.worked_after_expiry.saturating_add(1);
        }
    }

    /// A good state is believed at once, a bad one when it has been seen often enough in a row.
    fn state(&mut self, standing: &mut Standing, seen: TokenState) {
        if seen == standing.state {
            standing.doubt = None;
            return;
        }
        let confirmation = self.policy.confirmation;
        let doubt = match standing.doubt.take() {
            // What comes too soon after the one before confirms nothing.
            Some(doubt) if doubt.state == seen && self.now < confirmation.next(doubt.last) => doubt,
            Some(doubt) if doubt.state == seen => Doubt { times: doubt.times + 1, last: self.now, ..doubt },
            _ => Doubt { state: seen, times: 1, first: self.now, last: self.now },
        };
        if seen != TokenState::Valid && (self.policy.frozen || doubt.times < confirmation.times) {
            // What was frozen is believed at its next sight.
            let times = doubt.times.min(confirmation.times.saturating_sub(1));
            standing.doubt = Some(Doubt { times, ..doubt });
            return;
        }
        // What its permissions were before it stopped working is checked again before it is spoken of.
        standing.look_again |= seen == TokenState::Valid && standing.permission_checks.last_attempt.is_some();
        if standing.state != TokenState::Unknown || seen != TokenState::Valid {
            self.push(TransitionKind::State, None, standing.state.as_str(), seen.as_str(), doubt.first);
        }
        standing.state = seen;
        standing.since = Some(doubt.first);
    }

    fn user(&mut self, standing: &mut Standing, me: &Me) {
        if standing.user.as_ref().is_none_or(|user| user.id != me.user_id) {
            // Another user is behind the token now: nothing was lost, it is another's.
            standing.user = Some(User::new(me.user_id));
            standing.rights.clear();
        }
        let mut doubtful = false;
        if let Some(user) = &mut standing.user
            && let Some(admin) = me.admin
        {
            let before = user.admin.held;
            if user.see_admin(admin, self.now, self.policy.confirmation) && before.is_some() {
                let since = user.admin.since;
                self.push(TransitionKind::GlobalAdmin, None, word(!admin), word(admin), since);
                doubtful = true;
            }
            doubtful |= user.admin.doubts == 1;
        }
        doubtful |= self.rights(standing, me);
        standing.look_again |= doubtful;
        if let Some(user) = standing.user.as_mut().filter(|user| doubtful && user.group.is_some()) {
            // The user may have been moved to another group, which is read again before any group is named.
            user.doubted_at.get_or_insert(self.now);
        }
        self.by_right(standing);
    }

    /// Returns whether a right changed, or was just seen to be gone.
    fn rights(&mut self, standing: &mut Standing, me: &Me) -> bool {
        let mut doubtful = false;
        for (right, held) in &me.rights {
            match standing.rights.binary_search_by(|known| known.right.cmp(right)) {
                // Names that change from answer to answer must not pile up.
                Err(_) if standing.rights.len() >= MOST_RIGHTS => {}
                Err(index) => {
                    let belief = Belief::first(*held, self.now);
                    standing.rights.insert(index, RightStanding { right: right.clone(), belief });
                }
                Ok(index) => {
                    let belief = &mut standing.rights[index].belief;
                    if belief.see(*held, self.now, self.policy.confirmation) {
                        let (subject, since) = (Some(right.as_str().to_owned()), belief.since);
                        self.push(TransitionKind::Right, subject, word(!*held), word(*held), since);
                        doubtful = true;
                    }
                    doubtful |= standing.rights[index].belief.doubts == 1;
                }
            }
        }
        doubtful
    }

    /// Permissions that no probe may show: there the user's right is evidence, of a weaker kind.
    fn by_right(&mut self, standing: &mut Standing) {
        for wanted in &self.policy.token.wanted {
            if self.policy.probes.allowed(wanted.permission).is_some() {
                continue;
            }
            let Some(right) = &wanted.permission.get().right else { continue };
            // The belief about the right is confirmed on its own; here the latest sight counts, so that both agree.
            let held = standing
                .rights
                .iter()
                .find(|known| known.right.as_str() == right)
                .and_then(|known| known.belief.last_seen());
            if let Some(held) = held {
                let sight = Sight { held, evidence: Evidence::Right, answer: None };
                self.permission(standing, wanted.permission, sight);
            }
        }
    }
}

fn word(held: bool) -> &'static str {
    if held { "held" } else { "not_held" }
}

#[cfg(test)]
mod tests;
