//! The loop of one receiver: what waits is tried in order, again and again with growing pauses, until it is taken.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::config::{Receiver, ReceiverKind};
use crate::memory::Delivery;
use crate::snapshot::Snapshot;
use crate::syncro::Reason;
use crate::system::clock;

use super::alertmanager::{Board, RESEND, alone};
use super::backoff::pause;
use super::post::{Outgoing, Post, Trouble, Why};
use super::{Instruments, Told, webhook};

/// What an Alertmanager takes alerts at.
const ALERTS: &str = "/api/v2/alerts";
/// A notice that has waited longer is worth a line of its own.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(1);
/// How long a request may take when the daemon is stopping: less than it waits for all that ends.
const LONGEST_FAREWELL: Duration = Duration::from_secs(3);

/// What a worker is connected to.
pub(super) struct Wires {
    /// How the receiver is configured now.
    pub(super) receiver: watch::Receiver<Arc<Receiver>>,
    /// What it is to be told.
    pub(super) queued: mpsc::Receiver<Delivery>,
    /// The numbers of what it has been told.
    pub(super) done: mpsc::Sender<i64>,
    /// Where people reach this daemon.
    pub(super) told: watch::Receiver<Arc<Told>>,
    /// What fires now.
    pub(super) pictures: watch::Receiver<Arc<Snapshot>>,
    /// The daemon is stopping: what waits is tried once more, without a pause.
    pub(super) hurry: CancellationToken,
    /// The receiver is no longer configured.
    pub(super) gone: CancellationToken,
}

struct Worker<P> {
    wires: Wires,
    post: P,
    instruments: Instruments,
    queue: VecDeque<Delivery>,
    board: Board,
    failures: u32,
    /// No attempt before.
    not_before: Instant,
    /// When an Alertmanager is sent again what fires.
    resend_at: Instant,
    is_behind: bool,
}

/// Tells until nothing more can come and all is told, or the receiver is no longer configured.
pub(super) async fn run<P: Post>(wires: Wires, post: P, instruments: Instruments) {
    let now = Instant::now();
    let mut worker = Worker {
        wires,
        post,
        instruments,
        queue: VecDeque::new(),
        board: Board::default(),
        failures: 0,
        not_before: now,
        resend_at: now,
        is_behind: false,
    };
    worker.instruments.appear(&worker.name());
    worker.work().await;
}

impl<P: Post> Worker<P> {
    fn name(&self) -> String {
        self.wires.receiver.borrow().name.clone()
    }

    async fn work(&mut self) {
        let mut open = true;
        let (gone, hurry) = (self.wires.gone.clone(), self.wires.hurry.clone());
        loop {
            let hurried = hurry.is_cancelled();
            if !open && self.queue.is_empty() {
                return;
            }
            let is_alertmanager = self.wires.receiver.borrow().kind == ReceiverKind::Alertmanager;
            let due = match (self.queue.is_empty(), is_alertmanager && !hurried) {
                (false, _) if hurried => Some(Instant::now()),
                (false, _) => Some(self.not_before),
                (true, true) => Some(self.not_before.max(self.resend_at)),
                (true, false) => None,
            };
            tokio::select! {
                // What has come is taken in before anything is tried.
                biased;
                () = gone.cancelled() => return self.give_up().await,
                delivery = self.wires.queued.recv(), if open => match delivery {
                    Some(delivery) => {
                        self.queue.push_back(delivery);
                        self.count();
                    }
                    None => open = false,
                },
                () = hurry.cancelled(), if !hurried => {}
                Ok(()) = self.wires.receiver.changed() => self.not_before = Instant::now(),
                () = sleep_until(due.unwrap_or(self.not_before)), if due.is_some() => {
                    let outcome = self.attempt().await;
                    let failed = outcome.is_err();
                    self.settle(outcome).await;
                    if failed && hurry.is_cancelled() {
                        // What is left is in the outbox.
                        return;
                    }
                }
            }
        }
    }

    /// Tries what comes next; returns how many of the queue have been told.
    async fn attempt(&mut self) -> Result<usize, Trouble> {
        let receiver = Arc::clone(&self.wires.receiver.borrow());
        let external_url = self.wires.told.borrow().external_url.clone();
        match &receiver.kind {
            ReceiverKind::Webhook(webhook) => {
                let Some(delivery) = self.queue.front() else { return Ok(0) };
                let request = webhook::request(webhook, delivery, &external_url);
                self.send(&receiver, request).await?;
                Ok(1)
            }
            ReceiverKind::Alertmanager => {
                let snapshot = Arc::clone(&self.wires.pictures.borrow());
                let mut update = self.board.update(&snapshot, self.queue.iter(), &external_url, clock::now());
                for body in std::mem::take(&mut update.bodies) {
                    self.send(&receiver, of_alertmanager(body)).await?;
                }
                self.board.sent(update);
                self.resend_at = Instant::now() + RESEND;
                Ok(self.queue.len())
            }
        }
    }

    async fn send(&mut self, receiver: &Arc<Receiver>, request: Outgoing) -> Result<(), Trouble> {
        let hurry = self.wires.hurry.clone();
        let farewell = async {
            hurry.cancelled().await;
            sleep(LONGEST_FAREWELL).await;
        };
        tokio::select! {
            outcome = self.post.post(receiver, request, receiver.timeout) => outcome,
            () = farewell => Err(Trouble {
                why: Why::NoAnswer(Reason::Timeout),
                detail: "no answer before the daemon ended".to_owned(),
                wish: None,
            }),
        }
    }

    async fn settle(&mut self, outcome: Result<usize, Trouble>) {
        match outcome {
            Ok(told) => {
                let name = self.name();
                if std::mem::take(&mut self.failures) > 0 {
                    self.is_behind = false;
                    tracing::info!(event = "receiver_recovered", receiver = name, "receiver `{name}` is told again");
                }
                self.not_before = Instant::now();
                self.instruments.told(&name, told);
                let ids: Vec<_> = self.queue.drain(..told.min(self.queue.len())).map(|delivery| delivery.id).collect();
                for id in ids {
                    self.report(id).await;
                }
                self.count();
            }
            Err(trouble) => self.failed(&trouble),
        }
    }

    fn failed(&mut self, trouble: &Trouble) {
        let name = self.name();
        self.instruments.failed(&name, trouble.why);
        self.failures = self.failures.saturating_add(1);
        self.not_before = Instant::now() + pause(self.failures, trouble.wish, fastrand::f64());
        let (reason, detail, waiting) = (trouble.why.as_str(), &trouble.detail, self.queue.len());
        if self.failures == 1 {
            tracing::warn!(
                event = "receiver_failing",
                receiver = name,
                reason,
                "receiver `{name}` was not told: {detail}. {waiting} notices wait for it; it is tried again"
            );
        } else {
            tracing::debug!(event = "receiver_failing", receiver = name, reason, "still not told: {detail}");
        }
        let oldest = self.queue.front().map(|delivery| delivery.queued_at);
        if oldest.is_some_and(|at| clock::now() - at > LONGEST_WAIT) && !std::mem::replace(&mut self.is_behind, true) {
            tracing::error!(
                event = "receiver_behind",
                receiver = name,
                reason,
                "receiver `{name}` has not been told for more than an hour what it should know: {detail}. {waiting} \
                 notices wait for it"
            );
        }
    }

    /// The receiver is not configured any more: what waits for it is told to nobody.
    async fn give_up(&mut self) {
        let name = self.name();
        while let Ok(delivery) = self.wires.queued.try_recv() {
            self.queue.push_back(delivery);
        }
        if !self.queue.is_empty() {
            tracing::warn!(
                event = "receiver_unknown",
                receiver = name,
                "receiver `{name}` is no longer configured; {} notices that waited for it are given up",
                self.queue.len()
            );
        }
        for id in std::mem::take(&mut self.queue).into_iter().map(|delivery| delivery.id) {
            self.report(id).await;
        }
        self.instruments.disappear(&name);
    }

    async fn report(&self, id: i64) {
        // Who remembers goes away only when everything ends.
        self.wires.done.send(id).await.unwrap_or_default();
    }

    fn count(&self) {
        let oldest = self.queue.front().map(|delivery| delivery.queued_at);
        self.instruments.waits(&self.name(), self.queue.len(), oldest);
    }
}

fn of_alertmanager(body: String) -> Outgoing {
    Outgoing { path: ALERTS, put: false, headers: Vec::new(), body, signed_by: None }
}

/// Tells one receiver one notice, once.
///
/// # Errors
/// Why it was not told.
pub async fn once<P: Post>(
    post: &mut P,
    receiver: &Arc<Receiver>,
    delivery: &Delivery,
    external_url: &str,
) -> Result<(), Trouble> {
    let request = match &receiver.kind {
        ReceiverKind::Alertmanager => of_alertmanager(alone(delivery, external_url, clock::now())),
        ReceiverKind::Webhook(webhook) => webhook::request(webhook, delivery, external_url),
    };
    post.post(receiver, request, receiver.timeout).await
}
