//! One message about an alert, for every receiver, and what it says has changed. Values only.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

use crate::model::Scope;

use super::acknowledgement::Acknowledgement;
use super::firing::{Affected, Firing};
use super::kind::{Alert, Severity};
use super::message::Message;

/// What has changed about an alert since its last notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Change {
    /// The alert begins.
    #[serde(alias = "firing")]
    New,
    /// It has a higher severity now.
    Escalated,
    /// It has a lower severity now.
    Deescalated,
    /// The list of what it affects has changed.
    Updated,
    /// Nothing has: it still fires, and time has passed.
    Reminder,
    /// It is over.
    Resolved,
    /// Another alert has taken its place.
    Superseded,
}

impl Change {
    /// The change as log lines and receivers spell it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// Whether the alert does not fire any more.
    pub(crate) fn ends(self) -> bool {
        matches!(self, Self::Resolved | Self::Superseded)
    }

    /// Whether it says nothing that whatever comes later about the alert does not say too.
    pub(crate) fn is_repetition(self) -> bool {
        matches!(self, Self::Updated | Self::Reminder)
    }

    /// `firing` or `resolved`: whether the alert fires after this change.
    pub fn status(self) -> &'static str {
        if self.ends() { "resolved" } else { "firing" }
    }
}

/// The kind of an alert and whom it is about. Several alerts may share it, one after the other or at once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AlertKey {
    /// The kind of the alert.
    pub alert: Alert,
    /// The scope of the alert: whom it is about.
    pub of: Scope,
}

/// One message about an alert, for every receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Stored")]
pub struct Notification {
    /// The id of the alert.
    pub id: String,
    /// What it is and whom it is about.
    pub key: AlertKey,
    /// What has changed about it.
    pub change: Change,
    /// How bad the alert is, or was until it ended.
    pub severity: Severity,
    /// Since when the condition has existed.
    pub since: DateTime<Utc>,
    /// What it affects; once it has ended, what it affected last.
    pub affected: Vec<Affected>,
    /// Who has taken it on, if somebody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledgement>,
    /// What a human is to read.
    #[serde(rename = "words")]
    pub message: Message,
}

impl Notification {
    /// A notification about an alert as it is now.
    pub(crate) fn of(firing: &Firing, change: Change) -> Self {
        Self {
            id: firing.id.clone(),
            key: AlertKey { alert: firing.alert, of: firing.scope.clone() },
            change,
            severity: firing.severity,
            since: firing.since,
            affected: firing.affected.clone(),
            acknowledged: firing.acknowledged.clone(),
            message: firing.message.clone(),
        }
    }

    /// The names of the tokens that are affected, each once.
    pub fn token_names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.affected.iter().map(|affected| affected.token_name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

/// A notification as it is stored, by this version or the first.
#[derive(Deserialize)]
struct Stored {
    #[serde(default)]
    id: String,
    key: StoredKey,
    #[serde(alias = "status")]
    change: Change,
    severity: Severity,
    since: DateTime<Utc>,
    #[serde(default)]
    affected: Vec<Affected>,
    #[serde(default)]
    acknowledged: Option<Acknowledgement>,
    #[serde(rename = "words")]
    message: Message,
}

/// The key of an alert as it is stored; the first version had the permission or the right in it.
#[derive(Deserialize)]
struct StoredKey {
    alert: Alert,
    of: Scope,
    #[serde(default)]
    subject: Option<String>,
}

impl From<Stored> for Notification {
    fn from(stored: Stored) -> Self {
        let Stored { mut id, key, change, severity, since, mut affected, acknowledged, message } = stored;
        let StoredKey { alert, of, subject } = key;
        if id.is_empty() {
            let token_name = of.token_name().map(str::to_owned);
            affected = token_name.into_iter().map(|name| former(&name, alert, subject.as_deref())).collect();
            // All notifications that the first version made of one alert had these in common.
            id = format!("{}/{of:?}/{}", alert.as_str(), subject.unwrap_or_default());
        }
        Self { id, key: AlertKey { alert, of }, change, severity, since, affected, acknowledged, message }
    }
}

fn former(token_name: &str, alert: Alert, subject: Option<&str>) -> Affected {
    match subject {
        Some(right) if alert == Alert::SecurityGroupRightLost => Affected::right(token_name, right),
        Some(permission) => Affected::permission(token_name, permission),
        None => Affected::token(token_name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_of_the_first_version_is_still_delivered() {
        let former = r#"{"key":{"alert":"TokenBlocked","of":{"tenant":"acme","token_name":"t"},"subject":null},"status":"firing",
            "severity":"critical","since":"2026-11-01T00:00:00Z","words":{"message":"it is refused","cause":null,
            "evidence":null,"permission":null,"right":null,"security_group":null,"profile":null}}"#;
        let notification: Notification = serde_json::from_str(former).unwrap();
        assert_eq!((notification.change, notification.key.alert), (Change::New, Alert::TenantBlocked));
        assert_eq!(notification.token_names(), ["t"]);
        let ended: Notification = serde_json::from_str(&former.replace("firing", "resolved")).unwrap();
        assert_eq!((ended.change, &ended.id), (Change::Resolved, &notification.id), "one alert");
        let of = |alert: &str, subject: &str| {
            let text =
                former.replace("TokenBlocked", alert).replace("\"subject\":null", &format!("\"subject\":{subject:?}"));
            serde_json::from_str::<Notification>(&text).unwrap().affected
        };
        assert_eq!(of("SecurityGroupRightLost", "ticket.write"), [Affected::right("t", "ticket.write")]);
        assert_eq!(of("PermissionLost", "Tickets - Edit"), [Affected::permission("t", "Tickets - Edit")]);
        let stored = serde_json::to_string(&notification).unwrap();
        assert_eq!(serde_json::from_str::<Notification>(&stored).unwrap(), notification);
    }
}
