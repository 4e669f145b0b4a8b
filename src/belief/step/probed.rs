//! How the observation of the permissions changes a status: the part of `step` that probes decide, and rights in their
//! place. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::catalog::{PermissionId, Probe};
use crate::syncro::{PermissionObservations, ProbeObservation};

use super::super::confirmed::Belief;
use super::super::evidence::{Cause, Evidence};
use super::super::excess::Audit;
use super::super::permissions::{PermissionObservation, PermissionState, PermissionStatus, shown_by_probe};
use super::super::{TokenStatus, Transition, TransitionKind};
use super::Changes;

/// The one HTTP status that means that a request is refused.
const REFUSED: u16 = 401;
/// The HTTP status of a record that is shown.
const OK: u16 = 200;

impl Changes<'_> {
    /// Takes in what one check showed of the permissions and the security group.
    pub(super) fn permissions(&mut self, token_status: &mut TokenStatus, observations: &PermissionObservations) {
        token_status.permission_checks.record(self.now, observations.failure());
        if observations.full {
            token_status.full_check = Some(self.now);
        }
        // A group that may be another one by now is read by the next check, if not by this one.
        let reads_group =
            observations.user.is_some() || token_status.user.as_ref().is_none_or(|user| user.doubted_at.is_none());
        if observations.full && reads_group {
            token_status.recheck = false;
        }
        if let (Some(user), Some(seen)) = (&mut token_status.user, &observations.user) {
            let news_for = TimeDelta::from_std(self.policy.news_for).unwrap_or(TimeDelta::MAX);
            if let Some((before, after)) = user.see_group(seen, self.now, news_for) {
                self.push(TransitionKind::SecurityGroup, None, &before, &after, self.now);
            }
            // Where nothing was answered at all, the failed check is the problem, and not the group.
            if observations.is_answered() {
                user.record_group_problem(seen);
            }
        }
        if observations.users.is_some() {
            token_status.users_asked = Some(self.now);
        }
        if let Some(visible) = observations.customers {
            token_status.customers_visible = Some(visible);
            token_status.customers.see(visible, self.now, self.policy.confirmation);
        }
        // To a token that stopped working during the check everything is refused, whatever it may do.
        let works = token_status.works() && !self.policy.frozen;
        if works {
            Audit::see(&mut token_status.audit, observations, self.policy.token, self.now);
        }
        let is_wanted = |permission| self.policy.token.wants(permission);
        let is_granted = |seen: &ProbeObservation| {
            matches!(seen, ProbeObservation::Granted(_) | ProbeObservation::OfRecord { granted: true })
        };
        let granted =
            |permission| observations.probes.iter().any(|(probed, seen)| *probed == permission && is_granted(seen));
        let failed = |permission| {
            observations.probes.iter().any(|(probed, seen)| *probed == permission && seen.failure().is_some())
        };
        let by_probe = |granted, status, of_record| PermissionObservation {
            granted,
            evidence: Evidence::Probe,
            answer: Some(status),
            of_record,
        };
        for (permission, observation) in observations.probes.iter().filter(|(permission, _)| is_wanted(*permission)) {
            let of_record = matches!(observation, ProbeObservation::OfRecord { .. });
            match observation {
                ProbeObservation::Missing | ProbeObservation::OfRecord { granted: false } => {
                    let presupposed = || self.policy.probes.presupposed(*permission);
                    if !presupposed().all(granted) {
                        // It may have been refused for what the request needs besides; if that could not be probed, both
                        // are probed again.
                        entry(token_status, *permission, Evidence::Probe).unseen = presupposed().any(failed);
                    } else if works {
                        self.permission(token_status, *permission, by_probe(false, REFUSED, of_record));
                    } else {
                        entry(token_status, *permission, Evidence::Probe).unseen = true;
                    }
                }
                ProbeObservation::Denied(status) if works => {
                    self.permission(token_status, *permission, by_probe(false, *status, false));
                }
                ProbeObservation::Granted(status) => {
                    self.permission(token_status, *permission, by_probe(true, *status, false));
                }
                ProbeObservation::OfRecord { granted: true } => {
                    self.permission(token_status, *permission, by_probe(true, OK, true));
                }
                ProbeObservation::LetThrough(status) => self.let_through(token_status, *permission, *status),
                ProbeObservation::Inconclusive(_) => entry(token_status, *permission, Evidence::Probe).unseen = false,
                ProbeObservation::NotSent => {}
                ProbeObservation::Denied(_) | ProbeObservation::Failed(_) => {
                    entry(token_status, *permission, Evidence::Probe).unseen = true;
                }
            }
        }
        token_status.permissions.retain(|entry| is_wanted(entry.permission));
        // The user may have come to another group since it was read. It is read again before any is named as a cause.
        let is_refused_anew = token_status.permissions.iter().any(|entry| entry.is_refused_since(self.now));
        if let Some(user) =
            token_status.user.as_mut().filter(|user| is_refused_anew && user.group_asked < Some(self.now))
        {
            user.doubt_group(self.now);
        }
        token_status.refused_record_zero(&observations.refused_record_zero);
    }

    /// Takes in that a request was let through, by this permission or for another reason. That ends the belief that the
    /// permission is missing, unless a record that is not the user's own has shown it: record 0 says no more.
    fn let_through(&mut self, token_status: &mut TokenStatus, permission: PermissionId, status: u16) {
        let entry = entry(token_status, permission, Evidence::Probe);
        entry.unseen = false;
        let any_of = self.policy.probes.allowed(permission).filter(|probe| probe.is_any_of());
        // What is only about the user's own records was shown by the refusal of another one.
        let by_refusal = |probe: &Probe| probe.own_records_only && entry.belief.granted == Some(true);
        if any_of.is_some_and(|probe| entry.of_record || by_refusal(probe)) {
            return;
        }
        entry.belief.end_doubts();
        if entry.belief.granted == Some(false) || any_of.is_some() && entry.belief.granted == Some(true) {
            let before = entry.state();
            entry.belief = Belief::default();
            (entry.cause, entry.ground) = (Cause::Undetermined, None);
            let after = entry.state();
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

    /// Takes in one observation of a permission.
    pub(super) fn permission(
        &mut self,
        status: &mut TokenStatus,
        permission: PermissionId,
        observation: PermissionObservation,
    ) {
        let evidence = observation.evidence;
        let entry = entry(status, permission, evidence);
        let before = entry.belief.granted.map(|_| entry.state());
        if entry.see(observation, self.now, self.policy.confirmation) {
            let (after, since) = (entry.state(), entry.belief.since);
            if before.is_some() || after == PermissionState::Missing {
                let before = before.map_or("unknown", PermissionState::as_str);
                let shown_by = entry.shown_by(&self.policy.token.tenant);
                self.permission_changed(permission, before, after, (evidence, shown_by), since);
            }
        }
    }
}

/// The entry of a permission in a status; a new one, of which nothing is believed, if there was none.
fn entry(status: &mut TokenStatus, permission: PermissionId, evidence: Evidence) -> &mut PermissionStatus {
    let index = match status.permissions.binary_search_by_key(&permission, |entry| entry.permission) {
        Ok(index) => index,
        Err(index) => {
            status.permissions.insert(index, PermissionStatus::new(permission, evidence));
            index
        }
    };
    &mut status.permissions[index]
}
