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
use std::io::Write;
use std::path::Path;

use crate::alert::Alert;
use crate::cli::{Cli, Command, LogFormat};
use crate::config::{self, Config, ZoneSource};
use crate::daemon::rejected;
use crate::exit::Exit;
use crate::system::files::Deadline;
use crate::system::telemetry;

/// Carries out a command; returns how the program ends.
pub fn carry_out(cli: Cli) -> Exit {
    if let Err(error) = telemetry::start(cli.log_format == LogFormat::Json, &cli.log_level, message_id) {
        return usage(&error);
    }
    match cli.command {
        Command::Validate => return validate::validate(&cli.config),
        Command::Catalog { subject, output } => return catalog::catalog(&cli.config, subject, output),
        Command::History(arguments) => return history::history(&cli.config, arguments),
        Command::HashPassword => return hash_password::hash_password(),
        Command::Completions { shell } => return packaging::completions(shell),
        Command::Man => return packaging::man(),
        _ => {}
    }
    // One thread: the daemon waits most of the time, and the allocator keeps memory apart for each thread, so that with
    // two a large fleet took a quarter more.
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&anyhow::Error::new(error).context("start the runtime")),
    };
    let exit = runtime.block_on(async {
        match cli.command {
            Command::Run => run::run(cli.config).await,
            Command::Check(arguments) => check::check(&cli.config, arguments).await,
            Command::Preflight(arguments) => preflight::preflight(&cli.config, arguments).await,
            Command::TestAlert { receiver } => test_alert::test_alert(&cli.config, receiver).await,
            Command::Simulate(arguments) => simulate::simulate(arguments).await,
            Command::Health => health::health(&cli.config).await,
            Command::Demo => demo::demo().await,
            Command::Validate
            | Command::Catalog { .. }
            | Command::History(_)
            | Command::HashPassword
            | Command::Completions { .. }
            | Command::Man => Exit::Success,
        }
    });
    // A name that is still being looked up, or a disk that hangs, must not keep the program from ending.
    runtime.shutdown_background();
    exit
}

/// Says, below the version, where the data on time zones come from.
pub fn zones() {
    print(&format!("time zones: {}\n", ZoneSource::preferred(Deadline::default())));
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
    // Without standard error there is nobody to tell.
    writeln!(std::io::stderr(), "failed to {error}").ok();
    Exit::Usage
}

/// Prints to standard output; a reader that went away, as `head` does, is no failure.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
}

/// Prints a value as indented JSON.
fn print_json(value: &serde_json::Value) {
    print(&format!("{value:#}\n"));
}
