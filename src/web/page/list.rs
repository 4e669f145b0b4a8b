//! The list of all alerts that fire, and the page of one: what broke, the steps, the tokens, and what happened when. Pure.

use askama::Template;
use serde::Deserialize;

use crate::alert::{Acknowledgement, Alert, Firing, Severity};
use crate::state::Snapshot;

use super::Frame;
use super::alerts::{Card, card, sorted};
use super::when::When;

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
    let pages = found.len().div_ceil(ALERTS).max(1);
    let page = query.page.unwrap_or(1).clamp(1, pages);
    let shown = found.iter().skip((page - 1) * ALERTS).take(ALERTS);
    Ok(List {
        frame,
        query,
        kinds: Alert::ALL.iter().map(|(alert, _)| alert.as_str()).collect(),
        all: snapshot.firing().count(),
        found: found.len(),
        cards: shown.map(|firing| card(frame, firing, None)).collect(),
        before: (page > 1).then(|| query.href(frame, page - 1)),
        after: (page < pages).then(|| query.href(frame, page + 1)),
    }
    .render())
}

/// One thing that happened to an alert.
struct Happened {
    when: When,
    what: String,
}

#[derive(Template)]
#[template(path = "alert.html")]
struct One<'a> {
    frame: Frame<'a>,
    card: Card,
    timeline: Vec<Happened>,
}

/// Writes the page of the alert with this id, or `None` if none with it fires.
pub(in super::super) fn alert(frame: Frame<'_>, snapshot: &Snapshot, id: &str) -> Option<askama::Result<String>> {
    let firing = snapshot.firing().find(|firing| firing.id == id)?;
    Some(One { frame, card: card(frame, firing, None), timeline: timeline(frame, firing) }.render())
}

/// What happened to an alert that fires, the first thing first.
fn timeline(frame: Frame<'_>, firing: &Firing) -> Vec<Happened> {
    let mut all = vec![(firing.since, "First seen".to_owned()), (firing.began_at, "Fired".to_owned())];
    if firing.notified_at > firing.began_at {
        all.push((firing.notified_at, "Last notified of".to_owned()));
    }
    all.extend(firing.acknowledged.as_ref().map(|Acknowledgement { by, reason, until, at }| {
        (*at, format!("Acknowledged by {by} until {}: {reason}", When::new(*until, frame.now).exact))
    }));
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(at, what)| Happened { when: When::new(at, frame.now), what }).collect()
}
