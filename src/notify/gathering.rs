//! When what waits for people is sent: what begins within a while is one message, and so is what the first sweep of all
//! finds. The moments are those of the runtime, which a test can pause.

use std::time::Duration;

use tokio::time::Instant;

use crate::alert::Change;
use crate::config::{Audience, Receiver};
use crate::state::Delivery;

use super::queue::Queue;
use super::updates::Updates;

/// The longest that what is found by the first sweep waits for its end.
const LONGEST_SWEEP: Duration = Duration::from_mins(5);

/// The first sweep after the very first start, as far as it matters to who is notified.
#[derive(Debug, Clone, Copy, Default)]
pub struct FirstSweep {
    /// Whether the store was made by this start, so that everything that is wrong is found at once.
    pub is_first_start: bool,
    /// How long after the last check of the sweep what it found may be notified of: it is confirmed first.
    pub confirmed_after: Duration,
}

/// The windows of one receiver in which notifications gather.
#[derive(Debug)]
pub(super) struct Gathering {
    /// When the window that is open ends; `None` if none is.
    until: Option<Instant>,
    /// When the first sweep is over at the latest; `None` if there is nothing to wait for.
    sweep_ends_at: Option<Instant>,
    confirmed_after: Duration,
    /// Whether the end of the sweep has been seen.
    is_swept: bool,
    /// How many of the next notifications are sent one by one.
    pub(super) singly: usize,
}

impl Gathering {
    pub(super) fn new(sweep: FirstSweep) -> Self {
        let sweep_ends_at = sweep.is_first_start.then(|| Instant::now() + LONGEST_SWEEP);
        Self { until: None, sweep_ends_at, confirmed_after: sweep.confirmed_after, is_swept: false, singly: 0 }
    }

    /// Something has come that may be sent together with what comes within `group_wait`.
    pub(super) fn arrives(&mut self, group_wait: Duration) {
        self.until.get_or_insert_with(|| Instant::now() + group_wait);
    }

    /// What has gathered is being sent.
    pub(super) fn closes(&mut self) {
        self.until = None;
    }

    /// Whether it matters to this receiver when the first sweep ends.
    pub(super) fn awaits_sweep(&self) -> bool {
        self.sweep_ends_at.is_some_and(|ends_at| ends_at > Instant::now()) && !self.is_swept
    }

    /// Every token has been checked; what was found by the last checks has yet to be confirmed, and gathers too.
    pub(super) fn swept(&mut self, group_wait: Duration) {
        self.is_swept = true;
        let soon = Instant::now() + self.confirmed_after + group_wait;
        self.sweep_ends_at = self.sweep_ends_at.map(|latest| latest.min(soon));
    }

    /// The moment before which nothing is sent.
    pub(super) fn opens_at(&self) -> Option<Instant> {
        self.until.into_iter().chain(self.sweep_ends_at.filter(|ends_at| *ends_at > Instant::now())).max()
    }
}

/// Puts a delivery into the queue of a receiver; returns those that need not be made any more. For people it opens a window
/// in which more may gather, what comes later takes the place of an update or a reminder that waits, and where another alert takes the place of one,
/// nothing is said of that one any more: the other says it.
pub(super) fn enqueue(
    queue: &mut Queue,
    gathering: &mut Gathering,
    updates: &mut Updates,
    receiver: &Receiver,
    delivery: Delivery,
    began: Instant,
) -> Vec<Delivery> {
    if receiver.kind.audience() != Audience::People {
        return queue.push(delivery);
    }
    let (alert, change) = (&delivery.notification.id, delivery.notification.change);
    let is_needless = |waiting: &Delivery| {
        let is_needless = change == Change::Superseded || waiting.notification.change.is_repetition();
        is_needless && waiting.notification.id == *alert
    };
    let mut superseded = queue.discard(delivery.line(), is_needless);
    if change == Change::Superseded {
        updates.delivered(alert, change, began.elapsed());
        superseded.push(delivery);
        return superseded;
    }
    let until = updates.hold_until(alert, change, began.elapsed());
    if let Some(until) = until.filter(|_| !queue.has_alert_of(&delivery)) {
        queue.hold(delivery, until);
    } else {
        superseded.extend(queue.push(delivery));
        gathering.arrives(receiver.group_wait);
    }
    superseded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_the_first_sweep_finds_gathers_until_it_is_confirmed() {
        let seconds = Duration::from_secs;
        let first = FirstSweep { is_first_start: true, confirmed_after: seconds(30) };
        let (began, wait) = (Instant::now(), seconds(10));
        let mut gathering = Gathering::new(first);
        gathering.arrives(wait);
        assert_eq!((gathering.awaits_sweep(), gathering.opens_at()), (true, Some(began + seconds(300))));
        tokio::time::advance(seconds(60)).await;
        gathering.swept(wait);
        assert_eq!((gathering.awaits_sweep(), gathering.opens_at()), (false, Some(began + seconds(100))));
        gathering.closes();
        tokio::time::advance(seconds(60)).await;
        assert_eq!(gathering.opens_at(), None);
        gathering.arrives(wait);
        tokio::time::advance(seconds(5)).await;
        gathering.arrives(wait);
        assert_eq!(gathering.opens_at(), Some(began + seconds(130)), "a window does not move");
        let mut later = Gathering::new(FirstSweep { is_first_start: false, ..first });
        later.arrives(wait);
        assert_eq!(later.opens_at(), Some(Instant::now() + wait), "only after the very first start");
    }
}
