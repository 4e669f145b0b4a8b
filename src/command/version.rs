//! What `--version` says besides the version: of which commit the program is, how it was built, and whose time zones it uses.

use crate::config::ZoneSource;
use crate::system::files::Deadline;

/// The commit, where `packaging/release` or whoever packages it has said so.
const REVISION: Option<&str> = option_env!("SYNCRO_TOKEN_MONITOR_REVISION");

/// A line for each.
pub(super) fn details() -> String {
    let linked = if cfg!(target_feature = "crt-static") { "static" } else { "dynamic" };
    let library = if cfg!(target_env = "musl") { "musl" } else { "gnu" };
    let profile = if cfg!(debug_assertions) { "debug" } else { "optimised" };
    let (architecture, system) = (std::env::consts::ARCH, std::env::consts::OS);
    let revision = REVISION.unwrap_or("unknown: it was not built by packaging/release");
    // Times by data that are too old may be an hour off.
    let zones = ZoneSource::preferred(Deadline::default());
    format!(
        "revision: {revision}\nbuild: {architecture}-{system}-{library}, {linked}, {profile}\ntime zones: {zones}\n"
    )
}
