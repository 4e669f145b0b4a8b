//! The few lines that people read of notifications, as chats and e-mails alike begin with them. Pure.

use std::cmp::Reverse;

use crate::alert::{Change, Severity};
use crate::model::cut;
use crate::notify::fields::{Acknowledged, Fields, moment};
use crate::notify::text::{LONGEST_FIELD, quoted};

/// The longest line about one of several alerts, in characters.
const LONGEST_LINE: usize = 300;
/// How many kinds of alerts a title names.
const MOST_KINDS: usize = 3;
/// How much room the line needs that says how many more there are, in characters.
const ROOM_FOR_MORE: usize = 60;

/// A sign that is seen before anything is read.
pub(super) fn sign(fields: &Fields) -> &'static str {
    match fields.severity {
        _ if fields.is_resolved() => "\u{2705}",
        Severity::Critical => "\u{1f534}",
        Severity::Warning => "\u{1f7e0}",
    }
}

/// What has happened, in a word or two: `firing critical`, `still firing critical`, `resolved warning`.
pub(super) fn happening(fields: &Fields) -> String {
    let severity = fields.severity.as_str();
    match fields.change {
        Change::New | Change::Resolved | Change::Superseded => format!("{} {severity}", fields.status),
        Change::Escalated => format!("now {severity}"),
        Change::Deescalated => format!("only {severity} now"),
        Change::Updated => format!("changed, {severity}"),
        Change::Reminder => format!("still firing {severity}"),
    }
}

/// The title of a message about one alert, without its sign: what has happened, the alert, and whom it is about.
pub(super) fn title(fields: &Fields) -> String {
    let about = fields.about();
    let title = format!("{}: {} {}", happening(fields), fields.alert, cut(&about, LONGEST_FIELD));
    title.trim_end().to_owned()
}

/// Whom an alert is about as chats have it, as a name. Empty for all tenants together.
pub(super) fn named(fields: &Fields) -> String {
    match fields.about().as_str() {
        "" => String::new(),
        about => quoted(about),
    }
}

/// What the operator wants to be remembered, and who has taken the alert on, a line each.
pub(super) fn remarks(fields: &Fields) -> Vec<String> {
    let contact = fields.contact.as_ref().map(|contact| format!("Contact: {contact}"));
    let note = fields.note.as_ref().map(|note| format!("Note: {note}"));
    let taken_on = taken_on(fields).map(|who| format!("Taken on by {who}"));
    contact.into_iter().chain(note).chain(taken_on).collect()
}

/// Who has taken the alert on, until when and why.
pub(super) fn taken_on(fields: &Fields) -> Option<String> {
    let Acknowledged { by, reason, until } = fields.acknowledged.as_ref()?;
    Some(format!("{by} until {}: {reason}", moment(*until)))
}

/// The title of a message about several alerts, without its sign: `3 alerts: 2 critical, 1 warning (TokenExpired,
/// TokenExpiring)`. A chat shows it alone in its list, so it says what they are.
pub(super) fn heading(all: &[Fields]) -> String {
    let of = |severity| all.iter().filter(|fields| !fields.is_resolved() && fields.severity == severity).count();
    let resolved = all.iter().filter(|fields| fields.is_resolved()).count();
    let counts = [(of(Severity::Critical), "critical"), (of(Severity::Warning), "warning"), (resolved, "resolved")];
    let counts = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    format!("{} alerts: {} ({})", all.len(), counts.collect::<Vec<_>>().join(", "), kinds(all))
}

/// The names of the alerts, each once, the worst first: a few, and how many more there are.
fn kinds(all: &[Fields]) -> String {
    let mut kinds = Vec::new();
    for fields in worst_first(all) {
        if !kinds.contains(&fields.alert) {
            kinds.push(fields.alert);
        }
    }
    let named = kinds.iter().take(MOST_KINDS).copied().collect::<Vec<_>>().join(", ");
    match kinds.len().saturating_sub(MOST_KINDS) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// Those that fire before those that have ended, the worst first.
pub(super) fn worst_first(all: &[Fields]) -> Vec<&Fields> {
    let mut sorted: Vec<_> = all.iter().collect();
    sorted.sort_by_key(|fields| (fields.is_resolved(), Reverse(fields.severity), fields.delivery));
    sorted
}

/// The one that matters most of several.
pub(super) fn worst<'a>(first: &'a Fields, all: &'a [Fields]) -> &'a Fields {
    let rank = |fields: &&Fields| (!fields.is_resolved(), fields.severity, Reverse(fields.delivery));
    all.iter().max_by_key(rank).unwrap_or(first)
}

/// A line for each of several alerts, the worst first, as far as there is room, in characters; then how many more there
/// are. `write` makes a line of the alert and its text.
pub(super) fn lines(all: &[Fields], room: usize, write: impl Fn(&Fields, &str) -> String) -> Vec<String> {
    let sorted = worst_first(all);
    let (mut lines, mut left) = (Vec::new(), room.saturating_sub(ROOM_FOR_MORE));
    for (index, fields) in sorted.iter().enumerate() {
        let title = format!("{}: {} {}", happening(fields), fields.alert, named(fields));
        let text = format!("{}: {}", title.trim_end(), fields.message);
        let line = write(fields, &cut(&text, LONGEST_LINE));
        let length = line.chars().count() + 1;
        if length > left {
            lines.push(format!("… and {} more", sorted.len() - index));
            break;
        }
        left -= length;
        lines.push(line);
    }
    lines
}
