//! What answers the forms by which people take an alert on, or give it back.

use std::sync::Arc;

use axum::extract::rejection::{FormRejection, PathRejection};
use axum::extract::{Path, State as Extract};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Form};
use serde::Deserialize;

use crate::alert::Acknowledgement;
use crate::cli::moment_ahead;
use crate::http_server::Access;
use crate::system::clock;

use super::answers::problem;
use super::state::{State, request_acknowledgement};

/// What a person has filled in.
#[derive(Debug, Deserialize)]
pub(super) struct Filled {
    #[serde(default)]
    by: String,
    #[serde(default)]
    reason: String,
    /// For how long, such as `3d`, or until when.
    #[serde(default)]
    until: String,
}

/// Takes an alert on, and leads back to where it is shown.
pub(super) async fn acknowledge(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    id: Result<Path<String>, PathRejection>,
    filled: Result<Form<Filled>, FormRejection>,
) -> Response {
    let refused = |status, why: &str| problem(&access, status, "Not acknowledged", &format!("Not done, {why}."));
    let Filled { by, reason, until } = match filled {
        Ok(Form(filled)) => filled,
        Err(rejection) => return refused(rejection.status(), &rejection.body_text()),
    };
    let now = clock::now();
    let made = moment_ahead(&until)
        .map_err(|why| format!("until: {why}"))
        .and_then(|until| until.moment(now).ok_or_else(|| "until: that is beyond all time".to_owned()))
        .and_then(|until| Acknowledgement::new(&by, &reason, until, now).map_err(|why| why.to_string()));
    match made {
        Ok(acknowledgement) => carry_out(&state, &access, id, Some(acknowledgement)).await,
        Err(why) => refused(StatusCode::UNPROCESSABLE_ENTITY, &why),
    }
}

/// Gives an alert back, and leads back to where it is shown.
pub(super) async fn unacknowledge(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    carry_out(&state, &access, id, None).await
}

async fn carry_out(
    state: &State,
    access: &Access,
    id: Result<Path<String>, PathRejection>,
    acknowledgement: Option<Acknowledgement>,
) -> Response {
    let refused = |status, why: &str| problem(access, status, "Not acknowledged", &format!("Not done, {why}."));
    match request_acknowledgement(state, id, acknowledgement).await {
        Err(why) => refused(why.status(), &why.to_string()),
        Ok(id) => {
            // Its page says what has happened to it, this among it.
            let page = format!("{}/alerts/{id}", access.base);
            (StatusCode::SEE_OTHER, [(header::LOCATION, page)]).into_response()
        }
    }
}
