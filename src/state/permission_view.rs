//! One wanted permission as the pages, the API and the commands show it. Pure.

use chrono::{DateTime, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use crate::belief::{Cause, Evidence, PermissionState, PermissionStatus, Strength, TokenStatus, WhyUnverified};
use crate::catalog::PermissionId;
use crate::model::{Ignored, Probes, Token};

/// A permission that a token needs: its state, what shows it, and which side lacks it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Permission)]
pub(crate) struct PermissionView {
    /// The name of the permission, as Syncro spells it.
    #[schema(value_type = String)]
    pub permission: PermissionId,
    /// Whether the integration breaks without it; otherwise it is recommended.
    pub required: bool,
    /// The state of the permission.
    pub state: PermissionState,
    /// Since when it has been so, as it was first seen.
    #[schema(required)]
    pub since: Option<DateTime<Utc>>,
    /// What shows it: a request that needs it, or the user's right alone.
    #[schema(required)]
    pub evidence: Option<Evidence>,
    /// How strong that is.
    #[schema(required)]
    pub strength: Option<Strength>,
    /// The HTTP status of the answer that shows it.
    #[schema(required)]
    pub answer: Option<u16>,
    /// The evidence as a text: the request and its answer, or the user's right.
    #[schema(required)]
    pub shown_by: Option<String>,
    /// The side that lacks it, while it is missing.
    #[schema(required)]
    pub cause: Option<Cause>,
    /// How strong the evidence of the cause is.
    #[schema(required)]
    pub cause_strength: Option<Strength>,
    /// Why it is meant to be missing, and until when, where the configuration says so.
    #[schema(required)]
    pub ignored: Option<IgnoredView>,
    /// Why it is unverified, while it is.
    #[schema(required)]
    pub why_unverified: Option<WhyUnverified>,
}

/// Why a permission is meant to be missing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Ignored)]
pub(crate) struct IgnoredView {
    /// What the operator wrote.
    pub reason: String,
    /// The first moment at which it may not be missing any more; `null` if it always may.
    #[schema(required)]
    pub until: Option<DateTime<Utc>>,
}

impl IgnoredView {
    fn of(ignored: &Ignored) -> Self {
        Self { reason: ignored.reason.clone(), until: ignored.until }
    }
}

impl PermissionView {
    /// The evidence as a text; for an unverified permission, why nothing shows it, and what there is.
    pub(crate) fn evidence_text(&self) -> String {
        let why = self.why_unverified.map(WhyUnverified::as_text);
        let text = why.into_iter().chain(self.shown_by.as_deref()).collect::<Vec<_>>().join("; ");
        let only_indicates = self.strength == Some(Strength::Indicated) && self.why_unverified.is_none();
        if only_indicates { format!("indicated: {text}") } else { text }
    }

    /// Every permission that a token needs, in the order of its configuration, where these probes may be sent, at a moment.
    pub(crate) fn of<'a>(
        token: &'a Token,
        status: &'a TokenStatus,
        probes: Probes,
        at: DateTime<Utc>,
    ) -> impl Iterator<Item = Self> + 'a {
        token.wanted.iter().map(move |wanted| {
            let seen = status.of_permission(wanted.permission);
            let shown = seen.filter(|permission| permission.belief.granted.is_some());
            let state = status.permission_state(wanted.permission);
            let missing = seen.filter(|_| state == PermissionState::Missing);
            Self {
                permission: wanted.permission,
                required: wanted.required,
                state,
                since: shown.map(|permission| permission.belief.since),
                evidence: shown.map(|permission| permission.evidence),
                strength: shown.and_then(PermissionStatus::strength),
                answer: shown.and_then(|permission| permission.answer),
                shown_by: shown.and_then(|permission| permission.shown_by(&token.tenant)),
                cause: missing.map(|permission| permission.cause),
                cause_strength: missing.and_then(|permission| permission.ground).map(|ground| ground.strength),
                ignored: token.ignores(wanted.permission, at).map(IgnoredView::of),
                why_unverified: WhyUnverified::of(wanted.permission, status, probes),
            }
        })
    }
}
