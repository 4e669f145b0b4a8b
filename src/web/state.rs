//! What every answer is made from, and the two requests that are passed on to the daemon: to reload, and to check a token.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use prometheus::Registry;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::http_server::{Lane, Lanes, NotMade};
use crate::model::TokenId;
use crate::state::{HistoryLine, HistoryQuery, Snapshot};

/// The loop takes a request at its next turn; one that it has not taken by then is refused.
pub(super) const LONGEST_REQUEST: Duration = Duration::from_secs(5);

/// Somebody asked to read the configuration again; the answer says what is wrong with it.
pub type ReloadRequest = oneshot::Sender<Result<(), String>>;

/// What answers are made from.
#[derive(Debug, Clone)]
pub struct State {
    /// The snapshot that the engine publishes.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The daemon's own counters.
    pub registry: Registry,
    /// Where requests to reload the configuration go.
    pub reload: mpsc::Sender<ReloadRequest>,
    /// Where requests to check a token now go.
    pub checks: mpsc::Sender<TokenId>,
    /// The history.
    pub history: History,
    /// Where answers are made.
    pub lanes: Lanes,
}

/// Reads the history: a query, or why there is no answer. Blocks.
#[derive(Clone)]
pub struct History(Arc<Read>);

type Read = dyn Fn(&HistoryQuery) -> Result<Vec<HistoryLine>, String> + Send + Sync;

impl fmt::Debug for History {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("History")
    }
}

impl History {
    /// One that is read so.
    pub fn new(read: impl Fn(&HistoryQuery) -> Result<Vec<HistoryLine>, String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Reads on a thread where a slow disk holds up nobody, and hands what was read to `then` there.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        lane: &Lane,
        query: HistoryQuery,
        then: impl FnOnce(Result<Vec<HistoryLine>, String>) -> T + Send + 'static,
    ) -> Result<T, NotMade> {
        let read = Arc::clone(&self.0);
        lane.run(move || then(read(&query))).await
    }
}

impl State {
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }
}

/// The names of a tenant and a token in a path; what cannot be read names nobody.
pub(super) type TokenPath = Result<Path<(String, String)>, PathRejection>;

/// Which token of the snapshot a path names. Comparing names takes a thousandth of what a page takes.
pub(super) fn position(snapshot: &Snapshot, path: TokenPath) -> Option<usize> {
    let Path((tenant, token_name)) = path.ok()?;
    snapshot.tokens.iter().position(|one| one.token.name == token_name && one.token.tenant.name == tenant)
}

/// Requests a check of a token at once.
///
/// # Errors
/// Why the loop has not taken the request in time, as a sentence without its end.
pub(super) async fn request_check(state: &State, token: TokenId) -> Result<(), &'static str> {
    match timeout(LONGEST_REQUEST, state.checks.send(token)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err("the daemon is stopping"),
        Err(_) => Err("too many checks are wished for; come again in a few seconds"),
    }
}
