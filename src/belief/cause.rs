//! Which side lacks a permission that was refused. A call goes through if the user may make it and the token has it
//! ticked; so once it is refused, what is known of the user says which of the two is missing. Pure.
//!
//! Each [`Rule`] says what it takes for evidence about the user. What another token shows counts only if it was observed
//! between two refusals: what is older may have changed before the first of them, and what is newer since the last. What is
//! shown outweighs what is only indicated, and where the indications contradict each other, nothing is said.

use chrono::{DateTime, Utc};

use crate::catalog::{PermissionId, catalog};

use super::TokenStatus;
use super::evidence::{Cause, Evidence, Ground, Rule, Strength};
use super::permissions::{PermissionState, PermissionStatus};

/// Whether a user may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct UserSide {
    may: bool,
    ground: Ground,
}

impl TokenStatus {
    /// Deduces the cause of every permission that was refused, and returns those that are not what was believed, by the
    /// index of the permission. `others` are the other tokens of the tenant with which this one
    /// [shares its user's side](Self::shares_side_with); one that has the same value is this token under another name, and
    /// shows nothing besides.
    pub(crate) fn deduced_causes(&self, others: &[&Self]) -> Vec<(usize, Deduced)> {
        let others: Vec<&Self> = others.iter().filter(|other| !self.has_value_of(other)).copied().collect();
        // What was known stays until what has just been observed in `/me` has been followed by a check.
        let waits = |entry: &PermissionStatus| self.recheck && entry.ground.is_some();
        let refused = self.permissions.iter().enumerate().filter(|(_, entry)| entry.belief.refused_since().is_some());
        let deduced =
            refused.filter(|(_, entry)| !waits(entry)).map(|(index, entry)| (index, cause(entry, self, &others)));
        deduced
            .filter(|(index, cause)| (self.permissions[*index].cause, self.permissions[*index].ground) != *cause)
            .collect()
    }

    /// Takes in the causes that were deduced.
    pub(crate) fn take_causes(&mut self, deduced: Vec<(usize, Deduced)>) {
        for (index, cause) in deduced {
            (self.permissions[index].cause, self.permissions[index].ground) = cause;
        }
    }

    /// Whether another token is of the same user.
    pub(crate) fn is_of_same_user(&self, other: &Self) -> bool {
        is_same_user(self, other)
    }

    /// Whether what another token of the tenant shows may say something of this one's user: both are of one user, or of
    /// users whom the same security group restricts.
    pub(crate) fn shares_side_with(&self, other: &Self) -> bool {
        let ours = restricting(self);
        is_same_user(self, other) || ours.is_some() && ours == restricting(other)
    }

    /// The same by what was last read of both users' security groups, whether that is in doubt or not.
    pub(crate) fn may_share_side_with(&self, other: &Self) -> bool {
        let ours = self.restricting_group();
        is_same_user(self, other) || ours.is_some() && ours == other.restricting_group()
    }
}

/// A cause, and what it rests on.
pub(crate) type Deduced = (Cause, Option<Ground>);

/// The group that restricts the user of a token, unless it is in doubt.
fn restricting(status: &TokenStatus) -> Option<&str> {
    status.current_group().filter(|_| status.restricting_group().is_some())
}

/// The cause of one permission that was refused, and what it rests on.
fn cause(own: &PermissionStatus, status: &TokenStatus, others: &[&TokenStatus]) -> Deduced {
    let known = known(own, status, others);
    let shown = known.iter().find(|side| side.ground.strength == Strength::Shown);
    let agree = || known.iter().all(|side| side.may == known[0].may);
    let Some(side) = shown.or(known.first().filter(|_| agree())) else {
        // What other tokens showed stays shown when they are gone, or have shown more since: this one is asked again first.
        let of_others = |ground: Ground| matches!(ground.rule, Rule::SameUser | Rule::SameGroup | Rule::LostTogether);
        let remains = known.is_empty() && own.ground.is_some_and(of_others);
        return if remains { (own.cause, own.ground) } else { (Cause::Undetermined, None) };
    };
    let cause = match (side.may, was_changed(status, others)) {
        (true, _) => Cause::Token,
        (false, true) => Cause::User,
        (false, false) => Cause::SecurityGroup,
    };
    (cause, Some(side.ground))
}

/// Whether the user of a token is known to have been changed: the user is no Global Admin any more, or is in another security
/// group. Where all users of that group that are known came to it from the same one, the group may have been renamed.
fn was_changed(status: &TokenStatus, others: &[&TokenStatus]) -> bool {
    fn came_from(status: &TokenStatus) -> Option<&str> {
        Some(status.user.as_ref()?.group_change.as_ref()?.from.as_str())
    }
    let Some(user) = &status.user else { return false };
    let from = came_from(status);
    let mut others = others.iter().filter(|other| !is_same_user(status, other)).peekable();
    let may_be_renamed = others.peek().is_some() && others.all(|other| came_from(other) == from);
    user.admin.lost || from.is_some() && !may_be_renamed
}

/// Everything that is known of whether the user of a token may do what was refused.
fn known(own: &PermissionStatus, status: &TokenStatus, others: &[&TokenStatus]) -> Vec<UserSide> {
    let Some(refused_since) = own.belief.refused_since() else { return Vec::new() };
    let side = |may, strength, rule| UserSide { may, ground: Ground { strength, rule } };
    let mut known = Vec::new();
    if status.user.as_ref().and_then(|user| user.admin.last_seen()) == Some(true) {
        known.push(side(true, Strength::Shown, Rule::GlobalAdmin));
    }
    for other in others {
        let between = |at: &DateTime<Utc>| refused_since <= *at && *at <= own.belief.refused_at();
        // Both may be asked at nearly the same moment, and the answers come in any order.
        let got_through = got_through(own.permission, other).filter(|(at, _)| at.iter().any(between));
        let Some((_, strength)) = got_through else { continue };
        known.push(if is_same_user(status, other) {
            side(true, strength, Rule::SameUser)
        } else {
            side(true, Strength::Indicated, Rule::SameGroup)
        });
    }
    if let Some(may) = by_right(own.permission, status) {
        known.push(side(may, Strength::Indicated, Rule::Right));
    }
    if own.evidence == Evidence::Probe && lost_together(own, others) {
        known.push(side(false, Strength::Indicated, Rule::LostTogether));
    }
    known
}

/// What the user's right says of the permission, if it says anything: a user who has a right that covers only this one may;
/// a user without the right that is named for it may not.
fn by_right(permission: PermissionId, status: &TokenStatus) -> Option<bool> {
    let covering = catalog().right(permission)?;
    let right = status.rights.iter().find(|status| status.right.as_str() == covering.name)?;
    let may = right.belief.last_seen()?;
    let says = if may { covering.is_only_one } else { covering.is_named };
    says.then_some(may)
}

/// The last moments at which another token got through with this permission, and how strongly that shows that its user may.
fn got_through(permission: PermissionId, other: &TokenStatus) -> Option<([DateTime<Utc>; 2], Strength)> {
    let theirs = other.of_permission(permission).filter(|theirs| theirs.state() == PermissionState::Granted)?;
    let strength = theirs.strength().filter(|_| theirs.belief.last_seen() == Some(true))?;
    Some((theirs.belief.last_granted(), strength))
}

/// Whether the other tokens that had the permission lost it in the same round, and there is one.
fn lost_together(own: &PermissionStatus, others: &[&TokenStatus]) -> bool {
    let had = |entry: &&PermissionStatus| {
        entry.evidence == Evidence::Probe && entry.belief.granted_at() != DateTime::<Utc>::default()
    };
    let after = |refused: &PermissionStatus, granted: &PermissionStatus| {
        refused.belief.refused_since().is_some_and(|since| since >= granted.belief.granted_at())
    };
    let theirs = others.iter().filter_map(|other| other.of_permission(own.permission));
    let theirs: Vec<_> = theirs.filter(had).collect();
    had(&own) && !theirs.is_empty() && theirs.iter().all(|theirs| after(theirs, own) && after(own, theirs))
}

/// Whether two tokens are of one user.
fn is_same_user(status: &TokenStatus, other: &TokenStatus) -> bool {
    let id = |status: &TokenStatus| status.user.as_ref().map(|user| user.id);
    id(status).is_some() && id(status) == id(other)
}

#[cfg(test)]
mod tests;
