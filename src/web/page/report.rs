//! The report as a document that prints well: its frame with the figures and a line for each token, and a chapter for each
//! token. It needs no script, and with its style in it no daemon. Pure.

use askama::Template;
use chrono::TimeDelta;

use crate::belief::PermissionState;
use crate::state::{Health, Snapshot, TokenSnapshot};

use super::super::report::{Chapter, Figures, Report, Selection, Totals, mean_time_to_fix};
use super::expiry::Expiry;
use super::permissions::{Change, Permission, permissions};
use super::rows::why;
use super::when::{When, span};
use super::{Badge, Counts, Frame, name_of, state};

/// How many changes of a token the document has; CSV counts them, and JSON has all of the period.
const MOST_CHANGES: usize = 50;
/// Where the lines of the list stand in the frame, and where the chapters do.
const LINES: &str = "<!-- lines -->";
const CHAPTERS: &str = "<!-- chapters -->";
/// The style of all pages.
const STYLE: &str = include_str!("static/style.css");

/// A token in the list at the beginning.
#[derive(Template)]
#[template(path = "report_line.html")]
struct Line {
    token: String,
    badge: Badge,
    state: String,
    user: Option<String>,
    contact: Option<String>,
    expiry: Option<Expiry>,
    /// `None` where nothing is known of the period.
    incidents: Option<usize>,
    is_lasting: bool,
    mean: Option<String>,
}

/// A time during which what uses the token failed.
struct Failed {
    what: String,
    from: Option<When>,
    until: Option<When>,
    took: Option<String>,
}

#[derive(Template)]
#[template(path = "report.html")]
struct Document<'a> {
    frame: Frame<'a>,
    /// The style, in a document that stands alone.
    style: Option<&'static str>,
    title: String,
    tenant: &'a str,
    since: When,
    /// The beginning of the period, as the address of the page has it.
    from: String,
    until: When,
    /// When a check first gave a verdict about any of its tokens, if that was in the period, and when one last did.
    watched_since: Option<When>,
    newest: Option<When>,
    totals: &'a Totals,
    mean: Option<String>,
    counts: Vec<(Badge, usize)>,
    query: String,
}

#[derive(Template)]
#[template(path = "chapter.html")]
struct OfToken<'a> {
    tenant: &'a str,
    token_name: &'a str,
    badge: Badge,
    why: String,
    state: String,
    since: Option<When>,
    watched_since: Option<When>,
    integration: Option<&'a str>,
    user: Option<String>,
    security_group: Option<&'a str>,
    global_admin: bool,
    contact: Option<&'a str>,
    fingerprint: Option<String>,
    value_since: Option<When>,
    expiry: Option<Expiry>,
    last_verdict: Option<When>,
    /// Those of which anything is known, and the required ones.
    permissions: Vec<Permission>,
    /// The names of the others.
    unchecked: String,
    incidents: Vec<Failed>,
    mean: Option<String>,
    changes: Vec<Change>,
    more_changes: usize,
}

/// The line of a token in the list at the beginning.
///
/// # Errors
/// When it cannot be written.
pub(in super::super) fn report_line(frame: Frame<'_>, snapshot: &Snapshot, figures: Figures) -> askama::Result<String> {
    let entry = &snapshot.tokens[figures.index];
    let TokenSnapshot { token, status, .. } = entry;
    let health = entry.health(frame.now);
    Line {
        token: format!("{} / {}", token.tenant.name, token.name),
        badge: health.into(),
        state: why(snapshot, health, entry, Counts::of(entry).missing),
        user: status.user.as_ref().map(name_of),
        contact: token.contact.clone(),
        expiry: Expiry::of(token, &snapshot.expiry_notice, frame.now),
        incidents: figures.incidents,
        is_lasting: figures.is_lasting,
        mean: figures.mean_time_to_fix.map(span),
    }
    .render()
}

/// The document in three pieces: after the first stand the lines of its list, and after the second its chapters. One that stands
/// alone has its style in it, and
/// no links.
///
/// # Errors
/// When it cannot be written.
pub(in super::super) fn report_frame(
    frame: Frame<'_>,
    report: &Report,
    totals: &Totals,
    stands_alone: bool,
) -> askama::Result<[String; 3]> {
    let Selection { since, until, tenant } = &report.selection;
    let snapshot = &report.snapshot;
    let when = |moment| When::new(moment, *until);
    let indexes = report.selection.indexes(snapshot);
    let of_tokens = || indexes.iter().map(|index| &snapshot.tokens[*index].status);
    let first = of_tokens().filter_map(|status| status.known_since).min();
    let all = [totals.broken, totals.attention, totals.unseen, totals.well];
    let from = when(*since).machine;
    let document = Document {
        frame,
        style: stands_alone.then_some(STYLE),
        title: tenant.as_ref().map_or_else(
            || "Report on API tokens".to_owned(),
            |tenant| format!("Report on the API tokens of {tenant}"),
        ),
        tenant: tenant.as_deref().unwrap_or_default(),
        query: query(tenant.as_deref(), &from),
        from,
        since: when(*since),
        until: when(*until),
        watched_since: first.filter(|first| first > since).map(when),
        newest: of_tokens().filter_map(|status| status.validity.last_success).max().map(when),
        totals,
        mean: totals.mean_time_to_fix_seconds.map(|seconds| span(TimeDelta::seconds(seconds))),
        counts: Health::ALL.iter().map(|health| Badge::from(*health)).zip(all).collect(),
    };
    let text = document.render()?;
    let (beginning, rest) = text.split_once(LINES).unwrap_or((&text, ""));
    let (middle, end) = rest.split_once(CHAPTERS).unwrap_or((rest, ""));
    Ok([beginning, middle, end].map(str::to_owned))
}

/// The path of the report of a tenant.
pub(super) fn report_path(frame: Frame<'_>, tenant: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    format!("{}/report?{}", frame.base, query.append_pair("tenant", tenant).finish())
}

/// What selects the same report, in an address.
fn query(tenant: Option<&str>, since: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(tenant.map(|tenant| ("tenant", tenant)));
    query.append_pair("since", since).finish()
}

/// The chapter of a token.
///
/// # Errors
/// When it cannot be written.
pub(in super::super) fn report_chapter(
    frame: Frame<'_>,
    snapshot: &Snapshot,
    chapter: &Chapter,
) -> askama::Result<String> {
    let entry = &snapshot.tokens[chapter.index];
    let TokenSnapshot { token, status, .. } = entry;
    let when = |moment| When::new(moment, frame.now);
    let incidents = chapter.incidents.iter().map(|incident| Failed {
        what: incident.what.join(", "),
        from: incident.from.map(when),
        until: incident.until.map(when),
        took: incident.took().map(span),
    });
    let (unchecked, permissions): (Vec<_>, Vec<_>) = permissions(frame, entry, snapshot.probes)
        .into_iter()
        .partition(|one| one.state == PermissionState::Unverified && !one.is_required);
    let health = entry.health(frame.now);
    OfToken {
        tenant: &token.tenant.name,
        token_name: &token.name,
        badge: health.into(),
        why: why(snapshot, health, entry, Counts::of(entry).missing),
        state: state(status.state),
        since: status.since.map(when),
        watched_since: status.known_since.map(when),
        integration: token.profile.as_ref().map(|profile| profile.title.as_str()),
        user: status.user.as_ref().map(name_of),
        security_group: status.security_group(),
        global_admin: status.user.as_ref().is_some_and(|user| user.admin.granted == Some(true)),
        contact: token.contact.as_deref(),
        fingerprint: status.fingerprint.as_ref().map(ToString::to_string),
        value_since: entry.value_seen_since().map(when),
        expiry: Expiry::of(token, &snapshot.expiry_notice, frame.now),
        last_verdict: status.validity.last_success.map(when),
        permissions,
        unchecked: unchecked.iter().map(|one| one.name).collect::<Vec<_>>().join("; "),
        incidents: incidents.collect(),
        mean: mean_time_to_fix(&chapter.incidents).map(span),
        changes: chapter.changes.iter().take(MOST_CHANGES).map(|line| Change::of(frame, line)).collect(),
        more_changes: chapter.changes.len().saturating_sub(MOST_CHANGES),
    }
    .render()
}
