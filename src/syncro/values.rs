//! Where token values come from: files, variables and credentials, or in a simulation what it says.

use std::fmt;

use futures_util::future::BoxFuture;

use crate::model::TokenSource;

use super::{TokenValue, Unreadable};

/// Reads token values. It has a deadline of its own.
pub trait Values: fmt::Debug + Send + Sync {
    /// Reads the value afresh.
    ///
    /// # Errors
    /// Why there is no usable value.
    fn read<'a>(&'a self, source: &'a TokenSource) -> BoxFuture<'a, Result<TokenValue, Unreadable>>;
}

/// The real ones.
#[derive(Debug)]
pub(super) struct Stored;

impl Values for Stored {
    fn read<'a>(&'a self, source: &'a TokenSource) -> BoxFuture<'a, Result<TokenValue, Unreadable>> {
        Box::pin(TokenValue::read(source))
    }
}
