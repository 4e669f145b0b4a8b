//! What a webhook is sent: one request for each notification, in our own JSON or as Slack takes it. Pure.

use serde_json::{Value, json};

use crate::alert::{Severity, Status, page, runbook};
use crate::config::{Format, Webhook};
use crate::state::Delivery;

use super::post::Outgoing;
use super::text::{LONGEST_FIELD, LONGEST_MESSAGE, cut, cut_escaped};

/// The version of our own JSON. Keys may be added to it, none will disappear or change its meaning.
const VERSION: u32 = 1;
/// The longest links below a message, in characters; a longer one is left out, since half a link leads nowhere.
const LONGEST_LINKS: usize = 700;
/// The header that is the same for every attempt to deliver one notification, so that a receiver can recognise it.
const KEY: &str = "Idempotency-Key";

/// The request that delivers one notification.
pub(super) fn request(webhook: &Webhook, delivery: &Delivery, external_url: &str) -> Outgoing {
    let body = match webhook.format {
        Format::Json => ours(delivery, external_url),
        Format::Slack => slack(delivery, external_url),
    };
    let mut headers = vec![(KEY.to_owned(), delivery.id.to_string())];
    headers.extend(webhook.headers.iter().cloned());
    Outgoing { path: "", put: webhook.put, headers, body: body.to_string(), signed_by: webhook.secret_file.clone() }
}

fn ours(delivery: &Delivery, external_url: &str) -> Value {
    let Delivery { id, queued_at, notification, .. } = delivery;
    let message = &notification.message;
    let field = |text: &Option<String>| text.as_deref().map(|text| cut(text, LONGEST_FIELD).into_owned());
    let moment = |at: &chrono::DateTime<chrono::Utc>| at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    json!({
        "version": VERSION,
        "id": id,
        "at": moment(queued_at),
        "key": notification.key.to_string(),
        "alert": notification.key.alert.as_str(),
        "status": notification.status.as_str(),
        "severity": notification.severity.as_str(),
        "tenant": notification.key.of.tenant(),
        "token_name": notification.key.of.token_name(),
        "profile": field(&message.profile),
        "security_group": field(&message.security_group),
        "permission": field(&message.permission),
        "right": field(&message.right),
        "cause": message.cause,
        "evidence": message.evidence,
        "shown_by": field(&message.shown_by),
        "contact": field(&message.contact),
        "note": field(&message.note),
        "since": moment(&notification.since),
        "message": cut(&message.text, LONGEST_MESSAGE),
        "runbook": runbook(external_url, notification.key.alert),
        "url": page(external_url, &notification.key.of),
    })
}

/// A body as Slack takes it, and others too: Mattermost, Rocket.Chat, Discord below `/slack`.
fn slack(delivery: &Delivery, external_url: &str) -> Value {
    let notification = &delivery.notification;
    let (sign, colour) = match (notification.status, notification.severity) {
        (Status::Resolved, _) => ("\u{2705}", "good"),
        (_, Severity::Critical) => ("\u{1f534}", "danger"),
        (_, Severity::Warning) => ("\u{1f7e0}", "warning"),
    };
    let of = [notification.key.of.tenant(), notification.key.of.token_name()].into_iter().flatten();
    let of = cut_escaped(&of.collect::<Vec<_>>().join(" / "), LONGEST_FIELD);
    let alert = notification.key.alert.as_str();
    let title = format!("{sign} {} {}: *{alert}* {of}", notification.status.as_str(), notification.severity.as_str());
    let links = [
        format!("<{}|What to do>", runbook(external_url, notification.key.alert)),
        format!("<{}|Details>", page(external_url, &notification.key.of)),
    ];
    let links: Vec<_> = links.into_iter().filter(|link| link.chars().count() <= LONGEST_LINKS / 2).collect();
    let message = cut_escaped(&notification.message.text, LONGEST_MESSAGE);
    let contact = notification.message.contact.as_ref().map(|contact| format!("Contact: {contact}"));
    let note = notification.message.note.as_ref().map(|note| format!("Note: {note}"));
    let remarks = contact.into_iter().chain(note).map(|line| format!("\n{}", cut_escaped(&line, LONGEST_FIELD)));
    let message = message + &remarks.collect::<String>();
    json!({
        "text": title.trim_end(),
        "attachments": [{
            "color": colour,
            "fallback": cut(&notification.message.text, LONGEST_MESSAGE),
            "text": format!("{message}\n{}", links.join(" · ")).trim_end(),
            "ts": notification.since.timestamp(),
        }],
    })
}
