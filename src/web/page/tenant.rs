//! The page of one tenant: what fires for it, its tokens, and the users who made them. Pure.

use askama::Template;

use crate::state::{HistoryQuery, Snapshot};

use super::Frame;
use super::alerts::{Group, groups};
use super::filter::{Filter, FleetQuery};
use super::report::report_path;
use super::rows::{Histories, ROWS, Row, rows};
use super::users::{UserRow, of_tenant};
use super::when::When;

/// How many alerts are on the page.
const MOST_ALERTS: usize = 60;

#[derive(Template)]
#[template(path = "tenant.html")]
struct Page<'a> {
    frame: Frame<'a>,
    tenant: &'a str,
    subdomain: Option<&'a str>,
    /// The report of the tenant alone.
    report_href: String,
    suppressed_until: Option<When>,
    alerts: Vec<Group>,
    more_alerts: usize,
    rows: Vec<Row>,
    no_history: Option<String>,
    all: usize,
    /// The overview with all tokens of the tenant.
    all_href: String,
    users: Vec<UserRow>,
}

/// Writes the page of a tenant, or `None` if no token of one of that name is configured; `read` reads the history.
pub(in super::super) fn tenant(
    frame: Frame<'_>,
    snapshot: &Snapshot,
    name: &str,
    read: impl FnOnce(&[HistoryQuery]) -> Histories,
) -> Option<askama::Result<String>> {
    let now = frame.now;
    let tenant = snapshot.tokens.iter().map(|entry| &entry.token.tenant).find(|tenant| tenant.name == name)?;
    let query = FleetQuery { tenant: name.to_owned(), ..FleetQuery::default() };
    // Names that differ only in their case are two tenants.
    let mut found = Filter::parse(&query).ok()?.find(&snapshot.tokens, now);
    found.retain(|(_, entry)| entry.token.tenant.name == name);
    let shown: Vec<_> = found.iter().take(ROWS).copied().collect();
    let (rows, no_history) = rows(frame, snapshot, &shown, read);
    let of_tenant_alone = snapshot.firing().filter(|firing| firing.scope.tenant() == Some(name));
    let (alerts, more_alerts) = groups(frame, of_tenant_alone, MOST_ALERTS);
    Some(
        Page {
            frame,
            tenant: &tenant.name,
            subdomain: tenant.subdomain.as_deref(),
            report_href: report_path(frame, name),
            suppressed_until: snapshot.suppressed_until(name, now).map(|at| When::new(at, now)),
            alerts,
            more_alerts,
            rows,
            no_history,
            all: found.len(),
            all_href: query.href(frame),
            users: of_tenant(frame, snapshot, name),
        }
        .render(),
    )
}
