//! The loop of one receiver: what waits is tried again and again with growing pauses until it is taken. `deliver` knows
//! how notifications are delivered one by one, `states` how an Alertmanager is sent all states.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::config::{Audience, Receiver, ReceiverKind};
use crate::state::Snapshot;
use crate::state::{Delivery, Settled};
use crate::syncro::Reason;
use crate::system::clock;

use super::alertmanager::{Board, Clocks};
use super::answer::{DeliveryFailure, Suspect, Taken, Trouble};
use super::backoff::SOON;
use super::clocks::ReceiverClock;
use super::fields::about;
use super::gathering::{FirstSweep, Gathering, enqueue};
use super::outgoing::Outgoing;
use super::post::Post;
use super::queue::Queue;
use super::reach::Reach;
use super::silences::Silences;
use super::updates::Updates;
use super::{Instruments, Targets, is_canary};

/// How long all attempts together may take when the daemon is stopping: less than the daemon waits for all its parts.
const LONGEST_DRAIN: Duration = Duration::from_secs(3);
/// The channels of a worker.
pub(super) struct Handles {
    /// The receiver as it is configured now.
    pub(super) receiver: watch::Receiver<Arc<Receiver>>,
    /// What is to be delivered to it.
    pub(super) queued: mpsc::Receiver<Delivery>,
    /// Where the worker reports what became of each delivery.
    pub(super) done: mpsc::Sender<Settled>,
    /// All receivers, for the URL at which people reach this daemon.
    pub(super) targets: watch::Receiver<Arc<Targets>>,
    /// The snapshot of the fleet, for what fires now.
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Cancelled when the daemon is stopping: what waits is tried once more, without a pause.
    pub(super) drain: CancellationToken,
    /// Cancelled when the receiver is no longer configured.
    pub(super) gone: CancellationToken,
    /// The first sweep of all, unless it was long ago.
    pub(super) first_sweep: FirstSweep,
    /// Where the worker says whether the receiver can be reached.
    pub(super) reach: Reach,
    /// Where the worker reports what became of a canary.
    pub(super) canary: mpsc::Sender<Settled>,
}

/// The worker of one receiver.
pub(super) struct Worker<P> {
    pub(super) handles: Handles,
    post: P,
    pub(super) instruments: Instruments,
    pub(super) queue: Queue,
    pub(super) board: Board,
    /// The canary that fires in an Alertmanager; it is nowhere in the fleet.
    pub(super) canary: Option<Delivery>,
    pub(super) silences: Silences,
    pub(super) clock: ReceiverClock,
    pub(super) gathering: Gathering,
    pub(super) updates: Updates,
    /// When the worker began.
    began: Instant,
    /// How often in a row the receiver, as far as is known, has taken nothing.
    pub(super) failures: u32,
    /// What was probably wrong at the last failure.
    pub(super) suspect: Suspect,
    /// When the last failure was.
    pub(super) failed_at: Instant,
    /// When another notification may be tried next to see whether the receiver takes that one.
    pub(super) try_another_at: Instant,
    /// Nothing is tried before this moment.
    pub(super) not_before: Instant,
    /// When an Alertmanager is sent again what fires.
    pub(super) resend_at: Instant,
    /// When the last attempts end; `None` unless the daemon is stopping.
    drain_ends_at: Option<Instant>,
    /// Whether the log says that a notification has waited for too long.
    pub(super) is_behind: bool,
}

/// Delivers until nothing more can come and all is delivered, or the receiver is no longer configured.
pub(super) async fn run<P: Post>(
    handles: Handles,
    post: P,
    instruments: Instruments,
    board: Board,
    silences: Silences,
) {
    let now = Instant::now();
    let gathering = Gathering::new(handles.first_sweep);
    let mut worker = Worker {
        handles,
        post,
        instruments,
        queue: Queue::default(),
        board,
        canary: None,
        silences,
        clock: ReceiverClock::default(),
        gathering,
        updates: Updates::default(),
        began: now,
        failures: 0,
        suspect: Suspect::Receiver,
        failed_at: now,
        try_another_at: now,
        not_before: now,
        resend_at: now,
        drain_ends_at: None,
        is_behind: false,
    };
    worker.instruments.appear(&worker.name());
    worker.work().await;
}

impl<P: Post> Worker<P> {
    pub(super) fn name(&self) -> String {
        self.handles.receiver.borrow().name.clone()
    }

    /// The time since the worker began, by which the queue counts.
    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.handles.drain.is_cancelled()
    }

    async fn work(&mut self) {
        let mut open = true;
        let (gone, drain) = (self.handles.gone.clone(), self.handles.drain.clone());
        loop {
            let due = self.due();
            if !open && due.is_none() {
                // What is left is in the outbox.
                return;
            }
            tokio::select! {
                // What has come is taken in before anything is tried.
                biased;
                () = gone.cancelled() => return self.give_up().await,
                delivery = self.handles.queued.recv(), if open => match delivery {
                    Some(delivery) => self.take_in(delivery).await,
                    None => open = false,
                },
                Ok(()) = self.handles.snapshots.changed(), if self.awaits_sweep() || self.is_alertmanager() => {
                    self.sees();
                }
                () = drain.cancelled(), if !self.is_stopping() => {}
                Ok(()) = self.handles.receiver.changed() => {
                    self.not_before = Instant::now();
                    self.queue.release_all();
                }
                () = sleep_until(due.unwrap_or(self.not_before)), if due.is_some() => {
                    let receiver = Arc::clone(&self.handles.receiver.borrow());
                    let is_taking = match &receiver.kind {
                        ReceiverKind::Webhook(_) | ReceiverKind::Email(_) => self.deliver().await,
                        ReceiverKind::Alertmanager => self.send_states().await,
                    };
                    self.count();
                    if !is_taking && self.is_stopping() {
                        return;
                    }
                }
            }
        }
    }

    /// When something is to be tried next, if anything is.
    fn due(&mut self) -> Option<Instant> {
        let now = self.elapsed();
        match (self.is_stopping(), self.is_alertmanager()) {
            (true, _) => self.queue.next(now).map(|_| Instant::now()),
            (false, true) if self.queue.is_empty() => Some(self.not_before.max(self.resend_at)),
            (false, _) => self.queue.due().map(|due| {
                let due = self.not_before.max(self.began + due);
                if self.gathers() { self.gathering.opens_at().map_or(due, |at| due.max(at)) } else { due }
            }),
        }
    }

    fn is_alertmanager(&self) -> bool {
        self.handles.receiver.borrow().kind == ReceiverKind::Alertmanager
    }

    /// Takes in another snapshot.
    fn sees(&mut self) {
        let receiver = self.handles.receiver.borrow();
        let snapshot = self.handles.snapshots.borrow();
        if receiver.kind == ReceiverKind::Alertmanager {
            if self.silences.is_news(&snapshot, &receiver.only, clock::now()) {
                self.resend_at = Instant::now();
            }
        } else if snapshot.first_sweep_done {
            self.gathering.swept(receiver.group_wait);
        }
    }

    pub(super) fn is_for_people(&self) -> bool {
        self.handles.receiver.borrow().kind.audience() == Audience::People
    }

    /// Whether several notifications go into one message.
    pub(super) fn gathers(&self) -> bool {
        self.is_for_people() && !self.handles.receiver.borrow().group_wait.is_zero()
    }

    fn awaits_sweep(&self) -> bool {
        self.gathering.awaits_sweep() && self.gathers() && !self.is_stopping()
    }

    /// Puts a delivery into the queue; returns those that need not be made any more.
    fn enqueue(&mut self, delivery: Delivery) -> Vec<Delivery> {
        enqueue(
            &mut self.queue,
            &mut self.gathering,
            &mut self.updates,
            &self.handles.receiver.borrow(),
            delivery,
            self.began,
        )
    }

    /// Takes in what is to be delivered.
    async fn take_in(&mut self, delivery: Delivery) {
        // One that has not been tried yet shows whether the receiver refuses everything.
        if self.failures > 0 && self.suspect == Suspect::Body && !self.queue.has(delivery.line()) {
            self.not_before = self.not_before.min(self.failed_at + SOON);
        }
        let superseded = self.enqueue(delivery);
        self.count();
        self.supersede(superseded).await;
    }

    pub(super) async fn supersede(&self, superseded: Vec<Delivery>) {
        if superseded.is_empty() {
            return;
        }
        let name = self.name();
        self.instruments.superseded(&name, superseded.len());
        for Delivery { id, notification, .. } in superseded {
            tracing::debug!(
                event = "notification_superseded",
                receiver = name,
                id,
                "notification {id} ({}) need not reach receiver `{name}` any more: what came later says enough",
                about(&notification)
            );
            self.report(Settled::Superseded(id)).await;
        }
    }

    /// Sends one request. Meanwhile what is to be delivered is taken in, so that nothing waits for a slow receiver but
    /// what is for it, and that is thinned out.
    ///
    /// # Errors
    /// Why the receiver has not taken it.
    pub(super) async fn send(&mut self, receiver: &Arc<Receiver>, request: Outgoing) -> Result<Taken, Trouble> {
        let mut superseded = Vec::new();
        let outcome = {
            let Self { post, handles, queue, gathering, updates, began, drain_ends_at, .. } = self;
            let posting = post.post(receiver, request, receiver.timeout);
            tokio::pin!(posting);
            loop {
                tokio::select! {
                    outcome = &mut posting => break outcome,
                    () = drain_end(&handles.drain, drain_ends_at) => break Err(Trouble::new(
                        DeliveryFailure::Unavailable(Reason::Timeout),
                        "no answer before the daemon ended",
                    )),
                    Some(delivery) = handles.queued.recv() => {
                        superseded.extend(enqueue(queue, gathering, updates, receiver, delivery, *began));
                    }
                }
            }
        };
        self.supersede(superseded).await;
        let shown = match &outcome {
            Ok(taken) => taken.clock,
            Err(trouble) => trouble.clock,
        };
        if let Some(offset) = shown {
            self.clock.observe(&receiver.name, receiver.kind == ReceiverKind::Alertmanager, offset);
            self.instruments.clock(&receiver.name, offset);
        }
        outcome
    }

    pub(super) fn clocks(&self) -> Clocks {
        Clocks { now: clock::now(), elapsed: self.elapsed(), offset: self.clock.offset() }
    }

    /// Gives up what waits for the receiver, which is not configured any more.
    async fn give_up(&mut self) {
        let name = self.name();
        while let Ok(delivery) = self.handles.queued.try_recv() {
            self.take_in(delivery).await;
        }
        if !self.queue.is_empty() {
            tracing::warn!(
                event = "receiver_unknown",
                receiver = name,
                "receiver `{name}` is no longer configured; {} notifications that waited for it are given up",
                self.queue.len()
            );
        }
        for delivery in self.queue.take_until(i64::MAX) {
            self.report(Settled::Delivered(delivery.id)).await;
        }
        self.instruments.disappear(&name);
        self.handles.reach.recovers(&name);
    }

    pub(super) async fn report(&self, settled: Settled) {
        if settled.delivery().is_some_and(is_canary) {
            // A report that finds no room is about one of many canaries that wait.
            self.handles.canary.try_send(settled).ok();
            return;
        }
        // The writer of the store ends only when everything ends.
        self.handles.done.send(settled).await.unwrap_or_default();
    }

    fn count(&self) {
        self.instruments.waits(&self.name(), self.queue.len(), self.queue.oldest());
    }
}

/// Waits for the end of the last attempts; for ever unless the daemon is stopping.
async fn drain_end(drain: &CancellationToken, at: &mut Option<Instant>) {
    drain.cancelled().await;
    sleep_until(*at.get_or_insert_with(|| Instant::now() + LONGEST_DRAIN)).await;
}
