//! The client of the Syncro API, which stays within the budget. It can send only what [`Request`] names: `/me`, a user,
//! and the catalogue's probes. A [`Route`] sends a request, and [`Values`] reads a token value.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use crate::catalog::{Method, Probe};
use crate::model::{Tenant, TokenSource};
use crate::system::clock;

use super::classify::Answer;
use super::pause::{Host, LONGEST_PAUSE, PauseCause};
use super::routes::{Route, Routes};
use super::server_clock::ServerClock;
use super::transport::{Http, Outgoing, Received};
use super::values::{RealValues, Values};
use super::{
    Asked, Budget, CheckLane, FailingAddress, Failure, Instruments, Pause, Reason, SourceAddress, TokenValue,
    Unreadable,
};

/// How long a pause lasts when Syncro does not say so, as in public clients of Syncro.
const PAUSE: Duration = Duration::from_secs(30);
/// A request waits for the end of a pause as short as this; during a longer one, other checks make better use of its
/// slot.
const PATIENCE: Duration = Duration::from_secs(10);

/// Every request that the program can send to Syncro.
#[derive(Debug, Clone, Copy)]
pub enum Request {
    /// `GET /me`: the user to whom the token belongs, and whether the token works.
    Me,
    /// `GET /users/{id}`: the security group of the user with this number.
    User(u64),
    /// `GET /users`: this page of the list of users, from 1 on.
    Users(u64),
    /// A request of the catalogue that shows whether a permission is granted.
    Probe(&'static Probe),
    /// The same read for the record with this number in place of record 0.
    Record(&'static Probe, u64),
    /// The same read about the user with this number.
    OfUser(&'static Probe, u64),
}

/// A record of what was asked, and what came of it.
type Outcome = (Option<Asked>, Result<Answer, Failure>);

/// The client of the Syncro API; cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    routes: Routes,
    values: Arc<dyn Values>,
    instruments: Instruments,
    /// How long a pause may last for a request to wait for its end.
    patience: Duration,
    clock: Arc<ServerClock>,
    /// The base URLs of the accounts at which a write succeeded, though it named a record that does not exist.
    written: Arc<Mutex<BTreeSet<String>>>,
}

impl Client {
    /// A client that sends requests over HTTP from each of these addresses, and reads token values from their configured
    /// sources.
    ///
    /// # Errors
    /// A text that reads after "failed to ", when no TLS client can be made, for example without any root certificate.
    pub(crate) fn new(
        timeout: Duration,
        sources: &[Arc<SourceAddress>],
        instruments: Instruments,
    ) -> Result<Self, String> {
        let route = |source: &Arc<SourceAddress>| -> Result<Route, String> {
            Ok(Route { source: Arc::clone(source), transport: Arc::new(Http::new(timeout, source.address())?) })
        };
        let routes: Result<Vec<_>, _> = sources.iter().map(route).collect();
        Ok(Self::over(routes?, Arc::new(RealValues), instruments))
    }

    /// A client by any routes and with any source of token values.
    pub fn over(routes: Vec<Route>, values: Arc<dyn Values>, instruments: Instruments) -> Self {
        Self {
            routes: Routes(routes.into()),
            values,
            instruments,
            patience: PATIENCE,
            clock: Arc::default(),
            written: Arc::default(),
        }
    }

    /// Whether a write to record 0 may be sent to this tenant: not once any has succeeded there since the start.
    pub(crate) fn may_write(&self, tenant: &Tenant) -> bool {
        !self.written.lock().unwrap_or_else(PoisonError::into_inner).contains(&tenant.base_url)
    }

    /// Reads a token value afresh.
    ///
    /// # Errors
    /// Why the source has no usable value.
    pub async fn value(&self, source: &TokenSource) -> Result<TokenValue, Unreadable> {
        self.values.read(source).await
    }

    /// The same client, waiting for the end of every pause, for a command that has nothing else to do.
    #[must_use]
    pub(crate) fn patient(self) -> Self {
        Self { patience: LONGEST_PAUSE, ..self }
    }

    /// By how much Syncro's clock is ahead of ours, if they differ by more than two minutes.
    pub(crate) fn clock_difference(&self) -> Option<TimeDelta> {
        self.clock.difference()
    }

    /// Every pause after which requests do not flow again yet.
    pub fn pauses(&self, now: DateTime<Utc>) -> Vec<Pause> {
        self.routes.pauses(now)
    }

    /// The source addresses that fail.
    pub(crate) fn failing(&self) -> Vec<FailingAddress> {
        self.routes.failing()
    }

    /// Sends one request when the budget permits it, and returns a record of it with the answer, or with the reason why
    /// there is no answer. The daemon's other requests wait too if Syncro asks for it. There is no record if the
    /// request was not sent because of a pause.
    ///
    /// A read that nobody answers is sent once more from another source address, where there is one: whether that is answered
    /// shows whose trouble it is.
    pub async fn ask(&self, tenant: &Tenant, token: &TokenValue, request: Request, lane: CheckLane) -> Outcome {
        let (first, second) = self.routes.of(&tenant.name);
        let asked = self.ask_by(first, tenant, token, request, lane).await;
        if is_answered(&asked) {
            return asked;
        }
        let second = second.filter(|second| is_unanswered_read(&asked) && first.source.is_doubtful(&second.source));
        let Some(second) = second else { return asked };
        let again = self.ask_by(second, tenant, token, request, lane).await;
        let is_answered = is_answered(&again);
        first.source.compared(&second.source, is_answered);
        self.instruments.source(&first.source, 0);
        if is_answered { again } else { asked }
    }

    async fn ask_by(
        &self,
        Route { source, transport }: &Route,
        tenant: &Tenant,
        token: &TokenValue,
        request: Request,
        lane: CheckLane,
    ) -> Outcome {
        let (host, queued) = (Host::of(&tenant.base_url), Instant::now());
        let budget = source.budget();
        let permitted = budget.permit(&host, lane, self.patience).await;
        self.instruments.waited(queued.elapsed());
        if let Err(reason) = permitted {
            return (None, Err(Failure::new(reason, "not asked: the server asked for a pause, which has not ended")));
        }
        let sent = Instant::now();
        let outgoing = outgoing(tenant, token, request);
        let method = outgoing.method;
        let outcome = transport.send(outgoing).await;
        let (took, at) = (sent.elapsed(), clock::now());
        let status = outcome.as_ref().map_or_else(|(status, _)| *status, |received| Some(received.answer.status));
        if status.is_some() {
            source.answered();
        }
        self.instruments.source(source, 1);
        self.instruments.requested(method, status, Some(took));
        if method != Method::Get && status.is_some_and(|status| (200..300).contains(&status)) {
            self.write_succeeded(tenant, method, request, status);
        }
        let answer = match outcome {
            Ok(received) => self.received(budget, tenant, &host, received).await,
            Err((_, failure)) => Err(failure),
        };
        let reads_body = match request {
            Request::Me | Request::User(_) | Request::Users(_) | Request::OfUser(..) => true,
            Request::Probe(probe) => probe.shown_in_body.is_some(),
            Request::Record(..) => false,
        };
        let failure = answer.as_ref().map_or_else(Some, |answer| answer.body_failure().filter(|_| reads_body));
        let reason = failure.map(|failure| failure.reason);
        (Some(Asked { method, path: path(tenant, request), at, status, reason, took }), answer)
    }

    /// A write to a record that cannot exist was not refused: whatever it did, no other one is sent to this tenant.
    fn write_succeeded(&self, tenant: &Tenant, method: Method, request: Request, status: Option<u16>) {
        self.written.lock().unwrap_or_else(PoisonError::into_inner).insert(tenant.base_url.clone());
        let (method, path) = (method.as_str(), path(tenant, request));
        tracing::error!(
            event = "write_succeeded",
            tenant = tenant.name,
            method,
            path = &*path,
            status,
            "{method} {path} of tenant `{}` should have found no record, but succeeded: see there whether anything changed; \
            no write is sent to this tenant any more until the next start",
            tenant.name
        );
    }

    /// Starts the pause that an answer asks for, if it asks for one.
    async fn received(
        &self,
        budget: &Budget,
        tenant: &Tenant,
        host: &Host,
        received: Received,
    ) -> Result<Answer, Failure> {
        let Received { answer, retry_after, date } = received;
        // The clock of a firewall in front says nothing.
        if let Some(date) = date.filter(|_| answer.challenge().is_none()) {
            self.instruments.clock_offset(self.clock.observe(date, clock::now()));
        }
        if answer.is_throttled() {
            self.throttled(budget, tenant, host, retry_after).await;
            // A firewall in front of Syncro may answer 429 too.
            let failure = answer.challenge();
            return Err(
                failure.unwrap_or_else(|| Failure::new(Reason::Throttled, "Syncro asks to send fewer requests"))
            );
        }
        match retry_after.filter(|_| answer.status == 503) {
            Some(requested) => unavailable(budget, tenant, host, requested),
            None => budget.answered(host),
        }
        Ok(answer)
    }

    async fn throttled(&self, budget: &Budget, tenant: &Tenant, host: &Host, retry_after: Option<Duration>) {
        let pause = budget.pause(host, PauseCause::Throttled, retry_after.unwrap_or(PAUSE));
        self.instruments.throttled(clock::now() + pause);
        tracing::warn!(
            event = "throttled",
            tenant = tenant.name,
            pause_seconds = pause.as_secs(),
            "Syncro asks to send fewer requests; all requests to it wait for {} s",
            pause.as_secs()
        );
        budget.share_pause(host, pause).await;
    }
}

fn unavailable(budget: &Budget, tenant: &Tenant, host: &Host, requested: Duration) {
    let pause = budget.pause(host, PauseCause::Unavailable, requested);
    tracing::warn!(
        event = "unavailable",
        tenant = tenant.name,
        pause_seconds = pause.as_secs(),
        "the server of tenant `{}` answered 503 and asks for patience; requests to it wait for {} s",
        tenant.name,
        pause.as_secs()
    );
}

/// Whether anything was answered.
fn is_answered((asked, _): &Outcome) -> bool {
    asked.as_ref().is_some_and(|asked| asked.status.is_some())
}

/// Whether a request was sent that changes nothing, and did not get through.
fn is_unanswered_read((asked, outcome): &Outcome) -> bool {
    let is_read = asked.as_ref().is_some_and(|asked| asked.method == Method::Get && asked.status.is_none());
    let is_lost =
        |failure: &Failure| matches!(failure.reason, Reason::Timeout | Reason::Connect | Reason::Tls | Reason::Monitor);
    is_read && outcome.as_ref().err().is_some_and(is_lost)
}

fn outgoing<'a>(tenant: &Tenant, token: &'a TokenValue, request: Request) -> Outgoing<'a> {
    let url = format!("{}{}", tenant.base_url, path(tenant, request));
    let read = |url| Outgoing { method: Method::Get, url, body: None, token };
    match request {
        Request::Me | Request::User(_) | Request::Users(1) | Request::Record(..) => read(url),
        Request::Users(page) => read(format!("{url}?page={page}")),
        Request::OfUser(_, user) => read(format!("{url}?user_id={user}")),
        Request::Probe(probe) => {
            let query = probe.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
            Outgoing { method: probe.method(), url: format!("{url}{query}"), body: probe.body.as_deref(), token }
        }
    }
}

/// The path of a request, below the tenant's base URL.
fn path(tenant: &Tenant, request: Request) -> Cow<'static, str> {
    match request {
        Request::Me => "/me".into(),
        Request::User(id) => format!("/users/{id}").into(),
        Request::Users(_) => "/users".into(),
        Request::Probe(probe) | Request::OfUser(probe, _) => tenant.path_of(probe),
        Request::Record(probe, record) => probe.path_to(record).into(),
    }
}

#[cfg(test)]
mod tests;
