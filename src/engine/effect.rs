//! What the core wants done. Values only; the loop carries them out.

use std::sync::Arc;

use crate::alert::Notice;
use crate::catalog::{PermissionId, Probe};
use crate::config::{Token, TokenId};
use crate::standing::{Check, Transition};
use crate::syncro::{Failure, Lane, Look, Part};

/// What the core calls a token: stable over reloads, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchKey(pub(super) u64);

/// One thing to do.
#[must_use]
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Look at a token.
    Start(Job),
    /// Tell somebody.
    Tell(Notice),
    /// Count and log a change of standing.
    Changed {
        /// Whose.
        token: TokenId,
        /// What changed.
        transition: Transition,
    },
    /// Count and log a check.
    Checked(Checked),
}

/// One look to take.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Whose it is.
    pub key: WatchKey,
    /// The token as it is configured.
    pub token: Arc<Token>,
    /// Who it goes before.
    pub lane: Lane,
    /// What to ask besides `/me`.
    pub permissions: Option<PermissionJob>,
}

impl Job {
    /// A full look outside of any loop.
    pub fn once(token: Arc<Token>, probes: crate::config::Probes) -> Self {
        let permissions = PermissionJob { full: true, user: true, probes: token.probes(probes) };
        Self { key: WatchKey(0), token, lane: Lane::Validity, permissions: Some(permissions) }
    }
}

/// What to ask about permissions.
#[derive(Debug, Clone, PartialEq)]
pub struct PermissionJob {
    /// Whether it is the scheduled look at all of them.
    pub full: bool,
    /// Whether to ask for the user's security group.
    pub user: bool,
    /// The requests, with what each shows.
    pub probes: Vec<(&'static Probe, Vec<PermissionId>)>,
}

/// One check that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Of which token.
    pub token: TokenId,
    /// Which check.
    pub check: Check,
    /// How it went.
    pub outcome: Outcome,
}

/// How a check went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There is a verdict, as there was the last time.
    Verdict,
    /// There is a verdict again, after so many attempts without one.
    Again(u32),
    /// We could not look, for the first time in a row or not.
    Failed {
        /// Why.
        failure: Failure,
        /// Whether the check before gave a verdict.
        first: bool,
    },
}

/// The check that a part of a look makes.
pub(super) fn checked_by(look: &Look) -> Check {
    match look.part {
        Part::Token(_) => Check::Validity,
        Part::Permissions(_) => Check::Permissions,
    }
}

/// Logs a check: what happened once is said once.
pub(super) fn log(checked: &Checked) {
    let Checked { token, check, outcome } = checked;
    let (tenant, token_name, check) = (&token.tenant, &token.token_name, check.as_str());
    match outcome {
        Outcome::Verdict => tracing::debug!(event = "check", tenant, token_name, check, "checked"),
        Outcome::Again(failures) => {
            tracing::info!(event = "check", tenant, token_name, check, failures, "can look again");
        }
        Outcome::Failed { failure, first: true } => tracing::warn!(
            event = "check",
            tenant,
            token_name,
            check,
            reason = failure.reason.as_str(),
            "could not look, which says nothing about the token: {}",
            failure.detail
        ),
        Outcome::Failed { failure, first: false } => tracing::debug!(
            event = "check",
            tenant,
            token_name,
            check,
            reason = failure.reason.as_str(),
            "still cannot look: {}",
            failure.detail
        ),
    }
}

/// Logs a change of a standing.
pub(super) fn log_change(token: &TokenId, transition: &Transition) {
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
