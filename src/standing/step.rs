//! How one part of a look changes a standing. Pure; "could not look" moves no belief.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::catalog::PermissionId;
use crate::config::{Probes, Token};
use crate::syncro::{Fingerprint, Look, MOST_RIGHTS, Me, MeObservation, Part, PermissionLook, ProbeObservation, Seen};

use super::belief::Belief;
use super::permissions::{Evidence, PermissionStanding, PermissionState, RightStanding, Sight, cause, shown_by_probe};
use super::user::User;
use super::verdict::{Expectation, TokenState, Verdict, judge};
use super::{Doubt, Standing, Transition, TransitionKind};

/// What decides how a look is taken.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    /// The token that was looked at.
    pub token: &'a Token,
    /// How often in a row a bad verdict must be seen.
    pub confirmations: u32,
    /// Which probes may be sent.
    pub probes: Probes,
    /// How long a change of the security group is news.
    pub news_for: Duration,
}

/// Takes one look into a standing; returns what changed.
#[must_use]
pub fn step(standing: &mut Standing, look: &Look, policy: Policy<'_>) -> Vec<Transition> {
    let mut changes = Changes { now: look.at, confirmations: policy.confirmations, transitions: Vec::new() };
    match &look.part {
        Part::Token(Seen::Unreadable(why)) => {
            standing.unreadable = Some(why.clone());
            standing.validity.note(look.at, None);
            changes.state(standing, TokenState::Unreadable);
        }
        Part::Token(Seen::Me { fingerprint, observation }) => {
            standing.unreadable = None;
            changes.fingerprint(standing, fingerprint);
            changes.me(standing, observation, policy);
        }
        Part::Permissions(permissions) => changes.permissions(standing, permissions, policy),
    }
    changes.transitions
}

/// The one status that means refused.
const REFUSED: u16 = 401;

/// What shows a change.
struct Shown {
    evidence: Evidence,
    shown_by: Option<String>,
}

struct Changes {
    now: DateTime<Utc>,
    confirmations: u32,
    transitions: Vec<Transition>,
}

impl Changes {
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

    fn me(&mut self, standing: &mut Standing, observation: &MeObservation, policy: Policy<'_>) {
        let Token { tenant, expires, .. } = policy.token;
        let expectation = Expectation { subdomain: tenant.subdomain.as_deref(), expires: *expires };
        let state = match judge(expectation, observation, self.now) {
            Verdict::CouldNotLook(failure) => return standing.validity.note(self.now, Some(&failure)),
            Verdict::Is(state) => state,
        };
        standing.validity.note(self.now, None);
        self.state(standing, state);
        let outlived = state == TokenState::Valid && expires.is_some_and(|expires| self.now >= expires);
        standing.worked_after_expiry = if outlived { standing.worked_after_expiry.saturating_add(1) } else { 0 };
        if let (TokenState::Valid, MeObservation::Works(me)) = (state, observation) {
            self.user(standing, me, policy);
        } else {
            // Whatever was refused since `/me` last answered well may have been refused for this.
            for known in standing.permissions.iter_mut().filter(|known| known.evidence == Evidence::Probe) {
                known.belief.doubts = 0;
            }
        }
    }

    /// A good state is believed at once, a bad one when it has been seen often enough in a row.
    fn state(&mut self, standing: &mut Standing, seen: TokenState) {
        if seen == standing.state {
            standing.doubt = None;
            return;
        }
        let doubt = match standing.doubt.take() {
            Some(doubt) if doubt.state == seen => Doubt { times: doubt.times + 1, ..doubt },
            _ => Doubt { state: seen, times: 1, first: self.now },
        };
        if seen != TokenState::Valid && doubt.times < self.confirmations {
            standing.doubt = Some(doubt);
            return;
        }
        if standing.state != TokenState::Unknown || seen != TokenState::Valid {
            self.push(TransitionKind::State, None, standing.state.as_str(), seen.as_str(), doubt.first);
        }
        standing.state = seen;
        standing.since = Some(doubt.first);
    }

    fn user(&mut self, standing: &mut Standing, me: &Me, policy: Policy<'_>) {
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
            if user.see_admin(admin, self.now, self.confirmations) && before.is_some() {
                let since = user.admin.since;
                self.push(TransitionKind::GlobalAdmin, None, word(!admin), word(admin), since);
                doubtful = true;
            }
            doubtful |= user.admin.doubts == 1;
        }
        doubtful |= self.rights(standing, me);
        standing.look_again |= doubtful;
        self.by_right(standing, policy);
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
                    if belief.see(*held, self.now, self.confirmations) {
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
    fn by_right(&mut self, standing: &mut Standing, policy: Policy<'_>) {
        for wanted in &policy.token.wanted {
            if policy.probes.allowed(wanted.permission).is_some() {
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
                self.permission(standing, wanted.permission, sight, policy.token);
            }
        }
    }

    fn permissions(&mut self, standing: &mut Standing, look: &PermissionLook, policy: Policy<'_>) {
        standing.permission_checks.note(self.now, look.failure());
        if look.full {
            standing.look_again = false;
        }
        if let (Some(user), Some(seen)) = (&mut standing.user, &look.user)
            && let Some((before, after)) =
                user.see_group(seen, self.now, TimeDelta::from_std(policy.news_for).unwrap_or(TimeDelta::MAX))
        {
            self.push(TransitionKind::SecurityGroup, None, &before, &after, self.now);
        }
        let wanted = &policy.token.wanted;
        // A token that stopped working while it was asked is refused everything, whatever it may do.
        let works = standing.state == TokenState::Valid && standing.doubt.is_none();
        let is_wanted = |permission| wanted.iter().any(|wanted| wanted.permission == permission);
        let is_granted = |seen: &ProbeObservation| matches!(seen, ProbeObservation::Granted(_));
        let granted = |permission| look.probes.iter().any(|(known, seen)| *known == permission && is_granted(seen));
        let by_probe = |held, status| Sight { held, evidence: Evidence::Probe, answer: Some(status) };
        for (permission, observation) in look.probes.iter().filter(|(permission, _)| is_wanted(*permission)) {
            match observation {
                // It may have been refused for what it needs besides.
                ProbeObservation::Missing if !policy.probes.presupposed(*permission).all(granted) => {
                    known(standing, *permission, Evidence::Probe).unseen = false;
                }
                ProbeObservation::Missing if !works => known(standing, *permission, Evidence::Probe).unseen = true,
                ProbeObservation::Granted(status) => {
                    self.permission(standing, *permission, by_probe(true, *status), policy.token);
                }
                ProbeObservation::Missing => {
                    self.permission(standing, *permission, by_probe(false, REFUSED), policy.token);
                }
                ProbeObservation::Inconclusive(status) => {
                    self.inconclusive(standing, *permission, *status, policy.token);
                }
                ProbeObservation::Failed(_) => known(standing, *permission, Evidence::Probe).unseen = true,
            }
        }
        standing.permissions.retain(|known| is_wanted(known.permission));
    }

    /// An answer that does not show that a permission is held; one that is no refusal ends the belief that it is missing.
    fn inconclusive(&mut self, standing: &mut Standing, permission: PermissionId, status: u16, token: &Token) {
        let known = known(standing, permission, Evidence::Probe);
        known.unseen = false;
        if !(200..300).contains(&status) {
            return;
        }
        known.belief.doubts = 0;
        if known.belief.held == Some(false) {
            let before = known.state();
            known.belief = Belief::default();
            let after = known.state();
            let shown_by = shown_by_probe(&token.tenant, permission, Some(status));
            let shown = Shown { evidence: Evidence::Probe, shown_by };
            self.permission_changed(permission, before.as_str(), after, shown, self.now);
        }
    }

    fn permission_changed(
        &mut self,
        permission: PermissionId,
        before: &str,
        after: PermissionState,
        shown: Shown,
        since: DateTime<Utc>,
    ) {
        self.push(TransitionKind::Permission, Some(permission.name().to_owned()), before, after.as_str(), since);
        if let Some(transition) = self.transitions.last_mut() {
            transition.evidence = Some(shown.evidence);
            transition.shown_by = shown.shown_by;
        }
    }

    fn permission(&mut self, standing: &mut Standing, permission: PermissionId, sight: Sight, token: &Token) {
        // Who is short follows from what `/me` has just said, whether it has been confirmed or not.
        let right = permission.get().right.as_ref().and_then(|right| {
            standing
                .rights
                .iter()
                .find(|known| known.right.as_str() == right)
                .and_then(|known| known.belief.last_seen())
        });
        let admin = standing.user.as_ref().and_then(|user| user.admin.last_seen());
        let Sight { held, evidence, .. } = sight;
        let known = known(standing, permission, evidence);
        let before = known.belief.held.map(|_| known.state());
        if !held {
            known.cause = cause(right, admin, evidence);
        }
        if known.see(sight, self.now, self.confirmations) {
            let (after, since) = (known.state(), known.belief.since);
            if before.is_some() || after == PermissionState::Missing {
                let before = before.map_or("unknown", PermissionState::as_str);
                let shown = Shown { evidence, shown_by: known.shown_by(&token.tenant) };
                self.permission_changed(permission, before, after, shown, since);
            }
        }
    }
}

fn known(standing: &mut Standing, permission: PermissionId, evidence: Evidence) -> &mut PermissionStanding {
    let index = match standing.permissions.binary_search_by_key(&permission, |known| known.permission) {
        Ok(index) => index,
        Err(index) => {
            standing.permissions.insert(index, PermissionStanding::new(permission, evidence));
            index
        }
    };
    &mut standing.permissions[index]
}

fn word(held: bool) -> &'static str {
    if held { "held" } else { "not_held" }
}

#[cfg(test)]
mod tests;
