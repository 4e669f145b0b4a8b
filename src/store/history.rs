//! Reads the history and the statuses from the store, beside a daemon that may be writing to it.

use std::fmt::Display;
use std::path::Path;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OpenFlags, Row, ToSql, params_from_iter};

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
    Ok(histories(path, std::slice::from_ref(query))?.pop().unwrap_or_default())
}

/// The same for each of several queries, which open the store once.
///
/// # Errors
/// As of [`history`].
pub fn histories(path: &Path, queries: &[HistoryQuery]) -> Result<Vec<Vec<HistoryLine>>, StoreError> {
    let read = || {
        let connection = open(path)?;
        let Some(version) = version(&connection)? else { return Ok(vec![Vec::new(); queries.len()]) };
        queries.iter().map(|query| lines(&connection, query, version)).collect()
    };
    read().map_err(|problem: Problem| problem.at(path))
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
pub(super) fn open(path: &Path) -> Result<Connection, Problem> {
    if !path.try_exists().map_err(|error| Problem::Other(error.to_string()))? {
        return Err(Problem::Missing);
    }
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    limit_reader(&connection)?;
    Ok(connection)
}

fn lines(connection: &Connection, query: &HistoryQuery, version: usize) -> Result<Vec<HistoryLine>, Problem> {
    let (since, until) = (query.since.map(written), query.until.map(written));
    let (text, values) = selection(query, since.as_ref(), until.as_ref(), version);
    let mut statement = connection.prepare(&text)?;
    let (mut rows, mut lines) = (statement.query(params_from_iter(values))?, Vec::new());
    while let Some(row) = rows.next()? {
        lines.push(line(row)?);
    }
    Ok(lines)
}

/// The statement that selects the lines, and the values that belong to it. Nothing is a condition but what the query
/// has: SQLite plans before it knows the values, and would use no index for a condition that may be void.
fn selection<'a>(
    query: &'a HistoryQuery,
    since: Option<&'a String>,
    until: Option<&'a String>,
    version: usize,
) -> (String, Vec<&'a dyn ToSql>) {
    // A daemon that has not been restarted since the program was upgraded may still write the older schema.
    let shown_by = if version < 2 { "NULL" } else { "shown_by" };
    let conditions = [
        ("tenant = ?", query.tenant.as_ref().map(|tenant| tenant as &dyn ToSql)),
        ("token_name = ?", query.token_name.as_ref().map(|name| name as &dyn ToSql)),
        ("at >= ?", since.map(|since| since as &dyn ToSql)),
        ("at < ?", until.map(|until| until as &dyn ToSql)),
        ("(at, id) < (SELECT at, id FROM transitions WHERE id = ?)", query.before.as_ref().map(|id| id as &dyn ToSql)),
    ];
    let (conditions, values): (Vec<_>, Vec<_>) =
        conditions.into_iter().filter_map(|(condition, value)| Some((condition, value?))).unzip();
    let (order, limit) = query.newest.map_or(("ASC", -1), |newest| ("DESC", i64::from(newest)));
    let conditions = if conditions.is_empty() { "TRUE".to_owned() } else { conditions.join(" AND ") };
    let text = format!(
        "SELECT at, tenant, token_name, kind, subject, before, after, since, evidence, {shown_by}, id FROM transitions
         WHERE {conditions} ORDER BY at {order}, id {order} LIMIT {limit}"
    );
    (text, values)
}

fn line(row: &Row<'_>) -> Result<HistoryLine, Problem> {
    let evidence: Option<String> = row.get(8)?;
    Ok(HistoryLine {
        id: row.get(10)?,
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

pub(super) fn moment(row: &Row<'_>, column: usize) -> Result<DateTime<Utc>, Problem> {
    let text: String = row.get(column)?;
    let moment = DateTime::parse_from_rfc3339(&text).map_err(|error| unreadable(&text, error))?;
    Ok(moment.to_utc())
}

fn word<T: FromStr<Err: Display>>(text: &str) -> Result<T, Problem> {
    text.parse().map_err(|error| unreadable(text, error))
}

pub(super) fn unreadable(text: &str, error: impl Display) -> Problem {
    Problem::Damaged(format!("`{text}` in the history cannot be read: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::database::MIGRATIONS;

    #[test]
    fn whatever_is_asked_of_the_history_an_index_has_it_in_order() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(&MIGRATIONS.concat()).unwrap();
        let (since, until) = ("2026-01-01T00:00:00.000Z".to_owned(), "2027-01-01T00:00:00.000Z".to_owned());
        // Each bit says whether one of the five conditions is asked for.
        for asked in 0..32_u8 {
            let has = |bit: u8| asked & (1 << bit) != 0;
            let query = HistoryQuery {
                tenant: has(0).then(|| "acme".to_owned()),
                token_name: has(1).then(|| "jumpcloud".to_owned()),
                before: has(2).then_some(7),
                newest: Some(100),
                ..HistoryQuery::default()
            };
            let (text, values) =
                selection(&query, Some(&since).filter(|_| has(3)), Some(&until).filter(|_| has(4)), MIGRATIONS.len());
            let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {text}")).unwrap();
            let steps = statement.query_map(params_from_iter(values), |row| row.get::<_, String>(3)).unwrap();
            let steps: Vec<_> = steps.map(Result::unwrap).collect();
            assert!(!steps.iter().any(|step| step.contains("TEMP B-TREE")), "{query:?}: {steps:?}");
            let searched = steps.iter().any(|step| step.starts_with("SEARCH transitions USING INDEX"));
            assert!(searched || asked == 0, "{query:?}: {steps:?}");
        }
    }
}
