//! What a webhook has of its own: the format, the method, the headers and the signature. Pure.

use toml::Value;

use crate::config::context::Context;
use crate::config::fault::{Problem, resembles_token, shown};
use crate::config::raw::{Notes, Section};
use crate::config::source::file_path;
use crate::config::value;

use super::template::{LONGEST_TEMPLATE, Template};
use super::{Format, Webhook};

/// The words for the formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Word {
    Json,
    Slack,
    Teams,
    PagerDuty,
    Template,
}

const WORDS: [(&str, Word); 5] = [
    ("json", Word::Json),
    ("slack", Word::Slack),
    ("teams", Word::Teams),
    ("pagerduty", Word::PagerDuty),
    ("template", Word::Template),
];

/// Reads the keys that only a webhook has.
pub(super) fn webhook(section: &mut Section<'_>, context: &Context<'_>, notes: &mut Notes<'_>) -> Webhook {
    let format = format(section, context, notes);
    let methods = [("POST", false), ("PUT", true)];
    let put = section.read("method", notes, |value| value::word(value, &methods)).unwrap_or(false);
    let secret_file = section.read("secret_file", notes, |value| file_path(value, context));
    // What a template makes need not be JSON.
    let is_template = matches!(format, Format::Template(_));
    let headers = section.entries("headers", notes, |name, value| header(name, value, is_template));
    Webhook { format, put, headers, secret_file }
}

/// Reads the format with the file that it needs.
fn format(section: &mut Section<'_>, context: &Context<'_>, notes: &mut Notes<'_>) -> Format {
    let word = section.read("format", notes, |value| value::word(value, &WORDS)).unwrap_or(Word::Json);
    let routing_key_file = section.read("routing_key_file", notes, |value| file_path(value, context));
    let template = section.read("template_file", notes, |value| template(value, context));
    for (key, needed_by, what) in [
        ("routing_key_file", Word::PagerDuty, "format = \"pagerduty\" with routing_key_file"),
        ("template_file", Word::Template, "format = \"template\" with template_file"),
    ] {
        if section.has(key) != (word == needed_by) {
            let problem = if section.has(key) { "not for this format" } else { "missing" };
            notes.fault(&section.path(key), Problem::new(problem, what));
        }
    }
    match (word, routing_key_file, template) {
        (Word::Slack, ..) => Format::Slack,
        (Word::Teams, ..) => Format::Teams,
        (Word::PagerDuty, file, _) => Format::PagerDuty(file.unwrap_or_default()),
        (Word::Template, _, Some(template)) => Format::Template(template),
        // Where a file is missing, that is a fault.
        _ => Format::Json,
    }
}

fn template(value: &Value, context: &Context<'_>) -> Result<Template, Problem> {
    let file = file_path(value, context)?;
    let allowed = "the path of a template, see docs/notifications.md";
    let source = context.outside.text(&file, LONGEST_TEMPLATE).map_err(|error| Problem::new(error, allowed))?;
    Template::new(&file, &source)
        .map_err(|error| Problem::new(format!("the template `{}` is wrong: {error}", file.display()), allowed))
}

fn header(name: &str, value: &Value, may_set_type: bool) -> Result<(String, String), Problem> {
    const OURS: [&str; 4] = ["authorization", "content-length", "content-type", "host"];
    let allowed = "a header's name and text; what is secret goes into bearer_token_file, password_file or secret_file";
    let text = value::text(value, allowed)?;
    let lower = name.to_ascii_lowercase();
    if OURS.contains(&lower.as_str()) && !(may_set_type && lower == "content-type") {
        return Err(Problem::new(format!("{} is not for the configuration to set", shown(name)), allowed));
    }
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let is_text = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if resembles_token(text) || !is_name || !is_text {
        return Err(Problem::new(format!("{} is not a usable header", shown(name)), allowed));
    }
    Ok((name.to_owned(), text.to_owned()))
}
