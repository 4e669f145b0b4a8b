//! The verdict: what an observation of `/me` means for a token. Pure; knows nothing of the past.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strum::{EnumString, IntoStaticStr, VariantArray};
use utoipa::ToSchema;

use crate::syncro::{Failure, MeObservation};

/// The state of a token.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, EnumString, IntoStaticStr, ToSchema, VariantArray,
)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum TokenState {
    /// The token works.
    Valid,
    /// The token is refused, and its declared expiry has come.
    Expired,
    /// The token is refused: it was revoked, deleted or mistyped, or its user is gone.
    Rejected,
    /// The token is refused as if it lacked a permission, which `/me` does not need.
    Restricted,
    /// The token works, but on another account than its tenant's.
    WrongAccount,
    /// The user of the token may not use Syncro.
    LockedOut,
    /// The request is refused whatever the token, perhaps by the IP allow-list.
    Blocked,
    /// There is no usable token value.
    Unreadable,
    /// Nothing is known of the token yet.
    Unknown,
}

/// Where a token works that does not work on its configured account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere {
    /// The subdomain that `/me` names.
    pub subdomain: String,
    /// Whether the value and its user are those that worked on the configured account; `None` if none has.
    pub is_same_token: Option<bool>,
}

impl TokenState {
    /// Whether `/me` lets a token in this state in, so that it has not expired.
    pub(crate) fn is_let_in(self) -> bool {
        matches!(self, Self::Valid | Self::LockedOut | Self::WrongAccount)
    }

    /// Every state, so that each has its series in the metrics.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The value of the label `state`, and the word in the API.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What is expected of a token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expectation<'a> {
    /// The subdomain of the account to which the token should belong, if it is known.
    pub subdomain: Option<&'a str>,
    /// The declared expiry of the token.
    pub expires: Option<DateTime<Utc>>,
}

/// What an observation of `/me` means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The token is in this state.
    Is(TokenState),
    /// The check failed, which says nothing about the token.
    CheckFailed(Failure),
}

/// Judges one observation.
pub(crate) fn judge(expectation: Expectation<'_>, observation: &MeObservation, now: DateTime<Utc>) -> Verdict {
    match observation {
        MeObservation::Works(me) => {
            let other_account = match (expectation.subdomain, &me.subdomain) {
                (Some(expected), Some(found)) => !expected.eq_ignore_ascii_case(found),
                _ => false,
            };
            Verdict::Is(if other_account {
                TokenState::WrongAccount
            } else if me.can_use_app == Some(false) {
                TokenState::LockedOut
            } else {
                TokenState::Valid
            })
        }
        MeObservation::Refused | MeObservation::Restricted
            if expectation.expires.is_some_and(|expires| now >= expires) =>
        {
            Verdict::Is(TokenState::Expired)
        }
        MeObservation::Refused => Verdict::Is(TokenState::Rejected),
        MeObservation::Restricted => Verdict::Is(TokenState::Restricted),
        MeObservation::Blocked => Verdict::Is(TokenState::Blocked),
        MeObservation::Failed(failure) => Verdict::CheckFailed(failure.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syncro::{Me, Reason};

    #[test]
    fn each_observation_means_what_the_contract_says() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).expect("a moment");
        let works = |subdomain: Option<&str>, can_use_app| {
            MeObservation::Works(Me {
                user_id: 1,
                user_name: None,
                subdomain: subdomain.map(str::to_owned),
                admin: None,
                can_use_app,
                rights: Vec::new(),
            })
        };
        let failure = Failure { reason: Reason::Http5xx, detail: "x".to_owned() };
        let past = Some(now);
        let future = Some(now + chrono::Duration::seconds(1));
        let cases = [
            ("same account", works(Some("ACME"), Some(true)), None, Verdict::Is(TokenState::Valid)),
            ("account not said", works(None, None), None, Verdict::Is(TokenState::Valid)),
            ("still works after its expiry", works(Some("acme"), None), past, Verdict::Is(TokenState::Valid)),
            ("other account", works(Some("other"), Some(false)), None, Verdict::Is(TokenState::WrongAccount)),
            ("locked out", works(Some("acme"), Some(false)), None, Verdict::Is(TokenState::LockedOut)),
            ("refused, no expiry", MeObservation::Refused, None, Verdict::Is(TokenState::Rejected)),
            ("refused before its expiry", MeObservation::Refused, future, Verdict::Is(TokenState::Rejected)),
            ("refused at its expiry", MeObservation::Refused, past, Verdict::Is(TokenState::Expired)),
            ("refused as without a permission", MeObservation::Restricted, future, Verdict::Is(TokenState::Restricted)),
            ("the same at its expiry", MeObservation::Restricted, past, Verdict::Is(TokenState::Expired)),
            ("blocked", MeObservation::Blocked, past, Verdict::Is(TokenState::Blocked)),
            ("no answer", MeObservation::Failed(failure.clone()), past, Verdict::CheckFailed(failure)),
        ];
        for (name, observation, expires, expected) in cases {
            let expectation = Expectation { subdomain: Some("acme"), expires };
            assert_eq!(judge(expectation, &observation, now), expected, "{name}");
        }
        let anywhere = Expectation { subdomain: None, expires: None };
        assert_eq!(judge(anywhere, &works(Some("other"), None), now), Verdict::Is(TokenState::Valid));
    }
}
