//! The wall: every tenant and integration on one screen that is read across a room, without scrolling. Pure.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use askama::Template;

use crate::alert::{Firing, Severity};
use crate::state::{Health, Snapshot, TokenSnapshot};

use super::alerts::{Card, card, sorted};
use super::when::When;
use super::{Badge, Frame};

/// How many alerts there is room for.
const ALERTS: usize = 5;
/// How many tenants are below each other before there is another column of them.
const TALL: usize = 20;
/// How many columns there is room for; beyond that the rows become lower.
const COLUMNS: usize = 4;
/// How many integrations have a place of their own beside each tenant; the others share the last.
const INTEGRATIONS: usize = 6;
/// The drawing, in its units.
const WIDTH: usize = 1880;
const HEIGHT: usize = 780;
/// Between two columns of tenants.
const GAP: usize = 24;
/// How wide the longest name may be, in the size of the letters.
const LONGEST: usize = 16;
/// What a token without a profile is listed under, and what is beyond the last place.
const NONE: &str = "no profile";
const OTHERS: &str = "others";

/// One tenant and one integration: the worst of the tokens.
struct Cell {
    badge: Badge,
    x: usize,
    /// How many tokens there are.
    tokens: usize,
    integration: String,
}

/// One tenant.
struct Line {
    name: String,
    /// The name as far as there is room.
    short: String,
    href: String,
    x: usize,
    y: usize,
    cells: Vec<Cell>,
}

/// The name of an integration above its cells.
struct Head {
    name: String,
    short: String,
    x: usize,
}

#[derive(Template)]
#[template(path = "wall.html")]
struct Page<'a> {
    frame: Frame<'a>,
    clock: When,
    broken: usize,
    totals: Vec<(Badge, usize)>,
    heads: Vec<Head>,
    lines: Vec<Line>,
    width: usize,
    height: usize,
    /// Of a tenant, a cell and a row, without what is between them.
    column: usize,
    cell: usize,
    row: usize,
    font: usize,
    alerts: Vec<Card>,
    more_alerts: usize,
}

/// The worst token of each tenant and place, and how many there are.
type Worst<'a> = BTreeMap<&'a str, BTreeMap<usize, (Health, usize)>>;

/// Where everything stands in the drawing.
#[derive(Debug, Clone, Copy)]
struct Layout {
    /// How many tenants are below each other.
    rows: usize,
    row: usize,
    font: usize,
    /// The name of a tenant, and a cell.
    label: usize,
    cell: usize,
    /// A tenant with its cells, and what is between it and the next column.
    column: usize,
}

impl Layout {
    fn new(tenants: usize, places: usize) -> Self {
        let columns = tenants.div_ceil(TALL).clamp(1, COLUMNS);
        let rows = tenants.div_ceil(columns).max(1);
        // The heads stand above the first row.
        let row = (HEIGHT / (rows + 1)).min(96);
        let font = (row * 4 / 9).clamp(8, 36);
        let room = WIDTH / columns - GAP;
        let cell = ((room * 3 / 5) / places.max(1)).min(row * 5 / 2).max(12);
        // Names stand near their cells, however much room there is.
        let label = room.saturating_sub(cell * places).min(font * LONGEST);
        Self { rows, row, font, label, cell, column: label + cell * places + GAP }
    }

    /// The beginning of a text, as far as it fits this width.
    fn fits(self, text: &str, width: usize) -> String {
        shortened(text, (width * 10 / (self.font * 6)).saturating_sub(1).max(1))
    }

    /// Where a cell begins.
    fn cell_at(self, column: usize, place: usize) -> usize {
        column * self.column + self.label + place * self.cell
    }
}

/// The integrations that have a place, those with most tokens first.
fn places(snapshot: &Snapshot) -> Vec<&str> {
    let mut used: BTreeMap<&str, usize> = BTreeMap::new();
    snapshot.tokens.iter().for_each(|entry| *used.entry(title(entry)).or_default() += 1);
    let mut integrations: Vec<_> = used.into_iter().collect();
    integrations.sort_by_key(|(_, count)| Reverse(*count));
    let mut places: Vec<&str> = integrations.iter().map(|(title, _)| *title).collect();
    if places.len() > INTEGRATIONS {
        places.truncate(INTEGRATIONS - 1);
        places.push(OTHERS);
    }
    places
}

/// Writes the page.
pub(in super::super) fn wall(frame: Frame<'_>, snapshot: &Snapshot) -> askama::Result<String> {
    let places = places(snapshot);
    let (mut counts, mut worst) = ([0_usize; Health::ALL.len()], Worst::new());
    for entry in snapshot.tokens.iter() {
        let health = entry.health(frame.now);
        counts[health as usize] += 1;
        let place = places.iter().position(|place| *place == title(entry)).unwrap_or(places.len().saturating_sub(1));
        let cell = worst.entry(&entry.token.tenant.name).or_default().entry(place).or_insert((health, 0));
        *cell = (cell.0.min(health), cell.1 + 1);
    }
    let layout = Layout::new(worst.len(), places.len());
    let columns = worst.len().div_ceil(layout.rows).max(1);
    let heads = (0..columns).flat_map(|column| {
        places.iter().enumerate().map(move |(place, name)| Head {
            name: (*name).to_owned(),
            short: layout.fits(name, layout.cell),
            x: layout.cell_at(column, place),
        })
    });
    let lines = worst.iter().enumerate().map(|(index, (name, cells))| line(frame, layout, &places, index, name, cells));
    let is_urgent = |firing: &&&Firing| firing.severity == Severity::Critical && !firing.is_acknowledged(frame.now);
    let alerts = sorted(snapshot.firing());
    let urgent: Vec<_> = alerts.iter().filter(is_urgent).collect();
    Page {
        frame,
        clock: When::new(frame.now, frame.now),
        broken: counts[Health::Broken as usize],
        totals: Health::ALL.iter().map(|health| (Badge::from(*health), counts[*health as usize])).collect(),
        heads: heads.collect(),
        lines: lines.collect(),
        width: WIDTH,
        height: (layout.rows + 1) * layout.row,
        column: layout.column - GAP,
        cell: layout.cell.saturating_sub(6),
        row: layout.row.saturating_sub(4),
        font: layout.font,
        more_alerts: urgent.len().saturating_sub(ALERTS),
        alerts: urgent.into_iter().take(ALERTS).map(|firing| card(frame, firing, None)).collect(),
    }
    .render()
}

/// The line of a tenant, the one of that index.
fn line(
    frame: Frame<'_>,
    layout: Layout,
    places: &[&str],
    index: usize,
    name: &str,
    cells: &BTreeMap<usize, (Health, usize)>,
) -> Line {
    let (column, row) = (index / layout.rows, index % layout.rows);
    let cell = |(place, (health, tokens)): (&usize, &(Health, usize))| Cell {
        badge: (*health).into(),
        x: layout.cell_at(column, *place),
        tokens: *tokens,
        integration: places.get(*place).copied().unwrap_or_default().to_owned(),
    };
    Line {
        name: name.to_owned(),
        short: layout.fits(name, layout.label),
        href: frame.tenant_path(name),
        x: column * layout.column,
        y: (row + 1) * layout.row,
        cells: cells.iter().map(cell).collect(),
    }
}

/// What integration a token is for.
fn title(entry: &TokenSnapshot) -> &str {
    entry.token.profile.as_ref().map_or(NONE, |profile| profile.title.as_str())
}

/// The beginning of a text, so that it has `most` characters at most.
fn shortened(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::belief::TokenStatus;
    use crate::testing::{at, token, token_snapshot};

    #[test]
    fn any_number_of_tenants_fits_the_screen() {
        for tenants in [0, 1, 20, 21, 60, 61, 240, 1000] {
            let entry = |number: usize| {
                let mut token = token(&format!("t{}", number % 4), &[]);
                Arc::make_mut(&mut token.tenant).name = format!("a tenant with a rather long name {}", number / 4);
                token_snapshot(token, TokenStatus::default())
            };
            let tokens = (0..4 * tenants).map(entry).collect();
            let snapshot = Snapshot { tokens, ..Snapshot::default() };
            let page = wall(Frame::new("", at(0)), &snapshot).unwrap();
            let places: BTreeSet<_> = page.matches("<a href=\"/tenants/").collect();
            assert_eq!(page.matches("<a href=\"/tenants/").count(), tenants, "{places:?}");
            let height = page.split("viewBox=\"0 0 1880 ").nth(1).unwrap().split('"').next().unwrap();
            assert!(height.parse::<usize>().unwrap() <= HEIGHT, "{tenants}: {height}");
        }
    }
}
