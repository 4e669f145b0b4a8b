//! One permission that a security group loses is one alert, not one for each token of the group: which token's alert
//! represents the others. Pure.

use chrono::{DateTime, Utc};

use crate::belief::{Cause, PermissionState, PermissionStatus, RightStatus, TokenState, TokenStatus};
use crate::model::Token;

use super::{Alert, Firing, Message};

/// Another token of the same tenant, whose user is in the same security group.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer<'a> {
    /// The token as it is configured.
    pub token: &'a Token,
    /// The status of the token.
    pub status: &'a TokenStatus,
    /// The alerts that fire for the token.
    pub firing: &'a [Firing],
}

/// Whether an alert is about the security group rather than about its token.
pub(super) fn is_of_group(alert: Alert, message: &Message) -> bool {
    match alert {
        Alert::PermissionLost | Alert::PermissionMissing => message.cause == Some(Cause::SecurityGroup),
        Alert::SecurityGroupRightLost => true,
        _ => false,
    }
}

/// Whether a notification with this message is about every token of the security group that it names.
pub(super) fn represents_group(alert: Alert, message: &Message) -> bool {
    is_of_group(alert, message) && message.security_group.is_some()
}

impl Peer<'_> {
    /// Whether an alert of the peer represents the group already in what this one would be about. The token of this one
    /// was last seen to have what it lost at `granted_at`: what its peer lost before then is another loss.
    pub(super) fn represents(&self, alert: Alert, subject: Option<&str>, granted_at: DateTime<Utc>) -> bool {
        let same = |other: Alert| is_of_right(other) == is_of_right(alert);
        let represents = |firing: &Firing| {
            is_of_group(firing.alert, &firing.message)
                && same(firing.alert)
                && firing.subject.as_deref() == subject
                && firing.since >= granted_at
                && firing.represents_group
        };
        self.firing.iter().any(represents)
    }

    /// Whether the peer, too, is believed to lack what this alert is about.
    pub(crate) fn is_affected(&self, alert: Alert, subject: Option<&str>) -> bool {
        let Some(subject) = subject.filter(|_| self.status.state == TokenState::Valid) else { return false };
        if is_of_right(alert) {
            let lost = |status: &RightStatus| {
                status.right.as_str() == subject && status.belief.granted == Some(false) && status.belief.lost
            };
            return self.status.rights.iter().any(lost);
        }
        let missing = |status: &PermissionStatus| {
            status.permission.name() == subject
                && status.state() == PermissionState::Missing
                && status.cause == Cause::SecurityGroup
        };
        self.wants(subject).is_some() && self.status.permissions.iter().any(missing)
    }

    /// Whether the peer was seen to have this permission at `since` or later.
    pub(super) fn had(&self, permission: Option<&str>, since: DateTime<Utc>) -> bool {
        let of = |status: &&PermissionStatus| Some(status.permission.name()) == permission;
        self.status.permissions.iter().find(of).is_some_and(|status| status.belief.granted_at() >= since)
    }

    /// Whether the peer needs this permission: `Some(true)` if its integration breaks without it, `Some(false)` if it
    /// is only recommended, `None` if it does not need it.
    pub(super) fn wants(&self, permission: &str) -> Option<bool> {
        let wanted = self.token.wanted.iter().find(|wanted| wanted.permission.name() == permission);
        wanted.map(|wanted| wanted.required)
    }
}

fn is_of_right(alert: Alert) -> bool {
    alert == Alert::SecurityGroupRightLost
}
