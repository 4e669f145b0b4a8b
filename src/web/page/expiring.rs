//! What expires within so many days, the nearest first, and how many tokens have no declared expiry. Pure.

use askama::Template;
use serde::Deserialize;

use crate::state::{HistoryQuery, Snapshot};

use super::Frame;
use super::filter::{Filter, FleetQuery};
use super::rows::{Histories, Row, rows};
use super::weeks::{Week, weeks};

/// How many days ahead are shown unless the address says otherwise.
const DAYS: u16 = 90;
/// How many days ahead one click shows.
const CHOICES: [u16; 4] = [7, 30, 90, 365];
/// How many tokens the page lists.
const TOKENS: usize = 200;

/// The query of the page, as it is in the address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in super::super) struct ExpiringQuery {
    /// How many days ahead.
    days: Option<u16>,
}

#[derive(Template)]
#[template(path = "expiring.html")]
struct Page<'a> {
    frame: Frame<'a>,
    days: u16,
    /// The spans that one click shows, and which is shown.
    choices: [(u16, bool); 4],
    weeks: Vec<Week>,
    expired: usize,
    undeclared: usize,
    renewed: usize,
    found: usize,
    rows: Vec<Row>,
    no_history: Option<String>,
    /// The overview with all tokens that expire within these days.
    all_href: String,
}

/// Writes the page; `read` reads the history.
///
/// # Errors
/// What is wrong with the query, as a sentence without its full stop.
pub(in super::super) fn expiring(
    frame: Frame<'_>,
    snapshot: &Snapshot,
    query: &ExpiringQuery,
    read: impl FnOnce(&[HistoryQuery]) -> Histories,
) -> Result<askama::Result<String>, String> {
    let days = query.days.unwrap_or(DAYS);
    let query = FleetQuery { expiring: days.to_string(), sort: "expiry".to_owned(), ..FleetQuery::default() };
    let found = Filter::parse(&query).map_err(|_| "days: expected days ahead, from 1 to 10000".to_owned())?;
    let found = found.find(&snapshot.tokens, frame.now);
    let shown: Vec<_> = found.iter().take(TOKENS).copied().collect();
    let (rows, no_history) = rows(frame, snapshot, &shown, read);
    let tokens = || snapshot.tokens.iter().map(|entry| &entry.token);
    let declared = || tokens().filter(|token| !token.auto_rotated).filter_map(|token| token.expires);
    Ok(Page {
        frame,
        days,
        choices: CHOICES.map(|choice| (choice, choice == days)),
        weeks: weeks(frame, snapshot.tokens.iter(), frame.now),
        expired: declared().filter(|expires| *expires <= frame.now).count(),
        undeclared: tokens().filter(|token| token.expires.is_none() && !token.auto_rotated).count(),
        renewed: tokens().filter(|token| token.auto_rotated).count(),
        found: found.len(),
        rows,
        no_history,
        all_href: query.href(frame),
    }
    .render())
}
