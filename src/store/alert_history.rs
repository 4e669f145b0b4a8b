//! What happened to an alert, read beside a daemon.

use std::path::Path;

use rusqlite::{Connection, Row};

use crate::state::{AlertDelivery, AlertEvent, AlertHistory, DeliveryOutcome, EndedAlert, TakenOn};

use super::alert_events::ACKNOWLEDGED;
use super::database::version;
use super::error::{Problem, StoreError};
use super::history::{moment, open, unreadable};

/// The version of the schema that has this first.
const FIRST: usize = 9;
/// How many events of one alert, and how many deliveries, are read at most: the newest.
const MOST: u32 = 500;
/// How many of the alerts that ended are read at most.
const MOST_ENDED: u32 = 50;

/// What happened to the alert with this id, as far as it is retained; nothing if there never was one.
///
/// # Errors
/// When there is no store at `path`, a newer version or another program wrote it, or it cannot be read.
pub fn alert_history(path: &Path, alert: &str) -> Result<AlertHistory, StoreError> {
    read(path, |connection| {
        Ok(AlertHistory { events: events(connection, alert)?, deliveries: deliveries(connection, alert)? })
    })
}

/// The ends of the alerts that ended last, the newest first.
///
/// # Errors
/// As of [`alert_history`].
pub fn ended_alerts(path: &Path) -> Result<Vec<EndedAlert>, StoreError> {
    read(path, ended)
}

/// Reads from the store; nothing where a daemon that has not been restarted since the program was upgraded still writes the
/// older schema.
fn read<T: Default>(path: &Path, read: impl FnOnce(&Connection) -> Result<T, Problem>) -> Result<T, StoreError> {
    let opened = || {
        let connection = open(path)?;
        let has_it = version(&connection)?.is_some_and(|version| version >= FIRST);
        if has_it { read(&connection) } else { Ok(T::default()) }
    };
    opened().map_err(|problem: Problem| problem.at(path))
}

fn ended(connection: &Connection) -> Result<Vec<EndedAlert>, Problem> {
    let text = format!(
        "SELECT at, notice FROM alert_events WHERE change IN ('resolved', 'superseded') ORDER BY id DESC
         LIMIT {MOST_ENDED}"
    );
    let mut statement = connection.prepare(&text)?;
    let (mut rows, mut ended) = (statement.query([])?, Vec::new());
    while let Some(row) = rows.next()? {
        let (at, notice) = (moment(row, 0)?, row.get::<_, String>(1)?);
        let notification = serde_json::from_str(&notice).map_err(|error| unreadable("the end of an alert", error))?;
        ended.push(EndedAlert { at, notification });
    }
    Ok(ended)
}

fn events(connection: &Connection, alert: &str) -> Result<Vec<AlertEvent>, Problem> {
    let text = format!("SELECT at, change, notice FROM alert_events WHERE alert = ?1 ORDER BY id DESC LIMIT {MOST}");
    let mut statement = connection.prepare(&text)?;
    let (mut rows, mut events) = (statement.query([alert])?, Vec::new());
    while let Some(row) = rows.next()? {
        let (at, change, notice) = (moment(row, 0)?, row.get::<_, String>(1)?, row.get::<_, Option<String>>(2)?);
        let what = |error| unreadable(&format!("alert {alert}, {change}"), error);
        let taken_on = |acknowledgement| AlertEvent::TakenOn(TakenOn { alert: alert.to_owned(), at, acknowledgement });
        events.push(match (change.as_str(), &notice) {
            (ACKNOWLEDGED, Some(text)) => taken_on(Some(serde_json::from_str(text).map_err(what)?)),
            (_, None) => taken_on(None),
            (_, Some(text)) => AlertEvent::Notified { at, notification: serde_json::from_str(text).map_err(what)? },
        });
    }
    events.reverse();
    Ok(events)
}

fn deliveries(connection: &Connection, alert: &str) -> Result<Vec<AlertDelivery>, Problem> {
    let text = format!(
        "SELECT queued_at, receiver, told_at, set_aside_at, refusal FROM outbox
         WHERE json_extract(notice, '$.id') = ?1 ORDER BY id DESC LIMIT {MOST}"
    );
    let mut statement = connection.prepare(&text)?;
    let (mut rows, mut deliveries) = (statement.query([alert])?, Vec::new());
    while let Some(row) = rows.next()? {
        deliveries.push(delivery(row)?);
    }
    deliveries.reverse();
    Ok(deliveries)
}

fn delivery(row: &Row<'_>) -> Result<AlertDelivery, Problem> {
    let is_set = |column: usize| row.get::<_, Option<String>>(column).map(|text| text.is_some());
    let outcome = if is_set(2)? {
        DeliveryOutcome::Delivered(moment(row, 2)?)
    } else if is_set(3)? {
        DeliveryOutcome::Refused(moment(row, 3)?, row.get::<_, Option<String>>(4)?.unwrap_or_default())
    } else {
        DeliveryOutcome::Waits
    };
    Ok(AlertDelivery { queued_at: moment(row, 0)?, receiver: row.get(1)?, outcome })
}
