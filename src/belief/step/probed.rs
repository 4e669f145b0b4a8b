//! What the answers about permissions change: the part of `step` that probes, and rights in their place, move. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::catalog::PermissionId;
use crate::syncro::{PermissionObservations, ProbeObservation};

use super::super::confirmed::Belief;
use super::super::excess::Audit;
use super::super::permissions::{
    Evidence, PermissionObservation, PermissionState, PermissionStatus, cause, shown_by_probe,
};
use super::super::verdict::TokenState;
use super::super::{TokenStatus, Transition, TransitionKind};
use super::Changes;

/// The one status that means refused.
const REFUSED: u16 = 401;

impl Changes<'_> {
    pub(super) fn permissions(&mut self, token_status: &mut TokenStatus, observed: &PermissionObservations) {
        token_status.permission_checks.note(self.now, observed.failure());
        // A group that may be another one by now is read by the check after this, if not by this one.
        let reads_group =
            observed.user.is_some() || token_status.user.as_ref().is_none_or(|user| user.doubted_at.is_none());
        if observed.full && reads_group {
            token_status.recheck = false;
        }
        if let (Some(user), Some(seen)) = (&mut token_status.user, &observed.user) {
            let news_for = TimeDelta::from_std(self.policy.news_for).unwrap_or(TimeDelta::MAX);
            if let Some((before, after)) = user.see_group(seen, self.now, news_for) {
                self.push(TransitionKind::SecurityGroup, None, &before, &after, self.now);
            }
            // Where nothing could be looked at, that is what there is to say.
            if observed.is_answered() {
                user.note_group_problem(seen);
            }
        }
        // A token that stopped working while it was asked is refused everything, whatever it may do.
        let works = token_status.state == TokenState::Valid && token_status.doubt.is_none() && !self.policy.frozen;
        if works {
            Audit::see(&mut token_status.audit, observed, self.policy.token, self.now);
        }
        let is_wanted = |permission| self.policy.token.wants(permission);
        let is_granted = |seen: &ProbeObservation| matches!(seen, ProbeObservation::Granted(_));
        let granted = |permission| observed.probes.iter().any(|(known, seen)| *known == permission && is_granted(seen));
        let failed =
            |permission| observed.probes.iter().any(|(known, seen)| *known == permission && seen.failure().is_some());
        let by_probe =
            |granted, status| PermissionObservation { granted, evidence: Evidence::Probe, answer: Some(status) };
        for (permission, observation) in observed.probes.iter().filter(|(permission, _)| is_wanted(*permission)) {
            match observation {
                // It may have been refused for what it needs besides; if that could not be looked at, both are asked again.
                ProbeObservation::Missing if !self.policy.probes.presupposed(*permission).all(granted) => {
                    let unseen = self.policy.probes.presupposed(*permission).any(failed);
                    known(token_status, *permission, Evidence::Probe).unseen = unseen;
                }
                ProbeObservation::Missing if !works => known(token_status, *permission, Evidence::Probe).unseen = true,
                ProbeObservation::Granted(status) => {
                    self.permission(token_status, *permission, by_probe(true, *status));
                }
                ProbeObservation::Missing => {
                    self.permission(token_status, *permission, by_probe(false, REFUSED));
                }
                ProbeObservation::Inconclusive(status) => {
                    self.inconclusive(token_status, *permission, *status);
                }
                ProbeObservation::Failed(_) => known(token_status, *permission, Evidence::Probe).unseen = true,
            }
        }
        token_status.permissions.retain(|known| is_wanted(known.permission));
    }

    /// An answer that does not show that a permission is held; one that is no refusal ends the belief that it is missing.
    fn inconclusive(&mut self, token_status: &mut TokenStatus, permission: PermissionId, status: u16) {
        let known = known(token_status, permission, Evidence::Probe);
        known.unseen = false;
        if !(200..300).contains(&status) {
            return;
        }
        known.belief.doubts = 0;
        if known.belief.granted == Some(false) {
            let before = known.state();
            known.belief = Belief::default();
            let after = known.state();
            let shown_by = shown_by_probe(&self.policy.token.tenant, permission, Some(status));
            self.permission_changed(permission, before.as_str(), after, (Evidence::Probe, shown_by), self.now);
        }
    }

    fn permission_changed(
        &mut self,
        permission: PermissionId,
        before: &str,
        after: PermissionState,
        (evidence, shown_by): (Evidence, Option<String>),
        since: DateTime<Utc>,
    ) {
        self.transitions.push(Transition {
            kind: TransitionKind::Permission,
            subject: Some(permission.name().to_owned()),
            before: before.to_owned(),
            after: after.as_str().to_owned(),
            since,
            evidence: Some(evidence),
            shown_by,
        });
    }

    pub(super) fn permission(
        &mut self,
        token_status: &mut TokenStatus,
        permission: PermissionId,
        sight: PermissionObservation,
    ) {
        // Who is short follows from what `/me` has just said, whether it has been confirmed or not.
        let right = permission.get().right.as_ref().and_then(|right| {
            token_status
                .rights
                .iter()
                .find(|known| known.right.as_str() == right)
                .and_then(|known| known.belief.last_seen())
        });
        let admin = token_status.user.as_ref().and_then(|user| user.admin.last_seen());
        let PermissionObservation { granted, evidence, .. } = sight;
        let known = known(token_status, permission, evidence);
        let before = known.belief.granted.map(|_| known.state());
        if !granted {
            known.cause = cause(right, admin, evidence);
        }
        if known.see(sight, self.now, self.policy.confirmation) {
            let (after, since) = (known.state(), known.belief.since);
            if before.is_some() || after == PermissionState::Missing {
                let before = before.map_or("unknown", PermissionState::as_str);
                let shown_by = known.shown_by(&self.policy.token.tenant);
                self.permission_changed(permission, before, after, (evidence, shown_by), since);
            }
        }
    }
}

fn known(token_status: &mut TokenStatus, permission: PermissionId, evidence: Evidence) -> &mut PermissionStatus {
    let index = match token_status.permissions.binary_search_by_key(&permission, |known| known.permission) {
        Ok(index) => index,
        Err(index) => {
            token_status.permissions.insert(index, PermissionStatus::new(permission, evidence));
            index
        }
    };
    &mut token_status.permissions[index]
}
