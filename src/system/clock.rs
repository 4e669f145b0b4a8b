//! The only place that reads the wall clock (`clippy.toml` forbids it elsewhere). Everything that decides takes `now`.

use chrono::{DateTime, SubsecRound, Utc};

/// The present, to the millisecond: finer would only make log lines longer.
#[expect(clippy::disallowed_methods, reason = "this is the one place where the clock is read")]
pub fn now() -> DateTime<Utc> {
    Utc::now().trunc_subsecs(3)
}
