//! A few slots, and two queues for them: what has been begun comes before what is new, so that a flood of new requests
//! cannot stop a long answer before its end.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

/// The slots of one lane.
#[derive(Debug, Clone)]
pub(super) struct Slots(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    /// How many slots are free.
    free: usize,
    /// Those that wait with something that has been begun: as many as there are connections at most.
    begun: VecDeque<oneshot::Sender<Slot>>,
    /// Those that wait with something new.
    new: VecDeque<oneshot::Sender<Slot>>,
    /// How many may wait with something new.
    most_new: usize,
}

/// One slot, which is free again when this is dropped.
#[derive(Debug)]
pub(super) struct Slot(Slots);

impl Slots {
    /// `count` slots, and `most_new` requests that may wait for them with something new.
    pub(super) fn new(count: usize, most_new: usize) -> Self {
        let state = State { free: count, begun: VecDeque::new(), new: VecDeque::new(), most_new };
        Self(Arc::new(Mutex::new(state)))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot for something new; `None` at once if too many wait, or if none is free within `patience`.
    pub(super) async fn for_new(&self, patience: Duration) -> Option<Slot> {
        let waiting = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Some(Slot(self.clone()));
            }
            // Whoever has disconnected or given up waits no longer.
            state.new.retain(|waiting| !waiting.is_closed());
            if state.new.len() >= state.most_new {
                return None;
            }
            let (slot, waiting) = oneshot::channel();
            state.new.push_back(slot);
            waiting
        };
        timeout(patience, waiting).await.ok()?.ok()
    }

    /// A slot for something that has been begun; `None` if none is free within `patience`.
    pub(super) async fn for_begun(&self, patience: Duration) -> Option<Slot> {
        let waiting = {
            let mut state = self.lock();
            if state.free > 0 {
                state.free -= 1;
                return Some(Slot(self.clone()));
            }
            let (slot, waiting) = oneshot::channel();
            state.begun.push_back(slot);
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
            // Whoever has disconnected does not take it: then it is dropped, and passes to the next.
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
    async fn what_has_been_begun_comes_first_and_each_queue_is_in_order() {
        let slots = Slots::new(1, 2);
        let taken = slots.for_new(PATIENCE).await.unwrap();
        let (mut first, mut second) = (pin!(slots.for_new(PATIENCE)), pin!(slots.for_new(PATIENCE)));
        assert!(first.as_mut().now_or_never().is_none() && second.as_mut().now_or_never().is_none());
        assert!(slots.for_new(PATIENCE).now_or_never().unwrap().is_none(), "too many wait: refused at once");
        let mut begun = pin!(slots.for_begun(PATIENCE));
        assert!(begun.as_mut().now_or_never().is_none());
        drop(taken);
        assert!(first.as_mut().now_or_never().is_none());
        let slot = begun.await.unwrap();
        drop(slot);
        let slot = first.await.unwrap();
        assert!(second.as_mut().now_or_never().is_none());
        drop(slot);
        assert!(second.await.is_some());
        assert_eq!(slots.lock().free, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_or_disconnects_takes_no_slot() {
        let slots = Slots::new(1, 1);
        let taken = slots.for_new(PATIENCE).await.unwrap();
        assert!(slots.for_new(PATIENCE).await.is_none() && slots.for_begun(PATIENCE).await.is_none());
        assert!(slots.for_new(PATIENCE).await.is_none(), "who has given up does not count");
        {
            let mut disconnected = pin!(slots.for_begun(PATIENCE));
            assert!(disconnected.as_mut().now_or_never().is_none());
            drop(taken);
        }
        assert_eq!(slots.lock().free, 1, "it was handed to somebody who had disconnected");
    }
}
