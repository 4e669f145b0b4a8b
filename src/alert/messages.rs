//! The message of an alert about a token: what broke, since when, who is affected, and where to click to fix it. Pure.
//!
//! The clicks are those of JumpCloud's guide "Prepare Syncro PSA for integration with JumpCloud"; the menus are named
//! as Syncro shows them.

use chrono::{DateTime, TimeDelta, Utc};

use crate::belief::{Cause, Evidence, PermissionStatus, Strength, TokenStatus};
use crate::model::{Scope, Token};

use super::Alert;
use super::message::Message;

const NEW_TOKEN: &str = "More > Admin > API > API Tokens > New Token > Custom Permissions";
const GROUP: &str = "More > Admin > Syncro Administration > Security Groups";
const USER: &str = "More > Admin > Syncro Administration > Users > the user > Details > Security Permissions";

/// The address of the page that shows the scope of an alert: the page of a token, the list of a tenant's tokens, or of
/// all tokens.
pub fn page(external_url: &str, scope: &Scope) -> String {
    match scope {
        Scope::Fleet => format!("{external_url}/"),
        Scope::Tenant(name) => {
            let query = url::form_urlencoded::Serializer::new(String::new()).append_pair("q", name).finish();
            format!("{external_url}/?{query}")
        }
        Scope::Token(token) => format!("{external_url}{}", token.path()),
    }
}

/// The address of the runbook of an alert, a page that the daemon serves.
pub fn runbook(external_url: &str, alert: Alert) -> String {
    format!("{external_url}/runbooks/{}", alert.as_str())
}

/// The names of a token, to stand in a sentence.
fn named(token: &Token) -> String {
    format!("token `{}` of tenant `{}`", token.name, token.tenant.name)
}

/// What fails with the token, as the end of a sentence.
fn affected(token: &Token) -> String {
    token
        .profile
        .as_ref()
        .map_or_else(|| "whatever uses it fails".to_owned(), |profile| format!("{} fails with it", profile.title))
}

/// The user of a token, to stand in a sentence: with the name, if names may be shown.
fn user_of(token: &Token, status: &TokenStatus) -> String {
    match status.user.as_ref().and_then(|user| user.name.as_deref()) {
        Some(user) => format!("the user `{user}` of {}", named(token)),
        None => format!("the user of {}", named(token)),
    }
}

pub(super) fn day(moment: DateTime<Utc>) -> String {
    moment.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// A message about a token, with the fields that all such messages have in common.
fn message(token: &Token, status: &TokenStatus, what: &str, fix: &str) -> Message {
    let security_group = status.current_group().map(str::to_owned);
    Message {
        security_group,
        profile: token.profile_name().map(str::to_owned),
        contact: token.contact.clone(),
        note: token.note.clone(),
        ..Message::new(what, fix)
    }
}

/// The message of an alert that follows from the state of a token.
pub(super) fn state(alert: Alert, token: &Token, status: &TokenStatus) -> Message {
    let (name, affected) = (named(token), affected(token));
    let replace = format!("{NEW_TOKEN}, then put the value where this token is read from");
    let (what, fix) = match alert {
        Alert::TokenExpired => {
            // A date that was moved ahead since then is not the one at which the token expired.
            let date = token.expires.filter(|expires| Some(*expires) <= status.validity.last_attempt);
            let expired = date.map_or_else(String::new, |date| format!(" (declared expiry {})", day(date)));
            (
                format!("{name} expired{expired}; {affected}"),
                format!("Make a new one: {replace}, and set its expiry in the configuration"),
            )
        }
        Alert::TokenRejected => (
            {
                let expired = if token.expires.is_none() { "expired, " } else { "" };
                format!("{name} is refused: {expired}revoked, deleted or mistyped, or its user is gone; {affected}")
            },
            format!(
                "Check whether it is still listed under More > Admin > API > API Tokens; if not, make a new one: \
                {replace}"
            ),
        ),
        Alert::TokenRestricted => (
            format!("Syncro answers {name} as it does for a missing permission, even at `/me`; {affected}"),
            format!(
                "Check whether it is still listed under More > Admin > API > API Tokens, and what its user may do: {USER}; \
                if neither helps, make a new token: {replace}"
            ),
        ),
        Alert::TokenWrongAccount => wrong_account(token, status),
        Alert::TokenUserLockedOut => (
            format!("{} may not use Syncro any more; {affected}", user_of(token, status)),
            format!("Fix the user: {USER}, or make a token of another user: {replace}"),
        ),
        Alert::TokenBlocked => (
            format!(
                "{name} is refused before it is read, perhaps by the IP allow-list; {affected} if its address is \
                refused too"
            ),
            "See Admin > Employees > IP Allow List, which has a switch of its own for APIs".to_owned(),
        ),
        _ => {
            let why = status.unreadable.as_ref().map_or_else(|| "cannot be read".to_owned(), ToString::to_string);
            (
                format!("the token value of {name} {why}, so it is not watched"),
                "Put the value there; it is read again at the next check".to_owned(),
            )
        }
    };
    message(token, status, &what, &fix)
}

/// What is said of a token that works on another account: the account may have been renamed, or the value may be another
/// token's. Whether the value and its user are those of before says which.
fn wrong_account(token: &Token, status: &TokenStatus) -> (String, String) {
    let (name, affected) = (named(token), affected(token));
    let ours = token.tenant.subdomain.as_deref().unwrap_or_default();
    let put = "Put the right value where this token is read from";
    let Some(elsewhere) = &status.elsewhere else {
        return (format!("{name} works, but on another Syncro account than `{ours}`; {affected}"), put.to_owned());
    };
    let theirs = &elsewhere.subdomain;
    let works = format!("{name} works, but on the Syncro account `{theirs}` and not on `{ours}`");
    match elsewhere.is_same_token {
        Some(true) => (
            format!(
                "{works}; its value and its user are the same as before, so the account was probably renamed; {affected}"
            ),
            format!("If it was renamed, set `subdomain = \"{theirs}\"` for the tenant, here and in the integration"),
        ),
        Some(false) => (
            format!(
                "{works}; its value or its user is another one, so it is probably the value of another token; {affected}"
            ),
            put.to_owned(),
        ),
        None => (format!("{works}; {affected}"), format!("{put}, or the right `subdomain` into the configuration")),
    }
}

/// The message of `TokenExpiring`.
pub(super) fn expiring(token: &Token, status: &TokenStatus, expires: DateTime<Utc>, now: DateTime<Utc>) -> Message {
    let what =
        format!("{} expires {}, on {}; then {}", named(token), when(expires - now), day(expires), affected(token));
    let fix = format!(
        "Make a new one: {NEW_TOKEN}, then put the value where this token is read from and its expiry into the \
        configuration"
    );
    message(token, status, &what, &fix)
}

/// When a moment is that lies so far ahead, in the largest unit of which there are at least two.
fn when(left: TimeDelta) -> String {
    match (left.num_days(), left.num_hours(), left.num_minutes(), left.num_seconds()) {
        (days @ 2.., ..) => format!("in {days} days"),
        (_, hours @ 2.., ..) => format!("in {hours} hours"),
        (_, _, minutes @ 2.., _) => format!("in {minutes} minutes"),
        (.., seconds @ 2..) => format!("in {seconds} seconds"),
        // The alert fires until the check that is due then has been confirmed.
        _ => "now".to_owned(),
    }
}

/// The message of `TokenExpiryOutdated`.
pub(super) fn outdated(token: &Token, status: &TokenStatus, expires: DateTime<Utc>) -> Message {
    let what = format!(
        "{} still works after its declared expiry of {}: the date in the configuration is wrong",
        named(token),
        day(expires)
    );
    message(token, status, &what, "Read its expiry under More > Admin > API > API Tokens and correct `expires`")
}

/// The message of `PermissionLost` and of `PermissionMissing`.
pub(super) fn permission(
    alert: Alert,
    token: &Token,
    status: &TokenStatus,
    missing: &PermissionStatus,
    required: bool,
) -> Message {
    let (permission, cause, evidence) = (missing.permission.name(), missing.cause, missing.evidence);
    let group = status.current_group();
    let name = named(token);
    let probably = if missing.strength() == Some(Strength::Shown) { "" } else { "probably " };
    let happened = match (alert, evidence) {
        (Alert::PermissionLost, Evidence::Probe) => format!("{name} {probably}lost `{permission}`"),
        (Alert::PermissionLost, Evidence::Right) => format!("{name} lost `{permission}`, as its user's rights show"),
        (_, Evidence::Probe) => format!("{name} {probably}lacks `{permission}`"),
        (_, Evidence::Right) => format!("{name} probably lacks `{permission}`, as its user's rights show"),
    };
    let affected =
        if required { affected(token) } else { "it is recommended for the integration that uses it".to_owned() };
    let in_group = match group {
        Some(group) => format!("{GROUP} > `{group}` > tick `{permission}` > Save"),
        None => format!("{GROUP} > the group of its user > tick `{permission}` > Save"),
    };
    let in_token = format!("{NEW_TOKEN} with `{permission}`");
    let sure = missing.ground.is_some_and(|ground| ground.strength == Strength::Shown);
    let fix = match cause {
        Cause::SecurityGroup if sure => format!("The security group is too narrow: {in_group}"),
        Cause::SecurityGroup => {
            format!("Probably the security group is too narrow: {in_group}; if it is ticked there, the token lacks it")
        }
        Cause::User => format!("{}, or {in_group}", moved(status)),
        Cause::Token if sure => format!("The user may do it, so the token is too narrow: {in_token}"),
        Cause::Token => format!("Probably the token is too narrow: {in_token}; if the user may not do it: {in_group}"),
        Cause::Undetermined => format!("Either the security group is too narrow: {in_group}; or the token: {in_token}"),
    };
    Message {
        permission: Some(permission.to_owned()),
        cause: Some(cause),
        evidence: Some(evidence),
        shown_by: missing.shown_by(&token.tenant),
        ..message(token, status, &format!("{happened}; {affected}"), &fix)
    }
}

/// How the user behind a token was changed, and where that is changed back.
fn moved(status: &TokenStatus) -> String {
    let change = status.user.as_ref().and_then(|user| user.group_change.as_ref());
    match (change, status.current_group()) {
        (Some(change), Some(group)) => format!(
            "The security group of its user is `{group}` now and was `{}` before: {USER} > Security/Calendar Group > `{}` > Save",
            change.from, change.from
        ),
        (Some(change), None) => {
            format!(
                "The security group of its user is not `{}` any more: {USER} > Security/Calendar Group",
                change.from
            )
        }
        (None, _) => format!("Its user is no Global Admin any more: {USER} > Global Admin > Save"),
    }
}

/// How many peers of a security group a message names at most; the status page shows them all. A chat accepts no more
/// than some thousand characters.
const MOST_NAMED: usize = 5;

/// The same message, which also names the peers in the security group that need the permission too.
pub(super) fn of_group<'a>(message: &Message, affected: impl Iterator<Item = &'a Token>) -> Message {
    let named = |token: &Token| match &token.profile {
        Some(profile) => format!("`{}` ({})", token.name, profile.title),
        None => format!("`{}`", token.name),
    };
    let mut affected = affected.fuse();
    let named: Vec<_> = affected.by_ref().take(MOST_NAMED).map(named).collect();
    if named.is_empty() {
        return message.clone();
    }
    let more = match affected.count() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let too = format!("others of the same security group need it too: {}{more}", named.join(", "));
    message.reworded(Message::new(&format!("{}; {too}", message.what()), message.fix()))
}

/// The message of `SecurityGroupRightLost`.
pub(super) fn right(token: &Token, status: &TokenStatus, right: &str) -> Message {
    let group = status.current_group();
    let group = group.map_or_else(|| "the group of its user".to_owned(), |group| format!("`{group}`"));
    let what = format!("{} lost the right `{right}`; what needs it may fail", user_of(token, status));
    // The group is read once an hour, so that a move may be found that long before or after what it changed.
    let lost_at = status.rights.iter().find(|known| known.right.as_str() == right).map(|known| known.belief.since);
    let is_near = |at: DateTime<Utc>| lost_at.is_some_and(|lost_at| (at - lost_at).abs() <= TimeDelta::hours(1));
    let was_changed = status.user.as_ref().is_some_and(|user| {
        let moved_at = user.group_change.as_ref().map(|change| change.at);
        moved_at.is_some_and(is_near) || user.admin.lost && is_near(user.admin.since)
    });
    let fix = if was_changed {
        format!("{}, or see what {group} allows: {GROUP} > {group}", moved(status))
    } else {
        format!("See what was unticked: {GROUP} > {group}")
    };
    Message { right: Some(right.to_owned()), ..message(token, status, &what, &fix) }
}

/// The message of `SecurityGroupChanged`.
pub(super) fn group(token: &Token, status: &TokenStatus, from: &str) -> Message {
    let group = status.security_group().unwrap_or_default();
    let what = format!(
        "{} is in the security group `{group}` now, before it was `{from}`; what the token may do may have changed",
        user_of(token, status)
    );
    let fix = format!("To change it back: {USER} > Security/Calendar Group > `{from}` > Save");
    message(token, status, &what, &fix)
}

/// The message of `GlobalAdminLost`.
pub(super) fn admin(token: &Token, status: &TokenStatus) -> Message {
    let what = format!(
        "{} is no longer a Global Admin, so its security group restricts the token now",
        user_of(token, status)
    );
    message(token, status, &what, &format!("To change it back: {USER} > Global Admin > Save"))
}

/// The message of an alert that is over.
pub(super) fn resolved(message: &Message, why: &str) -> Message {
    message.reworded(format!("over, {why}; it was: {}", message.what()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_that_is_over_says_what_it_was_and_no_steps() {
        let over = resolved(&Message::new("`a` expired. It fails", "Make a new one"), "seen again");
        assert_eq!((over.text.as_str(), over.fix()), ("over, seen again; it was: `a` expired. It fails", ""));
    }

    #[test]
    fn of_many_tokens_that_are_affected_a_few_are_named() {
        let others: Vec<Token> = (0..80).map(|number| crate::testing::token(&format!("t{number}"), &[])).collect();
        let message = Message::new("`a` lost it", "Tick it");
        let of = |count: usize| of_group(&message, others[..count].iter()).text;
        assert_eq!(of(0), message.text);
        let few = "`a` lost it; others of the same security group need it too: `t0`, `t1`, `t2`, `t3`, `t4`";
        assert_eq!(of(5), format!("{few}. Tick it"));
        assert_eq!(of(79), format!("{few} and 74 more. Tick it"));
    }

    #[test]
    fn an_expiry_is_said_in_a_unit_that_fits_and_is_now_once_it_has_come() {
        let cases = [
            (TimeDelta::days(2), "in 2 days"),
            (TimeDelta::hours(47), "in 47 hours"),
            (TimeDelta::minutes(119), "in 119 minutes"),
            (TimeDelta::seconds(119), "in 119 seconds"),
            (TimeDelta::zero(), "now"),
            (TimeDelta::seconds(-30), "now"),
        ];
        for (left, expected) in cases {
            assert_eq!(when(left), expected);
        }
    }
}
