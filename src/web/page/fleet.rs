//! The first page: how the fleet is, what fires now, and every token, the worst first. Pure.

use std::collections::BTreeSet;

use askama::Template;
use serde::Deserialize;

use crate::belief::TokenState;
use crate::state::{Health, Snapshot, TokenSnapshot};
use crate::syncro::Reason;

use super::alerts::{Card, of_fleet};
use super::expiry::Expiry;
use super::when::When;
use super::{Badge, Counts, Frame, state};

/// Tokens on one page: more than fits a screen, few enough for a phone.
const ROWS: usize = 50;
/// Alerts on the page; who has more needs the tokens' pages or a pager.
const MOST_ALERTS: usize = 20;

/// Words that can be looked for at once, in so many characters: each is looked for in every token.
const MOST_WORDS: usize = 16;
const LONGEST_WORDS: usize = 200;

/// What is wished for, as it stands in the address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct FleetQuery {
    /// Only tokens in whose names or group all of these words occur.
    #[serde(default)]
    q: String,
    /// Only tokens that are so: a health or a state.
    #[serde(default)]
    state: String,
    /// Which page, from 1 on.
    page: Option<usize>,
}

/// The choice of a health or a state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chosen {
    All,
    Health(Health),
    State(TokenState),
}

impl Chosen {
    fn parse(word: &str) -> Option<Self> {
        let health = Health::ALL.into_iter().find(|health| health.as_str() == word).map(Self::Health);
        let state = || TokenState::ALL.into_iter().find(|state| state.as_str() == word).map(Self::State);
        if word.is_empty() { Some(Self::All) } else { health.or_else(state) }
    }

    fn takes(self, picture: &TokenSnapshot, health: Health) -> bool {
        match self {
            Self::All => true,
            Self::Health(chosen) => chosen == health,
            Self::State(chosen) => chosen == picture.status.state,
        }
    }
}

/// One of the numbers on top, which chooses its tokens.
struct Tile {
    badge: Badge,
    count: usize,
    href: String,
    is_chosen: bool,
}

/// One choice of the filter.
struct Choice {
    value: &'static str,
    word: String,
    is_chosen: bool,
}

/// One token.
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
    held: usize,
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

/// The page, or what is wrong with the wish.
pub(in super::super) fn fleet(
    frame: Frame<'_>,
    snapshot: &Snapshot,
    query: &FleetQuery,
) -> Result<askama::Result<String>, String> {
    let Some(chosen) = Chosen::parse(&query.state) else {
        let known = Health::ALL.map(Health::as_str).into_iter().chain(TokenState::ALL.map(TokenState::as_str));
        return Err(format!("no token can be that; state may be {}", known.collect::<Vec<_>>().join(", ")));
    };
    let words = words(&query.q)?;
    let mut counts = [0; Health::ALL.len()];
    let mut found = Vec::new();
    for picture in snapshot.tokens.iter() {
        let health = picture.health();
        counts[health as usize] += 1;
        if chosen.takes(picture, health) && speaks_of(picture, &words) {
            found.push((health, picture));
        }
    }
    let name = |picture: &TokenSnapshot| (picture.token.tenant.name.to_lowercase(), picture.token.name.to_lowercase());
    found.sort_by_cached_key(|(health, picture)| (*health, name(picture)));
    let pages = found.len().div_ceil(ROWS).max(1);
    let page = query.page.unwrap_or(1).clamp(1, pages);
    let rows: Vec<_> = found
        .iter()
        .skip((page - 1) * ROWS)
        .take(ROWS)
        .map(|(health, picture)| row(frame, snapshot, *health, picture))
        .collect();
    let to_page = |page: usize| address(frame, &query.q, &query.state, page);
    let tiles = Health::ALL.map(|health| {
        let is_chosen = chosen == Chosen::Health(health);
        let state = if is_chosen { "" } else { health.as_str() };
        Tile {
            badge: health.into(),
            count: counts[health as usize],
            href: address(frame, &query.q, state, 1),
            is_chosen,
        }
    });
    let (alerts, more_alerts) = of_fleet(frame, snapshot, MOST_ALERTS);
    let maintained = |name: &str| snapshot.suppressed_until(name, frame.now).is_some();
    let from = (page - 1) * ROWS;
    Ok(Page {
        frame,
        pulse: snapshot.last_tick.map(|tick| When::new(tick, frame.now)),
        first_sweep_done: snapshot.first_sweep_done,
        held: snapshot.tenants.iter().filter(|tenant| maintained(&tenant.name)).count(),
        tokens: snapshot.tokens.len(),
        broken: counts[Health::Broken as usize],
        tiles: tiles.into(),
        alerts,
        more_alerts,
        query,
        choices: choices(
            Health::ALL.map(|health| (health.as_str(), Badge::from(health).word.to_owned())),
            &query.state,
        ),
        states: choices(TokenState::ALL.map(|known| (known.as_str(), state(known))), &query.state),
        from: from + usize::from(!rows.is_empty()),
        to: from + rows.len(),
        rows,
        found: found.len(),
        before: (page > 1).then(|| to_page(page - 1)),
        after: (page < pages).then(|| to_page(page + 1)),
    }
    .render())
}

fn choices<const N: usize>(known: [(&'static str, String); N], chosen: &str) -> Vec<Choice> {
    known.into_iter().map(|(value, word)| Choice { value, word, is_chosen: value == chosen }).collect()
}

/// The words of a filter, each once.
fn words(q: &str) -> Result<Vec<String>, String> {
    let characters = q.chars().count();
    if characters > LONGEST_WORDS {
        return Err(format!(
            "the words have {characters} characters together; {LONGEST_WORDS} at most can be looked for"
        ));
    }
    let words: BTreeSet<_> = q.split_whitespace().map(str::to_lowercase).collect();
    if words.len() > MOST_WORDS {
        return Err(format!("{} different words; {MOST_WORDS} at most can be looked for", words.len()));
    }
    Ok(words.into_iter().collect())
}

/// Whether every word occurs in what the token is called and belongs to.
fn speaks_of(picture: &TokenSnapshot, words: &[String]) -> bool {
    if words.is_empty() {
        return true;
    }
    let token = &picture.token;
    let texts = [
        token.tenant.name.as_str(),
        token.name.as_str(),
        token.tenant.subdomain.as_deref().unwrap_or_default(),
        token.profile_name().unwrap_or_default(),
        picture.status.security_group().unwrap_or_default(),
    ]
    .map(str::to_lowercase);
    words.iter().all(|word| texts.iter().any(|text| text.contains(word)))
}

/// The address of this page with a wish.
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

fn row(frame: Frame<'_>, snapshot: &Snapshot, health: Health, picture: &TokenSnapshot) -> Row {
    let TokenSnapshot { token, status, .. } = picture;
    let counts = Counts::of(picture);
    Row {
        tenant: token.tenant.name.clone(),
        token_name: token.name.clone(),
        href: frame.token_path(picture),
        badge: health.into(),
        why: why(health, picture, counts.missing),
        expiry: Expiry::of(token, &snapshot.expiry_notice, frame.now),
        counts,
        last_check: status.validity.last_attempt.map(|at| When::new(at, frame.now)),
        trouble: status.validity.reason.map(Reason::as_str),
    }
}

/// Why a token is how it is, in a few words.
fn why(health: Health, picture: &TokenSnapshot, missing: usize) -> String {
    let known = picture.status.state;
    if !matches!(known, TokenState::Valid | TokenState::Unknown) {
        return state(known);
    }
    match (health, missing) {
        (Health::Broken | Health::Attention, 1) => "lacks a permission".to_owned(),
        (Health::Broken | Health::Attention, 2..) => format!("lacks {missing} permissions"),
        (Health::Broken | Health::Attention, 0) => {
            let mut alerts: Vec<_> = picture.firing.iter().map(|firing| firing.alert.as_str()).collect();
            alerts.dedup();
            alerts.join(", ")
        }
        (Health::Unseen, _) if picture.status.validity.last_attempt.is_none() => "not looked at yet".to_owned(),
        (Health::Unseen, _) if known == TokenState::Unknown => "never answered yet".to_owned(),
        (Health::Unseen, _) => "valid when last seen".to_owned(),
        (Health::Well, _) => state(known),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::belief::TokenStatus;
    use crate::testing::{at, token};

    fn page(tokens: &[(&str, &str)], q: &str, state: &str, page: Option<usize>) -> Result<String, String> {
        let picture = |(tenant, name): &(&str, &str)| {
            let mut token = token(name, &[]);
            Arc::make_mut(&mut token.tenant).name = (*tenant).to_owned();
            let (token, status) = (Arc::new(token), Arc::new(TokenStatus::default()));
            TokenSnapshot { token, status, firing: Arc::default(), asked: Arc::default() }
        };
        let snapshot = Snapshot { tokens: Arc::new(tokens.iter().map(picture).collect()), ..Snapshot::default() };
        let query = FleetQuery { q: q.to_owned(), state: state.to_owned(), page };
        fleet(Frame::new("/below", at(0)), &snapshot, &query).map(|page| page.unwrap())
    }

    #[test]
    fn names_are_text_whatever_stands_in_them() {
        let script = "\"><script>alert(1)</script>";
        let page = page(&[(script, "a/b?c#d%20"), ("株式会社", "توكن")], script, "", None).unwrap();
        assert!(!page.contains("<script>alert") && page.contains("&#60;script&#62;"), "{page}");
        assert!(
            page.contains("/below/tenants/%22%3E%3Cscript%3Ealert%281%29%3C%2Fscript%3E/tokens/a%2Fb%3Fc%23d%2520")
        );
        assert!(!page.contains("株式会社"), "the words do not occur there");
    }

    #[test]
    fn words_states_and_pages_choose_and_a_state_that_is_none_is_refused() {
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
    fn so_many_words_may_be_looked_for_and_each_counts_once() {
        let many = |count| (0..count).map(|number| format!("w{number}")).collect::<Vec<_>>().join(" ");
        assert_eq!(words(&many(MOST_WORDS)).unwrap().len(), MOST_WORDS);
        assert!(words(&many(MOST_WORDS + 1)).unwrap_err().starts_with("17 different words"));
        assert_eq!(words(&"Acme acme ".repeat(20)), Ok(vec!["acme".to_owned()]));
        assert!(words(&"ü".repeat(LONGEST_WORDS)).is_ok());
        assert!(words(&"ü".repeat(LONGEST_WORDS + 1)).unwrap_err().starts_with("the words have 201 characters"));
    }
}
