//! The log as a receiver: one line for each notice, the same fields as text and as JSON.

use crate::alert::{Notice, Severity, Status, runbook};

/// Writes one notice: critical as ERROR, warning as WARN, resolved as INFO.
pub(super) fn tell(notice: &Notice, external_url: &str) {
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                event = "alert",
                alert = notice.key.alert.as_str(),
                status = notice.status.as_str(),
                severity = notice.severity.as_str(),
                tenant = (!notice.key.of.tenant.is_empty()).then_some(notice.key.of.tenant.as_str()),
                token_name = (!notice.key.of.token_name.is_empty()).then_some(notice.key.of.token_name.as_str()),
                profile = notice.words.profile.as_deref(),
                security_group = notice.words.security_group.as_deref(),
                permission = notice.words.permission.as_deref(),
                right = notice.words.right.as_deref(),
                cause = notice.words.cause.map(|cause| cause.as_str()),
                evidence = notice.words.evidence.map(|evidence| evidence.as_str()),
                shown_by = notice.words.shown_by.as_deref(),
                since = %notice.since.format("%Y-%m-%dT%H:%M:%S%.3fZ"),
                runbook = runbook(external_url, notice.key.alert),
                "{}",
                notice.words.message
            )
        };
    }
    match (notice.status, notice.severity) {
        (Status::Resolved, _) => line!(info),
        (_, Severity::Critical) => line!(error),
        (_, Severity::Warning) => line!(warn),
    }
}
