//! The page of an alert, while it fires and after: what broke, the steps, the tokens, and what happened when. Pure.

use askama::Template;
use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::{Acknowledgement, Alert, Change, Notification, page, runbook};
use crate::model::Scope;
use crate::state::{AlertDelivery, AlertEvent, AlertHistory, DeliveryOutcome, Snapshot, TakenOn};

use super::Frame;
use super::alerts::{Card, Piece, about, card, sentences};
use super::when::{When, span};

/// What has waited for a receiver for less than this says nothing of the receiver.
const SOON: TimeDelta = TimeDelta::minutes(1);

/// One thing that happened to an alert.
struct Happened {
    when: When,
    what: String,
    /// Whom it was notified to, and what became of that.
    receivers: Vec<Received>,
}

/// What a receiver did with a notification.
struct Received {
    receiver: String,
    what: String,
    /// When it took or refused it.
    when: Option<When>,
    is_trouble: bool,
}

/// What is shown of an alert that is over.
struct Over {
    alert: &'static str,
    about: String,
    severity: &'static str,
    runbook: String,
    /// The page about what it was about.
    href: Option<String>,
    /// What was said of it last: at its end, if that was recorded.
    what: Vec<Piece>,
    /// When it ended, and how long it had fired; `None` if that was not recorded.
    end: Option<(When, String)>,
}

#[derive(Template)]
#[template(path = "alert.html")]
struct Page<'a> {
    frame: Frame<'a>,
    /// The alert, while it fires.
    card: Option<Card>,
    over: Option<Over>,
    timeline: Vec<Happened>,
    no_history: Option<String>,
}

/// Writes the page of the alert with this id, or `None` if none with it fires, and `history` has none.
///
/// # Errors
/// Why the history cannot be read, if no such alert fires.
pub(in super::super) fn alert(
    frame: Frame<'_>,
    snapshot: &Snapshot,
    id: &str,
    history: Result<AlertHistory, String>,
) -> Result<Option<askama::Result<String>>, String> {
    let firing = snapshot.firing().find(|firing| firing.id == id);
    let (history, no_history) = match history {
        Ok(history) => (history, None),
        Err(why) if firing.is_none() => return Err(why),
        Err(why) => (AlertHistory::default(), Some(why)),
    };
    let over = if firing.is_none() { over(frame, &history) } else { None };
    if firing.is_none() && over.is_none() {
        return Ok(None);
    }
    let mut timeline = timeline(frame, &history);
    // One that began before this was recorded has a beginning all the same.
    let is_recorded = notified(&history).any(|(_, notification)| notification.change == Change::New);
    let begun = firing.filter(|_| !is_recorded).map(|firing| happened(frame, firing.began_at, "Fired".to_owned()));
    let of_history = || notified(&history).next().map(|(_, one)| (one.key.alert, one.since));
    let first_seen = firing.map(|firing| (firing.alert, firing.since)).or_else(of_history);
    let first_seen = first_seen.map(|(alert, at)| {
        let what = match alert {
            Alert::TokenExpiring => "The first notice of its expiry was due",
            Alert::TokenExpiryOutdated => "Its declared expiry",
            _ => "First seen",
        };
        happened(frame, at, what.to_owned())
    });
    timeline.splice(0..0, first_seen.into_iter().chain(begun));
    let card = firing.map(|firing| card(frame, firing, None));
    Ok(Some(Page { frame, card, over, timeline, no_history }.render()))
}

/// The notifications of an alert, in order.
fn notified(history: &AlertHistory) -> impl DoubleEndedIterator<Item = (DateTime<Utc>, &Notification)> {
    history.events.iter().filter_map(|event| match event {
        AlertEvent::Notified { at, notification } => Some((*at, &**notification)),
        AlertEvent::TakenOn(_) => None,
    })
}

/// What is known of an alert that fires no more.
fn over(frame: Frame<'_>, history: &AlertHistory) -> Option<Over> {
    let (began, first) = notified(history).next()?;
    let (ended, last) = notified(history).next_back()?;
    let Notification { key, severity, .. } = first;
    let end = last.change.ends().then(|| (When::new(ended, frame.now), span(ended - began)));
    Some(Over {
        alert: key.alert.as_str(),
        about: about(&key.of),
        severity: severity.as_str(),
        runbook: runbook(frame.base, key.alert),
        href: (key.of != Scope::Fleet).then(|| page(frame.base, &key.of)),
        what: sentences(&last.message.line),
        end,
    })
}

fn happened(frame: Frame<'_>, at: DateTime<Utc>, what: String) -> Happened {
    Happened { when: When::new(at, frame.now), what, receivers: Vec::new() }
}

/// What happened to an alert, the first thing first, with what became of each notification.
fn timeline(frame: Frame<'_>, history: &AlertHistory) -> Vec<Happened> {
    let one = |event: &AlertEvent| match event {
        AlertEvent::Notified { at, notification } => {
            // What is sent to a receiver is queued as it is notified.
            let sent = history.deliveries.iter().filter(|delivery| delivery.queued_at == *at);
            let receivers = sent.map(|delivery| received(frame, delivery)).collect();
            Happened { receivers, ..happened(frame, *at, change(notification)) }
        }
        AlertEvent::TakenOn(TakenOn { at, acknowledgement: None, .. }) => {
            happened(frame, *at, "Acknowledgement taken back".to_owned())
        }
        AlertEvent::TakenOn(TakenOn { at, acknowledgement: Some(acknowledgement), .. }) => {
            let Acknowledgement { by, reason, until, .. } = acknowledgement;
            let until = When::new(*until, frame.now).exact;
            happened(frame, *at, format!("Acknowledged by {by} until {until}: {reason}"))
        }
    };
    history.events.iter().map(one).collect()
}

fn change(notification: &Notification) -> String {
    let severity = notification.severity.as_str();
    match notification.change {
        Change::New => format!("Fired, {severity}"),
        Change::Escalated => format!("Became {severity}"),
        Change::Deescalated => format!("Only {severity} now"),
        Change::Updated => "What it affects changed".to_owned(),
        Change::Reminder => "Reminder".to_owned(),
        Change::Resolved => "Resolved".to_owned(),
        Change::Superseded => "Another alert took its place".to_owned(),
    }
}

fn received(frame: Frame<'_>, delivery: &AlertDelivery) -> Received {
    // It is gathered with others first, or tried again soon.
    let is_new = frame.now - delivery.queued_at < SOON;
    let (what, at, is_trouble) = match &delivery.outcome {
        DeliveryOutcome::Waits if is_new => ("has not been sent it yet, or has not taken it".to_owned(), None, false),
        DeliveryOutcome::Waits => ("has not taken it".to_owned(), None, true),
        DeliveryOutcome::Delivered(at) => ("took it".to_owned(), Some(*at), false),
        DeliveryOutcome::Refused(at, answer) => (format!("refused it for good: {answer}"), Some(*at), true),
    };
    Received { receiver: delivery.receiver.clone(), what, when: at.map(|at| When::new(at, frame.now)), is_trouble }
}
