//! What must hold of queries, whatever a client puts into an address; `crate::untrusted` says who asks.

use axum::extract::Query;
use axum::http::Uri;
use chrono::{DateTime, TimeDelta, Utc};

use crate::state::Snapshot;

use super::api::{Part, TransitionsQuery};
use super::page::{self, AlertsQuery, ExpiringQuery, FleetQuery, Frame, UsersQuery};
use super::report::ReportQuery;

/// A page has nothing of the query that is markup, and a selection of the history is bounded.
///
/// # Panics
/// Where that does not hold.
pub(crate) fn query(text: &str) {
    let Ok(uri) = format!("/?{text}").parse::<Uri>() else { return };
    let now = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(20_000);
    if let Ok(Query(query)) = Query::<FleetQuery>::try_from_uri(&uri) {
        let query = query.with_markup("<untrusted");
        if let Ok(page) = page::overview(Frame::new("", now), &Snapshot::default(), &query, |_| Ok(Vec::new())) {
            let page = page.expect("a page can be written");
            assert!(page.contains("untrusted") && !page.contains("<untrusted"), "markup of the query: {page}");
        }
    }
    let page = |page: askama::Result<String>| {
        let page = page.expect("a page can be written");
        assert!(!page.contains("<untrusted"), "markup of the query: {page}");
    };
    let frame = Frame::new("", now);
    if let Ok(Query(query)) = Query::<UsersQuery>::try_from_uri(&uri) {
        page(page::users(frame, &Snapshot::default(), &query));
    }
    if let Ok(Query(query)) = Query::<AlertsQuery>::try_from_uri(&uri) {
        page::alerts(frame, &Snapshot::default(), &query, Ok(Vec::new())).map(page).ok();
    }
    if let Ok(Query(query)) = Query::<ExpiringQuery>::try_from_uri(&uri) {
        page::expiring(frame, &Snapshot::default(), &query, |_| Ok(Vec::new())).map(page).ok();
    }
    if let Ok(Query(query)) = Query::<ReportQuery>::try_from_uri(&uri)
        && let Ok(selection) = query.read(now)
    {
        assert!(selection.since <= selection.until, "{selection:?}");
    }
    if let Ok(Query(query)) = Query::<TransitionsQuery>::try_from_uri(&uri)
        && let Ok((query, limit)) = query.read(now)
    {
        assert!((1..=1000).contains(&limit), "{limit} lines");
        let names = [&query.tenant, &query.token_name];
        assert!(names.into_iter().flatten().all(|name| name.chars().count() <= 100), "{query:?}");
    }
    if let Ok(Query(part)) = Query::<Part>::try_from_uri(&uri) {
        assert!(part.of(0..10).all(|index| index < 10), "{part:?}");
    }
}
