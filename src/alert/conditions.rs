//! What should fire for a token by what its standing says now. Pure; `rules` compares it with what fires already.

use chrono::{DateTime, Utc};

use crate::belief::{Evidence, PermissionState, TokenState, TokenStatus};
use crate::model::Token;

use super::peers::{Peer, is_of_group};
use super::{Alert, Firing, Message, Severity, messages};

/// Something that should fire now.
pub(super) struct Condition {
    pub(super) alert: Alert,
    pub(super) subject: Option<String>,
    pub(super) severity: Severity,
    pub(super) since: DateTime<Utc>,
    pub(super) notices: usize,
    /// When the token was last seen to have what is missing; the epoch if never, or if nothing is missing.
    pub(super) granted_at: DateTime<Utc>,
    /// Whether it may begin to fire now, besides going on if it fires already.
    pub(super) may_begin: bool,
    pub(super) message: Message,
}

impl Condition {
    /// Something that fires as soon as it is so.
    pub(super) fn new(alert: Alert, severity: Severity, since: DateTime<Utc>, message: Message) -> Self {
        let granted_at = DateTime::default();
        Self { alert, subject: None, severity, since, notices: 0, granted_at, may_begin: true, message }
    }

    /// Whether this token's alert is the one that represents its group; it names the peers that need the same. An alert of
    /// a peer that began before this token last had what it lost is about another loss.
    pub(super) fn represents(&mut self, peers: &[Peer<'_>], firing: &[Firing]) -> bool {
        if peers.is_empty() || !is_of_group(self.alert, &self.message) {
            return true;
        }
        let subject = self.subject.as_deref();
        let fires = firing.iter().any(|known| known.alert == self.alert && known.subject.as_deref() == subject);
        if !fires && peers.iter().any(|other| other.tells(self.alert, subject, self.granted_at)) {
            return false;
        }
        if self.alert != Alert::SecurityGroupRightLost {
            let needs = |other: &Peer<'_>| other.wants(subject?).filter(|_| !other.had(subject, self.since));
            let affected: Vec<_> = peers.iter().filter_map(|other| Some((other, needs(other)?))).collect();
            let required = affected.iter().any(|(_, required)| *required);
            self.severity = self.severity.max(severity(self.alert, self.message.evidence, required));
            self.message = messages::of_group(&self.message, affected.iter().map(|(other, _)| other.token));
        }
        true
    }
}

pub(super) fn state(token: &Token, status: &TokenStatus) -> Option<Condition> {
    let alert = match status.state {
        TokenState::Expired => Alert::TokenExpired,
        TokenState::Rejected => Alert::TokenRejected,
        TokenState::WrongAccount => Alert::TokenWrongAccount,
        TokenState::LockedOut => Alert::TokenUserLockedOut,
        TokenState::Blocked => Alert::TokenBlocked,
        TokenState::Unreadable => Alert::TokenUnreadable,
        TokenState::Valid | TokenState::Unknown => return None,
    };
    let since = status.since.unwrap_or_default();
    Some(Condition::new(alert, Severity::Critical, since, messages::state(alert, token, status)))
}

pub(super) fn permissions(token: &Token, status: &TokenStatus) -> Vec<Condition> {
    let missing = token.wanted.iter().filter_map(|wanted| {
        let known = status.of_permission(wanted.permission)?;
        (known.state() == PermissionState::Missing).then_some((wanted, known))
    });
    missing
        .map(|(wanted, known)| {
            let alert = if known.belief.lost { Alert::PermissionLost } else { Alert::PermissionMissing };
            Condition {
                alert,
                subject: Some(wanted.permission.name().to_owned()),
                severity: severity(alert, Some(known.evidence), wanted.required),
                since: known.belief.since,
                notices: 0,
                granted_at: known.belief.granted_at(),
                // What was shown before the token stopped working, or could not be asked since, begins nothing.
                may_begin: known.evidence == Evidence::Right || !known.unseen && !status.permissions_are_outdated(),
                message: messages::permission(alert, token, status, known, wanted.required),
            }
        })
        .collect()
}

/// How bad a missing permission is: a right that was false from the start is a weak sign, and what is only recommended
/// breaks nothing.
fn severity(alert: Alert, evidence: Option<Evidence>, required: bool) -> Severity {
    let weak = alert == Alert::PermissionMissing && evidence == Some(Evidence::Right);
    if required && !weak { Severity::Critical } else { Severity::Warning }
}
