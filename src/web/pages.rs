//! What answers a request for a page, one function for each. A page is made on a thread of a lane, from one snapshot.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State as Extract};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};

use crate::cli::ReportOutput;
use crate::http_server::{Access, Lane, NotMade};
use crate::state::{HistoryQuery, Snapshot, stalled};
use crate::system::clock;

use super::answers::{html, no_such_tenant, no_such_token, not_made, problem};
use super::page::{self, AlertsQuery, ExpiringQuery, FleetQuery, Frame, Own, UsersQuery};
use super::report::{Report, ReportQuery};
use super::report_forms::pieces;
use super::runbook::section;
use super::state::{History, State, TokenPath, position};

/// What a page is made from.
struct Maker {
    state: State,
    snapshot: Arc<Snapshot>,
    access: Arc<Access>,
    now: DateTime<Utc>,
}

impl Maker {
    fn new(state: State, access: Arc<Access>) -> Self {
        Self { snapshot: state.snapshot(), state, access, now: clock::now() }
    }

    /// Runs `make` where it may read the history. Where that cannot be read now, as when a disk hangs, everything else is
    /// shown all the same.
    async fn with_history<T: Send + 'static>(
        &self,
        make: impl Fn(Frame<'_>, &Snapshot, &History) -> T + Clone + Send + 'static,
    ) -> Result<T, NotMade> {
        let (history, reads) = (self.state.history.clone(), make.clone());
        let reads = move |frame: Frame<'_>, snapshot: &Snapshot| reads(frame, snapshot, &history);
        let tried = self.run_on(&self.state.lanes.history, reads).await;
        let Err(why) = tried else { return tried };
        let history = History::unreadable(why.to_string());
        self.run(move |frame, snapshot| make(frame, snapshot, &history)).await
    }

    /// Runs `make` on the lane of pages.
    async fn run<T: Send + 'static>(
        &self,
        make: impl FnOnce(Frame<'_>, &Snapshot) -> T + Send + 'static,
    ) -> Result<T, NotMade> {
        self.run_on(&self.state.lanes.pages, make).await
    }

    async fn run_on<T: Send + 'static>(
        &self,
        lane: &Lane,
        make: impl FnOnce(Frame<'_>, &Snapshot) -> T + Send + 'static,
    ) -> Result<T, NotMade> {
        let (snapshot, base, now) = (Arc::clone(&self.snapshot), self.access.base.clone(), self.now);
        let registry = self.state.registry.clone();
        let make = move || {
            let stalled = stalled(&snapshot, now).filter(|_| snapshot.beat.is_some());
            let own = Own::new(&snapshot, stalled, &registry.gather(), now);
            make(Frame::new(&base, now).with_own(&own), &snapshot)
        };
        lane.run(make).await
    }

    /// The answer with a page, or one that says what is wrong with the query.
    fn answer(&self, made: Result<Result<askama::Result<String>, String>, NotMade>) -> Response {
        match made {
            Ok(Ok(page)) => html(StatusCode::OK, page),
            Ok(Err(why)) => self.refused(&why),
            Err(why) => not_made(&self.access, why),
        }
    }

    /// The answer with a page, or one that says that there is nothing of that name.
    fn found(&self, made: Result<Option<askama::Result<String>>, NotMade>, title: &str, why: &str) -> Response {
        match made {
            Ok(Some(page)) => html(StatusCode::OK, page),
            Ok(None) => problem(&self.access, StatusCode::NOT_FOUND, title, why),
            Err(why) => not_made(&self.access, why),
        }
    }

    /// A query as it is asked, or the answer that says what is wrong with it.
    fn understood<T>(&self, query: Asked<T>) -> Result<T, Box<Response>> {
        query.map(|Query(query)| query).map_err(|rejection| Box::new(self.refused(&rejection.body_text())))
    }

    fn refused(&self, why: &str) -> Response {
        problem(&self.access, StatusCode::BAD_REQUEST, "Not understood", why)
    }
}

type Asked<T> = Result<Query<T>, QueryRejection>;

/// The overview.
pub(super) async fn overview(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    query: Asked<FleetQuery>,
) -> Response {
    let maker = Maker::new(state, access);
    let query = match maker.understood(query) {
        Ok(query) => query,
        Err(refused) => return *refused,
    };
    maker.answer(
        maker
            .with_history(move |frame, snapshot, past| page::overview(frame, snapshot, &query, |of| past.read(of)))
            .await,
    )
}

/// The list of alerts.
pub(super) async fn alerts(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    query: Asked<AlertsQuery>,
) -> Response {
    let maker = Maker::new(state, access);
    let query = match maker.understood(query) {
        Ok(query) => query,
        Err(refused) => return *refused,
    };
    maker.answer(
        maker.with_history(move |frame, snapshot, past| page::alerts(frame, snapshot, &query, past.ended())).await,
    )
}

/// The page of an alert.
pub(super) async fn alert(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    id: Result<Path<String>, PathRejection>,
) -> Response {
    let maker = Maker::new(state, access);
    let id = id.map(|Path(id)| id).unwrap_or_default();
    let made = maker.with_history(move |frame, snapshot, past| page::alert(frame, snapshot, &id, past.of_alert(&id)));
    match made.await {
        Ok(Err(why)) => problem(&maker.access, StatusCode::SERVICE_UNAVAILABLE, "Not now", &format!("Sorry: {why}.")),
        made => {
            let made = made.map(|found| found.unwrap_or(None));
            maker.found(made, "No such alert", "No alert of that id is active or remembered.")
        }
    }
}

/// What expires soon.
pub(super) async fn expiring(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    query: Asked<ExpiringQuery>,
) -> Response {
    let maker = Maker::new(state, access);
    let query = match maker.understood(query) {
        Ok(query) => query,
        Err(refused) => return *refused,
    };
    maker.answer(
        maker
            .with_history(move |frame, snapshot, past| page::expiring(frame, snapshot, &query, |of| past.read(of)))
            .await,
    )
}

/// The list of users.
pub(super) async fn users(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    query: Asked<UsersQuery>,
) -> Response {
    let maker = Maker::new(state, access);
    let query = match maker.understood(query) {
        Ok(query) => query,
        Err(refused) => return *refused,
    };
    maker.answer(maker.run(move |frame, snapshot| Ok(page::users(frame, snapshot, &query))).await)
}

/// The page of a user.
pub(super) async fn user(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    path: Result<Path<(String, u64)>, PathRejection>,
) -> Response {
    let maker = Maker::new(state, access);
    let made = match path {
        Ok(Path((tenant, id))) => {
            maker
                .with_history(move |frame, snapshot, past| page::user(frame, snapshot, &tenant, id, |of| past.read(of)))
                .await
        }
        Err(_) => Ok(None),
    };
    maker.found(made, "No such user", "No token of that tenant is known to be of a user of that number.")
}

/// The page of a tenant.
pub(super) async fn tenant(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    path: Result<Path<String>, PathRejection>,
) -> Response {
    let maker = Maker::new(state, access);
    let made = match path {
        Ok(Path(name)) => {
            maker
                .with_history(move |frame, snapshot, past| page::tenant(frame, snapshot, &name, |of| past.read(of)))
                .await
        }
        Err(_) => Ok(None),
    };
    match made {
        Ok(None) => no_such_tenant(&maker.access),
        made => maker.found(made, "", ""),
    }
}

/// The runbook of an alert, with what it concerns now.
pub(super) async fn runbook(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    alert: Result<Path<String>, PathRejection>,
) -> Response {
    let maker = Maker::new(state, access);
    let section = alert.ok().and_then(|Path(alert)| section(&alert));
    let made = match section {
        Some(section) => maker.run(move |frame, snapshot| Some(page::runbook(frame, snapshot, section))).await,
        None => Ok(None),
    };
    maker.found(made, "No such alert", "No alert is called that, so it has no runbook.")
}

/// The wall.
pub(super) async fn wall(Extract(state): Extract<State>, Extension(access): Extension<Arc<Access>>) -> Response {
    let maker = Maker::new(state, access);
    maker.answer(maker.run(|frame, snapshot| Ok(page::wall(frame, snapshot))).await)
}

/// The page of a token.
pub(super) async fn token(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    path: TokenPath,
) -> Response {
    let maker = Maker::new(state, access);
    let Some(index) = position(&maker.snapshot, path) else { return no_such_token(&maker.access) };
    let made = maker.with_history(move |frame, snapshot, history| {
        let entry = &snapshot.tokens[index];
        let query = HistoryQuery::newest_of(&entry.token, page::start(frame.now()), page::MOST_LINES);
        let past = history.read(&[query]).map(|mut lines| lines.pop().unwrap_or_default());
        let past = past.map(|mut lines| {
            lines.reverse();
            lines
        });
        Ok(page::token(frame, snapshot, entry, past.as_deref().map_err(String::as_str)))
    });
    maker.answer(made.await)
}

/// The report, as a document or as CSV.
pub(super) async fn report(
    Extract(state): Extract<State>,
    Extension(access): Extension<Arc<Access>>,
    query: Asked<ReportQuery>,
) -> Response {
    let maker = Maker::new(state, access);
    let query = match maker.understood(query) {
        Ok(query) => query,
        Err(refused) => return *refused,
    };
    let selection = match query.read(maker.now) {
        Ok(selection) => selection,
        Err(why) => return maker.refused(&why),
    };
    if selection.unknown_tenant(&maker.snapshot).is_some() {
        return no_such_tenant(&maker.access);
    }
    let output = query.output.unwrap_or(ReportOutput::Html);
    let kind = match output {
        ReportOutput::Html => "text/html; charset=utf-8",
        ReportOutput::Csv => "text/csv; charset=utf-8",
        ReportOutput::Json => "application/json",
    };
    let report = Report { snapshot: maker.snapshot.clone(), selection, history: maker.state.history.clone() };
    let pieces = pieces(report, output, Some(maker.access.base.clone())).map(|piece| piece.map(Bytes::from));
    match maker.state.lanes.history.try_body(pieces).await {
        Ok(Ok(body)) => ([(header::CONTENT_TYPE, kind)], body).into_response(),
        Ok(Err(why)) => problem(&maker.access, StatusCode::SERVICE_UNAVAILABLE, "Not now", &format!("Sorry: {why}.")),
        Err(why) => not_made(&maker.access, why),
    }
}

/// The answer to a path that is none.
pub(super) async fn nothing(Extension(access): Extension<Arc<Access>>) -> Response {
    problem(&access, StatusCode::NOT_FOUND, "No such page", "Nothing is served under this address.")
}
