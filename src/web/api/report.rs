//! The report as JSON, and what answers a request for it.

use std::iter::{once, once_with};
use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State as Extract};
use axum::http::StatusCode;
use axum::response::Response;
use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http_server::Access;
use crate::state::HistoryLine;
use crate::system::clock;

use super::super::report::{self, ApiReportQuery, Chapter, Incident, Totals, mean_time_to_fix, totals};
use super::super::state::State;
use super::handlers::{BUSY, error, listed, understood};
use super::pieces::separated;
use super::views::{Error, Token, text};

/// For customers and auditors: every token, or those of a tenant, and what happened to them in a period.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Report<'a> {
    /// The tenant that it is about; `null` for all of them.
    #[schema(required)]
    tenant: Option<&'a str>,
    /// When its period begins.
    since: DateTime<Utc>,
    /// When it ends: when the report was made.
    until: DateTime<Utc>,
    totals: &'a Totals,
    /// By tenant and name.
    tokens: Vec<Reported<'a>>,
}

/// One token, and what happened to it in the period.
#[derive(Debug, Serialize, ToSchema)]
struct Reported<'a> {
    #[serde(flatten)]
    token: Token<'a>,
    /// When its value was first used; of one that was there before the monitor, when that first saw it.
    #[schema(required)]
    value_since: Option<DateTime<Utc>>,
    /// Since when it has been watched: when a check first gave a verdict; `null` if none has.
    #[schema(required)]
    watched_since: Option<DateTime<Utc>>,
    /// When it was seen not to work, or to lack what its integration requires, the first time first.
    incidents: Vec<Incident>,
    /// How long they took on average, of those that began and ended in the period.
    #[schema(required)]
    mean_time_to_fix_seconds: Option<i64>,
    /// What changed in the period, the newest first: at most 1000 changes.
    changes: Vec<HistoryLine>,
}

/// The pieces of a report, or why the next one cannot be made; the paths of runbooks begin with `base`. Blocks.
pub(in super::super) fn report(
    report: report::Report,
    base: String,
) -> impl Iterator<Item = Result<String, String>> + Send {
    let chapters = report.chapters();
    let snapshot = Arc::clone(&report.snapshot);
    let beginning = once_with(move || {
        let (totals, _) = totals(&report)?;
        let report::Selection { tenant, since, until } = &report.selection;
        let empty =
            Report { tenant: tenant.as_deref(), since: *since, until: *until, totals: &totals, tokens: Vec::new() };
        // What follows are the tokens, and the end.
        let text = text(&empty);
        Ok(text.strip_suffix(END).unwrap_or(&text).to_owned())
    });
    let token = move |chapter: Result<Chapter, String>| {
        let Chapter { index, changes, incidents } = chapter?;
        let entry = &snapshot.tokens[index];
        let reported = Reported {
            token: Token::of(&snapshot, entry, &base),
            watched_since: entry.status.known_since,
            value_since: entry.value_seen_since(),
            mean_time_to_fix_seconds: mean_time_to_fix(&incidents).map(|mean| mean.num_seconds()),
            incidents,
            changes,
        };
        Ok(text(&reported))
    };
    beginning.chain(separated(chapters.map(token))).chain(once(Ok(format!("{END}\n"))))
}

/// How a report ends after its tokens.
const END: &str = "]}";

#[utoipa::path(
    get,
    path = "/api/v1/report",
    operation_id = "report",
    tag = "history",
    summary = "For customers and auditors: every token with its permissions and their evidence, and what happened to it in a period",
    params(ApiReportQuery),
    responses(
        (status = 200, description = "the report", body = Report),
        (status = 400, description = "a query that cannot be understood", body = Error),
        (status = 404, description = "no token of that tenant is configured", body = Error),
        (status = 503, description = BUSY, body = Error),
    )
)]
pub(super) async fn answer(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    query: Result<Query<ApiReportQuery>, QueryRejection>,
) -> Response {
    let query = match understood(query) {
        Ok(query) => query,
        Err(refused) => return *refused,
    };
    let selection = match query.read(clock::now()) {
        Ok(selection) => selection,
        Err(why) => return error(StatusCode::BAD_REQUEST, &why),
    };
    let snapshot = state.snapshot();
    if selection.unknown_tenant(&snapshot).is_some() {
        return error(StatusCode::NOT_FOUND, "no token of that tenant is configured");
    }
    let source = report::Report { snapshot, selection, history: state.history.clone() };
    let pieces = report(source, access.base.clone()).map(|piece| piece.map(Bytes::from));
    listed(state.lanes.history.try_body(pieces).await)
}
