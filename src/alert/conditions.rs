//! The alerts that should fire for a token by its status now. Pure; `rules` compares them with the alerts that fire
//! already.

use chrono::{DateTime, Utc};

use crate::belief::{Evidence, PermissionState, Strength, TokenState, TokenStatus};
use crate::model::Token;

use super::peers::{Peer, is_of_group};
use super::{Alert, Firing, Message, Severity, messages};

/// An alert that should fire now, and how.
pub(super) struct Condition {
    pub(super) alert: Alert,
    pub(super) subject: Option<String>,
    pub(super) severity: Severity,
    pub(super) since: DateTime<Utc>,
    /// How many of the configured expiry notices have passed, for `TokenExpiring`.
    pub(super) notices: usize,
    /// When the token was last seen to have what is missing; the epoch if never, or if nothing is missing.
    pub(super) granted_at: DateTime<Utc>,
    /// Whether what it reports is only indicated, and not shown.
    pub(super) is_weak: bool,
    /// Whether the alert may begin to fire now; one that fires already continues in any case.
    pub(super) may_begin: bool,
    pub(super) message: Message,
}

impl Condition {
    /// A condition for which the alert fires as soon as it exists.
    pub(super) fn new(alert: Alert, severity: Severity, since: DateTime<Utc>, message: Message) -> Self {
        let granted_at = DateTime::default();
        let (subject, notices, is_weak, may_begin) = (None, 0, false, true);
        Self { alert, subject, severity, since, notices, granted_at, is_weak, may_begin, message }
    }

    /// Whether this alert is the one that represents its security group, or is about no group; its message then names
    /// the peers that need the same. An alert of a peer that began before this token last had what it lost is about
    /// another loss.
    pub(super) fn represents(&mut self, peers: &[Peer<'_>], firing: &[Firing]) -> bool {
        if peers.is_empty() || !is_of_group(self.alert, &self.message) {
            return true;
        }
        let subject = self.subject.as_deref();
        let fires = firing.iter().any(|firing| firing.alert == self.alert && firing.subject.as_deref() == subject);
        if !fires && peers.iter().any(|peer| peer.represents(self.alert, subject, self.granted_at)) {
            return false;
        }
        if self.alert != Alert::SecurityGroupRightLost {
            // What the group means for a token that does not work has not been seen since.
            let works = |peer: &Peer<'_>| peer.status.state == TokenState::Valid;
            let needs =
                |peer: &Peer<'_>| peer.wants(subject?).filter(|_| works(peer) && !peer.had(subject, self.since));
            let affected: Vec<_> = peers.iter().filter_map(|peer| Some((peer, needs(peer)?))).collect();
            let required = affected.iter().any(|(_, required)| *required);
            self.severity = self.severity.max(severity(self.is_weak, required));
            self.message = messages::of_group(&self.message, affected.iter().map(|(peer, _)| peer.token));
        }
        true
    }
}

/// The alert about the state of a token, unless the token works or nothing is known of it yet.
pub(super) fn state(token: &Token, status: &TokenStatus) -> Option<Condition> {
    let alert = match status.state {
        TokenState::Expired => Alert::TokenExpired,
        TokenState::Rejected => Alert::TokenRejected,
        TokenState::Restricted => Alert::TokenRestricted,
        TokenState::WrongAccount => Alert::TokenWrongAccount,
        TokenState::LockedOut => Alert::TokenUserLockedOut,
        TokenState::Blocked => Alert::TokenBlocked,
        TokenState::Unreadable => Alert::TokenUnreadable,
        TokenState::Valid | TokenState::Unknown => return None,
    };
    let since = status.since.unwrap_or_default();
    Some(Condition::new(alert, Severity::Critical, since, messages::state(alert, token, status)))
}

/// One alert for each wanted permission that is believed to be missing, where that matters.
pub(super) fn permissions(token: &Token, status: &TokenStatus) -> Vec<Condition> {
    let missing = token.wanted.iter().filter_map(|wanted| {
        let permission = status.of_permission(wanted.permission)?;
        let is_missing = permission.state() == PermissionState::Missing && permission.matters(wanted.required);
        is_missing.then_some((wanted, permission))
    });
    missing
        .map(|(wanted, permission)| {
            let alert = if permission.belief.lost { Alert::PermissionLost } else { Alert::PermissionMissing };
            let is_weak = alert == Alert::PermissionMissing && permission.strength() != Some(Strength::Shown);
            Condition {
                alert,
                subject: Some(wanted.permission.name().to_owned()),
                severity: severity(is_weak, wanted.required),
                since: permission.belief.since,
                notices: 0,
                granted_at: permission.belief.granted_at(),
                is_weak,
                // What was shown before the token stopped working, or could not be probed since, makes no alert begin.
                may_begin: permission.evidence == Evidence::Right
                    || !permission.unseen && !status.permissions_are_outdated(),
                message: messages::permission(alert, token, status, permission, wanted.required),
            }
        })
        .collect()
}

/// How bad a missing permission is. What was missing from the start, and is only indicated, is no reason to be woken, and
/// without a permission that is only recommended nothing breaks.
fn severity(is_weak: bool, required: bool) -> Severity {
    if required && !is_weak { Severity::Critical } else { Severity::Warning }
}
