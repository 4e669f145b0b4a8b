//! A body as Slack takes it, and others too: Mattermost, Rocket.Chat, Discord below `/slack`. Pure.

use serde_json::{Value, json};

use crate::alert::Severity;
use crate::notify::fields::Fields;
use crate::notify::text::{LONGEST_FIELD, cut_escaped};

use super::summary::{happening, heading, lines, named, remarks, sign, worst};

/// The longest text that Slack takes in one piece, in characters.
const LONGEST_TEXT: usize = 3_000;
/// The longest links below a message, in characters; a longer one is left out, since half a link leads nowhere.
const LONGEST_LINKS: usize = 700;

/// The body for one notification, or for several.
pub(in crate::notify) fn slack(first: &Fields, all: &[Fields]) -> Value {
    if all.len() > 1 { several(worst(first, all), all) } else { one(first) }
}

fn one(fields: &Fields) -> Value {
    let about = cut_escaped(&named(fields), LONGEST_FIELD);
    let title = format!("{} {}: *{}* {about}", sign(fields), happening(fields), fields.alert);
    let id = cut_escaped(&format!("Alert {}", fields.id), LONGEST_FIELD);
    let links = [Some(id), link(&fields.runbook, "What to do"), link(&fields.url, "Details")];
    let links = links.into_iter().flatten().collect::<Vec<_>>().join(" · ");
    let remarks =
        remarks(fields).into_iter().map(|line| format!("\n{}", cut_escaped(&line.replace('`', "'"), LONGEST_FIELD)));
    let below = format!("{}\n{links}", remarks.collect::<String>());
    let room = LONGEST_TEXT.saturating_sub(below.chars().count());
    let steps = fields.numbered_steps().fold(String::new(), |text, step| text + "\n" + &step);
    let message = cut_escaped(&format!("{}{steps}", fields.message), room);
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

fn several(worst: &Fields, all: &[Fields]) -> Value {
    let details = link(&worst.overview, "Details").unwrap_or_default();
    let room = LONGEST_TEXT.saturating_sub(details.chars().count() + 1);
    let lines = lines(all, room, |fields, text| format!("{} {}", sign(fields), cut_escaped(text, LONGEST_FIELD)));
    let heading = heading(all);
    json!({
        "text": format!("{} {heading}", sign(worst)),
        "attachments": [{
            "color": colour(worst),
            "fallback": heading,
            "text": format!("{}\n{details}", lines.join("\n")).trim_end(),
        }],
    })
}

/// A link, unless it is too long.
fn link(url: &str, text: &str) -> Option<String> {
    Some(format!("<{url}|{text}>")).filter(|link| link.chars().count() <= LONGEST_LINKS / 2)
}

fn colour(fields: &Fields) -> &'static str {
    match fields.severity {
        _ if fields.is_resolved() => "good",
        Severity::Critical => "danger",
        Severity::Warning => "warning",
    }
}
