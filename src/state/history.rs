//! The history: which lines are asked for, and what one says. Pure.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// Which lines of the history are wished for.
#[derive(Debug, Clone, Default)]
pub struct HistoryQuery {
    /// Only this tenant.
    pub tenant: Option<String>,
    /// Only tokens of this name.
    pub token_name: Option<String>,
    /// Only what was settled then or later.
    pub since: Option<DateTime<Utc>>,
    /// Only what was settled before then.
    pub until: Option<DateTime<Utc>>,
    /// Only so many, the newest first.
    pub newest: Option<u32>,
}

/// One change of what was believed. Moments are texts such as `2026-11-23T10:00:00.123Z`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryLine {
    /// When it was settled.
    pub at: String,
    /// The tenant.
    pub tenant: String,
    /// The token.
    pub token_name: String,
    /// What kind of thing changed.
    pub kind: String,
    /// Which one, where there are several: a permission or a right.
    pub subject: Option<String>,
    /// What was believed before.
    pub before: String,
    /// What was believed after.
    pub after: String,
    /// When it was first seen.
    pub since: String,
    /// What showed it, for permissions.
    pub evidence: Option<String>,
    /// The same in words: the request and its answer, or the user's right.
    pub shown_by: Option<String>,
}
