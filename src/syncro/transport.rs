//! How a request travels to Syncro and an answer back: over HTTP, or in a simulation by a call.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONTENT_ENCODING, CONTENT_TYPE, HeaderValue};

use crate::catalog::Method;
use crate::system::trouble::{is_out_of_descriptors, with_a_thread};
use crate::system::{clock, http};

use super::classify::Answer;
use super::coding::unpacked;
use super::{Failure, TokenValue};

/// A list of one row or a user is a few KiB; nothing we need is longer than this, unpacked.
const LONGEST_BODY: usize = 1024 * 1024;
/// Long enough to serve all requests of one check, short enough not to hold thousands of connections.
const IDLE_CONNECTION: Duration = Duration::from_secs(10);

/// One request, ready to travel.
#[derive(Debug)]
pub struct Outgoing<'a> {
    /// How it asks.
    pub method: Method,
    /// The whole address, query included.
    pub url: String,
    /// A JSON body, where there is one.
    pub body: Option<&'a str>,
    /// The token value that it shows.
    pub token: &'a TokenValue,
}

/// One answer that arrived.
#[derive(Debug)]
pub struct Received {
    /// Its status and its body.
    pub answer: Answer,
    /// How long the server asks to be left alone.
    pub retry_after: Option<Duration>,
}

/// No answer: the status, if one arrived before it broke off, and why.
pub type Lost = (Option<u16>, Failure);

/// Carries one request. It has a deadline of its own.
pub trait Transport: fmt::Debug + Send + Sync {
    /// Sends `outgoing` and waits for the whole answer, or for as much of it as comes.
    ///
    /// # Errors
    /// Why no answer came.
    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Received, Lost>>;
}

/// The real one.
#[derive(Debug)]
pub(super) struct Http(reqwest::Client);

impl Http {
    /// A transport whose requests take at most `timeout` each.
    ///
    /// # Errors
    /// When no TLS client can be made, for example without any root certificate.
    pub(super) fn new(timeout: Duration) -> Result<Self, String> {
        let builder = http::client(timeout)?.pool_idle_timeout(IDLE_CONNECTION).pool_max_idle_per_host(2);
        let client = builder.build().map_err(|error| {
            let cause = http::innermost(&error);
            let hint = if cause.contains("certificates") { "; install the package ca-certificates" } else { "" };
            format!("make an HTTP client: {cause}{hint}")
        })?;
        // The loader of root certificates passes over what it cannot open: few of them would look like bad servers.
        if is_out_of_descriptors() {
            return Err("make an HTTP client: no file descriptor is left".to_owned());
        }
        Ok(Self(client))
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
            let mut builder = self.0.request(verb, outgoing.url);
            builder = builder.header(AUTHORIZATION, outgoing.token.header()).header(ACCEPT, "application/json");
            // Unpacked here, since libraries know only one spelling of it.
            builder = builder.header(ACCEPT_ENCODING, "gzip");
            if let Some(body) = outgoing.body {
                let body = body.to_owned();
                builder = builder.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body);
            }
            // The resolver needs a thread.
            let sent = with_a_thread(builder.send()).await.map_err(|error| (None, Failure::of_monitor(&error)))?;
            let response = sent.map_err(|error| (None, error.into()))?;
            let retry_after = http::retry_after(response.headers(), clock::now());
            Ok(Received { answer: read(response).await, retry_after })
        })
    }
}

/// Reads a body up to [`LONGEST_BODY`], which counts before and after it is unpacked. What breaks off is an answer too: its
/// status has arrived.
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
    Answer::new(status, content_type, body).broken(broken.or(failure)).signed(header)
}
