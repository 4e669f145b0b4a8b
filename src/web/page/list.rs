//! The list of all alerts that fire. Pure.

use askama::Template;
use serde::Deserialize;

use crate::alert::{Alert, Firing, Severity};
use crate::state::Snapshot;

use super::Frame;
use super::alerts::{Card, card, sorted};
use super::paging::Paging;

/// How many alerts one page of the list has.
const ALERTS: usize = 100;

/// Which alerts are listed, as it is in the address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct AlertsQuery {
    /// Those of this kind, such as `TokenExpired`.
    alert: String,
    /// Those of this severity.
    severity: String,
    /// Those of this tenant, by its name without regard to case.
    tenant: String,
    /// The number of the page, from 1 on.
    page: Option<usize>,
}

impl AlertsQuery {
    fn check(&self) -> Result<(), String> {
        let kinds = || Alert::ALL.iter().map(|(alert, _)| alert.as_str());
        let severities = [Severity::Warning, Severity::Critical].map(Severity::as_str);
        if !self.alert.is_empty() && !kinds().any(|kind| kind.eq_ignore_ascii_case(&self.alert)) {
            return Err(format!("no alert is called that; alert may be {}", kinds().collect::<Vec<_>>().join(", ")));
        }
        if !self.severity.is_empty() && !severities.contains(&self.severity.as_str()) {
            return Err(format!("severity may be {}", severities.join(", ")));
        }
        Ok(())
    }

    fn selects(&self, firing: &Firing) -> bool {
        let tenant = || firing.scope.tenant().unwrap_or_default().to_lowercase();
        (self.alert.is_empty() || firing.alert.as_str().eq_ignore_ascii_case(&self.alert))
            && (self.severity.is_empty() || firing.severity.as_str() == self.severity)
            && (self.tenant.is_empty() || tenant() == self.tenant.to_lowercase())
    }

    fn href(&self, frame: Frame<'_>, page: usize) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let pairs = [("alert", &self.alert), ("severity", &self.severity), ("tenant", &self.tenant)];
        query.extend_pairs(pairs.into_iter().filter(|(_, value)| !value.is_empty()));
        query.append_pair("page", &page.to_string());
        format!("{}/alerts?{}", frame.base, query.finish())
    }
}

#[derive(Template)]
#[template(path = "alerts.html")]
struct List<'a> {
    frame: Frame<'a>,
    query: &'a AlertsQuery,
    kinds: Vec<&'static str>,
    all: usize,
    found: usize,
    cards: Vec<Card>,
    before: Option<String>,
    after: Option<String>,
}

/// Writes the list of alerts.
///
/// # Errors
/// What is wrong with the query, as a sentence without its full stop.
pub(in super::super) fn alerts(
    frame: Frame<'_>,
    snapshot: &Snapshot,
    query: &AlertsQuery,
) -> Result<askama::Result<String>, String> {
    query.check()?;
    let found = sorted(snapshot.firing().filter(|firing| query.selects(firing)));
    let Paging { from, before, after } = Paging::new(query.page, found.len(), ALERTS, |page| query.href(frame, page));
    let shown = found.iter().skip(from).take(ALERTS);
    Ok(List {
        frame,
        query,
        kinds: Alert::ALL.iter().map(|(alert, _)| alert.as_str()).collect(),
        all: snapshot.firing().count(),
        found: found.len(),
        cards: shown.map(|firing| card(frame, firing, None)).collect(),
        before,
        after,
    }
    .render())
}
