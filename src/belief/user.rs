//! The user behind a token: its security group and whether it is a Global Admin. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::syncro::UserObservation;

use super::confirmed::{Belief, Confirmation};

/// What is believed of the user who made a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The id of the user in Syncro.
    pub id: u64,
    /// The name of the user, if names may be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether the user is a Global Admin, whom no security group restricts.
    pub admin: Belief,
    /// The name of the security group, as it was last observed.
    pub group: Option<String>,
    /// When `/users/{id}` was last asked.
    pub group_asked: Option<DateTime<Utc>>,
    /// Why the last answer did not name the group, if it did not: a fragment that is put after "is not known: ".
    #[serde(default)]
    pub group_problem: Option<String>,
    /// A change of the group that is still news.
    pub group_change: Option<GroupChange>,
    /// Whether the user is in the list of the account's users. One who was and is not any more is perhaps disabled.
    #[serde(default, skip_serializing_if = "is_unknown")]
    pub listed: Belief,
    /// Since when the group may be another one: the user's rights changed in `/me`, and the group has not been read
    /// since.
    #[serde(default)]
    pub doubted_at: Option<DateTime<Utc>>,
}

fn is_unknown(belief: &Belief) -> bool {
    belief.granted.is_none()
}

/// A change of the user's security group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupChange {
    /// The name of the group before the change.
    pub from: String,
    /// When the change was observed.
    pub at: DateTime<Utc>,
}

impl User {
    pub(super) fn new(id: u64) -> Self {
        let admin = Belief::default();
        Self {
            id,
            name: None,
            admin,
            group: None,
            group_asked: None,
            group_problem: None,
            group_change: None,
            listed: Belief::default(),
            doubted_at: None,
        }
    }

    /// Since when the user has not been in the list of the account's users any more. Syncro lets the tokens of a disabled
    /// user go on working (docs.syncromsp.com/imported/disabledelete-restoreundelete-users).
    pub fn unlisted_since(&self) -> Option<DateTime<Utc>> {
        self.listed.lost.then_some(self.listed.since)
    }

    /// The group that was read, if one was, may be another one by now.
    pub(super) fn doubt_group(&mut self, now: DateTime<Utc>) {
        if self.group.is_some() {
            self.doubted_at.get_or_insert(now);
        }
    }

    /// Takes in the list of the account's users, and returns whether the belief changed.
    pub(super) fn see_listed(&mut self, listed: bool, now: DateTime<Utc>, confirmation: Confirmation) -> bool {
        if self.listed.granted.is_none() {
            self.listed = Belief::first(listed, now);
            return false;
        }
        self.listed.see(listed, now, confirmation)
    }

    /// Takes in the admin flag of `/me`, and returns whether the belief changed.
    pub(super) fn see_admin(&mut self, admin: bool, now: DateTime<Utc>, confirmation: Confirmation) -> bool {
        if self.admin.granted.is_none() {
            self.admin = Belief::first(admin, now);
            return true;
        }
        self.admin.see(admin, now, confirmation)
    }

    /// Records why an answer of `/users/{id}` does not name the group, if it does not.
    pub(super) fn record_group_problem(&mut self, seen: &UserObservation) {
        self.group_problem = match seen {
            UserObservation::Group(Some(_)) => None,
            UserObservation::Group(None) => Some("Syncro names none".to_owned()),
            UserObservation::Failed(failure) => Some(failure.to_string()),
        };
    }

    /// Takes in the answer of `/users/{id}`, and returns a change as the names before and after. A change is news for
    /// as long as `news_for`; changing back within that time ends it.
    pub(super) fn see_group(
        &mut self,
        seen: &UserObservation,
        now: DateTime<Utc>,
        news_for: TimeDelta,
    ) -> Option<(String, String)> {
        self.group_asked = Some(now);
        // An answer without a group may only leave it out; it is no reason to discard the one that was observed before.
        let UserObservation::Group(Some(group)) = seen else { return None };
        self.doubted_at = None;
        let before = self.group.replace(group.clone()).filter(|before| before != group)?;
        let news = self.group_change.take().filter(|change| now - change.at < news_for);
        self.group_change = match news {
            Some(change) if change.from == *group => None,
            Some(change) => Some(change),
            None => Some(GroupChange { from: before.clone(), at: now }),
        };
        Some((before, group.clone()))
    }
}
