//! The log as a receiver: one line for each notification, with the same fields as text and as JSON.

use tracing::field::{DebugValue, debug};

use crate::alert::Severity;
use crate::system::telemetry::LogList;

use super::fields::{Fields, moment};

/// Writes one notification: critical as ERROR, warning as WARN, resolved as INFO.
pub(super) fn deliver(fields: &Fields) {
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                event = "alert",
                id = fields.id,
                alert = fields.alert,
                status = fields.status,
                change = fields.change.as_str(),
                severity = fields.severity.as_str(),
                tenant = fields.tenant,
                scope = fields.scope,
                security_group = fields.security_group,
                user_id = fields.user_id,
                token_name = fields.token_name,
                token_names = list(&fields.token_names),
                permissions = list(&fields.permissions),
                rights = list(&fields.rights),
                profiles = list(&fields.profiles),
                cause = fields.cause.map(|cause| cause.as_str()),
                strength = fields.strength.map(|strength| <&str>::from(strength)),
                evidence = fields.evidence.map(|evidence| evidence.as_str()),
                shown_by = fields.shown_by,
                contact = fields.contact,
                note = fields.note,
                steps = list(&fields.steps),
                since = moment(fields.since),
                runbook = fields.runbook,
                "{}",
                fields.message
            )
        };
    }
    match fields.severity {
        _ if fields.is_resolved() => line!(info),
        Severity::Critical => line!(error),
        Severity::Warning => line!(warn),
    }
}

/// A list as a field; none if it has no members.
fn list(members: &[String]) -> Option<DebugValue<LogList<'_>>> {
    (!members.is_empty()).then(|| debug(LogList(members)))
}
