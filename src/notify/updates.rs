//! How often people are notified that the list of an alert has changed. Pure; `now` is the time since the worker began.

use std::collections::HashMap;
use std::time::Duration;

use crate::alert::Change;

/// People get at most one `updated` for an alert in this time.
const APART: Duration = Duration::from_mins(15);

/// When people were last notified of an update of each alert that fires.
#[derive(Debug, Default)]
pub(super) struct Updates {
    /// By the id of the alert; `None` if it began since the worker did and has not been updated.
    last: HashMap<String, Option<Duration>>,
}

impl Updates {
    /// Until when this notification is to be held back, if it is.
    pub(super) fn hold_until(&self, alert: &str, change: Change, now: Duration) -> Option<Duration> {
        // Of an alert that began before the worker did, the last update may have been just before that.
        let last = self.last.get(alert).copied().unwrap_or(Some(Duration::ZERO));
        let until = last? + APART;
        (change == Change::Updated && until > now).then_some(until)
    }

    /// Takes note of a notification that was delivered.
    pub(super) fn delivered(&mut self, alert: &str, change: Change, now: Duration) {
        match change {
            Change::New => drop(self.last.insert(alert.to_owned(), None)),
            Change::Updated => drop(self.last.insert(alert.to_owned(), Some(now))),
            Change::Resolved | Change::Superseded => drop(self.last.remove(alert)),
            Change::Escalated | Change::Deescalated | Change::Reminder => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_updated_once_in_a_quarter_of_an_hour() {
        let minutes = Duration::from_mins;
        let mut updates = Updates::default();
        let held = |updates: &Updates, now| updates.hold_until("a", Change::Updated, minutes(now));
        assert_eq!(held(&updates, 3), Some(minutes(15)), "it began before a restart");
        updates.delivered("a", Change::New, minutes(1));
        assert_eq!(held(&updates, 3), None);
        updates.delivered("a", Change::Updated, minutes(3));
        assert_eq!((held(&updates, 4), held(&updates, 18)), (Some(minutes(18)), None));
        assert_eq!(updates.hold_until("a", Change::Escalated, minutes(4)), None);
        updates.delivered("a", Change::Resolved, minutes(5));
        assert!(updates.last.is_empty());
    }
}
