//! Why we could not look. None of these says anything about a token.

use std::error::Error;
use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};

use crate::system::trouble::{is_out_of_descriptors, machine_trouble};

/// Why there is no verdict, as a word for labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// No complete answer in time.
    Timeout,
    /// The host's name does not resolve.
    Dns,
    /// No connection, or it was closed without an answer.
    Connect,
    /// No trusted connection.
    Tls,
    /// The server says that it is in trouble.
    #[serde(rename = "http_5xx")]
    Http5xx,
    /// Too many requests from this address.
    Throttled,
    /// Something answered that is not the Syncro API: a wrong host, or maintenance.
    NotSyncro,
    /// The body was longer than is read.
    TooLarge,
    /// The answer was cut off or garbled.
    Malformed,
    /// Our own machine is short of something: descriptors, memory, disk, threads.
    Monitor,
}

impl Reason {
    /// Every reason, so that each has its series from the start.
    pub const ALL: [Self; 10] = [
        Self::Timeout,
        Self::Dns,
        Self::Connect,
        Self::Tls,
        Self::Http5xx,
        Self::Throttled,
        Self::NotSyncro,
        Self::TooLarge,
        Self::Malformed,
        Self::Monitor,
    ];

    /// Whether it is for our own sake that we could not look, so that it says nothing about the other side.
    pub fn is_own(self) -> bool {
        matches!(self, Self::Monitor | Self::Throttled)
    }

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Dns => "dns",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Http5xx => "http_5xx",
            Self::Throttled => "throttled",
            Self::NotSyncro => "not_syncro",
            Self::TooLarge => "too_large",
            Self::Malformed => "malformed",
            Self::Monitor => "monitor",
        }
    }
}

/// A reason, with a sentence for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The word.
    pub reason: Reason,
    /// The sentence: a fragment that reads after "could not look:".
    pub detail: String,
}

impl Failure {
    /// A failure with its reason and its sentence.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    pub(super) fn too_large() -> Self {
        Self::new(Reason::TooLarge, "the answer is longer than 1 MiB")
    }

    /// Trouble of our own machine, in the system's words.
    pub fn of_monitor(error: &str) -> Self {
        Self::new(Reason::Monitor, format!("this machine is in trouble: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.detail, self.reason.as_str())
    }
}

/// Names what reqwest says went wrong. The URL is taken off first: it is in the log line already, as the tenant.
impl From<reqwest::Error> for Failure {
    fn from(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if let Some(trouble) = machine_trouble(&error) {
            return Self::of_monitor(&trouble);
        }
        let causes: Vec<&(dyn Error + 'static)> =
            std::iter::successors(error.source(), |&cause| cause.source()).collect();
        let reason = if error.is_timeout() {
            Reason::Timeout
        } else if causes.iter().any(|cause| is_tls(*cause)) {
            Reason::Tls
        } else if causes.iter().any(|cause| cause.to_string().starts_with("dns error")) {
            Reason::Dns
        } else if error.is_body() || error.is_decode() || causes.iter().any(|cause| is_parse(*cause)) {
            Reason::Malformed
        } else {
            Reason::Connect
        };
        // The resolver says then that there is no such host, or that it does not answer.
        if reason == Reason::Dns && is_out_of_descriptors() {
            return Self::of_monitor("no file descriptor is left");
        }
        let detail = causes.last().map_or_else(|| error.to_string(), ToString::to_string);
        Self::new(reason, if reason == Reason::Timeout { "no answer in time".to_owned() } else { detail })
    }
}

/// An I/O error hides what it wraps from `source`, and may wrap another one.
fn is_tls(cause: &(dyn Error + 'static)) -> bool {
    cause.is::<rustls::Error>()
        || cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .is_some_and(|inner| is_tls(inner) || inner.source().is_some_and(is_tls))
}

/// What came was not HTTP.
fn is_parse(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse)
}
