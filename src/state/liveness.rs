//! Whether the loop turns, as the health check, the heartbeat and whoever else asks judge it.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::snapshot::Snapshot;

/// The loop turns every second; after this time without a turn it is stuck.
const LONGEST_TURN: Duration = Duration::from_secs(15);
/// A tick that lies farther ahead than this was made before the clock was set back.
const FUTURE: TimeDelta = TimeDelta::seconds(15);

/// Why the loop does not turn, as a sentence without its full stop; `None` if it does.
pub(crate) fn stalled(snapshot: &Snapshot, now: DateTime<Utc>) -> Option<String> {
    match (snapshot.beat, snapshot.last_tick) {
        // A tick in the future means that the clock was set back after it, and that no tick has followed since.
        (Some(beat), Some(tick)) if beat.age() <= LONGEST_TURN && tick - now <= FUTURE => None,
        (Some(beat), _) if beat.age() > LONGEST_TURN => {
            Some(format!("the loop has not turned for {} s", beat.age().as_secs()))
        }
        (Some(_), _) => Some("the loop has not turned since the clock was set back".to_owned()),
        (None, _) => Some("the loop has not turned yet".to_owned()),
    }
}
