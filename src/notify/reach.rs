//! Which receivers cannot be reached, as their workers find out and the heartbeat asks.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A receiver that has taken nothing for longer cannot be reached, as far as the heartbeat is concerned.
const LONGEST_FAILURE: Duration = Duration::from_hours(1);

/// What is known of how the receivers can be reached; all clones share it. A receiver to which nothing has to be sent counts
/// as one that can be reached.
#[derive(Debug, Clone, Default)]
pub(super) struct Reach(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    /// The receivers that take nothing.
    failing: BTreeMap<String, Failing>,
    /// Why the canary is missing, if it is.
    canary: Option<String>,
}

/// A receiver that takes nothing.
#[derive(Debug)]
struct Failing {
    /// When the first attempt failed.
    since: Instant,
    /// Whether a notification for it was queued more than an hour ago, perhaps before a restart.
    is_behind: bool,
}

impl Reach {
    /// Takes note that the receiver takes nothing.
    pub(super) fn fails(&self, receiver: &str, is_behind: bool) {
        let mut state = self.lock();
        let entry = state.failing.entry(receiver.to_owned());
        entry.or_insert_with(|| Failing { since: Instant::now(), is_behind }).is_behind = is_behind;
    }

    /// Takes note that the receiver takes what it is sent, or is no longer configured.
    pub(super) fn recovers(&self, receiver: &str) {
        self.lock().failing.remove(receiver);
    }

    /// The receivers that have not been reachable within the hour.
    pub(super) fn unreachable(&self) -> Vec<String> {
        let state = self.lock();
        let is_long = |failing: &Failing| failing.is_behind || failing.since.elapsed() > LONGEST_FAILURE;
        state.failing.iter().filter(|(_, failing)| is_long(failing)).map(|(receiver, _)| receiver.clone()).collect()
    }

    /// Takes note of why the canary is missing, or that it is not; returns whether it was.
    pub(super) fn canary(&self, missing: Option<String>) -> bool {
        std::mem::replace(&mut self.lock().canary, missing).is_some()
    }

    /// Why the canary is missing, if it is.
    pub(super) fn missing_canary(&self) -> Option<String> {
        self.lock().canary.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_receiver_is_unreachable_after_an_hour_of_failures() {
        let reach = Reach::default();
        reach.fails("a", false);
        tokio::time::advance(Duration::from_mins(59)).await;
        reach.fails("a", false);
        reach.fails("b", true);
        assert_eq!(reach.unreachable(), ["b"], "what waits for `b` has waited since before the start");
        tokio::time::advance(Duration::from_mins(2)).await;
        assert_eq!(reach.unreachable(), ["a", "b"]);
        reach.recovers("a");
        reach.fails("a", false);
        assert_eq!(reach.unreachable(), ["b"]);
    }
}
