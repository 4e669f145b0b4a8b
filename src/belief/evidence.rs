//! What beliefs rest on: the kinds of evidence and their strength, and the causes with the rules that show them. Pure.

use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr};
use utoipa::ToSchema;

/// What shows the state of a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr, ToSchema)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Evidence {
    /// The answer to a request that needs the permission.
    Probe,
    /// The user's matching right in `/me`; which right matches is inferred, as the catalogue says.
    Right,
}

impl Evidence {
    /// The evidence as alerts spell it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// How strong the evidence of a belief is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, IntoStaticStr, ToSchema)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Strength {
    /// It suggests it; something else might explain it too.
    Indicated,
    /// Nothing else explains it.
    Shown,
}

/// The cause of a missing permission: which side lacks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, ToSchema)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Cause {
    /// The user lacks it, through the security group.
    SecurityGroup,
    /// The user lacks it since the user came to another security group, or ceased to be a Global Admin.
    User,
    /// The token lacks it, by the permissions that were ticked when it was made.
    Token,
    /// One of the two lacks it; which one is not known.
    Undetermined,
}

impl Cause {
    /// The cause as alerts spell it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A rule by which something is known of what a user may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, ToSchema)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Rule {
    /// The user is a Global Admin, whom nothing restricts (docs.syncromsp.com/security-group): shown.
    GlobalAdmin,
    /// Another token of the same user got through, so the user may: as strong as that answer.
    SameUser,
    /// The token of another user of the same security group got through: indicated, since a user may be in several groups.
    SameGroup,
    /// The user's right in `/me` that covers only this permission, or that is named for it: indicated, since which right
    /// covers which permission is inferred.
    Right,
    /// Every token of the user or the security group that had the permission lost it in the same round: indicated, since
    /// all of them may have been changed at once.
    LostTogether,
}

/// What the cause of a missing permission rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ground {
    /// How strong it is.
    pub strength: Strength,
    /// By which rule something is known of the user.
    pub rule: Rule,
}
