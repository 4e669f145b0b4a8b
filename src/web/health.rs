//! Whether the daemon is healthy, and whether it has checked every token once.

use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use crate::state::stalled;
use crate::system::clock;

use super::state::State;

/// 200 while the loop turns, otherwise 503 and why.
pub(super) async fn healthy(Extract(state): Extract<State>) -> Response {
    match stalled(&state.snapshots.borrow(), clock::now()) {
        None => (StatusCode::OK, "the loop turns\n").into_response(),
        Some(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("{why}\n")).into_response(),
    }
}

/// 200 once every token has been checked, otherwise 503 and how many have been.
pub(super) async fn ready(Extract(state): Extract<State>) -> Response {
    let snapshot = state.snapshot();
    if snapshot.first_sweep_done {
        return (StatusCode::OK, "every token has been checked\n").into_response();
    }
    let all = snapshot.tokens.len();
    let text = format!("{} of {all} tokens have been checked\n", all - snapshot.unchecked);
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}
