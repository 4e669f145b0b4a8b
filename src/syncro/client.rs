//! Asks Syncro, within the budget. It can send only what [`Request`] can say: `/me`, a user, and the catalogue's probes.
//! How a request travels is the matter of a [`Transport`], where a token value comes from that of [`Values`].

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::catalog::{Method, Probe};
use crate::config::{self};
use crate::model::{Tenant, TokenSource};
use crate::system::clock;

use super::classify::Answer;
use super::pause::{Host, LONGEST_PAUSE, Why};
use super::transport::{Http, Outgoing, Received, Transport};
use super::values::{Stored, Values};
use super::{Asked, Budget, Failure, Instruments, Lane, Pause, Reason, TokenValue, Unreadable};

/// What public clients of Syncro wait when it does not say how long.
const PAUSE: Duration = Duration::from_secs(30);
/// A pause as short as this is waited for in place; during a longer one others make better use of the place.
const PATIENCE: Duration = Duration::from_secs(10);

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
    transport: Arc<dyn Transport>,
    values: Arc<dyn Values>,
    budget: Arc<Budget>,
    instruments: Instruments,
    /// How long a pause may go on for a request to wait for its end.
    patience: Duration,
}

impl Client {
    /// A client that asks over HTTP as the configuration says, and reads token values where it says.
    ///
    /// # Errors
    /// When no TLS client can be made, for example without any root certificate.
    pub fn new(config: &config::Syncro, budget: Arc<Budget>, instruments: Instruments) -> Result<Self, String> {
        Ok(Self::over(Arc::new(Http::new(config.timeout)?), Arc::new(Stored), budget, instruments))
    }

    /// A client over any transport and any source of token values.
    pub fn over(
        transport: Arc<dyn Transport>,
        values: Arc<dyn Values>,
        budget: Arc<Budget>,
        instruments: Instruments,
    ) -> Self {
        Self { transport, values, budget, instruments, patience: PATIENCE }
    }

    /// Reads a token value afresh.
    ///
    /// # Errors
    /// Why there is no usable value.
    pub async fn value(&self, source: &TokenSource) -> Result<TokenValue, Unreadable> {
        self.values.read(source).await
    }

    /// Waits for the end of every pause, as a command does that has nothing else to do.
    #[must_use]
    pub fn patient(self) -> Self {
        Self { patience: LONGEST_PAUSE, ..self }
    }

    /// Every pause after which requests do not flow again yet.
    pub fn pauses(&self, now: DateTime<Utc>) -> Vec<Pause> {
        self.budget.pauses(now)
    }

    /// Sends one request when the budget lets it, and reads the answer as far as it is read at all; or tells why there is
    /// no answer. The daemon's other requests wait too if Syncro asks for it. Nothing was asked if a pause holds it up.
    pub async fn ask(
        &self,
        tenant: &Tenant,
        token: &TokenValue,
        request: Request,
        lane: Lane,
    ) -> (Option<Asked>, Result<Answer, Failure>) {
        let (host, queued) = (Host::of(&tenant.base_url), Instant::now());
        let permitted = self.budget.permit(&host, lane, self.patience).await;
        self.instruments.waited(queued.elapsed());
        if let Err(reason) = permitted {
            return (None, Err(Failure::new(reason, "not asked: the server wishes for a pause, which goes on")));
        }
        let sent = Instant::now();
        let outgoing = outgoing(tenant, token, request);
        let method = outgoing.method;
        let outcome = self.transport.send(outgoing).await;
        let (took, at) = (sent.elapsed(), clock::now());
        let status = outcome.as_ref().map_or_else(|(status, _)| *status, |received| Some(received.answer.status));
        self.instruments.requested(method, status, Some(took));
        let answer = match outcome {
            Ok(received) => self.received(tenant, &host, received),
            Err((_, failure)) => Err(failure),
        };
        let reads_body = !matches!(request, Request::Probe(_));
        let failure = answer.as_ref().map_or_else(Some, |answer| answer.cut().filter(|_| reads_body));
        let reason = failure.map(|failure| failure.reason);
        (Some(Asked { method, path: path(tenant, request), at, status, reason, took }), answer)
    }

    /// Obeys what an answer wishes besides what it says.
    fn received(&self, tenant: &Tenant, host: &Host, received: Received) -> Result<Answer, Failure> {
        let Received { answer, retry_after } = received;
        if answer.is_throttled() {
            self.throttled(tenant, host, retry_after);
            // Whoever stands in front may answer 429 too.
            let failure = answer.challenge();
            return Err(
                failure.unwrap_or_else(|| Failure::new(Reason::Throttled, "Syncro asks to send fewer requests"))
            );
        }
        match retry_after.filter(|_| answer.status == 503) {
            Some(query) => self.unavailable(tenant, host, query),
            None => self.budget.answered(host),
        }
        Ok(answer)
    }

    fn throttled(&self, tenant: &Tenant, host: &Host, retry_after: Option<Duration>) {
        let pause = self.budget.pause(host, Why::Throttled, retry_after.unwrap_or(PAUSE));
        self.instruments.throttled(clock::now() + pause);
        tracing::warn!(
            event = "throttled",
            tenant = tenant.name,
            pause_seconds = pause.as_secs(),
            "Syncro asks to send fewer requests; all requests to it wait for {} s",
            pause.as_secs()
        );
    }

    fn unavailable(&self, tenant: &Tenant, host: &Host, query: Duration) {
        let pause = self.budget.pause(host, Why::Unavailable, query);
        tracing::warn!(
            event = "unavailable",
            tenant = tenant.name,
            pause_seconds = pause.as_secs(),
            "the server of tenant `{}` answered 503 and asks for patience; requests to it wait for {} s",
            tenant.name,
            pause.as_secs()
        );
    }
}

fn outgoing<'a>(tenant: &Tenant, token: &'a TokenValue, request: Request) -> Outgoing<'a> {
    let url = format!("{}{}", tenant.base_url, path(tenant, request));
    match request {
        Request::Me | Request::User(_) => Outgoing { method: Method::Get, url, body: None, token },
        Request::Probe(probe) => {
            let query = probe.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
            Outgoing { method: probe.method(), url: format!("{url}{query}"), body: probe.body.as_deref(), token }
        }
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
