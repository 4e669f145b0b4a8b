//! What answers are made from, and the requests that are passed on to the daemon: to reload, to check a token, and to
//! acknowledge an alert.

use std::fmt;
use std::iter::from_fn;
use std::slice::from_ref;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::Path;
use axum::extract::rejection::PathRejection;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use prometheus::Registry;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::alert::{Acknowledged, Acknowledgement};
use crate::http_server::Lanes;
use crate::metrics::Exposition;
use crate::model::{Token, TokenId};
use crate::state::{AlertHistory, EndedAlert, HistoryLine, HistoryQuery, Snapshot};

use super::meter::{Meter, TooMuch};

/// How many lines of the history are in memory for one answer: fewer than a piece of it takes.
const LINES_AT_ONCE: u32 = 100;
/// How long a request may wait for the loop, which takes one at its next turn; then it is refused.
pub(super) const LONGEST_REQUEST: Duration = Duration::from_secs(5);

/// A request to reload the configuration; the answer to it says what is wrong with the configuration, if anything is.
pub(crate) type ReloadRequest = oneshot::Sender<Result<(), String>>;

/// A request to acknowledge an alert, or to take that back.
#[derive(Debug)]
pub(crate) struct AcknowledgementRequest {
    /// The id of the alert.
    pub alert: String,
    /// Who takes it on, why and until when; `None` takes an acknowledgement back.
    pub acknowledgement: Option<Acknowledgement>,
    /// Where it is answered what became of it, once nothing can lose it any more.
    pub answer: oneshot::Sender<Result<Acknowledged, NotKept>>,
}

/// Why a request to acknowledge an alert was not carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotKept {
    /// The store cannot be written.
    #[error("it cannot be persisted now: failed to {0}")]
    Store(String),
    /// The daemon is stopping.
    #[error("the daemon is stopping")]
    Stopping,
    /// Nobody has taken the request in time.
    #[error("the daemon does not answer in time; see whether the alert is acknowledged in a minute")]
    Busy,
}

/// What answers are made from, the same for every request.
#[derive(Debug, Clone)]
pub(crate) struct State {
    /// The snapshot that the engine publishes.
    pub snapshots: watch::Receiver<Arc<Snapshot>>,
    /// The daemon's own counters.
    pub registry: Registry,
    /// What of `/metrics` is written already.
    pub exposition: Arc<Exposition>,
    /// Where requests to reload the configuration go.
    pub reload: mpsc::Sender<ReloadRequest>,
    /// Where requests to check a token now go.
    pub checks: mpsc::Sender<TokenId>,
    /// How much of the daemon's work is asked for.
    pub meter: Arc<Meter>,
    /// Where requests to acknowledge an alert go.
    pub acknowledgements: mpsc::Sender<AcknowledgementRequest>,
    /// The history of what changed.
    pub history: History,
    /// The threads on which answers are made.
    pub lanes: Lanes,
}

/// Reads the history.
#[derive(Clone)]
pub(crate) struct History {
    read: Arc<Read>,
    of_alert: Arc<OfAlert>,
    ended: Arc<Ended>,
}

/// The lines that each query selects, or why they cannot be read. Blocks.
type Read = dyn Fn(&[HistoryQuery]) -> Result<Vec<Vec<HistoryLine>>, String> + Send + Sync;
/// What happened to the alert with an id, or why that cannot be read. Blocks.
type OfAlert = dyn Fn(&str) -> Result<AlertHistory, String> + Send + Sync;
/// The alerts that ended last, the newest first, or why they cannot be read. Blocks.
type Ended = dyn Fn() -> Result<Vec<EndedAlert>, String> + Send + Sync;

impl fmt::Debug for History {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("History")
    }
}

impl History {
    /// A history that is read by these, which may block.
    pub(crate) fn new(
        read: impl Fn(&[HistoryQuery]) -> Result<Vec<Vec<HistoryLine>>, String> + Send + Sync + 'static,
        of_alert: impl Fn(&str) -> Result<AlertHistory, String> + Send + Sync + 'static,
        ended: impl Fn() -> Result<Vec<EndedAlert>, String> + Send + Sync + 'static,
    ) -> Self {
        Self { read: Arc::new(read), of_alert: Arc::new(of_alert), ended: Arc::new(ended) }
    }

    /// A history that cannot be read, and why.
    pub(super) fn unreadable(why: String) -> Self {
        let [of_lines, of_alert] = [why.clone(), why.clone()];
        Self::new(move |_| Err(of_lines.clone()), move |_| Err(of_alert.clone()), move || Err(why.clone()))
    }

    /// The lines that a query selects, the newest first and `most` at most, read few at a time when they are wanted.
    /// Blocks. A line that is deleted meanwhile ends it.
    pub(super) fn lines(
        &self,
        query: HistoryQuery,
        most: u32,
    ) -> impl Iterator<Item = Result<HistoryLine, String>> + use<> {
        let read = Arc::clone(&self.read);
        let (mut left, mut query) = (most, query);
        let page = move || {
            let page = left.min(LINES_AT_ONCE);
            if page == 0 {
                return None;
            }
            query.newest = Some(page);
            let lines = read(from_ref(&query)).map(|mut lines| lines.pop().unwrap_or_default());
            let (count, last) = lines.as_ref().map_or((0, None), |lines| (lines.len(), lines.last()));
            query.before = last.map(|line| line.id);
            left = if count < page as usize { 0 } else { left - page };
            Some(lines.map_or_else(|why| vec![Err(why)], |lines| lines.into_iter().map(Ok).collect()))
        };
        from_fn(page).flatten()
    }

    /// What each query selects, or why it cannot be read. Blocks.
    pub(super) fn read(&self, queries: &[HistoryQuery]) -> Result<Vec<Vec<HistoryLine>>, String> {
        (self.read)(queries)
    }

    /// What happened to the alert with this id, or why that cannot be read. Blocks.
    pub(super) fn of_alert(&self, id: &str) -> Result<AlertHistory, String> {
        (self.of_alert)(id)
    }

    /// The alerts that ended last, or why they cannot be read. Blocks.
    pub(super) fn ended(&self) -> Result<Vec<EndedAlert>, String> {
        (self.ended)()
    }
}

impl State {
    /// The newest snapshot.
    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }
}

/// The names of a tenant and a token in a path; a path that cannot be read names no token.
pub(super) type TokenPath = Result<Path<(String, String)>, PathRejection>;

/// The index of the token in the snapshot that a path names. To compare the names takes a thousandth of the time of a
/// page.
pub(super) fn position(snapshot: &Snapshot, path: TokenPath) -> Option<usize> {
    let Path((tenant, token_name)) = path.ok()?;
    snapshot.tokens.iter().position(|entry| entry.token.name == token_name && entry.token.tenant.name == tenant)
}

/// Why a check that was asked for is not made.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotChecked {
    /// Too many were asked for of late.
    #[error(transparent)]
    TooMuch(#[from] TooMuch),
    /// The daemon is stopping.
    #[error("the daemon is stopping")]
    Stopping,
    /// The loop has not taken the request in time.
    #[error("too many checks are requested; come again in a few seconds")]
    Busy,
}

impl NotChecked {
    /// The status of the answer that says so.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::TooMuch(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Stopping | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// When it may be asked for again, as a header.
    pub(super) fn retry_after(&self) -> Option<(HeaderName, HeaderValue)> {
        let Self::TooMuch(why) = self else { return None };
        Some(why.retry_after())
    }
}

/// Requests a full check of a token now.
///
/// # Errors
/// Why it is not made.
pub(super) async fn request_check(state: &State, snapshot: &Snapshot, token: &Token) -> Result<(), NotChecked> {
    // What every check asks besides: `/me`, and the user.
    const BESIDES: usize = 2;
    state.meter.check(token.probes(snapshot.probes).len() + BESIDES)?;
    match timeout(LONGEST_REQUEST, state.checks.send(token.id())).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(NotChecked::Stopping),
        Err(_) => Err(NotChecked::Busy),
    }
}

/// Why an alert is not acknowledged, or this is not taken back.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotAcknowledged {
    /// It was not carried out, or it is not known whether it was.
    #[error(transparent)]
    NotKept(#[from] NotKept),
    /// It came to nothing.
    #[error("{}", .0.problem().unwrap_or_default())]
    InVain(Acknowledged),
}

impl NotAcknowledged {
    /// The alert has ended meanwhile.
    pub(super) const ENDED: Self = Self::InVain(Acknowledged::Ended);

    /// The status of the answer that says so.
    pub(super) fn status(&self) -> StatusCode {
        match self {
            Self::NotKept(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::InVain(Acknowledged::Done) => StatusCode::OK,
            Self::InVain(Acknowledged::Unknown) => StatusCode::NOT_FOUND,
            Self::InVain(Acknowledged::Ended) => StatusCode::GONE,
            Self::InVain(Acknowledged::TooLate) => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }
}

/// Requests that the alert that a path names is acknowledged, or that this is taken back; returns its id.
///
/// # Errors
/// Why it was not done.
pub(super) async fn request_acknowledgement(
    state: &State,
    id: Result<Path<String>, PathRejection>,
    acknowledgement: Option<Acknowledgement>,
) -> Result<String, NotAcknowledged> {
    let Ok(Path(id)) = id else { return Err(NotAcknowledged::InVain(Acknowledged::Unknown)) };
    let (answer, answered) = oneshot::channel();
    let request = AcknowledgementRequest { alert: id.clone(), acknowledgement, answer };
    let requested = async {
        state.acknowledgements.send(request).await.map_err(|_| NotKept::Stopping)?;
        answered.await.map_err(|_| NotKept::Stopping)?
    };
    match timeout(LONGEST_REQUEST, requested).await.unwrap_or(Err(NotKept::Busy))? {
        Acknowledged::Done => Ok(id),
        in_vain => Err(NotAcknowledged::InVain(in_vain)),
    }
}
