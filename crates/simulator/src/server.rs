//! The simulated Syncro on a socket: who asked what, the rate limit, and the world's answers.

use std::collections::{HashMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::misbehaviour::retry_later;
use crate::operations::sole_key;
use crate::scenario::{Incident, Scenario};
use crate::world::{Asked, Reaction, World};

/// Older requests are discarded.
const LONGEST_LOG: usize = 1_000_000;
/// What clients send is a few bytes.
const LONGEST_BODY: usize = 64 * 1024;
const WINDOW: Duration = Duration::from_mins(1);

/// One request, as the simulator saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Logged {
    /// Milliseconds after the start.
    pub at: u64,
    /// The account, by subdomain.
    pub tenant: String,
    /// The HTTP method.
    pub method: String,
    /// The path below the API, with its query.
    pub path: String,
    /// The status that was answered; 0 for none.
    pub status: u16,
    /// The scheme of the Authorization header: `Bearer`.
    pub scheme: String,
    /// The program that asked, as it names itself.
    pub user_agent: String,
    /// The address from which it asked.
    pub from: IpAddr,
}

/// A simulated Syncro.
#[derive(Debug, Clone)]
pub struct Simulator {
    state: Arc<Mutex<Inner>>,
    start: Instant,
}

#[derive(Debug)]
struct Inner {
    world: World,
    requests_per_minute: usize,
    retry_after: Option<u64>,
    /// When each request of the last minute came, by the address from which it came: Syncro counts by it.
    recent: HashMap<IpAddr, VecDeque<Instant>>,
    log: VecDeque<Logged>,
    /// How many requests there were, those besides that the log has lost.
    requests: u64,
}

impl Simulator {
    /// A simulated Syncro whose time begins now.
    pub fn new(scenario: Scenario) -> Self {
        let inner = Inner {
            requests_per_minute: usize::try_from(scenario.requests_per_minute).unwrap_or(usize::MAX),
            retry_after: scenario.retry_after,
            world: World::new(scenario),
            recent: HashMap::new(),
            requests: 0,
            log: VecDeque::new(),
        };
        Self { state: Arc::new(Mutex::new(inner)), start: Instant::now() }
    }

    /// Serves until `stop`.
    ///
    /// # Errors
    /// When the socket fails.
    pub async fn serve(self, listener: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
        let router = Router::new()
            .route("/simulator/requests", get(requests))
            .route("/simulator/incidents", post(incident))
            .fallback(react)
            .with_state(self);
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await
    }

    /// The base URL of a tenant's API on this simulator.
    pub fn base_url(address: SocketAddr, subdomain: &str) -> String {
        format!("http://{address}/{subdomain}/api/v1")
    }

    /// Makes something happen now.
    pub fn apply(&self, incident: Incident) {
        let elapsed = self.start.elapsed();
        let mut inner = self.lock();
        inner.world.advance(elapsed);
        inner.world.apply(incident, elapsed);
    }

    /// Everything that was asked, oldest first.
    pub fn log(&self) -> Vec<Logged> {
        self.lock().log.iter().cloned().collect()
    }

    /// How many requests there were, however many of them are logged.
    pub fn requests(&self) -> u64 {
        self.lock().requests
    }

    /// Logs each incident of the scenario when it happens.
    pub async fn narrate(self) {
        loop {
            let next = self.lock().world.next();
            let Some((at, incident)) = next else { return };
            sleep_until(self.start + at).await;
            self.lock().world.advance(at);
            let incident = serde_json::to_string(&incident).unwrap_or_default();
            tracing::info!(event = "incident", at_seconds = at.as_secs(), "simulated: {incident}");
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a request and says what is to be done with it; `None` if it is one too many.
    fn note(&self, mut logged: Logged, asked: &Asked<'_>) -> (usize, Option<Reaction>, Option<u64>) {
        let elapsed = self.start.elapsed();
        let now = self.start + elapsed;
        let mut inner = self.lock();
        inner.world.advance(elapsed);
        let allowed = inner.requests_per_minute;
        let recent = inner.recent.entry(logged.from).or_default();
        while recent.front().is_some_and(|at| now - *at >= WINDOW) {
            recent.pop_front();
        }
        let too_many = allowed > 0 && recent.len() >= allowed;
        recent.push_back(now);
        let reaction = (!too_many).then(|| inner.world.react(&logged.tenant, &logged.method, asked));
        logged.at = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        if inner.log.len() == LONGEST_LOG {
            inner.log.pop_front();
        }
        inner.log.push_back(logged);
        inner.requests += 1;
        (inner.log.len() - 1, reaction, inner.retry_after)
    }
}

async fn requests(State(simulator): State<Simulator>) -> Json<Vec<Logged>> {
    Json(simulator.log())
}

async fn incident(State(simulator): State<Simulator>, Json(incident): Json<Incident>) -> StatusCode {
    simulator.apply(incident);
    StatusCode::NO_CONTENT
}

async fn react(
    State(simulator): State<Simulator>,
    ConnectInfo(client): ConnectInfo<SocketAddr>,
    request: Request,
) -> Response {
    let from = client.ip();
    let (request, body) = request.into_parts();
    let text = |name| request.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (authorization, user_agent) = (text(header::AUTHORIZATION), text(header::USER_AGENT));
    let split = request.uri.path().split_once("/api/v1").filter(|(_, path)| path.starts_with('/'));
    let Some((prefix, path)) = split else { return StatusCode::NOT_FOUND.into_response() };
    let first = || simulator.lock().world.first().unwrap_or_default().to_owned();
    let tenant = prefix.strip_prefix('/').map_or_else(first, str::to_owned);
    let query = request.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let method = request.method.as_str().to_owned();
    let scheme = authorization.split_once(' ').map_or("", |(scheme, _)| scheme).to_owned();
    let logged = Logged { at: 0, tenant, method, path: format!("{path}{query}"), status: 0, scheme, user_agent, from };
    let body = to_bytes(body, LONGEST_BODY).await.unwrap_or_default();
    let asked = Asked {
        path,
        query: request.uri.query().unwrap_or_default(),
        authorization: &authorization,
        sole_key: sole_key(&body),
        from,
    };
    let (index, reaction, retry_after) = simulator.note(logged, &asked);
    let response = match reaction {
        None => retry_later(retry_after),
        Some(Reaction::Misbehave(how)) => how.answer().await,
        Some(Reaction::Answer((status, body))) => {
            (StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR), Json(body)).into_response()
        }
    };
    if let Some(logged) = simulator.lock().log.get_mut(index) {
        logged.status = response.status().as_u16();
    }
    response
}
