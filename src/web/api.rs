//! The JSON API: the snapshot that the page and the metrics show too, and the history. `views` and `alert_views` have what the answers hold
//! and `description` makes the OpenAPI document of it; a test compares the answers with that. No answer holds a token
//! value or an e-mail address, nor the name of a user where `user_names` forbids it.

mod acknowledge;
mod alert_views;
mod description;
mod handlers;
mod pieces;
mod queries;
mod report;
mod user;
mod users;
mod views;

use axum::Router;
use axum::routing::{get, post};

use super::state::State;
use acknowledge::{acknowledge, unacknowledge};
use description::openapi;
use handlers::{alerts, check, one_alert, one_token, tokens, transitions};

pub(super) use handlers::error;
#[cfg(any(test, fuzzing))]
pub(super) use queries::{Part, TransitionsQuery};
pub(super) use report::report;

/// The paths of the API.
pub(super) fn routes() -> Router<State> {
    Router::new()
        .route("/api/v1/tokens", get(tokens))
        .route("/api/v1/tokens/{tenant}/{token_name}", get(one_token))
        .route("/api/v1/tokens/{tenant}/{token_name}/check", post(check))
        .route("/api/v1/transitions", get(transitions))
        .route("/api/v1/alerts", get(alerts))
        .route("/api/v1/alerts/{id}", get(one_alert))
        .route("/api/v1/alerts/{id}/acknowledge", post(acknowledge).delete(unacknowledge))
        .route("/api/v1/users", get(users::answer))
        .route("/api/v1/report", get(report::answer))
        .route("/api/v1/openapi.json", get(openapi))
}
