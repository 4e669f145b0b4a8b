//! What is to be remembered, on its way from the engine to the store, and what was, on its way back. Values only.

mod waiting;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::alert::{Firing, Notice};
use crate::config::TokenId;
use crate::snapshot::Snapshot;
use crate::standing::{Standing, Transition};

pub use waiting::{MOST_WAITING, thin};

/// One notice on its way to one receiver.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its number, never used twice: what a receiver hears again under the same number, it has heard.
    pub id: i64,
    /// The receiver's name.
    pub receiver: Arc<str>,
    /// Since when it is to be told.
    pub queued_at: DateTime<Utc>,
    /// What to tell.
    pub notice: Arc<Notice>,
}

/// What became of a notification that waited for a receiver. It waits no longer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// The receiver has taken the one with this number, or is no longer configured.
    Delivered(i64),
    /// The receiver takes others and refuses this one for good; it is kept, and is not sent again by itself.
    SetAside {
        /// Its number.
        id: i64,
        /// What the receiver answered, as a fragment.
        refusal: String,
    },
    /// What its alert has done since makes it needless: it was never delivered, and is not kept.
    Superseded(i64),
}

/// What was known when the program last ran.
#[derive(Debug, Default)]
pub struct Memory {
    /// The tokens that were watched.
    pub tokens: BTreeMap<TokenId, Remembered>,
    /// Alerts that fired for tenants as a whole.
    pub tenants: BTreeMap<String, Vec<Firing>>,
    /// Tokens that left the configuration, so that one that comes back under another name is known again.
    pub retired: Vec<(TokenId, Standing)>,
}

/// What was known of one token.
#[derive(Debug, Clone, Default)]
pub struct Remembered {
    /// What was believed.
    pub standing: Standing,
    /// What fired.
    pub firing: Vec<Firing>,
}

/// One thing to remember.
#[derive(Debug, Clone, PartialEq)]
pub enum Keep {
    /// What is believed of a token.
    Standing {
        /// Which token.
        token: TokenId,
        /// All of it.
        standing: Arc<Standing>,
    },
    /// A token left the configuration.
    Retired(TokenId),
    /// What fires for a token, or for a tenant where the token has no name.
    Firing {
        /// For whom.
        of: TokenId,
        /// All of it.
        firing: Arc<Vec<Firing>>,
    },
    /// One line of the history.
    Entry(Entry),
    /// Something to tell, until it has been told.
    Notice(Notice),
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
    pub standings: HashMap<TokenId, Option<Arc<Standing>>>,
    /// What fires, by whom it is for.
    pub firing: HashMap<TokenId, Arc<Vec<Firing>>>,
    /// The history, in order.
    pub history: Vec<Entry>,
    /// What is to be told, in order.
    pub notices: Vec<Notice>,
}

impl Batch {
    /// Everything that the picture shows, for a store that has nothing.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut batch = Self::default();
        for picture in snapshot.tokens.iter() {
            batch.standings.insert(picture.token.id(), Some(Arc::clone(&picture.standing)));
            batch.firing.insert(picture.token.id(), Arc::clone(&picture.firing));
        }
        for tenant in snapshot.tenants.iter() {
            batch.firing.insert(TokenId::of_tenant(&tenant.name), Arc::clone(&tenant.firing));
        }
        batch
    }

    /// Takes in one more thing; what was to be remembered of the same token before is superseded.
    pub fn add(&mut self, keep: Keep) {
        match keep {
            Keep::Standing { token, standing } => {
                self.standings.insert(token, Some(standing));
            }
            Keep::Retired(token) => {
                self.standings.insert(token, None);
            }
            Keep::Firing { of, firing } => {
                self.firing.insert(of, firing);
            }
            Keep::Entry(entry) => self.history.push(entry),
            Keep::Notice(notice) => self.notices.push(notice),
        }
    }

    /// Takes in a later batch.
    pub fn merge(&mut self, later: Self) {
        self.standings.extend(later.standings);
        self.firing.extend(later.firing);
        self.history.extend(later.history);
        self.notices.extend(later.notices);
    }

    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        self.standings.is_empty() && self.firing.is_empty() && self.history.is_empty() && self.notices.is_empty()
    }
}

/// Which lines of the history are wished for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// Only this tenant.
    pub tenant: Option<String>,
    /// Only tokens of this name.
    pub token_name: Option<String>,
    /// Only what was settled then or later.
    pub since: Option<DateTime<Utc>>,
    /// Only what was settled before then.
    pub until: Option<DateTime<Utc>>,
    /// Only so many, the newest first.
    pub newest: Option<u32>,
}

/// One change of what was believed. Moments are texts such as `2026-11-23T10:00:00.123Z`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct HistoryLine {
    /// When it was settled.
    pub at: String,
    /// The tenant.
    pub tenant: String,
    /// The token.
    pub token_name: String,
    /// What kind of thing changed.
    pub kind: String,
    /// Which one, where there are several: a permission or a right.
    pub subject: Option<String>,
    /// What was believed before.
    pub before: String,
    /// What was believed after.
    pub after: String,
    /// When it was first seen.
    pub since: String,
    /// What showed it, for permissions.
    pub evidence: Option<String>,
    /// The same in words: the request and its answer, or the user's right.
    pub shown_by: Option<String>,
}
