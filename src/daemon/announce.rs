//! What the daemon logs about its start and its configuration.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::config::{Config, Cost};
use crate::model::former_file;
use crate::system::files::{Deadline, readable_by_others};

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
    if let Some(stretched) = config.intervals.stretched() {
        tracing::warn!(
            event = "intervals_stretched",
            validity_seconds = config.intervals.validity.holds.as_secs(),
            permissions_seconds = config.intervals.permissions.holds.as_secs(),
            needed = config.intervals.needed,
            budget = config.intervals.budget,
            "{stretched}; {}",
            config.intervals.remedy()
        );
    }
    for warning in warnings {
        tracing::warn!(event = "config_warning", "{warning}");
    }
}

/// Whether connections can be made from an address; what else prevents a socket says nothing about it.
fn is_of_this_machine(address: IpAddr) -> bool {
    UdpSocket::bind((address, 0)).map_or_else(|error| error.kind() != ErrorKind::AddrNotAvailable, |_| true)
}

/// What is allowed in a configuration but probably not meant. Checks the permissions of the files with secrets, which
/// takes five seconds at most.
pub(crate) fn warnings(config: &Config) -> Vec<String> {
    const LONGEST: Duration = Duration::from_secs(5);
    // A value that is to follow another one, or did, is as secret as that.
    let of_tokens = config.tokens.iter().flat_map(|token| {
        let sources = [Some(&token.source), token.next.as_ref().map(|next| &next.source)].into_iter().flatten();
        let files = sources.filter_map(|source| source.file().map(Path::to_owned));
        let former = token.switched_files().map(|(current, _)| former_file(current));
        let of = format!("token `{}` of tenant `{}`", token.name, token.tenant.name);
        files.chain(former).map(move |path| (of.clone(), path))
    });
    let of_receivers = config.alerts.receivers.iter().flat_map(|receiver| {
        receiver.secret_files().map(|path| (format!("receiver `{}`", receiver.name), path.to_owned()))
    });
    let of_heartbeat = config.alerts.heartbeat.iter();
    let of_heartbeat = of_heartbeat.map(|heartbeat| ("the heartbeat".to_owned(), heartbeat.url_file.clone()));
    let secrets: Vec<(String, PathBuf)> = of_tokens.chain(of_receivers).chain(of_heartbeat).collect();
    let paths = secrets.iter().map(|(_, path)| path.as_path()).collect();
    let open: HashSet<&Path> = readable_by_others(paths, Deadline::within(LONGEST)).into_iter().collect();
    let open = secrets.iter().filter(|(_, path)| open.contains(path.as_path())).map(|(of, path)| {
        format!("{of}: everyone on this machine can read the file `{}`; chmod 600 is enough", path.display())
    });
    let lacking = config.syncro.source_addresses.iter().filter(|address| !is_of_this_machine(**address)).map(|address| {
        format!("syncro.source_addresses: this machine does not have the address {address}, so nothing can be sent from it")
    });
    config.warnings.iter().map(ToString::to_string).chain(lacking).chain(open).collect()
}
