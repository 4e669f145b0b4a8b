//! What answers a request to the API, one function for each, with its description.

use std::sync::Arc;

use axum::Extension;
use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State as Extract};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use utoipa::IntoParams;

use crate::http_server::{Access, NotMade};
use crate::state::Snapshot;
use crate::system::clock;

use super::super::state::{State, TokenPath, position, request_check};
use super::alert_views::{Alert, Alerts};
use super::pieces::{self, list};
use super::queries::{Part, TransitionsQuery};
use super::views::{Error, Requested, TokenDetail, Tokens, Transitions, line, text};

/// Why a request is answered with 503, as the description says.
pub(super) const BUSY: &str = "too many requests are being answered; Retry-After says when to come again";

/// A JSON answer.
pub(super) fn json(status: StatusCode, text: impl IntoResponse) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], text).into_response()
}

/// A JSON answer that says what is wrong.
pub(in super::super) fn error(status: StatusCode, error: &str) -> Response {
    json(status, line(&Error { error }))
}

/// An answer that was made on a lane, or the answer that says why it was not made.
fn made(made: Result<String, NotMade>) -> Response {
    made.map_or_else(not_made, |text| json(StatusCode::OK, text))
}

/// A list whose pieces were begun, or the answer that says why it was not.
pub(super) fn listed(begun: Result<Result<Body, String>, NotMade>) -> Response {
    match begun {
        Ok(Ok(body)) => json(StatusCode::OK, body),
        Ok(Err(why)) => error(StatusCode::SERVICE_UNAVAILABLE, &why),
        Err(why) => not_made(why),
    }
}

/// The part of a list that a query asks for, or the answer that says why there is none.
pub(super) async fn part_of<I>(
    name: &'static str,
    items: fn(Arc<Snapshot>, String, Part) -> I,
    state: &State,
    access: &Access,
    part: Result<Query<Part>, QueryRejection>,
) -> Response
where
    I: Iterator<Item = String> + Send + 'static,
{
    match understood(part) {
        Ok(part) => {
            let items = items(state.snapshot(), access.base.clone(), part);
            listed(state.lanes.pages.try_body(list(name, items.map(Ok))).await)
        }
        Err(refused) => *refused,
    }
}

/// A query as it is asked, or the answer that says what is wrong with it.
pub(super) fn understood<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, Box<Response>> {
    query
        .map(|Query(query)| query)
        .map_err(|rejection| Box::new(error(StatusCode::BAD_REQUEST, &rejection.body_text())))
}

fn not_made(why: NotMade) -> Response {
    let mut response = error(why.status(), &why.to_string());
    if let Some((name, value)) = why.retry_after() {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

fn no_such_token() -> Response {
    error(StatusCode::NOT_FOUND, "no token of that name is configured for that tenant")
}

#[utoipa::path(
    get,
    path = "/api/v1/tokens",
    tag = "tokens",
    summary = "Every token, or a part of them",
    params(Part),
    responses(
        (status = 200, description = "the status of the tokens", body = Tokens),
        (status = 400, description = "a part that cannot be understood", body = Error),
        (status = 503, description = BUSY, body = Error),
    )
)]
pub(super) async fn tokens(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    part: Result<Query<Part>, QueryRejection>,
) -> Response {
    part_of("tokens", pieces::tokens, &state, &access, part).await
}

#[utoipa::path(
    get,
    path = "/api/v1/tokens/{tenant}/{token_name}",
    tag = "tokens",
    summary = "One token, with the rights of its user and the last requests with it",
    params(TokenNames),
    responses(
        (status = 200, description = "its status", body = TokenDetail),
        (status = 404, description = "no such token", body = Error),
        (status = 503, description = BUSY, body = Error),
    )
)]
pub(super) async fn one_token(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    path: TokenPath,
) -> Response {
    let snapshot = state.snapshot();
    let Some(index) = position(&snapshot, path) else { return no_such_token() };
    let make = move || line(&TokenDetail::of(&snapshot, &snapshot.tokens[index], &access.base));
    made(state.lanes.pages.run(make).await)
}

#[utoipa::path(
    post,
    path = "/api/v1/tokens/{tenant}/{token_name}/check",
    tag = "tokens",
    summary = "Make a full check of one token due now; it waits for the request budget like any other",
    params(TokenNames),
    responses(
        (status = 202, description = "it is due", body = Requested),
        (status = 404, description = "no such token", body = Error),
        (status = 429, description = "checks that are asked for have had their fifth of the request budget", body = Error),
        (status = 503, description = "the daemon is stopping, or too many requests are being answered", body = Error),
    )
)]
pub(super) async fn check(Extract(state): Extract<State>, path: TokenPath) -> Response {
    let snapshot = state.snapshot();
    let Some(index) = position(&snapshot, path) else { return no_such_token() };
    let token = &snapshot.tokens[index].token;
    match request_check(&state, &snapshot, token).await {
        Ok(()) => json(StatusCode::ACCEPTED, line(&Requested::due(token.id()))),
        Err(why) => {
            let mut refused = error(why.status(), &why.to_string());
            refused.headers_mut().extend(why.retry_after());
            refused
        }
    }
}

/// The names in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it describes what `TokenPath` reads")]
struct TokenNames {
    /// The tenant's name, percent-encoded.
    tenant: String,
    /// The token's name, percent-encoded.
    token_name: String,
}

#[utoipa::path(
    get,
    path = "/api/v1/transitions",
    tag = "history",
    summary = "What changed, the newest first",
    params(TransitionsQuery),
    responses(
        (status = 200, description = "the changes", body = Transitions),
        (status = 400, description = "a filter that cannot be understood", body = Error),
        (status = 503, description = "the history cannot be read, or too many requests are being answered", body = Error),
    )
)]
pub(super) async fn transitions(
    Extract(state): Extract<State>,
    query: Result<Query<TransitionsQuery>, QueryRejection>,
) -> Response {
    let query = match understood(query) {
        Ok(query) => query,
        Err(refused) => return *refused,
    };
    let (query, limit) = match query.read(clock::now()) {
        Ok(read) => read,
        Err(why) => return error(StatusCode::BAD_REQUEST, &why),
    };
    let lines = state.history.lines(query, limit).map(|line| match line {
        Ok(line) => Ok(text(&line)),
        Err(why) => Err(format!("the history cannot be read: {why}")),
    });
    listed(state.lanes.history.try_body(list("transitions", lines)).await)
}

#[utoipa::path(
    get,
    path = "/api/v1/alerts",
    tag = "alerts",
    summary = "What fires now, or a part of it",
    params(Part),
    responses(
        (status = 200, description = "the alerts", body = Alerts),
        (status = 400, description = "a part that cannot be understood", body = Error),
        (status = 503, description = BUSY, body = Error),
    )
)]
pub(super) async fn alerts(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    part: Result<Query<Part>, QueryRejection>,
) -> Response {
    part_of("alerts", pieces::alerts, &state, &access, part).await
}

/// The id in a path.
#[derive(IntoParams)]
#[into_params(parameter_in = Path)]
#[expect(dead_code, reason = "it describes what `one_alert` reads")]
pub(super) struct AlertId {
    /// The alert's id.
    id: String,
}

#[utoipa::path(
    get,
    path = "/api/v1/alerts/{id}",
    tag = "alerts",
    summary = "One alert that fires now",
    params(AlertId),
    responses(
        (status = 200, description = "the alert", body = Alert),
        (status = 404, description = "no alert of that id fires", body = Error),
        (status = 503, description = BUSY, body = Error),
    )
)]
pub(super) async fn one_alert(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let none = || error(StatusCode::NOT_FOUND, "no alert of that id fires");
    let Ok(Path(id)) = id else { return none() };
    let snapshot = state.snapshot();
    let make = move || Alert::find(&snapshot, &id, &access.base).map(|alert| line(&alert));
    match state.lanes.pages.run(make).await {
        Ok(Some(text)) => json(StatusCode::OK, text),
        Ok(None) => none(),
        Err(why) => not_made(why),
    }
}
