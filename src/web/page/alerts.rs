//! The alerts that fire, as the pages show them: what broke, since when, what is affected, and the steps that fix it.
//! Pure.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};

use crate::alert::{Alert, Firing, Severity, page, runbook};
use crate::model::Scope;
use crate::state::{Snapshot, TokenSnapshot};

use super::Frame;
use super::when::When;

/// One firing alert.
#[derive(Debug)]
pub(super) struct Card {
    pub(super) severity: &'static str,
    pub(super) sign: &'static str,
    pub(super) alert: &'static str,
    pub(super) runbook: String,
    /// What it is about, such as `acme / jumpcloud`.
    pub(super) about: String,
    /// The page about that; `None` on that page itself.
    pub(super) href: Option<String>,
    pub(super) since: When,
    /// What broke.
    pub(super) what: Vec<Piece>,
    /// How to fix it.
    pub(super) fix: Vec<Piece>,
    pub(super) shown_by: Option<String>,
    pub(super) contact: Option<String>,
    pub(super) note: Option<String>,
}

/// The order of alerts: the worst and newest come first, and before all of them the one that may explain the others.
fn order(firing: &Firing) -> (bool, Reverse<Severity>, Reverse<DateTime<Utc>>) {
    (firing.alert != Alert::SyncroOutage, Reverse(firing.severity), Reverse(firing.since))
}

fn card(frame: Frame<'_>, firing: &Firing, about: String, href: Option<String>) -> Card {
    let sign = match firing.severity {
        Severity::Critical => "✖",
        Severity::Warning => "▲",
    };
    Card {
        severity: firing.severity.as_str(),
        sign,
        alert: firing.alert.as_str(),
        runbook: runbook(frame.base, firing.alert),
        about,
        href,
        since: When::new(firing.since, frame.now),
        what: pieces(&sentence(firing.message.what())),
        fix: pieces(&sentence(firing.message.fix())),
        shown_by: firing.message.shown_by.clone(),
        contact: firing.message.contact.clone(),
        note: firing.message.note.clone(),
    }
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

/// The text with a capital letter at its start and a full stop at its end.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    let Some(first) = characters.next() else { return String::new() };
    let end = if text.ends_with('.') { "" } else { "." };
    format!("{}{}{end}", first.to_uppercase(), characters.as_str())
}

/// The alerts of one token, the worst and newest first.
pub(super) fn of_token(frame: Frame<'_>, entry: &TokenSnapshot) -> Vec<Card> {
    let about = || format!("{} / {}", entry.token.tenant.name, entry.token.name);
    let mut all: Vec<_> = entry.firing.iter().collect();
    all.sort_by_key(|firing| order(firing));
    all.into_iter().map(|firing| card(frame, firing, about(), None)).collect()
}

/// The alerts of the whole fleet, the worst and newest first: `most` at most, and how many more there are.
pub(super) fn of_fleet(frame: Frame<'_>, snapshot: &Snapshot, most: usize) -> (Vec<Card>, usize) {
    let mut all: Vec<_> = snapshot.firing().collect();
    all.sort_by_key(|(_, firing)| order(firing));
    let more = all.len().saturating_sub(most);
    let cards = all.into_iter().take(most).map(|(of, firing)| {
        let about = match &of {
            Scope::Fleet => "all tenants".to_owned(),
            Scope::Tenant(name) => name.clone(),
            Scope::Token(token) => format!("{} / {}", token.tenant, token.token_name),
        };
        let href = (of != Scope::Fleet).then(|| page(frame.base, &of));
        card(frame, firing, about, href)
    });
    (cards.collect(), more)
}

#[cfg(test)]
mod tests {
    use super::*;

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
