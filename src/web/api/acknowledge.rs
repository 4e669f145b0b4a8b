//! What answers a request to take an alert on, or to give it back.

use std::sync::Arc;

use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use axum::{Extension, Json};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::alert::Acknowledgement;
use crate::http_server::Access;
use crate::system::clock;

use super::super::state::{NotAcknowledged, State, request_acknowledgement};
use super::alert_views::Alert;
use super::handlers::{AlertId, error, json};
use super::views::{Error, line};

/// Who takes an alert on, why, and until when.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// Who takes it on.
    #[serde(default)]
    #[schema(required, min_length = 1, max_length = 100)]
    by: String,
    /// Why it may wait.
    #[serde(default)]
    #[schema(required, min_length = 1, max_length = 500)]
    reason: String,
    /// Until when: a moment in the future, at most 90 days away.
    #[serde(default)]
    #[schema(required, value_type = DateTime<Utc>)]
    until: String,
}

/// Reads the end of an acknowledgement.
///
/// # Errors
/// What is wrong with it, and what is allowed.
fn moment(until: &str) -> Result<DateTime<Utc>, String> {
    let allowed = "say until when, such as 2026-11-30T08:00:00Z";
    if until.is_empty() {
        return Err(format!("until: it is missing; {allowed}"));
    }
    let moment = DateTime::parse_from_rfc3339(until);
    moment
        .map(|moment| moment.to_utc())
        .map_err(|_| format!("until: it is no date with a time and an offset; {allowed}"))
}

#[utoipa::path(
    post,
    path = "/api/v1/alerts/{id}/acknowledge",
    tag = "alerts",
    summary = "Take an alert on: nobody is reminded of it or paged for it until a moment, or until it becomes worse",
    params(AlertId),
    request_body = Wanted,
    responses(
        (status = 200, description = "the alert, as it is now", body = Alert),
        (status = 400, description = "the body is no JSON", body = Error),
        (status = 404, description = "no alert of that id fires", body = Error),
        (status = 410, description = "the alert has just ended", body = Error),
        (status = 413, description = "the body is too long", body = Error),
        (status = 415, description = "the content type is not `application/json`", body = Error),
        (status = 422, description = "what is missing or not allowed", body = Error),
        (status = 503, description = "it cannot be persisted, or the daemon is stopping", body = Error),
    )
)]
pub(super) async fn acknowledge(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    id: Result<Path<String>, PathRejection>,
    wanted: Result<Json<Wanted>, JsonRejection>,
) -> Response {
    let Wanted { by, reason, until } = match wanted {
        Ok(Json(wanted)) => wanted,
        Err(rejection) => return error(rejection.status(), &rejection.body_text()),
    };
    let made = moment(&until).and_then(|until| {
        Acknowledgement::new(&by, &reason, until, clock::now()).map_err(|invalid| invalid.to_string())
    });
    match made {
        Ok(acknowledgement) => answer(&state, &access, id, Some(acknowledgement)).await,
        Err(why) => error(StatusCode::UNPROCESSABLE_ENTITY, &why),
    }
}

#[utoipa::path(
    delete,
    path = "/api/v1/alerts/{id}/acknowledge",
    tag = "alerts",
    summary = "Give an alert back that somebody has taken on",
    params(AlertId),
    responses(
        (status = 200, description = "the alert, as it is now", body = Alert),
        (status = 404, description = "no alert of that id fires", body = Error),
        (status = 410, description = "the alert has just ended", body = Error),
        (status = 503, description = "it cannot be persisted, or the daemon is stopping", body = Error),
    )
)]
pub(super) async fn unacknowledge(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    answer(&state, &access, id, None).await
}

async fn answer(
    state: &State,
    access: &Access,
    id: Result<Path<String>, PathRejection>,
    acknowledgement: Option<Acknowledgement>,
) -> Response {
    let id = match request_acknowledgement(state, id, acknowledgement).await {
        Ok(id) => id,
        Err(why) => return error(why.status(), &why.to_string()),
    };
    let snapshot = state.snapshot();
    match Alert::find(&snapshot, &id, &access.base) {
        Some(alert) => json(StatusCode::OK, line(&alert)),
        None => error(NotAcknowledged::ENDED.status(), &NotAcknowledged::ENDED.to_string()),
    }
}
