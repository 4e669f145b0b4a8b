//! A notification as plain values, which is all that receivers know of it: each text has a bound, each list too. Pure.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

use crate::alert::{Notification, Severity, page, runbook};
use crate::belief::{Cause, Evidence};
use crate::model::Scope;
use crate::state::{Change, Delivery, alert_id};

use super::text::{LONGEST_FIELD, LONGEST_MESSAGE, cut};

/// The version of our own JSON, which is these fields. Fields may be added, none will disappear or change its meaning.
const VERSION: u32 = 2;
/// The most members of a list; one more says how many there are besides.
const MOST_MEMBERS: usize = 50;

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
    /// What the alert is about: `token`, `user`, `security_group`, `tenant` or `fleet`.
    pub(super) scope: &'static str,
    /// The security group, where one is known.
    pub(super) security_group: Option<String>,
    /// The number of the user, where the alert is about one.
    pub(super) user_id: Option<u64>,
    /// The name of the token, where the alert is about one.
    pub(super) token_name: Option<String>,
    /// The names of all tokens that are affected.
    pub(super) token_names: Vec<String>,
    /// The permissions that are missing.
    pub(super) permissions: Vec<String>,
    /// The rights that are missing.
    pub(super) rights: Vec<String>,
    /// The profiles of the integrations that are affected.
    pub(super) profiles: Vec<String>,
    /// Which token lacks what: `TOKEN / PERMISSION`, or the token alone.
    pub(super) affected: Vec<String>,
    /// The side that lacks the permission.
    pub(super) cause: Option<Cause>,
    /// How strong the evidence of the cause is.
    pub(super) strength: Option<&'static str>,
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
    /// What a person is to read.
    pub(super) message: String,
    /// The address of the alert's runbook.
    pub(super) runbook: String,
    /// The address of the page about what is affected.
    pub(super) url: String,
    /// The address of the page about everything.
    #[serde(skip)]
    pub(super) overview: String,
}

impl Fields {
    /// The values of a delivery. `external_url` is where people reach the daemon.
    pub(super) fn of(delivery: &Delivery, external_url: &str) -> Self {
        let Delivery { id, queued_at, notification, .. } = delivery;
        let Notification { key, severity, since, message, .. } = &**notification;
        let field = |text: &Option<String>| text.as_deref().map(|text| cut(text, LONGEST_FIELD).into_owned());
        let token_name = key.of.token_name().map(str::to_owned);
        let subject = message.permission.as_deref().or(message.right.as_deref());
        let affected = token_name.iter().map(|token| match subject {
            Some(subject) => format!("{token} / {subject}"),
            None => token.clone(),
        });
        let change = Change::of(notification);
        Self {
            version: VERSION,
            delivery: *id,
            at: *queued_at,
            id: alert_id(notification),
            alert: key.alert.as_str(),
            status: if change.ends() { "resolved" } else { "firing" },
            change,
            severity: *severity,
            tenant: key.of.tenant().map(str::to_owned),
            scope: match key.of {
                Scope::Fleet => "fleet",
                Scope::Tenant(_) => "tenant",
                Scope::Token(_) => "token",
            },
            security_group: field(&message.security_group),
            user_id: None,
            token_names: bounded(token_name.clone()),
            permissions: bounded(message.permission.clone()),
            rights: bounded(message.right.clone()),
            profiles: bounded(message.profile.clone()),
            affected: bounded(affected),
            token_name,
            cause: message.cause,
            strength: None,
            evidence: message.evidence,
            shown_by: field(&message.shown_by),
            contact: field(&message.contact),
            note: field(&message.note),
            since: *since,
            message: cut(&message.text, LONGEST_MESSAGE).into_owned(),
            runbook: runbook(external_url, key.alert),
            url: page(external_url, &key.of),
            overview: page(external_url, &Scope::Fleet),
        }
    }

    /// Whether the alert is over.
    pub(super) fn is_resolved(&self) -> bool {
        self.change.ends()
    }

    /// Whom the alert is about, as a title has it: `TENANT / TOKEN`; empty for all tenants together.
    pub(super) fn about(&self) -> String {
        let names = [self.tenant.as_deref(), self.token_name.as_deref().or(self.security_group_alone())];
        names.into_iter().flatten().collect::<Vec<_>>().join(" / ")
    }

    fn security_group_alone(&self) -> Option<&str> {
        self.security_group.as_deref().filter(|_| self.scope == "security_group")
    }
}

/// A list that every receiver takes: as many members as there is room for, and how many there are besides.
fn bounded(members: impl IntoIterator<Item = String>) -> Vec<String> {
    let mut members = members.into_iter();
    let mut list: Vec<_> =
        members.by_ref().take(MOST_MEMBERS).map(|member| cut(&member, LONGEST_FIELD).into_owned()).collect();
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
        let names = |count: usize| bounded((0..count).map(|number| number.to_string()));
        assert_eq!(names(50).len(), 50);
        let long = names(124);
        assert_eq!((long.len(), long[50].as_str()), (51, "and 74 more"));
        assert_eq!(bounded(["x".repeat(9000)])[0].chars().count(), LONGEST_FIELD);
    }
}
