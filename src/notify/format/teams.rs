//! A message with an Adaptive Card, as the workflow "Post to a channel when a webhook request is received" of Microsoft
//! Teams takes it. Names and texts stand in text runs, which interpret no Markdown. Pure.

use serde_json::{Value, json};

use crate::alert::Severity;
use crate::model::cut;
use crate::notify::fields::Fields;
use crate::notify::text::LONGEST_FIELD;

use super::summary::{heading, lines, remarks, sign, title, worst};

/// The version of the schema: Teams shows cards up to 1.5, and phones up to 1.4 for sure.
const VERSION: &str = "1.4";

/// The longest lines about several alerts, in characters: Teams takes some 28 KB in all.
const LONGEST_LINES: usize = 4_000;

/// The body for one notification, or for several.
pub(in crate::notify) fn teams(first: &Fields, all: &[Fields]) -> Value {
    if all.len() > 1 {
        let worst = worst(first, all);
        let lines = lines(all, LONGEST_LINES, |fields, text| format!("{} {text}", sign(fields)));
        let mut body = vec![headline(&heading(all), worst)];
        body.extend(lines.iter().map(|line| paragraph(line)));
        return card(&body, &[("Details", &worst.overview)]);
    }
    let mut body = vec![headline(&title(first), first), paragraph(&first.message)];
    body.extend(first.numbered_steps().map(|step| paragraph(&cut(&step, LONGEST_FIELD))));
    body.extend(remarks(first).iter().map(|remark| paragraph(remark)));
    card(&body, &[("What to do", &first.runbook), ("Details", &first.url)])
}

/// The message with a card of these parts and links.
pub(in crate::notify) fn card(body: &[Value], links: &[(&str, &String)]) -> Value {
    let open = |(title, url): &(&str, &String)| json!({ "type": "Action.OpenUrl", "title": title, "url": url });
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": VERSION,
                "msteams": { "width": "Full" },
                "body": body,
                "actions": links.iter().map(open).collect::<Vec<_>>(),
            },
        }],
    })
}

fn headline(text: &str, worst: &Fields) -> Value {
    let text = format!("{} {text}", sign(worst));
    let colour = match worst.severity {
        _ if worst.is_resolved() => "Good",
        Severity::Critical => "Attention",
        Severity::Warning => "Warning",
    };
    let run = json!({ "type": "TextRun", "text": text, "weight": "Bolder", "size": "Medium", "color": colour });
    json!({ "type": "RichTextBlock", "inlines": [run] })
}

fn paragraph(text: &str) -> Value {
    json!({ "type": "RichTextBlock", "inlines": [{ "type": "TextRun", "text": text }] })
}
