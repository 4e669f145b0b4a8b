//! Reads what has been from the store, beside a daemon that may be writing to it.

use std::path::Path;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OpenFlags, params};
use serde::Serialize;

use super::database::version;
use super::error::{Problem, StoreError};
use super::written;

/// Which lines of the history are wished for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Only this tenant.
    pub tenant: Option<String>,
    /// Only tokens of this name.
    pub token_name: Option<String>,
    /// Only what was settled then or later.
    pub since: Option<DateTime<Utc>>,
}

/// One change of what was believed. Moments are texts such as `2026-11-23T10:00:00.123Z`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryLine {
    /// When it was settled.
    pub at: String,
    /// The tenant.
    pub tenant: String,
    /// The token.
    pub token_name: String,
    /// What kind of thing changed.
    pub kind: String,
    /// Which one, where there are several: a permission or a right.
    pub subject: Option<String>,
    /// What was believed before.
    pub before: String,
    /// What was believed after.
    pub after: String,
    /// When it was first seen.
    pub since: String,
    /// What showed it, for permissions.
    pub evidence: Option<String>,
    /// The same in words: the request and its answer, or the user's right.
    pub shown_by: Option<String>,
}

/// The history in the order of time.
///
/// # Errors
/// When there is no store at `path`, or it cannot be read.
pub fn history(path: &Path, wish: &Wish) -> Result<Vec<HistoryLine>, StoreError> {
    read(path, wish).map_err(|problem| problem.at(path))
}

fn read(path: &Path, wish: &Wish) -> Result<Vec<HistoryLine>, Problem> {
    if !path.try_exists().map_err(|error| Problem::Other(error.to_string()))? {
        return Err(Problem::Missing);
    }
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    let Some(version) = version(&connection)? else { return Ok(Vec::new()) };
    // A daemon that has not been restarted since the program was upgraded may still write the older schema.
    let shown_by = if version < 2 { "NULL" } else { "shown_by" };
    let mut statement = connection.prepare(&format!(
        "SELECT at, tenant, token_name, kind, subject, before, after, since, evidence, {shown_by} FROM transitions
         WHERE (?1 IS NULL OR tenant = ?1) AND (?2 IS NULL OR token_name = ?2) AND (?3 IS NULL OR at >= ?3)
         ORDER BY at, id"
    ))?;
    let lines = statement.query_map(params![wish.tenant, wish.token_name, wish.since.map(written)], |row| {
        Ok(HistoryLine {
            at: row.get(0)?,
            tenant: row.get(1)?,
            token_name: row.get(2)?,
            kind: row.get(3)?,
            subject: row.get(4)?,
            before: row.get(5)?,
            after: row.get(6)?,
            since: row.get(7)?,
            evidence: row.get(8)?,
            shown_by: row.get(9)?,
        })
    })?;
    Ok(lines.collect::<Result<_, _>>()?)
}
