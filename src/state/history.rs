//! The history: which of its lines are requested, and what a line says. Pure.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};
use utoipa::ToSchema;

use crate::belief::{Evidence, TransitionKind};
use crate::model::{Token, TokenId};

/// Which lines of the history are requested. A field that is `None` excludes nothing.
#[derive(Debug, Clone, Default)]
pub struct HistoryQuery {
    /// Only the lines of this tenant.
    pub tenant: Option<String>,
    /// Only the lines of tokens with this name.
    pub token_name: Option<String>,
    /// Only changes that were settled at this moment or later.
    pub since: Option<DateTime<Utc>>,
    /// Only changes that were settled before this moment.
    pub until: Option<DateTime<Utc>>,
    /// Only what comes after the line of this number where the newest is first: the next page.
    pub before: Option<i64>,
    /// Only so many lines, the newest first.
    pub newest: Option<u32>,
}

impl HistoryQuery {
    /// So many lines of a token at most since a moment, the newest first.
    pub(crate) fn newest_of(token: &Token, since: DateTime<Utc>, newest: u32) -> Self {
        let TokenId { tenant, token_name } = token.id();
        let (tenant, token_name) = (Some(tenant), Some(token_name));
        Self { tenant, token_name, since: Some(since), newest: Some(newest), ..Self::default() }
    }
}

/// One change of what was believed, as the store and the API have it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Transition)]
pub struct HistoryLine {
    /// The number of the change.
    pub id: i64,
    /// When the change was settled.
    #[serde(serialize_with = "to_milliseconds")]
    pub at: DateTime<Utc>,
    /// The name of the tenant.
    pub tenant: String,
    /// The name of the token.
    pub token_name: String,
    /// What kind of thing changed: the state, a permission, a right.
    pub kind: TransitionKind,
    /// Which one changed, where there are several: the name of a permission or of a right.
    #[schema(required)]
    pub subject: Option<String>,
    /// What was believed before: a state, the state of a permission, or a name, by the kind.
    pub before: String,
    /// What was believed after.
    pub after: String,
    /// When the new value was first observed.
    #[serde(serialize_with = "to_milliseconds")]
    pub since: DateTime<Utc>,
    /// The kind of evidence, for permissions.
    #[schema(required)]
    pub evidence: Option<Evidence>,
    /// The evidence as a text: the request and its answer, or the user's right.
    #[schema(required)]
    pub shown_by: Option<String>,
}

/// A moment as the store and the API have it, such as `2026-11-23T10:00:00.123Z`: all are of one length, so that texts sort
/// as moments do.
pub(crate) fn in_milliseconds(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn to_milliseconds<S: Serializer>(moment: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&in_milliseconds(*moment))
}
