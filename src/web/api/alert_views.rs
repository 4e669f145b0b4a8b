//! What the answers of the API hold about alerts: one object for each that fires, with the list of what it affects. Pure.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::alert::{self, Acknowledgement, Affected, Firing, runbook};
use crate::belief::{Cause, Evidence, Strength};
use crate::state::Snapshot;

/// An alert that fires: one cause, and what it affects.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Alert<'a> {
    /// Identifies it over restarts, reloads and renames.
    id: &'a str,
    #[serde(rename = "alert")]
    kind: alert::Alert,
    /// What kind of thing it is about: `token`, `user`, `security_group`, `tenant` or `fleet`.
    scope: &'static str,
    severity: alert::Severity,
    /// Since when what it reports is so.
    since: DateTime<Utc>,
    /// `null` where it is about all tenants.
    #[schema(required)]
    tenant: Option<&'a str>,
    /// `null` where it is not about one token.
    #[schema(required)]
    token_name: Option<&'a str>,
    /// The security group, where it is about one or concerns one that is known.
    #[schema(required)]
    security_group: Option<&'a str>,
    /// The number of the user, where it is about one user.
    #[schema(required)]
    user_id: Option<u64>,
    /// The names of the tokens that it affects.
    token_names: BTreeSet<&'a str>,
    /// The permissions that are missing.
    permissions: BTreeSet<&'a str>,
    /// The rights in `/me` that are missing.
    rights: BTreeSet<&'a str>,
    /// The profiles of the integrations that it affects.
    profiles: &'a [String],
    /// The side that lacks a missing permission.
    #[schema(required)]
    cause: Option<Cause>,
    /// How strong the evidence is.
    #[schema(required)]
    strength: Option<Strength>,
    /// What shows it: a request, or the user's right alone.
    #[schema(required)]
    evidence: Option<Evidence>,
    /// The request and its answer, or the user's right.
    #[schema(required)]
    shown_by: Option<&'a str>,
    /// What broke, since when, and what is affected.
    message: &'a str,
    /// What to do, step by step.
    steps: &'a [String],
    /// The path of a page that says what to do.
    runbook: String,
    /// Who has taken it on; `null` if nobody has.
    #[schema(required)]
    acknowledged: Option<Acknowledged<'a>>,
}

/// That somebody has taken an alert on: it is repeated to nobody until a moment.
#[derive(Debug, Serialize, ToSchema)]
struct Acknowledged<'a> {
    /// Who has.
    by: &'a str,
    /// Why it may wait.
    reason: &'a str,
    /// Until when.
    until: DateTime<Utc>,
    /// When it was acknowledged.
    at: DateTime<Utc>,
}

/// Every alert that fires, for the fleet, the tenants and what belongs to them; `pieces` writes it.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Alerts<'a> {
    alerts: Vec<Alert<'a>>,
}

impl<'a> Alert<'a> {
    /// An alert; the path of its runbook begins with `base`.
    pub(super) fn of(firing: &'a Firing, base: &str) -> Self {
        let Firing { id, alert, scope, severity, since, affected, acknowledged, message, .. } = firing;
        let of_affected =
            |of: fn(&'a Affected) -> Option<&'a str>| affected.iter().filter_map(of).collect::<BTreeSet<_>>();
        Self {
            id,
            kind: *alert,
            scope: scope.kind(),
            severity: *severity,
            since: *since,
            tenant: scope.tenant(),
            token_name: scope.token_name(),
            security_group: scope.security_group().or(message.security_group.as_deref()),
            user_id: scope.user_id().or(message.user_id),
            token_names: of_affected(|affected| Some(&affected.token_name)),
            permissions: of_affected(|affected| affected.permission.as_deref()),
            rights: of_affected(|affected| affected.right.as_deref()),
            profiles: &message.profiles,
            cause: message.cause,
            strength: message.strength,
            evidence: message.evidence,
            shown_by: message.shown_by.as_deref(),
            message: &message.line,
            steps: &message.steps,
            runbook: runbook(base, *alert),
            acknowledged: acknowledged.as_ref().map(Acknowledged::of),
        }
    }

    /// The alert with this id, if it fires.
    pub(super) fn find(snapshot: &'a Snapshot, id: &str, base: &str) -> Option<Self> {
        snapshot.firing().find(|firing| firing.id == id).map(|firing| Self::of(firing, base))
    }
}

impl<'a> Acknowledged<'a> {
    fn of(acknowledged: &'a Acknowledgement) -> Self {
        let Acknowledgement { by, reason, until, at } = acknowledged;
        Self { by, reason, until: *until, at: *at }
    }
}
