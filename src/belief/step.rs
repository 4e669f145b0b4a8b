//! How one part of a look changes a standing: the token and its user here, its permissions in `probed`. Pure; "could not
//! look" moves no belief.

mod probed;

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::model::{Probes, Token};
use crate::syncro::{Fingerprint, MOST_RIGHTS, Me, MeObservation, Observation, Part, TokenObservation};

use super::confirmed::{Belief, Confirmation};
use super::permissions::{Evidence, PermissionObservation, RightStatus};
use super::user::User;
use super::verdict::{Expectation, TokenState, Verdict, judge};
use super::{Doubt, TokenStatus, Transition, TransitionKind};

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
pub fn step(status: &mut TokenStatus, observed: &Observation, policy: Policy<'_>) -> Vec<Transition> {
    let mut changes = Changes { now: observed.at, policy, transitions: Vec::new() };
    match &observed.part {
        Part::Token(TokenObservation::Unreadable(why)) if let Some(failure) = why.of_monitor() => {
            status.validity.note(observed.at, Some(&failure));
        }
        Part::Token(TokenObservation::Unreadable(why)) => {
            status.unreadable = Some(why.clone());
            status.validity.note(observed.at, None);
            changes.state(status, TokenState::Unreadable);
        }
        Part::Token(TokenObservation::Me { fingerprint, observation }) => {
            status.unreadable = None;
            changes.fingerprint(status, fingerprint);
            changes.me(status, observation);
        }
        Part::Permissions(permissions) => changes.permissions(status, permissions),
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

    fn fingerprint(&mut self, status: &mut TokenStatus, fingerprint: &Fingerprint) {
        if let Some(before) = status.fingerprint.as_ref().filter(|before| *before != fingerprint) {
            self.push(TransitionKind::Fingerprint, None, &before.to_string(), &fingerprint.to_string(), self.now);
        }
        status.fingerprint = Some(fingerprint.clone());
    }

    fn me(&mut self, status: &mut TokenStatus, observation: &MeObservation) {
        let Token { tenant, expires, .. } = self.policy.token;
        let expectation = Expectation { subdomain: tenant.subdomain.as_deref(), expires: *expires };
        let state = match judge(expectation, observation, self.now) {
            Verdict::CouldNotLook(failure) => return status.validity.note(self.now, Some(&failure)),
            Verdict::Is(state) => state,
        };
        status.validity.note(self.now, None);
        self.state(status, state);
        self.outlived(status, state);
        if let (TokenState::Valid, MeObservation::Works(me)) = (state, observation) {
            self.user(status, me);
        } else {
            // Whatever was refused since `/me` last answered well may have been refused for this.
            for known in status.permissions.iter_mut().filter(|known| known.evidence == Evidence::Probe) {
                known.belief.doubts = 0;
            }
        }
    }

    /// Counts how often it worked after its declared expiry. One check at which it did not is no proof that it is over; a
    /// date that was moved is.
    fn outlived(&self, status: &mut TokenStatus, seen: TokenState) {
        let has_expired = self.policy.token.expires.is_some_and(|expires| self.now >= expires);
        if !has_expired || status.state != TokenState::Valid {
            status.worked_after_expiry = 0;
        } else if seen == TokenState::Valid {
            status.worked_after_expiry = status.worked_after_expiry.saturating_add(1);
        }
    }

    /// A good state is believed at once, a bad one when it has been seen often enough in a row.
    fn state(&mut self, status: &mut TokenStatus, seen: TokenState) {
        if seen == status.state {
            status.doubt = None;
            return;
        }
        let confirmation = self.policy.confirmation;
        let doubt = match status.doubt.take() {
            // What comes too soon after the one before confirms nothing.
            Some(doubt) if doubt.state == seen && self.now < confirmation.next(doubt.last) => doubt,
            Some(doubt) if doubt.state == seen => Doubt { times: doubt.times + 1, last: self.now, ..doubt },
            _ => Doubt { state: seen, times: 1, first: self.now, last: self.now },
        };
        if seen != TokenState::Valid && (self.policy.frozen || doubt.times < confirmation.times) {
            // What was frozen is believed at its next sight.
            let times = doubt.times.min(confirmation.times.saturating_sub(1));
            status.doubt = Some(Doubt { times, ..doubt });
            return;
        }
        // What its permissions were before it stopped working is checked again before it is spoken of.
        status.recheck |= seen == TokenState::Valid && status.permission_checks.last_attempt.is_some();
        if status.state != TokenState::Unknown || seen != TokenState::Valid {
            self.push(TransitionKind::State, None, status.state.as_str(), seen.as_str(), doubt.first);
        }
        status.state = seen;
        status.since = Some(doubt.first);
    }

    fn user(&mut self, status: &mut TokenStatus, me: &Me) {
        if status.user.as_ref().is_none_or(|user| user.id != me.user_id) {
            // Another user is behind the token now: nothing was lost, it is another's.
            status.user = Some(User::new(me.user_id));
            status.rights.clear();
        }
        let mut doubtful = false;
        if let Some(user) = &mut status.user
            && let Some(admin) = me.admin
        {
            let before = user.admin.granted;
            if user.see_admin(admin, self.now, self.policy.confirmation) && before.is_some() {
                let since = user.admin.since;
                self.push(TransitionKind::GlobalAdmin, None, word(!admin), word(admin), since);
                doubtful = true;
            }
            doubtful |= user.admin.doubts == 1;
        }
        doubtful |= self.rights(status, me);
        status.recheck |= doubtful;
        if let Some(user) = status.user.as_mut().filter(|user| doubtful && user.group.is_some()) {
            // The user may have been moved to another group, which is read again before any group is named.
            user.doubted_at.get_or_insert(self.now);
        }
        self.by_right(status);
    }

    /// Returns whether a right changed, or was just seen to be gone.
    fn rights(&mut self, status: &mut TokenStatus, me: &Me) -> bool {
        let mut doubtful = false;
        for (right, granted) in &me.rights {
            match status.rights.binary_search_by(|known| known.right.cmp(right)) {
                // Names that change from answer to answer must not pile up.
                Err(_) if status.rights.len() >= MOST_RIGHTS => {}
                Err(index) => {
                    let belief = Belief::first(*granted, self.now);
                    status.rights.insert(index, RightStatus { right: right.clone(), belief });
                }
                Ok(index) => {
                    let belief = &mut status.rights[index].belief;
                    if belief.see(*granted, self.now, self.policy.confirmation) {
                        let (subject, since) = (Some(right.as_str().to_owned()), belief.since);
                        self.push(TransitionKind::Right, subject, word(!*granted), word(*granted), since);
                        doubtful = true;
                    }
                    doubtful |= status.rights[index].belief.doubts == 1;
                }
            }
        }
        doubtful
    }

    /// Permissions that no probe may show: there the user's right is evidence, of a weaker kind.
    fn by_right(&mut self, status: &mut TokenStatus) {
        for wanted in &self.policy.token.wanted {
            if self.policy.probes.allowed(wanted.permission).is_some() {
                continue;
            }
            let Some(right) = &wanted.permission.get().right else { continue };
            // The belief about the right is confirmed on its own; here the latest sight counts, so that both agree.
            let granted = status
                .rights
                .iter()
                .find(|known| known.right.as_str() == right)
                .and_then(|known| known.belief.last_seen());
            if let Some(granted) = granted {
                let sight = PermissionObservation { granted, evidence: Evidence::Right, answer: None };
                self.permission(status, wanted.permission, sight);
            }
        }
    }
}

fn word(granted: bool) -> &'static str {
    if granted { "held" } else { "not_held" }
}

#[cfg(test)]
mod tests;
