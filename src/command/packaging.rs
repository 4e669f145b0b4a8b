//! `completions` and `man`: print what packagers install beside the program, made from the definition of the command
//! line.

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::Exit;

use super::finish;

pub(super) fn completions(shell: Shell) -> Exit {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), env!("CARGO_PKG_NAME"), &mut script);
    finish(&String::from_utf8_lossy(&script), Exit::Success)
}

pub(super) fn man() -> Exit {
    let mut page = Vec::new();
    // Writing to memory cannot fail.
    clap_mangen::Man::new(Cli::command()).section("8").render(&mut page).unwrap_or_default();
    finish(&String::from_utf8_lossy(&page), Exit::Success)
}
