//! The status of each token: what is believed of it, and how a check changes that. Pure: `step` takes a status and the
//! observation of one part of a check, and returns what changed. A check that failed changes no belief.

mod cause;
mod confirmed;
mod customers;
mod evidence;
mod excess;
mod outage;
mod permission_first;
mod permissions;
mod proof;
mod set_back;
mod step;
mod transition;
mod unverified;
mod user;
mod verdict;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use strum::{IntoStaticStr, VariantArray};

use crate::catalog::PermissionId;
use crate::syncro::{Failure, Fingerprint, Reason, Unreadable};

pub(crate) use confirmed::{Belief, Confirmation};
pub(crate) use customers::Customers;
pub(crate) use evidence::{Cause, Evidence, Ground, Rule, Strength};
pub(crate) use excess::{Audit, Excess};
pub(crate) use outage::{
    FEWEST, LONGEST_TURNED_BAD, Outage, SAMPLE, TenantContact, TenantObservation, turned_bad, unreachable,
};
pub(crate) use permissions::{PermissionState, PermissionStatus, RightStatus, discard_unknown_permissions};
pub use proof::{Comparison, Followed, Proof};
pub(crate) use step::{Policy, see_listed, step};
pub use transition::{Transition, TransitionKind};
pub(crate) use unverified::WhyUnverified;
pub(crate) use user::User;
pub(crate) use verdict::{Elsewhere, Expectation, TokenState, Verdict, judge};

/// One of the two checks of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr, VariantArray)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Check {
    /// The check whether the token works.
    Validity,
    /// The check of what the token may do.
    Permissions,
}

impl Check {
    /// Both checks, so that each has its series in the metrics.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// The value of the label `check`.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The checks of one kind that were made of a token: when, and whether they gave a verdict.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Attempts {
    /// When the last check was made.
    pub last_attempt: Option<DateTime<Utc>>,
    /// When the last check was made that gave a verdict; that there is no usable value to be sent is one, too.
    pub last_success: Option<DateTime<Utc>>,
    /// The number of checks without a verdict since then.
    pub failures: u32,
    /// When the first of these was made.
    pub failing_since: Option<DateTime<Utc>>,
    /// Why the last check gave no verdict; `None` if it gave one.
    pub reason: Option<Reason>,
    /// Since when the other side has been silent: when the first of these checks was made after the last one that
    /// failed for a reason of the monitor itself ([`Reason::is_own`]), for such a check shows nothing of the other
    /// side.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silent_since: Option<DateTime<Utc>>,
}

impl Attempts {
    /// Records a check made at `now`, and why it gave no verdict if it gave none.
    fn record(&mut self, now: DateTime<Utc>, failure: Option<&Failure>) {
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

/// A verdict that has not been confirmed yet, because it has not been observed often enough.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// The state that was observed.
    pub state: TokenState,
    /// How often in a row it was observed, as far as the observations count.
    pub times: u32,
    /// When it was observed first.
    pub first: DateTime<Utc>,
    /// When it was last observed in a way that counts.
    #[serde(default)]
    pub last: DateTime<Utc>,
}

/// The status of one token: what is believed of it. It is persisted as JSON over restarts and upgrades: what an older
/// program did not know reads as its default. The attempts come first, so that a check that found nothing new rewrites
/// only one page of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct TokenStatus {
    /// The validity checks that were made.
    pub validity: Attempts,
    /// The permission checks that were made.
    pub permission_checks: Attempts,
    /// The last of them that asked for everything; none if an older program wrote this.
    pub full_check: Option<DateTime<Utc>>,
    /// When Syncro last answered a validity check in a way that gave a verdict; none if it never did, or if an older
    /// program wrote this.
    pub answered_at: Option<DateTime<Utc>>,
    /// When a check of it first gave a verdict, as far as it was recorded: nothing is known of the time before.
    pub known_since: Option<DateTime<Utc>>,
    /// The state of the token that is believed.
    pub state: TokenState,
    /// Since when the token has been in that state, as it was first observed.
    pub since: Option<DateTime<Utc>>,
    /// Another state that is being confirmed.
    pub doubt: Option<Doubt>,
    /// Whether another value has been read since the token last worked.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_value_new: bool,
    /// Whether the token came back to the configuration, and has not been seen to work since: what it lacks was seen
    /// before it left.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_returned: bool,
    /// When another value was first used than before; none if it never was, or if an older program wrote this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_since: Option<DateTime<Utc>>,
    /// Of how many expiry notices before which declared expiry somebody has been notified.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noticed: Option<(DateTime<Utc>, usize)>,
    /// How often `/me` let the token in after its declared expiry.
    pub worked_after_expiry: u32,
    /// Why the token value could not be read the last time; `None` if it could.
    pub unreadable: Option<Unreadable>,
    /// The fingerprint of the token value that was used last.
    pub fingerprint: Option<Fingerprint>,
    /// Where the token works instead, while it works on another account than the configured one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Elsewhere>,
    /// When the list of the account's users was last asked for with this token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub users_asked: Option<DateTime<Utc>>,
    /// How many customers the token sees, as the list of customers last said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub customers_visible: Option<u64>,
    /// How many it saw before.
    #[serde(skip_serializing_if = "Customers::is_empty")]
    pub customers: Customers,
    /// Whether something observed in `/me` makes a full check of the permissions due before its time.
    #[serde(rename = "look_again")]
    pub recheck: bool,
    /// The user behind the token, once `/me` has named one.
    pub user: Option<User>,
    /// The rights of that user, sorted.
    pub rights: Vec<RightStatus>,
    /// The wanted permissions about which anything is believed, sorted.
    #[serde(deserialize_with = "permissions::in_order")]
    pub permissions: Vec<PermissionStatus>,
    /// What the token may do besides, if it has been audited.
    pub audit: Option<Box<Audit>>,
    /// The value that came into use while a next token was configured, which may be that of the next token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub followed: Option<Followed>,
    /// What is believed of the token that is to follow it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<Box<TokenStatus>>,
    /// What is believed of the value that it had before a switch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub former: Option<Box<TokenStatus>>,
    /// Why this value, as that of the next token, could not be put in place although it is proven; none if that was not tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_switched: Option<Box<str>>,
}

impl Default for TokenStatus {
    fn default() -> Self {
        Self {
            answered_at: None,
            known_since: None,
            state: TokenState::Unknown,
            since: None,
            doubt: None,
            is_value_new: false,
            has_returned: false,
            value_since: None,
            noticed: None,
            worked_after_expiry: 0,
            unreadable: None,
            fingerprint: None,
            elsewhere: None,
            users_asked: None,
            customers_visible: None,
            customers: Customers::default(),
            validity: Attempts::default(),
            permission_checks: Attempts::default(),
            full_check: None,
            recheck: false,
            user: None,
            rights: Vec::new(),
            permissions: Vec::new(),
            audit: None,
            followed: None,
            next: None,
            former: None,
            not_switched: None,
        }
    }
}

impl TokenStatus {
    /// Whether the token works, as far as anybody has reason to believe.
    pub fn works(&self) -> bool {
        self.state == TokenState::Valid && self.doubt.is_none()
    }

    /// When Syncro last answered a validity check in a way that gave a verdict. That there is no usable value to be sent
    /// is a verdict, but no answer. Of what an older program wrote, a state that only an answer can show is evidence of one.
    pub(crate) fn answered(&self) -> Option<DateTime<Utc>> {
        let shown = !matches!(self.state, TokenState::Unreadable | TokenState::Unknown);
        self.answered_at.or(self.validity.last_success.filter(|_| shown))
    }

    /// The security group of the user behind the token, as it was last observed.
    pub fn security_group(&self) -> Option<&str> {
        self.user.as_ref()?.group.as_deref()
    }

    /// The same group, unless something has been observed since that may come of another one. Only this group is named
    /// as a cause.
    pub(crate) fn current_group(&self) -> Option<&str> {
        self.user.as_ref().filter(|user| user.doubted_at.is_none())?.group.as_deref()
    }

    /// Why the security group is not known, if `/users/{id}` was asked and did not say.
    pub(crate) fn group_problem(&self) -> Option<&str> {
        self.user.as_ref()?.group_problem.as_deref()
    }

    /// The security group that restricts the user behind the token, as it was last observed. None restricts a Global
    /// Admin (docs.syncromsp.com/security-group).
    pub(crate) fn restricting_group(&self) -> Option<&str> {
        let user = self.user.as_ref().filter(|user| user.admin.granted != Some(true))?;
        user.group.as_deref()
    }

    /// Whether what is believed of the permissions is older than the state of the token: it did not work in between,
    /// and much may have changed.
    pub(crate) fn permissions_are_outdated(&self) -> bool {
        self.permission_checks.last_attempt.is_some_and(|last| Some(last) < self.since)
    }

    /// Whether two tokens whose users are in one security group are believed to differ in what the group allows.
    pub(crate) fn differs_in_group(&self, other: &Self) -> bool {
        let of_group = |status: &&PermissionStatus| match status.state() {
            PermissionState::Missing => status.cause != Cause::Token,
            PermissionState::Granted => true,
            PermissionState::Unverified => false,
        };
        self.permissions.iter().filter(of_group).any(|ours| {
            let theirs = other.permissions.iter().filter(of_group).find(|theirs| theirs.permission == ours.permission);
            theirs.is_some_and(|theirs| theirs.state() != ours.state())
        })
    }

    /// The permissions that the security group is believed to lack, although another token of the same group has shown
    /// otherwise since the last check: that token has them, or lacks them for another cause.
    pub(crate) fn outdated_by(&self, other: &Self) -> impl Iterator<Item = PermissionId> {
        let lacks = |status: &&PermissionStatus| {
            status.state() == PermissionState::Missing && status.cause == Cause::SecurityGroup
        };
        let lacking = self.permissions.iter().filter(lacks).map(|status| status.permission);
        lacking.filter(|permission| {
            let shown_at = other.of_permission(*permission).and_then(|theirs| match (theirs.state(), theirs.cause) {
                (PermissionState::Granted, _) => other.permission_checks.last_success,
                (PermissionState::Missing, Cause::Token | Cause::User) => other.validity.last_success,
                (PermissionState::Missing | PermissionState::Unverified, _) => None,
            });
            shown_at > self.permission_checks.last_attempt
        })
    }

    /// The security group may be another one by now: it is read by the next check.
    pub(crate) fn doubt_group(&mut self, now: DateTime<Utc>) {
        if let Some(user) = &mut self.user {
            user.doubt_group(now);
        }
    }

    /// Since when the token has seen less than half of the customers that it saw.
    pub(crate) fn customers_hidden_since(&self) -> Option<DateTime<Utc>> {
        self.customers.hidden_since()
    }

    /// The most customers that the token saw within 30 days.
    pub(crate) fn customers_highest(&self) -> Option<u64> {
        self.customers.highest()
    }

    /// Whether any wanted permission is believed to be missing.
    pub(crate) fn lacks_anything(&self) -> bool {
        self.permissions.iter().any(|permission| permission.state() == PermissionState::Missing)
    }

    /// Whether something that was observed is not believed before it has been observed again.
    pub(crate) fn is_doubtful(&self) -> bool {
        let rights = self.rights.iter().map(|right| &right.belief);
        let mut beliefs = self.permissions.iter().map(|permission| &permission.belief).chain(rights);
        self.doubt.is_some() || self.recheck || beliefs.any(|belief| belief.doubts() > 0)
    }

    /// The status of a permission, if anything is believed of it.
    pub(crate) fn of_permission(&self, permission: PermissionId) -> Option<&PermissionStatus> {
        let index = self.permissions.binary_search_by_key(&permission, |status| status.permission).ok()?;
        Some(&self.permissions[index])
    }

    /// The state of a permission, as far as it has been confirmed.
    pub(crate) fn permission_state(&self, permission: PermissionId) -> PermissionState {
        self.of_permission(permission).map_or(PermissionState::Unverified, PermissionStatus::state)
    }

    /// When the token was last audited.
    pub(crate) fn audited(&self) -> Option<DateTime<Utc>> {
        self.audit.as_ref().map(|audit| audit.at)
    }

    /// Releases the memory that was allocated in excess while it was read or grew.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.rights.shrink_to_fit();
        self.permissions.shrink_to_fit();
    }
}

#[cfg(test)]
mod tests;
