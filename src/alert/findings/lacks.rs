//! What a token may not do that it should: permissions that are missing, rights that its user lost, customers that it does
//! not see any more. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::finding::{Finding, Member, Tenancy};
use crate::alert::firing::Affected;
use crate::alert::kind::{Alert, Severity};
use crate::alert::rules::{Rules, delta};
use crate::belief::{Cause, Evidence, PermissionState, PermissionStatus, RightStatus, Strength};
use crate::catalog::catalog;
use crate::model::{Ignored, Scope, Token};
use crate::syncro::Right;

use super::{user, users};

/// One finding for each wanted permission that is missing, where that matters.
pub(super) fn permissions(tenancy: &Tenancy<'_>, member: &Member<'_>, rules: Rules<'_>, findings: &mut Vec<Finding>) {
    for wanted in &member.token.wanted {
        let Some(permission) = member.status.of_permission(wanted.permission) else { continue };
        let is_meant = member.token.ignores(wanted.permission, rules.now).is_some();
        if permission.state() == PermissionState::Missing && permission.matters(wanted.required) && !is_meant {
            findings.push(missing(tenancy, member, permission, wanted.required, rules));
        }
    }
}

fn missing(
    tenancy: &Tenancy<'_>,
    member: &Member<'_>,
    permission: &PermissionStatus,
    required: bool,
    rules: Rules<'_>,
) -> Finding {
    let (status, belief) = (member.status, &permission.belief);
    let is_weak = !belief.lost && permission.strength() != Some(Strength::Shown);
    let severity = if required && !is_weak { Severity::Critical } else { Severity::Warning };
    let may_be_of_change = matches!(permission.cause, Cause::User | Cause::Undetermined) && belief.lost;
    let is_of_change = may_be_of_change && users::is_of_change(member, belief);
    let alert = if is_of_change { Alert::UserChanged } else { kind(belief.lost) };
    let scope = match permission.cause {
        _ if alert == Alert::UserChanged => user(tenancy, member),
        Cause::Token | Cause::Undetermined => Scope::of_token(tenancy.name, &member.token.name),
        Cause::SecurityGroup | Cause::User => group(tenancy, member),
    };
    let is_vague = alert != Alert::UserChanged
        && match permission.cause {
            Cause::Undetermined => true,
            Cause::SecurityGroup | Cause::User => member.group.is_none(),
            Cause::Token => false,
        };
    // What was shown before the token stopped working, or could not be probed since, makes no alert begin.
    let is_current = permission.evidence == Evidence::Right || !permission.unseen && !status.permissions_are_outdated();
    let of_others = permission.cause != Cause::Token && permission.cause != Cause::Undetermined;
    let waits = waits_until(member, rules).is_some() || member.is_outdated || status.validity.failures > 0;
    let finding = Finding::new(alert, scope, severity, belief.since)
        .affecting(Affected::permission(&member.token.name, permission.permission.name()));
    Finding { granted_at: belief.granted_at(), may_begin: is_current && !(of_others && waits), is_vague, ..finding }
}

fn kind(lost: bool) -> Alert {
    if lost { Alert::PermissionLost } else { Alert::PermissionMissing }
}

/// The security group of a token's user as a scope; the user while the name of the group is not known.
fn group(tenancy: &Tenancy<'_>, member: &Member<'_>) -> Scope {
    let of_group =
        member.group.map(|group| Scope::SecurityGroup { tenant: tenancy.name.to_owned(), group: group.to_owned() });
    of_group.unwrap_or_else(|| user(tenancy, member))
}

/// One finding for each right in `/me` that the user lost.
pub(super) fn rights(tenancy: &Tenancy<'_>, member: &Member<'_>, rules: Rules<'_>, findings: &mut Vec<Finding>) {
    let lost = member.status.rights.iter().filter(|right| right.belief.granted == Some(false) && right.belief.lost);
    let lost = lost.filter(|right| !is_meant(member.token, &right.right, rules));
    for RightStatus { right, belief } in lost {
        let is_of_change = users::is_of_change(member, belief);
        let (alert, scope) = if is_of_change {
            (Alert::UserChanged, user(tenancy, member))
        } else {
            (Alert::SecurityGroupRightLost, group(tenancy, member))
        };
        // What came back since it was lost may have come back together with the right, which was not asked for since.
        let came_back = member.status.permissions.iter().map(|permission| &permission.belief);
        let came_back =
            came_back.filter(|permission| permission.granted == Some(true) && permission.since > belief.since);
        let is_fresh = came_back.map(|permission| permission.since).max() < Some(belief.refused_at());
        let is_vague = alert != Alert::UserChanged && member.group.is_none();
        let finding = Finding::new(alert, scope, Severity::Warning, belief.since)
            .affecting(Affected::right(&member.token.name, right.as_str()));
        let may_begin = is_fresh && waits_until(member, rules).is_none() && member.status.validity.failures == 0;
        findings.push(Finding { granted_at: belief.granted_at(), may_begin, is_vague, ..finding });
    }
}

/// Whether a permission that the token is meant to lack goes along with a right.
fn is_meant(token: &Token, right: &Right, rules: Rules<'_>) -> bool {
    let covers = |ignored: &&Ignored| catalog().right(ignored.permission).is_some_and(|of| of.name == right.as_str());
    token.ignored.iter().filter(covers).any(|ignored| token.ignores(ignored.permission, rules.now).is_some())
}

/// Until when no alert about the security group begins, because it is being checked whether the user is still in it; `None`
/// if nothing is waited for.
pub(super) fn waits_until(member: &Member<'_>, rules: Rules<'_>) -> Option<DateTime<Utc>> {
    /// The time that the two checks that follow may take besides.
    const SLACK: TimeDelta = TimeDelta::seconds(5);
    let doubted_at = member.status.user.as_ref()?.doubted_at?;
    let until = doubted_at + delta(rules.alerts.confirm_after) * 2 + SLACK;
    (rules.now < until).then_some(until)
}

/// That the token sees far fewer customers than before.
pub(super) fn customers(tenancy: &Tenancy<'_>, member: &Member<'_>) -> Option<Finding> {
    let since = member.status.customers_hidden_since()?;
    let scope = Scope::of_token(tenancy.name, &member.token.name);
    let finding = Finding::new(Alert::CustomersHidden, scope, Severity::Warning, since);
    Some(finding.affecting(Affected::token(&member.token.name)))
}
