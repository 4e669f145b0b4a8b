//! The steps that fix what is wrong: one action each, with the page or the menu of Syncro that it is done on. Pure.
//!
//! The clicks are those of JumpCloud's guide "Prepare Syncro PSA for integration with JumpCloud". Only the pages of the API
//! tokens have an address that is known; the other menus are named as Syncro shows them.

use std::path::Path;

use crate::alert::Member;
use crate::model::{Tenant, Token, TokenSource};

use super::subject::Subject;
use super::words::{ROOM_IN_STEP, few, list, name, permission, quoted, title};

const TOKENS: &str = "More > Admin > API > API Tokens";
const NEW_TOKEN: &str = "More > Admin > API > API Tokens > New Token > Custom Permissions";
const GROUPS: &str = "More > Admin > Syncro Administration > Security Groups";
const USERS: &str = "More > Admin > Syncro Administration > Users";
pub(super) const ALLOW_LIST: &str = "Admin > Employees > IP Allow List";

/// The most characters of the path of a token file, from which it can still be opened.
const LONGEST_PATH: usize = 256;

/// Where to go in the account, as the beginning of a step.
pub(super) fn go_to(tenant: Option<&Tenant>, menu: &str) -> String {
    match tenant.and_then(|tenant| tenant.address_of("")) {
        Some(address) => format!("Open {address} and go to {menu}"),
        None => format!("In Syncro, go to {menu}"),
    }
}

/// The page of the account at this path, which this menu opens too, as the beginning of a step.
fn open(tenant: Option<&Tenant>, path: &str, menu: &str) -> String {
    match tenant.and_then(|tenant| tenant.address_of(path)) {
        Some(address) => format!("Open {address} ({menu})"),
        None => format!("In Syncro, go to {menu}"),
    }
}

/// The address of the account of this subdomain.
pub(super) fn address_of_account(subdomain: &str) -> String {
    format!("https://{}.syncromsp.com", title(subdomain))
}

/// Sets the subdomain of the tenant, to stand in a sentence.
pub(super) fn set_subdomain(subject: &Subject<'_>, subdomain: &str) -> String {
    let tenant = name(subject.tenancy.name);
    format!("set `subdomain = \"{}\"` of the tenant {tenant} in the configuration, and reload", title(subdomain))
}

/// The list of the account's API tokens, as the beginning of a step.
pub(super) fn open_tokens(tenant: Option<&Tenant>) -> String {
    open(tenant, "/api_tokens", TOKENS)
}

/// The list of security groups, or the group itself, as the beginning of a step.
pub(super) fn open_group(subject: &Subject<'_>) -> String {
    let group = match subject.group() {
        Some(group) => name(group),
        None => subject
            .user()
            .map_or_else(|| "the group of its user".to_owned(), |user| format!("the group of the user {user}")),
    };
    go_to(subject.tenant(), &format!("{GROUPS} > {group}"))
}

/// The page of the user, as the beginning of a step.
pub(super) fn open_user(subject: &Subject<'_>) -> String {
    let user = subject.user().map_or_else(|| "the user of the token".to_owned(), |user| format!("the user {user}"));
    go_to(subject.tenant(), &format!("{USERS} > {user}"))
}

/// The page of the user's security group, as the beginning of a step.
pub(super) fn open_user_permissions(subject: &Subject<'_>) -> String {
    format!("{} > Details > Security Permissions", open_user(subject))
}

/// The place from which the value of a token is read, and the key in the configuration that says so.
pub(super) fn place(source: &TokenSource) -> String {
    match source {
        // A token that is only tried has no place yet.
        TokenSource::File(path) if path.as_os_str().is_empty() => "the place where it is kept".to_owned(),
        TokenSource::File(path) => format!("the file {} (`token_file`)", quoted(&path.to_string_lossy(), LONGEST_PATH)),
        TokenSource::Environment(variable) => format!("the environment variable {} (`token_env`)", name(variable)),
        TokenSource::Credential(credential) => {
            format!("the systemd credential {} (`token_credential`)", name(credential))
        }
    }
}

/// The place from which the value of one of many tokens is read.
fn place_of(token: &Token) -> String {
    let place = match &token.source {
        TokenSource::File(path) => quoted(&path.to_string_lossy(), LONGEST_PATH),
        TokenSource::Environment(variable) => format!("the variable {}", name(variable)),
        TokenSource::Credential(credential) => format!("the credential {}", name(credential)),
    };
    format!("{}: {place}", name(&token.name))
}

/// Puts the values of new tokens where they are read from, and where they are used.
fn put(members: &[&Member<'_>], into: &str) -> String {
    match members {
        [] => format!("Put its value, which is shown only once, where it is read from, and into {into}"),
        [member] => {
            format!("Put its value, which is shown only once, into {}, and into {into}", place(&member.token.source))
        }
        members => {
            let places: Vec<_> = members.iter().map(|member| place_of(member.token)).collect();
            format!(
                "Put each value, which is shown only once, where it is read from ({}), and into {into}",
                few(&places)
            )
        }
    }
}

/// Sets the declared expiry of a token to a date, such as "that date".
pub(super) fn declare(token: &Token, date: &str) -> String {
    format!("{}, and reload", set_expiry(token, date))
}

fn set_expiry(token: &Token, date: &str) -> String {
    let (token_name, tenant) = (name(&token.name), name(&token.tenant.name));
    format!("Set `expires` of the token {token_name} of the tenant {tenant} in the configuration to {date}")
}

/// What the monitor has to be given of new tokens: their dates, and those values that it reads only at its start.
fn take_in(members: &[&Member<'_>], is_date_asked: bool) -> Option<String> {
    let is_reloaded = members.iter().all(|member| member.token.source.file().is_some());
    let then = if is_reloaded { "reload" } else { "restart the monitor" };
    let dated: Vec<_> = members.iter().filter(|member| member.token.expires.is_some()).collect();
    match (dated.as_slice(), members) {
        ([only], _) => Some(format!("{}, and {then}", set_expiry(only.token, "the date of the new token"))),
        ([], [only]) if is_date_asked => {
            Some(format!("{}, if it has one, and {then}", set_expiry(only.token, "the date of the new token")))
        }
        ([], _) if is_reloaded => None,
        ([], _) => Some("Restart the monitor, which is given the value only at its start".to_owned()),
        _ => Some(format!("Set `expires` of each in the configuration to the date of its new token, and {then}")),
    }
}

/// The steps that replace the tokens of an alert by new ones. `condition` begins the first of them, where it is not sure that
/// they are needed: "If it is not listed any more".
pub(super) fn replace(subject: &Subject<'_>, condition: &str, permissions: &[&str]) -> Vec<String> {
    let maker = subject.user().map(|user| format!(" as the user {user} or one who may do the same"));
    replace_as(subject, &maker.unwrap_or_default(), condition, permissions)
}

/// The same, where `maker` says as which user the new tokens are made.
pub(super) fn replace_as(subject: &Subject<'_>, maker: &str, condition: &str, permissions: &[&str]) -> Vec<String> {
    let mut steps = make(subject, maker, condition, permissions, false);
    let delete = if subject.members().len() > 1 {
        "Delete the old tokens in Syncro once the new ones work"
    } else {
        "Delete the old token in Syncro once the new one works"
    };
    steps.push(delete.to_owned());
    steps
}

/// The same for a token that is gone, so that nothing is left to delete. Where no expiry was declared, one is asked for, since
/// it may have expired.
pub(super) fn replace_gone(subject: &Subject<'_>) -> Vec<String> {
    let maker = subject.user().map(|user| format!(" as the user {user} or one who may do the same"));
    make(subject, &maker.unwrap_or_default(), "If it is gone", &[], true)
}

fn make(subject: &Subject<'_>, maker: &str, condition: &str, permissions: &[&str], is_date_asked: bool) -> Vec<String> {
    let members = subject.members();
    if let [member] = members.as_slice()
        && member.status.is_followed(member.token)
    {
        return vec![rotate(member.token, condition)];
    }
    let into = subject.integrations(ROOM_IN_STEP);
    let at = match subject.tenant().and_then(|tenant| tenant.address_of("/api_tokens/new#new-api-token")) {
        Some(address) => format!("at {address} (Custom Permissions)"),
        None => format!("in Syncro ({NEW_TOKEN})"),
    };
    let new = if members.len() > 1 { "make a new token for each" } else { "make a new token" };
    let begin = if condition.is_empty() { upper(new) } else { format!("{condition}: {new}") };
    let begin = format!("{begin} {at}{maker}");
    let made = match permissions {
        [] => vec![format!("{begin}, and tick what is needed by {into}")],
        permissions => vec![begin, format!("Tick {} there, and what else is needed by {into}", ticks(permissions))],
    };
    match next_file(&members) {
        Some((token, path)) => made.into_iter().chain([put_beside(token, path)]).collect(),
        None => made.into_iter().chain([put(&members, &into)]).chain(take_in(&members, is_date_asked)).collect(),
    }
}

/// The file of the next token of the only one, where the configuration names one.
fn next_file<'a>(members: &[&Member<'a>]) -> Option<(&'a Token, &'a Path)> {
    let [member] = members else { return None };
    Some((member.token, member.token.switched_files()?.1))
}

/// Puts the value of a new token where it is proven before it is used.
fn put_beside(token: &Token, next: &Path) -> String {
    format!(
        "Put its value, which is shown only once, into the file {} (`next_token_file`), set `next_expires` to its date, reload, and \
         run `syncro-token-monitor rotate` for the token {} of the tenant {}. It says what is left to be done",
        quoted(&next.to_string_lossy(), LONGEST_PATH),
        name(&token.name),
        name(&token.tenant.name)
    )
}

/// Puts the next token in place, which is proven.
fn rotate(token: &Token, condition: &str) -> String {
    let (tenant, token_name) = (name(&token.tenant.name), name(&token.name));
    let begin = if condition.is_empty() { "Run".to_owned() } else { format!("{condition}: run") };
    format!(
        "{begin} `syncro-token-monitor rotate` for the token {token_name} of the tenant {tenant}: its next token is proven. It says \
         what is left to be done"
    )
}

/// The permissions, as what is to be ticked.
pub(super) fn ticks(permissions: &[&str]) -> String {
    list(&permissions.iter().map(|text| permission(text)).collect::<Vec<_>>(), ROOM_IN_STEP)
}

/// A step to stand behind a condition.
pub(super) fn lower(step: &str) -> String {
    let mut characters = step.chars();
    characters.next().map_or_else(String::new, |first| first.to_lowercase().chain(characters).collect())
}

/// What stands behind a condition as a step.
fn upper(step: &str) -> String {
    let mut characters = step.chars();
    characters.next().map_or_else(String::new, |first| first.to_uppercase().chain(characters).collect())
}
