//! One file for each subcommand. They connect the parts, print, and choose the exit code; what is true is decided in
//! the rooms below.

mod acknowledge;
mod believed;
mod calibrate;
mod catalog;
mod check;
mod client;
mod demo;
mod export_state;
mod finding;
mod hash_password;
mod health;
mod history;
mod import;
mod import_state;
mod init;
mod packaging;
mod preflight;
mod readiness;
mod redeliver;
mod rehearse;
mod report;
mod rotate;
mod run;
mod simulate;
mod status;
mod table;
mod test_alert;
mod test_digest;
mod validate;
mod version;

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anyhow::Context;
use clap::error::ErrorKind;
use tokio::runtime::Runtime;

use crate::alert::Alert;
use crate::cli::{Cli, Command, LogFormat};
use crate::config::{self, Config};
use crate::daemon::rejected;
use crate::exit::Exit;
use crate::system::signal::Signals;
use crate::system::{output, secrecy, telemetry};

/// Carries out a command, and returns how the program ends.
pub fn carry_out(cli: Cli) -> Exit {
    secrecy::keep_memory_private();
    // There is one thread: the daemon waits most of the time, and the allocator has separate memory for each thread, so
    // that with two a large fleet took a quarter more.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return without_log(&format_args!("start the runtime: {error}"), Exit::Failure),
    };
    // The signals come before anything that may take its time, so that one that comes while a service starts is
    // received.
    let signals = match cli.command {
        Command::Run | Command::Simulate(_) | Command::Demo => Some(runtime.block_on(async { Signals::listen() })),
        _ => None,
    };
    // It is dropped last, so that what has been logged until then is written.
    let _logging = match telemetry::start(cli.log_format == LogFormat::Json, &cli.log_level, message_id) {
        Ok(logging) => logging,
        Err(error) => return usage(&error),
    };
    let exit = match signals.transpose().context("listen for signals") {
        // A panic has been logged where it happened.
        Ok(signals) => catch_unwind(AssertUnwindSafe(|| execute(cli, &runtime, signals))).unwrap_or(Exit::Failure),
        Err(error) => failed(&error),
    };
    // A name that is still being resolved, or a disk that hangs, must not prevent the program from ending.
    runtime.shutdown_background();
    exit
}

fn execute(cli: Cli, runtime: &Runtime, signals: Option<Signals>) -> Exit {
    let path = cli.config;
    match (cli.command, signals) {
        (Command::Run, Some(signals)) => runtime.block_on(run::run(path, signals)),
        (Command::Simulate(arguments), Some(signals)) => runtime.block_on(simulate::simulate(arguments, signals)),
        (Command::Demo, Some(signals)) => runtime.block_on(demo::demo(signals)),
        // They are listened for above.
        (Command::Run | Command::Simulate(_) | Command::Demo, None) => Exit::Failure,
        (Command::Check(arguments), _) => runtime.block_on(check::check(&path, arguments)),
        (Command::Preflight(arguments), _) => runtime.block_on(preflight::preflight(&path, arguments)),
        (Command::Rotate(arguments), _) => runtime.block_on(rotate::rotate(&path, &arguments)),
        (Command::Calibrate(arguments), _) => runtime.block_on(calibrate::calibrate(&path, arguments)),
        (Command::TestAlert { receiver, print, digest: false }, _) => {
            runtime.block_on(test_alert::test_alert(&path, receiver, print))
        }
        (Command::TestAlert { receiver, print, digest: true }, _) => {
            runtime.block_on(test_digest::test_digest(&path, receiver, print))
        }
        (Command::Redeliver { id }, _) => redeliver::redeliver(&path, id),
        (Command::Acknowledge(arguments), _) => runtime.block_on(acknowledge::acknowledge(&path, &arguments)),
        (Command::Unacknowledge { alert }, _) => runtime.block_on(acknowledge::unacknowledge(&path, &alert)),
        (Command::Health, _) => runtime.block_on(health::health(&path)),
        (Command::Validate, _) => validate::validate(&path),
        (Command::Catalog { subject, output }, _) => catalog::catalog(&path, subject, output),
        (Command::History(arguments), _) => history::history(&path, arguments),
        (Command::Report(arguments), _) => report::report(&path, arguments),
        (Command::Rehearse(arguments), _) => rehearse::rehearse(&path, &arguments),
        (Command::Init, _) => init::init(&path),
        (Command::Import(arguments), _) => import::import(&path, &arguments),
        (Command::ExportState { tenant, elsewhere }, _) => {
            export_state::export_state(&path, tenant.as_deref(), elsewhere)
        }
        (Command::ImportState { files }, _) => import_state::import_state(&path, &files),
        (Command::Status(arguments), _) => status::status(&path, &arguments),
        (Command::HashPassword, _) => hash_password::hash_password(),
        (Command::Completions { shell }, _) => packaging::completions(shell),
        (Command::Man, _) => packaging::man(),
    }
}

/// Prints what is wrong with a command line, or the help or version that it asks for, and returns how the program ends.
pub fn not_understood(error: &clap::Error) -> Exit {
    if error.use_stderr() {
        // Without standard error nobody can be notified.
        error.print().ok();
        return Exit::Usage;
    }
    let text = error.render();
    let mut text = if std::io::stdout().is_terminal() { text.ansi().to_string() } else { text.to_string() };
    if error.kind() == ErrorKind::DisplayVersion {
        text += &version::details();
    }
    finish(&text, Exit::Success)
}

/// The `MESSAGE_ID` of a log line in the journal, by its `event` and its `alert`.
fn message_id(event: &str, alert: &str) -> Option<&'static str> {
    let is_named = |candidate: &Alert| event == "alert" && candidate.as_str() == alert;
    let all = Alert::ALL.into_iter().map(|(alert, _)| alert).chain([Alert::TestAlert]);
    all.into_iter().find(is_named).map(Alert::message_id)
}

/// Reads the configuration, or logs every fault and returns how the program ends.
fn load(path: &Path) -> Result<Config, Exit> {
    config::load(path).map_err(|faults| {
        rejected(faults.to_string().lines());
        Exit::Configuration
    })
}

/// Logs what could not be done.
fn failed(error: &anyhow::Error) -> Exit {
    tracing::error!(event = "failed", "failed to {error:#}");
    Exit::Failure
}

/// Prints on standard error what is wrong with a configuration, or why none was written.
fn refused(text: &str) -> Exit {
    say(text);
    Exit::Configuration
}

/// Prints on standard error why a monitoring plugin could not find out what it was asked.
fn undetermined(why: &dyn Display) -> Exit {
    say(&format!("{why}\n"));
    Exit::Unknown
}

/// Prints a text on standard error, as it is.
fn say(text: &str) {
    // Without standard error nobody can be notified.
    std::io::stderr().write_all(text.as_bytes()).ok();
}

fn usage(error: &dyn Display) -> Exit {
    without_log(error, Exit::Usage)
}

/// Prints what could not be done on standard error, without the log.
fn without_log(error: &dyn Display, exit: Exit) -> Exit {
    // Without standard error nobody can be notified.
    writeln!(std::io::stderr(), "failed to {error}").ok();
    exit
}

/// Prints the output of a command and ends with `exit`, unless it cannot be printed: then whoever relies on the output
/// has to know. A reader that went away, as `head` does, is no failure.
fn finish(text: &str, exit: Exit) -> Exit {
    match output::print(text) {
        Ok(()) => exit,
        Err(error) => without_log(&format_args!("write to standard output: {error}"), Exit::Failure),
    }
}

/// Prints a value as indented JSON, and ends as [`finish`] does.
fn finish_json(value: &serde_json::Value, exit: Exit) -> Exit {
    finish(&format!("{value:#}\n"), exit)
}
