//! What is known of a receiver's clock, and the log line when it and ours differ. An alert carries moments, which mean
//! something else by another clock.

use chrono::TimeDelta;

use super::alertmanager::Clocks;

/// The clock of one receiver.
#[derive(Debug, Default)]
pub(super) struct ReceiverClock {
    offset: Option<TimeDelta>,
    /// Whether the log says that the clocks differ.
    is_logged: bool,
}

impl ReceiverClock {
    /// How far the clock is ahead of ours; `None` before an answer has shown it.
    pub(super) fn offset(&self) -> Option<TimeDelta> {
        self.offset
    }

    /// Takes in how far ahead of ours an answer shows the clock to be. A difference is logged once, and so is its end.
    pub(super) fn observe(&mut self, receiver: &str, is_alertmanager: bool, offset: TimeDelta) {
        self.offset = Some(offset);
        let seconds = offset.num_seconds();
        let differ = Clocks::differ(self.offset);
        // A difference that wavers around the limit is not logged again and again.
        let agree = offset.abs() < Clocks::TOLERANCE / 2;
        if differ && !self.is_logged {
            self.is_logged = true;
            let difference = humantime::format_duration(offset.abs().to_std().unwrap_or_default());
            let direction = if seconds > 0 { "ahead of" } else { "behind" };
            let meanwhile = if is_alertmanager {
                ". Meanwhile it is left to its own `resolve_timeout` when what fires is over unless it is sent again"
            } else {
                ""
            };
            tracing::warn!(
                event = "receiver_clock",
                receiver,
                offset_seconds = seconds,
                "the clock of receiver `{receiver}` is {difference} {direction} ours; set the wrong one right, by NTP \
                 perhaps{meanwhile}"
            );
        } else if agree && std::mem::take(&mut self.is_logged) {
            tracing::info!(
                event = "receiver_clock",
                receiver,
                offset_seconds = seconds,
                "the clock of receiver `{receiver}` and ours agree again"
            );
        }
    }
}
