//! The log as a receiver: one line for each notification, with the same fields as text and as JSON.

use crate::alert::{Notification, Severity, Status, runbook};

/// Writes one notification: critical as ERROR, warning as WARN, resolved as INFO.
pub(super) fn deliver(notification: &Notification, external_url: &str) {
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                event = "alert",
                alert = notification.key.alert.as_str(),
                status = notification.status.as_str(),
                severity = notification.severity.as_str(),
                tenant = notification.key.of.tenant(),
                token_name = notification.key.of.token_name(),
                profile = notification.message.profile.as_deref(),
                security_group = notification.message.security_group.as_deref(),
                permission = notification.message.permission.as_deref(),
                right = notification.message.right.as_deref(),
                cause = notification.message.cause.map(|cause| cause.as_str()),
                evidence = notification.message.evidence.map(|evidence| evidence.as_str()),
                shown_by = notification.message.shown_by.as_deref(),
                contact = notification.message.contact.as_deref(),
                note = notification.message.note.as_deref(),
                since = %notification.since.format("%Y-%m-%dT%H:%M:%S%.3fZ"),
                runbook = runbook(external_url, notification.key.alert),
                "{}",
                notification.message.text
            )
        };
    }
    match (notification.status, notification.severity) {
        (Status::Resolved, _) => line!(info),
        (_, Severity::Critical) => line!(error),
        (_, Severity::Warning) => line!(warn),
    }
}
