//! What is wrong with the user of a token: changed, or not in the list of users any more. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::finding::{Finding, Member, Tenancy};
use crate::alert::firing::Affected;
use crate::alert::kind::{Alert, Severity};
use crate::alert::rules::Rules;
use crate::belief::Belief;

use super::user;

/// The group of a user is read once an hour, so a change may be found so long before or after what it changed.
const NEAR: TimeDelta = TimeDelta::minutes(65);

/// When the user was last changed: moved to another security group, or no Global Admin any more.
pub(super) fn changed_at(member: &Member<'_>) -> impl Iterator<Item = DateTime<Utc>> {
    let user = member.status.user.as_ref();
    let moved = user.and_then(|user| user.group_change.as_ref()).map(|change| change.at);
    let demoted = user.filter(|user| user.admin.granted == Some(false) && user.admin.lost);
    moved.into_iter().chain(demoted.map(|user| user.admin.since))
}

/// Whether what was lost may have been lost by a change of the user: what was seen after the change was not.
pub(super) fn is_of_change(member: &Member<'_>, lost: &Belief) -> bool {
    changed_at(member).any(|at| (at - lost.since).abs() <= NEAR && lost.granted_at() <= at)
}

/// That the user was changed, while that is news.
pub(super) fn changed(tenancy: &Tenancy<'_>, member: &Member<'_>, rules: Rules<'_>) -> Option<Finding> {
    let is_news = |at: &DateTime<Utc>| *at + rules.remind_every() > rules.now;
    let since = changed_at(member).filter(is_news).min()?;
    let finding = Finding::new(Alert::UserChanged, user(tenancy, member), Severity::Warning, since);
    Some(finding.affecting(Affected::token(&member.token.name)))
}

/// When changes of the user are no news any more.
pub(super) fn ends<'a>(member: &'a Member<'_>, rules: Rules<'a>) -> impl Iterator<Item = DateTime<Utc>> {
    changed_at(member).map(move |at| at + rules.remind_every())
}

/// That the user is not in the list of the account's users any more.
pub(super) fn disabled(tenancy: &Tenancy<'_>, member: &Member<'_>) -> Option<Finding> {
    let since = member.status.user.as_ref()?.unlisted_since()?;
    let finding = Finding::new(Alert::UserDisabled, user(tenancy, member), Severity::Warning, since);
    Some(finding.affecting(Affected::token(&member.token.name)))
}
