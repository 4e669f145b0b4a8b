//! The HTTP server: metrics, JSON, health, reload. Bounded in connections, heads and patience; bodies are never read.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State as Extract};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use chrono::TimeDelta;
use futures_util::stream;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use prometheus::{Registry, TextEncoder};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;

use crate::snapshot::Snapshot;
use crate::system::clock;

use super::api::Tokens;
use super::exposition::Exposition;
use super::runbook::section;

/// Prometheus opens one or two connections; more than this at once is not scraping.
const CONNECTIONS: usize = 256;
/// A request head takes one round trip; an idle connection is closed after the same time.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// More than any scraper sends.
const LONGEST_HEAD: usize = 16 * 1024;
/// The loop turns every second; after so long without a turn it does not.
const LONGEST_TURN: TimeDelta = TimeDelta::seconds(15);
/// What Prometheus calls the text format; version 3 refuses any other name.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Somebody asked to read the configuration again; the answer says what is wrong with it.
pub type ReloadRequest = oneshot::Sender<Result<(), String>>;

/// What the pages are made from.
#[derive(Debug, Clone)]
pub struct State {
    /// The picture that the engine publishes.
    pub pictures: watch::Receiver<Arc<Snapshot>>,
    /// The daemon's own counters.
    pub registry: Registry,
    /// Where wishes to reload go.
    pub reload: mpsc::Sender<ReloadRequest>,
}

/// A server on one address.
#[derive(Debug)]
pub struct Server {
    /// Where it really listens.
    pub address: SocketAddr,
    stop: CancellationToken,
    gone: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    /// Starts to serve on a socket that is already open.
    ///
    /// # Errors
    /// When the socket does not know its address.
    pub fn start(listener: TcpListener, state: State) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let (stop, gone) = (CancellationToken::new(), CancellationToken::new());
        let (stopped, guard) = (stop.clone(), gone.clone().drop_guard());
        let task = tokio::spawn(async move {
            // Dropped however this ends, a panic included.
            let _guard = guard;
            serve(listener, router(state), stopped).await;
        });
        Ok(Self { address, stop, gone, task })
    }

    /// Takes no new connections, lets answers under way end, and returns when all have.
    pub async fn stop(self) {
        self.stop.cancel();
        // An error means that the task is gone, which is what was wanted.
        self.task.await.ok();
    }

    /// Waits until it has ended, which it should not by itself. Cancel-safe.
    pub async fn ended(&self) {
        self.gone.cancelled().await;
    }
}

fn router(state: State) -> Router {
    Router::new()
        .route("/", get(landing))
        .route("/metrics", get(metrics))
        .route("/api/v1/tokens", get(tokens))
        .route("/runbooks/{alert}", get(runbook))
        .route("/-/healthy", get(healthy))
        .route("/-/ready", get(ready))
        .route("/-/reload", post(reload))
        .with_state(state)
}

async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = JoinSet::new();
    loop {
        let Ok(place) = Arc::clone(&room).acquire_owned().await else { break };
        let stream = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Usually too many open files; accepting again at once would only spin.
                    tracing::warn!(event = "accept_failed", "failed to accept a connection: {error}");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(LONGEST_HEAD)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router.clone()));
        let stop = stop.clone();
        connections.spawn(async move {
            let _place = place;
            let mut connection = std::pin::pin!(connection);
            let ended = tokio::select! {
                ended = connection.as_mut() => ended,
                () = stop.cancelled() => {
                    connection.as_mut().graceful_shutdown();
                    connection.await
                }
            };
            if let Err(error) = ended {
                tracing::debug!(event = "connection_failed", "a connection failed: {error}");
            }
        });
        while connections.try_join_next().is_some() {}
    }
    while connections.join_next().await.is_some() {}
}

async fn landing() -> Response {
    const PAGE: &str = "<!DOCTYPE html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>syncro-token-monitor</title>\n\
        <h1>syncro-token-monitor</h1>\n<p>Watches the API tokens that integrations use against Syncro PSA accounts.</p>\n\
        <ul>\n<li><a href=\"/metrics\">Metrics</a></li>\n<li><a href=\"/-/healthy\">Healthy</a></li>\n\
        <li><a href=\"/-/ready\">Ready</a></li>\n</ul>\n</html>\n";
    ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], PAGE).into_response()
}

async fn metrics(Extract(state): Extract<State>) -> Response {
    let mut own = String::new();
    if let Err(error) = TextEncoder::new().encode_utf8(&state.registry.gather(), &mut own) {
        tracing::error!(event = "metrics_failed", "failed to encode the daemon's own counters: {error}");
    }
    let snapshot = Arc::clone(&state.pictures.borrow());
    let pieces = std::iter::once(Bytes::from(own)).chain(Exposition::new(snapshot, clock::now()));
    let body = Body::from_stream(stream::iter(pieces.map(Ok::<_, Infallible>)));
    ([(header::CONTENT_TYPE, TEXT_FORMAT)], body).into_response()
}

async fn tokens(Extract(state): Extract<State>) -> Response {
    let pieces = Tokens::new(Arc::clone(&state.pictures.borrow()));
    let body = Body::from_stream(stream::iter(pieces.map(Ok::<_, Infallible>)));
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn runbook(Path(alert): Path<String>) -> Response {
    let known = |section| (StatusCode::OK, format!("{section}\n")).into_response();
    let unknown = || (StatusCode::NOT_FOUND, "no such alert\n").into_response();
    section(&alert).map_or_else(unknown, known)
}

async fn healthy(Extract(state): Extract<State>) -> Response {
    let last = state.pictures.borrow().last_tick;
    match last {
        Some(last) if clock::now() - last <= LONGEST_TURN => (StatusCode::OK, "the loop turns\n").into_response(),
        Some(last) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("the loop has not turned since {last}\n")).into_response()
        }
        None => (StatusCode::SERVICE_UNAVAILABLE, "the loop has not turned yet\n").into_response(),
    }
}

async fn ready(Extract(state): Extract<State>) -> Response {
    let snapshot = Arc::clone(&state.pictures.borrow());
    if snapshot.first_sweep_done {
        return (StatusCode::OK, "every token has been looked at\n").into_response();
    }
    let looked_at = snapshot.tokens.iter().filter(|picture| picture.standing.validity.last_attempt.is_some()).count();
    let text = format!("{looked_at} of {} tokens have been looked at\n", snapshot.tokens.len());
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}

async fn reload(Extract(state): Extract<State>) -> Response {
    let (answer, answered) = oneshot::channel();
    let gone = || (StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping\n").into_response();
    if state.reload.send(answer).await.is_err() {
        return gone();
    }
    match answered.await {
        Ok(Ok(())) => (StatusCode::OK, "the configuration was reloaded\n").into_response(),
        Ok(Err(faults)) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the configuration was not reloaded, the running one stays:\n{faults}\n"),
        )
            .into_response(),
        Err(_) => gone(),
    }
}
