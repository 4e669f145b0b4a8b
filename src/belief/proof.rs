//! Whether a token can take the place of another one: it works on the same account, and may do at least what that was shown to
//! do. Pure.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strum::IntoStaticStr;
use utoipa::ToSchema;

use crate::catalog::PermissionId;
use crate::model::{Probes, Token};
use crate::syncro::{Fingerprint, Unreadable};

use super::permissions::PermissionState;
use super::verdict::TokenState;
use super::{TokenStatus, User};

/// How far it is proven that a token can take the place of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, IntoStaticStr, ToSchema)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Proof {
    /// No check of it has given a verdict.
    #[default]
    Unknown,
    /// There is no usable value.
    Absent,
    /// Its value is the one in use.
    InUse,
    /// It does not work on this account.
    Unusable,
    /// It lacks something that the other one was shown to have.
    Lacking,
    /// Something is not shown that the other one was shown to have.
    Unproven,
    /// It can take its place.
    Proven,
}

/// A value that came into use while a next token was configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Followed {
    /// Its fingerprint.
    pub value: Fingerprint,
    /// Whether it has been seen to be the value of the next token.
    pub is_next: bool,
}

/// A proof, with what it rests on.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Comparison {
    /// How far it is proven.
    pub proof: Proof,
    /// What the next token lacks of what the one in use was shown to have.
    pub lacks: Vec<PermissionId>,
    /// What of that no check has shown of the next one.
    pub not_shown: Vec<PermissionId>,
    /// What both lack, though the integration breaks without it.
    pub both_lack: Vec<PermissionId>,
    /// Whether another user is behind the next token; `None` if one of the two users is not known.
    pub is_of_another_user: Option<bool>,
    /// Whether anything was ever shown of the one in use; otherwise the next one is compared with what the integration requires.
    pub is_known: bool,
}

impl Comparison {
    /// Compares what is believed of the token in use with what is believed of the one that is to follow it. Where nothing
    /// was ever shown of the one in use, the next one has to show everything that the integration breaks without, as far as a
    /// request can show it.
    #[must_use]
    pub fn of(token: &Token, in_use: &TokenStatus, next: &TokenStatus, probes: Probes) -> Self {
        let is_known = in_use.permission_checks.last_success.is_some();
        let states = || token.wanted.iter().map(|wanted| (wanted, in_use.permission_state(wanted.permission)));
        let needed = states().filter(|(wanted, state)| match state {
            PermissionState::Granted => true,
            PermissionState::Missing => false,
            PermissionState::Unverified => !is_known && wanted.required && probes.allowed(wanted.permission).is_some(),
        });
        let needed: Vec<_> = needed.map(|(wanted, _)| wanted.permission).collect();
        let which = |all: &[PermissionId], state| {
            all.iter().copied().filter(|permission| next.permission_state(*permission) == state).collect::<Vec<_>>()
        };
        let lost = states().filter(|(wanted, state)| wanted.required && *state == PermissionState::Missing);
        let lost: Vec<_> = lost.map(|(wanted, _)| wanted.permission).collect();
        let lacks = which(&needed, PermissionState::Missing);
        let not_shown = which(&needed, PermissionState::Unverified);
        let proof = match next.state {
            _ if next.has_value_of(in_use) => Proof::InUse,
            // Nothing is known of the one in use, not even whether it is the same.
            _ if in_use.validity.last_attempt.is_none() => Proof::Unknown,
            TokenState::Unknown | TokenState::Blocked => Proof::Unknown,
            // There may be a value that nobody could look at.
            TokenState::Unreadable if matches!(next.unreadable, Some(Unreadable::Failed { .. })) => Proof::Unknown,
            TokenState::Unreadable => Proof::Absent,
            TokenState::Valid if !lacks.is_empty() => Proof::Lacking,
            TokenState::Valid if !not_shown.is_empty() || next.permissions_are_outdated() => Proof::Unproven,
            TokenState::Valid => Proof::Proven,
            TokenState::Expired
            | TokenState::Rejected
            | TokenState::Restricted
            | TokenState::WrongAccount
            | TokenState::LockedOut => Proof::Unusable,
        };
        let id = |status: &TokenStatus| status.user.as_ref().map(|user: &User| user.id);
        let is_of_another_user = id(in_use).zip(id(next)).map(|(one, other)| one != other);
        Self {
            proof,
            lacks,
            not_shown,
            both_lack: which(&lost, PermissionState::Missing),
            is_of_another_user,
            is_known,
        }
    }
}

impl TokenStatus {
    /// Whether both have the same value, as far as is known.
    pub(crate) fn has_value_of(&self, other: &Self) -> bool {
        self.fingerprint.is_some() && self.fingerprint == other.fingerprint
    }

    /// Whether the value of the token that was to follow is the one in use.
    pub(crate) fn is_next_in_use(&self) -> bool {
        self.next.as_ref().is_some_and(|next| next.has_value_of(self))
    }

    /// Whether the value of the token that was to follow has come into use. That both values are the same is no switch; that
    /// somebody has taken away its file since is nothing to it.
    pub fn is_switched(&self) -> bool {
        self.followed
            .as_ref()
            .is_some_and(|followed| followed.is_next && Some(&followed.value) == self.fingerprint.as_ref())
    }

    /// Takes in which value came into use, while a next token was configured or not.
    pub(crate) fn take_switch(&mut self, former: Fingerprint, has_next: bool) {
        self.followed = self.fingerprint.clone().filter(|_| has_next).map(|value| Followed { value, is_next: false });
        self.former = has_next.then(|| Box::new(Self { fingerprint: Some(former), ..Self::default() }));
        self.see_followed();
    }

    /// Takes in that what is believed of the value in use or of the next one has changed.
    pub(crate) fn see_followed(&mut self) {
        let is_next_in_use = self.is_next_in_use();
        if let Some(followed) = &mut self.followed {
            followed.is_next |= is_next_in_use && Some(&followed.value) == self.fingerprint.as_ref();
        }
    }

    /// Another configuration names no next token.
    pub(crate) fn forget_next(&mut self) {
        (self.next, self.followed) = (None, None);
    }

    /// The token as it is: after a switch it is what the configuration says of the next one.
    #[must_use]
    pub fn in_use(&self, configured: &Arc<Token>) -> Arc<Token> {
        let next = configured.next.as_ref().filter(|_| self.is_switched());
        next.map_or_else(|| Arc::clone(configured), |next| Arc::new(next.in_place_of(configured)))
    }

    /// Whether a next token is proven that can take the place of this one.
    pub(crate) fn is_followed(&self, token: &Token) -> bool {
        // What requests may be sent matters only where nothing was ever shown of the one in use.
        let proof = |next: &Self| Comparison::of(token, self, next, Probes::ReadOnly).proof;
        token.next.is_some() && self.next.as_deref().is_some_and(|next| proof(next) == Proof::Proven)
    }

    /// What is believed of the value that the token had before a switch, as long as that is to be refused by Syncro and is not.
    pub fn lingering(&self) -> Option<&Self> {
        self.former.as_deref().filter(|former| !former.is_over())
    }

    /// Whether nothing is left to be seen of a former value: Syncro refuses it, or its file was taken away.
    pub(crate) fn is_over(&self) -> bool {
        match self.state {
            TokenState::Expired | TokenState::Rejected | TokenState::Restricted | TokenState::LockedOut => true,
            TokenState::Unreadable => matches!(self.unreadable, Some(Unreadable::Missing(_))),
            TokenState::Valid | TokenState::WrongAccount | TokenState::Blocked | TokenState::Unknown => false,
        }
    }
}
