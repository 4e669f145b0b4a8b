//! Why nothing is believed of a wanted permission: what is shown to whoever asks. Pure.

use serde::Serialize;
use strum::IntoStaticStr;
use utoipa::ToSchema;

use crate::catalog::PermissionId;
use crate::model::Probes;

use super::{PermissionState, TokenState, TokenStatus};

/// Why a permission is unverified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, IntoStaticStr, ToSchema)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum WhyUnverified {
    /// The token does not work, so nothing else is asked with it.
    TokenDoesNotWork,
    /// Only a write to record 0 would show it, and `probes` allows no writes.
    OnlyAWriteShowsIt,
    /// No request that changes nothing shows it.
    NothingShowsIt,
    /// It has not been asked for yet.
    NotCheckedYet,
    /// The request that would show it was let through, but another permission lets it through too.
    AnotherLetsItThrough,
    /// The request that would show it was answered in a way that shows neither, or not answered.
    NoVerdict,
}

impl WhyUnverified {
    /// Why a permission of a token is unverified, where these probes may be sent; `None` if it is not.
    pub(crate) fn of(permission: PermissionId, status: &TokenStatus, probes: Probes) -> Option<Self> {
        if status.permission_state(permission) != PermissionState::Unverified {
            return None;
        }
        let entry = status.of_permission(permission);
        Some(match probes.allowed(permission) {
            _ if !matches!(status.state, TokenState::Valid | TokenState::Unknown) => Self::TokenDoesNotWork,
            None if permission.get().write_probe.is_some() => Self::OnlyAWriteShowsIt,
            None => Self::NothingShowsIt,
            Some(probe) if probe.is_any_of() && entry.map_or(status.full_check.is_some(), |entry| !entry.unseen) => {
                Self::AnotherLetsItThrough
            }
            Some(_) if entry.is_none() => Self::NotCheckedYet,
            Some(_) => Self::NoVerdict,
        })
    }

    /// The reason in words, to be read after a colon.
    pub fn as_text(self) -> &'static str {
        match self {
            Self::TokenDoesNotWork => "nothing but `/me` is asked while the token is not valid",
            Self::OnlyAWriteShowsIt => "only a write shows it: `probes = \"write-safe\"`",
            Self::NothingShowsIt => "nothing shows it",
            Self::NotCheckedYet => "not checked yet",
            Self::AnotherLetsItThrough => "another permission may let the request through too",
            Self::NoVerdict => "what the request was answered shows neither, or it was not answered",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::belief::{Evidence, PermissionStatus};
    use crate::testing::permission;

    #[test]
    fn each_unverified_permission_says_why() {
        let valid = TokenStatus { state: TokenState::Valid, ..TokenStatus::default() };
        let why = |name: &str, status: &TokenStatus, probes| WhyUnverified::of(permission(name), status, probes);
        let read = Probes::ReadOnly;
        assert_eq!(why("Tickets - Edit", &valid, read), Some(WhyUnverified::OnlyAWriteShowsIt));
        assert_eq!(why("Tickets - Edit", &valid, Probes::WriteSafe), Some(WhyUnverified::NotCheckedYet));
        assert_eq!(why("Tickets - Merge", &valid, read), Some(WhyUnverified::NothingShowsIt));
        assert_eq!(why("Tickets - List/Search", &valid, read), Some(WhyUnverified::NotCheckedYet));
        let view = "Tickets - View Details";
        assert_eq!(why(view, &valid, read), Some(WhyUnverified::NotCheckedYet));
        let checked = TokenStatus { full_check: Some(crate::testing::at(0)), ..valid.clone() };
        assert_eq!(why(view, &checked, read), Some(WhyUnverified::AnotherLetsItThrough), "the other is there");
        let asked = |name: &str, unseen| {
            let entry = PermissionStatus { unseen, ..PermissionStatus::new(permission(name), Evidence::Probe) };
            TokenStatus { permissions: vec![entry], ..valid.clone() }
        };
        assert_eq!(why(view, &asked(view, false), read), Some(WhyUnverified::AnotherLetsItThrough));
        assert_eq!(why(view, &asked(view, true), read), Some(WhyUnverified::NoVerdict));
        let list = "Tickets - List/Search";
        assert_eq!(why(list, &asked(list, false), read), Some(WhyUnverified::NoVerdict));
        assert_eq!(WhyUnverified::NotCheckedYet.as_text(), "not checked yet");
        let dead = TokenStatus { state: TokenState::Rejected, ..TokenStatus::default() };
        assert_eq!(why("Tickets - Edit", &dead, read), Some(WhyUnverified::TokenDoesNotWork));
    }
}
