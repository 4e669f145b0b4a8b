//! The metrics about the fleet by name: those whose series grow with it. Pure.

use strum::{IntoStaticStr, VariantArray};

/// A family of series about the fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(prefix = "syncro_", serialize_all = "snake_case")]
pub enum Metric {
    /// What is known of a token.
    TokenInfo,
    /// The number of the user behind a token.
    TokenUserInfo,
    /// How many customers a token sees.
    TokenCustomersVisible,
    /// The state of a token.
    TokenState,
    /// The declared expiry of a token.
    TokenExpiryTimestampSeconds,
    /// Whether a wanted permission is granted.
    TokenPermissionGranted,
    /// How many of the wanted permissions are granted.
    TokenPermissions,
    /// Whether the users of a security group have a right.
    SecurityGroupRight,
    /// When a token was last asked about.
    TokenLastCheckTimestampSeconds,
    /// When that last gave a verdict.
    TokenLastSuccessTimestampSeconds,
    /// Whether the alerts of a tenant are suppressed.
    TenantMaintenance,
    /// Whether this daemon watches a tenant.
    MonitorTenantOwned,
    /// How many alerts fire.
    AlertsFiring,
    /// How many of them somebody has taken on.
    AlertsAcknowledged,
    /// An alert that fires.
    Alert,
}

impl Metric {
    /// All of them.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Its name.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
