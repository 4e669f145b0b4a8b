//! A few places, and two queues for them: what has been begun goes before what is new, so that a flood of new requests
//! cannot keep a long answer from its end.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

/// The places.
#[derive(Debug, Clone)]
pub(super) struct Slots(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    free: usize,
    /// Who waits with something that has been begun. There are as many as connections at most.
    begun: VecDeque<oneshot::Sender<Slot>>,
    /// Who waits with something new.
    new: VecDeque<oneshot::Sender<Slot>>,
    most_new: usize,
}

/// One place, until it is dropped.
#[derive(Debug)]
pub(super) struct Slot(Slots);

impl Slots {
    /// So many places, and so many who may wait for them with something new.
    pub(super) fn new(count: usize, most_new: usize) -> Self {
        let state = State { free: count, begun: VecDeque::new(), new: VecDeque::new(), most_new };
        Self(Arc::new(Mutex::new(state)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for something new; `None` at once where too many wait, and where there is none within `patience`.
    pub(super) async fn for_new(&self, patience: Duration) -> Option<Slot> {
        let waiting = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Some(Slot(self.clone()));
            }
            // Who has gone away or given up waits no longer.
            state.new.retain(|waiting| !waiting.is_closed());
            if state.new.len() >= state.most_new {
                return None;
            }
            let (place, waiting) = oneshot::channel();
            state.new.push_back(place);
            waiting
        };
        timeout(patience, waiting).await.ok()?.ok()
    }

    /// A place for something that has been begun; `None` where there is none within `patience`.
    pub(super) async fn for_begun(&self, patience: Duration) -> Option<Slot> {
        let waiting = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Some(Slot(self.clone()));
            }
            let (place, waiting) = oneshot::channel();
            state.begun.push_back(place);
            waiting
        };
        timeout(patience, waiting).await.ok()?.ok()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let next = {
            let mut state = self.0.lock();
            let next = state.begun.pop_front().or_else(|| state.new.pop_front());
            state.free += usize::from(next.is_none());
            next
        };
        if let Some(next) = next {
            // Who has gone away does not take it: then it is dropped, and goes to the next.
            next.send(Self(self.0.clone())).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;

    use futures_util::FutureExt;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(5);

    #[tokio::test(start_paused = true)]
    async fn what_has_been_begun_goes_first_and_each_queue_in_order() {
        let places = Slots::new(1, 2);
        let taken = places.for_new(PATIENCE).await.unwrap();
        let (mut first, mut second) = (pin!(places.for_new(PATIENCE)), pin!(places.for_new(PATIENCE)));
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        assert!(places.for_new(PATIENCE).now_or_never().unwrap().is_none(), "too many wait: refused at once");
        let mut begun = pin!(places.for_begun(PATIENCE));
        assert!(begun.as_mut().now_or_never().is_none());
        drop(taken);
        assert!(first.as_mut().now_or_never().is_none());
        let place = begun.await.unwrap();
        drop(place);
        let place = first.await.unwrap();
        assert!(second.as_mut().now_or_never().is_none());
        drop(place);
        assert!(second.await.is_some());
        assert_eq!(places.lock().free, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_or_goes_away_keeps_no_place() {
        let places = Slots::new(1, 1);
        let taken = places.for_new(PATIENCE).await.unwrap();
        assert!(places.for_new(PATIENCE).await.is_none() && places.for_begun(PATIENCE).await.is_none());
        assert!(places.for_new(PATIENCE).await.is_none(), "who has given up does not count");
        {
            let mut goes = pin!(places.for_begun(PATIENCE));
            assert!(goes.as_mut().now_or_never().is_none());
            drop(taken);
        }
        assert_eq!(places.lock().free, 1, "it was handed to somebody who went away");
    }
}
