//! An e-mail about one notification or several: a plain part and an HTML part that say the same, in the thread of its
//! alerts. Pure.

use askama::Template;
use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder, MultiPart};

use crate::alert::{Change, Severity};
use crate::config::Email;
use crate::model::cut;
use crate::notify::fields::{Fields, moment};
use crate::notify::text::LONGEST_MESSAGE;

use super::summary::{heading, sign, taken_on, title, worst, worst_first};

/// The most alerts that one e-mail describes in full; of the others it has the number.
const MOST_ALERTS: usize = 30;
/// The most alerts in whose threads one e-mail is.
const MOST_THREADS: usize = 30;
/// The longest subject, in characters.
const LONGEST_SUBJECT: usize = 150;

/// The whole e-mail with its headers, as it is sent.
///
/// # Errors
/// Why it cannot be written.
pub(in crate::notify) fn email(email: &Email, first: &Fields, all: &[Fields]) -> Result<String, String> {
    let page = Page::of(first, all);
    let render = |rendered: askama::Result<String>| rendered.map_err(|error| error.to_string());
    let (plain, html) = (render(Plain { page: &page }.render())?, render(page.render())?);
    let body = MultiPart::alternative_plain_html(plain, html);
    let message = builder(email, first, all).multipart(body).map_err(|error| error.to_string())?;
    String::from_utf8(message.formatted()).map_err(|error| error.to_string())
}

fn builder(email: &Email, first: &Fields, all: &[Fields]) -> MessageBuilder {
    let subject: String = subject(first, all).chars().filter(|character| !character.is_control()).collect();
    let domain = email.from.email.domain();
    let id = match first.change {
        // The first e-mail of an alert begins its thread.
        Change::New => thread(first, domain),
        _ => format!("<{}.{}@{domain}>", first.id, first.delivery),
    };
    let threads = all.iter().map(|fields| thread(fields, domain)).filter(|thread| *thread != id);
    let threads: Vec<_> = threads.take(MOST_THREADS).collect();
    let mut builder = Message::builder()
        .from(email.from.clone())
        .subject(cut(&subject, LONGEST_SUBJECT))
        .date(first.at.into())
        // Nobody who is away should answer (RFC 3834).
        .raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".to_owned()));
    if !threads.is_empty() {
        builder = builder.references(threads.join(" "));
    }
    if let ([thread], 1) = (threads.as_slice(), all.len()) {
        builder = builder.in_reply_to(thread.clone());
    }
    builder = email.to.iter().fold(builder, |builder, to: &Mailbox| builder.to(to.clone()));
    builder.message_id(Some(id))
}

/// The id of the thread of an alert, which is that of its first e-mail.
fn thread(fields: &Fields, domain: &str) -> String {
    format!("<{}.{}@{domain}>", fields.id, fields.since.timestamp())
}

fn subject(first: &Fields, all: &[Fields]) -> String {
    if all.len() > 1 { heading(all) } else { title(first) }
}

/// What both parts say.
#[derive(Template)]
#[template(path = "email.html")]
struct Page {
    title: String,
    colour: &'static str,
    parts: Vec<Part>,
    more: Option<String>,
}

/// The plain part.
#[derive(Template)]
#[template(path = "email.txt")]
struct Plain<'a> {
    page: &'a Page,
}

/// What an e-mail says of one alert.
struct Part {
    title: String,
    colour: &'static str,
    message: String,
    steps: Vec<String>,
    facts: Vec<(&'static str, String)>,
    runbook: String,
    url: String,
}

impl Page {
    fn of(first: &Fields, all: &[Fields]) -> Self {
        let worst = worst(first, all);
        let sorted = worst_first(all);
        let left = sorted.len().saturating_sub(MOST_ALERTS);
        Self {
            title: format!("{} {}", sign(worst), subject(first, all)),
            colour: colour(worst),
            parts: sorted.into_iter().take(MOST_ALERTS).map(Part::of).collect(),
            more: (left > 0).then(|| format!("And {left} more: {}", worst.overview)),
        }
    }
}

impl Part {
    fn of(fields: &Fields) -> Self {
        let list =
            |members: &[String]| (!members.is_empty()).then(|| cut(&members.join(", "), LONGEST_MESSAGE).into_owned());
        let tokens = list(&fields.token_names).filter(|_| fields.scope != "token" || fields.token_names.len() > 1);
        let facts = [
            ("Since", Some(moment(fields.since))),
            ("Tenant", fields.tenant.clone()),
            ("Token", fields.token_name.clone()),
            ("Security group", fields.security_group.clone()),
            ("User", fields.user_id.map(|user| format!("number {user}"))),
            ("Tokens", tokens),
            ("Permissions", list(&fields.permissions)),
            ("Rights", list(&fields.rights)),
            ("Integrations", list(&fields.profiles)),
            ("Shown by", fields.shown_by.clone()),
            ("Contact", fields.contact.clone()),
            ("Note", fields.note.clone()),
            ("Taken on by", taken_on(fields)),
            ("Alert", Some(fields.id.clone())),
        ];
        Self {
            title: format!("{} {}", sign(fields), title(fields)),
            colour: colour(fields),
            message: fields.message.clone(),
            steps: fields.steps.clone(),
            facts: facts.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
            runbook: fields.runbook.clone(),
            url: fields.url.clone(),
        }
    }
}

fn colour(fields: &Fields) -> &'static str {
    match fields.severity {
        _ if fields.is_resolved() => "#2e7d32",
        Severity::Critical => "#c62828",
        Severity::Warning => "#ef6c00",
    }
}
