//! The heartbeat: a request that is sent while the loop turns and every receiver can be reached. Whoever takes it raises the
//! alarm when it stays away, which is how those learn that the monitor is dead whom it can notify of nothing any more.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::config::{Address, Authorization, Format, Heartbeat, Only, Receiver, ReceiverKind, Webhook};
use crate::state::{Snapshot, stalled};
use crate::system::clock;

use super::Targets;
use super::answer::Trouble;
use super::backoff::{LONGEST_RETRY_AFTER, pause};
use super::heartbeat_instruments::HeartbeatInstruments;
use super::outgoing::{Outgoing, Verb};
use super::post::Post;
use super::reach::Reach;

/// How long one request may take: it is answered with a word.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How long after the start the first one is sent: by then a receiver that failed before a restart has been tried again.
const FIRST: Duration = Duration::from_secs(10);
/// How soon it is judged again whether a heartbeat that is withheld may go on.
const JUDGE_EVERY: Duration = Duration::from_secs(10);

/// What the heartbeat is connected to.
pub(super) struct Handles {
    /// What is configured now.
    pub(super) targets: watch::Receiver<Arc<Targets>>,
    /// The snapshot of the fleet, which shows whether the loop turns.
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    /// Which receivers can be reached.
    pub(super) reach: Reach,
    /// Cancelled when the daemon is stopping.
    pub(super) drain: CancellationToken,
}

/// Sends the heartbeat, where one is configured, until the daemon stops.
pub(super) async fn run<P: Post>(handles: Handles, post: P, instruments: HeartbeatInstruments) {
    let drain = handles.drain.clone();
    let sender = Sender { handles, post, instruments, failures: 0, is_withheld: false };
    // A request that is under way is given up: one heartbeat more or less says nothing.
    drain.run_until_cancelled(sender.run()).await;
}

struct Sender<P> {
    handles: Handles,
    post: P,
    instruments: HeartbeatInstruments,
    /// How often in a row it was not taken.
    failures: u32,
    /// Whether the log says that it is withheld.
    is_withheld: bool,
}

impl<P: Post> Sender<P> {
    async fn run(mut self) {
        let (mut heartbeat, mut next) = (None, Instant::now());
        loop {
            let configured = self.handles.targets.borrow_and_update().heartbeat.clone();
            if configured != heartbeat {
                (self.failures, self.is_withheld) = (0, false);
                self.instruments.configured(configured.is_some());
                next = Instant::now() + configured.as_ref().map_or(FIRST, |heartbeat| heartbeat.every.min(FIRST));
                heartbeat = configured;
            }
            tokio::select! {
                // In a fixed order, so that a simulation can be replayed.
                biased;
                changed = self.handles.targets.changed() => if changed.is_err() { return },
                () = sleep_until(next), if heartbeat.is_some() => {
                    let Some(heartbeat) = &heartbeat else { continue };
                    next = Instant::now() + self.turn(heartbeat).await;
                }
            }
        }
    }

    /// Sends one, unless something is wrong; returns the pause until the next.
    async fn turn(&mut self, heartbeat: &Heartbeat) -> Duration {
        let why = self.problem();
        self.instruments.withheld(why.is_some());
        if let Some(why) = why {
            if !std::mem::replace(&mut self.is_withheld, true) {
                tracing::error!(
                    event = "heartbeat_withheld",
                    "no heartbeat is sent any more, so that whoever expects it raises the alarm: {why}"
                );
            }
            return heartbeat.every.min(JUDGE_EVERY);
        }
        if std::mem::take(&mut self.is_withheld) {
            tracing::info!(event = "heartbeat_resumed", "the heartbeat is sent again");
        }
        let outgoing = Outgoing { verb: Verb::Get, ..Outgoing::default() };
        match self.post.post(&receiver(heartbeat), outgoing, TIMEOUT).await {
            Ok(_) => {
                self.taken();
                heartbeat.every
            }
            Err(trouble) => {
                self.fails(&trouble);
                heartbeat.every.min(pause(self.failures, trouble.retry_after, LONGEST_RETRY_AFTER, fastrand::f64()))
            }
        }
    }

    /// Why nobody should believe that all is as it should be.
    fn problem(&self) -> Option<String> {
        let stalled = stalled(&self.handles.snapshots.borrow(), clock::now());
        let unreachable = self.handles.reach.unreachable();
        let unreachable = (!unreachable.is_empty())
            .then(|| format!("nothing has reached receiver `{}` for more than an hour", unreachable.join("`, `")));
        stalled.or(unreachable).or_else(|| self.handles.reach.missing_canary())
    }

    fn taken(&mut self) {
        self.instruments.taken(clock::now());
        if std::mem::take(&mut self.failures) > 0 {
            tracing::info!(event = "heartbeat_recovered", "the heartbeat is taken again");
        }
    }

    fn fails(&mut self, trouble: &Trouble) {
        self.failures = self.failures.saturating_add(1);
        self.instruments.failed(trouble.why);
        let (reason, detail) = (trouble.why.as_str(), &trouble.detail);
        if self.failures == 1 {
            tracing::warn!(
                event = "heartbeat_failing",
                reason,
                "the heartbeat was not taken: {detail}. It is sent again and again"
            );
        } else {
            tracing::debug!(event = "heartbeat_failing", reason, "the heartbeat is still not taken: {detail}");
        }
    }
}

/// Where the heartbeat goes, as a receiver that is asked and sent nothing.
fn receiver(heartbeat: &Heartbeat) -> Arc<Receiver> {
    let webhook = Webhook { format: Format::Json, put: false, headers: Vec::new(), secret_file: None };
    Arc::new(Receiver {
        name: "heartbeat".to_owned(),
        kind: ReceiverKind::Webhook(webhook),
        address: Address::File(heartbeat.url_file.clone()),
        authorization: Authorization::None,
        ca_file: None,
        identity: None,
        timeout: TIMEOUT,
        only: Only::default(),
        group_wait: Duration::ZERO,
        digest: None,
    })
}
