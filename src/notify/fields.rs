//! A notification as plain values, which is all that receivers know of it: each text has a bound, each list too. Pure.

use std::collections::BTreeSet;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

use crate::alert::{self, Affected, Change, Notification, Severity, page, runbook};
use crate::belief::{Cause, Evidence, Strength};
use crate::model::{Scope, cut};
use crate::state::Delivery;

use super::text::{LONGEST_FIELD, LONGEST_MESSAGE, LONGEST_STEP};

/// The version of our own JSON, which is these fields. Fields may be added, none will disappear or change its meaning.
const VERSION: u32 = 2;
/// The most members of a list; one more says how many there are besides.
const MOST_MEMBERS: usize = 50;

/// The most steps; no alert has so many.
const MOST_STEPS: usize = 20;

/// What a receiver may be sent of a notification. Serialized, it is one flat object in the order of the fields.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Fields {
    /// The version of this object.
    pub(super) version: u32,
    /// The number of the delivery, by which a receiver can recognise what it has received before.
    pub(super) delivery: i64,
    /// When the notification was queued.
    #[serde(serialize_with = "to_milliseconds")]
    pub(super) at: DateTime<Utc>,
    /// The id of the alert, the same in all of its notifications.
    pub(super) id: String,
    /// The name of the alert.
    pub(super) alert: &'static str,
    /// `firing` or `resolved`.
    pub(super) status: &'static str,
    /// What has changed since the last notification of the alert.
    pub(super) change: Change,
    /// How bad the alert is, or was until it ended.
    pub(super) severity: Severity,
    /// The name of the tenant; `None` for all tenants together.
    pub(super) tenant: Option<String>,
    /// The kind of what the alert is about: `token`, `user`, `security_group`, `tenant` or `fleet`.
    pub(super) scope: &'static str,
    /// The security group, where one is known.
    pub(super) security_group: Option<String>,
    /// The number of the user, where the alert is about one.
    pub(super) user_id: Option<u64>,
    /// The name of the token, where the alert is about one.
    pub(super) token_name: Option<String>,
    /// The names of all tokens that are affected.
    pub(super) token_names: Vec<String>,
    /// The permissions that are missing, each once.
    pub(super) permissions: Vec<String>,
    /// The rights that are missing, each once.
    pub(super) rights: Vec<String>,
    /// The profiles of the integrations that are affected.
    pub(super) profiles: Vec<String>,
    /// Which token lacks what: `TOKEN / PERMISSION`, or the token alone.
    pub(super) affected: Vec<String>,
    /// The side that lacks the permission.
    pub(super) cause: Option<Cause>,
    /// How strong the evidence of what the alert says is.
    pub(super) strength: Option<Strength>,
    /// The kind of evidence that the permission is missing.
    pub(super) evidence: Option<Evidence>,
    /// The evidence as a text.
    pub(super) shown_by: Option<String>,
    /// Whom to ask.
    pub(super) contact: Option<String>,
    /// What the operator wants to be remembered.
    pub(super) note: Option<String>,
    /// Since when the condition has existed.
    #[serde(serialize_with = "to_milliseconds")]
    pub(super) since: DateTime<Utc>,
    /// What a person is to read: one line.
    pub(super) message: String,
    /// What to do, step by step.
    pub(super) steps: Vec<String>,
    /// Who has taken the alert on, if somebody has.
    pub(super) acknowledged: Option<Acknowledged>,
    /// The address of the alert's runbook.
    pub(super) runbook: String,
    /// The address of the page about what is affected.
    pub(super) url: String,
    /// The address of the page about everything.
    #[serde(skip)]
    pub(super) overview: String,
    /// What the alert is about within its tenant, as titles have it.
    #[serde(skip)]
    pub(super) subject: Option<String>,
}

/// That somebody has taken an alert on: it is repeated to nobody until a moment.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Acknowledged {
    /// Who has.
    pub(super) by: String,
    /// Why it may wait.
    pub(super) reason: String,
    /// Until when.
    #[serde(serialize_with = "to_milliseconds")]
    pub(super) until: DateTime<Utc>,
}

impl Fields {
    /// The values of a delivery. `external_url` is where people reach the daemon.
    pub(super) fn of(delivery: &Delivery, external_url: &str) -> Self {
        let Delivery { id, queued_at, notification, .. } = delivery;
        Self { delivery: *id, at: *queued_at, ..Self::of_notification(notification, external_url) }
    }

    /// The values of a notification that is no delivery.
    pub(super) fn of_notification(notification: &Notification, external_url: &str) -> Self {
        let Notification { id, key, change, severity, since, message, acknowledged, .. } = notification;
        Self {
            version: VERSION,
            delivery: 0,
            at: *since,
            id: id.clone(),
            alert: key.alert.as_str(),
            status: change.status(),
            change: *change,
            severity: *severity,
            tenant: key.of.tenant().map(str::to_owned),
            scope: key.of.kind(),
            security_group: key.of.security_group().or(message.security_group.as_deref()).map(field),
            user_id: key.of.user_id().or(message.user_id),
            token_name: key.of.token_name().map(field),
            token_names: token_names(notification),
            permissions: permissions(notification),
            rights: rights(notification),
            profiles: bounded(message.profiles.iter().map(String::as_str)),
            affected: affected(notification),
            cause: message.cause,
            strength: message.strength,
            evidence: message.evidence,
            shown_by: message.shown_by.as_deref().map(field),
            contact: message.contact.as_deref().map(field),
            note: message.note.as_deref().map(field),
            since: *since,
            message: cut(&message.line, LONGEST_MESSAGE).into_owned(),
            steps: steps(&message.steps),
            acknowledged: acknowledged.as_ref().map(Acknowledged::of),
            runbook: runbook(external_url, key.alert),
            url: page(external_url, &key.of),
            overview: page(external_url, &Scope::Fleet),
            subject: key.of.subject(),
        }
    }

    /// Whether the alert is over.
    pub(super) fn is_resolved(&self) -> bool {
        self.change.ends()
    }

    /// Whom the alert is about, as a title has it: `TENANT / TOKEN`; empty for all tenants together.
    pub(super) fn about(&self) -> String {
        [self.tenant.as_deref(), self.subject.as_deref()].into_iter().flatten().collect::<Vec<_>>().join(" / ")
    }

    /// The steps with their numbers: `1. Open ...`.
    pub(super) fn numbered_steps(&self) -> impl Iterator<Item = String> {
        self.steps.iter().enumerate().map(|(index, step)| format!("{}. {step}", index + 1))
    }
}

impl Acknowledged {
    fn of(acknowledged: &alert::Acknowledgement) -> Self {
        let alert::Acknowledgement { by, reason, until, .. } = acknowledged;
        Self { by: field(by), reason: field(reason), until: *until }
    }
}

/// The alert of a notification as the log names it: `PermissionLost/acme/Technicians`.
pub(crate) fn about(notification: &Notification) -> String {
    let subject = notification.key.of.subject();
    let names = [Some(notification.key.alert.as_str()), notification.key.of.tenant(), subject.as_deref()];
    names.into_iter().flatten().collect::<Vec<_>>().join("/")
}

/// The names of the tokens that are affected.
fn token_names(notification: &Notification) -> Vec<String> {
    bounded(notification.token_names())
}

/// The permissions that are missing, each once.
fn permissions(notification: &Notification) -> Vec<String> {
    bounded(once_each(notification, |affected| affected.permission.as_deref()))
}

/// The rights that are missing, each once.
fn rights(notification: &Notification) -> Vec<String> {
    bounded(once_each(notification, |affected| affected.right.as_deref()))
}

fn once_each<'a>(notification: &'a Notification, of: fn(&'a Affected) -> Option<&'a str>) -> BTreeSet<&'a str> {
    notification.affected.iter().filter_map(of).collect()
}

/// Which token lacks what.
fn affected(notification: &Notification) -> Vec<String> {
    let one = |affected: &Affected| match affected.thing() {
        Some(thing) => format!("{} / {thing}", affected.token_name),
        None => affected.token_name.clone(),
    };
    let all: Vec<_> = notification.affected.iter().map(one).collect();
    bounded(all.iter().map(String::as_str))
}

fn steps(steps: &[String]) -> Vec<String> {
    steps.iter().take(MOST_STEPS).map(|step| cut(step, LONGEST_STEP).into_owned()).collect()
}

fn field(text: &str) -> String {
    cut(text, LONGEST_FIELD).into_owned()
}

/// A list that every receiver takes: as many members as there is room for, and how many there are besides.
fn bounded<'a>(members: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut members = members.into_iter();
    let mut list: Vec<_> = members.by_ref().take(MOST_MEMBERS).map(field).collect();
    let more = members.count();
    if more > 0 {
        list.push(format!("and {more} more"));
    }
    list
}

/// A moment as receivers are sent it: `2026-11-23T10:00:00.123Z`.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn to_milliseconds<S: Serializer>(at: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&moment(*at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_ends_with_how_many_more_there_are() {
        let names = |count: usize| {
            let names: Vec<_> = (0..count).map(|number| number.to_string()).collect();
            bounded(names.iter().map(String::as_str))
        };
        assert_eq!(names(50).len(), 50);
        let long = names(124);
        assert_eq!((long.len(), long[50].as_str()), (51, "and 74 more"));
        assert_eq!(bounded(["x".repeat(9000).as_str()])[0].chars().count(), LONGEST_FIELD);
    }
}
