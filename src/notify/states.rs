//! How an Alertmanager is sent the state of every alert. One alert that it refuses must not block the others: what is
//! refused is halved until the alert is found, and that one is left out for a while.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

use crate::config::Receiver;
use crate::state::{Delivery, Refusal, Settled};

use super::alertmanager::{Clocks, Labels, RESEND, Update, body};
use super::answer::Trouble;
use super::is_canary;
use super::outgoing::Outgoing;
use super::post::Post;
use super::worker::Worker;

/// The path at which an Alertmanager takes alerts (its API v2).
const ALERTS: &str = "/api/v2/alerts";
/// How many refused requests one search for refused alerts may take; what is left is searched soon after.
const MOST_REFUSALS: usize = 64;
/// How many it may take if nothing at all is taken: then the address is wrong, or all alerts are.
const MOST_REFUSALS_OF_ALL: usize = 40;
/// How many it may take if nothing was taken at the last attempt either.
const MOST_REFUSALS_AGAIN: usize = 12;
/// How soon a search that took too many requests continues.
const SEARCH_ON: Duration = Duration::from_secs(5);

/// What became of an update.
struct Outcome {
    /// The alerts that were refused for good, each with the answer.
    refused: Vec<(Labels, Trouble)>,
    /// Whether all of it was taken or refused.
    is_complete: bool,
}

impl<P: Post> Worker<P> {
    /// Sends what fires and what has ended; returns whether the receiver takes anything, as far as is known.
    pub(super) async fn send_states(&mut self) -> bool {
        let last = self.queue.last_id();
        match self.synchronise().await {
            Ok((update, Outcome { refused, is_complete })) => {
                self.recovers();
                self.set_labels_aside(&refused);
                if !is_complete {
                    self.not_before = Instant::now() + SEARCH_ON;
                    self.resend_at = self.not_before;
                    return true;
                }
                self.settle(last).await;
                self.board.sent(update);
                self.resend_at = Instant::now() + RESEND;
                self.keep_silences().await;
                true
            }
            Err(trouble) => {
                let name = self.name();
                self.instruments.failed(&name, trouble.why);
                self.fails(&trouble);
                false
            }
        }
    }

    /// Sends an update, and sends it once more if the answers show that its moments meant something else to the
    /// receiver.
    async fn synchronise(&mut self) -> Result<(Update, Outcome), Trouble> {
        let receiver = Arc::clone(&self.handles.receiver.borrow());
        let mut is_first = true;
        loop {
            let snapshot = Arc::clone(&self.handles.snapshots.borrow());
            let external_url = self.handles.targets.borrow().external_url.clone();
            let clocks = self.clocks();
            let news = self.canary.iter().chain(self.queue.iter());
            let update = self.board.update(&snapshot, &receiver.only, news, &external_url, clocks);
            let outcome = self.send_update(&receiver, &update).await;
            let was = clocks.offset.unwrap_or_default();
            let moved = self.clock.offset().is_some_and(|offset| (offset - was).abs() > Clocks::TOLERANCE);
            if !(moved && std::mem::take(&mut is_first)) {
                return outcome.map(|outcome| (update, outcome));
            }
        }
    }

    async fn send_update(&mut self, receiver: &Arc<Receiver>, update: &Update) -> Result<Outcome, Trouble> {
        let mut outcome = Outcome { refused: Vec::new(), is_complete: true };
        let (mut is_any_taken, mut refusals, mut is_halved) = (false, 0_usize, false);
        let most_of_all = if self.failures == 0 { MOST_REFUSALS_OF_ALL } else { MOST_REFUSALS_AGAIN };
        let mut parts: VecDeque<&[(Labels, Value)]> = update.alerts.chunks(self.board.per_request).collect();
        while let Some(part) = parts.pop_front() {
            match self.send(receiver, of_alertmanager(body(part))).await {
                Ok(_) => is_any_taken = true,
                Err(trouble) if trouble.is_for_good() => {
                    refusals += 1;
                    let is_last = parts.is_empty() && part.len() == 1;
                    if !is_any_taken && (refusals >= most_of_all || is_last) {
                        return Err(trouble);
                    }
                    if let [(labels, _)] = part {
                        outcome.refused.push((labels.clone(), trouble));
                    } else {
                        // One half at once, down to a single alert, the others after what waits: whether a few together
                        // or some everywhere are refused, one that is taken is found soon.
                        is_halved = true;
                        let (left, right) = part.split_at(part.len() / 2);
                        parts.push_front(left);
                        parts.push_back(right);
                    }
                    if refusals >= MOST_REFUSALS {
                        outcome.is_complete = parts.is_empty();
                        break;
                    }
                }
                Err(trouble) => return Err(trouble),
            }
        }
        if is_halved && outcome.refused.is_empty() {
            // It was the length that was refused.
            self.board.per_request = (self.board.per_request / 2).max(1);
        }
        Ok(outcome)
    }

    fn set_labels_aside(&mut self, refused: &[(Labels, Trouble)]) {
        let name = self.name();
        let labels = refused.iter().map(|(labels, _)| labels.clone()).collect();
        let new = self.board.leave_out(labels, self.elapsed());
        self.instruments.set_aside(&name, new.len());
        for (labels, Trouble { why, detail, .. }) in refused.iter().filter(|(labels, _)| new.contains(labels)) {
            tracing::error!(
                event = "notification_set_aside",
                receiver = name,
                reason = why.as_str(),
                "Alertmanager `{name}` refuses an alert for good while it takes others: {detail}. It is left out, and \
                 tried \
                 again after a quarter of an hour: {labels:?}"
            );
        }
    }

    /// Reports the notifications that waited up to this number as delivered, since their alerts are in what was sent,
    /// unless they were refused.
    async fn settle(&mut self, last: Option<i64>) {
        let name = self.name();
        let Some(last) = last else { return };
        for delivery in self.queue.take_until(last) {
            let id = delivery.id;
            if self.board.leaves_out(&delivery) {
                let Delivery { receiver, notification, .. } = delivery;
                let answer = "refused as one of all alerts".to_owned();
                self.report(Settled::SetAside(Refusal { id, receiver, notification, answer })).await;
            } else {
                if is_canary(id) {
                    self.canary = Some(delivery).filter(|delivery| !delivery.ends());
                }
                self.instruments.notified(&name, 1);
                self.report(Settled::Delivered(id)).await;
            }
        }
    }
}

/// The request that sends a body to an Alertmanager.
pub(super) fn of_alertmanager(body: String) -> Outgoing {
    Outgoing { path: ALERTS.into(), body, ..Outgoing::default() }
}
