//! The SQLite file: opened with every doubt about it settled, read once at the start, written one transaction at a time.

use std::collections::HashMap;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OpenFlags, Row, Transaction, TransactionBehavior, params};
use serde::de::DeserializeOwned;

use crate::alert::{AlertKey, Firing};
use crate::belief::{Evidence, TokenStatus};
use crate::model::{Scope, TokenId};
use crate::state::{Delivery, Entry, PersistedState, PersistedToken, thin};

use super::error::Problem;
use super::retention::discard_older;
use super::unwritten::Unwritten;
use super::written;

/// The schema, version by version; a version is never changed once it was released. One is added, if need be an empty
/// one, also when the JSON comes to hold words that an older program cannot read.
const MIGRATIONS: [&str; 3] =
    [include_str!("schema/1.sql"), include_str!("schema/2.sql"), include_str!("schema/3.sql")];
/// Marks a database as ours (`PRAGMA application_id`): "SyTM".
pub(super) const APPLICATION: i64 = 0x5379_544d;
/// How long somebody with a `sqlite3` shell may hold the file before that is a fault.
const BUSY: Duration = Duration::from_secs(5);
/// The write-ahead log is cut to this after each checkpoint, in bytes.
const LONGEST_LOG: i64 = 4 * 1024 * 1024;
/// So many KiB of the file are cached between two commits; the default is four times that. What a large commit changes beyond
/// it goes to the log a moment earlier, and what is read again comes from the system's own cache.
const WRITER_CACHE: i64 = 512;
/// The same for whoever reads the history: it is read once, from one end to the other.
const READER_CACHE: i64 = 128;

/// An open database file.
#[derive(Debug)]
pub(super) struct Database {
    path: PathBuf,
    connection: Connection,
    /// Device and number of the file, to see whether it is still the one at `path`.
    file: (u64, u64),
    /// Whether there was nothing in it, and nobody has looked.
    pub(super) is_new: bool,
}

impl Database {
    /// Opens the file at `path`, for its owner alone, and makes it if there is none.
    pub(super) fn open(path: &Path) -> Result<Self, Problem> {
        const OWNER_ONLY: u32 = 0o600;
        let file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(OWNER_ONLY).open(path)?;
        let metadata = file.metadata()?;
        if metadata.permissions().mode() & 0o777 != OWNER_ONLY {
            file.set_permissions(fs::Permissions::from_mode(OWNER_ONLY))?;
        }
        // Closed before SQLite opens it: a file's locks end when any handle of the process on it is closed.
        drop(file);
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        limit_cache(&connection, WRITER_CACHE)?;
        let is_new = version(&connection)?.is_none();
        let check: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if check != "ok" {
            return Err(Problem::Damaged(check));
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // Every commit reaches the disk before anybody is told: a machine may lose its power.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "journal_size_limit", LONGEST_LOG)?;
        migrate(&mut connection)?;
        Ok(Self { path: path.to_owned(), connection, file: identity(&metadata), is_new })
    }

    /// Whether the file is still where it was opened: what was deleted would be written in vain.
    pub(super) fn is_in_place(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|metadata| identity(&metadata) == self.file)
    }

    /// Reads what is needed to go on: what is remembered, what is still to be told, the number of the next delivery. What
    /// its alert has made needless since is deleted instead.
    pub(super) fn load(&mut self) -> Result<(PersistedState, Vec<Delivery>, i64), Problem> {
        self.is_new = false;
        let last = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'";
        let last: i64 = self.connection.query_row(last, [], |row| row.get(0))?;
        let (undelivered, superseded) = undelivered(&self.connection)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        discard(&transaction, &superseded)?;
        transaction.commit()?;
        Ok((memory(&self.connection)?, undelivered, last + 1))
    }

    /// When the store was last written to, as far as it says so, up to `now`: what lies after that was written by a clock that
    /// was ahead.
    pub(super) fn newest(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Problem> {
        let newest = "SELECT max(at) FROM (
                          SELECT max(at) AS at FROM transitions WHERE at <= ?1
                          UNION ALL SELECT max(last_check) FROM standings WHERE last_check <= ?1)";
        let newest: Option<String> = self.connection.query_row(newest, [written(now)], |row| row.get(0))?;
        Ok(newest.and_then(|at| DateTime::parse_from_rfc3339(&at).ok()).map(|at| at.to_utc()))
    }

    /// Writes all of it or nothing.
    pub(super) fn write(&mut self, unwritten: &Unwritten, now: DateTime<Utc>) -> Result<(), Problem> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        write_statuses(&transaction, unwritten, now)?;
        for entry in &unwritten.batch.history {
            write_entry(&transaction, entry)?;
        }
        write_outbox(&transaction, unwritten)?;
        if let Some(before) = unwritten.discard_before {
            discard_older(&transaction, &written(before))?;
        }
        Ok(transaction.commit()?)
    }
}

/// Lets a connection that only reads the history keep little of it in memory.
pub(super) fn limit_reader(connection: &Connection) -> Result<(), Problem> {
    limit_cache(connection, READER_CACHE)
}

/// Bounds what a connection keeps of the file in memory, in KiB: SQLite takes a negative number of pages for that.
fn limit_cache(connection: &Connection, kibibytes: i64) -> Result<(), Problem> {
    Ok(connection.pragma_update(None, "cache_size", -kibibytes)?)
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// The schema's version, or `None` if there is nothing in the file yet.
pub(super) fn version(connection: &Connection) -> Result<Option<usize>, Problem> {
    let number = |pragma| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let (application, version) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    let known = MIGRATIONS.len();
    match (application, usize::try_from(version)) {
        (APPLICATION, Ok(found)) if found > known => Err(Problem::Newer { found, known }),
        (APPLICATION, Ok(found)) => Ok(Some(found)),
        (0, Ok(0)) if number("SELECT count(*) FROM sqlite_master")? == 0 => Ok(None),
        _ => Err(Problem::Foreign),
    }
}

fn migrate(connection: &mut Connection) -> Result<(), Problem> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let version = version(&transaction)?.unwrap_or(0);
    for schema in &MIGRATIONS[version..] {
        transaction.execute_batch(schema)?;
    }
    // Written even when nothing changes: a disk that takes no writes should be found out now.
    let version = MIGRATIONS.len();
    transaction.execute_batch(&format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {version}"))?;
    Ok(transaction.commit()?)
}

fn memory(connection: &Connection) -> Result<PersistedState, Problem> {
    let mut memory = PersistedState::default();
    let mut tokens = connection.prepare("SELECT tenant, token_name, standing, retired_at IS NOT NULL FROM tokens")?;
    let mut rows = tokens.query([])?;
    while let Some(row) = rows.next()? {
        let (id, status, retired) =
            (token_id(row)?, json::<TokenStatus>(row, 2, "a standing")?, row.get::<_, bool>(3)?);
        if retired {
            memory.retired.push((id, status));
        } else {
            memory.tokens.insert(id, PersistedToken { status, firing: Vec::new() });
        }
    }
    let mut firing = connection.prepare("SELECT tenant, token_name, firing FROM firing")?;
    let mut rows = firing.query([])?;
    while let Some(row) = rows.next()? {
        let firing = json::<Vec<Firing>>(row, 2, "what fires")?;
        match Scope::of_names(row.get(0)?, row.get(1)?) {
            Scope::Fleet => memory.fleet = firing,
            Scope::Tenant(name) => drop(memory.tenants.insert(name, firing)),
            Scope::Token(id) => memory.tokens.entry(id).or_default().firing = firing,
        }
    }
    Ok(memory)
}

/// What is still to be delivered, in order, and the numbers of what need not be any more: a receiver that was away for
/// months must not fill the memory with what came and went meanwhile.
fn undelivered(connection: &Connection) -> Result<(Vec<Delivery>, Vec<i64>), Problem> {
    let (mut by_alert, mut superseded) = (HashMap::<(Arc<str>, AlertKey), Vec<Delivery>>::new(), Vec::new());
    let mut outbox = connection.prepare(
        "SELECT id, receiver, queued_at, notice FROM outbox WHERE told_at IS NULL AND set_aside_at IS NULL ORDER BY id",
    )?;
    let mut rows = outbox.query([])?;
    while let Some(row) = rows.next()? {
        let delivery = delivery(row)?;
        let line = by_alert.entry((Arc::clone(&delivery.receiver), delivery.notification.key.clone())).or_default();
        line.push(delivery);
        superseded.extend(thin(line, false).iter().map(|delivery| delivery.id));
    }
    let mut undelivered: Vec<_> = by_alert.into_values().flatten().collect();
    undelivered.sort_unstable_by_key(|delivery| delivery.id);
    Ok((undelivered, superseded))
}

fn delivery(row: &Row<'_>) -> Result<Delivery, Problem> {
    let receiver = Arc::from(row.get::<_, String>(1)?);
    let queued_at = DateTime::parse_from_rfc3339(&row.get::<_, String>(2)?)
        .map_err(|error| Problem::Damaged(format!("when a notice was queued cannot be read: {error}")))?;
    let notification = Arc::new(json(row, 3, "a notice")?);
    Ok(Delivery { id: row.get(0)?, receiver, queued_at: queued_at.to_utc(), notification })
}

fn token_id(row: &Row<'_>) -> Result<TokenId, Problem> {
    Ok(TokenId { tenant: row.get(0)?, token_name: row.get(1)? })
}

fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize, what: &str) -> Result<T, Problem> {
    let text = row.get_ref(column)?.as_str().map_err(|error| Problem::Damaged(error.to_string()))?;
    serde_json::from_str(text).map_err(|error| Problem::Damaged(format!("{what} cannot be read: {error}")))
}

fn to_json(value: &impl serde::Serialize) -> Result<String, Problem> {
    serde_json::to_string(value).map_err(|error| Problem::Other(error.to_string()))
}

fn write_statuses(transaction: &Transaction<'_>, unwritten: &Unwritten, now: DateTime<Utc>) -> Result<(), Problem> {
    let mut keep = transaction.prepare(
        "INSERT INTO tokens (tenant, token_name, standing) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET standing = excluded.standing, retired_at = NULL",
    )?;
    let mut retire = transaction
        .prepare("UPDATE tokens SET retired_at = ?3 WHERE tenant = ?1 AND token_name = ?2 AND retired_at IS NULL")?;
    for (TokenId { tenant, token_name }, status) in &unwritten.batch.statuses {
        match status {
            Some(status) => keep.execute(params![tenant, token_name, to_json(status)?])?,
            None => retire.execute(params![tenant, token_name, written(now)])?,
        };
    }
    let mut fires = transaction.prepare(
        "INSERT INTO firing (tenant, token_name, firing) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET firing = excluded.firing",
    )?;
    let mut ends = transaction.prepare("DELETE FROM firing WHERE tenant = ?1 AND token_name = ?2")?;
    for (of, firing) in &unwritten.batch.firing {
        let (tenant, token_name) = (of.tenant().unwrap_or_default(), of.token_name().unwrap_or_default());
        if firing.is_empty() {
            ends.execute([tenant, token_name])?;
        } else {
            fires.execute(params![tenant, token_name, to_json(firing)?])?;
        }
    }
    Ok(())
}

fn write_entry(transaction: &Transaction<'_>, entry: &Entry) -> Result<(), Problem> {
    match entry {
        Entry::Changed { token, at, transition } => {
            let mut statement = transaction.prepare(
                "INSERT INTO transitions (at, tenant, token_name, kind, subject, before, after, since, evidence, shown_by)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            )?;
            statement.execute(params![
                written(*at),
                token.tenant,
                token.token_name,
                transition.kind.as_str(),
                transition.subject,
                transition.before,
                transition.after,
                written(transition.since),
                transition.evidence.map(Evidence::as_str),
                transition.shown_by,
            ])?;
        }
        Entry::Renamed { from, to } => {
            let names = params![from.tenant, from.token_name, to.tenant, to.token_name];
            transaction.execute(
                "UPDATE transitions SET tenant = ?3, token_name = ?4 WHERE tenant = ?1 AND token_name = ?2",
                names,
            )?;
            // Who still has the name by now is another token.
            transaction.execute(
                "DELETE FROM tokens WHERE tenant = ?1 AND token_name = ?2 AND retired_at IS NOT NULL",
                &names[..2],
            )?;
        }
    }
    Ok(())
}

fn write_outbox(transaction: &Transaction<'_>, unwritten: &Unwritten) -> Result<(), Problem> {
    let mut queue =
        transaction.prepare("INSERT INTO outbox (id, receiver, queued_at, notice) VALUES (?1, ?2, ?3, ?4)")?;
    for Delivery { id, receiver, queued_at, notification } in &unwritten.queued {
        queue.execute(params![id, receiver, written(*queued_at), to_json(&**notification)?])?;
    }
    let mut notified = transaction.prepare("UPDATE outbox SET told_at = ?2 WHERE id = ?1")?;
    for (id, at) in &unwritten.notified {
        notified.execute(params![id, written(*at)])?;
    }
    let mut set_aside = transaction.prepare("UPDATE outbox SET set_aside_at = ?2, refusal = ?3 WHERE id = ?1")?;
    for (id, at, refusal) in &unwritten.set_aside {
        set_aside.execute(params![id, written(*at), refusal])?;
    }
    discard(transaction, &unwritten.superseded)
}

/// Takes notifications out of the outbox that were never delivered and need not be.
fn discard(transaction: &Transaction<'_>, superseded: &[i64]) -> Result<(), Problem> {
    let mut delete = transaction.prepare("DELETE FROM outbox WHERE id = ?1 AND told_at IS NULL")?;
    for id in superseded {
        delete.execute([id])?;
    }
    Ok(())
}
