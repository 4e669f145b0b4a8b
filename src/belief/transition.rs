//! A change of a status, as the history has it. Values only.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use super::evidence::Evidence;

/// A change of a status, as the history has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// The kind of thing that changed.
    pub kind: TransitionKind,
    /// The name of the permission or the right that changed; `None` for all other kinds.
    pub subject: Option<String>,
    /// What was believed before.
    pub before: String,
    /// What is believed now.
    pub after: String,
    /// Since when that has been so, as it was first observed.
    pub since: DateTime<Utc>,
    /// The evidence of the change, for permissions.
    pub evidence: Option<Evidence>,
    /// The evidence in detail: the request and its answer, or the user's right.
    pub shown_by: Option<String>,
}

/// The kind of thing that a transition changed.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr, ToSchema, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TransitionKind {
    /// The state of the token.
    State,
    /// A permission was lost or came back.
    Permission,
    /// A right of the user was lost or came back.
    Right,
    /// Another user is behind the token: its value is of another user's token now.
    User,
    /// The user is in another security group.
    SecurityGroup,
    /// The user became a Global Admin, or is none any more.
    GlobalAdmin,
    /// The user is not in the list of the account's users any more, or is again.
    UserListed,
    /// Another token value is used: the token was rotated.
    Fingerprint,
    /// It is proven now, or not any more, that the next token can take the place of the one in use.
    NextToken,
    /// Syncro refuses the value that the token had before a switch, or lets it in again.
    FormerToken,
    /// The same token value has another name in the configuration.
    Name,
}

impl TransitionKind {
    /// Every kind, so that each has its series in the metrics.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The value of the label `kind`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}
