//! The open connections. When there is no room for one more, the one that has been idle longest is evicted, so that
//! nobody can shut others out by opening connections and sending nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// An answer takes less time, even the metrics of thousands of tokens over a slow line; a connection whose answer takes
/// longer may be evicted too.
pub(super) const LONGEST_ANSWER: Duration = Duration::from_mins(1);

/// An answer that takes longer ends unfinished: what it is made from is kept in memory so long, however old it is by then.
const LONGEST_READ: Duration = Duration::from_mins(5);

/// All open connections of one server.
#[derive(Debug, Clone, Default)]
pub(super) struct Connections(Arc<Mutex<Open>>);

#[derive(Debug, Default)]
struct Open {
    /// The number of the next entry.
    next: u64,
    /// Since when each connection is idle or busy, and what evicts it; idle ones first, each kind in the order of time.
    entries: BTreeMap<(bool, u64), (Instant, CancellationToken)>,
}

/// One connection, which leaves the others when it is dropped.
#[derive(Debug)]
pub(super) struct Connection {
    all: Connections,
    /// Its key among the entries: whether it is busy, and the number of its entry.
    key: Mutex<(bool, u64)>,
    /// Cancelled when the connection is evicted.
    pub(super) evicted: CancellationToken,
}

/// A request that is being answered on a connection, until this is dropped.
#[derive(Debug)]
pub(super) struct Busy(Arc<Connection>);

impl Connections {
    fn with<T>(&self, act: impl FnOnce(&mut Open) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Adds a connection, which is idle at first.
    pub(super) fn add(&self) -> Arc<Connection> {
        let evicted = CancellationToken::new();
        let key = self.with(|open| open.enter(false, evicted.clone()));
        Arc::new(Connection { all: self.clone(), key: Mutex::new(key), evicted })
    }

    /// Makes room by evicting the connection that has been idle longest, or else the one whose answer has taken too
    /// long.
    pub(super) fn make_room(&self) {
        self.with(|open| {
            let Some((key, (since, evicted))) = open.entries.first_key_value() else { return };
            if !key.0 || since.elapsed() > LONGEST_ANSWER {
                evicted.cancel();
                let key = *key;
                open.entries.remove(&key);
            }
        });
    }
}

impl Open {
    fn enter(&mut self, is_busy: bool, evicted: CancellationToken) -> (bool, u64) {
        let key = (is_busy, self.next);
        self.next += 1;
        self.entries.insert(key, (Instant::now(), evicted));
        key
    }
}

impl Connection {
    fn set_busy(&self, is_busy: bool) {
        let mut key = self.key.lock().unwrap_or_else(PoisonError::into_inner);
        self.all.with(|open| {
            // A connection that is being evicted has no entry any more.
            if let Some((_, evicted)) = open.entries.remove(&key) {
                *key = open.enter(is_busy, evicted);
            }
        });
    }

    /// Whether a request is being answered on it.
    pub(super) fn is_busy(&self) -> bool {
        self.key.lock().unwrap_or_else(PoisonError::into_inner).0
    }

    /// Waits until an answer on it takes too long.
    pub(super) async fn overdue(&self) {
        loop {
            let key = *self.key.lock().unwrap_or_else(PoisonError::into_inner);
            let since = self.all.with(|open| open.entries.get(&key).map(|(since, _)| *since)).filter(|_| key.0);
            let left = LONGEST_READ.saturating_sub(since.map_or(Duration::ZERO, |since| since.elapsed()));
            if left.is_zero() {
                return;
            }
            sleep(left).await;
        }
    }

    /// Marks the connection as busy with a request; it is idle again when what is returned is dropped.
    pub(super) fn busy(self: &Arc<Self>) -> Busy {
        self.set_busy(true);
        Busy(Arc::clone(self))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.set_busy(false);
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        let key = *self.key.lock().unwrap_or_else(PoisonError::into_inner);
        self.all.with(|open| open.entries.remove(&key));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_longest_idle_is_evicted_first_and_a_busy_one_only_if_its_answer_takes_too_long() {
        let all = Connections::default();
        let [first, second, third] = [all.add(), all.add(), all.add()];
        let answering = first.busy();
        all.make_room();
        assert!(second.evicted.is_cancelled() && !first.evicted.is_cancelled() && !third.evicted.is_cancelled());
        let also_answering = third.busy();
        all.make_room();
        assert!(!first.evicted.is_cancelled() && !third.evicted.is_cancelled(), "both answer");
        drop(answering);
        all.make_room();
        assert!(first.evicted.is_cancelled(), "it is idle again");
        tokio::time::advance(LONGEST_ANSWER * 2).await;
        all.make_room();
        assert!(third.evicted.is_cancelled());
        drop((also_answering, first, second, third));
        assert!(all.with(|open| open.entries.is_empty()));
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_that_is_read_too_slowly_is_overdue_and_an_idle_connection_never() {
        let all = Connections::default();
        let (idle, reading) = (all.add(), all.add());
        tokio::time::advance(LONGEST_READ / 2).await;
        let start = Instant::now();
        let answering = reading.busy();
        reading.overdue().await;
        assert_eq!(start.elapsed(), LONGEST_READ);
        assert!(tokio::time::timeout(LONGEST_READ * 3, idle.overdue()).await.is_err());
        drop((answering, reading, idle));
        assert!(all.with(|open| open.entries.is_empty()));
    }
}
