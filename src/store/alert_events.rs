//! What happened to alerts, written with what is notified of them.

use std::sync::Arc;

use chrono::{DateTime, Utc};
use rusqlite::{Transaction, params};

use crate::alert::Notification;
use crate::state::TakenOn;

use super::error::Problem;
use super::{to_json, written};

/// How the table says that an alert was taken on, and that it was given back.
pub(super) const ACKNOWLEDGED: &str = "acknowledged";
const UNACKNOWLEDGED: &str = "unacknowledged";

/// Writes what was notified, and what operators did.
pub(super) fn write_events(
    transaction: &Transaction<'_>,
    notified: &[(DateTime<Utc>, Arc<Notification>)],
    taken_on: &[TakenOn],
) -> Result<(), Problem> {
    let mut write =
        transaction.prepare("INSERT INTO alert_events (at, alert, change, notice) VALUES (?1, ?2, ?3, ?4)")?;
    for (at, notification) in notified {
        let change = notification.change.as_str();
        write.execute(params![written(*at), notification.id, change, to_json(&**notification)?])?;
    }
    for TakenOn { alert, at, acknowledgement } in taken_on {
        let change = if acknowledgement.is_some() { ACKNOWLEDGED } else { UNACKNOWLEDGED };
        let notice = acknowledgement.as_ref().map(to_json).transpose()?;
        write.execute(params![written(*at), alert, change, notice])?;
    }
    Ok(())
}
