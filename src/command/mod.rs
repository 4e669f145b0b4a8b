//! One file for each subcommand. They wire things up, print, and name the exit code; what is true is decided below.

mod catalog;
mod check;
mod demo;
mod finding;
mod hash_password;
mod health;
mod history;
mod packaging;
mod preflight;
mod run;
mod simulate;
mod table;
mod test_alert;
mod validate;

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anyhow::Context;
use clap::error::ErrorKind;
use tokio::runtime::Runtime;

use crate::alert::Alert;
use crate::cli::{Cli, Command, LogFormat};
use crate::config::{self, Config, ZoneSource};
use crate::daemon::rejected;
use crate::exit::Exit;
use crate::system::files::Deadline;
use crate::system::signal::Signals;
use crate::system::{output, telemetry};

/// Carries out a command; returns how the program ends.
pub fn carry_out(cli: Cli) -> Exit {
    // One thread: the daemon waits most of the time, and the allocator keeps memory apart for each thread, so that with
    // two a large fleet took a quarter more.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return without_log(&format_args!("start the runtime: {error}"), Exit::Failure),
    };
    // Before anything that may take its time: a signal that comes while a service starts must find somebody.
    let signals = match cli.command {
        Command::Run | Command::Simulate(_) | Command::Demo => Some(runtime.block_on(async { Signals::listen() })),
        _ => None,
    };
    // Dropped last: what has been logged until then is written.
    let _logging = match telemetry::start(cli.log_format == LogFormat::Json, &cli.log_level, message_id) {
        Ok(logging) => logging,
        Err(error) => return usage(&error),
    };
    let exit = match signals.transpose().context("listen for signals") {
        // A panic has been logged where it happened.
        Ok(signals) => catch_unwind(AssertUnwindSafe(|| execute(cli, &runtime, signals))).unwrap_or(Exit::Failure),
        Err(error) => failed(&error),
    };
    // A name that is still being looked up, or a disk that hangs, must not keep the program from ending.
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
        (Command::TestAlert { receiver }, _) => runtime.block_on(test_alert::test_alert(&path, receiver)),
        (Command::Health, _) => runtime.block_on(health::health(&path)),
        (Command::Validate, _) => validate::validate(&path),
        (Command::Catalog { subject, output }, _) => catalog::catalog(&path, subject, output),
        (Command::History(arguments), _) => history::history(&path, arguments),
        (Command::HashPassword, _) => hash_password::hash_password(),
        (Command::Completions { shell }, _) => packaging::completions(shell),
        (Command::Man, _) => packaging::man(),
    }
}

/// Says what is wrong with a command line, or prints the help or version that it asks for.
pub fn not_understood(error: &clap::Error) -> Exit {
    if error.use_stderr() {
        // Without standard error there is nobody to tell.
        error.print().ok();
        return Exit::Usage;
    }
    let text = error.render();
    let mut text = if std::io::stdout().is_terminal() { text.ansi().to_string() } else { text.to_string() };
    if error.kind() == ErrorKind::DisplayVersion {
        // Data that are too old would be an hour off.
        text = format!("{text}time zones: {}\n", ZoneSource::preferred(Deadline::default()));
    }
    finish(&text, Exit::Success)
}

/// What the journal knows a line by.
fn message_id(event: &str, alert: &str) -> Option<&'static str> {
    let named = |known: &Alert| event == "alert" && known.as_str() == alert;
    let all = Alert::ALL.into_iter().map(|(alert, _)| alert).chain([Alert::TestAlert]);
    all.into_iter().find(named).map(Alert::message_id)
}

/// Reads the configuration, or logs every fault and says how the program ends.
fn load(path: &Path) -> Result<Config, Exit> {
    config::load(path).map_err(|faults| {
        rejected(faults.to_string().lines());
        Exit::Configuration
    })
}

/// Says on standard error what could not be done.
fn failed(error: &anyhow::Error) -> Exit {
    tracing::error!(event = "failed", "failed to {error:#}");
    Exit::Failure
}

fn usage(error: &dyn Display) -> Exit {
    without_log(error, Exit::Usage)
}

/// Says on standard error what could not be done, past the log.
fn without_log(error: &dyn Display, exit: Exit) -> Exit {
    // Without standard error there is nobody to tell.
    writeln!(std::io::stderr(), "failed to {error}").ok();
    exit
}

/// Prints what a command has to say and ends with `exit`, unless it cannot be printed: then whoever relies on the output
/// has to know. A reader that went away, as `head` does, is no failure.
fn finish(text: &str, exit: Exit) -> Exit {
    match output::print(text) {
        Ok(()) => exit,
        Err(error) => without_log(&format_args!("write to standard output: {error}"), Exit::Failure),
    }
}

/// The same with a value as indented JSON.
fn finish_json(value: &serde_json::Value, exit: Exit) -> Exit {
    finish(&format!("{value:#}\n"), exit)
}
