//! What keeps the monitor from checking anything: pauses that Syncro asks for, and trouble of its own machine. Values only.

use chrono::{DateTime, Utc};

/// Requests are paused because Syncro asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttled {
    /// Since when, with hardly a request between pauses.
    pub since: DateTime<Utc>,
    /// Whom no request is sent to.
    pub host: String,
}

/// Trouble of our own machine keeps checks from saying anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impaired {
    /// Since when.
    pub since: DateTime<Utc>,
    /// Of how many tokens the last check failed by it.
    pub tokens: usize,
    /// What the system said last, if it is known.
    pub detail: String,
}
