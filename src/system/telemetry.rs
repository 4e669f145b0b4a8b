//! Where log lines are written: to standard error, as text or as one flat JSON object a line; or to the journal with
//! its fields, where systemd connected standard error to it and text is wanted. Code that logs never waits for the
//! reader of the log (`log_writer`).
//!
//! Every line that a program may want to find has the field `event`; the events are named where they are logged.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::ffi::OsString;
use std::io::IsTerminal;
use std::panic::PanicHookInfo;
use std::sync::OnceLock;

use prometheus::IntCounter;

use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::FormatTime;
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, fmt};

use super::clock;
use super::journal::{Journal, MessageId, Socket};
use super::json_lines::JsonLines;
use super::log_writer::{Queue, StandardError};

pub(crate) use super::json_lines::LogList;

/// The queue of log lines, once logging has been started.
static QUEUE: OnceLock<Queue> = OnceLock::new();

/// Writes timestamps such as `2026-11-23T10:00:00.123Z`.
struct Timestamp;

impl FormatTime for Timestamp {
    fn format_time(&self, writer: &mut Writer<'_>) -> std::fmt::Result {
        write!(writer, "{}", clock::now().format("%Y-%m-%dT%H:%M:%S%.3fZ"))
    }
}

/// The guard of logging: when it is dropped, the lines that still wait are written, unless the reader is stuck.
#[derive(Debug)]
#[must_use]
pub(crate) struct Logging(Queue);

impl Drop for Logging {
    fn drop(&mut self) {
        // A reader that is stuck must not prevent the program from ending.
        self.0.flush();
    }
}

/// The counter of the log lines that were dropped; `None` before logging was started.
pub(crate) fn dropped() -> Option<IntCounter> {
    QUEUE.get().map(Queue::dropped)
}

/// Waits up to half a second until what has been logged up to now is written, for a caller that records that it was. It
/// does not wait again while nobody reads the log. Cancel-safe.
pub(crate) async fn written() {
    if let Some(queue) = QUEUE.get() {
        queue.written().await;
    }
}

/// Starts logging for the whole process, the panics included. `message_id` names the kinds of lines for the journal.
///
/// # Errors
/// When `filter` is not a level or a filter, when logging was started before, or when its thread cannot be started.
pub(crate) fn start(json: bool, filter: &str, message_id: MessageId) -> Result<Logging, String> {
    // The scheduler logs its own start every time; a filter that names it shows that.
    let quiet = format!("tokio_cron_scheduler=warn,{filter}");
    let filter = EnvFilter::try_new(quiet).map_err(|error| format!("understand the log filter `{filter}`: {error}"))?;
    let failed = |error: &dyn std::fmt::Display| format!("start logging: {error}");
    let registry = tracing_subscriber::registry().with(filter);
    let journal = if json { None } else { Socket::if_connected() };
    let (queue, started) = if let Some(socket) = journal {
        let queue = Queue::start(socket, lines_dropped).map_err(|error| failed(&error))?;
        (queue.clone(), registry.with(Journal::new(queue, message_id)).try_init())
    } else {
        let stderr = StandardError::open().map_err(|error| failed(&error))?;
        let queue = Queue::start(stderr, lines_dropped).map_err(|error| failed(&error))?;
        // The layer would write its own errors to standard error directly.
        let lines = fmt::layer().with_timer(Timestamp).with_writer(queue.clone()).with_target(false);
        let lines = lines.log_internal_errors(false);
        let started = if json {
            registry.with(lines.event_format(JsonLines(Timestamp))).try_init()
        } else {
            let colours = colours(std::io::stderr().is_terminal(), std::env::var_os("NO_COLOR"));
            registry.with(lines.with_ansi(colours)).try_init()
        };
        (queue, started)
    };
    started.map_err(|error| failed(&error))?;
    // Logging starts only once in a process, since the line above fails the second time.
    QUEUE.set(queue.clone()).ok();
    std::panic::set_hook(Box::new(panicked));
    Ok(Logging(queue))
}

fn lines_dropped(lines: u64) {
    tracing::warn!(
        event = "log_lines_dropped",
        lines,
        "{lines} log {} dropped: nothing read the log, or it could not be written",
        if lines == 1 { "line was" } else { "lines were" }
    );
}

/// Logs a panic like anything else, since the library's own hook waits for the reader of standard error.
fn panicked(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("no message");
    let thread = std::thread::current();
    let thread = thread.name().unwrap_or("without a name");
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
    tracing::error!(event = "panic", thread, place, backtrace, "the program has a fault: {message} (at {place})");
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
