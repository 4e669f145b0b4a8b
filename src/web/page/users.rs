//! The users who made tokens: the list of all of them, and the page of one, which says what depends on this user. Pure.

use askama::Template;
use serde::Deserialize;

use crate::state::{HistoryQuery, Snapshot};

use super::super::users::{Maker, makers};
use super::alerts::{Group, groups};
use super::expiry::Expiry;
use super::paging::Paging;
use super::rows::{Histories, Row, rows};
use super::when::When;
use super::{Badge, Frame, name_of};

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

fn row(frame: Frame<'_>, snapshot: &Snapshot, maker: &Maker<'_>) -> UserRow {
    let Maker { tenant, user, tokens } = maker;
    UserRow {
        tenant: (*tenant).to_owned(),
        tenant_href: frame.tenant_path(tenant),
        name: name_of(user),
        href: frame.user_path(tenant, user.id),
        group: user.group.clone(),
        is_admin: user.admin.granted == Some(true),
        badge: maker.worst().into(),
        tokens: tokens.len(),
        integrations: maker.integrations().into_iter().collect::<Vec<_>>().join(", "),
        expiry: maker.expires_first(frame.now).and_then(|token| Expiry::of(token, &snapshot.expiry_notice, frame.now)),
        unlisted_since: user.unlisted_since().map(|at| When::new(at, frame.now)),
    }
}

/// The users who made the tokens of a tenant.
pub(super) fn of_tenant(frame: Frame<'_>, snapshot: &Snapshot, tenant: &str) -> Vec<UserRow> {
    let tokens = snapshot.tokens.iter().filter(|entry| entry.token.tenant.name == tenant);
    makers(tokens, frame.now).iter().map(|maker| row(frame, snapshot, maker)).collect()
}

/// Writes the list of users, those with the worst tokens first.
pub(in super::super) fn users(frame: Frame<'_>, snapshot: &Snapshot, query: &UsersQuery) -> askama::Result<String> {
    let all = makers(snapshot.tokens.iter(), frame.now);
    let term = query.q.trim().to_lowercase();
    let is_found = |maker: &&Maker<'_>| {
        let texts = [maker.user.name.as_deref(), Some(maker.tenant), maker.user.group.as_deref()];
        let has = |text: &str| text.to_lowercase().contains(&term);
        texts.into_iter().flatten().any(has) || maker.user.id.to_string() == term
    };
    let mut found: Vec<_> = all.iter().filter(is_found).collect();
    found.sort_by_key(|maker| maker.worst());
    let to_page = |page: usize| {
        let mut text = url::form_urlencoded::Serializer::new(String::new());
        if !query.q.is_empty() {
            text.append_pair("q", &query.q);
        }
        format!("{}/users?{}", frame.base, text.append_pair("page", &page.to_string()).finish())
    };
    let Paging { from, before, after } = Paging::new(query.page, found.len(), USERS, to_page);
    let shown = found.iter().skip(from).take(USERS);
    List {
        frame,
        query,
        all: all.len(),
        found: found.len(),
        unknown: snapshot.tokens.iter().filter(|entry| entry.status.user.is_none()).count(),
        users: shown.map(|maker| row(frame, snapshot, maker)).collect(),
        before,
        after,
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
    let mut of_user = makers(tokens, frame.now).into_iter().find(|maker| maker.user.id == id)?;
    let shown = row(frame, snapshot, &of_user);
    of_user.tokens.sort_by_key(|(health, _)| *health);
    of_user.tokens.truncate(USERS);
    let (rows, no_history) = rows(frame, snapshot, &of_user.tokens, read);
    let of_tenant = snapshot.firing().filter(|firing| firing.scope.tenant() == Some(tenant));
    let alerts = of_tenant.filter(|firing| {
        firing.scope.user_id() == Some(id) || of_user.tokens.iter().any(|(_, entry)| firing.concerns(&entry.token.name))
    });
    Some(
        One {
            frame,
            tenant: of_user.tenant,
            id,
            group_problem: of_user.user.group_problem.as_deref(),
            alerts: groups(frame, alerts, MOST_ALERTS).0,
            rows,
            no_history,
            user: shown,
        }
        .render(),
    )
}
