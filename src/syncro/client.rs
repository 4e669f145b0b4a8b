//! The one HTTP client. It can send only what [`Request`] can say: `/me`, a user, and the catalogue's probes.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use tokio::time::Instant;

use crate::catalog::{Method, Probe};
use crate::config::{self, Tenant};
use crate::system::{clock, http};

use super::classify::Answer;
use super::{Asked, Budget, Failure, Instruments, Lane, Reason, TokenValue};

/// A list of one row or a user is a few KiB; nothing we need is longer than this, unpacked.
const LONGEST_BODY: usize = 1024 * 1024;
/// What public clients of Syncro wait when it does not say how long.
const PAUSE: Duration = Duration::from_secs(30);
/// A longer wish would blind the daemon.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);
/// Long enough to serve all requests of one look, short enough not to hold thousands of connections.
const IDLE_CONNECTION: Duration = Duration::from_secs(10);

/// Everything that Syncro can be asked.
#[derive(Debug, Clone, Copy)]
pub enum Request {
    /// Who is behind the token?
    Me,
    /// Which security group is that user in?
    User(u64),
    /// Is a permission held?
    Probe(&'static Probe),
}

/// The client; cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    budget: Arc<Budget>,
    instruments: Instruments,
}

impl Client {
    /// A client that asks as the configuration says.
    ///
    /// # Errors
    /// When no TLS client can be made, for example without any root certificate.
    pub fn new(config: &config::Syncro, budget: Arc<Budget>, instruments: Instruments) -> Result<Self, String> {
        let builder = http::client(config.timeout)?.pool_idle_timeout(IDLE_CONNECTION).pool_max_idle_per_host(2);
        let http = builder.build().map_err(|error| {
            let cause = http::innermost(&error);
            let hint = if cause.contains("certificates") { "; install the package ca-certificates" } else { "" };
            format!("make an HTTP client: {cause}{hint}")
        })?;
        Ok(Self { http, budget, instruments })
    }

    /// Sends one request when the budget lets it, and reads the answer as far as it is read at all; or tells why there is
    /// no answer. The daemon's other requests wait too if Syncro asks for it.
    pub async fn ask(
        &self,
        tenant: &Tenant,
        token: &TokenValue,
        request: Request,
        lane: Lane,
    ) -> (Asked, Result<Answer, Failure>) {
        let queued = Instant::now();
        self.budget.permit(lane).await;
        self.instruments.waited(queued.elapsed());
        let sent = Instant::now();
        let (method, outcome) = self.send(tenant, token, request).await;
        let (took, at) = (sent.elapsed(), clock::now());
        let status = outcome.as_ref().map_or_else(|(status, _)| *status, |(answer, _)| Some(answer.status));
        self.instruments.requested(method, status, Some(took));
        let answer = match outcome {
            Ok((answer, retry_after)) if answer.is_throttled() => {
                self.throttled(tenant, retry_after);
                Err(Failure::new(Reason::Throttled, "Syncro asks to send fewer requests"))
            }
            Ok((answer, _)) => Ok(answer),
            Err((_, failure)) => Err(failure),
        };
        let reason = answer.as_ref().err().map(|failure| failure.reason);
        (Asked { method, path: path(tenant, request), at, status, reason, took }, answer)
    }

    async fn send(
        &self,
        tenant: &Tenant,
        token: &TokenValue,
        request: Request,
    ) -> (Method, Result<(Answer, Option<Duration>), (Option<u16>, Failure)>) {
        let url = format!("{}{}", tenant.base_url, path(tenant, request));
        let (method, url, body) = match request {
            Request::Me | Request::User(_) => (Method::Get, url, None),
            Request::Probe(probe) => {
                let query = probe.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
                (probe.method(), format!("{url}{query}"), probe.body.clone())
            }
        };
        let verb = match method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Patch => reqwest::Method::PATCH,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut builder =
            self.http.request(verb, url).header(AUTHORIZATION, token.header()).header(ACCEPT, "application/json");
        if let Some(body) = body {
            builder = builder.header(CONTENT_TYPE, HeaderValue::from_static("application/json")).body(body);
        }
        let response = match builder.send().await {
            Ok(response) => response,
            Err(error) => return (method, Err((None, error.into()))),
        };
        let status = response.status().as_u16();
        let retry_after = http::retry_after(response.headers(), clock::now());
        (method, read(response).await.map(|answer| (answer, retry_after)).map_err(|failure| (Some(status), failure)))
    }

    fn throttled(&self, tenant: &Tenant, retry_after: Option<Duration>) {
        let pause = retry_after.unwrap_or(PAUSE).clamp(Duration::from_secs(1), LONGEST_PAUSE);
        self.instruments.throttled();
        self.budget.pause(pause);
        tracing::warn!(
            event = "throttled",
            tenant = tenant.name,
            pause_seconds = pause.as_secs(),
            "Syncro asks to send fewer requests; all requests wait for {} s",
            pause.as_secs()
        );
    }
}

/// What is asked of, below the tenant's base URL.
fn path(tenant: &Tenant, request: Request) -> Cow<'static, str> {
    match request {
        Request::Me => "/me".into(),
        Request::User(id) => format!("/users/{id}").into(),
        Request::Probe(probe) => tenant.path_of(probe),
    }
}

/// Reads a body up to [`LONGEST_BODY`], counted after decompression.
async fn read(mut response: reqwest::Response) -> Result<Answer, Failure> {
    let status = response.status().as_u16();
    let content_type =
        response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if body.len() + chunk.len() > LONGEST_BODY {
            return Err(Failure::new(Reason::TooLarge, "the answer is longer than 1 MiB"));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, content_type, body })
}
