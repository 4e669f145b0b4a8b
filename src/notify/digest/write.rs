//! A digest as each kind of receiver takes it. Pure.

use askama::Template;
use lettre::Message;
use lettre::message::MultiPart;
use lettre::message::header::{HeaderName, HeaderValue};
use serde::Serialize;
use serde_json::{Value, json};

use crate::config::{Email, Format, ReceiverKind, Webhook};
use crate::model::cut;
use crate::notify::answer::{DeliveryFailure, Trouble};
use crate::notify::fields::moment;
use crate::notify::format::card;
use crate::notify::outgoing::{Outgoing, Verb};
use crate::notify::text::{LONGEST_MESSAGE, cut_escaped};

use super::content::Content;

/// The version of our own JSON, which is that of notifications.
const VERSION: u32 = 2;
/// The header that is the same for every attempt to deliver one digest.
const KEY: &str = "Idempotency-Key";
/// The longest line of a message in a chat, in characters.
const LONGEST_LINE: usize = 300;
/// How many lines each part of a message may have: the first of these with which all of it fits.
const LINES: [usize; 6] = [50, 20, 10, 5, 2, 0];
/// The longest text that Slack takes in one piece, in characters.
const LONGEST_SLACK: usize = 3_000;
/// The longest text in a card, in characters: Teams takes some 28 KB in all.
const LONGEST_CARD: usize = 4_000;

/// What a line of a card begins with that is a heading; no name has it.
const HEADING: char = '\u{1}';

/// The request that delivers a digest to a receiver.
///
/// # Errors
/// When a template fails at it, or a receiver of this kind takes none.
pub(in crate::notify) fn request(kind: &ReceiverKind, content: &Content) -> Result<Outgoing, Trouble> {
    match kind {
        ReceiverKind::Webhook(webhook) => of_webhook(webhook, content),
        ReceiverKind::Email(settings) => {
            let unwritable = |error| Trouble::new(DeliveryFailure::Refused, format!("it makes no e-mail: {error}"));
            let body = email(settings, content).map_err(unwritable)?;
            // No notification has this number.
            let deliveries = vec![-content.due.timestamp()];
            Ok(Outgoing { body, deliveries, ..Outgoing::default() })
        }
        ReceiverKind::Alertmanager => Err(none("an Alertmanager")),
    }
}

fn none(of: &str) -> Trouble {
    Trouble::new(DeliveryFailure::Refused, format!("{of} is sent no digest"))
}

fn of_webhook(webhook: &Webhook, content: &Content) -> Result<Outgoing, Trouble> {
    let body = match &webhook.format {
        Format::Json => serde_json::to_string(&Fields::of(content)).unwrap_or_default(),
        Format::Slack => slack(content).to_string(),
        Format::Teams => teams(content).to_string(),
        Format::PagerDuty(_) => return Err(none("PagerDuty")),
        Format::Template(template) => {
            let values = match serde_json::to_value(Fields::of(content)) {
                Ok(Value::Object(values)) => values,
                // Values of these types are always an object.
                _ => serde_json::Map::new(),
            };
            template.render_digest(values).map_err(|error| {
                let detail = format!("the template {template} failed at a digest: {error}");
                Trouble::new(DeliveryFailure::Template, detail)
            })?
        }
    };
    let mut headers = vec![(KEY.to_owned(), format!("digest-{}", content.due.timestamp()))];
    headers.extend(webhook.headers.iter().cloned());
    let verb = if webhook.put { Verb::Put } else { Verb::Post };
    Ok(Outgoing { verb, headers, body, signed_by: webhook.secret_file.clone(), ..Outgoing::default() })
}

/// What programs and templates are sent of a digest. Serialized, it is one flat object in the order of the fields.
#[derive(Debug, Serialize)]
struct Fields {
    version: u32,
    /// Always true: a notification has no such field.
    digest: bool,
    at: String,
    due: String,
    time_zone: String,
    title: String,
    alerts: usize,
    critical: usize,
    warnings: usize,
    broken: Vec<String>,
    acknowledged: Vec<String>,
    suppressed: Vec<String>,
    tokens_expiring: usize,
    expiring: Vec<String>,
    tokens_without_expiry: usize,
    permissions_unverified: usize,
    unverified: Vec<String>,
    tokens: usize,
    tenants: usize,
    message: String,
    url: String,
}

impl Fields {
    fn of(content: &Content) -> Self {
        let all = |list: &super::content::List| list.bounded(usize::MAX);
        Self {
            version: VERSION,
            digest: true,
            at: moment(content.at),
            due: moment(content.due),
            time_zone: content.time_zone.clone(),
            title: content.title(),
            alerts: content.broken.total,
            critical: content.critical,
            warnings: content.broken.total - content.critical,
            broken: all(&content.broken),
            acknowledged: all(&content.acknowledged),
            suppressed: all(&content.suppressed),
            tokens_expiring: content.expiring.total,
            expiring: all(&content.expiring),
            tokens_without_expiry: content.without_expiry,
            permissions_unverified: content.permissions_unverified,
            unverified: all(&content.unverified),
            tokens: content.tokens,
            tenants: content.tenants,
            message: fitting(content, LONGEST_MESSAGE, ["", ""], str::to_owned),
            url: content.url.clone(),
        }
    }
}

/// The text of a digest with as many lines as fit into `most` characters. `around` stands on either side of a heading, and
/// `write` makes what is sent of a line.
fn fitting(content: &Content, most: usize, around: [&str; 2], write: impl Fn(&str) -> String) -> String {
    let [before, after] = around;
    let text = |lines: usize| {
        let part = |(heading, lines): (String, Vec<String>)| {
            let lines = lines.iter().map(|line| format!("\n• {}", write(&cut(line, LONGEST_LINE))));
            format!("{before}{}{after}{}", write(&heading), lines.collect::<String>())
        };
        content.parts(lines).into_iter().map(part).collect::<Vec<_>>().join("\n")
    };
    let texts = LINES.iter().map(|lines| text(*lines));
    let mut shortest = String::new();
    for text in texts {
        if text.chars().count() <= most {
            return text;
        }
        shortest = text;
    }
    cut(&shortest, most).into_owned()
}

/// A sign that is seen before anything is read.
fn sign(content: &Content) -> &'static str {
    match (content.critical, content.broken.total) {
        (_, 0) => "\u{2705}",
        (0, _) => "\u{1f7e0}",
        _ => "\u{1f534}",
    }
}

fn slack(content: &Content) -> Value {
    let link = format!("\n<{}|Details>", content.url);
    let room = LONGEST_SLACK.saturating_sub(link.chars().count());
    // Nothing in it is longer than a line, and an escape is at most five times as long.
    let text = fitting(content, room, ["*", "*"], |line| cut_escaped(line, LONGEST_LINE * 5));
    let title = content.title();
    let colour = match (content.critical, content.broken.total) {
        (_, 0) => "good",
        (0, _) => "warning",
        _ => "danger",
    };
    json!({
        "text": format!("{} {}", sign(content), cut_escaped(&title, LONGEST_LINE)),
        "attachments": [{
            "color": colour,
            "fallback": title,
            "text": format!("{text}{link}"),
            "ts": content.due.timestamp(),
        }],
    })
}

fn teams(content: &Content) -> Value {
    let colour = match (content.critical, content.broken.total) {
        (_, 0) => "Good",
        (0, _) => "Warning",
        _ => "Attention",
    };
    let run = |text: &str, more: Value| {
        let mut run = json!({ "type": "TextRun", "text": text });
        if let (Some(run), Value::Object(more)) = (run.as_object_mut(), more) {
            run.extend(more);
        }
        json!({ "type": "RichTextBlock", "inlines": [run] })
    };
    let title = format!("{} {}", sign(content), content.title());
    let mut body = vec![run(&title, json!({ "weight": "Bolder", "size": "Medium", "color": colour }))];
    let text = fitting(content, LONGEST_CARD, ["\u{1}", ""], |line| line.replace(HEADING, ""));
    body.extend(text.lines().map(|line| match line.strip_prefix(HEADING) {
        Some(heading) => run(heading, json!({ "weight": "Bolder" })),
        None => run(line, json!({})),
    }));
    card(&body, &[("Details", &content.url)])
}

/// The HTML part of an e-mail.
#[derive(Template)]
#[template(path = "digest.html")]
struct Page {
    title: String,
    colour: &'static str,
    parts: Vec<(String, Vec<String>)>,
    url: String,
}

/// The plain part, which says the same.
#[derive(Template)]
#[template(path = "digest.txt")]
struct Plain<'a> {
    page: &'a Page,
}

/// The whole e-mail with its headers, as it is sent.
fn email(email: &Email, content: &Content) -> Result<String, String> {
    let colour = match (content.critical, content.broken.total) {
        (_, 0) => "#2e7d32",
        (0, _) => "#ef6c00",
        _ => "#c62828",
    };
    let title = format!("{} {}", sign(content), content.title());
    let page = Page { title, colour, parts: content.parts(usize::MAX), url: content.url.clone() };
    let render = |rendered: askama::Result<String>| rendered.map_err(|error| error.to_string());
    let (plain, html) = (render(Plain { page: &page }.render())?, render(page.render())?);
    let domain = email.from.email.domain();
    let builder = Message::builder()
        .from(email.from.clone())
        .subject(content.title())
        .date(content.at.into())
        .message_id(Some(format!("<digest.{}@{domain}>", content.due.timestamp())))
        // Nobody who is away should answer (RFC 3834).
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
    let builder = email.to.iter().fold(builder, |builder, to| builder.to(to.clone()));
    let message =
        builder.multipart(MultiPart::alternative_plain_html(plain, html)).map_err(|error| error.to_string())?;
    String::from_utf8(message.formatted()).map_err(|error| error.to_string())
}
