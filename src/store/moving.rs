//! What is known of tenants, moved from the store of one daemon to that of another: what is believed of their tokens, what
//! fires for them and who knows it, and their history.

use std::collections::BTreeMap;
use std::path::Path;

use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::alert::Firing;
use crate::belief::TokenStatus;

use super::database::{Database, is_of_this_version, version};
use super::error::{Problem, StoreError};
use super::history::open;
use super::lock::Lock;

/// The version of the format.
const FORMAT: u32 = 1;
/// The ids of the alerts that fire for a tenant.
const ITS_ALERTS: &str = "SELECT json_extract(value, '$.id') FROM firing, json_each(firing.firing) WHERE tenant = ?1";

/// What is known of some tenants.
#[derive(Debug, Serialize, Deserialize)]
pub struct MovedState {
    /// The version of the format.
    version: u32,
    /// What is known of each.
    tenants: Vec<TenantState>,
}

/// What is known of one tenant.
#[derive(Debug, Serialize, Deserialize)]
struct TenantState {
    tenant: String,
    tokens: Vec<TokenRow>,
    firing: Vec<FiringRow>,
    /// The receivers that know of its alerts.
    known: Vec<KnownRow>,
    events: Vec<EventRow>,
    history: Vec<HistoryRow>,
}

#[derive(Debug, Serialize, Deserialize)]
struct TokenRow {
    token_name: String,
    status: Box<RawValue>,
    retired_at: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FiringRow {
    /// Empty for what fires for the tenant; a program of the first version wrote it for each token.
    token_name: String,
    firing: Box<RawValue>,
}

#[derive(Debug, Serialize, Deserialize)]
struct KnownRow {
    receiver: String,
    alert: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct EventRow {
    at: String,
    alert: String,
    change: String,
    notice: Option<Box<RawValue>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct HistoryRow {
    at: String,
    token_name: String,
    kind: String,
    subject: Option<String>,
    before: String,
    after: String,
    since: String,
    evidence: Option<String>,
    shown_by: Option<String>,
}

/// What became of the tenants of an import.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Imported {
    /// Those that were taken in.
    pub taken: usize,
    /// Those of which this store knows as much or more.
    pub known: usize,
    /// Those that this daemon does not watch.
    pub foreign: usize,
}

impl MovedState {
    /// Whether it says nothing of any tenant.
    pub fn is_empty(&self) -> bool {
        self.tenants.is_empty()
    }

    /// Reads what an export wrote.
    ///
    /// # Errors
    /// A text that reads after a colon, when it is something else, or of a version that this program does not know.
    pub fn parse(text: &str) -> Result<Self, String> {
        let state: Self = serde_json::from_str(text).map_err(|error| format!("no state that was exported: {error}"))?;
        if state.version == FORMAT {
            Ok(state)
        } else {
            Err(format!("of version {}, and this program knows version {FORMAT}", state.version))
        }
    }
}

/// What the store at `path` knows of those of its tenants that are `wanted`. A daemon may be writing to it.
///
/// # Errors
/// When there is no store, a daemon of another version wrote it, or it cannot be read.
pub fn export(path: &Path, wanted: impl Fn(&str) -> bool) -> Result<MovedState, StoreError> {
    let read = || {
        let connection = open(path)?;
        let transaction = connection.unchecked_transaction()?;
        let version = version(&transaction)?;
        if version.is_none() {
            return Ok(MovedState { version: FORMAT, tenants: Vec::new() });
        }
        is_of_this_version(version)?;
        tenants(&transaction, wanted)
    };
    read().map_err(|problem: Problem| problem.at(path))
}

fn tenants(connection: &Connection, wanted: impl Fn(&str) -> bool) -> Result<MovedState, Problem> {
    let names = "SELECT tenant FROM tokens UNION SELECT tenant FROM firing WHERE tenant <> '' ORDER BY 1";
    let names: Vec<String> = rows(connection, names, &[], |row| row.get(0))?;
    let names = names.into_iter().filter(|name| wanted(name));
    let tenants = names.map(|name| of_tenant(connection, name)).collect::<Result<_, _>>()?;
    Ok(MovedState { version: FORMAT, tenants })
}

fn of_tenant(connection: &Connection, tenant: String) -> Result<TenantState, Problem> {
    let of = params![tenant];
    let tokens = "SELECT token_name, standing, retired_at FROM tokens WHERE tenant = ?1";
    let tokens = rows(connection, tokens, of, |row| Ok((row.get(0)?, row.get::<_, String>(1)?, row.get(2)?)))?;
    let tokens = tokens
        .into_iter()
        .map(|(token_name, status, retired_at)| Ok(TokenRow { token_name, status: raw(status)?, retired_at }));
    let firing = "SELECT token_name, firing FROM firing WHERE tenant = ?1";
    let firing = rows(connection, firing, of, |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?;
    let firing = firing.into_iter().map(|(token_name, firing)| Ok(FiringRow { token_name, firing: raw(firing)? }));
    let known = format!("SELECT receiver, alert FROM known_alerts WHERE alert IN ({ITS_ALERTS})");
    let known = rows(connection, &known, of, |row| Ok(KnownRow { receiver: row.get(0)?, alert: row.get(1)? }))?;
    let events =
        format!("SELECT at, alert, change, notice FROM alert_events WHERE alert IN ({ITS_ALERTS}) ORDER BY id");
    let events = rows(connection, &events, of, |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get::<_, Option<String>>(3)?))
    })?;
    let events = events
        .into_iter()
        .map(|(at, alert, change, notice)| Ok(EventRow { at, alert, change, notice: notice.map(raw).transpose()? }));
    let history = "SELECT at, token_name, kind, subject, before, after, since, evidence, shown_by FROM transitions
                   WHERE tenant = ?1 ORDER BY id";
    let history = rows(connection, history, of, |row| {
        Ok(HistoryRow {
            at: row.get(0)?,
            token_name: row.get(1)?,
            kind: row.get(2)?,
            subject: row.get(3)?,
            before: row.get(4)?,
            after: row.get(5)?,
            since: row.get(6)?,
            evidence: row.get(7)?,
            shown_by: row.get(8)?,
        })
    })?;
    let (tokens, firing) = (tokens.collect::<Result<_, Problem>>()?, firing.collect::<Result<_, Problem>>()?);
    let events = events.collect::<Result<_, Problem>>()?;
    Ok(TenantState { tenant, tokens, firing, known, events, history })
}

/// Takes into the store at `path` what another daemon knew of those tenants that `is_watched` here, all or nothing. Of a tenant
/// that this store knows, the later check counts. The store is made if there is none.
///
/// # Errors
/// When a daemon uses the store, when something in the state cannot be read, or the store cannot be written.
pub fn import(path: &Path, states: &[MovedState], is_watched: impl Fn(&str) -> bool) -> Result<Imported, StoreError> {
    let write = || {
        let _lock = Lock::take(path)?;
        let mut database = Database::open(path)?;
        let transaction = database.begin()?;
        let mut imported = Imported::default();
        for state in newest(states)?.into_values() {
            if !is_watched(&state.tenant.tenant) {
                imported.foreign += 1;
            } else if last_check(&transaction, &state.tenant.tenant)? >= Some(state.last_check) {
                imported.known += 1;
            } else {
                take_in(&transaction, state.tenant)?;
                imported.taken += 1;
            }
        }
        transaction.commit()?;
        Ok(imported)
    };
    write().map_err(|problem: Problem| problem.at(path))
}

/// What is known of a tenant, and when any of its tokens was checked last; empty if none was.
struct Known<'a> {
    tenant: &'a TenantState,
    last_check: String,
}

/// Of several states of a tenant, the one that was checked last.
fn newest(states: &[MovedState]) -> Result<BTreeMap<&str, Known<'_>>, Problem> {
    let mut newest: BTreeMap<&str, Known<'_>> = BTreeMap::new();
    for tenant in states.iter().flat_map(|state| &state.tenants) {
        let last_check = verified(tenant)?;
        let known = newest.get(tenant.tenant.as_str());
        if known.is_none_or(|known| known.last_check < last_check) {
            newest.insert(&tenant.tenant, Known { tenant, last_check });
        }
    }
    Ok(newest)
}

/// Reads everything of a tenant that a start will have to read. Returns when any of its tokens was checked last.
fn verified(state: &TenantState) -> Result<String, Problem> {
    let unreadable = |what: &str, error: serde_json::Error| {
        Problem::Other(format!(
            "the state of tenant `{}` cannot be taken in: {what} cannot be read: {error}",
            state.tenant
        ))
    };
    let mut last = String::new();
    for TokenRow { token_name, status, .. } in &state.tokens {
        let status: TokenStatus = serde_json::from_str(status.get())
            .map_err(|error| unreadable(&format!("the status of token `{token_name}`"), error))?;
        last = last.max(status.validity.last_attempt.map(super::written).unwrap_or_default());
    }
    for FiringRow { firing, .. } in &state.firing {
        let _: Vec<Firing> = serde_json::from_str(firing.get()).map_err(|error| unreadable("what fires", error))?;
    }
    Ok(last)
}

/// When any token of a tenant was checked last, if the store has one.
fn last_check(transaction: &Transaction<'_>, tenant: &str) -> Result<Option<String>, Problem> {
    let last = "SELECT coalesce(max(last_check), '') FROM standings WHERE tenant = ?1 GROUP BY tenant";
    Ok(transaction.query_row(last, [tenant], |row| row.get(0)).optional()?)
}

fn take_in(transaction: &Transaction<'_>, state: &TenantState) -> Result<(), Problem> {
    let TenantState { tenant, tokens, firing, known, events, history } = state;
    for table in ["tokens", "firing"] {
        transaction.execute(&format!("DELETE FROM {table} WHERE tenant = ?1"), [tenant])?;
    }
    let mut insert =
        transaction.prepare("INSERT INTO tokens (tenant, token_name, standing, retired_at) VALUES (?1, ?2, ?3, ?4)")?;
    for TokenRow { token_name, status, retired_at } in tokens {
        insert.execute(params![tenant, token_name, status.get(), retired_at])?;
    }
    let mut insert = transaction.prepare("INSERT INTO firing (tenant, token_name, firing) VALUES (?1, ?2, ?3)")?;
    for FiringRow { token_name, firing } in firing {
        insert.execute(params![tenant, token_name, firing.get()])?;
    }
    let mut insert = transaction.prepare("INSERT OR IGNORE INTO known_alerts (receiver, alert) VALUES (?1, ?2)")?;
    for KnownRow { receiver, alert } in known {
        insert.execute([receiver, alert])?;
    }
    // What was there before is a beginning of the same history.
    let newest = "SELECT coalesce(max(at), '') FROM transitions WHERE tenant = ?1";
    let newest: String = transaction.query_row(newest, [tenant], |row| row.get(0))?;
    let mut insert = transaction.prepare(
        "INSERT INTO transitions (at, tenant, token_name, kind, subject, before, after, since, evidence, shown_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?;
    for row in history.iter().filter(|row| row.at > newest) {
        let HistoryRow { at, token_name, kind, subject, before, after, since, evidence, shown_by } = row;
        insert.execute(params![at, tenant, token_name, kind, subject, before, after, since, evidence, shown_by])?;
    }
    let mut has = transaction.prepare("SELECT 1 FROM alert_events WHERE alert = ?1 AND at = ?2 AND change = ?3")?;
    let mut insert =
        transaction.prepare("INSERT INTO alert_events (at, alert, change, notice) VALUES (?1, ?2, ?3, ?4)")?;
    for EventRow { at, alert, change, notice } in events {
        if !has.exists([alert, at, change])? {
            insert.execute(params![at, alert, change, notice.as_ref().map(|notice| notice.get())])?;
        }
    }
    Ok(())
}

fn raw(text: String) -> Result<Box<RawValue>, Problem> {
    RawValue::from_string(text).map_err(|error| Problem::Damaged(format!("what is stored is not JSON: {error}")))
}

/// Every row that a statement finds.
fn rows<T>(
    connection: &Connection,
    statement: &str,
    of: &[&dyn rusqlite::ToSql],
    row: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, Problem> {
    let mut statement = connection.prepare(statement)?;
    let rows = statement.query_map(of, row)?;
    Ok(rows.collect::<Result<_, _>>()?)
}
