//! The alerts of which an operator is notified: which ones exist, what identifies one, and when one fires, is reminded
//! of and resolves. Pure; knows no receiver. `rules` decides, `messages` explains.

mod conditions;
mod fleet_messages;
mod message;
mod messages;
mod monitor;
mod peers;
mod rules;
mod trouble;

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;
use utoipa::ToSchema;

use crate::model::Scope;

pub(crate) use message::Message;
pub use messages::{page, runbook};
pub(crate) use monitor::monitor_alerts;
pub(crate) use peers::Peer;
pub(crate) use rules::{Rules, Tenancy, fleet_alerts, next_change, retire, tenant_alerts, token_alerts};
pub(crate) use trouble::{Impaired, Throttled};

/// Every alert that exists; `docs/alerts.md` explains each to the operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, IntoStaticStr, ToSchema)]
#[schema(as = AlertName)]
pub enum Alert {
    /// The token is refused, and its declared expiry has come.
    TokenExpired,
    /// The token is refused before its declared expiry, or without one.
    TokenRejected,
    /// The token is refused as if it lacked a permission, which the request does not need.
    TokenRestricted,
    /// The token works, but on another account than its tenant's.
    TokenWrongAccount,
    /// The user of the token may not use Syncro any more.
    TokenUserLockedOut,
    /// The token is refused before it is checked, perhaps by the IP allow-list.
    TokenBlocked,
    /// The declared expiry of the token is near.
    TokenExpiring,
    /// The token still works after its declared expiry.
    TokenExpiryOutdated,
    /// There is no usable token value in the place where it should be.
    TokenUnreadable,
    /// A wanted permission was granted before and is missing now.
    PermissionLost,
    /// A wanted permission was missing at the first check.
    PermissionMissing,
    /// A right of the user in `/me` was taken away.
    SecurityGroupRightLost,
    /// The user of the token is in another security group now.
    SecurityGroupChanged,
    /// The user of the token is no longer a Global Admin.
    GlobalAdminLost,
    /// No check of any token of a tenant gives a verdict.
    TenantUnreachable,
    /// The tokens of most tenants turned bad alike, or most tenants fell silent together.
    SyncroOutage,
    /// Syncro has paused the requests of this monitor for long.
    MonitorThrottled,
    /// Trouble of the monitor's own machine prevents checks from giving a verdict.
    MonitorImpaired,
    /// Nothing is wrong: somebody tests whether notifications arrive.
    TestAlert,
}

impl Alert {
    /// Every alert that a fleet can raise, with the severities that it can have, so that each has its series in the
    /// metrics.
    pub const ALL: [(Self, &'static [Severity]); 18] = [
        (Self::TokenExpired, &[Severity::Critical]),
        (Self::TokenRejected, &[Severity::Critical]),
        (Self::TokenRestricted, &[Severity::Critical]),
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

    /// The name of the alert, as receivers, metrics and documents spell it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The `MESSAGE_ID` of the alert's lines in the journal, which never changes;
    /// `systemd/syncro-token-monitor.catalog` explains each.
    pub fn message_id(self) -> &'static str {
        match self {
            Self::TokenExpired => "103bd63c22665ebdb74a41db8ea632b7",
            Self::TokenRejected => "04c618a4ec5d5760993200fbb0b41167",
            Self::TokenRestricted => "75ad977a27165a3d9b6cf6aec282be72",
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

    /// Whether the alert is about what a token may do, and so is suppressed while the token does not work.
    pub(crate) fn is_suppressed_while_not_valid(self) -> bool {
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

/// How bad an alert is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, IntoStaticStr, ToSchema)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Severity {
    /// Something will break, or is probably wrong.
    Warning,
    /// Something is broken already.
    Critical,
}

impl Severity {
    /// The value of the label `severity`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The identity of an alert, which stays the same over restarts and reloads.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertKey {
    /// The kind of the alert.
    pub alert: Alert,
    /// The scope of the alert: whom it is about.
    pub of: Scope,
    /// The permission or the right that is missing, where one token can have several alerts of the kind.
    pub subject: Option<String>,
}

impl fmt::Display for AlertKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (tenant, token_name) = (self.of.tenant().unwrap_or_default(), self.of.token_name().unwrap_or_default());
        write!(formatter, "{}/{tenant}/{token_name}", self.alert.as_str())?;
        self.subject.iter().try_for_each(|subject| write!(formatter, "/{subject}"))
    }
}

/// An alert that fires, with all that is needed to go on after a restart.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    /// The kind of the alert.
    pub alert: Alert,
    /// The permission or the right that is missing, where one token can have several alerts of the kind.
    pub subject: Option<String>,
    /// How bad it is now.
    pub severity: Severity,
    /// Since when the condition has existed.
    pub since: DateTime<Utc>,
    /// When the last notification about it was made.
    #[serde(rename = "told_at")]
    pub notified_at: DateTime<Utc>,
    /// How many of the configured expiry notices have passed; 0 for all alerts but `TokenExpiring`.
    pub notices: usize,
    /// Whether the last notification was about every token of the security group that it named.
    #[serde(default = "represented")]
    pub represents_group: bool,
    /// The last message, so that the notification that resolves the alert can repeat it.
    #[serde(rename = "words")]
    pub message: Message,
}

impl Firing {
    /// Whether it is the same alert of the same token.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.alert == other.alert && self.subject == other.subject
    }
}

/// The default for an alert that fired before this was recorded: it was taken to represent its group.
fn represented() -> bool {
    true
}

/// The status that a notification reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Status {
    /// The alert began to fire.
    Firing,
    /// The alert still fires: it is repeated in time, or has become worse.
    Reminder,
    /// The alert is over.
    Resolved,
}

impl Status {
    /// The status as log lines and receivers spell it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One message about an alert, for every receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notification {
    /// The identity of the alert.
    pub key: AlertKey,
    /// Whether the alert begins, still fires, or is over.
    pub status: Status,
    /// How bad the alert is, or was until it was resolved.
    pub severity: Severity,
    /// Since when the condition has existed.
    pub since: DateTime<Utc>,
    /// What a human is to read.
    #[serde(rename = "words")]
    pub message: Message,
}
