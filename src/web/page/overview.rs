//! The overview: how many tokens are in which state, what fires, what expires when, and every token, the worst first. Pure.

use std::collections::BTreeMap;

use askama::Template;

use crate::belief::TokenState;
use crate::state::{Health, HistoryQuery, Snapshot};

use super::alerts::{Group, groups};
use super::filter::{Filter, FleetQuery, Order};
use super::paging::Paging;
use super::rows::{Histories, ROWS, Row, rows};
use super::weeks::{Week, weeks};
use super::{Badge, Frame, state};

/// How many alerts are on the page; the others are in the list of all alerts.
const MOST_ALERTS: usize = 24;

/// One of the totals, whose link selects the tokens that it counts.
struct Total {
    badge: Badge,
    count: usize,
    href: String,
    is_selected: bool,
}

/// One option of the filter.
struct Choice {
    value: String,
    text: String,
    is_selected: bool,
}

/// The head of a column, whose link sorts by it.
struct Column {
    title: &'static str,
    /// `None` where nothing can be sorted by it.
    href: Option<String>,
    /// How the rows are sorted by it, as `aria-sort` has it; empty if they are not.
    sorted: &'static str,
}

#[derive(Template)]
#[template(path = "overview.html")]
struct Page<'a> {
    frame: Frame<'a>,
    first_sweep_done: bool,
    /// How many tenants have their alerts suppressed by maintenance.
    suppressed: usize,
    tokens: usize,
    broken: usize,
    totals: Vec<Total>,
    alerts: Vec<Group>,
    more_alerts: usize,
    weeks: Vec<Week>,
    expiring: usize,
    query: &'a FleetQuery,
    is_narrow: bool,
    all_href: String,
    choices: Vec<Choice>,
    states: Vec<Choice>,
    profiles: Vec<Choice>,
    columns: Vec<Column>,
    rows: Vec<Row>,
    no_history: Option<String>,
    from: usize,
    to: usize,
    found: usize,
    before: Option<String>,
    after: Option<String>,
}

/// Writes the page; `read` reads the history.
///
/// # Errors
/// What is wrong with the query, as a sentence without its full stop.
pub(in super::super) fn overview(
    frame: Frame<'_>,
    snapshot: &Snapshot,
    query: &FleetQuery,
    read: impl FnOnce(&[HistoryQuery]) -> Histories,
) -> Result<askama::Result<String>, String> {
    let now = frame.now;
    let filter = Filter::parse(query)?;
    let found = filter.find(&snapshot.tokens, now);
    let to_page = |page: usize| FleetQuery { page: Some(page), ..query.clone() }.href(frame);
    let Paging { from, before, after } = Paging::new(query.page, found.len(), ROWS, to_page);
    let shown: Vec<_> = found.iter().skip(from).take(ROWS).copied().collect();
    let (rows, no_history) = rows(frame, snapshot, &shown, read);
    let (alerts, more_alerts) = groups(frame, snapshot.firing(), MOST_ALERTS);
    let maintained = |name: &str| snapshot.suppressed_until(name, now).is_some();
    let mut counts = [0_usize; Health::ALL.len()];
    snapshot.tokens.iter().for_each(|entry| counts[entry.health(now) as usize] += 1);
    let weeks = weeks(frame, snapshot.tokens.iter(), now);
    Ok(Page {
        frame,
        first_sweep_done: snapshot.first_sweep_done,
        suppressed: snapshot.tenants.iter().filter(|tenant| maintained(&tenant.name)).count(),
        tokens: snapshot.tokens.len(),
        broken: counts[Health::Broken as usize],
        totals: Health::ALL.iter().map(|health| total(frame, query, *health, counts[*health as usize])).collect(),
        alerts,
        more_alerts,
        expiring: weeks.iter().map(|week| week.count).sum(),
        weeks,
        query,
        is_narrow: query.is_narrow(),
        all_href: FleetQuery::default().href(frame),
        choices: Health::ALL.iter().map(|one| choice(&query.state, one.as_str(), Badge::from(*one).word)).collect(),
        states: TokenState::ALL.iter().map(|one| choice(&query.state, one.as_str(), &state(*one))).collect(),
        profiles: profiles(snapshot, query),
        columns: columns(frame, query, &filter),
        no_history,
        from: from + usize::from(!rows.is_empty()),
        to: from + rows.len(),
        rows,
        found: found.len(),
        before,
        after,
    }
    .render())
}

/// The total of a health; a selected one leads back to the tokens of every health.
fn total(frame: Frame<'_>, query: &FleetQuery, health: Health, count: usize) -> Total {
    let is_selected = query.state == health.as_str();
    let state = if is_selected { String::new() } else { health.as_str().to_owned() };
    let href = FleetQuery { state, page: None, ..query.clone() }.href(frame);
    Total { badge: health.into(), count, href, is_selected }
}

fn choice(selected: &str, value: &str, text: &str) -> Choice {
    Choice { value: value.to_owned(), text: text.to_owned(), is_selected: value == selected }
}

/// The integrations that use a token, each once.
fn profiles(snapshot: &Snapshot, query: &FleetQuery) -> Vec<Choice> {
    let profiles = snapshot.tokens.iter().filter_map(|entry| entry.token.profile.as_ref());
    let titles: BTreeMap<_, _> = profiles.map(|profile| (profile.name.as_str(), profile.title.as_str())).collect();
    titles.into_iter().map(|(name, title)| choice(&query.profile, name, title)).collect()
}

/// The heads of the columns. One by which the rows are sorted turns them round.
fn columns(frame: Frame<'_>, query: &FleetQuery, filter: &Filter<'_>) -> Vec<Column> {
    let titles = [
        ("Token", Some(Order::Token)),
        ("Status", Some(Order::Status)),
        ("30 days", None),
        ("Expires", Some(Order::Expiry)),
        ("Permissions", Some(Order::Permissions)),
        ("Integration", Some(Order::Integration)),
        ("User", Some(Order::User)),
        ("Last check", Some(Order::Checked)),
    ];
    let column = |(title, order): (&'static str, Option<Order>)| {
        let is_sorted = order == Some(filter.order);
        let turned = if is_sorted && !filter.is_reversed { "-" } else { "" };
        let sort = order.map(|order| format!("{turned}{}", order.as_str()));
        let sorted = match (is_sorted, filter.is_reversed) {
            (false, _) => "",
            (true, false) => "ascending",
            (true, true) => "descending",
        };
        let href = sort.map(|sort| FleetQuery { sort, page: None, ..query.clone() }.href(frame));
        Column { title, href, sorted }
    };
    titles.into_iter().map(column).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::DateTime;

    use super::*;
    use crate::belief::TokenStatus;
    use crate::state::TokenSnapshot;
    use crate::testing::{at, token, token_snapshot};

    fn page(tokens: &[(&str, &str)], q: &str, state: &str, page: Option<usize>) -> Result<String, String> {
        let entry = |(tenant, name): &(&str, &str)| {
            let mut token = token(name, &[]);
            Arc::make_mut(&mut token.tenant).name = (*tenant).to_owned();
            token_snapshot(token, TokenStatus::default())
        };
        let snapshot = Snapshot { tokens: tokens.iter().map(entry).collect(), ..Snapshot::default() };
        let query = FleetQuery { q: q.to_owned(), state: state.to_owned(), page, ..FleetQuery::default() };
        let read = |queries: &[HistoryQuery]| Ok(vec![Vec::new(); queries.len()]);
        overview(Frame::new("/below", at(0)), &snapshot, &query, read).map(|page| page.unwrap())
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
    fn a_history_that_cannot_be_read_takes_the_strips_away_and_nothing_else() {
        let status =
            TokenStatus { state: TokenState::Valid, since: Some(DateTime::UNIX_EPOCH), ..TokenStatus::default() };
        let entry = token_snapshot(token("t", &[]), status);
        let snapshot = Snapshot { tokens: [entry].into_iter().collect(), ..Snapshot::default() };
        let query = FleetQuery::default();
        let page = |read: fn(&[HistoryQuery]) -> Histories| {
            overview(Frame::new("", at(0)), &snapshot, &query, read).unwrap().unwrap()
        };
        let read = page(|queries| Ok(vec![Vec::new(); queries.len()]));
        assert!(read.contains("aria-label=\"30 days: OK on 30\""), "{read}");
        let unread = page(|_| Err("the disk is <gone>".to_owned()));
        assert!(
            unread.contains("cannot be read: the disk is &#60;gone&#62;") && !unread.contains("30 days: "),
            "{unread}"
        );
        assert!(unread.contains(">t</a>"));
    }

    #[test]
    fn however_many_tokens_and_alerts_there_are_the_page_stays_below_500_kilobytes() {
        use crate::alert::{Affected, Alert, Severity};
        use crate::model::Scope;
        use crate::state::TenantSnapshot;
        use crate::testing::firing;

        let long = |number: usize| format!("{number:04} {}", "long ".repeat(18));
        let entry = |number: usize| {
            let mut token = token(&long(number), &["Tickets - Edit"]);
            Arc::make_mut(&mut token.tenant).name = long(number / 10);
            (token.expires, token.contact) = (Some(at(i64::try_from(number).unwrap() * 1000)), Some("c".repeat(200)));
            TokenSnapshot { is_affected: true, ..token_snapshot(token, TokenStatus::default()) }
        };
        let alert = |number: usize| {
            let (alert, _) = Alert::ALL[number % Alert::ALL.len()];
            let affected = (0..30).map(|number| Affected::permission(&long(number), "Tickets - Edit")).collect();
            let mut firing = firing(alert, Scope::Tenant(long(number)), Severity::Critical, affected);
            firing.id = format!("{number:08x}");
            firing.message.line = "m".repeat(400);
            firing
        };
        let firing = Arc::new((0..500).map(alert).collect());
        let snapshot = Snapshot {
            tokens: (0..5000).map(entry).collect(),
            tenants: [TenantSnapshot { name: long(0), firing }].into_iter().collect(),
            ..Snapshot::default()
        };
        let read = |queries: &[HistoryQuery]| Ok(vec![Vec::new(); queries.len()]);
        let page = overview(Frame::new("", at(0)), &snapshot, &FleetQuery::default(), read).unwrap().unwrap();
        assert!(page.len() < 500_000, "{}", page.len());
        assert!(page.contains("of 5000<") && page.contains("more in <a"), "a part of them");
    }
}
