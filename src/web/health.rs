//! Whether the daemon is alive and has checked every token once.

use std::time::Duration;

use axum::extract::State as Extract;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use chrono::TimeDelta;

use crate::system::clock;

use super::state::State;

/// The loop turns every second; after so long without a turn it is stuck.
const LONGEST_TURN: Duration = Duration::from_secs(15);
/// A tick that lies so far ahead was made before the clock was set back.
const FUTURE: TimeDelta = TimeDelta::seconds(15);

pub(super) async fn healthy(Extract(state): Extract<State>) -> Response {
    let (beat, tick) = {
        let snapshot = state.snapshots.borrow();
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

pub(super) async fn ready(Extract(state): Extract<State>) -> Response {
    let snapshot = state.snapshot();
    if snapshot.first_sweep_done {
        return (StatusCode::OK, "every token has been looked at\n").into_response();
    }
    let looked_at = snapshot.tokens.iter().filter(|token| token.status.validity.last_attempt.is_some()).count();
    let text = format!("{looked_at} of {} tokens have been looked at\n", snapshot.tokens.len());
    (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
}
