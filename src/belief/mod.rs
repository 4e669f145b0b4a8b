//! What we believe about each token, and how a look changes it. Pure: `step` takes a standing, a look and the time the
//! look began, and returns what changed. "Could not look" moves no belief.

mod confirmed;
mod excess;
mod outage;
mod permissions;
mod step;
mod user;
mod verdict;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::catalog::PermissionId;
use crate::syncro::{Failure, Fingerprint, Reason, Unreadable};

pub use confirmed::{Belief, Confirmation};
pub use excess::{Audit, Excess};
pub use outage::{
    FEWEST, LONGEST as LONGEST_OUTAGE, Outage, SAMPLE, TenantContact, TenantObservation, turned_bad, unreachable,
};
pub use permissions::{Cause, Evidence, PermissionState, PermissionStatus, RightStatus};
pub use step::{Policy, step};
pub use user::{GroupChange, User};
pub use verdict::{Expectation, TokenState, Verdict, judge};

/// What is checked, as a word for labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Does the token work?
    Validity,
    /// What may it do?
    Permissions,
}

impl Check {
    /// Both, so that each has its series.
    pub const ALL: [Self; 2] = [Self::Validity, Self::Permissions];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Validity => "validity",
            Self::Permissions => "permissions",
        }
    }
}

/// When something was tried, and whether it told us anything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Attempts {
    /// The last attempt.
    pub last_attempt: Option<DateTime<Utc>>,
    /// The last attempt that gave a verdict.
    pub last_success: Option<DateTime<Utc>>,
    /// Attempts without a verdict since then.
    pub failures: u32,
    /// The first of them.
    pub failing_since: Option<DateTime<Utc>>,
    /// Why the last one gave no verdict.
    pub reason: Option<Reason>,
    /// Since when the other side has been silent: the first of them after the last that failed for our own sake, as
    /// [`Reason::is_own`] says. Such a one shows nothing of the other side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<DateTime<Utc>>,
}

impl Attempts {
    fn note(&mut self, now: DateTime<Utc>, failure: Option<&Failure>) {
        self.last_attempt = Some(now);
        self.reason = failure.map(|failure| failure.reason);
        if let Some(failure) = failure {
            if failure.reason.is_own() {
                self.silent_since = None;
            } else {
                self.silent_since.get_or_insert(now);
            }
            self.failures += 1;
            self.failing_since.get_or_insert(now);
        } else {
            self.last_success = Some(now);
            self.failures = 0;
            self.failing_since = None;
            self.silent_since = None;
        }
    }
}

/// A bad verdict that has not been seen often enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// What was seen.
    pub state: TokenState,
    /// How often in a row.
    pub times: u32,
    /// The first time.
    pub first: DateTime<Utc>,
    /// The last time that counts.
    #[serde(default)]
    pub last: DateTime<Utc>,
}

/// What we believe about one token. It is kept as JSON over restarts and upgrades: what an older program did not know
/// reads as its default. The checks come first, so that a check that found nothing new rewrites one page of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenStatus {
    /// The validity checks.
    pub validity: Attempts,
    /// The permission checks.
    pub permission_checks: Attempts,
    /// Its state.
    pub state: TokenState,
    /// Since when, as it was first seen.
    pub since: Option<DateTime<Utc>>,
    /// A worse state that is being confirmed.
    pub doubt: Option<Doubt>,
    /// How often in a row it worked after its declared expiry.
    pub worked_after_expiry: u32,
    /// Why its value could not be read the last time, if it could not.
    pub unreadable: Option<Unreadable>,
    /// Which value was used last.
    pub fingerprint: Option<Fingerprint>,
    /// Whether something seen in `/me` makes a full look at the permissions due before its time.
    #[serde(rename = "look_again")]
    pub recheck: bool,
    /// The user behind it.
    pub user: Option<User>,
    /// The user's rights, sorted.
    pub rights: Vec<RightStatus>,
    /// The wanted permissions about which anything is believed, sorted.
    #[serde(deserialize_with = "permissions::in_order")]
    pub permissions: Vec<PermissionStatus>,
    /// What it may do besides, if that was asked.
    pub audit: Option<Box<Audit>>,
}

impl Default for TokenStatus {
    fn default() -> Self {
        Self {
            state: TokenState::Unknown,
            since: None,
            doubt: None,
            worked_after_expiry: 0,
            unreadable: None,
            fingerprint: None,
            validity: Attempts::default(),
            permission_checks: Attempts::default(),
            recheck: false,
            user: None,
            rights: Vec::new(),
            permissions: Vec::new(),
            audit: None,
        }
    }
}

impl TokenStatus {
    /// The security group of the user behind the token, as it was last read.
    pub fn security_group(&self) -> Option<&str> {
        self.user.as_ref()?.group.as_deref()
    }

    /// The same, if nothing has been seen since that may come of another group: one that is to be named as a cause.
    pub fn current_group(&self) -> Option<&str> {
        self.user.as_ref().filter(|user| user.doubted_at.is_none())?.group.as_deref()
    }

    /// Why that is not known, if `/users/{id}` was asked and did not tell.
    pub fn group_problem(&self) -> Option<&str> {
        self.user.as_ref()?.group_problem.as_deref()
    }

    /// The security group that restricts the user behind the token, as it was last read; none restricts a Global Admin
    /// (docs.syncromsp.com/security-group).
    pub fn restricting_group(&self) -> Option<&str> {
        let user = self.user.as_ref().filter(|user| user.admin.granted != Some(true))?;
        user.group.as_deref()
    }

    /// Whether what is believed of the permissions is older than the state of the token: it did not work in between, and
    /// much may have changed.
    pub fn permissions_are_outdated(&self) -> bool {
        self.permission_checks.last_attempt.is_some_and(|last| Some(last) < self.since)
    }

    /// Whether two tokens whose users are in one security group are believed to differ in what the group allows.
    pub fn differs_in_group(&self, other: &Self) -> bool {
        let of_group = |known: &&PermissionStatus| match known.state() {
            PermissionState::Missing => known.cause == Cause::SecurityGroup,
            PermissionState::Granted => true,
            PermissionState::Unverified => false,
        };
        self.permissions.iter().filter(of_group).any(|known| {
            let theirs = other.permissions.iter().filter(of_group).find(|theirs| theirs.permission == known.permission);
            theirs.is_some_and(|theirs| theirs.state() != known.state())
        })
    }

    /// Permissions that the security group is believed to lack, of which another token of the same group has shown otherwise
    /// since the last check: it has them, or lacks them for another reason.
    pub fn outdated_by(&self, other: &Self) -> impl Iterator<Item = PermissionId> {
        let lacks = |known: &&PermissionStatus| {
            known.state() == PermissionState::Missing && known.cause == Cause::SecurityGroup
        };
        let lacking = self.permissions.iter().filter(lacks).map(|known| known.permission);
        lacking.filter(|permission| {
            let shown_at = other.of_permission(*permission).and_then(|theirs| match theirs.state() {
                PermissionState::Granted => other.permission_checks.last_success,
                PermissionState::Missing if theirs.cause != Cause::SecurityGroup => other.validity.last_success,
                PermissionState::Missing | PermissionState::Unverified => None,
            });
            shown_at > self.permission_checks.last_attempt
        })
    }

    /// What is believed of a permission, if anything is.
    pub fn of_permission(&self, permission: PermissionId) -> Option<&PermissionStatus> {
        let index = self.permissions.binary_search_by_key(&permission, |known| known.permission).ok()?;
        Some(&self.permissions[index])
    }

    /// Whether a permission is held, as far as it can be told.
    pub fn permission_state(&self, permission: PermissionId) -> PermissionState {
        self.of_permission(permission).map_or(PermissionState::Unverified, PermissionStatus::state)
    }

    /// When it was last audited.
    pub fn audited(&self) -> Option<DateTime<Utc>> {
        self.audit.as_ref().map(|audit| audit.at)
    }

    /// Gives back memory that reading it took too much of.
    pub fn shrink_to_fit(&mut self) {
        self.rights.shrink_to_fit();
        self.permissions.shrink_to_fit();
    }

    /// Takes in that the clock was set back from `before` to `now`: to wait for what lies between to come again would be
    /// blindness. What happened stays as long ago as it was.
    pub fn set_back(&mut self, before: DateTime<Utc>, now: DateTime<Utc>) {
        let by = (before - now).max(TimeDelta::zero());
        self.moments(&mut |moment| {
            if *moment > now {
                *moment = (*moment - by).min(now);
            }
        });
    }

    /// Lets `change` see every moment that it holds.
    fn moments(&mut self, change: &mut impl FnMut(&mut DateTime<Utc>)) {
        for attempts in [&mut self.validity, &mut self.permission_checks] {
            let moments = [&mut attempts.last_attempt, &mut attempts.last_success, &mut attempts.failing_since];
            moments.into_iter().chain([&mut attempts.silent_since]).flatten().for_each(&mut *change);
        }
        self.since.iter_mut().for_each(&mut *change);
        if let Some(doubt) = &mut self.doubt {
            [&mut doubt.first, &mut doubt.last].into_iter().for_each(&mut *change);
        }
        if let Some(user) = &mut self.user {
            user.group_asked.iter_mut().chain(&mut user.doubted_at).for_each(&mut *change);
            user.group_change.iter_mut().for_each(|known| change(&mut known.at));
            user.admin.moments(change);
        }
        self.rights.iter_mut().for_each(|known| known.belief.moments(change));
        self.permissions.iter_mut().for_each(|known| known.belief.moments(change));
        self.audit.iter_mut().for_each(|audit| change(&mut audit.at));
    }
}

/// A change of a standing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transition {
    /// What kind of thing changed.
    pub kind: TransitionKind,
    /// Which one, where there are several: a permission or a right.
    pub subject: Option<String>,
    /// What was believed.
    pub before: String,
    /// What is believed now.
    pub after: String,
    /// Since when, as it was first seen.
    pub since: DateTime<Utc>,
    /// What shows it, for permissions.
    pub evidence: Option<Evidence>,
    /// The same in words: the request and its answer, or the user's right.
    pub shown_by: Option<String>,
}

/// What kind of thing changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TransitionKind {
    /// The token's state.
    State,
    /// A permission was lost or came back.
    Permission,
    /// A right of the user was lost or came back.
    Right,
    /// The user's security group.
    SecurityGroup,
    /// Whether the user is a Global Admin.
    GlobalAdmin,
    /// Another token value is used: a rotation.
    Fingerprint,
    /// The same token value has another name in the configuration.
    Name,
}

impl TransitionKind {
    /// Every kind, so that each has its series.
    pub const ALL: [Self; 7] = [
        Self::State,
        Self::Permission,
        Self::Right,
        Self::SecurityGroup,
        Self::GlobalAdmin,
        Self::Fingerprint,
        Self::Name,
    ];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Permission => "permission",
            Self::Right => "right",
            Self::SecurityGroup => "security_group",
            Self::GlobalAdmin => "global_admin",
            Self::Fingerprint => "fingerprint",
            Self::Name => "name",
        }
    }
}
