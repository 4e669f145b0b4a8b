//! What is said of a change of the user: no Global Admin any more, or moved to another security group. Pure.

use crate::alert::Member;

use super::steps::{lower, open_user_permissions};
use super::subject::Subject;
use super::words::name;

/// What happened to the user, as the end of a sentence: "is no longer a Global Admin".
pub(super) fn change(member: &Member<'_>) -> Option<String> {
    let user = member.status.user.as_ref()?;
    let demoted = user.admin.granted == Some(false) && user.admin.lost;
    let demoted = demoted.then(|| "is no longer a Global Admin".to_owned());
    let moved = user.group_change.as_ref().map(|change| match member.status.current_group() {
        Some(group) => format!("is in the security group {} now and was in {} before", name(group), name(&change.from)),
        None => format!("is not in the security group {} any more", name(&change.from)),
    });
    match (demoted, moved) {
        (Some(demoted), Some(moved)) => Some(format!("{demoted}, and {moved}")),
        (demoted, moved) => demoted.or(moved),
    }
}

/// The steps that take back what happened to the user.
pub(super) fn change_back(subject: &Subject<'_>, member: &Member<'_>) -> Vec<String> {
    let Some(user) = member.status.user.as_ref() else { return Vec::new() };
    let open = lower(&open_user_permissions(subject));
    let demoted = user.admin.granted == Some(false) && user.admin.lost;
    let demoted = demoted.then(|| format!("To change it back: {open} > Global Admin > Save"));
    let moved = user.group_change.as_ref();
    let moved = moved
        .map(|change| format!("To change it back: {open} > Security/Calendar Group > {} > Save", name(&change.from)));
    demoted.into_iter().chain(moved).collect()
}
