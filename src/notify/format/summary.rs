//! The few lines that people read of a notification, as chats and e-mails alike begin with them. Pure.

use crate::alert::Severity;
use crate::notify::fields::Fields;
use crate::notify::text::{LONGEST_FIELD, cut};
use crate::state::Change;

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

/// The title of a message: a sign, what has happened, the alert, and whom it is about.
pub(super) fn title(fields: &Fields) -> String {
    let about = fields.about();
    let title = format!("{} {}: {} {}", sign(fields), happening(fields), fields.alert, cut(&about, LONGEST_FIELD));
    title.trim_end().to_owned()
}

/// What the operator wants to be remembered, a line each.
pub(super) fn remarks(fields: &Fields) -> Vec<String> {
    let contact = fields.contact.as_ref().map(|contact| format!("Contact: {contact}"));
    let note = fields.note.as_ref().map(|note| format!("Note: {note}"));
    contact.into_iter().chain(note).collect()
}
