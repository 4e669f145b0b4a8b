//! What is to be remembered, on its way from the engine to the store, and what was, on its way back. Values only.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::alert::{Firing, Notification};
use crate::belief::{TokenStatus, Transition};
use crate::model::{Scope, TokenId};

use super::snapshot::Snapshot;

/// What was known when the program last ran.
#[derive(Debug, Default)]
pub struct PersistedState {
    /// The tokens that were watched.
    pub tokens: BTreeMap<TokenId, PersistedToken>,
    /// Alerts that fired for tenants as a whole.
    pub tenants: BTreeMap<String, Vec<Firing>>,
    /// Alerts that fired for all tenants together.
    pub fleet: Vec<Firing>,
    /// Tokens that left the configuration, so that one that comes back under another name is known again.
    pub retired: Vec<(TokenId, TokenStatus)>,
}

/// What was known of one token.
#[derive(Debug, Clone, Default)]
pub struct PersistedToken {
    /// What was believed.
    pub status: TokenStatus,
    /// What fired.
    pub firing: Vec<Firing>,
}

/// One thing to remember.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// What is believed of a token.
    TokenStatus {
        /// Which token.
        token: TokenId,
        /// All of it.
        status: Arc<TokenStatus>,
    },
    /// A token left the configuration.
    Retired(TokenId),
    /// What fires for a token, or for a tenant where the token has no name.
    Firing {
        /// For whom.
        of: Scope,
        /// All of it.
        firing: Arc<Vec<Firing>>,
    },
    /// One line of the history.
    Entry(Entry),
    /// Something to tell, until it has been told.
    Notification(Notification),
}

/// One line of the history, or a change of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A standing changed.
    Changed {
        /// Whose.
        token: TokenId,
        /// When that was settled.
        at: DateTime<Utc>,
        /// What changed.
        transition: Transition,
    },
    /// A token is called otherwise now; its history follows it.
    Renamed {
        /// What it was called.
        from: TokenId,
        /// What it is called.
        to: TokenId,
    },
}

/// What is to be remembered together: all of it or nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// What is believed of tokens; `None` of one that left the configuration.
    pub statuses: HashMap<TokenId, Option<Arc<TokenStatus>>>,
    /// What fires, by whom it is for.
    pub firing: HashMap<Scope, Arc<Vec<Firing>>>,
    /// The history, in order.
    pub history: Vec<Entry>,
    /// What is to be told, in order.
    pub notifications: Vec<Notification>,
}

impl Batch {
    /// Everything that the picture shows, for a store that has nothing.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut batch = Self::default();
        for picture in snapshot.tokens.iter() {
            batch.statuses.insert(picture.token.id(), Some(Arc::clone(&picture.status)));
            batch.firing.insert(picture.token.id().into(), Arc::clone(&picture.firing));
        }
        batch.firing.insert(Scope::Fleet, Arc::clone(&snapshot.fleet_firing));
        for tenant in snapshot.tenants.iter() {
            batch.firing.insert(Scope::Tenant(tenant.name.clone()), Arc::clone(&tenant.firing));
        }
        batch
    }

    /// Takes in one more thing; what was to be remembered of the same token before is superseded.
    pub fn add(&mut self, keep: Record) {
        match keep {
            Record::TokenStatus { token, status } => {
                self.statuses.insert(token, Some(status));
            }
            Record::Retired(token) => {
                self.statuses.insert(token, None);
            }
            Record::Firing { of, firing } => {
                self.firing.insert(of, firing);
            }
            Record::Entry(entry) => self.history.push(entry),
            Record::Notification(notification) => self.notifications.push(notification),
        }
    }

    /// Takes in a later batch.
    pub fn merge(&mut self, later: Self) {
        self.statuses.extend(later.statuses);
        self.firing.extend(later.firing);
        self.history.extend(later.history);
        self.notifications.extend(later.notifications);
    }

    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        self.statuses.is_empty() && self.firing.is_empty() && self.history.is_empty() && self.notifications.is_empty()
    }
}
