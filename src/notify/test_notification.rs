//! The alert that is plainly a test, which `test-alert` and the canary send. Pure.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::alert::{Alert, AlertKey, Change, Message, Notification, Severity};
use crate::model::Scope;
use crate::state::Delivery;

/// The text of all of its notifications, since an Alertmanager shows the one that came last.
const MESSAGE: &str = "this is a test of syncro-token-monitor; nothing is wrong, and nobody need do anything";

/// The id of every test, which no alert of a fleet has.
const ID: &str = "test";

/// A notification of a test that began at `since`. What is below zero is a number that no notification of the outbox has;
/// `remark` is added to the text.
pub(crate) fn test_delivery(
    receiver: &str,
    change: Change,
    (id, since): (i64, DateTime<Utc>),
    remark: &str,
    now: DateTime<Utc>,
) -> Delivery {
    let notification = Notification {
        id: ID.to_owned(),
        key: AlertKey { alert: Alert::TestAlert, of: Scope::Tenant("test".to_owned()) },
        change,
        severity: Severity::Warning,
        since,
        affected: Vec::new(),
        acknowledged: None,
        message: Message::from(format!("{MESSAGE}{remark}")),
    };
    Delivery { id, receiver: receiver.into(), queued_at: now, notification: Arc::new(notification) }
}
