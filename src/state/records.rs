//! What is to be persisted on its way from the engine to the store, and what was on its way back. Values only.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::alert::{AcknowledgementOrder, Firing, Notification};
use crate::belief::{TokenStatus, Transition};
use crate::model::{Scope, TokenId};

use super::alert_history::TakenOn;
use super::snapshot::Snapshot;

/// The state that the store had when the program started.
#[derive(Debug, Default)]
pub struct PersistedState {
    /// The tokens that were watched.
    pub tokens: BTreeMap<TokenId, PersistedToken>,
    /// The alerts that fired for tenants, whatever their scope within them, by the name of the tenant.
    pub tenants: BTreeMap<String, Vec<Firing>>,
    /// The alerts that fired for all tenants together.
    pub fleet: Vec<Firing>,
    /// Tokens that left the configuration, so that one that comes back under another name is recognised.
    pub retired: Vec<(TokenId, TokenStatus)>,
    /// What operators want of alerts and has not been carried out, in order.
    pub orders: Vec<AcknowledgementOrder>,
}

/// The persisted state of one token.
#[derive(Debug, Clone, Default)]
pub struct PersistedToken {
    /// What was believed of it.
    pub status: TokenStatus,
    /// The alerts that fired for it, as a program of the first version wrote them.
    pub firing: Vec<Firing>,
}

/// One thing to persist.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// What is believed of a token.
    TokenStatus {
        /// The token that the status is of.
        token: TokenId,
        /// The whole status, which replaces the one before.
        status: Arc<TokenStatus>,
    },
    /// This token left the configuration.
    Retired(TokenId),
    /// What fires for a tenant, or for the fleet. For a token an empty list deletes what a program of the first version
    /// wrote.
    Firing {
        /// The tenant or the fleet whose alerts they are.
        of: Scope,
        /// Everything that fires for it, which replaces what fired before.
        firing: Arc<Vec<Firing>>,
    },
    /// One line of the history, or a change of it.
    Entry(Entry),
    /// A notification to deliver, persisted until it has been delivered.
    Notification(Box<Notification>),
    /// An operator took an alert on, or gave it back.
    TakenOn(TakenOn),
    /// The order of an operator with this number is carried out: it need not be kept any longer.
    CarriedOut(i64),
}

/// One line of the history, or a change of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// The status of a token changed.
    Changed {
        /// The token whose status changed.
        token: TokenId,
        /// When the change was settled.
        at: DateTime<Utc>,
        /// What changed.
        transition: Transition,
    },
    /// A token has another name now; its history follows it.
    Renamed {
        /// The name that it had.
        from: TokenId,
        /// The name that it has.
        to: TokenId,
    },
}

/// What is to be persisted together: all of it or nothing.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Batch {
    /// What is believed of tokens; `None` for one that left the configuration.
    pub statuses: HashMap<TokenId, Option<Arc<TokenStatus>>>,
    /// What fires, by the tenant or the fleet to which it belongs.
    pub firing: HashMap<Scope, Arc<Vec<Firing>>>,
    /// The entries of the history, in order.
    pub history: Vec<Entry>,
    /// What is to be delivered, in order.
    pub notifications: Vec<Notification>,
    /// What operators did about alerts, in order.
    pub taken_on: Vec<TakenOn>,
    /// The numbers of the orders that are carried out with it.
    pub carried_out: Vec<i64>,
}

impl Batch {
    /// Everything that a snapshot shows, for a store that has nothing.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut batch = Self::default();
        for token in snapshot.tokens.iter() {
            batch.statuses.insert(token.token.id(), Some(Arc::clone(&token.status)));
        }
        batch.firing.insert(Scope::Fleet, Arc::clone(&snapshot.fleet_firing));
        for tenant in snapshot.tenants.iter() {
            batch.firing.insert(Scope::Tenant(tenant.name.clone()), Arc::clone(&tenant.firing));
        }
        batch
    }

    /// Takes in one more record; what was to be persisted of the same token before is superseded.
    pub fn add(&mut self, record: Record) {
        match record {
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
            Record::Notification(notification) => self.notifications.push(*notification),
            Record::TakenOn(taken_on) => self.taken_on.push(taken_on),
            Record::CarriedOut(number) => self.carried_out.push(number),
        }
    }

    /// Takes in a later batch, which supersedes this one where both have something of the same token.
    pub fn merge(&mut self, later: Self) {
        self.statuses.extend(later.statuses);
        self.firing.extend(later.firing);
        self.history.extend(later.history);
        self.notifications.extend(later.notifications);
        self.taken_on.extend(later.taken_on);
        self.carried_out.extend(later.carried_out);
    }

    /// Whether there is nothing to persist.
    pub fn is_empty(&self) -> bool {
        let of_alerts = [self.firing.is_empty(), self.notifications.is_empty(), self.taken_on.is_empty()];
        let others = [self.statuses.is_empty(), self.history.is_empty(), self.carried_out.is_empty()];
        [of_alerts, others] == [[true; 3]; 2]
    }
}
