//! Which tokens a page shows and in which order, as its address says. Pure.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;

use crate::belief::{PermissionState, TokenState};
use crate::state::{Health, Pieces, TokenSnapshot};

use super::{Counts, Frame};

/// How many different terms one search may have: each is searched for in every token.
const MOST_TERMS: usize = 16;
/// In characters: the longest search, and the longest name that is filtered for.
const LONGEST_SEARCH: usize = 200;
/// The farthest expiry that can be asked for.
const MOST_DAYS: i64 = 10_000;

/// The query of the page, as it is in the address. Names are compared without regard to case.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct FleetQuery {
    /// Selects tokens whose names, integration, group, user or contact contain each of these terms.
    pub(super) q: String,
    /// Selects tokens of that health or state.
    pub(super) state: String,
    /// Selects the tokens of the tenant of this name.
    pub(super) tenant: String,
    /// Selects the tokens of an integration, by the name or the title of its profile.
    pub(super) profile: String,
    /// Selects the tokens of a user, by the number or the name.
    pub(super) user: String,
    /// Selects the tokens of a contact.
    pub(super) contact: String,
    /// Selects tokens that expire within so many days, such as `30`, or from a day on until before another, such as `7-14`.
    pub(super) expiring: String,
    /// Selects tokens that lack the permission of this name.
    pub(super) missing: String,
    /// By what the rows are sorted, with a `-` before it for the other way round.
    pub(super) sort: String,
    /// The number of the page, from 1 on.
    pub(super) page: Option<usize>,
}

#[cfg(any(test, fuzzing))]
impl FleetQuery {
    /// The same query, which searches for this besides.
    pub(in super::super) fn with_markup(mut self, markup: &str) -> Self {
        self.q = format!("{} {markup}", self.q.chars().take(LONGEST_SEARCH / 2).collect::<String>());
        self
    }
}

impl FleetQuery {
    /// Its keys and values, those that select or sort anything.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let Self { q, state, tenant, profile, user, contact, expiring, missing, sort, page: _ } = self;
        let pairs = [
            ("q", q),
            ("state", state),
            ("tenant", tenant),
            ("profile", profile),
            ("user", user),
            ("contact", contact),
            ("expiring", expiring),
            ("missing", missing),
            ("sort", sort),
        ];
        pairs.into_iter().map(|(key, value)| (key, value.as_str())).filter(|(_, value)| !value.is_empty())
    }

    /// Whether it selects anything.
    pub(super) fn is_narrow(&self) -> bool {
        self.pairs().any(|(key, _)| key != "sort")
    }

    /// The address of the overview with this query.
    pub(super) fn href(&self, frame: Frame<'_>) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(self.pairs());
        if let Some(page) = self.page.filter(|page| *page > 1) {
            query.append_pair("page", &page.to_string());
        }
        let query = query.finish();
        if query.is_empty() { format!("{}/", frame.base) } else { format!("{}/?{query}", frame.base) }
    }
}

/// The health or state that selects tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Selected {
    All,
    Health(Health),
    State(TokenState),
}

impl Selected {
    fn parse(word: &str) -> Result<Self, String> {
        let health = Health::ALL.iter().copied().find(|health| health.as_str() == word).map(Self::Health);
        let state = || TokenState::ALL.iter().copied().find(|state| state.as_str() == word).map(Self::State);
        let found = if word.is_empty() { Some(Self::All) } else { health.or_else(state) };
        found.ok_or_else(|| {
            let healths = Health::ALL.iter().map(|health| health.as_str());
            let all = healths.chain(TokenState::ALL.iter().map(|state| state.as_str()));
            format!("no token can be that; state may be {}", all.collect::<Vec<_>>().join(", "))
        })
    }

    /// Whether it selects a token; `health` is that of the token.
    fn selects(self, entry: &TokenSnapshot, health: Health) -> bool {
        match self {
            Self::All => true,
            Self::Health(selected) => selected == health,
            Self::State(selected) => selected == entry.status.state,
        }
    }
}

/// By what the rows are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    Status,
    Token,
    Expiry,
    Permissions,
    Integration,
    User,
    Checked,
}

impl Order {
    /// Every order, with its word in the address.
    const ALL: [(Self, &'static str); 7] = [
        (Self::Status, "status"),
        (Self::Token, "token"),
        (Self::Expiry, "expiry"),
        (Self::Permissions, "permissions"),
        (Self::Integration, "integration"),
        (Self::User, "user"),
        (Self::Checked, "checked"),
    ];

    /// The word for it in the address.
    pub(super) fn as_str(self) -> &'static str {
        Self::ALL.iter().find(|(order, _)| *order == self).map_or("", |(_, word)| word)
    }
}

/// What a query selects, and how it is sorted.
#[derive(Debug)]
pub(super) struct Filter<'a> {
    query: &'a FleetQuery,
    terms: Vec<String>,
    selected: Selected,
    expiring: Option<(TimeDelta, TimeDelta)>,
    pub(super) order: Order,
    pub(super) is_reversed: bool,
}

impl<'a> Filter<'a> {
    /// What the query selects.
    ///
    /// # Errors
    /// What is wrong with the query, as a sentence without its full stop.
    pub(super) fn parse(query: &'a FleetQuery) -> Result<Self, String> {
        let selected = Selected::parse(&query.state)?;
        if let Some((key, _)) = query.pairs().find(|(_, value)| value.chars().count() > LONGEST_SEARCH) {
            return Err(format!("{key}: {LONGEST_SEARCH} characters at most can be searched for"));
        }
        let (is_reversed, word) =
            query.sort.strip_prefix('-').map_or((false, query.sort.as_str()), |word| (true, word));
        let order = Order::ALL.into_iter().find(|(_, name)| *name == word).map(|(order, _)| order);
        let order = order.or((word.is_empty() && !is_reversed).then_some(Order::Status)).ok_or_else(|| {
            format!("sort may be {}, each with - before it too", Order::ALL.map(|(_, name)| name).join(", "))
        })?;
        let expiring = expiring(&query.expiring)?;
        Ok(Self { query, terms: terms(&query.q)?, selected, expiring, order, is_reversed })
    }

    /// The tokens that it selects, each with its health, in its order.
    pub(super) fn find<'t>(
        &self,
        tokens: &'t Pieces<TokenSnapshot>,
        now: DateTime<Utc>,
    ) -> Vec<(Health, &'t TokenSnapshot)> {
        let with_health = tokens.iter().map(|entry| (entry.health(now), entry));
        let mut found: Vec<_> = with_health.filter(|(health, entry)| self.selects(entry, *health, now)).collect();
        found.sort_by_cached_key(|(health, entry)| self.key(*health, entry));
        if self.is_reversed {
            found.reverse();
        }
        found
    }

    fn selects(&self, entry: &TokenSnapshot, health: Health, now: DateTime<Utc>) -> bool {
        let FleetQuery { tenant, profile, user, contact, missing, .. } = self.query;
        let (token, status) = (&entry.token, &entry.status);
        let is_in_time = || {
            let left = token.expires.filter(|_| !token.auto_rotated).map(|expires| expires - now);
            self.expiring.is_none_or(|(from, to)| left.is_some_and(|left| left >= from && left < to))
        };
        let is_user = |wanted: &str| {
            let user = status.user.as_ref();
            user.is_some_and(|user| {
                user.id.to_string() == wanted || user.name.as_deref().is_some_and(|name| same(name, wanted))
            })
        };
        let lacks = |wanted: &str| {
            let mut permissions = token.wanted.iter().map(|wanted| wanted.permission);
            permissions.any(|permission| {
                same(permission.name(), wanted) && status.permission_state(permission) == PermissionState::Missing
            })
        };
        let is_profile = |wanted: &str| {
            token.profile.as_ref().is_some_and(|profile| same(&profile.name, wanted) || same(&profile.title, wanted))
        };
        self.selected.selects(entry, health)
            && (tenant.is_empty() || same(&token.tenant.name, tenant))
            && (profile.is_empty() || is_profile(profile))
            && (user.is_empty() || is_user(user))
            && (contact.is_empty() || token.contact.as_deref().is_some_and(|name| same(name, contact)))
            && (missing.is_empty() || lacks(missing))
            && is_in_time()
            && contains_all(entry, &self.terms)
    }

    /// By what a token is sorted: what belongs to the order, and then the worst first by name.
    fn key(&self, health: Health, entry: &TokenSnapshot) -> (String, Key, Health, String, String) {
        let (token, status) = (&entry.token, &entry.status);
        let name = |text: Option<&str>| text.unwrap_or("\u{10ffff}").to_lowercase();
        let (text, number) = match self.order {
            Order::Status | Order::Token => (String::new(), Key::None),
            Order::Expiry => (String::new(), Key::Moment(token.expires.unwrap_or(DateTime::<Utc>::MAX_UTC))),
            Order::Permissions => (String::new(), Key::Missing(Reverse(Counts::of(entry).missing))),
            Order::Integration => (name(token.profile.as_ref().map(|profile| profile.title.as_str())), Key::None),
            Order::User => (name(status.user.as_ref().and_then(|user| user.name.as_deref())), Key::None),
            Order::Checked => {
                let last = status.validity.last_attempt.unwrap_or(DateTime::<Utc>::MIN_UTC);
                (String::new(), Key::Moment(last))
            }
        };
        let health = if self.order == Order::Token { Health::Broken } else { health };
        (text, number, health, token.tenant.name.to_lowercase(), token.name.to_lowercase())
    }
}

/// What a number sorts by.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    None,
    Moment(DateTime<Utc>),
    Missing(Reverse<usize>),
}

/// Whether two names are the same but for their case.
fn same(left: &str, right: &str) -> bool {
    left.to_lowercase() == right.to_lowercase()
}

/// The time ahead in which a token expires: from, and until before.
fn expiring(text: &str) -> Result<Option<(TimeDelta, TimeDelta)>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let days = |text: &str| text.parse().ok().filter(|days| (0..=MOST_DAYS).contains(days)).map(TimeDelta::days);
    let (from, to) = text.split_once('-').unwrap_or(("0", text));
    let range = days(from).zip(days(to)).filter(|(from, to)| from < to);
    let wrong = || format!("expiring: expected days ahead, such as 30 or 7-14, with {MOST_DAYS} at most");
    range.map(Some).ok_or_else(wrong)
}

/// The terms of a search in lower case, each once.
fn terms(q: &str) -> Result<Vec<String>, String> {
    let terms: BTreeSet<_> = q.split_whitespace().map(str::to_lowercase).collect();
    if terms.len() > MOST_TERMS {
        return Err(format!(
            "the search has {} different words; {MOST_TERMS} at most can be searched for",
            terms.len()
        ));
    }
    Ok(terms.into_iter().collect())
}

/// Whether the names of the token, its tenant, its integration, its group, its user and its contact contain every term.
fn contains_all(entry: &TokenSnapshot, terms: &[String]) -> bool {
    if terms.is_empty() {
        return true;
    }
    let (token, status) = (&entry.token, &entry.status);
    let texts = [
        Some(token.tenant.name.as_str()),
        Some(token.name.as_str()),
        token.tenant.subdomain.as_deref(),
        token.profile.as_ref().map(|profile| profile.name.as_str()),
        token.profile.as_ref().map(|profile| profile.title.as_str()),
        token.contact.as_deref(),
        status.security_group(),
        status.user.as_ref().and_then(|user| user.name.as_deref()),
    ];
    let texts: Vec<_> = texts.into_iter().flatten().map(str::to_lowercase).collect();
    terms.iter().all(|term| texts.iter().any(|text| text.contains(term)))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::belief::{Belief, TokenStatus};
    use crate::testing::{at, token, token_snapshot};

    #[test]
    fn a_search_has_a_limit_of_terms_and_characters_and_counts_each_term_once() {
        let many = |count| (0..count).map(|number| format!("w{number}")).collect::<Vec<_>>().join(" ");
        assert_eq!(terms(&many(MOST_TERMS)).unwrap().len(), MOST_TERMS);
        assert!(terms(&many(MOST_TERMS + 1)).unwrap_err().starts_with("the search has 17 different words"));
        assert_eq!(terms(&"Acme acme ".repeat(20)), Ok(vec!["acme".to_owned()]));
        let parse = |q: String| Filter::parse(&FleetQuery { q, ..FleetQuery::default() }).map(drop);
        assert_eq!(parse("ü".repeat(LONGEST_SEARCH)), Ok(()));
        assert!(parse("ü".repeat(LONGEST_SEARCH + 1)).unwrap_err().starts_with("q: 200 characters at most can"));
    }

    /// Tokens with what can be filtered for.
    fn fleet() -> Pieces<TokenSnapshot> {
        let of = |name: &str, tenant: &str, user: &str, expires: Option<i64>| {
            let mut token = token(name, &["Tickets - Edit"]);
            Arc::make_mut(&mut token.tenant).name = tenant.to_owned();
            (token.expires, token.contact) =
                (expires.map(|days| at(days * 86_400)), Some(format!("Contact of {name}")));
            let id = user.len();
            let status = serde_json::json!({
                "state": "valid",
                "user": { "id": id, "name": user, "admin": Belief::default(), "group": null, "group_asked": null, "group_change": null },
            });
            let status: TokenStatus = serde_json::from_value(status).unwrap();
            token_snapshot(token, status)
        };
        let tokens =
            [of("b", "Acme", "Pat", Some(40)), of("a", "acme", "Robin", Some(3)), of("c", "globex", "Kim", None)];
        tokens.into_iter().collect()
    }

    fn found(query: &FleetQuery) -> Result<String, String> {
        let fleet = fleet();
        let found = Filter::parse(query)?.find(&fleet, at(0));
        Ok(found.iter().map(|(_, entry)| entry.token.name.as_str()).collect())
    }

    #[test]
    fn every_filter_selects_without_regard_to_case_and_every_order_sorts() {
        let no = FleetQuery::default;
        let text = str::to_owned;
        let selected = [
            (FleetQuery { tenant: text("ACME"), ..no() }, "ab"),
            (FleetQuery { user: text("kim"), ..no() }, "c"),
            (FleetQuery { user: text("5"), ..no() }, "a"),
            (FleetQuery { contact: text("contact of B"), ..no() }, "b"),
            (FleetQuery { q: text("robin"), ..no() }, "a"),
            (FleetQuery { expiring: text("30"), ..no() }, "a"),
            (FleetQuery { expiring: text("3-41"), sort: text("-expiry"), ..no() }, "ba"),
            (FleetQuery { expiring: text("4-40"), ..no() }, ""),
            (FleetQuery { missing: text("tickets - edit"), ..no() }, ""),
            (FleetQuery { sort: text("expiry"), ..no() }, "abc"),
            (FleetQuery { sort: text("-expiry"), ..no() }, "cba"),
            (FleetQuery { sort: text("user"), ..no() }, "cba"),
            (FleetQuery { sort: text("-token"), ..no() }, "cba"),
        ];
        for (query, expected) in selected {
            assert_eq!(found(&query).as_deref(), Ok(expected), "{query:?}");
            let back = query.href(Frame::new("", at(0)));
            assert!(query.pairs().all(|(key, _)| back.contains(&format!("{key}="))), "{back}");
        }
        for wrong in ["-1", "7-7", "9-3", "x", "10001", "1-2-3"] {
            let refused = found(&FleetQuery { expiring: text(wrong), ..no() });
            assert!(
                refused.as_ref().is_err_and(|why| why.starts_with("expiring: expected days")),
                "{wrong}: {refused:?}"
            );
        }
        let refused = found(&FleetQuery { sort: text("colour"), ..no() });
        assert!(refused.is_err_and(|why| why.contains("status, token, expiry")));
    }
}
