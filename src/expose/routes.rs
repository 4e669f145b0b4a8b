//! What is answered under which path: pages, metrics, health, and the two things that can be wished for. The JSON API is in
//! `api`.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State as Extract};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use chrono::TimeDelta;
use futures_util::stream;
use prometheus::{Registry, TextEncoder};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::spawn_blocking;

use crate::config::TokenId;
use crate::memory::{HistoryLine, Wish};
use crate::snapshot::{Snapshot, TokenPicture};
use crate::system::clock;

use super::api;
use super::calendar::calendar;
use super::door::Door;
use super::exposition::Exposition;
use super::page::{self, FleetWish, Frame};
use super::runbook::section;

/// The loop turns every second; after so long without a turn it does not.
const LONGEST_TURN: Duration = Duration::from_secs(15);
/// A tick that lies so far ahead was made before the clock was set back.
const FUTURE: TimeDelta = TimeDelta::seconds(15);
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
    /// Where wishes to look at a token now go.
    pub checks: mpsc::Sender<TokenId>,
    /// What has been.
    pub history: History,
}

/// Reads the history: a query, or why there is no answer. Blocks.
#[derive(Clone)]
pub struct History(Arc<Read>);

type Read = dyn Fn(&Wish) -> Result<Vec<HistoryLine>, String> + Send + Sync;

impl fmt::Debug for History {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("History")
    }
}

impl History {
    /// One that is read so.
    pub fn new(read: impl Fn(&Wish) -> Result<Vec<HistoryLine>, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Reads on a thread where a slow disk holds up nobody.
    pub(super) async fn read(&self, wish: Wish) -> Result<Vec<HistoryLine>, String> {
        let read = Arc::clone(&self.0);
        spawn_blocking(move || read(&wish)).await.unwrap_or_else(|error| Err(error.to_string()))
    }
}

impl State {
    pub(super) fn picture(&self) -> Arc<Snapshot> {
        Arc::clone(&self.pictures.borrow())
    }
}

/// Everything.
pub fn all(state: State) -> Router {
    Router::new()
        .route("/", get(fleet))
        .route("/tenants/{tenant}/tokens/{token_name}", get(token))
        .route("/tenants/{tenant}/tokens/{token_name}/check", post(check))
        .route("/static/{name}", get(asset))
        .route("/runbooks/{alert}", get(runbook))
        .route("/calendar.ics", get(expiries))
        .route("/metrics", get(metrics))
        .route("/-/reload", post(reload))
        .merge(api::routes())
        .merge(health_routes())
        .fallback(async || (StatusCode::NOT_FOUND, "no such page\n"))
        .with_state(state)
}

/// The health of the daemon and nothing else.
pub fn health(state: State) -> Router {
    health_routes().fallback(async || (StatusCode::NOT_FOUND, "only health is told here\n")).with_state(state)
}

fn health_routes() -> Router<State> {
    Router::new().route("/-/healthy", get(healthy)).route("/-/ready", get(ready))
}

/// The names of a tenant and a token in a path; what cannot be read names nobody.
pub(super) type TokenPath = Result<Path<(String, String)>, PathRejection>;

/// The token of the picture that a path names.
pub(super) fn find(snapshot: &Snapshot, path: TokenPath) -> Option<&TokenPicture> {
    let Path((tenant, token_name)) = path.ok()?;
    snapshot.tokens.iter().find(|picture| picture.token.name == token_name && picture.token.tenant.name == tenant)
}

fn html(status: StatusCode, page: askama::Result<String>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    match page {
        Ok(page) => (status, kind, page).into_response(),
        Err(error) => {
            tracing::error!(event = "page_failed", "failed to write a page: {error}");
            (StatusCode::INTERNAL_SERVER_ERROR, "the page cannot be written\n").into_response()
        }
    }
}

fn problem(door: &Door, status: StatusCode, title: &str, problem: &str) -> Response {
    html(status, page::problem(Frame::new(&door.base, clock::now()), title, problem))
}

/// A body made piece by piece.
pub(super) fn pieces(pieces: impl Iterator<Item = Bytes> + Send + 'static) -> Body {
    Body::from_stream(stream::iter(pieces.map(Ok::<_, Infallible>)))
}

async fn fleet(
    Extract(state): Extract<State>,
    Extension(door): Extension<Arc<Door>>,
    wish: Result<Query<FleetWish>, QueryRejection>,
) -> Response {
    let frame = Frame::new(&door.base, clock::now());
    let refused = |why: &str| problem(&door, StatusCode::BAD_REQUEST, "Not understood", why);
    match wish {
        Err(rejection) => refused(&rejection.body_text()),
        Ok(Query(wish)) => match page::fleet(frame, &state.picture(), &wish) {
            Ok(page) => html(StatusCode::OK, page),
            Err(why) => refused(&why),
        },
    }
}

fn no_such_token(door: &Door) -> Response {
    problem(door, StatusCode::NOT_FOUND, "No such token", "No token of that name is configured for that tenant.")
}

async fn token(Extract(state): Extract<State>, Extension(door): Extension<Arc<Door>>, path: TokenPath) -> Response {
    let (snapshot, now) = (state.picture(), clock::now());
    let frame = Frame::new(&door.base, now);
    let Some(picture) = find(&snapshot, path) else { return no_such_token(&door) };
    let TokenId { tenant, token_name } = picture.token.id();
    let since = Some(page::start(now));
    let wish = Wish { tenant: Some(tenant), token_name: Some(token_name), since, ..Wish::default() };
    let history = state.history.read(wish).await;
    let past = history.as_deref().map_err(String::as_str);
    html(StatusCode::OK, page::token(frame, &snapshot, picture, past))
}

async fn check(Extract(state): Extract<State>, Extension(door): Extension<Arc<Door>>, path: TokenPath) -> Response {
    let snapshot = state.picture();
    let Some(picture) = find(&snapshot, path) else { return no_such_token(&door) };
    let frame = Frame::new(&door.base, clock::now());
    if state.checks.send(picture.token.id()).await.is_err() {
        return problem(&door, StatusCode::SERVICE_UNAVAILABLE, "Stopping", "The daemon is stopping.");
    }
    (StatusCode::SEE_OTHER, [(header::LOCATION, frame.token_path(picture))]).into_response()
}

async fn asset(Path(name): Path<String>) -> Response {
    let (kind, text) = match name.as_str() {
        "style.css" => ("text/css; charset=utf-8", include_str!("page/static/style.css")),
        "page.js" => ("text/javascript; charset=utf-8", include_str!("page/static/page.js")),
        "icon.svg" => ("image/svg+xml", include_str!("page/static/icon.svg")),
        _ => return (StatusCode::NOT_FOUND, "no such file\n").into_response(),
    };
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "private, max-age=300")], text).into_response()
}

async fn runbook(Path(alert): Path<String>) -> Response {
    let known = |section| (StatusCode::OK, format!("{section}\n")).into_response();
    let unknown = || (StatusCode::NOT_FOUND, "no such alert\n").into_response();
    section(&alert).map_or_else(unknown, known)
}

async fn expiries(Extract(state): Extract<State>, Extension(door): Extension<Arc<Door>>) -> Response {
    let url = door.origin.as_deref().map(|origin| format!("{origin}{}", door.base));
    let text = calendar(&state.picture(), url.as_deref(), clock::now());
    ([(header::CONTENT_TYPE, "text/calendar; charset=utf-8")], text).into_response()
}

async fn metrics(Extract(state): Extract<State>) -> Response {
    let mut own = String::new();
    if let Err(error) = TextEncoder::new().encode_utf8(&state.registry.gather(), &mut own) {
        tracing::error!(event = "metrics_failed", "failed to encode the daemon's own counters: {error}");
    }
    let exposition = Exposition::new(state.picture(), clock::now());
    let body = pieces(std::iter::once(Bytes::from(own)).chain(exposition));
    ([(header::CONTENT_TYPE, TEXT_FORMAT)], body).into_response()
}

async fn healthy(Extract(state): Extract<State>) -> Response {
    let (beat, tick) = {
        let snapshot = state.pictures.borrow();
        (snapshot.beat, snapshot.last_tick)
    };
    let unwell = |text: String| (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    match (beat, tick) {
        // A tick in the future is one after which the clock was set back, and that no tick has followed since.
        (Some(beat), Some(tick)) if beat.age() <= LONGEST_TURN && tick - clock::now() <= FUTURE => {
            (StatusCode::OK, "the loop turns\n").into_response()
        }
        (Some(beat), _) if beat.age() > LONGEST_TURN => {
            unwell(format!("the loop has not turned for {} s\n", beat.age().as_secs()))
        }
        (Some(_), _) => unwell("the loop has not turned since the clock was set back\n".to_owned()),
        (None, _) => unwell("the loop has not turned yet\n".to_owned()),
    }
}

async fn ready(Extract(state): Extract<State>) -> Response {
    let snapshot = state.picture();
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
