//! The command line: clap types only. `main` parses them, `command` carries them out. Pure.

mod moments;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{CommandFactory, Parser, Subcommand, ValueEnum};
use serde::Deserialize;

pub use moments::{Ahead, Since, moment_ahead, since};

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
    /// Watch all tokens until stopped (SIGTERM or SIGINT); reload on SIGHUP.
    Run,
    /// Check every token once, now; exit 0 ok, 1 warning, 2 critical, 3 unknown.
    Check(CheckArguments),
    /// What the daemon believes, from its store, without asking Syncro; exit 0 ok, 1 warning, 2 critical, 3 unknown.
    Status(StatusArguments),
    /// Is a new token ready for an integration? Exit 0 ready, 2 not ready, 3 not known.
    Preflight(PreflightArguments),
    /// Put a token's next value in the place of the one in use, if it is proven; exit 0 done, 2 not proven, 3 not known.
    Rotate(RotateArguments),
    /// Which operations of a tenant check the permission before they search for the record? Exit 0 known, 3 not known.
    Calibrate(CalibrateArguments),
    /// Send an alert that is plainly a test, firing and over, through every receiver; exit 0 if each took it, else 1.
    TestAlert {
        /// Only through this one.
        #[arg(long, value_name = "NAME")]
        receiver: Option<String>,
        /// Send nothing: print what each receiver would be sent.
        #[arg(long)]
        print: bool,
        /// Send the digest of now, by what the store says, in place of a test alert.
        #[arg(long)]
        digest: bool,
    },
    /// Send again what a receiver had refused for good; the log and the store say its number.
    Redeliver {
        /// The number of the notification.
        #[arg(value_name = "ID")]
        id: i64,
    },
    /// Take an alert on: nobody is reminded of it or paged for it until a moment, or until it becomes worse.
    Acknowledge(AcknowledgeArguments),
    /// Give an alert back that somebody has taken on.
    Unacknowledge {
        /// The id of the alert.
        #[arg(value_name = "ALERT")]
        alert: String,
    },
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
    /// Print what changed in the past, from the store of a daemon that may be running.
    History(HistoryArguments),
    /// Print a report for customers and auditors: every token, its permissions and what shows them, and what happened.
    Report(ReportArguments),
    /// Print what is known of the tenants, from the store of a daemon that may be running, for another daemon to take over.
    ExportState {
        /// Only this tenant.
        #[arg(long, value_name = "TENANT", conflicts_with = "elsewhere")]
        tenant: Option<String>,
        /// Only the tenants that another daemon is to watch by `[shard]` of the configuration as it is now.
        #[arg(long)]
        elsewhere: bool,
    },
    /// Take over what other daemons knew of the tenants that this one watches. It must not be running.
    ImportState {
        /// What `export-state` printed, or folders with such files, `*.json`.
        #[arg(value_name = "FILE", required = true)]
        files: Vec<PathBuf>,
    },
    /// Ask for an account and a token, and write a first configuration that watches it.
    Init,
    /// Take tokens from a CSV file into the configuration: a fragment in `conf.d` for each tenant, a file for each value.
    Import(ImportArguments),
    /// What would the receivers be sent in a simulated year? Asks nobody and sends nothing.
    Rehearse(RehearseArguments),
    /// Serve a simulated Syncro API for fire drills.
    Simulate(SimulateArguments),
    /// Run the daemon against the simulator in one process: a small fleet with incidents within two minutes.
    Demo,
    /// Ask the daemon of this configuration whether it is healthy; exit 0 if it is, else 1.
    Health,
    /// Hash a password for `[web.auth.users]`: asked for on a terminal, else the first line of standard input.
    HashPassword,
    /// Print a completion script, for packagers.
    Completions {
        /// For which shell.
        shell: clap_complete::Shell,
    },
    /// Print the manual page, for packagers.
    Man,
}

/// The names of the commands that run as monitoring plugins, whose exit codes are those of Nagios.
const PLUGINS: [&str; 5] = ["check", "status", "preflight", "calibrate", "rotate"];

impl Command {
    /// Whether the command runs as a monitoring plugin.
    pub fn is_plugin(&self) -> bool {
        matches!(self, Self::Check(_) | Self::Status(_) | Self::Preflight(_) | Self::Calibrate(_) | Self::Rotate(_))
    }
}

/// Whether a command line that cannot be parsed was meant for a monitoring plugin, by the first command that it names,
/// the values of options for all commands aside.
pub fn is_meant_for_plugin(arguments: impl IntoIterator<Item = OsString>) -> bool {
    let cli = Cli::command();
    let takes_value = |word: &str| {
        let is_named = |option: &clap::Arg| {
            let long = option.get_long().is_some_and(|name| word.strip_prefix("--") == Some(name));
            let short =
                option.get_short().is_some_and(|name| word.strip_prefix('-') == Some(name.to_string().as_str()));
            long || short
        };
        cli.get_arguments().any(|option| option.get_action().takes_values() && is_named(option))
    };
    let mut arguments = arguments.into_iter().skip(1);
    while let Some(argument) = arguments.next() {
        let word = argument.to_string_lossy();
        if takes_value(&word) {
            arguments.next();
        } else if cli.find_subcommand(&*word).is_some() {
            return PLUGINS.contains(&&*word);
        }
    }
    false
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

/// Arguments of `status`.
#[derive(Debug, clap::Args)]
pub struct StatusArguments {
    /// Only this tenant.
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<String>,
    /// Only tokens of this name.
    #[arg(long, value_name = "NAME")]
    pub token_name: Option<String>,
    /// How to print it.
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub output: StatusOutput,
}

/// How `status` is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum StatusOutput {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// One line for Nagios, with its numbers.
    Nagios,
}

/// The probes that may be sent, as `syncro.probes` spells them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProbesArgument {
    /// Only reads.
    ReadOnly,
    /// Also writes to record 0, which does not exist.
    WriteSafe,
}

/// Arguments of `preflight`.
#[derive(Debug, clap::Args)]
pub struct PreflightArguments {
    /// The account, as in `https://SUBDOMAIN.syncromsp.com`.
    #[arg(long, value_name = "SUBDOMAIN", required_unless_present = "all")]
    pub subdomain: Option<String>,
    /// What the integration needs: a name that `catalog profiles` lists, or one of `[profiles.NAME]`.
    #[arg(long, value_name = "PROFILE", required_unless_present = "all")]
    pub profile: Option<String>,
    /// A file that holds the token value and nothing else. Without it the value is read from standard input.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Where the API is, if not at the account's own address: a proxy or a simulator.
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// Every token of the configuration, in place of one that is not in it yet.
    #[arg(long, conflicts_with_all = ["subdomain", "profile", "token_file", "base_url"])]
    pub all: bool,
    /// Which probes may be sent; what the configuration says if left out. `write-safe` adds writes to record 0, which does
    /// not exist.
    #[arg(long, value_name = "PROBES")]
    pub probes: Option<ProbesArgument>,
    /// Be ready although no request shows every required permission. A missing one is never accepted.
    #[arg(long)]
    pub accept_unverified: bool,
    /// How to print the findings.
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,
}

/// Arguments of `rotate`.
#[derive(Debug, clap::Args)]
pub struct RotateArguments {
    /// The tenant of the token.
    #[arg(long, value_name = "TENANT")]
    pub tenant: String,
    /// The name of the token, which has a `next_token_file` in the configuration.
    #[arg(long, value_name = "NAME")]
    pub token_name: String,
    /// Change nothing: say whether the next value is proven.
    #[arg(long)]
    pub dry_run: bool,
}

/// Arguments of `calibrate`.
#[derive(Debug, clap::Args)]
pub struct CalibrateArguments {
    /// A tenant of the configuration.
    #[arg(long, value_name = "TENANT")]
    pub tenant: String,
    /// A file that holds the value of a token of which nothing is ticked. Without it the value is read from standard input.
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// Which operations may be asked; what the configuration says if left out.
    #[arg(long, value_name = "PROBES")]
    pub probes: Option<ProbesArgument>,
    /// How to print what was found.
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,
}

/// Arguments of `history`.
#[derive(Debug, clap::Args)]
pub struct HistoryArguments {
    /// Only this tenant.
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<String>,
    /// Only tokens of this name.
    #[arg(long, value_name = "NAME")]
    pub token_name: Option<String>,
    /// Only what happened since then: so long ago (`7d`, `12h`), a day (`2026-11-23`, UTC) or a moment
    /// (`2026-11-23T10:00:00Z`).
    #[arg(long, value_name = "WHEN", value_parser = since)]
    pub since: Option<Since>,
    /// How to print it.
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub output: Output,
}

/// Arguments of `report`.
#[derive(Debug, clap::Args)]
pub struct ReportArguments {
    /// Only this tenant.
    #[arg(long, value_name = "TENANT")]
    pub tenant: Option<String>,
    /// When its period begins: so long ago (`30d`), a day (`2026-11-23`, UTC) or a moment (`2026-11-23T10:00:00Z`).
    #[arg(long, value_name = "WHEN", value_parser = since, default_value = "90d")]
    pub since: Since,
    /// How to print it.
    #[arg(long, value_name = "FORMAT", default_value = "html")]
    pub output: ReportOutput,
}

/// The form of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportOutput {
    /// A document that stands alone and prints on A4.
    Html,
    /// For spreadsheets: a row for each token.
    Csv,
    /// For programs.
    Json,
}

/// Arguments of `acknowledge`.
#[derive(Debug, clap::Args)]
pub struct AcknowledgeArguments {
    /// The id of the alert, as the page, notifications and `/api/v1/alerts` have it.
    #[arg(value_name = "ALERT")]
    pub alert: String,
    /// Until when, at most 90 days away: for so long (`3d`, `12h`), a day (`2026-11-23`, UTC) or a moment
    /// (`2026-11-23T10:00:00Z`).
    #[arg(long, value_name = "WHEN", value_parser = moment_ahead)]
    pub until: Ahead,
    /// Who takes it on.
    #[arg(long, value_name = "NAME")]
    pub by: String,
    /// Why it may wait.
    #[arg(long, value_name = "TEXT")]
    pub reason: String,
}

/// Arguments of `import`.
#[derive(Debug, clap::Args)]
pub struct ImportArguments {
    /// The file, with the columns tenant, subdomain, `time_zone`, `token_name`, token, profile, expires, contact and note.
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Write nothing: say what is wrong, or what would be written.
    #[arg(long)]
    pub dry_run: bool,
    /// Name the values as systemd hands them to the packaged service (`token_credential`).
    #[arg(long)]
    pub credentials: bool,
}

/// Arguments of `rehearse`.
#[derive(Debug, clap::Args)]
pub struct RehearseArguments {
    /// How long, from now on.
    #[arg(long, value_name = "DAYS", default_value_t = 365)]
    pub days: i64,
    /// Have a token revoked on a day, counted from 0: `acme/jumpcloud@40`. May be given several times.
    #[arg(long, value_name = "TENANT/TOKEN@DAY")]
    pub revoke: Vec<String>,
    /// Have Syncro answer nobody from a day on, for four hours or so many: `90` or `90:12`. May be given several times.
    #[arg(long, value_name = "DAY[:HOURS]")]
    pub outage: Vec<String>,
    /// How long after it stopped working a token is replaced.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, default_value = "1d")]
    pub fixed_after: Duration,
    /// How to print it.
    #[arg(long, value_name = "FORMAT", default_value = "table")]
    pub output: RehearseOutput,
    /// The file of Prometheus rules that the tests name, beside which they are to lie.
    #[arg(long, value_name = "FILE", default_value = "syncro-token-monitor.rules.yml")]
    pub rules: String,
}

/// How a rehearsal is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum RehearseOutput {
    /// For people.
    Table,
    /// For programs.
    Json,
    /// Tests of Prometheus rules, for `promtool test rules`.
    Promtool,
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
    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_wrong_command_line_is_a_plugins_if_it_names_one() {
        let cases = [
            ("check --nope", true),
            ("--log-level a=b=c preflight", true),
            ("--nope check", true),
            ("--tenant x check", true),
            ("status --output xml", true),
            ("--config=validate check --output xml", true),
            ("-c validate check --tenant", true),
            ("-c check validate --nope", false),
            ("--log-format check run", false),
            ("validate check", false),
            ("history --tenant check", false),
            ("fly", false),
            ("", false),
        ];
        for (line, expected) in cases {
            let arguments = std::iter::once("program").chain(line.split_whitespace()).map(OsString::from);
            assert_eq!(is_meant_for_plugin(arguments), expected, "{line}");
        }
        for name in PLUGINS {
            assert!(Cli::command().find_subcommand(name).is_some(), "{name}");
        }
    }
}
