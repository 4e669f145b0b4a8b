//! How notifications are delivered one by one, and to people what has gathered. When one is not taken, another is tried to
//! see whether the receiver is at fault or that notification: a receiver in trouble is left alone, a notification that is
//! refused waits by itself.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use crate::alert::AlertKey;
use crate::state::{Delivery, Refusal, Settled};
use crate::system::clock;

use super::answer::{Suspect, Trouble};
use super::backoff::pause_of_one;
use super::fields::about;
use super::post::Post;
use super::request::request;
use super::worker::Worker;

/// How often in a row a notification is refused for good before it is set aside, over half a minute at least: a
/// receiver that is being upgraded may refuse what it takes a moment later.
const MOST_REFUSALS: u32 = 6;
/// How many others are tried at once when a body is refused. A wrong address refuses all; it must not be flooded.
const OTHERS_AT_ONCE: usize = 4;
/// How many failures in a row pass before another notification is tried where the receiver seems to be in trouble.
const FAILURES_BEFORE_ANOTHER: u32 = 2;
/// How often another notification is tried then.
const TRY_ANOTHER_EVERY: Duration = Duration::from_mins(6);

/// How many alerts one message to people may be about.
const MOST_GATHERED: usize = 500;

impl<P: Post> Worker<P> {
    /// Tries what comes next; returns whether the receiver takes anything, as far as is known.
    pub(super) async fn deliver(&mut self) -> bool {
        self.forget_acknowledged().await;
        let batch = self.next();
        let Some(first) = batch.first().cloned() else { return true };
        match self.attempt(&batch).await {
            Ok(()) => {
                self.delivered(&batch).await;
                true
            }
            Err(trouble) if batch.len() > 1 && matches!(trouble.suspect, Suspect::Body | Suspect::Recipients) => {
                // Which of them is at fault shows only when each is sent alone.
                self.gathering.singly = batch.len();
                true
            }
            Err(trouble) => self.not_delivered(first, trouble).await,
        }
    }

    /// Takes out what people need not read any more, because somebody has taken the alert on since.
    async fn forget_acknowledged(&mut self) {
        if !self.is_for_people() {
            return;
        }
        let (snapshot, now) = (Arc::clone(&self.handles.snapshots.borrow()), clock::now());
        let mut superseded = Vec::new();
        for firing in snapshot.firing().filter(|firing| firing.is_acknowledged(now)) {
            let key = AlertKey { alert: firing.alert, of: firing.scope.clone() };
            superseded.extend(self.queue.discard(&key, |Delivery { notification, .. }| {
                notification.change.is_repetition() && notification.id == firing.id
            }));
        }
        self.supersede(superseded).await;
    }

    /// What is to be tried next: one notification, or for people all that have gathered.
    fn next(&mut self) -> Vec<Delivery> {
        let now = self.elapsed();
        self.gathering.closes();
        if self.gathers() && self.gathering.singly == 0 {
            return self.queue.batch(now, MOST_GATHERED);
        }
        self.gathering.singly = self.gathering.singly.saturating_sub(1);
        self.queue.next(now).into_iter().collect()
    }

    async fn attempt(&mut self, deliveries: &[Delivery]) -> Result<(), Trouble> {
        let receiver = Arc::clone(&self.handles.receiver.borrow());
        let external_url = self.handles.targets.borrow().external_url.clone();
        let keys: Vec<_> = deliveries.iter().map(|delivery| delivery.line().clone()).collect();
        for key in &keys {
            self.queue.begins(key);
        }
        let outcome = match request(&receiver.kind, deliveries, &external_url) {
            Ok(request) => self.send(&receiver, request).await.map(drop),
            Err(trouble) => Err(trouble),
        };
        if let Err(trouble) = &outcome {
            self.instruments.failed(&receiver.name, trouble.why);
            // That several were refused together says nothing of one.
            for key in keys.iter().filter(|_| keys.len() == 1 || !trouble.is_for_good()) {
                self.queue.failed(key, trouble.is_for_good());
            }
        }
        outcome
    }

    async fn delivered(&mut self, deliveries: &[Delivery]) {
        self.recovers();
        let (now, is_for_people) = (self.elapsed(), self.is_for_people());
        for delivery in deliveries {
            if is_for_people {
                self.updates.delivered(&delivery.notification.id, delivery.notification.change, now);
            }
            if let Some(Delivery { id, .. }) = self.queue.delivered(delivery) {
                self.instruments.notified(&self.name(), 1);
                self.report(Settled::Delivered(id)).await;
            }
        }
    }

    /// Finds out whether the receiver is at fault or this notification: it is the notification only where the receiver
    /// takes another one. Returns whether the receiver takes anything, as far as is known.
    async fn not_delivered(&mut self, first: Delivery, trouble: Trouble) -> bool {
        let key = first.line().clone();
        let mut takes_others = trouble.suspect == Suspect::Recipients || self.queue.others_are_taken(&key);
        let mut failed = vec![(first, trouble.clone())];
        if !takes_others && self.may_try_another(&trouble) {
            takes_others = self.try_others(&mut failed).await;
        }
        if !takes_others && self.queue.refusals(&key) >= MOST_REFUSALS {
            takes_others = self.try_newest(&key, &trouble).await;
        }
        if takes_others {
            for (delivery, trouble) in failed {
                self.postpone(&delivery, &trouble).await;
            }
            return true;
        }
        self.fails(&trouble);
        if self.is_stopping() && trouble.is_for_good() {
            // Each of the others is tried once.
            for (delivery, _) in failed {
                self.queue.postpone(delivery.line(), Duration::MAX);
            }
            return true;
        }
        false
    }

    fn may_try_another(&mut self, trouble: &Trouble) -> bool {
        let now = Instant::now();
        match trouble.suspect {
            Suspect::Receiver | Suspect::Recipients => false,
            Suspect::Body => true,
            Suspect::Either => self.failures >= FAILURES_BEFORE_ANOTHER && now >= self.try_another_at,
        }
    }

    /// Tries others besides what has `failed`, until one is taken; returns whether one was.
    async fn try_others(&mut self, failed: &mut Vec<(Delivery, Trouble)>) -> bool {
        for _ in 0..OTHERS_AT_ONCE {
            let is_tried = |key: &AlertKey| failed.iter().any(|(tried, _)| tried.line() == key);
            let Some(other) = self.queue.another(is_tried) else { break };
            self.try_another_at = Instant::now() + TRY_ANOTHER_EVERY;
            match self.attempt(std::slice::from_ref(&other)).await {
                Ok(()) => {
                    self.delivered(&[other]).await;
                    return true;
                }
                Err(trouble) => {
                    let is_for_good = trouble.is_for_good();
                    failed.push((other, trouble));
                    if !is_for_good {
                        break;
                    }
                }
            }
        }
        false
    }

    /// Where nothing but this line waits, its last notification is tried. If that is taken, the one that was refused
    /// is set aside: delivered after what came later, it would be false.
    async fn try_newest(&mut self, key: &AlertKey, trouble: &Trouble) -> bool {
        let Some(newest) = self.queue.newest_of_all(key) else { return false };
        if self.attempt(std::slice::from_ref(&newest)).await.is_err() {
            return false;
        }
        self.set_aside(key, trouble).await;
        for Delivery { id, .. } in self.queue.remove_before(&newest) {
            self.instruments.superseded(&self.name(), 1);
            self.report(Settled::Superseded(id)).await;
        }
        self.delivered(&[newest]).await;
        true
    }

    /// The receiver takes others, but not this one: it waits by itself, and is given up if it was refused often enough.
    async fn postpone(&mut self, delivery: &Delivery, trouble: &Trouble) {
        let key = delivery.line();
        let failures = self.queue.failures(key);
        // It may have been settled meanwhile.
        if failures == 0 {
            return;
        }
        if self.queue.refusals(key) >= MOST_REFUSALS && self.queue.others_are_taken(key) {
            return self.set_aside(key, trouble).await;
        }
        if self.queue.postpone(key, self.elapsed() + pause_of_one(failures)) {
            let (name, detail, about) = (self.name(), &trouble.detail, about(&delivery.notification));
            tracing::warn!(
                event = "notification_not_taken",
                receiver = name,
                reason = trouble.why.as_str(),
                "receiver `{name}` does not take a notification about {about}: {detail}. It takes others; this one is \
                 tried again by itself"
            );
        }
    }

    async fn set_aside(&mut self, key: &AlertKey, trouble: &Trouble) {
        let Some(Delivery { id, receiver, notification, .. }) = self.queue.remove(key) else { return };
        let (name, detail, change) = (self.name(), &trouble.detail, notification.change.as_str());
        let about = about(&notification);
        self.instruments.set_aside(&name, 1);
        tracing::error!(
            event = "notification_set_aside",
            receiver = name,
            reason = trouble.why.as_str(),
            id,
            "receiver `{name}` refuses notification {id} ({about}, {change}) for good while it takes others: {detail}. \
             It is set aside in the store; once that is fixed, `redeliver {id}` sends it again"
        );
        let answer = detail.clone();
        self.report(Settled::SetAside(Refusal { id, receiver, notification, answer })).await;
    }
}
