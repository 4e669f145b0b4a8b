//! The first page: the health of the fleet, the alerts that fire, and every token, the worst first. Pure.

use std::collections::BTreeSet;

use askama::Template;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::belief::TokenState;
use crate::state::{Health, Snapshot, TokenSnapshot};
use crate::syncro::Reason;

use super::alerts::{Card, of_fleet};
use super::expiry::Expiry;
use super::when::{When, span};
use super::{Badge, Counts, Frame, state};

/// How many tokens are on one page: more than fit a screen, few enough for a phone.
const ROWS: usize = 50;
/// How many alerts are on the page; the others are on the pages of their tokens.
const MOST_ALERTS: usize = 20;

/// How many different terms one search may have: each is searched for in every token.
const MOST_TERMS: usize = 16;
/// In characters: the longest search.
const LONGEST_SEARCH: usize = 200;

/// The query of the page, as it is in the address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct FleetQuery {
    /// Selects tokens whose names, profile or group contain each of these terms.
    #[serde(default)]
    q: String,
    /// Selects tokens of that health or state.
    #[serde(default)]
    state: String,
    /// The number of the page, from 1 on.
    page: Option<usize>,
}

#[cfg(any(test, fuzzing))]
impl FleetQuery {
    /// The same query, which searches for this besides.
    pub(in super::super) fn with_markup(mut self, markup: &str) -> Self {
        self.q = format!("{} {markup}", self.q.chars().take(LONGEST_SEARCH / 2).collect::<String>());
        self
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
    fn parse(word: &str) -> Option<Self> {
        let health = Health::ALL.iter().copied().find(|health| health.as_str() == word).map(Self::Health);
        let state = || TokenState::ALL.iter().copied().find(|state| state.as_str() == word).map(Self::State);
        if word.is_empty() { Some(Self::All) } else { health.or_else(state) }
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

/// One of the numbers at the top, whose link selects the tokens that it counts.
struct Tile {
    badge: Badge,
    count: usize,
    href: String,
    is_selected: bool,
}

/// One option of the filter.
struct Choice {
    value: &'static str,
    text: String,
    is_selected: bool,
}

/// The row of one token.
struct Row {
    tenant: String,
    token_name: String,
    href: String,
    badge: Badge,
    why: String,
    expiry: Option<Expiry>,
    counts: Counts,
    last_check: Option<When>,
    trouble: Option<&'static str>,
}

#[derive(Template)]
#[template(path = "fleet.html")]
struct Page<'a> {
    frame: Frame<'a>,
    pulse: Option<When>,
    first_sweep_done: bool,
    /// How far our clock is from Syncro's, in words, if they differ.
    clock: Option<String>,
    /// How many tenants have their alerts suppressed by maintenance.
    suppressed: usize,
    tokens: usize,
    broken: usize,
    tiles: Vec<Tile>,
    alerts: Vec<Card>,
    more_alerts: usize,
    query: &'a FleetQuery,
    choices: Vec<Choice>,
    states: Vec<Choice>,
    rows: Vec<Row>,
    from: usize,
    to: usize,
    found: usize,
    before: Option<String>,
    after: Option<String>,
}

/// Writes the page.
///
/// # Errors
/// What is wrong with the query, as a sentence without its full stop.
pub(in super::super) fn fleet(
    frame: Frame<'_>,
    snapshot: &Snapshot,
    query: &FleetQuery,
) -> Result<askama::Result<String>, String> {
    let selected = Selected::parse(&query.state).ok_or_else(|| {
        let states =
            Health::ALL.iter().map(|health| health.as_str()).chain(TokenState::ALL.iter().map(|state| state.as_str()));
        format!("no token can be that; state may be {}", states.collect::<Vec<_>>().join(", "))
    })?;
    let terms = terms(&query.q)?;
    let (found, counts) = find(snapshot, selected, &terms, frame.now);
    let pages = found.len().div_ceil(ROWS).max(1);
    let page = query.page.unwrap_or(1).clamp(1, pages);
    let rows: Vec<_> = found
        .iter()
        .skip((page - 1) * ROWS)
        .take(ROWS)
        .map(|(health, entry)| row(frame, snapshot, *health, entry))
        .collect();
    let to_page = |page: usize| address(frame, &query.q, &query.state, page);
    let (alerts, more_alerts) = of_fleet(frame, snapshot, MOST_ALERTS);
    let maintained = |name: &str| snapshot.suppressed_until(name, frame.now).is_some();
    let from = (page - 1) * ROWS;
    Ok(Page {
        frame,
        pulse: snapshot.last_tick.map(|tick| When::new(tick, frame.now)),
        first_sweep_done: snapshot.first_sweep_done,
        clock: snapshot.clock_difference.map(|ahead| {
            format!("{} {}", span(ahead.abs()), if ahead.num_seconds() > 0 { "behind" } else { "ahead of" })
        }),
        suppressed: snapshot.tenants.iter().filter(|tenant| maintained(&tenant.name)).count(),
        tokens: snapshot.tokens.len(),
        broken: counts[Health::Broken as usize],
        tiles: Health::ALL
            .iter()
            .map(|health| tile(frame, query, selected, *health, counts[*health as usize]))
            .collect(),
        alerts,
        more_alerts,
        query,
        choices: choices(
            Health::ALL.iter().map(|health| (health.as_str(), Badge::from(*health).word.to_owned())),
            query,
        ),
        states: choices(TokenState::ALL.iter().map(|one| (one.as_str(), state(*one))), query),
        from: from + usize::from(!rows.is_empty()),
        to: from + rows.len(),
        rows,
        found: found.len(),
        before: (page > 1).then(|| to_page(page - 1)),
        after: (page < pages).then(|| to_page(page + 1)),
    }
    .render())
}

/// How many tokens have each health.
type HealthCounts = [usize; Health::ALL.len()];

/// The tokens that the query selects, with their health and the worst first, and how many of all tokens have each
/// health.
fn find<'a>(
    snapshot: &'a Snapshot,
    selected: Selected,
    terms: &[String],
    now: DateTime<Utc>,
) -> (Vec<(Health, &'a TokenSnapshot)>, HealthCounts) {
    let mut counts = HealthCounts::default();
    let mut found = Vec::new();
    for entry in snapshot.tokens.iter() {
        let health = entry.health(now);
        counts[health as usize] += 1;
        if selected.selects(entry, health) && contains_all(entry, terms) {
            found.push((health, entry));
        }
    }
    let name = |entry: &TokenSnapshot| (entry.token.tenant.name.to_lowercase(), entry.token.name.to_lowercase());
    found.sort_by_cached_key(|(health, entry)| (*health, name(entry)));
    (found, counts)
}

/// The tile of a health; a selected one leads back to the tokens of every health.
fn tile(frame: Frame<'_>, query: &FleetQuery, selected: Selected, health: Health, count: usize) -> Tile {
    let is_selected = selected == Selected::Health(health);
    let state = if is_selected { "" } else { health.as_str() };
    Tile { badge: health.into(), count, href: address(frame, &query.q, state, 1), is_selected }
}

/// The options of the filter with these values and texts.
fn choices(options: impl Iterator<Item = (&'static str, String)>, query: &FleetQuery) -> Vec<Choice> {
    options.map(|(value, text)| Choice { value, text, is_selected: value == query.state }).collect()
}

/// The terms of a search in lower case, each once.
fn terms(q: &str) -> Result<Vec<String>, String> {
    let characters = q.chars().count();
    if characters > LONGEST_SEARCH {
        return Err(format!("the search has {characters} characters; {LONGEST_SEARCH} at most can be searched for"));
    }
    let terms: BTreeSet<_> = q.split_whitespace().map(str::to_lowercase).collect();
    if terms.len() > MOST_TERMS {
        return Err(format!(
            "the search has {} different words; {MOST_TERMS} at most can be searched for",
            terms.len()
        ));
    }
    Ok(terms.into_iter().collect())
}

/// Whether the names of the token, its tenant, its profile and its group contain every term.
fn contains_all(entry: &TokenSnapshot, terms: &[String]) -> bool {
    if terms.is_empty() {
        return true;
    }
    let token = &entry.token;
    let texts = [
        token.tenant.name.as_str(),
        token.name.as_str(),
        token.tenant.subdomain.as_deref().unwrap_or_default(),
        token.profile_name().unwrap_or_default(),
        entry.status.security_group().unwrap_or_default(),
    ]
    .map(str::to_lowercase);
    terms.iter().all(|term| texts.iter().any(|text| text.contains(term)))
}

/// The address of this page with a query.
fn address(frame: Frame<'_>, q: &str, state: &str, page: usize) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (key, value) in [("q", q), ("state", state)].into_iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(key, value);
    }
    if page > 1 {
        query.append_pair("page", &page.to_string());
    }
    let query = query.finish();
    if query.is_empty() { format!("{}/", frame.base) } else { format!("{}/?{query}", frame.base) }
}

/// The row of a token.
fn row(frame: Frame<'_>, snapshot: &Snapshot, health: Health, entry: &TokenSnapshot) -> Row {
    let TokenSnapshot { token, status, .. } = entry;
    let counts = Counts::of(entry);
    Row {
        tenant: token.tenant.name.clone(),
        token_name: token.name.clone(),
        href: frame.token_path(entry),
        badge: health.into(),
        why: why(snapshot, health, entry, counts.missing),
        expiry: Expiry::of(token, &snapshot.expiry_notice, frame.now),
        counts,
        last_check: status.validity.last_attempt.map(|at| When::new(at, frame.now)),
        trouble: status.validity.reason.map(Reason::as_str),
    }
}

/// What explains the health of a token, as a short text; `missing` is the number of its missing permissions.
fn why(snapshot: &Snapshot, health: Health, entry: &TokenSnapshot, missing: usize) -> String {
    let token_state = entry.status.state;
    if !matches!(token_state, TokenState::Valid | TokenState::Unknown) {
        return state(token_state);
    }
    match (health, missing) {
        (Health::Broken | Health::Attention, 1) => "lacks a permission".to_owned(),
        (Health::Broken | Health::Attention, 2..) => format!("lacks {missing} permissions"),
        (Health::Broken | Health::Attention, 0) => {
            let alerts = snapshot.firing_of(entry).map(|firing| firing.alert.as_str());
            alerts.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>().join(", ")
        }
        (Health::Unseen, _) if entry.status.validity.last_attempt.is_none() => "not checked yet".to_owned(),
        (Health::Unseen, _) if token_state == TokenState::Unknown => "never answered yet".to_owned(),
        (Health::Unseen, _) => "valid when last seen".to_owned(),
        (Health::Ok, _) => state(token_state),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::belief::TokenStatus;
    use crate::testing::{at, token};

    fn page(tokens: &[(&str, &str)], q: &str, state: &str, page: Option<usize>) -> Result<String, String> {
        let entry = |(tenant, name): &(&str, &str)| {
            let mut token = token(name, &[]);
            Arc::make_mut(&mut token.tenant).name = (*tenant).to_owned();
            let (token, status) = (Arc::new(token), Arc::new(TokenStatus::default()));
            TokenSnapshot { token, status, is_affected: false, asked: Arc::default() }
        };
        let snapshot = Snapshot { tokens: Arc::new(tokens.iter().map(entry).collect()), ..Snapshot::default() };
        let query = FleetQuery { q: q.to_owned(), state: state.to_owned(), page };
        fleet(Frame::new("/below", at(0)), &snapshot, &query).map(|page| page.unwrap())
    }

    #[test]
    fn names_are_escaped_whatever_is_in_them() {
        let script = "\"><script>alert(1)</script>";
        let page = page(&[(script, "a/b?c#d%20"), ("株式会社", "توكن")], script, "", None).unwrap();
        assert!(!page.contains("<script>alert") && page.contains("&#60;script&#62;"), "{page}");
        assert!(
            page.contains("/below/tenants/%22%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E/tokens/a%2Fb%3Fc%23d%2520")
        );
        assert!(!page.contains("株式会社"), "its names do not contain the search");
    }

    #[test]
    fn a_search_a_state_and_a_page_select_tokens_and_an_unknown_state_is_refused() {
        let names: Vec<_> = (0..120).map(|number| format!("t{number:03}")).collect();
        let tokens: Vec<_> = names.iter().map(|name| ("Acme", name.as_str())).collect();
        let rows = |q, state, number| {
            let page = page(&tokens, q, state, number).unwrap();
            let rows = page.matches("<tr class=\"row").count();
            (rows, page.contains(">t000<"), page.contains(">t119<"))
        };
        assert_eq!(rows("", "", None), (50, true, false));
        assert_eq!(rows("", "", Some(3)), (20, false, true));
        assert_eq!(rows("", "", Some(99)), (20, false, true), "the last one");
        assert_eq!(rows("", "", Some(0)), (50, true, false));
        assert_eq!(rows("ACME 119", "", None), (1, false, true));
        assert_eq!(rows("", "unknown", None), (50, true, false));
        assert_eq!(rows("", "well", None), (0, false, false));
        assert!(page(&tokens, "", "fine", None).unwrap_err().contains("broken, attention"));
    }

    #[test]
    fn a_search_has_a_limit_of_terms_and_characters_and_counts_each_term_once() {
        let many = |count| (0..count).map(|number| format!("w{number}")).collect::<Vec<_>>().join(" ");
        assert_eq!(terms(&many(MOST_TERMS)).unwrap().len(), MOST_TERMS);
        assert!(terms(&many(MOST_TERMS + 1)).unwrap_err().starts_with("the search has 17 different words"));
        assert_eq!(terms(&"Acme acme ".repeat(20)), Ok(vec!["acme".to_owned()]));
        assert!(terms(&"ü".repeat(LONGEST_SEARCH)).is_ok());
        assert!(terms(&"ü".repeat(LONGEST_SEARCH + 1)).unwrap_err().starts_with("the search has 201 characters"));
    }
}
