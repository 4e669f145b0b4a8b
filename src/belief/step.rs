//! How the observation of one part of a check changes a status: the token and its user here, its permissions in
//! `probed`. Pure; a check that failed changes no belief.

mod probed;

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::catalog::catalog;
use crate::model::{Probes, Token};
use crate::syncro::{Fingerprint, MOST_RIGHTS, Me, MeObservation, Observation, Part, TokenObservation};

use super::confirmed::{Belief, Confirmation};
use super::customers::Customers;
use super::evidence::Evidence;
use super::permissions::{PermissionObservation, PermissionStatus, RightStatus};
use super::user::User;
use super::verdict::{Expectation, TokenState, Verdict, judge};
use super::{Doubt, Elsewhere, TokenStatus, Transition, TransitionKind};

/// What decides how an observation changes a status, besides the two of them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Policy<'a> {
    /// The token that was checked.
    pub token: &'a Token,
    /// How a bad observation is confirmed.
    pub confirmation: Confirmation,
    /// Which probes may be sent.
    pub probes: Probes,
    /// For how long a change of the security group is news.
    pub news_for: Duration,
    /// Whether the names of users may be kept.
    pub user_names: bool,
    /// Whether bad observations are not to be believed for now, because too many tenants turned bad alike.
    pub frozen: bool,
}

/// Takes one observation into a status, and returns what changed.
#[must_use]
pub(crate) fn step(status: &mut TokenStatus, observation: &Observation, policy: Policy<'_>) -> Vec<Transition> {
    let mut changes = Changes { now: observation.at, policy, transitions: Vec::new() };
    match &observation.part {
        Part::Token(TokenObservation::Unreadable(why)) if let Some(failure) = why.of_monitor() => {
            status.validity.record(observation.at, Some(&failure));
        }
        Part::Token(TokenObservation::Unreadable(why)) => {
            status.unreadable = Some(why.clone());
            status.validity.record(observation.at, None);
            changes.state(status, TokenState::Unreadable);
        }
        Part::Token(TokenObservation::Me { fingerprint, observation }) => {
            status.unreadable = None;
            changes.fingerprint(status, fingerprint);
            changes.me(status, observation);
        }
        Part::Permissions(permissions) => changes.permissions(status, permissions),
    }
    status.known_since = status.known_since.or(status.validity.last_success);
    status.shrink_to_fit();
    changes.transitions
}

/// Takes in whether the list of the account's users has the user of a token, and returns what changed.
#[must_use]
pub(crate) fn see_listed(
    status: &mut TokenStatus,
    is_listed: bool,
    now: DateTime<Utc>,
    confirmation: Confirmation,
) -> Option<Transition> {
    let user = status.user.as_mut()?;
    let word = |listed| if listed { "listed" } else { "not_listed" };
    user.see_listed(is_listed, now, confirmation).then(|| {
        let (before, after) = (word(!is_listed).to_owned(), word(is_listed).to_owned());
        let (kind, since) = (TransitionKind::UserListed, user.listed.since);
        Transition { kind, subject: None, before, after, since, evidence: None, shown_by: None }
    })
}

/// The changes that one observation makes, with what they depend on.
struct Changes<'a> {
    /// When the observation was made.
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
            // What the other value was refused, this one does not confirm.
            status.let_in(false);
            status.is_value_new = true;
            status.value_since = Some(self.now);
        }
        status.fingerprint = Some(fingerprint.clone());
    }

    fn me(&mut self, status: &mut TokenStatus, observation: &MeObservation) {
        let Token { tenant, expires, .. } = self.policy.token;
        let expectation = Expectation { subdomain: tenant.subdomain.as_deref(), expires: *expires };
        let state = match judge(expectation, observation, self.now) {
            Verdict::CheckFailed(failure) => return status.validity.record(self.now, Some(&failure)),
            Verdict::Is(state) => state,
        };
        status.validity.record(self.now, None);
        status.answered_at = Some(self.now);
        self.state(status, state);
        self.outlived(status, state);
        status.is_value_new &= state != TokenState::Valid;
        status.has_returned &= state != TokenState::Valid;
        status.let_in(state == TokenState::Valid);
        if let MeObservation::Works(me) = observation {
            status.elsewhere = me.subdomain.clone().filter(|_| state == TokenState::WrongAccount).map(|subdomain| {
                let is_same = |user: &User| user.id == me.user_id && !status.is_value_new;
                Elsewhere { subdomain, is_same_token: status.user.as_ref().map(is_same) }
            });
        }
        if let (TokenState::Valid, MeObservation::Works(me)) = (state, observation) {
            self.user(status, me);
        } else {
            // Whatever was refused since `/me` last showed a valid token may have been refused for this reason.
            for permission in status.permissions.iter_mut().filter(|status| status.evidence == Evidence::Probe) {
                permission.belief.end_doubts();
            }
        }
    }

    /// Counts how often `/me` let the token in after its declared expiry. One check at which it did not is no proof that
    /// this is over; a date that was moved is.
    fn outlived(&self, status: &mut TokenStatus, seen: TokenState) {
        let has_expired = self.policy.token.expires.is_some_and(|expires| self.now >= expires);
        if !has_expired || !status.state.is_let_in() {
            status.worked_after_expiry = 0;
        } else if seen.is_let_in() {
            status.worked_after_expiry = status.worked_after_expiry.saturating_add(1);
        }
    }

    /// A good state is believed at once, a bad one when it has been observed often enough in a row.
    fn state(&mut self, status: &mut TokenStatus, seen: TokenState) {
        if seen == status.state {
            status.doubt = None;
            return;
        }
        let confirmation = self.policy.confirmation;
        let doubt = match status.doubt.take() {
            // An observation that comes too soon after the one before confirms nothing.
            Some(doubt) if doubt.state == seen && self.now < confirmation.next(doubt.last) => doubt,
            Some(doubt) if doubt.state == seen => Doubt { times: doubt.times + 1, last: self.now, ..doubt },
            _ => Doubt { state: seen, times: 1, first: self.now, last: self.now },
        };
        if seen != TokenState::Valid && (self.policy.frozen || doubt.times < confirmation.times) {
            // A state that was not believed while frozen is believed at its next observation.
            let times = doubt.times.min(confirmation.times.saturating_sub(1));
            status.doubt = Some(Doubt { times, ..doubt });
            return;
        }
        // What was believed of the permissions before the token stopped working is checked again before anybody is
        // notified of it.
        status.recheck |= seen == TokenState::Valid && status.permission_checks.last_attempt.is_some();
        if status.state != TokenState::Unknown || seen != TokenState::Valid {
            self.push(TransitionKind::State, None, status.state.as_str(), seen.as_str(), doubt.first);
        }
        status.state = seen;
        status.since = Some(doubt.first);
    }

    fn user(&mut self, status: &mut TokenStatus, me: &Me) {
        let before = status.user.as_ref().map(|user| user.id);
        if before != Some(me.user_id) {
            // Another user is behind the token now: nothing was lost, this is what another user may do.
            status.user = Some(User::new(me.user_id));
            status.rights.clear();
        }
        if let Some(before) = before.filter(|before| *before != me.user_id) {
            self.push(TransitionKind::User, None, &before.to_string(), &me.user_id.to_string(), self.now);
            status.permissions.iter_mut().for_each(PermissionStatus::begin_anew);
            (status.audit, status.customers_visible, status.recheck) = (None, None, true);
            status.customers = Customers::default();
        }
        if let Some(user) = &mut status.user {
            user.name = me.user_name.clone().filter(|_| self.policy.user_names);
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
            doubtful |= user.admin.doubts() == 1;
        }
        doubtful |= self.rights(status, me);
        status.recheck |= doubtful;
        if let Some(user) = status.user.as_mut().filter(|_| doubtful) {
            // The user may have been moved to another group. The group is read again before any is named as a cause.
            user.doubt_group(self.now);
        }
        self.by_right(status);
    }

    /// Takes in the rights of the user, and returns whether one changed, or was just observed to be gone.
    fn rights(&mut self, status: &mut TokenStatus, me: &Me) -> bool {
        let mut doubtful = false;
        for (right, granted) in &me.rights {
            match status.rights.binary_search_by(|status| status.right.cmp(right)) {
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
                    doubtful |= status.rights[index].belief.doubts() == 1;
                }
            }
        }
        doubtful
    }

    /// Takes in the permissions that no probe may show: there the user's right is evidence, though of a weaker kind.
    fn by_right(&mut self, status: &mut TokenStatus) {
        for wanted in &self.policy.token.wanted {
            if self.policy.probes.allowed(wanted.permission).is_some() {
                continue;
            }
            // A right that is named for another permission says nothing of this one.
            let Some(right) = catalog().right(wanted.permission).filter(|right| right.is_named) else { continue };
            // The belief about the right is confirmed on its own; here the latest observation counts, so that both
            // agree.
            let granted = status
                .rights
                .iter()
                .find(|status| status.right.as_str() == right.name)
                .and_then(|status| status.belief.last_seen());
            if let Some(granted) = granted {
                let observation =
                    PermissionObservation { granted, evidence: Evidence::Right, answer: None, of_record: false };
                self.permission(status, wanted.permission, observation);
            }
        }
    }
}

/// A belief as the history spells it, which is promised.
fn word(granted: bool) -> &'static str {
    if granted { "held" } else { "not_held" }
}

#[cfg(test)]
mod tests;
