//! What operators want of alerts: it is kept from the moment at which it is answered until it is carried out, beside a daemon
//! that may be writing to the store, or none that runs.

use std::path::Path;

use rusqlite::{OptionalExtension, params};

use crate::alert::{Acknowledgement, AcknowledgementOrder};

use super::database::beside;
use super::error::{Problem, StoreError};
use super::read::orders;

/// How many orders may wait: they come by hand, and a script that repeats one must not fill the disk.
const MOST_ORDERS: i64 = 1000;

/// Keeps what an operator wants of the alert with this id, and returns its number: a running daemon carries it out within
/// seconds, otherwise the next start does. `None` takes an acknowledgement back.
///
/// # Errors
/// When the store cannot be used, or too many orders wait.
pub fn order_acknowledgement(
    path: &Path,
    alert: &str,
    acknowledgement: Option<&Acknowledgement>,
) -> Result<i64, StoreError> {
    let order = || {
        let connection = beside(path)?;
        let acknowledgement = acknowledgement.map(serde_json::to_string).transpose();
        let acknowledgement = acknowledgement.map_err(|error| Problem::Other(error.to_string()))?;
        let number = connection.query_row(
            "INSERT INTO acknowledgement_orders (alert, acknowledgement)
             SELECT ?1, ?2 WHERE (SELECT count(*) FROM acknowledgement_orders) < ?3 RETURNING number",
            params![alert, acknowledgement, MOST_ORDERS],
            |row| row.get(0),
        );
        number.optional()?.ok_or_else(|| Problem::Other("too many acknowledgements wait to be carried out".to_owned()))
    };
    order().map_err(|problem: Problem| problem.at(path))
}

/// What is still to be carried out, in order.
///
/// # Errors
/// When the store cannot be read.
pub fn acknowledgement_orders(path: &Path) -> Result<Vec<AcknowledgementOrder>, StoreError> {
    beside(path).and_then(|connection| orders(&connection)).map_err(|problem| problem.at(path))
}
