//! `status`: what the daemon believes, from its store, for Nagios and for people. It asks Syncro nothing.

mod report;

use std::path::Path;

use chrono::{DateTime, Utc};

use crate::cli::{StatusArguments, StatusOutput};
use crate::config::{self, Config};
use crate::exit::Exit;
use crate::store;
use crate::system::clock;

use super::{finish, finish_json};
use report::Report;

pub(super) fn status(path: &Path, arguments: &StatusArguments) -> Exit {
    let now = clock::now();
    let report =
        config::load(path).map_err(|faults| faults.to_string()).and_then(|config| read(&config, arguments, now));
    match report {
        Ok(report) => {
            let exit = report.level().into();
            match arguments.output {
                StatusOutput::Table => finish(&report.text(), exit),
                StatusOutput::Json => finish_json(&report.json(), exit),
                StatusOutput::Nagios => finish(&report.nagios(), exit),
            }
        }
        // A plugin says on standard output why it knows nothing.
        Err(why) => finish(&format!("UNKNOWN: {}\n", report::plain(why.trim_end())), Exit::Unknown),
    }
}

/// Reads what the daemon believes of the tokens that were chosen.
///
/// # Errors
/// A text for people, when the store cannot be read, or no token fits.
fn read(config: &Config, arguments: &StatusArguments, now: DateTime<Utc>) -> Result<Report, String> {
    let state = store::state(&config.storage.path).map_err(|error| error.to_string())?;
    let report = Report::of(config, state, arguments.tenant.as_deref(), arguments.token_name.as_deref(), now);
    if report.is_empty() { Err("no configured token fits; `validate` counts them".to_owned()) } else { Ok(report) }
}
