//! The connections that there are. When there is no room for one more, the one that has been idle longest goes, so that
//! nobody can shut others out by opening connections and sending nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// An answer takes less, even the metrics of thousands of tokens over a slow line; a longer one may have to go too.
pub(super) const LONGEST_ANSWER: Duration = Duration::from_mins(1);

/// What is known of all connections.
#[derive(Debug, Clone, Default)]
pub(super) struct Connections(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    next: u64,
    /// Idle ones first, each kind by how long it has been so.
    known: BTreeMap<(bool, u64), (Instant, CancellationToken)>,
}

/// One connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    all: Connections,
    place: Mutex<(bool, u64)>,
    /// Cancelled when it has to go.
    pub(super) goes: CancellationToken,
}

/// A request is being answered, until it is dropped.
#[derive(Debug)]
pub(super) struct Busy(Arc<Connection>);

impl Connections {
    fn with<T>(&self, act: impl FnOnce(&mut Open) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// One more, idle as yet.
    pub(super) fn add(&self) -> Arc<Connection> {
        let goes = CancellationToken::new();
        let place = self.with(|open| open.enter(false, goes.clone()));
        Arc::new(Connection { all: self.clone(), place: Mutex::new(place), goes })
    }

    /// Makes room by ending the connection that has been idle longest, or else one that takes too long.
    pub(super) fn make_room(&self) {
        self.with(|open| {
            let Some((place, (since, goes))) = open.known.first_key_value() else { return };
            if !place.0 || since.elapsed() > LONGEST_ANSWER {
                goes.cancel();
                let place = *place;
                open.known.remove(&place);
            }
        });
    }
}

impl Open {
    fn enter(&mut self, is_busy: bool, goes: CancellationToken) -> (bool, u64) {
        let place = (is_busy, self.next);
        self.next += 1;
        self.known.insert(place, (Instant::now(), goes));
        place
    }
}

impl Connection {
    fn becomes(&self, is_busy: bool) {
        let mut place = self.place.lock().unwrap_or_else(PoisonError::into_inner);
        self.all.with(|open| {
            // One that has to go is in no place any more.
            if let Some((_, goes)) = open.known.remove(&place) {
                *place = open.enter(is_busy, goes);
            }
        });
    }

    /// Whether a request is being answered.
    pub(super) fn is_busy(&self) -> bool {
        self.place.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// A request has come; the connection is idle again when what is returned is dropped.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        self.becomes(true);
        Busy(Arc::clone(self))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.becomes(false);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let place = *self.place.lock().unwrap_or_else(PoisonError::into_inner);
        self.all.with(|open| open.known.remove(&place));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_goes_first_and_a_busy_one_only_if_it_takes_too_long() {
        let all = Connections::default();
        let [first, second, third] = [all.add(), all.add(), all.add()];
        let answering = first.busy();
        all.make_room();
        assert!(second.goes.is_cancelled() && !first.goes.is_cancelled() && !third.goes.is_cancelled());
        let also_answering = third.busy();
        all.make_room();
        assert!(!first.goes.is_cancelled() && !third.goes.is_cancelled(), "both answer");
        drop(answering);
        all.make_room();
        assert!(first.goes.is_cancelled(), "it is idle again");
        tokio::time::advance(LONGEST_ANSWER * 2).await;
        all.make_room();
        assert!(third.goes.is_cancelled());
        drop((also_answering, first, second, third));
        assert!(all.with(|open| open.known.is_empty()));
    }
}
