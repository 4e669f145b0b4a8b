//! What is told to an operator: which alerts exist, what identifies one, how long it is kept firing. Pure; knows no
//! receiver. `rules` decides, `words` explains.

mod conditions;
mod messages;
mod monitor;
mod peers;
mod rules;
mod trouble;

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::model::Scope;

pub use messages::{Message, page, runbook};
pub use monitor::monitor_alerts;
pub use peers::Peer;
pub use rules::{Rules, Tenancy, fleet_alerts, next_change, retire, tenant_alerts, token_alerts};
pub use trouble::{Impaired, Throttled};

/// Every alert there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Alert {
    /// Refused, and its declared expiry has come.
    TokenExpired,
    /// Refused before its expiry.
    TokenRejected,
    /// Works on another account.
    TokenWrongAccount,
    /// Its user may not use Syncro.
    TokenUserLockedOut,
    /// Perhaps the IP allow-list.
    TokenBlocked,
    /// Its declared expiry is near.
    TokenExpiring,
    /// Works after its declared expiry.
    TokenExpiryOutdated,
    /// No usable token value.
    TokenUnreadable,
    /// A wanted permission was taken away.
    PermissionLost,
    /// A wanted permission was missing at the first look.
    PermissionMissing,
    /// A right in `/me` was taken away.
    SecurityGroupRightLost,
    /// The user is in another group now.
    SecurityGroupChanged,
    /// The user is no longer a Global Admin.
    GlobalAdminLost,
    /// No verdict about any token of a tenant.
    TenantUnreachable,
    /// Most tenants turned bad alike.
    SyncroOutage,
    /// Syncro has paused our requests for long.
    MonitorThrottled,
    /// Trouble of our own machine keeps checks from saying anything.
    MonitorImpaired,
    /// Nothing is wrong: somebody tries whether alerts arrive.
    TestAlert,
}

impl Alert {
    /// Every alert that a fleet can raise, with the severities it can have, so that each has its series.
    pub const ALL: [(Self, &'static [Severity]); 17] = [
        (Self::TokenExpired, &[Severity::Critical]),
        (Self::TokenRejected, &[Severity::Critical]),
        (Self::TokenWrongAccount, &[Severity::Critical]),
        (Self::TokenUserLockedOut, &[Severity::Critical]),
        (Self::TokenBlocked, &[Severity::Critical]),
        (Self::TokenExpiring, &[Severity::Warning, Severity::Critical]),
        (Self::TokenExpiryOutdated, &[Severity::Warning]),
        (Self::TokenUnreadable, &[Severity::Critical]),
        (Self::PermissionLost, &[Severity::Warning, Severity::Critical]),
        (Self::PermissionMissing, &[Severity::Warning, Severity::Critical]),
        (Self::SecurityGroupRightLost, &[Severity::Warning]),
        (Self::SecurityGroupChanged, &[Severity::Warning]),
        (Self::GlobalAdminLost, &[Severity::Warning]),
        (Self::TenantUnreachable, &[Severity::Warning]),
        (Self::SyncroOutage, &[Severity::Critical]),
        (Self::MonitorThrottled, &[Severity::Warning]),
        (Self::MonitorImpaired, &[Severity::Critical]),
    ];

    /// The alert's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::TokenExpired => "TokenExpired",
            Self::TokenRejected => "TokenRejected",
            Self::TokenWrongAccount => "TokenWrongAccount",
            Self::TokenUserLockedOut => "TokenUserLockedOut",
            Self::TokenBlocked => "TokenBlocked",
            Self::TokenExpiring => "TokenExpiring",
            Self::TokenExpiryOutdated => "TokenExpiryOutdated",
            Self::TokenUnreadable => "TokenUnreadable",
            Self::PermissionLost => "PermissionLost",
            Self::PermissionMissing => "PermissionMissing",
            Self::SecurityGroupRightLost => "SecurityGroupRightLost",
            Self::SecurityGroupChanged => "SecurityGroupChanged",
            Self::GlobalAdminLost => "GlobalAdminLost",
            Self::TenantUnreachable => "TenantUnreachable",
            Self::SyncroOutage => "SyncroOutage",
            Self::MonitorThrottled => "MonitorThrottled",
            Self::MonitorImpaired => "MonitorImpaired",
            Self::TestAlert => "TestAlert",
        }
    }

    /// What the journal knows its lines by, for ever; `systemd/syncro-token-monitor.catalog` explains each.
    pub fn message_id(self) -> &'static str {
        match self {
            Self::TokenExpired => "103bd63c22665ebdb74a41db8ea632b7",
            Self::TokenRejected => "04c618a4ec5d5760993200fbb0b41167",
            Self::TokenWrongAccount => "2a1541c8e67952efae789c8eccaaa0cf",
            Self::TokenUserLockedOut => "298bed4492515b55979bd58cdf9db7aa",
            Self::TokenBlocked => "f26a748173dd5e40b431d4915b2b8205",
            Self::TokenExpiring => "91267b8921b852b7ab19d107abeaa2ec",
            Self::TokenExpiryOutdated => "399ff3479d0c541092e5fa096821fa02",
            Self::TokenUnreadable => "4980da99bc3954cea0ba8ca6e81ffa00",
            Self::PermissionLost => "1f53fe600b285b96b484d05a7e3e556f",
            Self::PermissionMissing => "b78fa25475e85733be9d885639e3d641",
            Self::SecurityGroupRightLost => "b8b49713590e5351a4afaf204af2d8cb",
            Self::SecurityGroupChanged => "8cd39345ba04551b9bb46e6df2e60fc4",
            Self::GlobalAdminLost => "57872b65cb3b5c949bd81c809cf54deb",
            Self::TenantUnreachable => "8996e37ecc7c5c5c9f71acd4878cc821",
            Self::SyncroOutage => "7ebd9d8c604c54dfa8143f9ed85a4fc2",
            Self::MonitorThrottled => "8cf62e3f08c54c05b44283340c630a6c",
            Self::MonitorImpaired => "3a7a0fbfb14d4226b31843469f11e662",
            Self::TestAlert => "01e32266163b522dbd42ecfcc900cbc1",
        }
    }

    /// Whether it speaks of what a token may do, and so is held while the token does not work.
    pub fn is_suppressed_while_not_valid(self) -> bool {
        matches!(
            self,
            Self::PermissionLost
                | Self::PermissionMissing
                | Self::SecurityGroupRightLost
                | Self::SecurityGroupChanged
                | Self::GlobalAdminLost
        )
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Something will break, or looks wrong.
    Warning,
    /// Something is broken.
    Critical,
}

impl Severity {
    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What identifies an alert, over restarts and reloads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertKey {
    /// Which alert.
    pub alert: Alert,
    /// Whom it is about.
    pub of: Scope,
    /// The permission or right, where there are several.
    pub subject: Option<String>,
}

impl fmt::Display for AlertKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tenant, token_name) = (self.of.tenant().unwrap_or_default(), self.of.token_name().unwrap_or_default());
        write!(formatter, "{}/{tenant}/{token_name}", self.alert.as_str())?;
        self.subject.iter().try_for_each(|subject| write!(formatter, "/{subject}"))
    }
}

/// An alert that fires, with what is needed to go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    /// Which alert.
    pub alert: Alert,
    /// The permission or right, where there are several.
    pub subject: Option<String>,
    /// How bad it is now.
    pub severity: Severity,
    /// Since when what it speaks of is so.
    pub since: DateTime<Utc>,
    /// When it was last told.
    #[serde(rename = "told_at")]
    pub notified_at: DateTime<Utc>,
    /// How many expiry notices have passed, for `TokenExpiring`.
    pub notices: usize,
    /// Whether the last notification was about every token of the security group that it named.
    #[serde(default = "represented")]
    pub represents_group: bool,
    /// What it said, so that its end can be told in the same words.
    #[serde(rename = "words")]
    pub message: Message,
}

impl Firing {
    /// Whether it is the same alert of the same token.
    pub fn is_same(&self, other: &Self) -> bool {
        self.alert == other.alert && self.subject == other.subject
    }
}

/// What fired before this was recorded was taken to be so.
fn represented() -> bool {
    true
}

/// What is told now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It began.
    Firing,
    /// It still is so.
    Reminder,
    /// It is over.
    Resolved,
}

impl Status {
    /// The word in log lines.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Reminder => "reminder",
            Self::Resolved => "resolved",
        }
    }
}

/// One thing to tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// What it is about.
    pub key: AlertKey,
    /// Beginning, still, or over.
    pub status: Status,
    /// How bad it is, or was.
    pub severity: Severity,
    /// Since when.
    pub since: DateTime<Utc>,
    /// In words.
    #[serde(rename = "words")]
    pub message: Message,
}
