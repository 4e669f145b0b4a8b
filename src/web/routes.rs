//! What is answered under which path.

use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::{Router, middleware};

use super::acknowledge::{acknowledge, unacknowledge};
use super::api;
use super::bounds::bounded;
use super::handlers::{asset, check, expiries, metrics, reload};
use super::health::{healthy, ready};
use super::pages::{alert, alerts, expiring, nothing, overview, report, runbook, tenant, token, user, users, wall};
use super::state::State;

/// In bytes: the longest form takes no more, every character percent-encoded.
const LONGEST_BODY: usize = 16 * 1024;

/// The router for everything that the daemon serves.
pub(crate) fn all(state: State) -> Router {
    Router::new()
        .route("/", get(overview))
        .route("/wall", get(wall))
        .route("/expiring", get(expiring))
        .route("/users", get(users))
        .route("/report", get(report))
        .route("/alerts", get(alerts))
        .route("/alerts/{id}", get(alert))
        .route("/tenants/{tenant}", get(tenant))
        .route("/tenants/{tenant}/users/{user}", get(user))
        .route("/tenants/{tenant}/tokens/{token_name}", get(token))
        .route("/tenants/{tenant}/tokens/{token_name}/check", post(check))
        .route("/alerts/{id}/acknowledge", post(acknowledge))
        .route("/alerts/{id}/unacknowledge", post(unacknowledge))
        .route("/static/{name}", get(asset))
        .route("/runbooks/{alert}", get(runbook))
        .route("/calendar.ics", get(expiries))
        .route("/metrics", get(metrics))
        .route("/-/reload", post(reload))
        .merge(api::routes())
        .fallback(nothing)
        .layer(middleware::from_fn(bounded))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .merge(health_routes())
        .with_state(state)
}

/// The router for the health of the daemon and nothing else, for an address of its own.
pub(crate) fn health(state: State) -> Router {
    health_routes().fallback(async || (StatusCode::NOT_FOUND, "only health is answered here\n")).with_state(state)
}

fn health_routes() -> Router<State> {
    Router::new().route("/-/healthy", get(healthy)).route("/-/ready", get(ready))
}
