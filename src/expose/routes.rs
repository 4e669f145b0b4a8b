//! What is answered under which path: pages, metrics, health, and the two things that can be wished for. The JSON API is in
//! `api`.

use std::fmt;
use std::iter::once_with;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State as Extract};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router, middleware};
use chrono::TimeDelta;
use prometheus::{Registry, TextEncoder};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::config::TokenId;
use crate::memory::{HistoryLine, Wish};
use crate::snapshot::Snapshot;
use crate::system::clock;

use super::api;
use super::bounds::bounded;
use super::calendar::calendar;
use super::door::Door;
use super::exposition::Exposition;
use super::lane::{Lane, Lanes, NotMade};
use super::page::{self, FleetWish, Frame};
use super::runbook::section;

/// A wish is taken at the next turn of the loop; one that is not by then is refused.
const LONGEST_WISH: Duration = Duration::from_secs(5);
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
    /// Where answers are made.
    pub lanes: Lanes,
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

    /// Reads on a thread where a slow disk holds up nobody, and hands what was read to `then` there.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        lane: &Lane,
        wish: Wish,
        then: impl FnOnce(Result<Vec<HistoryLine>, String>) -> T + Send + 'static,
    ) -> Result<T, NotMade> {
        let read = Arc::clone(&self.0);
        lane.run(move || then(read(&wish))).await
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
        .fallback(async || (StatusCode::NOT_FOUND, "no such page\n"))
        .layer(middleware::from_fn(bounded))
        .merge(health_routes())
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

/// Which token of the snapshot a path names. Comparing names takes a thousandth of what a page takes.
pub(super) fn position(snapshot: &Snapshot, path: TokenPath) -> Option<usize> {
    let Path((tenant, token_name)) = path.ok()?;
    snapshot.tokens.iter().position(|picture| picture.token.name == token_name && picture.token.tenant.name == tenant)
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

pub(super) fn problem(door: &Door, status: StatusCode, title: &str, problem: &str) -> Response {
    html(status, page::problem(Frame::new(&door.base, clock::now()), title, problem))
}

/// A page that was not made says when to come again.
fn not_made(door: &Door, why: NotMade) -> Response {
    let mut response = problem(door, why.status(), "Not now", &format!("Sorry: {why}."));
    if let Some((name, value)) = why.retry_after() {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

async fn fleet(
    Extract(state): Extract<State>,
    Extension(door): Extension<Arc<Door>>,
    wish: Result<Query<FleetWish>, QueryRejection>,
) -> Response {
    let refused = |why: &str| problem(&door, StatusCode::BAD_REQUEST, "Not understood", why);
    let wish = match wish {
        Ok(Query(wish)) => wish,
        Err(rejection) => return refused(&rejection.body_text()),
    };
    let (snapshot, base) = (state.picture(), door.base.clone());
    let make = move || page::fleet(Frame::new(&base, clock::now()), &snapshot, &wish);
    match state.lanes.pages.run(make).await {
        Ok(Ok(page)) => html(StatusCode::OK, page),
        Ok(Err(why)) => refused(&why),
        Err(why) => not_made(&door, why),
    }
}

fn no_such_token(door: &Door) -> Response {
    problem(door, StatusCode::NOT_FOUND, "No such token", "No token of that name is configured for that tenant.")
}

/// The page of a token; the history that it shows is read before it takes a place among the pages.
async fn token(Extract(state): Extract<State>, Extension(door): Extension<Arc<Door>>, path: TokenPath) -> Response {
    let (snapshot, now) = (state.picture(), clock::now());
    let Some(index) = position(&snapshot, path) else { return no_such_token(&door) };
    let TokenId { tenant, token_name } = snapshot.tokens[index].token.id();
    let since = Some(page::start(now));
    let wish = Wish { tenant: Some(tenant), token_name: Some(token_name), since, ..Wish::default() };
    let history = state.history.read(&state.lanes.history, wish, |history| history).await;
    let history = history.unwrap_or_else(|why| Err(why.to_string()));
    let base = door.base.clone();
    let make = move || {
        let past = history.as_deref().map_err(String::as_str);
        page::token(Frame::new(&base, now), &snapshot, &snapshot.tokens[index], past)
    };
    match state.lanes.pages.run(make).await {
        Ok(page) => html(StatusCode::OK, page),
        Err(why) => not_made(&door, why),
    }
}

/// Wishes for a check of a token; whether the loop has taken the wish in time.
pub(super) async fn wish_for_check(state: &State, token: TokenId) -> Result<(), &'static str> {
    match timeout(LONGEST_WISH, state.checks.send(token)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("the daemon is stopping"),
        Err(_) => Err("too many checks are wished for; come again in a few seconds"),
    }
}

async fn check(Extract(state): Extract<State>, Extension(door): Extension<Arc<Door>>, path: TokenPath) -> Response {
    let snapshot = state.picture();
    let Some(index) = position(&snapshot, path) else { return no_such_token(&door) };
    let picture = &snapshot.tokens[index];
    if let Err(why) = wish_for_check(&state, picture.token.id()).await {
        return problem(&door, StatusCode::SERVICE_UNAVAILABLE, "Not now", &format!("Sorry: {why}."));
    }
    let page = Frame::new(&door.base, clock::now()).token_path(picture);
    (StatusCode::SEE_OTHER, [(header::LOCATION, page)]).into_response()
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
    let snapshot = state.picture();
    let make = move || {
        let url = door.origin.as_deref().map(|origin| format!("{origin}{}", door.base));
        calendar(&snapshot, url.as_deref(), clock::now())
    };
    match state.lanes.pages.run(make).await {
        Ok(text) => ([(header::CONTENT_TYPE, "text/calendar; charset=utf-8")], text).into_response(),
        Err(why) => why.into_response(),
    }
}

/// The daemon's own counters as text.
fn own_counters(registry: &Registry) -> Bytes {
    let mut own = String::new();
    if let Err(error) = TextEncoder::new().encode_utf8(&registry.gather(), &mut own) {
        tracing::error!(event = "metrics_failed", "failed to encode the daemon's own counters: {error}");
    }
    own.into()
}

async fn metrics(Extract(state): Extract<State>) -> Response {
    let (registry, snapshot) = (state.registry.clone(), state.picture());
    // Both are begun where they are made.
    let fleet = once_with(move || Exposition::new(snapshot, clock::now())).flatten();
    match state.lanes.scrapes.body(once_with(move || own_counters(&registry)).chain(fleet)).await {
        Ok(body) => ([(header::CONTENT_TYPE, TEXT_FORMAT)], body).into_response(),
        Err(why) => why.into_response(),
    }
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
    match timeout(LONGEST_WISH, state.reload.send(answer)).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => return gone(),
        Err(_) => return NotMade::Busy.into_response(),
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
