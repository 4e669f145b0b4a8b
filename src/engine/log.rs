//! What the loop writes to the log about checks and changes. Alerts are logged by the receiver `log`.

use crate::alert::{Acknowledged, AcknowledgementOrder};
use crate::belief::Transition;
use crate::model::TokenId;
use crate::syncro::Reason;

use super::effect::{Checked, Outcome};

/// Logs a check: what happened once is said once.
pub(super) fn checked(checked: &Checked) {
    let Checked { token, check, outcome } = checked;
    let (tenant, token_name, check) = (&token.tenant, &token.token_name, check.as_str());
    match outcome {
        Outcome::Verdict => tracing::debug!(event = "check", tenant, token_name, check, "checked"),
        Outcome::Again(failures) => {
            tracing::info!(event = "check", tenant, token_name, check, failures, "can check again");
        }
        // That Syncro asks for a pause is said once, when it does.
        Outcome::Failed { failure, first: true } if failure.reason != Reason::Throttled => tracing::warn!(
            event = "check",
            tenant,
            token_name,
            check,
            reason = failure.reason.as_str(),
            "could not check, which says nothing about the token: {}",
            failure.detail
        ),
        Outcome::Failed { failure, .. } => tracing::debug!(
            event = "check",
            tenant,
            token_name,
            check,
            reason = failure.reason.as_str(),
            "still cannot check: {}",
            failure.detail
        ),
    }
}

/// Logs why the security group of a user could not be read, or that it could be again.
pub(super) fn group(token: &TokenId, problem: Option<&str>) {
    let TokenId { tenant, token_name } = token;
    let of = format!("the security group of the user of token `{token_name}` of tenant `{tenant}`");
    let Some(problem) = problem else {
        return tracing::info!(event = "security_group", tenant, token_name, "{of} was read again");
    };
    tracing::warn!(
        event = "security_group",
        tenant,
        token_name,
        "{of} could not be read: {problem}. Its permissions are watched all the same"
    );
}

/// Logs a change of the status of a token.
pub(super) fn changed(token: &TokenId, transition: &Transition) {
    let Transition { kind, subject, before, after, .. } = transition;
    tracing::info!(
        event = "transition",
        tenant = token.tenant,
        token_name = token.token_name,
        kind = kind.as_str(),
        subject = subject.as_deref(),
        before,
        after,
        "{} of token `{}` of tenant `{}` changed from {before} to {after}",
        subject.as_ref().map_or_else(|| kind.as_str().to_owned(), |subject| format!("`{subject}`")),
        token.token_name,
        token.tenant
    );
}

/// Logs that an alert was taken on or given back, and by whom; or why not.
pub(super) fn acknowledged(order: &AcknowledgementOrder, outcome: Acknowledged) {
    let AcknowledgementOrder { alert: id, acknowledgement, .. } = order;
    if let Some(problem) = outcome.problem() {
        return tracing::warn!(event = "acknowledgement_refused", id, "alert {id} was not acknowledged: {problem}");
    }
    let Some(made) = acknowledgement else {
        return tracing::info!(event = "unacknowledged", id, "the acknowledgement of alert {id} was taken back");
    };
    let until = made.until.to_rfc3339();
    tracing::info!(
        event = "acknowledged",
        id,
        by = made.by,
        until,
        "alert {id} was acknowledged by {} until {until}: {}",
        made.by,
        made.reason
    );
}
