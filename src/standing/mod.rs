//! What we believe about each token, and how a look changes it. Pure: `step` takes a standing, a look and the time the
//! look began, and returns what changed. "Could not look" moves no belief.

mod belief;
mod permissions;
mod user;
mod verdict;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::config::{Probes, Token};
use crate::syncro::{
    Failure, Fingerprint, Look, Me, MeObservation, Part, PermissionLook, ProbeObservation, Reason, Seen, Unreadable,
};

pub use belief::Belief;
pub use permissions::{Cause, Evidence, PermissionStanding, PermissionState, RightStanding};
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
}

impl Attempts {
    fn note(&mut self, now: DateTime<Utc>, failure: Option<&Failure>) {
        self.last_attempt = Some(now);
        self.reason = failure.map(|failure| failure.reason);
        if failure.is_some() {
            self.failures += 1;
            self.failing_since.get_or_insert(now);
        } else {
            self.last_success = Some(now);
            self.failures = 0;
            self.failing_since = None;
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
}

/// What we believe about one token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
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
    /// The validity checks.
    pub validity: Attempts,
    /// The permission checks.
    pub permission_checks: Attempts,
    /// Whether something seen in `/me` makes a full look at the permissions due before its time.
    pub look_again: bool,
    /// The user behind it.
    pub user: Option<User>,
    /// The user's rights, sorted.
    pub rights: Vec<RightStanding>,
    /// The wanted permissions about which anything is believed, sorted.
    pub permissions: Vec<PermissionStanding>,
}

impl Default for Standing {
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
            look_again: false,
            user: None,
            rights: Vec::new(),
            permissions: Vec::new(),
        }
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
}

impl TransitionKind {
    /// Every kind, so that each has its series.
    pub const ALL: [Self; 6] =
        [Self::State, Self::Permission, Self::Right, Self::SecurityGroup, Self::GlobalAdmin, Self::Fingerprint];

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Permission => "permission",
            Self::Right => "right",
            Self::SecurityGroup => "security_group",
            Self::GlobalAdmin => "global_admin",
            Self::Fingerprint => "fingerprint",
        }
    }
}

/// What decides how a look is taken.
#[derive(Debug, Clone, Copy)]
pub struct Policy<'a> {
    /// The token that was looked at.
    pub token: &'a Token,
    /// How often in a row a bad verdict must be seen.
    pub confirmations: u32,
    /// Which probes may be sent.
    pub probes: Probes,
}

/// Takes one look into a standing; returns what changed.
#[must_use]
pub fn step(standing: &mut Standing, look: &Look, policy: Policy<'_>) -> Vec<Transition> {
    let mut changes = Changes { now: look.at, confirmations: policy.confirmations, transitions: Vec::new() };
    match &look.part {
        Part::Token(Seen::Unreadable(why)) => {
            standing.unreadable = Some(why.clone());
            standing.validity.note(look.at, None);
            changes.state(standing, TokenState::Unreadable);
        }
        Part::Token(Seen::Me { fingerprint, observation }) => {
            standing.unreadable = None;
            changes.fingerprint(standing, fingerprint);
            changes.me(standing, observation, policy);
        }
        Part::Permissions(permissions) => changes.permissions(standing, permissions, policy),
    }
    changes.transitions
}

struct Changes {
    now: DateTime<Utc>,
    confirmations: u32,
    transitions: Vec<Transition>,
}

impl Changes {
    fn push(&mut self, kind: TransitionKind, subject: Option<String>, before: &str, after: &str, since: DateTime<Utc>) {
        let (before, after) = (before.to_owned(), after.to_owned());
        self.transitions.push(Transition { kind, subject, before, after, since, evidence: None });
    }

    fn fingerprint(&mut self, standing: &mut Standing, fingerprint: &Fingerprint) {
        if let Some(before) = standing.fingerprint.as_ref().filter(|before| *before != fingerprint) {
            self.push(TransitionKind::Fingerprint, None, &before.to_string(), &fingerprint.to_string(), self.now);
        }
        standing.fingerprint = Some(fingerprint.clone());
    }

    fn me(&mut self, standing: &mut Standing, observation: &MeObservation, policy: Policy<'_>) {
        let Token { tenant, expires, .. } = policy.token;
        let expectation = Expectation { subdomain: tenant.subdomain.as_deref(), expires: *expires };
        let state = match judge(expectation, observation, self.now) {
            Verdict::CouldNotLook(failure) => return standing.validity.note(self.now, Some(&failure)),
            Verdict::Is(state) => state,
        };
        standing.validity.note(self.now, None);
        self.state(standing, state);
        let outlived = state == TokenState::Valid && expires.is_some_and(|expires| self.now >= expires);
        standing.worked_after_expiry = if outlived { standing.worked_after_expiry.saturating_add(1) } else { 0 };
        if let (TokenState::Valid, MeObservation::Works(me)) = (state, observation) {
            self.user(standing, me, policy);
        }
    }

    /// A good state is believed at once, a bad one when it has been seen often enough in a row.
    fn state(&mut self, standing: &mut Standing, seen: TokenState) {
        if seen == standing.state {
            standing.doubt = None;
            return;
        }
        let doubt = match standing.doubt.take() {
            Some(doubt) if doubt.state == seen => Doubt { times: doubt.times + 1, ..doubt },
            _ => Doubt { state: seen, times: 1, first: self.now },
        };
        if seen != TokenState::Valid && doubt.times < self.confirmations {
            standing.doubt = Some(doubt);
            return;
        }
        if standing.state != TokenState::Unknown || seen != TokenState::Valid {
            self.push(TransitionKind::State, None, standing.state.as_str(), seen.as_str(), doubt.first);
        }
        standing.state = seen;
        standing.since = Some(doubt.first);
    }

    fn user(&mut self, standing: &mut Standing, me: &Me, policy: Policy<'_>) {
        if standing.user.as_ref().is_none_or(|user| user.id != me.user_id) {
            // Another user is behind the token now: nothing was lost, it is another's.
            standing.user = Some(User::new(me.user_id));
            standing.rights.clear();
        }
        let mut doubtful = false;
        if let Some(user) = &mut standing.user
            && let Some(admin) = me.admin
        {
            let before = user.admin.held;
            if user.see_admin(admin, self.now, self.confirmations) && before.is_some() {
                let since = user.admin.since;
                self.push(TransitionKind::GlobalAdmin, None, word(!admin), word(admin), since);
                doubtful = true;
            }
            doubtful |= user.admin.doubts == 1;
        }
        doubtful |= self.rights(standing, me);
        standing.look_again |= doubtful;
        self.by_right(standing, policy);
    }

    /// Returns whether a right changed, or was just seen to be gone.
    fn rights(&mut self, standing: &mut Standing, me: &Me) -> bool {
        let mut doubtful = false;
        for (right, held) in &me.rights {
            match standing.rights.binary_search_by(|known| known.right.cmp(right)) {
                Err(index) => {
                    let belief = Belief::first(*held, self.now);
                    standing.rights.insert(index, RightStanding { right: right.clone(), belief });
                }
                Ok(index) => {
                    let belief = &mut standing.rights[index].belief;
                    if belief.see(*held, self.now, self.confirmations) {
                        let (subject, since) = (Some(right.as_str().to_owned()), belief.since);
                        self.push(TransitionKind::Right, subject, word(!*held), word(*held), since);
                        doubtful = true;
                    }
                    doubtful |= standing.rights[index].belief.doubts == 1;
                }
            }
        }
        doubtful
    }

    /// Permissions that no probe may show: there the user's right is evidence, of a weaker kind.
    fn by_right(&mut self, standing: &mut Standing, policy: Policy<'_>) {
        for wanted in &policy.token.wanted {
            if policy.probes.allowed(wanted.permission).is_some() {
                continue;
            }
            let Some(right) = &wanted.permission.get().right else { continue };
            // The belief about the right is confirmed on its own; here the latest sight counts, so that both agree.
            let held = standing
                .rights
                .iter()
                .find(|known| known.right.as_str() == right)
                .and_then(|known| known.belief.held.map(|held| held && known.belief.doubts == 0));
            if let Some(held) = held {
                self.permission(standing, wanted.permission, held, Evidence::Right);
            }
        }
    }

    fn permissions(&mut self, standing: &mut Standing, look: &PermissionLook, policy: Policy<'_>) {
        standing.permission_checks.note(self.now, look.failure());
        if look.full {
            standing.look_again = false;
        }
        if let (Some(user), Some(seen)) = (&mut standing.user, &look.user)
            && let Some((before, after)) = user.see_group(seen, self.now)
        {
            self.push(TransitionKind::SecurityGroup, None, &before, &after, self.now);
        }
        let wanted = &policy.token.wanted;
        // A token that stopped working while it was asked is refused everything, whatever it may do.
        let works = standing.state == TokenState::Valid && standing.doubt.is_none();
        for (permission, observation) in &look.probes {
            match observation {
                ProbeObservation::Missing if !works => known(standing, *permission, Evidence::Probe).unseen = true,
                ProbeObservation::Granted => self.permission(standing, *permission, true, Evidence::Probe),
                ProbeObservation::Missing => self.permission(standing, *permission, false, Evidence::Probe),
                ProbeObservation::Inconclusive(_) => known(standing, *permission, Evidence::Probe).unseen = false,
                ProbeObservation::Failed(_) => known(standing, *permission, Evidence::Probe).unseen = true,
            }
        }
        standing.permissions.retain(|known| wanted.iter().any(|wanted| wanted.permission == known.permission));
    }

    fn permission(
        &mut self,
        standing: &mut Standing,
        permission: crate::catalog::PermissionId,
        held: bool,
        evidence: Evidence,
    ) {
        let right = permission.get().right.as_ref().and_then(|right| {
            standing.rights.iter().find(|known| known.right.as_str() == right).and_then(|known| known.belief.held)
        });
        let admin = standing.user.as_ref().and_then(|user| user.admin.held);
        let known = known(standing, permission, evidence);
        let before = known.belief.held.map(|_| known.state());
        if !held {
            known.cause = permissions::cause(right, admin, evidence);
        }
        if known.see(held, evidence, self.now, self.confirmations) {
            let (after, since) = (known.state(), known.belief.since);
            if before.is_some() || after == PermissionState::Missing {
                let before = before.map_or("unknown", PermissionState::as_str);
                self.push(
                    TransitionKind::Permission,
                    Some(permission.name().to_owned()),
                    before,
                    after.as_str(),
                    since,
                );
                if let Some(transition) = self.transitions.last_mut() {
                    transition.evidence = Some(evidence);
                }
            }
        }
    }
}

fn known(
    standing: &mut Standing,
    permission: crate::catalog::PermissionId,
    evidence: Evidence,
) -> &mut PermissionStanding {
    let index = match standing.permissions.binary_search_by_key(&permission, |known| known.permission) {
        Ok(index) => index,
        Err(index) => {
            standing.permissions.insert(index, PermissionStanding::new(permission, evidence));
            index
        }
    };
    &mut standing.permissions[index]
}

fn word(held: bool) -> &'static str {
    if held { "held" } else { "not_held" }
}

#[cfg(test)]
mod tests;
