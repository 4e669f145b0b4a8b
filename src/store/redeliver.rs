//! Puts back into the outbox what its receiver had refused for good, beside a daemon that may be writing to the store.

use std::path::Path;

use rusqlite::{OptionalExtension, Transaction, TransactionBehavior};

use crate::state::Delivery;

use super::database::beside;
use super::error::{Problem, StoreError};
use super::read::delivery;

/// Puts the notification with this number, which one of these receivers had refused for good, back into the outbox. A
/// running daemon delivers it after its next commit, otherwise the next start does.
///
/// # Errors
/// When there is no such notification, its receiver has taken it, it still waits, its receiver is not one of these, or
/// the store cannot be used.
pub fn redeliver(path: &Path, id: i64, receivers: &[&str]) -> Result<Delivery, StoreError> {
    put_back(path, id, receivers).map_err(|problem| problem.at(path))
}

fn put_back(path: &Path, id: i64, receivers: &[&str]) -> Result<Delivery, Problem> {
    let mut connection = beside(path)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let delivery = refused(&transaction, id)?;
    if !receivers.contains(&&*delivery.receiver) {
        let receiver = &delivery.receiver;
        return Err(Problem::Other(format!(
            "notification {id} was for receiver `{receiver}`, which is not configured"
        )));
    }
    transaction.execute("UPDATE outbox SET set_aside_at = NULL, refusal = NULL WHERE id = ?1", [id])?;
    transaction.execute("INSERT OR IGNORE INTO redeliveries (id) VALUES (?1)", [id])?;
    transaction.commit()?;
    Ok(delivery)
}

/// The notification with this number, which was set aside.
fn refused(transaction: &Transaction<'_>, id: i64) -> Result<Delivery, Problem> {
    let query = "SELECT id, receiver, queued_at, notice, told_at IS NOT NULL, set_aside_at IS NOT NULL
                 FROM outbox WHERE id = ?1";
    let mut statement = transaction.prepare(query)?;
    let found = statement.query_row([id], |row| Ok((delivery(row), row.get::<_, bool>(4)?, row.get::<_, bool>(5)?)));
    match found.optional()? {
        None => {
            Err(Problem::Other(format!("it has no notification {id}; the view `notices` has those that there are")))
        }
        Some((_, true, _)) => Err(Problem::Other(format!("notification {id} was delivered"))),
        Some((_, false, false)) => Err(Problem::Other(format!("notification {id} was not refused, and still waits"))),
        Some((delivery, false, true)) => delivery,
    }
}
