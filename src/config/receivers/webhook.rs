//! What a webhook has of its own: the format, the method, the headers and the signature. Pure.

use toml::Value;

use crate::config::context::Context;
use crate::config::fault::{Problem, resembles_token, shown};
use crate::config::fleet::file_path;
use crate::config::raw::{Notes, Section};
use crate::config::value;

use super::{Format, Webhook};

/// Reads the keys that only a webhook has.
pub(super) fn webhook(section: &mut Section<'_>, context: &Context<'_>, notes: &mut Notes<'_>) -> Webhook {
    let formats = [("json", Format::Json), ("slack", Format::Slack)];
    let format = section.read("format", notes, |value| value::word(value, &formats)).unwrap_or(Format::Json);
    let methods = [("POST", false), ("PUT", true)];
    let put = section.read("method", notes, |value| value::word(value, &methods)).unwrap_or(false);
    let secret_file = section.read("secret_file", notes, |value| file_path(value, context));
    let headers = section.entries("headers", notes, header);
    Webhook { format, put, headers, secret_file }
}

fn header(name: &str, value: &Value) -> Result<(String, String), Problem> {
    const OURS: [&str; 4] = ["authorization", "content-length", "content-type", "host"];
    let allowed = "a header's name and text; what is secret goes into bearer_token_file, password_file or secret_file";
    let text = value::text(value, allowed)?;
    if OURS.contains(&name.to_ascii_lowercase().as_str()) {
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
