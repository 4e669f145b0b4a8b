//! The users who made tokens: the list of all of them, and the page of one, which says what depends on this user. Pure.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;
use serde::Deserialize;

use crate::belief::User;
use crate::state::{Health, HistoryQuery, Snapshot, TokenSnapshot};

use super::alerts::{Group, groups};
use super::expiry::Expiry;
use super::rows::{self, Histories, Row, rows};
use super::when::When;
use super::{Badge, Frame};

/// How many users are on one page, and how many tokens are on the page of one.
const USERS: usize = 100;
/// How many alerts are on the page of a user.
const MOST_ALERTS: usize = 40;

/// The query of the list, as it is in the address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct UsersQuery {
    /// Selects users whose name, number, tenant or security group contains this, without regard to case.
    q: String,
    /// The number of the page, from 1 on.
    page: Option<usize>,
}

/// A user with the tokens that the user made.
#[derive(Debug)]
struct Made<'a> {
    tenant: &'a str,
    user: &'a User,
    tokens: Vec<(Health, &'a TokenSnapshot)>,
}

/// One user in the list.
pub(super) struct UserRow {
    pub(super) tenant: String,
    pub(super) tenant_href: String,
    pub(super) name: String,
    pub(super) href: String,
    pub(super) group: Option<String>,
    pub(super) is_admin: bool,
    pub(super) badge: Badge,
    pub(super) tokens: usize,
    pub(super) integrations: String,
    /// The first expiry ahead.
    pub(super) expiry: Option<Expiry>,
    /// Since when the user has not been in the list of users any more.
    pub(super) unlisted_since: Option<When>,
}

#[derive(Template)]
#[template(path = "users.html")]
struct List<'a> {
    frame: Frame<'a>,
    query: &'a UsersQuery,
    all: usize,
    found: usize,
    /// Of how many tokens the user is not known.
    unknown: usize,
    users: Vec<UserRow>,
    before: Option<String>,
    after: Option<String>,
}

#[derive(Template)]
#[template(path = "user.html")]
struct One<'a> {
    frame: Frame<'a>,
    tenant: &'a str,
    user: UserRow,
    id: u64,
    group_problem: Option<&'a str>,
    alerts: Vec<Group>,
    rows: Vec<Row>,
    no_history: Option<String>,
}

/// The users of these tokens, each with the tokens that the user made, by tenant and number.
fn made<'a>(frame: Frame<'_>, tokens: impl Iterator<Item = &'a TokenSnapshot>) -> Vec<Made<'a>> {
    let mut all: BTreeMap<(&str, u64), Made<'a>> = BTreeMap::new();
    for entry in tokens {
        let (tenant, Some(user)) = (entry.token.tenant.name.as_str(), entry.status.user.as_ref()) else { continue };
        let one = all.entry((tenant, user.id)).or_insert_with(|| Made { tenant, user, tokens: Vec::new() });
        one.tokens.push((entry.health(frame.now), entry));
        // What another token showed last of the user is the newest.
        if user.group_asked > one.user.group_asked {
            one.user = user;
        }
    }
    all.into_values().collect()
}

fn row(frame: Frame<'_>, snapshot: &Snapshot, made: &Made<'_>) -> UserRow {
    let Made { tenant, user, tokens } = made;
    let ahead = tokens.iter().map(|(_, entry)| &entry.token);
    let ahead = ahead.filter(|token| !token.auto_rotated && token.expires.is_some_and(|expires| expires > frame.now));
    let titles: BTreeSet<_> = tokens
        .iter()
        .filter_map(|(_, entry)| entry.token.profile.as_ref())
        .map(|profile| profile.title.as_str())
        .collect();
    let worst = tokens.iter().map(|(health, _)| *health).min().unwrap_or(Health::Ok);
    UserRow {
        tenant: (*tenant).to_owned(),
        tenant_href: frame.tenant_path(tenant),
        name: user.name.clone().unwrap_or_else(|| format!("number {}", user.id)),
        href: frame.user_path(tenant, user.id),
        group: user.group.clone(),
        is_admin: user.admin.granted == Some(true),
        badge: worst.into(),
        tokens: tokens.len(),
        integrations: titles.into_iter().collect::<Vec<_>>().join(", "),
        expiry: ahead
            .min_by_key(|token| token.expires)
            .and_then(|token| Expiry::of(token, &snapshot.expiry_notice, frame.now)),
        unlisted_since: user.unlisted_since().map(|at| When::new(at, frame.now)),
    }
}

/// The users who made the tokens of a tenant.
pub(super) fn of_tenant(frame: Frame<'_>, snapshot: &Snapshot, tenant: &str) -> Vec<UserRow> {
    let tokens = snapshot.tokens.iter().filter(|entry| entry.token.tenant.name == tenant);
    made(frame, tokens).iter().map(|made| row(frame, snapshot, made)).collect()
}

/// Writes the list of users, those with the worst tokens first.
pub(in super::super) fn users(frame: Frame<'_>, snapshot: &Snapshot, query: &UsersQuery) -> askama::Result<String> {
    let all = made(frame, snapshot.tokens.iter());
    let term = query.q.trim().to_lowercase();
    let is_found = |made: &&Made<'_>| {
        let texts = [made.user.name.as_deref(), Some(made.tenant), made.user.group.as_deref()];
        let has = |text: &str| text.to_lowercase().contains(&term);
        texts.into_iter().flatten().any(has) || made.user.id.to_string() == term
    };
    let mut found: Vec<_> = all.iter().filter(is_found).collect();
    found.sort_by_key(|made| made.tokens.iter().map(|(health, _)| *health).min());
    let pages = found.len().div_ceil(USERS).max(1);
    let page = query.page.unwrap_or(1).clamp(1, pages);
    let to_page = |page: usize| {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        if !query.q.is_empty() {
            text.append_pair("q", &query.q);
        }
        format!("{}/users?{}", frame.base, text.append_pair("page", &page.to_string()).finish())
    };
    let shown = found.iter().skip((page - 1) * USERS).take(USERS);
    List {
        frame,
        query,
        all: all.len(),
        found: found.len(),
        unknown: snapshot.tokens.iter().filter(|entry| entry.status.user.is_none()).count(),
        users: shown.map(|made| row(frame, snapshot, made)).collect(),
        before: (page > 1).then(|| to_page(page - 1)),
        after: (page < pages).then(|| to_page(page + 1)),
    }
    .render()
}

/// Writes the page of a user, or `None` if no token of that tenant belongs to one of that number; `read` reads the history.
pub(in super::super) fn user(
    frame: Frame<'_>,
    snapshot: &Snapshot,
    tenant: &str,
    id: u64,
    read: impl FnOnce(&[HistoryQuery]) -> Histories,
) -> Option<askama::Result<String>> {
    let tokens = snapshot.tokens.iter().filter(|entry| entry.token.tenant.name == tenant);
    let mut of_user = made(frame, tokens).into_iter().find(|made| made.user.id == id)?;
    let shown = row(frame, snapshot, &of_user);
    of_user.tokens.sort_by_key(|(health, _)| *health);
    of_user.tokens.truncate(USERS);
    let histories = read(&of_user.tokens.iter().map(|(_, entry)| rows::query(entry, frame.now)).collect::<Vec<_>>());
    let concerns = |names: &BTreeSet<&str>| {
        names.iter().any(|name| of_user.tokens.iter().any(|(_, entry)| entry.token.name == *name))
    };
    let of_tenant = snapshot.firing().filter(|firing| firing.scope.tenant() == Some(tenant));
    let alerts = of_tenant.filter(|firing| {
        firing.scope.user_id() == Some(id)
            || concerns(&firing.affected.iter().map(|affected| affected.token_name.as_str()).collect())
    });
    Some(
        One {
            frame,
            tenant: of_user.tenant,
            id,
            group_problem: of_user.user.group_problem.as_deref(),
            alerts: groups(frame, alerts, MOST_ALERTS).0,
            rows: rows(frame, snapshot, &of_user.tokens, &histories),
            no_history: histories.err(),
            user: shown,
        }
        .render(),
    )
}
