//! One security group losing one permission is one alert, not one for each token: whose alert speaks for the others. Pure.

use chrono::{DateTime, Utc};

use crate::belief::{Cause, PermissionState, TokenState, TokenStatus};
use crate::model::Token;

use super::{Alert, Firing, Message};

/// Another token of the same tenant, whose user is in the same security group.
#[derive(Debug, Clone, Copy)]
pub struct Peer<'a> {
    /// As it is configured.
    pub token: &'a Token,
    /// What is believed of it.
    pub status: &'a TokenStatus,
    /// What fires for it.
    pub firing: &'a [Firing],
}

/// Whether an alert speaks of the security group rather than of its token.
pub(super) fn is_of_group(alert: Alert, message: &Message) -> bool {
    match alert {
        Alert::PermissionLost | Alert::PermissionMissing => message.cause == Some(Cause::SecurityGroup),
        Alert::SecurityGroupRightLost => true,
        _ => false,
    }
}

/// Whether a notification in these words is about every token of the security group that it names.
pub(super) fn represents_group(alert: Alert, message: &Message) -> bool {
    is_of_group(alert, message) && message.security_group.is_some()
}

impl Peer<'_> {
    /// Whether its alert tells already what this one would, of a token that had what it lost until `granted_at`.
    pub(super) fn tells(&self, alert: Alert, subject: Option<&str>, granted_at: DateTime<Utc>) -> bool {
        let same = |other: Alert| is_of_right(other) == is_of_right(alert);
        let tells = |known: &Firing| {
            is_of_group(known.alert, &known.message)
                && same(known.alert)
                && known.subject.as_deref() == subject
                && known.since >= granted_at
                && known.represents_group
        };
        self.firing.iter().any(tells)
    }

    /// Whether what this alert speaks of is still so for it, as far as is known.
    pub fn is_affected(&self, alert: Alert, subject: Option<&str>) -> bool {
        let Some(subject) = subject.filter(|_| self.status.state == TokenState::Valid) else { return false };
        if is_of_right(alert) {
            let lost = |known: &crate::belief::RightStatus| {
                known.right.as_str() == subject && known.belief.granted == Some(false) && known.belief.lost
            };
            return self.status.rights.iter().any(lost);
        }
        let missing = |known: &crate::belief::PermissionStatus| {
            known.permission.name() == subject
                && known.state() == PermissionState::Missing
                && known.cause == Cause::SecurityGroup
        };
        self.wants(subject).is_some() && self.status.permissions.iter().any(missing)
    }

    /// Whether it was seen to have this permission at `since` or later.
    pub(super) fn had(&self, permission: Option<&str>, since: DateTime<Utc>) -> bool {
        let of = |known: &&crate::belief::PermissionStatus| Some(known.permission.name()) == permission;
        self.status.permissions.iter().find(of).is_some_and(|known| known.belief.granted_at() >= since)
    }

    /// Whether it needs this permission, and if so, whether its integration breaks without it.
    pub(super) fn wants(&self, permission: &str) -> Option<bool> {
        let wanted = self.token.wanted.iter().find(|wanted| wanted.permission.name() == permission);
        wanted.map(|wanted| wanted.required)
    }
}

fn is_of_right(alert: Alert) -> bool {
    alert == Alert::SecurityGroupRightLost
}
