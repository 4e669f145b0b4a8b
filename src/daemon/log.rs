//! What the daemon writes to the log about itself and its configuration.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::task::spawn_blocking;

use crate::config::{Config, Cost};
use crate::syncro::readable_by_others;

/// Logs each line of what is wrong with a configuration.
pub fn rejected<'a>(faults: impl Iterator<Item = &'a str>) {
    for fault in faults {
        tracing::error!(event = "config_rejected", "{fault}");
    }
}

/// Logs that the daemon runs, and where it listens.
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

/// Logs what was loaded and what in it is probably not meant. Looks at the files of token values, where a slow disk holds up
/// nobody.
pub(super) async fn loaded(config: &Arc<Config>) {
    let config = Arc::clone(config);
    // A panic has been logged where it happened.
    spawn_blocking(move || say_loaded(&config)).await.ok();
}

fn say_loaded(config: &Config) {
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
    for warning in warnings(config) {
        tracing::warn!(event = "config_warning", "{warning}");
    }
}

/// What is allowed in a configuration but probably not meant.
pub fn warnings(config: &Config) -> Vec<String> {
    let open = config.tokens.iter().filter_map(|token| {
        let path = readable_by_others(&token.source)?;
        let of = format!("token `{}` of tenant `{}`", token.name, token.tenant.name);
        Some(format!(
            "{of}: everyone on this machine can read the file `{}`; chmod 640 or less is enough",
            path.display()
        ))
    });
    config.warnings.iter().map(ToString::to_string).chain(open).collect()
}
