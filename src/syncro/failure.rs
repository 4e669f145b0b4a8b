//! The reasons why a check gave no verdict. None of them says anything about a token.

use std::error::Error;
use std::fmt;
use std::io;

use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::system::trouble::{is_out_of_descriptors, machine_trouble};

/// The reason why there is no verdict, as the value of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, ToSchema, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Reason {
    /// No complete answer came in time.
    Timeout,
    /// The host's name does not resolve.
    Dns,
    /// There was no connection, or it was closed without an answer.
    Connect,
    /// There was no trusted connection.
    Tls,
    /// The server answered with a status from 500 to 599.
    #[serde(rename = "http_5xx")]
    #[strum(serialize = "http_5xx")]
    Http5xx,
    /// Syncro counts too many requests from this address.
    Throttled,
    /// Something answered that is not the Syncro API: a wrong host, a firewall, or a maintenance page.
    NotSyncro,
    /// The body was longer than the program reads.
    TooLarge,
    /// The answer was cut off or garbled.
    Malformed,
    /// This machine is short of something: descriptors, memory, disk, threads.
    Monitor,
}

impl Reason {
    /// Every reason, so that each has its time series from the start.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Whether the cause is on the daemon's own side, so that it says nothing about the other side.
    pub fn is_own(self) -> bool {
        matches!(self, Self::Monitor | Self::Throttled)
    }

    /// The value of the label.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A reason why there is no verdict, with a text for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The reason.
    pub reason: Reason,
    /// What happened, as a fragment that reads after a colon.
    pub detail: String,
}

impl Failure {
    /// A failure with this reason and this text.
    pub fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into() }
    }

    pub(super) fn too_large() -> Self {
        Self::new(Reason::TooLarge, "the answer is longer than 1 MiB")
    }

    /// The failure that is trouble of this machine; `error` is the system's text.
    pub(crate) fn of_monitor(error: &str) -> Self {
        Self::new(Reason::Monitor, format!("this machine is in trouble: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.detail, self.reason.as_str())
    }
}

/// Classifies an error of reqwest. The URL is taken off first, since the log line names the tenant already.
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
        // Without a descriptor, the resolver says that there is no such host, or that it does not answer.
        if reason == Reason::Dns && is_out_of_descriptors() {
            return Self::of_monitor("no file descriptor is left");
        }
        let detail = causes.last().map_or_else(|| error.to_string(), ToString::to_string);
        Self::new(reason, if reason == Reason::Timeout { "no answer in time".to_owned() } else { detail })
    }
}

/// Whether an error comes from TLS. An I/O error hides what it wraps from `source`, and may wrap another one.
fn is_tls(cause: &(dyn Error + 'static)) -> bool {
    cause.is::<rustls::Error>()
        || cause
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .is_some_and(|inner| is_tls(inner) || inner.source().is_some_and(is_tls))
}

/// Whether what arrived was not HTTP.
fn is_parse(cause: &(dyn Error + 'static)) -> bool {
    cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse)
}
