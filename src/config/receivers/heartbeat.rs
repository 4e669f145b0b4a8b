//! `[alerts.heartbeat]`: a request to somebody who raises the alarm when it stays away. Pure.

use std::path::PathBuf;
use std::time::Duration;

use secrecy::zeroize::Zeroizing;
use toml::Value;
use url::Url;

use crate::config::context::Context;
use crate::config::fault::Problem;
use crate::config::raw::{Notes, Section};
use crate::config::source::file_path;
use crate::config::value;

/// How often the request is sent unless the configuration says otherwise.
const EVERY: Duration = Duration::from_mins(1);
/// The longest interval: whoever waits for longer learns too late that the monitor is dead.
const LONGEST_EVERY: Duration = Duration::from_hours(24);
/// The longest file with a URL, in bytes.
const LONGEST_URL: u64 = 64 * 1024;

/// Where the heartbeat goes, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// The path of the file that has the URL, which is a secret: whoever has it can feign that the monitor lives.
    pub url_file: PathBuf,
    /// How often the request is sent.
    pub every: Duration,
}

/// Reads `[alerts.heartbeat]`.
pub(super) fn heartbeat(alerts: &mut Section<'_>, context: &Context<'_>, notes: &mut Notes<'_>) -> Option<Heartbeat> {
    let is_there = alerts.has("heartbeat");
    let mut section = alerts.section("heartbeat", notes);
    let url_file = section.read("url_file", notes, |value| url_file(value, context));
    let every = section.read("every", notes, |value| value::duration(value, Duration::from_secs(1)..=LONGEST_EVERY));
    if is_there && !section.has("url_file") {
        let allowed = "the path of a file that holds the URL, such as the ping URL of a check at healthchecks.io";
        notes.fault(&section.path("url_file"), Problem::new("missing", allowed));
    }
    section.finish(notes);
    Some(Heartbeat { url_file: url_file?, every: every.unwrap_or(EVERY) })
}

/// Reads the path of a file that holds a URL, and checks that it does. The URL itself is read again at each use.
fn url_file(value: &Value, context: &Context<'_>) -> Result<PathBuf, Problem> {
    let allowed = "the path of a file that holds nothing but an http or https URL";
    let file = file_path(value, context)?;
    let text = context.outside.text(&file, LONGEST_URL).map_err(|error| Problem::new(error, allowed))?;
    let text = Zeroizing::new(text);
    let is_usable = |url: &Url| matches!(url.scheme(), "http" | "https") && url.host().is_some();
    let url = Url::parse(text.trim_end_matches(['\r', '\n'])).ok().filter(is_usable);
    // What is in the file is shown nowhere.
    url.map(|_| ()).ok_or_else(|| Problem::new(format!("`{}` holds no web URL", file.display()), allowed))?;
    Ok(file)
}
