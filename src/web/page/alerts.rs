//! The alerts that fire, as the pages show them: what broke, since when, what is affected, and the steps that fix it.
//! Pure.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};

use crate::alert::{Acknowledgement, Affected, Alert, Firing, Severity, page, runbook};
use crate::model::Scope;
use crate::state::{Snapshot, TokenSnapshot};

use super::Frame;
use super::when::When;

/// How many of what an alert affects its row names; it says how many more there are.
const MOST_AFFECTED: usize = 20;

/// Alerts of one kind and severity: one row that opens to them.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) severity: &'static str,
    pub(super) sign: &'static str,
    pub(super) alert: &'static str,
    pub(super) is_acknowledged: bool,
    /// How many there are, those that are not shown among them.
    pub(super) count: usize,
    /// Since when the newest has been so.
    pub(super) since: When,
    pub(super) cards: Vec<Card>,
    /// The list of all of them, if not all are shown.
    pub(super) all: Option<String>,
}

/// One firing alert: a row that opens in place.
#[derive(Debug)]
pub(super) struct Card {
    pub(super) id: String,
    /// The page of the alert.
    pub(super) page: String,
    /// How many tokens it affects.
    pub(super) tokens: usize,
    pub(super) severity: &'static str,
    pub(super) sign: &'static str,
    pub(super) alert: &'static str,
    pub(super) runbook: String,
    /// What it is about, such as `acme / jumpcloud`.
    pub(super) about: String,
    /// What kind of thing that is, where its name does not say so.
    pub(super) kind: Option<&'static str>,
    /// The page about that; `None` on that page itself.
    pub(super) href: Option<String>,
    pub(super) since: When,
    /// What broke.
    pub(super) what: Vec<Piece>,
    /// The tokens that it affects, where it is about more than one token.
    pub(super) affected: Vec<AffectedToken>,
    /// How many tokens more it affects.
    pub(super) more_affected: usize,
    /// How to fix it, step by step.
    pub(super) steps: Vec<Vec<Piece>>,
    pub(super) shown_by: Option<String>,
    pub(super) contact: Option<String>,
    pub(super) note: Option<String>,
    /// Who has taken it on, until when, and why.
    pub(super) acknowledged: Option<(String, When, String)>,
}

/// A token that an alert affects.
#[derive(Debug)]
pub(super) struct AffectedToken {
    pub(super) token_name: String,
    pub(super) href: String,
    /// What it lacks; empty where it is affected as a whole.
    pub(super) lacks: String,
}

/// The order of alerts: the worst and newest come first, and before all of them the one that may explain the others.
fn order(firing: &Firing) -> (bool, bool, Reverse<Severity>, Reverse<DateTime<Utc>>) {
    let is_taken_on = firing.acknowledged.is_some();
    (firing.alert != Alert::SyncroOutage, is_taken_on, Reverse(firing.severity), Reverse(firing.since))
}

/// The row of an alert, on the page at `here`.
pub(super) fn card(frame: Frame<'_>, firing: &Firing, here: Option<&str>) -> Card {
    let Firing { id, alert, scope, severity, since, message, affected, .. } = firing;
    let href = (*scope != Scope::Fleet).then(|| page(frame.base, scope)).filter(|href| here != Some(href.as_str()));
    let tokens = affected.chunk_by(|left, right| left.token_name == right.token_name).count();
    let (affected, more_affected) = tokens_of(frame, firing);
    Card {
        id: id.clone(),
        page: format!("{}/alerts/{id}", frame.base),
        tokens,
        severity: severity.as_str(),
        sign: sign(*severity),
        alert: alert.as_str(),
        runbook: runbook(frame.base, *alert),
        about: about(scope),
        kind: scope.security_group().map(|_| "security group"),
        href,
        since: When::new(*since, frame.now),
        what: sentences(&message.line),
        affected,
        more_affected,
        steps: message.steps.iter().map(|step| sentences(step)).collect(),
        shown_by: message.shown_by.clone(),
        contact: message.contact.clone(),
        note: message.note.clone(),
        acknowledged: firing.acknowledged.as_ref().filter(|_| firing.is_acknowledged(frame.now)).map(|acknowledged| {
            let Acknowledgement { by, reason, until, .. } = acknowledged;
            (by.clone(), When::new(*until, frame.now), reason.clone())
        }),
    }
}

/// What an alert is about, such as `acme / jumpcloud`.
pub(super) fn about(scope: &Scope) -> String {
    let names = [scope.tenant().map(str::to_owned), scope.subject()].into_iter().flatten().collect::<Vec<_>>();
    if names.is_empty() { "all tenants".to_owned() } else { names.join(" / ") }
}

/// The tokens that an alert affects, with what each lacks, and how many more there are. One that is about a token as a whole
/// says so already.
fn tokens_of(frame: Frame<'_>, firing: &Firing) -> (Vec<AffectedToken>, usize) {
    let (Some(tenant), Some(first)) = (firing.scope.tenant(), firing.affected.first()) else {
        return (Vec::new(), 0);
    };
    if firing.scope.token_name().is_some() && first.thing().is_none() {
        return (Vec::new(), 0);
    }
    // What an alert affects is sorted by the names of the tokens.
    let tokens: Vec<_> = firing.affected.chunk_by(|left, right| left.token_name == right.token_name).collect();
    let one = |of_token: &[Affected]| {
        let token_name = of_token.first().map(|affected| affected.token_name.clone()).unwrap_or_default();
        let lacks = of_token.iter().filter_map(Affected::thing).collect::<Vec<_>>().join(", ");
        AffectedToken { href: page(frame.base, &Scope::of_token(tenant, &token_name)), token_name, lacks }
    };
    let more = tokens.len().saturating_sub(MOST_AFFECTED);
    (tokens.into_iter().take(MOST_AFFECTED).map(one).collect(), more)
}

/// A piece of a sentence.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) text: String,
    /// Whether it is a name, which the text of the alert has between backticks.
    pub(super) is_name: bool,
}

fn pieces(text: &str) -> Vec<Piece> {
    let piece = |(index, text): (usize, &str)| Piece { text: text.to_owned(), is_name: index % 2 == 1 };
    text.split('`').enumerate().map(piece).filter(|piece| !piece.text.is_empty()).collect()
}

/// A text as a sentence, in pieces.
pub(super) fn sentences(text: &str) -> Vec<Piece> {
    pieces(&sentence(text))
}

/// The text with a capital letter at its start and a full stop at its end.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let Some(first) = characters.next() else { return String::new() };
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{}{}{end}", first.to_uppercase(), characters.as_str())
}

/// The alerts that affect one token, the worst and newest first.
pub(super) fn of_token(frame: Frame<'_>, snapshot: &Snapshot, entry: &TokenSnapshot) -> Vec<Card> {
    let here = frame.token_path(entry);
    sorted(snapshot.firing_of(entry)).into_iter().map(|firing| card(frame, firing, Some(&here))).collect()
}

/// The alerts that fire, the worst and newest first.
pub(super) fn sorted<'a>(firing: impl Iterator<Item = &'a Firing>) -> Vec<&'a Firing> {
    let mut all: Vec<_> = firing.collect();
    all.sort_by_key(|firing| order(firing));
    all
}

/// Alerts by kind and severity, the worst and newest first: `most` alerts at most, and how many more there are.
pub(super) fn groups<'a>(
    frame: Frame<'_>,
    firing: impl Iterator<Item = &'a Firing>,
    most: usize,
) -> (Vec<Group>, usize) {
    let all = sorted(firing);
    let key = |firing: &Firing| (firing.is_acknowledged(frame.now), firing.severity, firing.alert);
    let mut by_key: Vec<Vec<&Firing>> = Vec::new();
    for firing in &all {
        match by_key.iter_mut().find(|group| group.first().is_some_and(|first| key(first) == key(firing))) {
            Some(group) => group.push(firing),
            None => by_key.push(vec![firing]),
        }
    }
    // Each group shows as many as the others, so that none is hidden by a longer one.
    let share = (most / by_key.len().max(1)).max(1);
    let group = |members: Vec<&Firing>| {
        let first = members.first()?;
        let cards: Vec<_> = members.iter().take(share).map(|firing| card(frame, firing, None)).collect();
        let all = || format!("{}/alerts?alert={}", frame.base, first.alert.as_str());
        Some(Group {
            severity: first.severity.as_str(),
            sign: sign(first.severity),
            alert: first.alert.as_str(),
            is_acknowledged: first.is_acknowledged(frame.now),
            count: members.len(),
            since: When::new(members.iter().map(|firing| firing.since).max().unwrap_or(first.since), frame.now),
            all: (members.len() > cards.len()).then(all),
            cards,
        })
    };
    let groups: Vec<_> = by_key.into_iter().filter_map(group).collect();
    let shown = groups.iter().map(|group| group.cards.len()).sum::<usize>();
    (groups, all.len() - shown)
}

fn sign(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical => "✖",
        Severity::Warning => "▲",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, firing};

    #[test]
    fn an_alert_of_a_group_lists_its_tokens_and_what_each_lacks() {
        let scope = Scope::SecurityGroup { tenant: "acme".to_owned(), group: "Technicians".to_owned() };
        let mut affected: Vec<_> =
            (0..25).map(|number| Affected::permission(&format!("t{number:02}"), "Edit")).collect();
        affected.insert(1, Affected::permission("t00", "View"));
        let firing = firing(Alert::PermissionLost, scope, Severity::Critical, affected);
        let card = card(Frame::new("/below", at(60)), &firing, None);
        assert_eq!((card.about.as_str(), card.kind), ("acme / Technicians", Some("security group")));
        let first = &card.affected[0];
        assert_eq!((first.token_name.as_str(), first.lacks.as_str()), ("t00", "Edit, View"));
        assert_eq!(first.href, "/below/tenants/acme/tokens/t00");
        assert_eq!((card.affected.len(), card.more_affected, card.steps.len()), (20, 5, 2));
    }

    #[test]
    fn names_are_marked_and_a_sentence_has_a_capital_letter_and_a_full_stop() {
        let shown = |text: &str| {
            pieces(&sentence(text)).into_iter().map(|piece| (piece.text, piece.is_name)).collect::<Vec<_>>()
        };
        let piece = |text: &str, is_name| (text.to_owned(), is_name);
        assert_eq!(shown("token `a.b` broke"), [piece("Token ", false), piece("a.b", true), piece(" broke.", false)]);
        assert_eq!(shown("élan"), [piece("Élan.", false)]);
        assert_eq!(shown(""), []);
    }
}
