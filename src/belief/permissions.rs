//! What is believed of each wanted permission: granted, missing or unverified, by which evidence, and who is short. Pure.

use chrono::{DateTime, Utc};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};

use crate::catalog::PermissionId;
use crate::model::{Probes, Tenant};
use crate::syncro::Right;

use super::confirmed::{Belief, Confirmation};

/// Whether a wanted permission is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PermissionState {
    /// A probe showed it.
    Granted,
    /// A probe was refused, or the user's right is gone.
    Missing,
    /// Nothing shows it.
    Unverified,
}

impl PermissionState {
    /// Every state, so that each has its series.
    pub const ALL: [Self; 3] = [Self::Granted, Self::Missing, Self::Unverified];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Granted => "granted",
            Self::Missing => "missing",
            Self::Unverified => "unverified",
        }
    }
}

/// What shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// A request to Syncro that needs it.
    Probe,
    /// The user's matching right in `/me`; which right matches is inferred.
    Right,
}

impl Evidence {
    /// The word in alerts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Probe => "probe",
            Self::Right => "right",
        }
    }
}

/// Who is short of a missing permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The user, through the security group.
    SecurityGroup,
    /// The token's own ticks.
    Token,
    /// One of the two.
    Undetermined,
}

impl Cause {
    /// The word in alerts.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SecurityGroup => "security_group",
            Self::Token => "token",
            Self::Undetermined => "undetermined",
        }
    }
}

/// What is believed of one wanted permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermissionStatus {
    /// Which one.
    pub permission: PermissionId,
    /// Whether it is held, by the evidence below. A right that is held proves nothing about the token.
    pub belief: Belief,
    /// What shows it.
    pub evidence: Evidence,
    /// The status of the answer that shows it, for a probe.
    #[serde(default)]
    pub answer: Option<u16>,
    /// Who is short, while it is missing.
    pub cause: Cause,
    /// Whether the last probe could not look.
    pub unseen: bool,
}

impl PermissionStatus {
    pub(super) fn new(permission: PermissionId, evidence: Evidence) -> Self {
        let (belief, cause) = (Belief::default(), Cause::Undetermined);
        Self { permission, belief, evidence, answer: None, cause, unseen: false }
    }

    /// Whether it is held, as far as it can be told.
    pub fn state(&self) -> PermissionState {
        match (self.belief.granted, self.evidence) {
            (Some(true), Evidence::Probe) => PermissionState::Granted,
            (Some(false), _) => PermissionState::Missing,
            (Some(true), Evidence::Right) | (None, _) => PermissionState::Unverified,
        }
    }

    /// Takes in one sight; returns whether the state changed.
    pub(super) fn see(&mut self, sight: PermissionObservation, now: DateTime<Utc>, confirmation: Confirmation) -> bool {
        let PermissionObservation { granted, evidence, answer } = sight;
        if self.evidence != evidence && self.belief.granted == Some(true) {
            // What the weaker evidence showed cannot be lost by the stronger one, nor the other way round.
            self.belief = Belief::default();
        }
        self.evidence = evidence;
        self.unseen = false;
        let changed = self.belief.see(granted, now, confirmation);
        if self.belief.granted == Some(granted) {
            // What is only doubted still rests on the answer before.
            self.answer = answer;
        }
        changed
    }

    /// What shows it, in words: the request and its answer, or the user's right. `None` before anything does.
    pub fn shown_by(&self, tenant: &Tenant) -> Option<String> {
        let granted = self.belief.granted?;
        match self.evidence {
            Evidence::Probe => shown_by_probe(tenant, self.permission, self.answer),
            Evidence::Right => {
                let right = self.permission.get().right.as_ref()?;
                Some(format!("its user {} the right {right}", if granted { "has" } else { "lacks" }))
            }
        }
    }
}

/// One sight of a permission.
#[derive(Debug, Clone, Copy)]
pub(super) struct PermissionObservation {
    pub(super) granted: bool,
    pub(super) evidence: Evidence,
    /// The answer's status, for a probe.
    pub(super) answer: Option<u16>,
}

/// The request that shows a permission, and what it answered: `GET /tickets/0 answered 404`.
pub(super) fn shown_by_probe(tenant: &Tenant, permission: PermissionId, answer: Option<u16>) -> Option<String> {
    // What was asked is a write only where there is no read, whatever may be asked now.
    let probe = Probes::WriteSafe.allowed(permission)?;
    let answered = answer.map_or_else(String::new, |status| format!(" answered {status}"));
    Some(format!("{} {}{answered}", probe.method().as_str(), tenant.path_of(probe)))
}

/// Reads what was kept, and leaves out permissions that this program's catalogue no longer has.
pub(super) fn known_to_the_catalogue<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Kept<T> {
        Known(T),
        Unknown(IgnoredAny),
    }
    let kept = Vec::<Kept<T>>::deserialize(deserializer)?;
    let known = kept.into_iter().filter_map(|kept| match kept {
        Kept::Known(known) => Some(known),
        Kept::Unknown(_) => None,
    });
    Ok(known.collect())
}

/// The same, in the order of the catalogue.
pub(super) fn in_order<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<PermissionStatus>, D::Error> {
    let mut known: Vec<PermissionStatus> = known_to_the_catalogue(deserializer)?;
    // The catalogue's order may have changed too.
    known.sort_unstable_by_key(|known| known.permission);
    Ok(known)
}

/// Who is short of a permission that was refused.
pub(super) fn cause(right: Option<bool>, admin: Option<bool>, evidence: Evidence) -> Cause {
    match (evidence, right, admin) {
        (Evidence::Right, ..) | (_, Some(false), _) => Cause::SecurityGroup,
        // Security groups do not restrict Global Admins (docs.syncromsp.com/security-group).
        (Evidence::Probe, Some(true), _) | (Evidence::Probe, None, Some(true)) => Cause::Token,
        (Evidence::Probe, None, _) => Cause::Undetermined,
    }
}

/// What is believed of one right of the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RightStatus {
    /// Which one.
    pub right: Right,
    /// Whether the user holds it.
    pub belief: Belief,
}
