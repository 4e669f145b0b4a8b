//! Everything that one check of one token observed, before anything is concluded from it. Pure.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::catalog::{Method, PermissionId};

use super::{
    Failure, Fingerprint, MeObservation, ProbeObservation, Reason, Unreadable, UserObservation, UsersObservation,
};

/// The record of one request of a check: what was asked and how that ended, but nothing of the body of the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The method of the request.
    pub method: Method,
    /// The path of the request, below the tenant's base URL.
    pub path: Cow<'static, str>,
    /// When the answer had arrived, or when it was clear that none would come.
    pub at: DateTime<Utc>,
    /// The HTTP status of the answer, if there was an answer.
    pub status: Option<u16>,
    /// Why the request gave no verdict, if it did not.
    pub reason: Option<Reason>,
    /// The time from the sending to the end of the answer, without the wait for the budget.
    pub took: Duration,
}

impl Asked {
    /// Whether both are the same request, of the same method and the same path.
    pub(crate) fn is_same_question(&self, other: &Self) -> bool {
        (self.method, &self.path) == (other.method, &other.path)
    }
}

/// What was observed of the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenObservation {
    /// Its value could not be read, so no request was sent.
    Unreadable(Unreadable),
    /// `GET /me` was sent.
    Me {
        /// The fingerprint of the value that was used.
        fingerprint: Fingerprint,
        /// What the answer shows.
        observation: MeObservation,
    },
}

/// What was observed of a token's permissions. They are checked only after `/me` has shown that the token works.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PermissionObservations {
    /// Whether this was the scheduled check of all permissions, rather than a second check of doubtful ones.
    pub full: bool,
    /// What the answer to `/users/{id}` shows, if it was asked.
    pub user: Option<UserObservation>,
    /// What the list of users shows, if it was asked for.
    pub users: Option<UsersObservation>,
    /// How many customers the token sees, if the list of customers said so.
    pub customers: Option<u64>,
    /// The permissions for which record 0 was refused in Syncro's words for a missing permission.
    pub refused_record_zero: Vec<PermissionId>,
    /// What each probe shows, by the permission that it is about.
    pub probes: Vec<(PermissionId, ProbeObservation)>,
    /// What each probe shows of the permissions that the token does not need, if it was audited.
    pub audit: Option<Vec<(PermissionId, ProbeObservation)>>,
}

impl PermissionObservations {
    /// Why there is no verdict on a wanted permission; of several reasons, one that may pass by itself. Without the
    /// security group, the permissions can be observed all the same, so its failure counts only where it was the only
    /// request.
    pub fn failure(&self) -> Option<&Failure> {
        let probes = || self.probes.iter().filter_map(|(_, probe)| probe.failure());
        let passes = |failure: &&Failure| failure.reason != Reason::NotSyncro;
        let user = self.user.as_ref().and_then(UserObservation::failure).filter(|_| self.probes.is_empty());
        probes().find(passes).or_else(|| probes().next()).or(user)
    }

    /// Whether any request of this check got an answer that means something.
    pub(crate) fn is_answered(&self) -> bool {
        self.user.as_ref().is_some_and(|user| user.failure().is_none())
            || self.probes.iter().any(|(_, probe)| probe.failure().is_none() && *probe != ProbeObservation::NotSent)
    }
}

/// What one part of a check observed: first the token itself, then, when they are checked, its permissions. The first
/// part is delivered as soon as it has ended, since permissions may wait long for the request budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// When `/me` answered, or when the value turned out to be unreadable.
    pub at: DateTime<Utc>,
    /// What was observed, by the part of the check.
    pub part: Part,
    /// The requests that the part took, in their order.
    pub asked: Vec<Asked>,
}

/// One part of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The part about the token itself.
    Token(TokenObservation),
    /// The part about its permissions.
    Permissions(PermissionObservations),
}

impl Observation {
    /// Why this part gave no verdict, if it did not.
    pub fn failure(&self) -> Option<Cow<'_, Failure>> {
        match &self.part {
            Part::Token(TokenObservation::Me { observation: MeObservation::Failed(failure), .. }) => {
                Some(Cow::Borrowed(failure))
            }
            Part::Token(TokenObservation::Unreadable(why)) => why.of_monitor().map(Cow::Owned),
            Part::Token(TokenObservation::Me { .. }) => None,
            Part::Permissions(permissions) => permissions.failure().map(Cow::Borrowed),
        }
    }
}
