//! The digests: each receiver that wants one is sent it at its moments, once, by a task of its own, so that none delays an
//! alert. `due` decides when, `content` what, `write` how.

mod content;
mod due;
mod write;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::config::{DigestSchedule, Receiver};
use crate::state::{Settled, Snapshot};
use crate::system::clock;

use super::answer::Trouble;
use super::backoff::pause_of_one;
use super::post::Post;
use super::{Instruments, Targets};

use content::{Content, Occasion};
use due::{Due, due, settled};

pub(super) use write::request;

/// The clock is read at least so often: it may be set.
const READ_CLOCK_EVERY: Duration = Duration::from_secs(30);
/// How long after a start a digest waits for the first sweep, without which it would say what was so before.
const LONGEST_SWEEP: Duration = Duration::from_mins(5);
/// How soon a digest is tried again that was refused for good: what it says may be another thing then.
const AFTER_REFUSAL: Duration = Duration::from_hours(1);

/// What the digests are connected to.
pub(super) struct Handles {
    /// The receivers as they are configured now.
    pub(super) targets: watch::Receiver<Arc<Targets>>,
    /// The snapshot of the fleet.
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Up to which moment the digests of each receiver were settled when the program started, by their names in the store.
    pub(super) settled: HashMap<String, DateTime<Utc>>,
    /// Where is reported up to which moment they are.
    pub(super) done: mpsc::Sender<Settled>,
    /// Cancelled when the daemon is stopping.
    pub(super) drain: CancellationToken,
}

/// What a digest of this moment says to a receiver; `None` if it wants none.
pub(super) fn content(
    receiver: &Receiver,
    snapshot: &Snapshot,
    (due, now): (DateTime<Utc>, DateTime<Utc>),
    external_url: &str,
) -> Option<Content> {
    let schedule = receiver.digest.as_ref()?;
    Some(Content::of(snapshot, Occasion { only: &receiver.only, schedule, due, now }, external_url))
}

/// Sends digests until the daemon stops.
pub(super) async fn run<P: Post + Clone>(handles: Handles, post: P, instruments: Instruments) {
    let drain = handles.drain.clone();
    let (lines, sending, began) = (HashMap::new(), JoinSet::new(), Instant::now());
    let digests = Digests { handles, post, instruments, lines, sending, began };
    // One that is under way is given up: it is sent at the next start.
    drain.run_until_cancelled(digests.run()).await;
}

struct Digests<P> {
    handles: Handles,
    post: P,
    instruments: Instruments,
    /// By the names of the receivers.
    lines: HashMap<String, Line<P>>,
    sending: JoinSet<Sent<P>>,
    began: Instant,
}

/// The digests of one receiver.
struct Line<P> {
    schedule: DigestSchedule,
    /// Everything that was due up to this moment is settled.
    settled: DateTime<Utc>,
    /// How often in a row the one that is due was not taken.
    failures: u32,
    /// Nothing is tried before this moment.
    not_before: Instant,
    /// What sends them; `None` while it does. It remembers which recipients have an e-mail already.
    post: Option<P>,
}

/// An attempt that has ended.
struct Sent<P> {
    receiver: String,
    due: DateTime<Utc>,
    post: P,
    outcome: Result<(), Trouble>,
}

/// The name under which the store has up to when the digests of a receiver are settled.
fn name(receiver: &str) -> String {
    format!("digest {receiver}")
}

impl<P: Post + Clone> Digests<P> {
    async fn run(mut self) {
        self.handles.targets.mark_changed();
        let mut next = Instant::now();
        loop {
            tokio::select! {
                biased;
                changed = self.handles.targets.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.arrange().await;
                }
                Some(Ok(sent)) = self.sending.join_next() => self.sent(sent).await,
                () = sleep_until(next), if !self.lines.is_empty() => {}
            }
            self.send_what_is_due().await;
            next = self.next();
        }
    }

    /// Takes over the receivers as they are configured now.
    async fn arrange(&mut self) {
        let targets = Arc::clone(&self.handles.targets.borrow_and_update());
        let wanted = |name: &str| {
            let receiver = targets.receivers.iter().find(|receiver| receiver.name == name)?;
            receiver.digest.clone()
        };
        for (gone, _) in self.lines.extract_if(|name, _| wanted(name).is_none()) {
            self.instruments.digests_disappear(&gone);
        }
        let now = clock::now();
        for receiver in &targets.receivers {
            let Some(schedule) = receiver.digest.clone() else { continue };
            self.instruments.digested(&receiver.name, 0);
            if let Some(line) = self.lines.get_mut(&receiver.name) {
                if line.schedule != schedule {
                    // What would have been due by it before is not sent.
                    (line.schedule, line.settled) = (schedule, line.settled.max(now));
                }
                line.not_before = Instant::now();
                continue;
            }
            let persisted = self.handles.settled.remove(&name(&receiver.name));
            let settled = settled(persisted, now);
            let line =
                Line { schedule, settled, failures: 0, not_before: Instant::now(), post: Some(self.post.clone()) };
            self.lines.insert(receiver.name.clone(), line);
            if persisted != Some(settled) {
                self.report(&receiver.name, settled).await;
            }
        }
    }

    async fn report(&self, receiver: &str, at: DateTime<Utc>) {
        // The writer of the store ends only when everything ends.
        self.handles.done.send(Settled::Recurred { name: name(receiver), at }).await.unwrap_or_default();
    }

    /// Begins to send every digest that is due and not under way.
    async fn send_what_is_due(&mut self) {
        let (snapshot, now) = (Arc::clone(&self.handles.snapshots.borrow()), clock::now());
        if !snapshot.first_sweep_done && self.began.elapsed() < LONGEST_SWEEP {
            return;
        }
        let targets = Arc::clone(&self.handles.targets.borrow());
        let mut missed = Vec::new();
        for receiver in &targets.receivers {
            let Some(line) = self.lines.get_mut(&receiver.name) else { continue };
            if line.not_before > Instant::now() || line.post.is_none() {
                continue;
            }
            match due(&line.schedule, line.settled, now) {
                Due::Nothing => {}
                Due::Missed(due) => {
                    (line.settled, line.failures) = (due, 0);
                    missed.push((receiver.name.clone(), due));
                }
                Due::Send(due) => {
                    let made = content(receiver, &snapshot, (due, now), &targets.external_url);
                    if let (Some(content), Some(post)) = (made, line.post.take()) {
                        self.sending.spawn(attempt(Arc::clone(receiver), content, due, post));
                    }
                }
            }
        }
        for (receiver, due) in missed {
            tracing::warn!(
                event = "digest_missed",
                receiver,
                "the digest of {} for receiver `{receiver}` is left out: it could not be sent within a day",
                due.format("%Y-%m-%d %H:%M UTC")
            );
            self.report(&receiver, due).await;
        }
    }

    /// Takes in what became of an attempt.
    async fn sent(&mut self, Sent { receiver, due, post, outcome }: Sent<P>) {
        // It may not be configured any more.
        let Some(line) = self.lines.get_mut(&receiver) else { return };
        line.post = Some(post);
        match outcome {
            Ok(()) => {
                (line.settled, line.failures) = (line.settled.max(due), 0);
                self.instruments.digested(&receiver, 1);
                tracing::info!(event = "digest_sent", receiver, "receiver `{receiver}` was sent its digest");
                self.report(&receiver, due).await;
            }
            Err(trouble) => {
                line.failures = line.failures.saturating_add(1);
                let pause = if trouble.is_for_good() { AFTER_REFUSAL } else { pause_of_one(line.failures) };
                line.not_before = Instant::now() + trouble.retry_after.unwrap_or_default().clamp(pause, AFTER_REFUSAL);
                self.instruments.failed(&receiver, trouble.why);
                let (reason, detail) = (trouble.why.as_str(), trouble.detail);
                if line.failures == 1 {
                    tracing::warn!(
                        event = "digest_failing",
                        receiver,
                        reason,
                        "receiver `{receiver}` has not taken its digest: {detail}. It is tried again for a day"
                    );
                } else {
                    tracing::debug!(event = "digest_failing", receiver, reason, "still no digest: {detail}");
                }
            }
        }
    }

    /// When something may be due next, at the latest.
    fn next(&self) -> Instant {
        let (now, wall) = (Instant::now(), clock::now());
        let of_line = |line: &Line<P>| match line.schedule.next(wall.max(line.settled)) {
            _ if line.not_before > now => line.not_before,
            Some(next) => now + (next - wall).to_std().unwrap_or_default(),
            None => now + READ_CLOCK_EVERY,
        };
        let first = self.lines.values().filter(|line| line.post.is_some()).map(of_line).min();
        first.unwrap_or(now + READ_CLOCK_EVERY).min(now + READ_CLOCK_EVERY)
    }
}

async fn attempt<P: Post>(receiver: Arc<Receiver>, content: Content, due: DateTime<Utc>, mut post: P) -> Sent<P> {
    let outcome = match request(&receiver.kind, &content) {
        Ok(outgoing) => post.post(&receiver, outgoing, receiver.timeout).await.map(drop),
        Err(trouble) => Err(trouble),
    };
    Sent { receiver: receiver.name.clone(), due, post, outcome }
}
