//! Reads the history and the statuses from the store, beside a daemon that may be writing to it.

use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OpenFlags, Row, params};

use crate::state::{HistoryLine, HistoryQuery, PersistedState};

use super::database::{limit_reader, version};
use super::error::{Problem, StoreError};
use super::read::persisted_state;
use super::written;

/// The lines of the history that `query` asks for, in the order of time; the newest first if it limits their number.
///
/// # Errors
/// When there is no store at `path`, a newer version or another program wrote it, or it cannot be read.
pub fn history(path: &Path, query: &HistoryQuery) -> Result<Vec<HistoryLine>, StoreError> {
    read(path, query).map_err(|problem| problem.at(path))
}

/// What is believed of the tokens, and what fires.
///
/// # Errors
/// When there is no store at `path`, a newer version or another program wrote it, or it cannot be read.
pub fn state(path: &Path) -> Result<PersistedState, StoreError> {
    let read = || {
        let connection = open(path)?;
        // What is believed and what fires are of one moment.
        let connection = connection.unchecked_transaction()?;
        // Of a file that the daemon has just made, nothing is known yet.
        version(&connection)?.map_or_else(|| Ok(PersistedState::default()), |_| persisted_state(&connection))
    };
    read().map_err(|problem: Problem| problem.at(path))
}

/// Opens the file to be read.
fn open(path: &Path) -> Result<Connection, Problem> {
    if !path.try_exists().map_err(|error| Problem::Other(error.to_string()))? {
        return Err(Problem::Missing);
    }
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    limit_reader(&connection)?;
    Ok(connection)
}

fn read(path: &Path, query: &HistoryQuery) -> Result<Vec<HistoryLine>, Problem> {
    let connection = open(path)?;
    let Some(version) = version(&connection)? else { return Ok(Vec::new()) };
    // A daemon that has not been restarted since the program was upgraded may still write the older schema.
    let shown_by = if version < 2 { "NULL" } else { "shown_by" };
    let (order, limit) = query.newest.map_or(("ASC", -1), |newest| ("DESC", i64::from(newest)));
    let mut statement = connection.prepare(&format!(
        "SELECT at, tenant, token_name, kind, subject, before, after, since, evidence, {shown_by} FROM transitions
         WHERE (?1 IS NULL OR tenant = ?1) AND (?2 IS NULL OR token_name = ?2) AND (?3 IS NULL OR at >= ?3)
           AND (?4 IS NULL OR at < ?4)
         ORDER BY at {order}, id {order} LIMIT ?5"
    ))?;
    let chosen = params![query.tenant, query.token_name, query.since.map(written), query.until.map(written), limit];
    let (mut rows, mut lines) = (statement.query(chosen)?, Vec::new());
    while let Some(row) = rows.next()? {
        lines.push(line(row)?);
    }
    Ok(lines)
}

fn line(row: &Row<'_>) -> Result<HistoryLine, Problem> {
    let evidence: Option<String> = row.get(8)?;
    Ok(HistoryLine {
        at: moment(row, 0)?,
        tenant: row.get(1)?,
        token_name: row.get(2)?,
        kind: word(&row.get::<_, String>(3)?)?,
        subject: row.get(4)?,
        before: row.get(5)?,
        after: row.get(6)?,
        since: moment(row, 7)?,
        evidence: evidence.map(|evidence| word(&evidence)).transpose()?,
        shown_by: row.get(9)?,
    })
}

fn moment(row: &Row<'_>, column: usize) -> Result<DateTime<Utc>, Problem> {
    let text: String = row.get(column)?;
    let moment = DateTime::parse_from_rfc3339(&text).map_err(|error| unreadable(&text, error))?;
    Ok(moment.to_utc())
}

fn word<T: FromStr<Err: Display>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error| unreadable(text, error))
}

fn unreadable(text: &str, error: impl Display) -> Problem {
    Problem::Damaged(format!("`{text}` in the history cannot be read: {error}"))
}
