//! A yes-or-no that is doubted before it is given up: a no must be seen several times in a row.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Whether something is held, as far as it has been confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Belief {
    /// What is believed; `None` before anything is.
    pub held: Option<bool>,
    /// Since when, as it was first seen.
    pub since: DateTime<Utc>,
    /// Whether it was held before it was not.
    pub lost: bool,
    /// How often in a row a no was seen that is not believed yet.
    pub doubts: u32,
    /// When the first of them was seen.
    doubted_at: DateTime<Utc>,
}

impl Belief {
    /// Takes in one sight. Returns whether the belief changed.
    pub fn see(&mut self, held: bool, now: DateTime<Utc>, confirmations: u32) -> bool {
        if held || self.held == Some(false) {
            self.doubts = 0;
        }
        if self.held == Some(held) {
            return false;
        }
        if held {
            *self = Self { held: Some(true), since: now, lost: false, doubts: 0, doubted_at: now };
            return true;
        }
        if self.doubts == 0 {
            self.doubted_at = now;
        }
        self.doubts += 1;
        if self.doubts < confirmations {
            return false;
        }
        let lost = self.held == Some(true);
        *self = Self { held: Some(false), since: self.doubted_at, lost, doubts: 0, doubted_at: now };
        true
    }

    /// What was seen last, believed or not.
    pub fn last_seen(&self) -> Option<bool> {
        self.held.map(|held| held && self.doubts == 0)
    }

    /// Takes in the first sight as it is: there is nothing yet that could be lost.
    pub fn first(held: bool, now: DateTime<Utc>) -> Self {
        Self { held: Some(held), since: now, lost: false, doubts: 0, doubted_at: now }
    }
}
