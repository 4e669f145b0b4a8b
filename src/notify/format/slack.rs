//! A body as Slack takes it, and others too: Mattermost, Rocket.Chat, Discord below `/slack`. Pure.

use serde_json::{Value, json};

use crate::alert::Severity;
use crate::notify::fields::Fields;
use crate::notify::text::{LONGEST_FIELD, LONGEST_MESSAGE, cut_escaped};

use super::summary::{happening, remarks, sign};

/// The longest text that Slack takes in one piece, in characters.
const LONGEST_TEXT: usize = 3_000;
/// The longest links below a message, in characters; a longer one is left out, since half a link leads nowhere.
const LONGEST_LINKS: usize = 700;

/// The body for one notification.
pub(in crate::notify) fn slack(fields: &Fields) -> Value {
    let about = cut_escaped(&fields.about(), LONGEST_FIELD);
    let title = format!("{} {}: *{}* {about}", sign(fields), happening(fields), fields.alert);
    let links = [format!("<{}|What to do>", fields.runbook), format!("<{}|Details>", fields.url)];
    let links: Vec<_> = links.into_iter().filter(|link| link.chars().count() <= LONGEST_LINKS / 2).collect();
    let remarks = remarks(fields).into_iter().map(|line| format!("\n{}", cut_escaped(&line, LONGEST_FIELD)));
    let below = format!("{}\n{}", remarks.collect::<String>(), links.join(" · "));
    let room = LONGEST_TEXT.saturating_sub(below.chars().count());
    let message = cut_escaped(&fields.message, LONGEST_MESSAGE.min(room));
    json!({
        "text": title.trim_end(),
        "attachments": [{
            "color": colour(fields),
            "fallback": fields.message,
            "text": format!("{message}{below}").trim_end(),
            "ts": fields.since.timestamp(),
        }],
    })
}

fn colour(fields: &Fields) -> &'static str {
    match fields.severity {
        _ if fields.is_resolved() => "good",
        Severity::Critical => "danger",
        Severity::Warning => "warning",
    }
}
