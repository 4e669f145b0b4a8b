//! The JSON API: the snapshot that the page and the metrics show too, and the history. `openapi.json` describes it, and
//! a test compares the answers with it. No answer holds a token value, the name of a user or an e-mail address.

use std::sync::Arc;

use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State as Extract};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::alert::{Firing, runbook};
use crate::belief::{Attempts, PermissionState};
use crate::cli::since;
use crate::http_server::{Access, NotMade};
use crate::state::{HistoryQuery, Snapshot, TokenSnapshot};
use crate::system::clock;

use super::state::{State, TokenPath, position, request_check};

/// The description of this API, as OpenAPI 3.
const OPENAPI: &str = include_str!("openapi.json");
/// How many transitions one answer has unless the query has a limit.
const TRANSITIONS: u32 = 100;
/// The highest limit of a query.
const MOST_TRANSITIONS: u32 = 1000;
/// In characters: the longest name that the configuration accepts.
const LONGEST_NAME: usize = 100;
/// In bytes: more than the longest moment or duration takes.
const LONGEST_MOMENT: usize = 64;

/// The paths of the API.
pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/api/v1/tokens", get(tokens))
        .route("/api/v1/tokens/{tenant}/{token_name}", get(one_token))
        .route("/api/v1/tokens/{tenant}/{token_name}/check", post(check))
        .route("/api/v1/transitions", get(transitions))
        .route("/api/v1/alerts", get(alerts))
        .route("/api/v1/openapi.json", get(async || ([(header::CONTENT_TYPE, "application/json")], OPENAPI)))
}

/// A JSON answer of that status.
fn answer(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{value}\n")).into_response()
}

/// A JSON answer that says what is wrong.
pub(super) fn error(status: StatusCode, error: &str) -> Response {
    answer(status, &json!({ "error": error }))
}

/// An answer that was made on a lane, or the answer that says why it was not made.
fn made(made: Result<Value, NotMade>) -> Response {
    made.map_or_else(not_made, |value| answer(StatusCode::OK, &value))
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

async fn tokens(Extract(state): Extract<State>) -> Response {
    match state.lanes.pages.body(Tokens::new(state.snapshot())).await {
        Ok(body) => ([(header::CONTENT_TYPE, "application/json")], body).into_response(),
        Err(why) => not_made(why),
    }
}

async fn one_token(Extract(state): Extract<State>, path: TokenPath) -> Response {
    let snapshot = state.snapshot();
    let Some(index) = position(&snapshot, path) else { return no_such_token() };
    made(state.lanes.pages.run(move || detail(&snapshot, &snapshot.tokens[index])).await)
}

async fn check(Extract(state): Extract<State>, path: TokenPath) -> Response {
    let snapshot = state.snapshot();
    let Some(index) = position(&snapshot, path) else { return no_such_token() };
    let id = snapshot.tokens[index].token.id();
    let due = json!({ "tenant": id.tenant, "token_name": id.token_name, "check": "due" });
    match request_check(&state, id).await {
        Ok(()) => answer(StatusCode::ACCEPTED, &due),
        Err(why) => error(StatusCode::SERVICE_UNAVAILABLE, why),
    }
}

/// The query parameters that select transitions.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TransitionsQuery {
    tenant: Option<String>,
    token_name: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<u32>,
}

async fn transitions(
    Extract(state): Extract<State>,
    query: Result<Query<TransitionsQuery>, QueryRejection>,
) -> Response {
    let query = match query {
        Ok(Query(query)) => query,
        Err(rejection) => return error(StatusCode::BAD_REQUEST, &rejection.body_text()),
    };
    for (key, name) in [("tenant", &query.tenant), ("token_name", &query.token_name)] {
        if name.as_ref().is_some_and(|name| name.chars().count() > LONGEST_NAME) {
            return error(StatusCode::BAD_REQUEST, &format!("{key}: longer than any name, which has 100 characters"));
        }
    }
    for (key, moment) in [("since", &query.since), ("until", &query.until)] {
        if moment.as_ref().is_some_and(|moment| moment.len() > LONGEST_MOMENT) {
            return error(StatusCode::BAD_REQUEST, &format!("{key}: longer than any moment or duration"));
        }
    }
    let moment = |key: &str, text: Option<String>| match text.as_deref().map(since).transpose() {
        Ok(since) => Ok(since.and_then(|since| since.moment(clock::now()))),
        Err(why) => Err(format!("{key}: {why}")),
    };
    let (since, until) = match (moment("since", query.since), moment("until", query.until)) {
        (Ok(since), Ok(until)) => (since, until),
        (Err(why), _) | (_, Err(why)) => return error(StatusCode::BAD_REQUEST, &why),
    };
    let limit = query.limit.unwrap_or(TRANSITIONS);
    if !(1..=MOST_TRANSITIONS).contains(&limit) {
        return error(StatusCode::BAD_REQUEST, &format!("limit: expected a number from 1 to {MOST_TRANSITIONS}"));
    }
    let query = HistoryQuery { tenant: query.tenant, token_name: query.token_name, since, until, newest: Some(limit) };
    let make = |lines: Result<_, String>| lines.map(|lines: Vec<_>| json!({ "transitions": lines }));
    match state.history.read(&state.lanes.history, query, make).await {
        Ok(Ok(value)) => answer(StatusCode::OK, &value),
        Ok(Err(why)) => error(StatusCode::SERVICE_UNAVAILABLE, &format!("the history cannot be read: {why}")),
        Err(why) => not_made(why),
    }
}

async fn alerts(Extract(state): Extract<State>, Extension(access): Extension<Arc<Access>>) -> Response {
    let snapshot = state.snapshot();
    made(state.lanes.pages.run(move || firing(&snapshot, &access.base)).await)
}

/// Every alert that fires, for the fleet, the tenants and the tokens.
fn firing(snapshot: &Snapshot, base: &str) -> Value {
    let all = snapshot.firing().map(|(of, firing)| {
        let mut value = alert(firing);
        value["tenant"] = json!(of.tenant());
        value["token_name"] = json!(of.token_name());
        value["shown_by"] = json!(firing.message.shown_by);
        value["security_group"] = json!(firing.message.security_group);
        value["profile"] = json!(firing.message.profile);
        value["runbook"] = runbook(base, firing.alert).into();
        value
    });
    json!({ "alerts": all.collect::<Vec<_>>() })
}

/// How many tokens are written into one piece of the answer.
const TOKENS_PER_PIECE: usize = 100;

/// The answer `{"tokens": [...]}` for one snapshot, as an iterator over its pieces.
#[derive(Debug)]
pub(super) struct Tokens {
    snapshot: Arc<Snapshot>,
    /// The index of the token with which the next piece begins.
    next: usize,
    ended: bool,
}

impl Tokens {
    pub(super) fn new(snapshot: Arc<Snapshot>) -> Self {
        Self { snapshot, next: 0, ended: false }
    }
}

impl Iterator for Tokens {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let tokens = &self.snapshot.tokens;
        let end = tokens.len().min(self.next + TOKENS_PER_PIECE);
        let mut piece = if self.next == 0 { "{\"tokens\":[".to_owned() } else { String::new() };
        for (index, entry) in tokens.iter().enumerate().take(end).skip(self.next) {
            if index > 0 {
                piece.push(',');
            }
            piece.push_str(&token(entry).to_string());
        }
        self.next = end;
        if end == tokens.len() {
            piece.push_str("]}\n");
            self.ended = true;
        }
        Some(piece.into())
    }
}

/// What the API shows of every token.
fn token(entry: &TokenSnapshot) -> Value {
    let TokenSnapshot { token, status, firing, .. } = entry;
    let attempts = |attempts: &Attempts| {
        json!({
            "last_attempt": attempts.last_attempt,
            "last_success": attempts.last_success,
            "failures": attempts.failures,
            "reason": attempts.reason,
        })
    };
    let excess = status.audit.as_ref().map(|audit| {
        let excess = audit.excess(token).map(|excess| {
            let (permission, shown_by) = (excess.permission.name(), excess.shown_by(&token.tenant));
            json!({ "permission": permission, "answer": excess.answer, "shown_by": shown_by })
        });
        excess.collect::<Vec<_>>()
    });
    json!({
        "tenant": token.tenant.name,
        "token_name": token.name,
        "subdomain": token.tenant.subdomain,
        "profile": token.profile_name(),
        "health": entry.health().as_str(),
        "state": status.state.as_str(),
        "since": status.since,
        "unreadable": status.unreadable.as_ref().map(ToString::to_string),
        "expires": token.expires,
        "auto_rotated": token.auto_rotated,
        "fingerprint": status.fingerprint,
        "security_group": status.security_group(),
        "global_admin": status.user.as_ref().and_then(|user| user.admin.granted),
        "checks": {
            "validity": attempts(&status.validity),
            "permissions": attempts(&status.permission_checks),
        },
        "permissions": permissions(entry),
        "excess": excess,
        "alerts": firing.iter().map(alert).collect::<Vec<_>>(),
    })
}

/// What the API shows of a token in the answer about that token alone.
fn detail(snapshot: &Snapshot, entry: &TokenSnapshot) -> Value {
    let mut value = token(entry);
    let rights = entry.status.rights.iter().filter_map(|right| {
        let granted = right.belief.granted?;
        Some(json!({ "right": right.right.as_str(), "held": granted, "since": right.belief.since }))
    });
    let notices = entry.token.expiry_notices(&snapshot.expiry_notice);
    let asked = entry.asked.iter().map(|asked| {
        json!({
            "method": asked.method.as_str(),
            "path": asked.path,
            "at": asked.at,
            "status": asked.status,
            "reason": asked.reason,
            "seconds": asked.took.as_secs_f64(),
        })
    });
    value["rights"] = rights.collect();
    value["notices"] = notices.map(|(_, at)| json!(at)).collect();
    value["asked"] = asked.collect();
    value["security_group_problem"] = json!(entry.status.group_problem());
    value
}

/// Every wanted permission, with its state and what shows it.
fn permissions(entry: &TokenSnapshot) -> Vec<Value> {
    let wanted = entry.token.wanted.iter().map(|wanted| {
        let permission = entry.status.of_permission(wanted.permission);
        let state = entry.status.permission_state(wanted.permission);
        let shown = permission.filter(|permission| permission.belief.granted.is_some());
        json!({
            "permission": wanted.permission,
            "required": wanted.required,
            "state": state.as_str(),
            "since": shown.map(|permission| permission.belief.since),
            "evidence": shown.map(|permission| permission.evidence),
            "answer": shown.and_then(|permission| permission.answer),
            "shown_by": shown.and_then(|permission| permission.shown_by(&entry.token.tenant)),
            "cause": permission.filter(|_| state == PermissionState::Missing).map(|permission| permission.cause),
        })
    });
    wanted.collect()
}

/// What the API shows of a firing alert, wherever it is shown.
fn alert(firing: &Firing) -> Value {
    json!({
        "alert": firing.alert.as_str(),
        "severity": firing.severity,
        "since": firing.since,
        "permission": firing.message.permission,
        "right": firing.message.right,
        "cause": firing.message.cause,
        "evidence": firing.message.evidence,
        "message": firing.message.text,
    })
}
