//! Parses the command line, carries out one command, and exits with its code.

use std::alloc::System;
use std::process::ExitCode;

use clap::Parser;
use syncro_token_monitor::cli::{self, Cli};
use syncro_token_monitor::command;
use zeroizing_alloc::ZeroAlloc;

/// Whatever is freed is wiped first: values of tokens pass through buffers of HTTP and TLS, which only the libraries hold,
/// and `/me` has one in its answer.
#[global_allocator]
static ALLOCATOR: ZeroAlloc<System> = ZeroAlloc(System);

fn main() -> ExitCode {
    // This must be done before the first thread is started.
    allocator::set_up();
    let (is_plugin, exit) = match Cli::try_parse() {
        Ok(cli) => (cli.command.is_plugin(), command::carry_out(cli)),
        Err(error) => (cli::is_meant_for_plugin(std::env::args_os()), command::not_understood(&error)),
    };
    let exit = if is_plugin { exit.of_plugin() } else { exit };
    exit.into()
}
