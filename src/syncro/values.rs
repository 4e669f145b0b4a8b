//! Where token values come from: files, variables and credentials, or in a simulation what it says.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::config::TokenSource;

use super::{TokenValue, Unreadable};

/// A file of a few bytes on a disk that works is read in far less.
const LONGEST_READ: Duration = Duration::from_secs(10);

/// Reads token values. It has a deadline of its own.
pub trait Values: fmt::Debug + Send + Sync {
    /// Reads the value afresh.
    ///
    /// # Errors
    /// Why there is no usable value.
    fn read<'a>(&'a self, source: &'a TokenSource) -> BoxFuture<'a, Result<TokenValue, Unreadable>>;
}

/// The real ones, read on a thread where waiting for a disk holds up nobody, and not for ever.
#[derive(Debug)]
pub(super) struct Stored;

impl Values for Stored {
    fn read<'a>(&'a self, source: &'a TokenSource) -> BoxFuture<'a, Result<TokenValue, Unreadable>> {
        let failed = |error: String| {
            let place = super::token_value::place(source);
            Err(Unreadable::Failed { place, error })
        };
        let read = source.clone();
        Box::pin(async move {
            match timeout(LONGEST_READ, spawn_blocking(move || TokenValue::read(&read))).await {
                Ok(Ok(read)) => read,
                Ok(Err(error)) => failed(error.to_string()),
                Err(_) => failed("it does not answer".to_owned()),
            }
        })
    }
}
