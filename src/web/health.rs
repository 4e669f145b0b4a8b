//! Whether the daemon is healthy, and whether it has checked every token once.

use std::time::Duration;

use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;

use crate::system::clock;

use super::state::State;

/// The loop turns every second; after this time without a turn it is stuck.
const LONGEST_TURN: Duration = Duration::from_secs(15);
/// A tick that lies farther ahead than this was made before the clock was set back.
const FUTURE: TimeDelta = TimeDelta::seconds(15);

/// 200 while the loop turns, otherwise 503 and why.
pub(super) async fn healthy(Extract(state): Extract<State>) -> Response {
    let (beat, tick) = {
        let snapshot = state.snapshots.borrow();
        (snapshot.beat, snapshot.last_tick)
    };
    let failing = |text: String| (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    match (beat, tick) {
        // A tick in the future means that the clock was set back after it, and that no tick has followed since.
        (Some(beat), Some(tick)) if beat.age() <= LONGEST_TURN && tick - clock::now() <= FUTURE => {
            (StatusCode::OK, "the loop turns\n").into_response()
        }
        (Some(beat), _) if beat.age() > LONGEST_TURN => {
            failing(format!("the loop has not turned for {} s\n", beat.age().as_secs()))
        }
        (Some(_), _) => failing("the loop has not turned since the clock was set back\n".to_owned()),
        (None, _) => failing("the loop has not turned yet\n".to_owned()),
    }
}

/// 200 once every token has been checked, otherwise 503 and how many have been.
pub(super) async fn ready(Extract(state): Extract<State>) -> Response {
    let snapshot = state.snapshot();
    if snapshot.first_sweep_done {
        return (StatusCode::OK, "every token has been checked\n").into_response();
    }
    let checked = snapshot.tokens.iter().filter(|token| token.status.validity.last_attempt.is_some()).count();
    let text = format!("{checked} of {} tokens have been checked\n", snapshot.tokens.len());
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}
