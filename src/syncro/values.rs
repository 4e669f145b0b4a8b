//! Where token values come from: files, variables and credentials, or in a simulation what it says.

use std::fmt;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::config::TokenSource;
use crate::system::trouble::with_a_thread;

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
        let failed = |error: String| Err(Unreadable::Machine { place: super::token_value::place(source), error });
        let read = source.clone();
        Box::pin(async move {
            let reading = with_a_thread(async { spawn_blocking(move || TokenValue::read(&read)).await });
            match timeout(LONGEST_READ, reading).await {
                Ok(Ok(Ok(read))) => read,
                Ok(Ok(Err(error))) => failed(error.to_string()),
                Ok(Err(error)) => failed(error),
                Err(_) => failed("it does not answer".to_owned()),
            }
        })
    }
}
