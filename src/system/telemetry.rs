//! Where log lines go: standard error, as text or as one flat JSON object a line; or the journal with its fields, where
//! systemd connected standard error to it and text is wanted.
//!
//! Every line of note carries the field `event`; which events exist is said where they are logged.

use std::ffi::OsString;
use std::io::IsTerminal;

use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, fmt};

use super::clock;
use super::journal::{Journal, MessageId};

/// Timestamps as in `2026-11-23T10:00:00.123Z`.
struct Timestamp;

impl FormatTime for Timestamp {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        write!(writer, "{}", clock::now().format("%Y-%m-%dT%H:%M:%S%.3fZ"))
    }
}

/// Starts logging for the whole process.
///
/// # Errors
/// When `filter` is not a level or a filter, or when logging was started before.
pub fn start(json: bool, filter: &str, message_id: MessageId) -> Result<(), String> {
    // The scheduler tells of its own birth at every start; who wants to hear it can say so.
    let quiet = format!("tokio_cron_scheduler=warn,{filter}");
    let filter = EnvFilter::try_new(quiet).map_err(|error| format!("understand the log filter `{filter}`: {error}"))?;
    let registry = tracing_subscriber::registry().with(filter);
    let lines = fmt::layer().with_timer(Timestamp).with_writer(std::io::stderr).with_target(false);
    let started = if json {
        let lines = lines.json().flatten_event(true).with_current_span(false).with_span_list(false);
        registry.with(lines).try_init()
    } else if let Some(journal) = Journal::if_connected(message_id) {
        registry.with(journal).try_init()
    } else {
        let colours = colours(std::io::stderr().is_terminal(), std::env::var_os("NO_COLOR"));
        registry.with(lines.with_ansi(colours)).try_init()
    };
    started.map_err(|error| format!("start logging: {error}"))
}

/// Colours are for terminals, unless `NO_COLOR` is set to anything (no-color.org).
fn colours(terminal: bool, no_color: Option<OsString>) -> bool {
    terminal && no_color.is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_color_is_obeyed_and_pipes_have_no_colours() {
        assert!(colours(true, None) && colours(true, Some(OsString::new())));
        assert!(!colours(true, Some("1".into())) && !colours(false, None));
    }
}
