//! The list of all alerts that fire, and of those that ended last. Pure.

use askama::Template;
use serde::Deserialize;

use crate::alert::{Alert, Change, Firing, Notification, Severity};
use crate::model::Scope;
use crate::state::{EndedAlert, Snapshot};

use super::Frame;
use super::alerts::{Card, about, card, sorted};
use super::paging::Paging;
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
        self.selects_one(firing.alert, firing.severity, &firing.scope)
    }

    fn selects_ended(&self, notification: &Notification) -> bool {
        self.selects_one(notification.key.alert, notification.severity, &notification.key.of)
    }

    fn selects_one(&self, alert: Alert, severity: Severity, scope: &Scope) -> bool {
        let tenant = || scope.tenant().unwrap_or_default().to_lowercase();
        (self.alert.is_empty() || alert.as_str().eq_ignore_ascii_case(&self.alert))
            && (self.severity.is_empty() || severity.as_str() == self.severity)
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

/// An alert that ended.
struct Ended {
    alert: &'static str,
    about: String,
    href: String,
    severity: &'static str,
    /// Whether another alert took its place.
    is_superseded: bool,
    when: When,
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
    ended: Vec<Ended>,
    no_history: Option<String>,
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
    ended: Result<Vec<EndedAlert>, String>,
) -> Result<askama::Result<String>, String> {
    query.check()?;
    let found = sorted(snapshot.firing().filter(|firing| query.selects(firing)));
    let Paging { from, before, after } = Paging::new(query.page, found.len(), ALERTS, |page| query.href(frame, page));
    let shown = found.iter().skip(from).take(ALERTS);
    let no_history = ended.as_ref().err().cloned();
    let ended = ended.unwrap_or_default().into_iter().filter(|one| query.selects_ended(&one.notification));
    Ok(List {
        frame,
        query,
        kinds: Alert::ALL.iter().map(|(alert, _)| alert.as_str()).collect(),
        all: snapshot.firing().count(),
        found: found.len(),
        cards: shown.map(|firing| card(frame, firing, None)).collect(),
        ended: ended.map(|one| Ended::of(frame, &one)).collect(),
        no_history,
        before,
        after,
    }
    .render())
}

impl Ended {
    fn of(frame: Frame<'_>, EndedAlert { at, notification }: &EndedAlert) -> Self {
        let Notification { id, key, severity, change, .. } = notification;
        Self {
            alert: key.alert.as_str(),
            about: about(&key.of),
            href: format!("{}/alerts/{id}", frame.base),
            severity: severity.as_str(),
            is_superseded: *change == Change::Superseded,
            when: When::new(*at, frame.now),
        }
    }
}
