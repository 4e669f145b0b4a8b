//! Every alert that exists, and how bad it may be. Values only.

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;
use utoipa::ToSchema;

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
    /// The declared expiry of the token is near.
    TokenExpiring,
    /// The token still works after its declared expiry.
    TokenExpiryOutdated,
    /// There is no usable token value in the place where it should be.
    TokenUnreadable,
    /// The user may not use Syncro any more.
    #[serde(alias = "TokenUserLockedOut")]
    UserLockedOut,
    /// The user is not in the list of the account's users any more.
    UserDisabled,
    /// The user is in another security group, or is no longer a Global Admin.
    #[serde(alias = "SecurityGroupChanged", alias = "GlobalAdminLost")]
    UserChanged,
    /// A wanted permission was granted before and is missing now.
    PermissionLost,
    /// A wanted permission was missing at the first check.
    PermissionMissing,
    /// A right of the user in `/me` was taken away.
    SecurityGroupRightLost,
    /// The token sees far fewer customers than before.
    CustomersHidden,
    /// The account has another subdomain now.
    TenantRenamed,
    /// The tokens of a tenant are refused before they are read, perhaps by the IP allow-list.
    #[serde(alias = "TokenBlocked")]
    TenantBlocked,
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
    pub const ALL: [(Self, &'static [Severity]); 20] = [
        (Self::TokenExpired, &[Severity::Critical]),
        (Self::TokenRejected, &[Severity::Critical]),
        (Self::TokenRestricted, &[Severity::Critical]),
        (Self::TokenWrongAccount, &[Severity::Critical]),
        (Self::TokenExpiring, &[Severity::Warning, Severity::Critical]),
        (Self::TokenExpiryOutdated, &[Severity::Warning]),
        (Self::TokenUnreadable, &[Severity::Critical]),
        (Self::UserLockedOut, &[Severity::Critical]),
        (Self::UserDisabled, &[Severity::Warning]),
        (Self::UserChanged, &[Severity::Warning, Severity::Critical]),
        (Self::PermissionLost, &[Severity::Warning, Severity::Critical]),
        (Self::PermissionMissing, &[Severity::Warning, Severity::Critical]),
        (Self::SecurityGroupRightLost, &[Severity::Warning]),
        (Self::CustomersHidden, &[Severity::Warning]),
        (Self::TenantRenamed, &[Severity::Critical]),
        (Self::TenantBlocked, &[Severity::Critical]),
        (Self::TenantUnreachable, &[Severity::Warning, Severity::Critical]),
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
            Self::TokenExpiring => "91267b8921b852b7ab19d107abeaa2ec",
            Self::TokenExpiryOutdated => "399ff3479d0c541092e5fa096821fa02",
            Self::TokenUnreadable => "4980da99bc3954cea0ba8ca6e81ffa00",
            Self::UserLockedOut => "298bed4492515b55979bd58cdf9db7aa",
            Self::UserDisabled => "bc25dadb5764455980e1068b24f804bf",
            Self::UserChanged => "8cd39345ba04551b9bb46e6df2e60fc4",
            Self::PermissionLost => "1f53fe600b285b96b484d05a7e3e556f",
            Self::PermissionMissing => "b78fa25475e85733be9d885639e3d641",
            Self::SecurityGroupRightLost => "b8b49713590e5351a4afaf204af2d8cb",
            Self::CustomersHidden => "9397b35cfb2e454ebb40734d1a81a955",
            Self::TenantRenamed => "12342994662f469f8ff2ad71fbcc2dab",
            Self::TenantBlocked => "f26a748173dd5e40b431d4915b2b8205",
            Self::TenantUnreachable => "8996e37ecc7c5c5c9f71acd4878cc821",
            Self::SyncroOutage => "7ebd9d8c604c54dfa8143f9ed85a4fc2",
            Self::MonitorThrottled => "8cf62e3f08c54c05b44283340c630a6c",
            Self::MonitorImpaired => "3a7a0fbfb14d4226b31843469f11e662",
            Self::TestAlert => "01e32266163b522dbd42ecfcc900cbc1",
        }
    }

    /// The family of the alert: within it, one thing that is wrong with a token stands in one alert only.
    pub(crate) fn family(self) -> Family {
        match self {
            Self::TokenExpired
            | Self::TokenRejected
            | Self::TokenRestricted
            | Self::TokenWrongAccount
            | Self::TokenUnreadable
            | Self::UserLockedOut
            | Self::TenantRenamed
            | Self::TenantBlocked => Family::State,
            Self::PermissionLost | Self::PermissionMissing | Self::SecurityGroupRightLost | Self::UserChanged => {
                Family::Access
            }
            Self::TokenExpiring
            | Self::TokenExpiryOutdated
            | Self::UserDisabled
            | Self::CustomersHidden
            | Self::TenantUnreachable
            | Self::SyncroOutage
            | Self::MonitorThrottled
            | Self::MonitorImpaired
            | Self::TestAlert => Family::Single(self),
        }
    }

    /// Whether the alert is about what a token may do, and so is suppressed while the token does not work.
    pub(crate) fn is_suppressed_while_not_valid(self) -> bool {
        self.family() == Family::Access || matches!(self, Self::UserDisabled | Self::CustomersHidden)
    }

    /// Whether the alert is repeated every `remind_every`. An expiry has notices of its own.
    pub(crate) fn is_reminded(self) -> bool {
        self != Self::TokenExpiring
    }

    /// Whether the alert is about the monitor itself.
    pub(crate) fn is_of_monitor(self) -> bool {
        matches!(self, Self::MonitorThrottled | Self::MonitorImpaired)
    }
}

/// Alerts of which one takes the place of another about the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Family {
    /// The state of a token: it does not work.
    State,
    /// What a token may do.
    Access,
    /// An alert that shares nothing with others.
    Single(Alert),
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
