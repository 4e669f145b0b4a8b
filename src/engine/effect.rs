//! What the core wants done. Values only; the loop carries them out.

use std::sync::Arc;

use crate::catalog::{PermissionId, Probe};
use crate::config::{Probes, Token, TokenId};
use crate::memory::Keep;
use crate::standing::Check;
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
    /// Remember something. A change of standing is counted and logged too; a notice is told when it is kept.
    Keep(Keep),
    /// Count and log a check.
    Checked(Checked),
    /// Log that a token's security group cannot be told, or can again.
    Group {
        /// Of which token.
        token: TokenId,
        /// Why not, if it cannot.
        problem: Option<String>,
    },
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
    /// A full look outside of any loop, with an audit or without.
    pub fn once(token: Arc<Token>, probes: Probes, audit: bool) -> Self {
        let audit = audit.then(|| token.audit(probes));
        let permissions = PermissionJob { full: true, user: true, probes: token.probes(probes), audit };
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
    /// The requests that show what is wanted.
    pub probes: Requests,
    /// Those that show what the token may do besides, if it is to be audited.
    pub audit: Option<Requests>,
}

/// Requests, with what each shows.
pub type Requests = Vec<(&'static Probe, Vec<PermissionId>)>;

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
