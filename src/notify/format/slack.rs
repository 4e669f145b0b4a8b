//! A body as Slack takes it, and others too: Mattermost, Rocket.Chat, Discord below `/slack`. Pure.

use serde_json::{Value, json};

use crate::alert::Severity;

use crate::notify::fields::Fields;
use crate::notify::text::{LONGEST_FIELD, LONGEST_MESSAGE, cut_escaped};

/// The longest links below a message, in characters; a longer one is left out, since half a link leads nowhere.
const LONGEST_LINKS: usize = 700;

/// The body for one notification.
pub(in crate::notify) fn slack(fields: &Fields) -> Value {
    let (sign, colour) = match fields.severity {
        _ if fields.is_resolved() => ("\u{2705}", "good"),
        Severity::Critical => ("\u{1f534}", "danger"),
        Severity::Warning => ("\u{1f7e0}", "warning"),
    };
    let about = cut_escaped(&fields.about(), LONGEST_FIELD);
    let (alert, status, severity) = (fields.alert, fields.status, fields.severity.as_str());
    let title = format!("{sign} {status} {severity}: *{alert}* {about}");
    let links = [format!("<{}|What to do>", fields.runbook), format!("<{}|Details>", fields.url)];
    let links: Vec<_> = links.into_iter().filter(|link| link.chars().count() <= LONGEST_LINKS / 2).collect();
    let contact = fields.contact.as_ref().map(|contact| format!("Contact: {contact}"));
    let note = fields.note.as_ref().map(|note| format!("Note: {note}"));
    let remarks = contact.into_iter().chain(note).map(|line| format!("\n{}", cut_escaped(&line, LONGEST_FIELD)));
    let message = cut_escaped(&fields.message, LONGEST_MESSAGE) + &remarks.collect::<String>();
    json!({
        "text": title.trim_end(),
        "attachments": [{
            "color": colour,
            "fallback": fields.message,
            "text": format!("{message}\n{}", links.join(" · ")).trim_end(),
            "ts": fields.since.timestamp(),
        }],
    })
}
