//! What answers a request for a file, the calendar, the metrics, a reload or a check, one function for each.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes};
use axum::extract::{Path, State as Extract};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use prometheus::{Registry, TextEncoder};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::http_server::{Access, NotMade};
use crate::system::clock;

use super::answers::{no_such_token, problem};
use super::calendar::calendar;
use super::encoding::accepts_gzip;
use super::page::Frame;
use super::state::{LONGEST_REQUEST, State, TokenPath, position, request_check};

/// The content type by which Prometheus recognises its text format; version 3 refuses any other.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Requests a check of a token, and leads back to its page.
pub(super) async fn check(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    path: TokenPath,
) -> Response {
    let snapshot = state.snapshot();
    let Some(index) = position(&snapshot, path) else { return no_such_token(&access) };
    let token = &snapshot.tokens[index];
    if let Err(why) = request_check(&state, &snapshot, &token.token).await {
        let mut refused = problem(&access, why.status(), "Not now", &format!("Sorry: {why}."));
        refused.headers_mut().extend(why.retry_after());
        return refused;
    }
    let page = Frame::new(&access.base, clock::now()).token_path(token);
    (StatusCode::SEE_OTHER, [(header::LOCATION, page)]).into_response()
}

/// A file that the pages need.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let (kind, text) = match name.as_str() {
        "style.css" => ("text/css; charset=utf-8", include_str!("page/static/style.css")),
        "page.js" => ("text/javascript; charset=utf-8", include_str!("page/static/page.js")),
        "icon.svg" => ("image/svg+xml", include_str!("page/static/icon.svg")),
        _ => return (StatusCode::NOT_FOUND, "no such file\n").into_response(),
    };
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "private, max-age=300")], text).into_response()
}

/// The calendar of expiries.
pub(super) async fn expiries(Extract(state): Extract<State>, Extension(access): Extension<Arc<Access>>) -> Response {
    let snapshot = state.snapshot();
    let url = access.origin.as_deref().map(|origin| format!("{origin}{}", access.base));
    let pieces = calendar(snapshot, url, clock::now()).map(Bytes::from);
    match state.lanes.pages.body(pieces).await {
        Ok(body) => ([(header::CONTENT_TYPE, "text/calendar; charset=utf-8")], body).into_response(),
        Err(why) => why.into_response(),
    }
}

/// The daemon's own counters in the text format of Prometheus.
fn own_counters(registry: &Registry) -> String {
    let mut own = String::new();
    if let Err(error) = TextEncoder::new().encode_utf8(&registry.gather(), &mut own) {
        tracing::error!(event = "metrics_failed", "failed to encode the daemon's own counters: {error}");
    }
    own
}

/// The metrics of the daemon and of the fleet.
pub(super) async fn metrics(Extract(state): Extract<State>, headers: HeaderMap) -> Response {
    let (registry, snapshot, exposition) = (state.registry.clone(), state.snapshot(), Arc::clone(&state.exposition));
    let scrape = move || exposition.scrape(&own_counters(&registry), &snapshot, clock::now());
    let scrape = match state.lanes.scrapes.run(scrape).await {
        Ok(scrape) => scrape,
        Err(why) => return why.into_response(),
    };
    let described = [(header::CONTENT_TYPE, TEXT_FORMAT), (header::VARY, "Accept-Encoding")];
    // Whoever reads sees by the length whether anything is missing.
    let long = |length: usize| [(header::CONTENT_LENGTH, length)];
    if accepts_gzip(&headers) {
        let length = long(scrape.gzip_length());
        let body = Body::from_stream(stream::iter(scrape.gzip().map(Ok::<_, Infallible>)));
        return (described, length, [(header::CONTENT_ENCODING, "gzip")], body).into_response();
    }
    (described, long(scrape.plain_length()), Body::from_stream(stream::iter(scrape.plain()))).into_response()
}

/// Reads the configuration again, and answers when the daemon has done so or has refused it.
pub(super) async fn reload(Extract(state): Extract<State>) -> Response {
    if let Err(why) = state.meter.reload() {
        return (StatusCode::TOO_MANY_REQUESTS, [why.retry_after()], format!("{why}\n")).into_response();
    }
    let (answer, answered) = oneshot::channel();
    let stopping = || (StatusCode::SERVICE_UNAVAILABLE, "the daemon is stopping\n").into_response();
    match timeout(LONGEST_REQUEST, state.reload.send(answer)).await {
        Ok(Ok(())) => {}
        Ok(Err(_)) => return stopping(),
        Err(_) => return NotMade::Busy.into_response(),
    }
    match answered.await {
        Ok(Ok(())) => (StatusCode::OK, "the configuration was reloaded\n").into_response(),
        Ok(Err(faults)) => (
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("the configuration was not reloaded, the running one stays:\n{faults}\n"),
        )
            .into_response(),
        Err(_) => stopping(),
    }
}
