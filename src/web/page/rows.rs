//! The rows of the tables of tokens: how each is, its last thirty days, its expiry, what it may do, who made it. Pure.

use std::collections::BTreeSet;

use crate::belief::TokenState;
use crate::state::{Health, HistoryLine, HistoryQuery, Snapshot, TokenSnapshot};
use crate::syncro::Reason;

use super::expiry::Expiry;
use super::strip::{self, Strip};
use super::when::When;
use super::{Badge, Counts, Frame, name_of, state};

/// How many tokens are on one page: more than fit a screen, few enough for a phone.
pub(super) const ROWS: usize = 50;
/// How many lines of the history the strip of one row is made of at most: the newest.
const MOST_LINES: u32 = 100;

/// The row of one token.
pub(super) struct Row {
    pub(super) tenant: String,
    pub(super) tenant_href: String,
    pub(super) token_name: String,
    pub(super) href: String,
    pub(super) badge: Badge,
    pub(super) why: String,
    /// `None` where the history cannot be read.
    pub(super) strip: Option<Strip>,
    pub(super) expiry: Option<Expiry>,
    pub(super) counts: Counts,
    pub(super) integration: Option<String>,
    /// The user as a text, and the page about the user.
    pub(super) user: Option<(String, String)>,
    pub(super) last_check: Option<When>,
    pub(super) trouble: Option<&'static str>,
}

/// The history of tokens, in the order in which they were asked for, or why it cannot be read.
pub(in super::super) type Histories = Result<Vec<Vec<HistoryLine>>, String>;

/// The rows of these tokens, and why the history, which `read` reads, cannot be read: then the rows have no strips.
pub(super) fn rows(
    frame: Frame<'_>,
    snapshot: &Snapshot,
    tokens: &[(Health, &TokenSnapshot)],
    read: impl FnOnce(&[HistoryQuery]) -> Histories,
) -> (Vec<Row>, Option<String>) {
    let since = strip::start(frame.now);
    let query = |(_, entry): &(Health, &TokenSnapshot)| HistoryQuery::newest_of(&entry.token, since, MOST_LINES);
    let queries: Vec<_> = tokens.iter().map(query).collect();
    let (histories, no_history) = match read(&queries) {
        Ok(histories) => (histories, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    let mut histories = histories.into_iter();
    let strip = |entry: &TokenSnapshot, mut history: Vec<HistoryLine>| {
        history.reverse();
        Strip::of(&strip::strip(entry, &history, MOST_LINES, frame.now))
    };
    let row = |(health, entry): &(Health, &TokenSnapshot)| {
        let strip = histories.next().map(|history| strip(entry, history));
        row(frame, snapshot, *health, entry, strip)
    };
    (tokens.iter().map(row).collect(), no_history)
}

fn row(frame: Frame<'_>, snapshot: &Snapshot, health: Health, entry: &TokenSnapshot, strip: Option<Strip>) -> Row {
    let TokenSnapshot { token, status, .. } = entry;
    let counts = Counts::of(entry);
    Row {
        tenant: token.tenant.name.clone(),
        tenant_href: frame.tenant_path(&token.tenant.name),
        token_name: token.name.clone(),
        href: frame.token_path(entry),
        badge: health.into(),
        why: why(snapshot, health, entry, counts.missing),
        strip,
        expiry: Expiry::of(token, &snapshot.expiry_notice, frame.now),
        counts,
        integration: token.profile.as_ref().map(|profile| profile.title.clone()),
        user: status.user.as_ref().map(|user| (name_of(user), frame.user_path(&token.tenant.name, user.id))),
        last_check: status.validity.last_attempt.map(|at| When::new(at, frame.now)),
        trouble: status.validity.reason.map(Reason::as_str),
    }
}

/// What explains the health of a token, as a short text; `missing` is the number of its missing permissions.
pub(super) fn why(snapshot: &Snapshot, health: Health, entry: &TokenSnapshot, missing: usize) -> String {
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
        (Health::Unseen, _) => "valid at the last answer".to_owned(),
        (Health::Ok, _) => state(token_state),
    }
}
