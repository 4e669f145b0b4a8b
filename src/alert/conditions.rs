//! What should fire for a token by what its standing says now. Pure; `rules` compares it with what fires already.

use chrono::{DateTime, Utc};

use crate::config::Token;
use crate::standing::{Evidence, PermissionState, Standing, TokenState};

use super::neighbours::{Neighbour, is_of_group};
use super::{Alert, Firing, Severity, Words, words};

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
    pub(super) words: Words,
}

impl Condition {
    /// Something that fires as soon as it is so.
    pub(super) fn new(alert: Alert, severity: Severity, since: DateTime<Utc>, words: Words) -> Self {
        let granted_at = DateTime::default();
        Self { alert, subject: None, severity, since, notices: 0, granted_at, may_begin: true, words }
    }

    /// Whether this token's alert is the one that represents its group; it names the peers that need the same. An alert of
    /// a peer that began before this token last had what it lost is about another loss.
    pub(super) fn speaks_for(&mut self, neighbours: &[Neighbour<'_>], firing: &[Firing]) -> bool {
        if neighbours.is_empty() || !is_of_group(self.alert, &self.words) {
            return true;
        }
        let subject = self.subject.as_deref();
        let fires = firing.iter().any(|known| known.alert == self.alert && known.subject.as_deref() == subject);
        if !fires && neighbours.iter().any(|other| other.tells(self.alert, subject, self.granted_at)) {
            return false;
        }
        if self.alert != Alert::SecurityGroupRightLost {
            let needs = |other: &Neighbour<'_>| other.wants(subject?).filter(|_| !other.had(subject, self.since));
            let hurt: Vec<_> = neighbours.iter().filter_map(|other| Some((other, needs(other)?))).collect();
            let required = hurt.iter().any(|(_, required)| *required);
            self.severity = self.severity.max(severity(self.alert, self.words.evidence, required));
            self.words = words::of_group(&self.words, hurt.iter().map(|(other, _)| other.token));
        }
        true
    }
}

pub(super) fn state(token: &Token, standing: &Standing) -> Option<Condition> {
    let alert = match standing.state {
        TokenState::Expired => Alert::TokenExpired,
        TokenState::Rejected => Alert::TokenRejected,
        TokenState::WrongAccount => Alert::TokenWrongAccount,
        TokenState::LockedOut => Alert::TokenUserLockedOut,
        TokenState::Blocked => Alert::TokenBlocked,
        TokenState::Unreadable => Alert::TokenUnreadable,
        TokenState::Valid | TokenState::Unknown => return None,
    };
    let since = standing.since.unwrap_or_default();
    Some(Condition::new(alert, Severity::Critical, since, words::state(alert, token, standing)))
}

pub(super) fn permissions(token: &Token, standing: &Standing) -> Vec<Condition> {
    let missing = token.wanted.iter().filter_map(|wanted| {
        let known = standing.of_permission(wanted.permission)?;
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
                may_begin: known.evidence == Evidence::Right || !known.unseen && !standing.permissions_are_outdated(),
                words: words::permission(alert, token, standing, known, wanted.required),
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
