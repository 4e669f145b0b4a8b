//! The command line: clap types only. `main` parses them, `command` carries them out.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

/// Watches the API tokens that integrations use against Syncro PSA accounts.
#[derive(Debug, Parser)]
#[command(name = "syncro-token-monitor", version, about, arg_required_else_help = true)]
pub struct Cli {
    /// The configuration file; `conf.d/*.toml` beside it may hold more tenants.
    #[arg(short, long, global = true, value_name = "PATH", default_value = "/etc/syncro-token-monitor/config.toml")]
    pub config: PathBuf,

    /// How log lines are written on standard error.
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    pub log_format: LogFormat,

    /// Which log lines are written: a level, or a filter such as `info,syncro_token_monitor=debug`.
    #[arg(long, global = true, value_name = "FILTER", default_value = "info")]
    pub log_level: String,

    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the program can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Watch all tokens until told to stop (SIGTERM or SIGINT); reload on SIGHUP.
    Run,
    /// Look at every token once, now; exit 0 all well, 1 warning, 2 critical, 3 could not tell.
    Check(CheckArguments),
    /// Read the configuration and print every fault at once, or the plan; never touches the network.
    Validate,
    /// Print what is known about Syncro's permissions and what integrations need.
    Catalog {
        /// Which of the two.
        subject: CatalogSubject,
        /// How to print it.
        #[arg(long, value_name = "FORMAT", default_value = "table")]
        output: Output,
    },
    /// Serve a simulated Syncro API for fire drills.
    Simulate(SimulateArguments),
    /// Run the daemon against the simulator in one process: a small fleet with incidents within two minutes.
    Demo,
}

/// Arguments of `check`.
#[derive(Debug, clap::Args)]
pub struct CheckArguments {
    /// Only this tenant.
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<String>,
    /// Only tokens of this name.
    #[arg(long, value_name = "NAME")]
    pub token_name: Option<String>,
    /// How to print the findings.
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,
}

/// Arguments of `simulate`.
#[derive(Debug, clap::Args)]
pub struct SimulateArguments {
    /// The address to serve on.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9761")]
    pub listen: SocketAddr,
    /// The scenario: tenants, groups, tokens, and what happens when. The demo's fleet if left out.
    #[arg(long, value_name = "FILE")]
    pub scenario: Option<PathBuf>,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// For programs.
    Json,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people and the journal.
    Text,
    /// One flat object a line.
    Json,
}

/// What `catalog` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CatalogSubject {
    /// Each permission, how it is observed, who needs it.
    Permissions,
    /// Each integration and what it needs.
    Profiles,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }
}
