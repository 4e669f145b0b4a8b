//! A receiver that takes nothing, as far as is known: when it is tried again, and what the log says of it.

use chrono::TimeDelta;
use tokio::time::Instant;

use crate::config::ReceiverKind;
use crate::system::clock;

use super::alertmanager::RESEND;
use super::answer::Trouble;
use super::backoff::{LONGEST_RETRY_AFTER, SOON, pause};
use super::post::Post;
use super::worker::Worker;

/// A receiver for which a notification has waited longer is reported by a log line of its own.
const LONGEST_WAIT: TimeDelta = TimeDelta::hours(1);

impl<P: Post> Worker<P> {
    /// Takes note that the receiver takes what it is sent.
    pub(super) fn recovers(&mut self) {
        self.not_before = Instant::now();
        if std::mem::take(&mut self.failures) > 0 {
            self.is_behind = false;
            let name = self.name();
            self.handles.reach.recovers(&name);
            tracing::info!(event = "receiver_recovered", receiver = name, "receiver `{name}` is notified again");
        }
    }

    /// Takes note that the receiver takes nothing, as far as is known: everything waits for it.
    pub(super) fn fails(&mut self, trouble: &Trouble) {
        let name = self.name();
        self.failures = self.failures.saturating_add(1);
        (self.suspect, self.failed_at) = (trouble.suspect, Instant::now());
        let is_alertmanager = self.handles.receiver.borrow().kind == ReceiverKind::Alertmanager;
        // An Alertmanager believes that what it is not sent again is over.
        let longest_retry_after = if is_alertmanager { RESEND } else { LONGEST_RETRY_AFTER };
        let mut pause = pause(self.failures, trouble.retry_after, longest_retry_after, fastrand::f64());
        if trouble.is_for_good() && trouble.retry_after.is_none() && self.queue.has_untried() && !is_alertmanager {
            pause = pause.min(SOON);
        }
        self.not_before = self.failed_at + pause;
        let (reason, detail, waiting) = (trouble.why.as_str(), &trouble.detail, self.queue.len());
        let wait =
            if waiting == 1 { "1 notification waits".to_owned() } else { format!("{waiting} notifications wait") };
        if self.failures == 1 {
            tracing::warn!(
                event = "receiver_failing",
                receiver = name,
                reason,
                "receiver `{name}` was not notified: {detail}. {wait} for it; it is tried again"
            );
        } else {
            tracing::debug!(event = "receiver_failing", receiver = name, reason, "still not notified: {detail}");
        }
        let waits_long = self.queue.oldest().is_some_and(|at| clock::now() - at > LONGEST_WAIT);
        self.handles.reach.fails(&name, waits_long);
        if waits_long && !std::mem::replace(&mut self.is_behind, true) {
            tracing::error!(
                event = "receiver_behind",
                receiver = name,
                reason,
                "receiver `{name}` has not been notified for more than an hour of what it should know: {detail}. \
                 {wait} for it"
            );
        }
    }
}
