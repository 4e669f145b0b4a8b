//! What prevents the monitor from checking: pauses that Syncro asks for, and trouble of its own machine. Values only.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

/// The requests to a host are paused because Syncro asks to send fewer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Throttled {
    /// Since when they have been paused, with hardly a request between the pauses.
    pub since: DateTime<Utc>,
    /// The host to which no request is sent.
    pub host: String,
    /// The source address from which none is sent; `None` where the system chooses it.
    pub source_address: Option<IpAddr>,
}

/// Trouble of the monitor's own machine prevents checks from giving a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Impaired {
    /// Since when the first of these checks failed.
    pub since: DateTime<Utc>,
    /// The number of tokens whose last check failed for this reason.
    pub tokens: usize,
    /// The last error of the operating system; empty if it is not known.
    pub detail: String,
}
