//! What a start reads from the SQLite file: statuses, firing alerts, and what is still to be delivered.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Row};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::alert::{AcknowledgementOrder, AlertKey, Firing};
use crate::belief::{TokenStatus, discard_unknown_permissions};
use crate::model::{Scope, TokenId};
use crate::state::{Delivery, KnownAlerts, Learnt, PersistedState, PersistedToken, thin};

use super::error::Problem;

/// What the store has for the receivers.
#[derive(Debug)]
pub(super) struct Outbox {
    /// What is still to be delivered, in order.
    pub(super) undelivered: Vec<Delivery>,
    /// The number of the next delivery.
    pub(super) next_id: i64,
    /// The alerts that receivers know to fire.
    pub(super) known: KnownAlerts,
    /// Up to which moment what is sent again and again is settled, by its name.
    pub(super) recurring: HashMap<String, DateTime<Utc>>,
}

/// What operators want of alerts and has not been carried out, in order.
pub(super) fn orders(connection: &Connection) -> Result<Vec<AcknowledgementOrder>, Problem> {
    let mut statement =
        connection.prepare("SELECT number, alert, acknowledgement FROM acknowledgement_orders ORDER BY number")?;
    let (mut rows, mut orders) = (statement.query([])?, Vec::new());
    while let Some(row) = rows.next()? {
        let acknowledgement: Option<String> = row.get(2)?;
        let acknowledgement = acknowledgement.map(|text| serde_json::from_str(&text)).transpose();
        let unreadable = |error| Problem::Damaged(format!("an acknowledgement cannot be read: {error}"));
        let acknowledgement = acknowledgement.map_err(unreadable)?;
        orders.push(AcknowledgementOrder { number: row.get(0)?, alert: row.get(1)?, acknowledgement });
    }
    Ok(orders)
}

/// The statuses and the firing alerts that were persisted.
///
/// # Errors
/// When one of them cannot be parsed, or the file cannot be read.
pub(super) fn persisted_state(connection: &Connection) -> Result<PersistedState, Problem> {
    let mut state = PersistedState::default();
    let mut unknown = BTreeMap::<String, usize>::new();
    let mut tokens = connection.prepare("SELECT tenant, token_name, standing, retired_at IS NOT NULL FROM tokens")?;
    let mut rows = tokens.query([])?;
    while let Some(row) = rows.next()? {
        let (id, retired) = (token_id(row)?, row.get::<_, bool>(3)?);
        let what = || format!("the status of token `{}` of tenant `{}`", id.token_name, id.tenant);
        // Only a status that another version wrote, or that is damaged, is taken apart.
        let status = match json(row, 2, what) {
            Ok(status) => status,
            Err(_) => known_status(json(row, 2, what)?, &mut unknown).map_err(|error| unreadable(&what(), &error))?,
        };
        if retired {
            state.retired.push((id, status));
        } else {
            state.tokens.insert(id, PersistedToken { status, firing: Vec::new() });
        }
    }
    for (permission, tokens) in unknown {
        tracing::warn!(
            event = "permission_unknown",
            permission,
            tokens,
            "the catalogue of this program does not have `{permission}`, of which the store has a status for {tokens} \
             tokens: it is discarded"
        );
    }
    let mut firing = connection.prepare("SELECT tenant, token_name, firing FROM firing")?;
    let mut rows = firing.query([])?;
    while let Some(row) = rows.next()? {
        let firing = json::<Vec<Firing>>(row, 2, || "what fires".to_owned())?;
        match Scope::of_names(row.get(0)?, row.get(1)?) {
            Scope::Token(id) => state.tokens.entry(id).or_default().firing = firing,
            of => match of.tenant() {
                Some(name) => drop(state.tenants.insert(name.to_owned(), firing)),
                None => state.fleet = firing,
            },
        }
    }
    Ok(state)
}

/// What is still to be delivered, in order, and the numbers of the deliveries that are needless by now: a receiver that
/// was away for months must not fill the memory with alerts that came and went meanwhile.
pub(super) fn undelivered(connection: &Connection) -> Result<(Vec<Delivery>, Vec<i64>), Problem> {
    let (mut lines, mut superseded) = (HashMap::<(Arc<str>, AlertKey), Vec<Delivery>>::new(), Vec::new());
    let mut outbox = connection.prepare(
        "SELECT id, receiver, queued_at, notice FROM outbox WHERE told_at IS NULL AND set_aside_at IS NULL ORDER BY id",
    )?;
    let mut rows = outbox.query([])?;
    while let Some(row) = rows.next()? {
        let delivery = delivery(row)?;
        let line = lines.entry((Arc::clone(&delivery.receiver), delivery.line().clone())).or_default();
        line.push(delivery);
        superseded.extend(thin(line, false).iter().map(|delivery| delivery.id));
    }
    let mut undelivered: Vec<_> = lines.into_values().flatten().collect();
    undelivered.sort_unstable_by_key(|delivery| delivery.id);
    Ok((undelivered, superseded))
}

/// The alerts that receivers know to fire.
pub(super) fn known_alerts(connection: &Connection) -> Result<KnownAlerts, Problem> {
    let mut known = KnownAlerts::default();
    let mut statement = connection.prepare("SELECT receiver, alert FROM known_alerts")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let receiver = Arc::from(row.get::<_, String>(0)?);
        known.learn(Learnt { receiver, alert: row.get(1)?, fires: true });
    }
    Ok(known)
}

/// Up to which moment what is sent again and again is settled. What cannot be read counts as never sent.
pub(super) fn recurring(connection: &Connection) -> Result<HashMap<String, DateTime<Utc>>, Problem> {
    let mut recurring = HashMap::new();
    let mut statement = connection.prepare("SELECT name, at FROM recurring")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Ok(at) = DateTime::parse_from_rfc3339(&row.get::<_, String>(1)?) {
            recurring.insert(row.get(0)?, at.to_utc());
        }
    }
    Ok(recurring)
}

/// The delivery in a row of the outbox: its number, its receiver, when it was queued, and what it is.
pub(super) fn delivery(row: &Row<'_>) -> Result<Delivery, Problem> {
    let receiver = Arc::from(row.get::<_, String>(1)?);
    let queued_at = DateTime::parse_from_rfc3339(&row.get::<_, String>(2)?)
        .map_err(|error| Problem::Damaged(format!("when a notification was queued cannot be read: {error}")))?;
    let notification = Arc::new(json(row, 3, || "a notification".to_owned())?);
    Ok(Delivery { id: row.get(0)?, receiver, queued_at: queued_at.to_utc(), notification })
}

fn token_id(row: &Row<'_>) -> Result<TokenId, Problem> {
    Ok(TokenId { tenant: row.get(0)?, token_name: row.get(1)? })
}

/// A status without the permissions that the catalogue does not have; how often each was left out is added to `unknown`.
fn known_status(mut status: Value, unknown: &mut BTreeMap<String, usize>) -> serde_json::Result<TokenStatus> {
    for name in discard_unknown_permissions(&mut status) {
        *unknown.entry(name).or_default() += 1;
    }
    serde_json::from_value(status)
}

/// The value that a column has as JSON; `what` names it in the error.
fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize, what: impl Fn() -> String) -> Result<T, Problem> {
    let text = row.get_ref(column)?.as_str().map_err(|error| Problem::Damaged(error.to_string()))?;
    serde_json::from_str(text).map_err(|error| unreadable(&what(), &error))
}

fn unreadable(what: &str, error: &serde_json::Error) -> Problem {
    Problem::Damaged(format!("{what} cannot be read: {error}"))
}
