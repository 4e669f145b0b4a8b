//! What is asked in one check of one token. Values only.

use std::sync::Arc;

use crate::catalog::{PermissionId, Probe};
use crate::model::{Probes, Token};
use crate::syncro::Lane;

/// What the core calls a token: stable over reloads, never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchKey(pub u64);

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
