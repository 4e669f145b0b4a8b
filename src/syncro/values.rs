//! The sources of token values: files, variables and credentials, or in a simulation the values that it makes up.

use std::fmt;

use futures_util::future::BoxFuture;

use crate::model::TokenSource;

use super::{TokenValue, Unreadable};

/// Reads token values. An implementation has a deadline of its own.
pub trait Values: fmt::Debug + Send + Sync {
    /// Reads the value of a source afresh.
    ///
    /// # Errors
    /// Why the source has no usable value.
    fn read<'a>(&'a self, source: &'a TokenSource) -> BoxFuture<'a, Result<TokenValue, Unreadable>>;
}

/// The real sources: files, environment variables and systemd credentials.
#[derive(Debug)]
pub(super) struct RealValues;

impl Values for RealValues {
    fn read<'a>(&'a self, source: &'a TokenSource) -> BoxFuture<'a, Result<TokenValue, Unreadable>> {
        Box::pin(TokenValue::read(source))
    }
}
