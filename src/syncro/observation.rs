//! Everything one look at one token brought back, before anybody says what it means. Pure.

use std::borrow::Cow;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::catalog::{Method, PermissionId};

use super::{Failure, Fingerprint, MeObservation, ProbeObservation, Reason, Unreadable, UserObservation};

/// One request of a look and how it went: never what was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// How it was asked.
    pub method: Method,
    /// Of what: the path below the tenant's base URL.
    pub path: Cow<'static, str>,
    /// When the answer was there, or none came.
    pub at: DateTime<Utc>,
    /// The answer's status, if there was an answer.
    pub status: Option<u16>,
    /// Why it told nothing, if it did not.
    pub reason: Option<Reason>,
    /// From sending to the end of the answer; waiting for the budget is not counted.
    pub took: Duration,
}

impl Asked {
    /// Whether both are the same question.
    pub fn is_same_question(&self, other: &Self) -> bool {
        (self.method, &self.path) == (other.method, &other.path)
    }
}

/// What was seen of the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenObservation {
    /// Its value could not be read, so nothing was asked.
    Unreadable(Unreadable),
    /// `/me` was asked.
    Me {
        /// Which value was used.
        fingerprint: Fingerprint,
        /// What came back.
        observation: MeObservation,
    },
}

/// What was seen of a token's permissions. Only asked after `/me` said that the token works.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PermissionObservations {
    /// Whether this was the scheduled look at all of them, or a second look at doubtful ones.
    pub full: bool,
    /// The answer to `/users/{id}`, if it was asked.
    pub user: Option<UserObservation>,
    /// What each probe said, by permission.
    pub probes: Vec<(PermissionId, ProbeObservation)>,
    /// The same for permissions beyond what the token needs, if it was audited.
    pub audit: Option<Vec<(PermissionId, ProbeObservation)>>,
}

impl PermissionObservations {
    /// Why a wanted permission could not be looked at; of several reasons one that may pass by itself. Without the security
    /// group the permissions are known all the same, so its failure counts only where it was the only question.
    pub fn failure(&self) -> Option<&Failure> {
        let probes = || self.probes.iter().filter_map(|(_, probe)| probe.failure());
        let passes = |failure: &&Failure| failure.reason != Reason::NotSyncro;
        let user = self.user.as_ref().and_then(UserObservation::failure).filter(|_| self.probes.is_empty());
        probes().find(passes).or_else(|| probes().next()).or(user)
    }

    /// Whether anything that was asked got an answer that says something.
    pub fn is_answered(&self) -> bool {
        self.user.as_ref().is_some_and(|user| user.failure().is_none())
            || self.probes.iter().any(|(_, probe)| probe.failure().is_none())
    }
}

/// What one look brought back: the token itself, then, when they have been asked, its permissions. The first is told
/// as soon as it is known, since permissions may wait long for the request budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// When `/me` answered, or the value could not be read.
    pub at: DateTime<Utc>,
    /// What it is about.
    pub part: Part,
    /// The requests that it took, in order.
    pub asked: Vec<Asked>,
}

/// One part of a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The token itself.
    Token(TokenObservation),
    /// Its permissions.
    Permissions(PermissionObservations),
}

impl Observation {
    /// Why this part could not look, if it could not.
    pub fn failure(&self) -> Option<Cow<'_, Failure>> {
        match &self.part {
            Part::Token(TokenObservation::Me { observation: MeObservation::Failed(failure), .. }) => {
                Some(Cow::Borrowed(failure))
            }
            Part::Token(TokenObservation::Unreadable(why)) => why.of_monitor().map(Cow::Owned),
            Part::Token(TokenObservation::Me { .. }) => None,
            Part::Permissions(observed) => observed.failure().map(Cow::Borrowed),
        }
    }
}
