//! Parses the command line, carries out one command, and exits with its code.

use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;
use syncro_token_monitor::cli::Cli;
use syncro_token_monitor::command;
use syncro_token_monitor::exit::Exit;

fn main() -> ExitCode {
    match Cli::try_parse() {
        Ok(cli) => command::carry_out(cli).into(),
        Err(error) => {
            // Help and version are errors to clap; if they cannot be printed there is nobody to tell.
            error.print().ok();
            if error.kind() == ErrorKind::DisplayVersion {
                command::zones();
            }
            if error.use_stderr() { Exit::Usage.into() } else { Exit::Success.into() }
        }
    }
}
