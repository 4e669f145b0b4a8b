//! The canary: a test alert that goes the way of all alerts through one receiver, again and again, and is read back from it
//! where it is an Alertmanager. One that does not arrive stops the heartbeat.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::alert::Change;
use crate::config::{Canary, Receiver, ReceiverKind};
use crate::state::{Delivery, Settled};
use crate::system::clock;

use super::Targets;
use super::canary_instruments::CanaryInstruments;
use super::outgoing::{Outgoing, Verb};
use super::post::Post;
use super::reach::Reach;
use super::test_notification::test_delivery;

/// The name under which the store has when the last one was sent.
pub(super) const NAME: &str = "canary";
/// How soon after the start one is sent that is due.
const FIRST: Duration = Duration::from_secs(10);
/// How long one may take to arrive, besides what gathers before it is sent: after the very first start what people are sent
/// gathers for five minutes.
const LONGEST_DELAY: Duration = Duration::from_mins(10);
/// How soon an Alertmanager is asked again whether it has one that it took.
const ASK_AGAIN: Duration = Duration::from_secs(2);
/// The same once it is missing.
const ASK_LATER: Duration = Duration::from_mins(1);
/// How soon another one is sent where one was refused for good.
const AFTER_REFUSAL: Duration = Duration::from_hours(1);
/// Where an Alertmanager has what fires of this alert (its API v2).
const TESTS: &str = "/api/v2/alerts?filter=alertname%3D%22TestAlert%22";

/// What the canary is connected to.
pub(super) struct Handles {
    /// What is configured now.
    pub(super) targets: watch::Receiver<Arc<Targets>>,
    /// When the last one was sent, as the store has it.
    pub(super) last: Option<DateTime<Utc>>,
    /// Where it is handed to the worker of its receiver.
    pub(super) queue: mpsc::Sender<Delivery>,
    /// What became of it there.
    pub(super) settled: mpsc::Receiver<Settled>,
    /// Where is reported when one was sent.
    pub(super) done: mpsc::Sender<Settled>,
    /// Where the heartbeat learns that one is missing.
    pub(super) reach: Reach,
    /// Cancelled when the daemon is stopping.
    pub(super) drain: CancellationToken,
}

/// Sends the canary, where one is configured, until the daemon stops.
pub(super) async fn run<P: Post>(handles: Handles, post: P, instruments: CanaryInstruments) {
    let drain = handles.drain.clone();
    let keeper = Keeper { handles, post, instruments, pending: None, next: Instant::now() };
    drain.run_until_cancelled(keeper.run()).await;
}

struct Keeper<P> {
    handles: Handles,
    post: P,
    instruments: CanaryInstruments,
    pending: Option<Pending>,
    /// When the next one is sent.
    next: Instant,
}

/// A canary that has not arrived.
#[derive(Debug)]
struct Pending {
    /// The number of its delivery.
    id: i64,
    since: DateTime<Utc>,
    began: Instant,
    /// When an Alertmanager is asked for it; `None` before it was taken.
    ask_at: Option<Instant>,
    /// When it counts as missing; `None` if it does.
    missing_at: Option<Instant>,
}

/// What makes one canary known among all tests.
fn mark(id: i64) -> String {
    format!(" (canary {})", id.unsigned_abs())
}

impl<P: Post> Keeper<P> {
    async fn run(mut self) {
        let mut canary: Option<Canary> = None;
        loop {
            let configured = self.handles.targets.borrow_and_update().canary.clone();
            if configured != canary {
                self.configure(canary.as_ref(), configured.as_ref());
                canary = configured;
            }
            let wake = self.wake();
            tokio::select! {
                biased;
                changed = self.handles.targets.changed() => if changed.is_err() { return },
                settled = self.handles.settled.recv() => match (settled, &canary) {
                    (Some(settled), Some(canary)) => self.settled(&settled, canary),
                    (Some(_), None) => {}
                    (None, _) => return,
                },
                () = sleep_until(wake), if canary.is_some() => {
                    if let Some(canary) = &canary {
                        self.turn(canary).await;
                    }
                }
            }
        }
    }

    fn configure(&mut self, before: Option<&Canary>, canary: Option<&Canary>) {
        if let (Some(before), Some(pending)) = (before, self.pending.take()) {
            // It may fire in an Alertmanager, and would for ever.
            self.end(&before.receiver, &pending);
        }
        self.handles.reach.canary(None);
        self.instruments.configured(canary.is_some());
        let Some(Canary { every, .. }) = canary else { return };
        let waited = self.handles.last.and_then(|last| (clock::now() - last).to_std().ok());
        let left = waited.map_or(Duration::ZERO, |waited| every.saturating_sub(waited));
        self.next = Instant::now() + left.max(FIRST);
    }

    /// When something is to be done next.
    fn wake(&self) -> Instant {
        let of_pending = self.pending.iter().flat_map(|pending| [pending.ask_at, pending.missing_at]).flatten();
        of_pending.chain([self.next]).min().unwrap_or(self.next)
    }

    /// The receiver that the canary goes through, as it is configured now.
    fn receiver(&self, canary: &Canary) -> Option<Arc<Receiver>> {
        let targets = self.handles.targets.borrow();
        targets.receivers.iter().find(|receiver| receiver.name == canary.receiver).cloned()
    }

    async fn turn(&mut self, canary: &Canary) {
        let now = Instant::now();
        let Some(receiver) = self.receiver(canary) else {
            // The configuration names one that there is.
            (self.pending, self.next) = (None, now + FIRST);
            return;
        };
        if self.pending.as_ref().is_some_and(|pending| pending.ask_at.is_some_and(|at| at <= now)) {
            self.ask(&receiver).await;
        }
        if let Some(pending) = &mut self.pending
            && pending.missing_at.is_some_and(|at| at <= now)
        {
            pending.missing_at = None;
            self.missing(canary, "it has not arrived within some minutes");
        }
        if self.next <= now {
            self.send(canary, &receiver).await;
        }
    }

    async fn send(&mut self, canary: &Canary, receiver: &Receiver) {
        let (now, since) = (Instant::now(), clock::now());
        let id = -since.timestamp_millis();
        // One that is missing is not what is waited for any more.
        let missing_at = Some(now + LONGEST_DELAY + receiver.group_wait);
        self.pending = Some(Pending { id, since, began: now, ask_at: None, missing_at });
        self.next = now + canary.every;
        self.handles.last = Some(since);
        self.hand_over(canary, Change::New, (id, since), &mark(id)).await;
        // The writer of the store ends only when everything ends.
        self.handles.done.send(Settled::Recurred { name: NAME.to_owned(), at: since }).await.unwrap_or_default();
    }

    async fn hand_over(&self, canary: &Canary, change: Change, which: (i64, DateTime<Utc>), mark: &str) {
        let delivery = test_delivery(&canary.receiver, change, which, mark, clock::now());
        // The workers end only when everything ends.
        self.handles.queue.send(delivery).await.unwrap_or_default();
    }

    /// Takes in what became of a delivery.
    fn settled(&mut self, settled: &Settled, canary: &Canary) {
        let is_alertmanager = self.receiver(canary).is_some_and(|receiver| receiver.kind == ReceiverKind::Alertmanager);
        let Some(pending) = self.pending.as_mut().filter(|pending| settled.delivery() == Some(pending.id)) else {
            return;
        };
        match settled {
            Settled::Delivered(_) if is_alertmanager => pending.ask_at = Some(Instant::now()),
            Settled::Delivered(_) => self.arrived(canary),
            Settled::SetAside(refusal) => {
                self.pending = None;
                self.next = self.next.min(Instant::now() + AFTER_REFUSAL);
                self.missing(canary, &format!("the receiver refuses it: {}", refusal.answer));
            }
            // Another one has taken its place in the queue.
            Settled::Superseded(_) | Settled::Recurred { .. } => {}
        }
    }

    /// Asks the Alertmanager whether the canary fires there.
    async fn ask(&mut self, receiver: &Arc<Receiver>) {
        let outgoing = Outgoing { verb: Verb::Get, path: TESTS.into(), ..Outgoing::default() };
        let answer = self.post.post(receiver, outgoing, receiver.timeout).await;
        let Some(pending) = &mut self.pending else { return };
        let is_there = answer.as_ref().is_ok_and(|taken| holds(&taken.body, &mark(pending.id)));
        if let Err(trouble) = &answer {
            let (receiver, detail) = (&receiver.name, &trouble.detail);
            tracing::debug!(event = "canary_unseen", receiver, "the canary could not be read back: {detail}");
        }
        if is_there {
            let canary = Canary { receiver: receiver.name.clone(), every: Duration::ZERO };
            return self.arrived(&canary);
        }
        let pause = if pending.missing_at.is_some() { ASK_AGAIN } else { ASK_LATER };
        pending.ask_at = Some(Instant::now() + pause);
    }

    fn arrived(&mut self, canary: &Canary) {
        let Some(pending) = self.pending.take() else { return };
        let (receiver, delay) = (&canary.receiver, pending.began.elapsed());
        self.instruments.arrived(delay, clock::now());
        let was_missing = self.handles.reach.canary(None) || pending.missing_at.is_none();
        let seconds = delay.as_secs_f64();
        if was_missing {
            tracing::info!(
                event = "canary_arrived",
                receiver,
                delay_seconds = seconds,
                "a canary through receiver `{receiver}` arrives again, after {seconds:.1} s"
            );
        } else {
            tracing::debug!(event = "canary_arrived", receiver, delay_seconds = seconds, "the canary arrived");
        }
        self.end(receiver, &pending);
    }

    /// Resolves a canary that fired.
    fn end(&self, receiver: &str, pending: &Pending) {
        let Pending { id, since, .. } = pending;
        let ends = test_delivery(receiver, Change::Resolved, (id - 1, *since), &mark(*id), clock::now());
        // Nobody waits for the end of a test; where there is no room for it, it comes with that of the next one.
        self.handles.queue.try_send(ends).ok();
    }

    fn missing(&self, canary: &Canary, why: &str) {
        let receiver = &canary.receiver;
        self.instruments.missing();
        self.handles.reach.canary(Some(format!("the canary through receiver `{receiver}` is missing: {why}")));
        tracing::error!(
            event = "canary_missing",
            receiver,
            "a canary through receiver `{receiver}` is missing: {why}. Alerts may not arrive either"
        );
    }
}

/// Whether an answer of an Alertmanager has an alert with this mark in its text.
fn holds(body: &[u8], mark: &str) -> bool {
    let alerts: Vec<Value> = serde_json::from_slice(body).unwrap_or_default();
    let text = |alert: &Value| alert["annotations"]["description"].as_str().is_some_and(|text| text.ends_with(mark));
    alerts.iter().any(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_canary_is_recognised_among_other_tests() {
        let alerts = serde_json::json!([
            { "labels": { "alertname": "TestAlert" }, "annotations": { "description": "a test" } },
            { "labels": { "alertname": "TestAlert" }, "annotations": { "description": "a test (canary 17)" } },
            { "labels": {} },
        ]);
        let body = alerts.to_string();
        assert!(holds(body.as_bytes(), &mark(-17)) && !holds(body.as_bytes(), &mark(-7)));
        assert!(!holds(&body.as_bytes()[..40], &mark(-17)) && !holds(b"{}", &mark(-17)) && !holds(b"", &mark(-17)));
    }
}
