//! The SQLite file: verified when it is opened, read once at the start, written one transaction at a time.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior, params};

use crate::belief::Evidence;
use crate::model::{Scope, TokenId};
use crate::state::{Delivery, Entry, PersistedState};

use super::alert_events::write_events;
use super::error::Problem;
use super::own_file::own_file;
use super::read::{Outbox, delivery, known_alerts, orders, persisted_state, recurring, undelivered};
use super::retention::{discard_older, forget_carried_out};
use super::unwritten::Unwritten;
use super::{to_json, written};

/// The schema, version by version; a version is never changed once it was released. One is added, if need be an empty
/// one, also when the JSON comes to hold values that an older program cannot read.
pub(super) const MIGRATIONS: [&str; 9] = [
    include_str!("schema/1.sql"),
    include_str!("schema/2.sql"),
    include_str!("schema/3.sql"),
    include_str!("schema/4.sql"),
    include_str!("schema/5.sql"),
    include_str!("schema/6.sql"),
    include_str!("schema/7.sql"),
    include_str!("schema/8.sql"),
    include_str!("schema/9.sql"),
];
/// Marks a database as ours (`PRAGMA application_id`): "SyTM" in ASCII.
pub(super) const APPLICATION: i64 = 0x5379_544d;
/// How long a `sqlite3` shell may lock the file before that is an error.
pub(super) const BUSY: Duration = Duration::from_secs(5);
/// The write-ahead log is cut to this size after each checkpoint, in bytes.
const LONGEST_LOG: i64 = 4 * 1024 * 1024;
/// How much of the file is cached between two commits, in KiB; the default is four times that. What a large commit
/// changes beyond it is written to the log a moment earlier, and what is read again comes from the cache of the
/// operating system.
const WRITER_CACHE: i64 = 512;
/// The same for a reader of the history, which reads it once, from one end to the other.
const READER_CACHE: i64 = 128;

/// An open database file.
#[derive(Debug)]
pub(super) struct Database {
    path: PathBuf,
    connection: Connection,
    /// The device and the inode of the file, to see whether it is still the one at `path`.
    file: (u64, u64),
    /// Whether the file was empty when it was opened, and has not been read since.
    pub(super) is_new: bool,
}

impl Database {
    /// Opens the file at `path`, with access for its owner alone, and makes it if there is none. Brings its schema up
    /// to date.
    ///
    /// # Errors
    /// When it is damaged, locked, another program's, of a newer version, or cannot be written.
    pub(super) fn open(path: &Path) -> Result<Self, Problem> {
        // Closed before SQLite opens it: a file's locks end when any handle of the process on it is closed.
        let (metadata, may_be_new) = own_file(path, APPLICATION)?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        limit_cache(&connection, WRITER_CACHE)?;
        let is_new = version(&connection)?.is_none();
        if is_new && !may_be_new {
            return Err(Problem::Foreign);
        }
        let check: String = connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
        if check != "ok" {
            return Err(Problem::Damaged(check));
        }
        connection.pragma_update(None, "journal_mode", "WAL")?;
        // Every commit reaches the disk before anybody is notified: a machine may lose its power.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "journal_size_limit", LONGEST_LOG)?;
        migrate(&mut connection)?;
        Ok(Self { path: path.to_owned(), connection, file: identity(&metadata), is_new })
    }

    /// Begins to write.
    ///
    /// # Errors
    /// When another program has locked the file.
    pub(super) fn begin(&mut self) -> Result<Transaction<'_>, Problem> {
        Ok(self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
    }

    /// Whether the file is still where it was opened: what was deleted would be written in vain.
    pub(super) fn is_in_place(&self) -> bool {
        fs::metadata(&self.path).is_ok_and(|metadata| identity(&metadata) == self.file)
    }

    /// Reads what a start needs: the persisted state, and what concerns the receivers. Deliveries that the course of their
    /// alert has made needless are deleted instead.
    ///
    /// # Errors
    /// When something in the file cannot be parsed, or the file cannot be read or written.
    pub(super) fn load(&mut self) -> Result<(PersistedState, Outbox), Problem> {
        self.is_new = false;
        let last = "SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'outbox'";
        let last: i64 = self.connection.query_row(last, [], |row| row.get(0))?;
        let (undelivered, superseded) = undelivered(&self.connection)?;
        let transaction = self.begin()?;
        discard(&transaction, &superseded)?;
        // What was put back is among what was not delivered.
        take_redeliveries(&transaction)?;
        transaction.commit()?;
        let (known, recurring) = (known_alerts(&self.connection)?, recurring(&self.connection)?);
        let outbox = Outbox { undelivered, next_id: last + 1, known, recurring };
        let orders = orders(&self.connection)?;
        Ok((PersistedState { orders, ..persisted_state(&self.connection)? }, outbox))
    }

    /// The latest moment up to `now` at which the store says that it was written to: what lies after `now` was written
    /// by a clock that was ahead.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub(super) fn newest(&self, now: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, Problem> {
        let newest = "SELECT max(at) FROM (
                          SELECT max(at) AS at FROM transitions WHERE at <= ?1
                          UNION ALL SELECT max(last_check) FROM standings WHERE last_check <= ?1)";
        let newest: Option<String> = self.connection.query_row(newest, [written(now)], |row| row.get(0))?;
        Ok(newest.and_then(|at| DateTime::parse_from_rfc3339(&at).ok()).map(|at| at.to_utc()))
    }

    /// Writes all of `unwritten` or nothing; `now` dates the tokens that are retired. Returns what an operator wants to be
    /// sent again.
    ///
    /// # Errors
    /// When something cannot be written: the disk is full, or another program has locked the file.
    pub(super) fn write(&mut self, unwritten: &Unwritten, now: DateTime<Utc>) -> Result<Vec<Delivery>, Problem> {
        let transaction = self.begin()?;
        write_statuses(&transaction, unwritten, now)?;
        for entry in &unwritten.batch.history {
            write_entry(&transaction, entry)?;
        }
        write_outbox(&transaction, unwritten)?;
        write_events(&transaction, &unwritten.notified, &unwritten.batch.taken_on)?;
        forget_carried_out(&transaction, &unwritten.batch.carried_out)?;
        if let Some(before) = unwritten.discard_before {
            discard_older(&transaction, &written(before))?;
        }
        let again = take_redeliveries(&transaction)?;
        transaction.commit()?;
        Ok(again)
    }
}

/// Bounds how much of the file a connection that only reads the history caches in memory.
pub(super) fn limit_reader(connection: &Connection) -> Result<(), Problem> {
    limit_cache(connection, READER_CACHE)
}

/// Bounds how much of the file a connection caches in memory, in KiB: SQLite takes a negative number of pages for that.
fn limit_cache(connection: &Connection, kibibytes: i64) -> Result<(), Problem> {
    Ok(connection.pragma_update(None, "cache_size", -kibibytes)?)
}

fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Opens the file at `path` to write to it beside a daemon.
///
/// # Errors
/// When there is none, or it is not of the version that this program writes.
pub(super) fn beside(path: &Path) -> Result<Connection, Problem> {
    if !path.try_exists().map_err(|error| Problem::Other(error.to_string()))? {
        return Err(Problem::Missing);
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    limit_cache(&connection, READER_CACHE)?;
    is_of_this_version(version(&connection)?)?;
    Ok(connection)
}

/// Whether the schema is the one that this program writes.
///
/// # Errors
/// When it is an older one, or there is none yet.
pub(super) fn is_of_this_version(version: Option<usize>) -> Result<(), Problem> {
    if version == Some(MIGRATIONS.len()) {
        return Ok(());
    }
    let problem = "an older version of this program wrote it; a start of the daemon brings it up to date";
    Err(Problem::Other(problem.to_owned()))
}

/// The version of the schema, or `None` if the file is still empty.
///
/// # Errors
/// When the schema is newer than ours, or the database is another program's.
pub(super) fn version(connection: &Connection) -> Result<Option<usize>, Problem> {
    let number = |pragma| connection.query_row(pragma, [], |row| row.get::<_, i64>(0));
    let (application, version) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    let supported = MIGRATIONS.len();
    match (application, usize::try_from(version)) {
        (APPLICATION, Ok(found)) if found > supported => Err(Problem::Newer { found, supported }),
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
    // This is written even when nothing changes: a disk that takes no writes should be found out now.
    let version = MIGRATIONS.len();
    transaction.execute_batch(&format!("PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {version}"))?;
    Ok(transaction.commit()?)
}

fn write_statuses(transaction: &Transaction<'_>, unwritten: &Unwritten, now: DateTime<Utc>) -> Result<(), Problem> {
    let mut upsert = transaction.prepare(
        "INSERT INTO tokens (tenant, token_name, standing) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET standing = excluded.standing, retired_at = NULL",
    )?;
    let mut retire = transaction
        .prepare("UPDATE tokens SET retired_at = ?3 WHERE tenant = ?1 AND token_name = ?2 AND retired_at IS NULL")?;
    for (TokenId { tenant, token_name }, status) in &unwritten.batch.statuses {
        match status {
            Some(status) => upsert.execute(params![tenant, token_name, to_json(status)?])?,
            None => retire.execute(params![tenant, token_name, written(now)])?,
        };
    }
    let mut fires = transaction.prepare(
        "INSERT INTO firing (tenant, token_name, firing) VALUES (?1, ?2, ?3)
         ON CONFLICT DO UPDATE SET firing = excluded.firing",
    )?;
    let mut ends = transaction.prepare("DELETE FROM firing WHERE tenant = ?1 AND token_name = ?2")?;
    for (of, firing) in &unwritten.batch.firing {
        // What fires for one of these is in the list of its tenant.
        if matches!(of, Scope::SecurityGroup { .. } | Scope::User { .. }) {
            continue;
        }
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
                "INSERT INTO transitions (at, tenant, token_name, kind, subject, before, after, since, evidence, \
                 shown_by)
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
            // A token that is not retired and has the old name is another one by now.
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
    let mut delivered = transaction.prepare("UPDATE outbox SET told_at = ?2 WHERE id = ?1")?;
    for (id, at) in &unwritten.delivered {
        delivered.execute(params![id, written(*at)])?;
    }
    let mut set_aside = transaction.prepare("UPDATE outbox SET set_aside_at = ?2, refusal = ?3 WHERE id = ?1")?;
    for (id, at, refusal) in &unwritten.set_aside {
        set_aside.execute(params![id, written(*at), refusal])?;
    }
    let mut fires = transaction.prepare("INSERT OR IGNORE INTO known_alerts (receiver, alert) VALUES (?1, ?2)")?;
    let mut ends = transaction.prepare("DELETE FROM known_alerts WHERE receiver = ?1 AND alert = ?2")?;
    for ((receiver, alert), is_firing) in &unwritten.learnt {
        let statement = if *is_firing { &mut fires } else { &mut ends };
        statement.execute(params![receiver, alert])?;
    }
    let mut settle = transaction
        .prepare("INSERT INTO recurring (name, at) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET at = excluded.at")?;
    for (name, at) in &unwritten.recurring {
        settle.execute(params![name, written(*at)])?;
    }
    discard(transaction, &unwritten.superseded)
}

/// Deletes from the outbox what was never delivered and need not be.
fn discard(transaction: &Transaction<'_>, superseded: &[i64]) -> Result<(), Problem> {
    let mut delete = transaction.prepare("DELETE FROM outbox WHERE id = ?1 AND told_at IS NULL")?;
    for id in superseded {
        delete.execute([id])?;
    }
    Ok(())
}

/// Takes what is to be sent again, for a daemon that is running.
///
/// # Errors
/// When the file cannot be read or written.
fn take_redeliveries(transaction: &Transaction<'_>) -> Result<Vec<Delivery>, Problem> {
    // Nearly always there is none, and even to empty an empty table writes a page with every commit.
    if !transaction.query_row("SELECT EXISTS (SELECT 1 FROM redeliveries)", [], |row| row.get(0))? {
        return Ok(Vec::new());
    }
    let mut statement = transaction.prepare(
        "SELECT id, receiver, queued_at, notice FROM outbox
         WHERE id IN (SELECT id FROM redeliveries) AND told_at IS NULL AND set_aside_at IS NULL ORDER BY id",
    )?;
    let (mut rows, mut taken) = (statement.query([])?, Vec::new());
    while let Some(row) = rows.next()? {
        // The command has read it before; one that cannot be read must not keep anything else from being written.
        taken.extend(delivery(row).ok());
    }
    transaction.execute("DELETE FROM redeliveries", [])?;
    Ok(taken)
}
