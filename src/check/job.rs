//! A job: what one check of one token asks for. Values only.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::catalog::{PermissionId, Probe};
use crate::model::{Probes, Token};
use crate::syncro::CheckLane;

/// The key of a token in the core: it is stable over reloads, and never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WatchKey(pub u64);

/// One check to make.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// The key of the token to check.
    pub key: WatchKey,
    /// The token as it is configured.
    pub token: Arc<Token>,
    /// The lane in which its requests wait for the budget.
    pub lane: CheckLane,
    /// What to ask about permissions besides `/me`; `None` for a validity check alone.
    pub permissions: Option<PermissionJob>,
}

impl Job {
    /// A full check outside of the loop, for a command, with an audit or without.
    pub fn once(token: Arc<Token>, probes: Probes, audit: bool) -> Self {
        let audit = audit.then(|| token.audit(probes));
        let users = token.asks_of_another_user(probes).then(BTreeSet::new);
        let permissions =
            PermissionJob { full: true, user: true, users, another_user: None, probes: token.probes(probes), audit };
        Self { key: WatchKey(0), token, lane: CheckLane::Validity, permissions: Some(permissions) }
    }
}

/// What a check asks about permissions.
#[derive(Debug, Clone, PartialEq)]
pub struct PermissionJob {
    /// Whether it is the check of all of them, and not only of the doubtful ones.
    pub full: bool,
    /// Whether to ask for the user's security group.
    pub user: bool,
    /// The users to seek in the list of users, besides the token's own, if that is to be read.
    pub users: Option<BTreeSet<u64>>,
    /// The number of another user of the account, if one is known, for what is asked about another user.
    pub another_user: Option<u64>,
    /// The requests that show the wanted permissions.
    pub probes: Requests,
    /// The requests that show what the token may do besides, if it is to be audited.
    pub audit: Option<Requests>,
}

/// Requests, each with the permissions that it shows.
pub(crate) type Requests = Vec<(&'static Probe, Vec<PermissionId>)>;
