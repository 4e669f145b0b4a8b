//! What is wrong with a tenant and its tokens now, one thing at a time. Pure; `listing` makes alerts of it.

mod expiry;
mod lacks;
mod users;

use chrono::TimeDelta;

use crate::belief::TokenState;
use crate::model::Scope;

use super::finding::{Finding, Member, Tenancy};
use super::firing::Affected;
use super::kind::{Alert, Severity};
use super::rules::Rules;

/// A tenant of which no check has given a verdict for so long, while others answer, was perhaps closed or renamed.
const LONG_SILENCE: TimeDelta = TimeDelta::hours(24);

/// Everything that is wrong now.
pub(super) fn findings(tenancy: &Tenancy<'_>, rules: Rules<'_>) -> Vec<Finding> {
    let mut findings: Vec<Finding> = unreachable(tenancy, rules).into_iter().collect();
    let renamed = renamed_to(tenancy);
    for member in tenancy.members.values() {
        let state = state(tenancy, member, renamed.is_some());
        if state.is_none() {
            findings.extend(expiry::expiring(tenancy, member, rules));
        }
        findings.extend(state);
        if member.is_valid() {
            let first = findings.len();
            findings.extend(expiry::outdated(tenancy, member, rules));
            lacks::permissions(tenancy, member, rules, &mut findings);
            lacks::rights(tenancy, member, rules, &mut findings);
            findings.extend(users::changed(tenancy, member, rules));
            findings.extend(users::disabled(tenancy, member));
            findings.extend(lacks::customers(tenancy, member));
            for finding in &mut findings[first..] {
                finding.is_stale = member.status.has_returned;
                finding.may_begin &= !finding.is_stale;
            }
        }
    }
    findings
}

/// That the token does not work.
fn state(tenancy: &Tenancy<'_>, member: &Member<'_>, is_renamed: bool) -> Option<Finding> {
    let alert = match member.status.state {
        TokenState::Expired => Alert::TokenExpired,
        TokenState::Rejected => Alert::TokenRejected,
        TokenState::Restricted => Alert::TokenRestricted,
        TokenState::WrongAccount if is_renamed => Alert::TenantRenamed,
        TokenState::WrongAccount => Alert::TokenWrongAccount,
        TokenState::LockedOut => Alert::UserLockedOut,
        TokenState::Blocked => Alert::TenantBlocked,
        TokenState::Unreadable => Alert::TokenUnreadable,
        TokenState::Valid | TokenState::Unknown => return None,
    };
    let token_name = &member.token.name;
    let scope = match alert {
        Alert::TenantRenamed | Alert::TenantBlocked => Scope::Tenant(tenancy.name.to_owned()),
        Alert::UserLockedOut => user(tenancy, member),
        _ => Scope::of_token(tenancy.name, token_name),
    };
    let since = member.status.since.unwrap_or_default();
    Some(Finding::new(alert, scope, Severity::Critical, since).affecting(Affected::token(token_name)))
}

/// The user of a token as a scope; the token itself while the user is not known.
fn user(tenancy: &Tenancy<'_>, member: &Member<'_>) -> Scope {
    let tenant = tenancy.name;
    let of_user = member.user_id().map(|user| Scope::User { tenant: tenant.to_owned(), user });
    of_user.unwrap_or_else(|| Scope::of_token(tenant, &member.token.name))
}

/// The subdomain that the account has now: all of its tokens that reach an account name the same other one, with the
/// values and the users that they had. One of which no check has given a verdict since shows nothing of it, where two or more
/// others do.
fn renamed_to<'a>(tenancy: &'a Tenancy<'_>) -> Option<&'a str> {
    let is_elsewhere = |member: &&Member<'_>| member.status.elsewhere.is_some();
    let first = tenancy.members.values().filter(is_elsewhere).filter_map(|member| member.status.since).min()?;
    let let_in = tenancy.members.values().filter(|member| member.status.state.is_let_in());
    let (mut found, mut named, mut is_any_unseen) = (None, 0, false);
    for member in let_in {
        if member.status.validity.last_success < Some(first) {
            is_any_unseen = true;
            continue;
        }
        let elsewhere = member.status.elsewhere.as_ref().filter(|elsewhere| elsewhere.is_same_token == Some(true))?;
        let is_wrong = member.status.state == TokenState::WrongAccount;
        if !is_wrong || found.is_some_and(|subdomain: &str| !subdomain.eq_ignore_ascii_case(&elsewhere.subdomain)) {
            return None;
        }
        found = Some(elsewhere.subdomain.as_str());
        named += 1;
    }
    found.filter(|_| named > 1 || !is_any_unseen)
}

/// That no check of any token of the tenant gives a verdict.
fn unreachable(tenancy: &Tenancy<'_>, rules: Rules<'_>) -> Option<Finding> {
    let (since, _) = tenancy.silent?;
    let is_long = tenancy.others_answer && rules.now - since >= LONG_SILENCE;
    let severity = if is_long { Severity::Critical } else { Severity::Warning };
    let scope = Scope::Tenant(tenancy.name.to_owned());
    let finding = Finding::new(Alert::TenantUnreachable, scope, severity, since);
    // An alert that fires already ends only with a verdict.
    Some(Finding { may_begin: since + rules.unreachable_after() <= rules.now, ..finding })
}

/// The moments ahead at which time alone makes something true that is not now.
pub(super) fn moments<'a>(
    tenancy: &'a Tenancy<'_>,
    rules: Rules<'a>,
) -> impl Iterator<Item = chrono::DateTime<chrono::Utc>> {
    let silent = tenancy
        .silent
        .into_iter()
        .flat_map(move |(since, _)| [since + rules.unreachable_after(), since + LONG_SILENCE]);
    let members = tenancy.members.values().flat_map(move |member| {
        let notices = member.token.expiry_notices(&rules.alerts.expiry_notice).map(|(_, at)| at);
        let ignored = member.token.ignored.iter().filter_map(|ignored| ignored.until);
        notices.chain(ignored).chain(users::ends(member, rules)).chain(lacks::waits_until(member, rules))
    });
    silent.chain(members).filter(move |at| *at > rules.now)
}

#[cfg(test)]
mod tests;
