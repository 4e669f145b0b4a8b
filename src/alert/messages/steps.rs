//! The steps that fix what is wrong: one action each, with the page or the menu of Syncro that it is done on. Pure.
//!
//! The clicks are those of JumpCloud's guide "Prepare Syncro PSA for integration with JumpCloud". Only the pages of the API
//! tokens have an address that is known; the other menus are named as Syncro shows them.

use crate::alert::Member;
use crate::model::{Tenant, Token, TokenSource};

use super::subject::{Subject, integration};
use super::words::{ROOM_IN_STEP, each_once, list, name, permission, quoted, title};

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
        None => format!("the security group of the user {}", subject.user()),
    };
    go_to(subject.tenant(), &format!("{GROUPS} > {group}"))
}

/// The page of the user, as the beginning of a step.
pub(super) fn open_user(subject: &Subject<'_>) -> String {
    go_to(subject.tenant(), &format!("{USERS} > the user {}", subject.user()))
}

/// The page of the user's security group, as the beginning of a step.
pub(super) fn open_user_permissions(subject: &Subject<'_>) -> String {
    format!("{} > Details > Security Permissions", open_user(subject))
}

/// The place from which the value of a token is read, and the key in the configuration that says so.
pub(super) fn place(source: &TokenSource) -> String {
    match source {
        TokenSource::File(path) => format!("the file {} (`token_file`)", quoted(&path.to_string_lossy(), LONGEST_PATH)),
        TokenSource::Environment(variable) => format!("the environment variable {} (`token_env`)", name(variable)),
        TokenSource::Credential(credential) => {
            format!("the systemd credential {} (`token_credential`)", name(credential))
        }
    }
}

/// Where the values of the tokens belong.
fn places(members: &[&Member<'_>]) -> String {
    match members {
        [] => "the place from which it is read".to_owned(),
        [member] => place(&member.token.source),
        members => {
            let each =
                members.iter().map(|member| format!("{}: {}", name(&member.token.name), place(&member.token.source)));
            format!("the place from which each is read ({})", list(&each.collect::<Vec<_>>(), ROOM_IN_STEP))
        }
    }
}

/// Puts the value of the tokens where they are read from, and where they are used.
fn put(members: &[&Member<'_>]) -> String {
    let integrations = each_once(members.iter().map(|member| integration(member.token)));
    let into = if integrations.is_empty() { "what uses it".to_owned() } else { list(&integrations, ROOM_IN_STEP) };
    let is_file = |member: &&Member<'_>| matches!(member.token.source, TokenSource::File(_));
    let restart =
        if members.iter().all(is_file) { "" } else { "; restart the monitor, which is given it only at its start" };
    format!("Put the value into {}, and into {into}{restart}", places(members))
}

/// Sets the declared expiry of a token to a date, such as "that date".
pub(super) fn declare(token: &Token, date: &str) -> String {
    let (token_name, tenant) = (name(&token.name), name(&token.tenant.name));
    format!("Set `expires` of the token {token_name} of the tenant {tenant} in the configuration to {date}, and reload")
}

/// The steps that replace the tokens of an alert by new ones. `condition` begins the first of them, where it is not sure that
/// they are needed: "If it is not listed any more".
pub(super) fn replace(subject: &Subject<'_>, condition: &str, permissions: &[&str]) -> Vec<String> {
    let maker = format!("as the user {} or another who may do the same", subject.user());
    replace_as(subject, &maker, condition, permissions)
}

/// The same, where `maker` says as which user the new tokens are made.
pub(super) fn replace_as(subject: &Subject<'_>, maker: &str, condition: &str, permissions: &[&str]) -> Vec<String> {
    let members = subject.members();
    let tick = match permissions {
        [] => format!("tick what {} needs", subject.integrations(ROOM_IN_STEP)),
        permissions => {
            format!("tick {}, and what {} needs besides", ticks(permissions), subject.integrations(ROOM_IN_STEP))
        }
    };
    let open = open(subject.tenant(), "/api_tokens/new#new-api-token", NEW_TOKEN);
    let new = if members.len() > 1 { "a new token for each" } else { "a new token" };
    let begin = if condition.is_empty() { open } else { format!("{condition}: {}", lower(&open)) };
    let create = format!("{begin} {maker}, {tick}, and create {new}; its value is shown only once");
    let mut steps = vec![create, put(&members)];
    let expiring: Vec<_> = members.iter().filter(|member| member.token.expires.is_some()).collect();
    match expiring.as_slice() {
        [] => {}
        [only] => steps.push(declare(only.token, "the date of the new token")),
        _ => {
            steps
                .push("Set `expires` of each in the configuration to the date of its new token, and reload".to_owned());
        }
    }
    steps.push("Delete the old token in Syncro once the new one works".to_owned());
    steps
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
