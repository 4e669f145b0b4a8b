//! What the daemon logs about its start and its configuration.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use crate::config::{Config, Cost};
use crate::model::TokenSource;
use crate::syncro::readable_by_others;
use crate::system::files::Deadline;

/// Logs each line of what is wrong with a configuration that was rejected.
pub(crate) fn rejected<'a>(faults: impl Iterator<Item = &'a str>) {
    for fault in faults {
        tracing::error!(event = "config_rejected", "{fault}");
    }
}

/// Logs that the daemon has started, and where it listens.
pub(super) fn started(config: &Config, address: SocketAddr) {
    let tokens = config.tokens.len();
    tracing::info!(
        event = "started",
        version = env!("CARGO_PKG_VERSION"),
        listen = %address,
        tokens,
        "watching {tokens} {}, listening on {}",
        if tokens == 1 { "token" } else { "tokens" },
        config.web.own_url(address)
    );
}

/// Logs what the configuration that was loaded needs, and what in it is probably not meant.
pub(super) fn loaded(config: &Config, warnings: &[String]) {
    let cost = Cost::of(config);
    tracing::info!(
        event = "config_loaded",
        tokens = cost.tokens,
        requests_per_minute = cost.requests_per_minute,
        budget = cost.budget,
        "the configuration needs {:.1} of {} requests a minute",
        cost.requests_per_minute,
        cost.budget
    );
    for warning in warnings {
        tracing::warn!(event = "config_warning", "{warning}");
    }
}

/// What is allowed in a configuration but probably not meant. Checks the permissions of the token files, which takes
/// five seconds at most.
pub(crate) fn warnings(config: &Config) -> Vec<String> {
    const LONGEST: Duration = Duration::from_secs(5);
    let sources = config.tokens.iter().map(|token| &token.source);
    let open: HashSet<&Path> = readable_by_others(sources, Deadline::within(LONGEST)).into_iter().collect();
    let open = config.tokens.iter().filter_map(|token| {
        let TokenSource::File(path) = &token.source else { return None };
        let of = format!("token `{}` of tenant `{}`", token.name, token.tenant.name);
        let problem = "everyone on this machine can read the file";
        open.contains(path.as_path())
            .then(|| format!("{of}: {problem} `{}`; chmod 640 or less is enough", path.display()))
    });
    config.warnings.iter().map(ToString::to_string).chain(open).collect()
}
