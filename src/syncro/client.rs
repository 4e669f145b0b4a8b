//! Asks Syncro, within the budget. It can send only what [`Request`] can say: `/me`, a user, and the catalogue's probes.
//! How a request travels is the matter of a [`Transport`], where a token value comes from that of [`Values`].

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::catalog::{Method, Probe};
use crate::config::{self, Tenant, TokenSource};
use crate::system::clock;

use super::classify::Answer;
use super::transport::{Http, Outgoing, Received, Transport};
use super::values::{Stored, Values};
use super::{Asked, Budget, Failure, Instruments, Lane, Reason, TokenValue, Unreadable};

/// What public clients of Syncro wait when it does not say how long.
const PAUSE: Duration = Duration::from_secs(30);
/// A longer wish would blind the daemon.
const LONGEST_PAUSE: Duration = Duration::from_hours(1);

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
        Self { transport, values, budget, instruments }
    }

    /// Reads a token value afresh.
    ///
    /// # Errors
    /// Why there is no usable value.
    pub async fn value(&self, source: &TokenSource) -> Result<TokenValue, Unreadable> {
        self.values.read(source).await
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
        let outgoing = outgoing(tenant, token, request);
        let method = outgoing.method;
        let outcome = self.transport.send(outgoing).await;
        let (took, at) = (sent.elapsed(), clock::now());
        let status = outcome.as_ref().map_or_else(|(status, _)| *status, |received| Some(received.answer.status));
        self.instruments.requested(method, status, Some(took));
        let answer = match outcome {
            Ok(Received { answer, retry_after }) if answer.is_throttled() => {
                self.throttled(tenant, retry_after);
                Err(Failure::new(Reason::Throttled, "Syncro asks to send fewer requests"))
            }
            Ok(Received { answer, .. }) => Ok(answer),
            Err((_, failure)) => Err(failure),
        };
        let reason = answer.as_ref().err().map(|failure| failure.reason);
        (Asked { method, path: path(tenant, request), at, status, reason, took }, answer)
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
