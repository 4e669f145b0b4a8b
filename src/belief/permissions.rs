//! What is believed of each wanted permission: whether it is granted, by which evidence, and why it is missing. Pure.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use strum::{EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::catalog::{PermissionId, catalog};
use crate::model::{Probes, Tenant};
use crate::syncro::Right;

use super::confirmed::{Belief, Confirmation};
use super::evidence::{Cause, Evidence, Ground, Strength};
use super::permission_first::PermissionFirst;

/// The state of a wanted permission.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr, ToSchema, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum PermissionState {
    /// A probe showed that it is granted.
    Granted,
    /// A probe was refused, or the user lacks the matching right.
    Missing,
    /// Nothing shows whether it is granted.
    Unverified,
}

impl PermissionState {
    /// Every state, so that each has its series.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The value of the label `state`, and the word in the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What is believed of one wanted permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermissionStatus {
    /// The permission itself.
    pub permission: PermissionId,
    /// Whether it is granted, by the evidence below. A right that the user has proves nothing about the token.
    pub belief: Belief,
    /// What shows whether it is granted.
    pub evidence: Evidence,
    /// The HTTP status of the answer that shows it, for a probe.
    #[serde(default)]
    pub answer: Option<u16>,
    /// Whether that answer was about a record that a list had shown, rather than about record 0.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub of_record: bool,
    /// The side that lacks it, while it is missing.
    pub cause: Cause,
    /// What the cause rests on; `None` while it is undetermined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ground: Option<Ground>,
    /// How well it is known that the tenant checks this permission before it searches for the record; `None` if nothing has
    /// shown it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission_first: Option<PermissionFirst>,
    /// Whether the last probe brought no answer that counts.
    pub unseen: bool,
}

impl PermissionStatus {
    pub(super) fn new(permission: PermissionId, evidence: Evidence) -> Self {
        let (belief, cause) = (Belief::default(), Cause::Undetermined);
        Self {
            permission,
            belief,
            evidence,
            answer: None,
            of_record: false,
            cause,
            ground: None,
            permission_first: None,
            unseen: false,
        }
    }

    /// Discards what is believed, since it was about another user. How the tenant answers stays as it was.
    pub(super) fn begin_anew(&mut self) {
        let permission_first = self.permission_first;
        *self = Self { permission_first, ..Self::new(self.permission, self.evidence) };
    }

    /// The state of the permission, as far as it has been confirmed.
    pub fn state(&self) -> PermissionState {
        match (self.belief.granted, self.evidence) {
            (Some(true), Evidence::Probe) => PermissionState::Granted,
            (Some(false), _) => PermissionState::Missing,
            (Some(true), Evidence::Right) | (None, _) => PermissionState::Unverified,
        }
    }

    /// Whether a probe was refused at `at`, and not before.
    pub(crate) fn is_refused_since(&self, at: DateTime<Utc>) -> bool {
        self.evidence == Evidence::Probe && self.belief.refused_since() == Some(at)
    }

    /// How strong the evidence is; `None` before anything is believed. That record 0 is not found, or that what was sent
    /// to it makes no sense, only suggests that the permission was checked before, unless the tenant is known to do so.
    pub fn strength(&self) -> Option<Strength> {
        let granted = self.belief.granted?;
        Some(match (self.evidence, self.answer) {
            (Evidence::Right, _) => Strength::Indicated,
            (Evidence::Probe, Some(400..=499)) if granted && self.permission_first != Some(PermissionFirst::Shown) => {
                Strength::Indicated
            }
            // That an answer is narrower than it would be is inferred.
            (Evidence::Probe, Some(200..=299)) if !granted => Strength::Indicated,
            (Evidence::Probe, _) => Strength::Shown,
        })
    }

    /// Whether it matters that this is missing. What is only recommended and was missing from the start does only if the
    /// token itself lacks it: guides tick much in the token that its user need not be able to do.
    pub(crate) fn matters(&self, required: bool) -> bool {
        required || self.belief.lost || self.cause == Cause::Token
    }

    /// Takes in one observation, and returns whether the belief changed.
    pub(super) fn see(
        &mut self,
        observation: PermissionObservation,
        now: DateTime<Utc>,
        confirmation: Confirmation,
    ) -> bool {
        let PermissionObservation { granted, evidence, answer, of_record } = observation;
        if self.evidence != evidence && self.belief.granted == Some(true) {
            // What the weaker evidence showed cannot be lost by the stronger one, nor the other way round.
            self.belief = Belief::default();
        }
        self.evidence = evidence;
        self.unseen = false;
        if granted {
            // What is refused the next time has causes of its own.
            (self.cause, self.ground) = (Cause::Undetermined, None);
        }
        let changed = self.belief.see(granted, now, confirmation);
        if self.belief.granted == Some(granted) {
            // A belief that is only doubted still rests on the answer before.
            self.answer = answer;
            self.of_record = of_record;
        }
        changed
    }

    /// The evidence in detail: the request and its answer, or the user's right. `None` before anything is believed.
    pub fn shown_by(&self, tenant: &Tenant) -> Option<String> {
        let granted = self.belief.granted?;
        match self.evidence {
            Evidence::Probe if self.of_record => {
                let probe = Probes::ReadOnly.allowed(self.permission)?;
                let answered = self.answer.map_or_else(String::new, |status| format!(" answered {status}"));
                Some(format!("{} {}{answered}", probe.method().as_str(), probe.template()))
            }
            Evidence::Probe => {
                let text = shown_by_probe(tenant, self.permission, self.answer)?;
                let in_body = self.permission.get().probe.as_ref().and_then(|probe| probe.shown_in_body);
                let denies = in_body.filter(|_| !granted && matches!(self.answer, Some(200..=299)));
                Some(denies.map_or_else(|| text.clone(), |how| format!("{text}, {}", how.denial())))
            }
            Evidence::Right => {
                let right = catalog().right(self.permission)?.name;
                Some(format!("its user {} the right {right}", if granted { "has" } else { "lacks" }))
            }
        }
    }
}

/// One observation of a permission.
#[derive(Debug, Clone, Copy)]
pub(super) struct PermissionObservation {
    pub(super) granted: bool,
    pub(super) evidence: Evidence,
    /// The HTTP status of the answer, for a probe.
    pub(super) answer: Option<u16>,
    /// Whether it was about a record that a list had shown.
    pub(super) of_record: bool,
}

/// The request that shows a permission, and the answer to it: `GET /tickets/0 answered 404`.
pub(super) fn shown_by_probe(tenant: &Tenant, permission: PermissionId, answer: Option<u16>) -> Option<String> {
    // What was asked is a write only where there is no read, whatever may be asked now.
    let probe = Probes::WriteSafe.allowed(permission)?;
    let answered = answer.map_or_else(String::new, |status| format!(" answered {status}"));
    Some(format!("{} {}{answered}", probe.method().as_str(), tenant.path_of(probe)))
}

/// Reads the statuses of permissions that were persisted, in the order of the catalogue.
///
/// # Errors
///
/// One of them is malformed, or its permission is not in the catalogue; [`discard_unknown_permissions`] comes before.
pub(super) fn in_order<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PermissionStatus>, D::Error> {
    let mut statuses = Vec::<PermissionStatus>::deserialize(deserializer)?;
    // The order of the catalogue may have changed since they were persisted.
    statuses.sort_unstable_by_key(|status| status.permission);
    Ok(statuses)
}

/// Discards what a persisted status of a token says about permissions that the catalogue of this program does not have,
/// since another version wrote it, and returns their names. Whatever else is wrong with it stays, to be found.
pub(crate) fn discard_unknown_permissions(status: &mut Value) -> Vec<String> {
    let mut unknown = Vec::new();
    for list in ["/permissions", "/audit/held"] {
        let Some(entries) = status.pointer_mut(list).and_then(Value::as_array_mut) else { continue };
        entries.retain(|entry| {
            let name = entry.get("permission").and_then(Value::as_str);
            let name = name.filter(|name| catalog().permission(name).is_none());
            unknown.extend(name.map(str::to_owned));
            name.is_none()
        });
    }
    unknown
}

/// What is believed of one right of the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RightStatus {
    /// The right itself.
    pub right: Right,
    /// Whether the user has the right.
    pub belief: Belief,
}
