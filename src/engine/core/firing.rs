//! What fires, as effects: it is shared, persisted and notified of. Pure.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::alert::{Firing, Notification};
use crate::engine::effect::Effect;
use crate::model::Scope;
use crate::state::Record;

/// The clock was set back: nothing that fires was notified of after `now`, so that the next reminder comes in time, also
/// after a restart.
pub(super) fn not_after(
    of: impl FnOnce() -> Scope,
    firing: &mut Arc<Vec<Firing>>,
    now: DateTime<Utc>,
) -> Option<Effect> {
    let mut moved = firing.to_vec();
    for alert in &mut moved {
        alert.set_back(now);
    }
    shared(of, firing, moved)
}

/// Shares what fires now, if it is not what fired before, and has it persisted.
pub(super) fn shared(of: impl FnOnce() -> Scope, fires: &mut Arc<Vec<Firing>>, firing: Vec<Firing>) -> Option<Effect> {
    if firing == **fires {
        return None;
    }
    *fires = Arc::new(firing);
    Some(Effect::Record(Record::Firing { of: of(), firing: Arc::clone(fires) }))
}

/// Notifications as effects: they are persisted first.
pub(super) fn notified(notifications: Vec<Notification>) -> impl Iterator<Item = Effect> {
    notifications.into_iter().map(|notification| Effect::Record(Record::Notification(Box::new(notification))))
}
