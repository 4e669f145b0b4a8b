//! The transport of a request to Syncro and of an answer back: over HTTP, or in a simulation by a call.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures_util::future::BoxFuture;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};

use crate::catalog::Method;
use crate::system::trouble::{is_out_of_descriptors, lacking_address, with_a_thread};
use crate::system::{clock, http};

use super::classify::Answer;
use super::coding::unpacked;
use super::{Failure, TokenValue};

/// The longest body that is read, in bytes, unpacked. A list of one row or a user has a few KiB, and nothing that is
/// needed is longer than this.
const LONGEST_BODY: usize = 1024 * 1024;
/// How long an idle connection stays open: long enough to serve all requests of one check, and short enough not to have
/// thousands of connections.
const IDLE_CONNECTION: Duration = Duration::from_secs(10);

/// One request, ready to be sent.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// The method of the request.
    pub method: Method,
    /// The whole URL, with the query.
    pub url: String,
    /// The JSON body, where there is one.
    pub body: Option<&'a str>,
    /// The token value that authorizes it.
    pub token: &'a TokenValue,
}

/// One answer that was received.
#[derive(Debug)]
pub struct Received {
    /// The status and the body of the answer.
    pub answer: Answer,
    /// How long the server asks to wait before the next request, if it asks so.
    pub retry_after: Option<Duration>,
    /// When the server answered, by its own clock, if it says so.
    pub date: Option<DateTime<Utc>>,
}

/// A request without an answer: the status, if one arrived before the answer broke off, and the reason.
pub type Lost = (Option<u16>, Failure);

/// Sends requests. An implementation has a deadline of its own.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends `outgoing` and waits for the whole answer, or for as much of it as comes.
    ///
    /// # Errors
    /// The status, if one arrived, and the reason why no answer came.
    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Received, Lost>>;
}

/// The real transport, over HTTP.
#[derive(Debug)]
pub(super) struct Http {
    client: reqwest::Client,
    /// The local address from which it connects; the system chooses one where there is none.
    source_address: Option<IpAddr>,
}

impl Http {
    /// A transport whose requests take at most `timeout` each, and leave from this address.
    ///
    /// # Errors
    /// A text that reads after "failed to ", when no TLS client can be made, for example without any root certificate.
    pub(super) fn new(timeout: Duration, source_address: Option<IpAddr>) -> Result<Self, String> {
        let builder = http::client(timeout)?
            .local_address(source_address)
            .pool_idle_timeout(IDLE_CONNECTION)
            .pool_max_idle_per_host(2);
        let client = builder.build().map_err(|error| {
            let cause = http::innermost(&error);
            let hint = if cause.contains("certificates") { "; install the package ca-certificates" } else { "" };
            format!("make an HTTP client: {cause}{hint}")
        })?;
        // The loader of root certificates skips what it cannot open: with few of them, good servers would seem bad.
        if is_out_of_descriptors() {
            return Err("make an HTTP client: no file descriptor is left".to_owned());
        }
        Ok(Self { client, source_address })
    }
}

impl Http {
    /// Why there is no answer. A source address that this machine does not have is its own trouble.
    fn failure(&self, error: reqwest::Error) -> Failure {
        match (self.source_address, lacking_address(&error)) {
            (Some(address), Some(detail)) => Failure::of_monitor(&format!("no connection from {address}: {detail}")),
            _ => error.into(),
        }
    }
}

impl Transport for Http {
    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Received, Lost>> {
        Box::pin(async move {
            let verb = match outgoing.method {
                Method::Get => reqwest::Method::GET,
                Method::Post => reqwest::Method::POST,
                Method::Put => reqwest::Method::PUT,
                Method::Patch => reqwest::Method::PATCH,
                Method::Delete => reqwest::Method::DELETE,
            };
            let mut builder = self.client.request(verb, outgoing.url);
            builder = builder.header(AUTHORIZATION, outgoing.token.header()).header(ACCEPT, "application/json");
            // It is unpacked here, since libraries understand only one spelling of it.
            builder = builder.header(ACCEPT_ENCODING, "gzip");
            if let Some(body) = outgoing.body {
                let body = body.to_owned();
                builder = builder.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body);
            }
            // The resolver needs a thread.
            let sent = with_a_thread(builder.send()).await.map_err(|error| (None, Failure::of_monitor(&error)))?;
            let response = sent.map_err(|error| (None, self.failure(error)))?;
            let retry_after = http::retry_after(response.headers(), clock::now());
            let date = http::date(response.headers());
            Ok(Received { answer: read(response).await, retry_after, date })
        })
    }
}

/// Reads a body up to [`LONGEST_BODY`], which counts before and after it is unpacked. What breaks off is an answer too:
/// its status has arrived.
async fn read(mut response: reqwest::Response) -> Answer {
    let status = response.status().as_u16();
    let (mut packed, mut broken) = (Vec::new(), None);
    loop {
        match response.chunk().await {
            Ok(None) => break,
            Ok(Some(chunk)) if packed.len() + chunk.len() <= LONGEST_BODY => packed.extend_from_slice(&chunk),
            Ok(Some(_)) => broken = Some(Failure::too_large()),
            Err(error) => broken = Some(error.into()),
        }
        if broken.is_some() {
            break;
        }
    }
    let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
    let codings = response.headers().get_all(CONTENT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let (body, failure) = unpacked(codings, packed, LONGEST_BODY);
    let content_type = header(CONTENT_TYPE.as_str()).unwrap_or_default();
    Answer::new(status, content_type, body).broken(broken.or(failure)).with_challenger(header)
}
