//! One token that is watched, and the tokens of one tenant. Values only.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::alert::{Affected, Firing, Waiting};
use crate::belief::TokenStatus;
use crate::catalog::PermissionId;
use crate::check::WatchKey;
use crate::model::Token;
use crate::plan::{Phase, Plan};
use crate::syncro::Asked;

/// One token that is watched.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) token: Arc<Token>,
    /// The same as the configuration has it: the value in use may be that of the next token.
    pub(super) configured: Arc<Token>,
    pub(super) phase: Phase,
    pub(super) status: Arc<TokenStatus>,
    /// The last requests about it, and how each went; they are not persisted.
    pub(super) asked: Arc<[Asked]>,
    pub(super) timing: Timing,
    /// Whether a check was overdue when the program started, and none has ended since.
    pub(super) is_behind: bool,
}

/// When a token is checked next, and why then.
#[derive(Debug)]
pub(super) struct Timing {
    /// By the schedule, and by what is doubted.
    pub(super) plan: Plan,
    /// Something makes a full check due at this moment: a changed configuration, a peer, a person.
    pub(super) check_at: Option<DateTime<Utc>>,
    /// Whether it works is checked at this moment, because other tokens turned bad.
    pub(super) quick_check_at: Option<DateTime<Utc>>,
    /// What became due while nobody watched is made up for at this moment, and not at once with all other tokens.
    pub(super) catch_up: Option<DateTime<Utc>>,
    /// The first full check from this moment on audits the token too, where that is configured.
    pub(super) audit_from: DateTime<Utc>,
}

impl Timing {
    /// The moment for which a check was requested outside of the schedule.
    pub(super) fn requested_at(&self) -> Option<DateTime<Utc>> {
        self.check_at.into_iter().chain(self.quick_check_at).min()
    }

    /// The clock was set back to `now`: nothing waits for a moment that had already come.
    pub(super) fn set_back(&mut self, now: DateTime<Utc>) {
        self.catch_up = None;
        for at in [&mut self.check_at, &mut self.quick_check_at].into_iter().flatten() {
            *at = now.min(*at);
        }
    }
}

impl Watch {
    /// Whether another token of the same security group shows that what is believed of the group, and is in none of these
    /// alerts, is no longer so.
    pub(super) fn is_outdated_by(&self, other: &Self, firing: &[Firing]) -> bool {
        if !self.status.works() {
            // Its permissions are not checked before it works again.
            return false;
        }
        let fires = |permission: PermissionId| {
            let affected = Affected::permission(&self.token.name, permission.name());
            firing.iter().any(|firing| firing.lists(Some(&affected)))
        };
        self.status.outdated_by(&other.status).any(|permission| !fires(permission))
    }
}

/// The tokens of one tenant, and what fires for it.
#[derive(Debug, Default)]
pub(super) struct Tenant {
    pub(super) members: Vec<WatchKey>,
    /// Every alert that fires for the tenant, its groups, its users and its tokens.
    pub(super) firing: Arc<Vec<Firing>>,
    /// What could fire, and waits for checks.
    pub(super) waiting: Waiting,
    /// Tokens that left the configuration and may come back under another name, each with the moment until which that is
    /// waited for.
    pub(super) leavers: Vec<(String, DateTime<Utc>)>,
    /// The permissions that it is known to check before it searches for a record.
    pub(super) checked_first: BTreeSet<PermissionId>,
    /// Two of its users, by the list of them; they are kept in memory only.
    pub(super) two_users: Vec<u64>,
    /// When a check that reads the list of its users was last started.
    pub(super) users_asked: Option<DateTime<Utc>>,
}
