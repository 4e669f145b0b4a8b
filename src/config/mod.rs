//! What the operator wants: the validated configuration. `raw` reads tables, `validate` judges them, `load` and `zones`
//! touch files.

mod context;
mod cost;
mod fault;
mod file;
mod fleet;
mod load;
mod maintenance;
mod metrics;
mod next;
mod password;
mod preflight;
mod profiles;
mod raw;
mod receivers;
mod schedule;
mod shard;
mod shrunk;
mod source;
mod stretch;
#[cfg(any(test, fuzzing))]
pub(crate) mod untrusted;
mod validate;
mod value;
mod web;
mod zones;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::catalog::Profile;
use crate::model::{Metric, Probes, Token, ranked};

pub(crate) use cost::{AUDIT_INTERVAL, Cost, SourceCost, USER_INTERVAL, USERS_INTERVAL, full_check};
pub(crate) use fault::{Fault, Faults, nearest};
pub(crate) use file::ConfigFile;
pub use load::{load, reload};
pub(crate) use load::{load_if_there, load_with};
pub(crate) use maintenance::{Maintenance, suppressed_until};
pub(crate) use password::{LONGEST_PASSWORD, PasswordHash};
pub(crate) use preflight::candidate;
pub(crate) use receivers::Authorization;
#[cfg(test)]
pub(crate) use receivers::Template;
#[cfg(test)]
pub(crate) use receivers::{ALERTS, DIGEST_EXAMPLE, EXAMPLES};
pub(crate) use receivers::{Address, Audience, Concern, Email, Encryption, Format, LOG, Only, ReceiverKind, Webhook};
pub use receivers::{Canary, DigestSchedule, Heartbeat, Receiver};
pub(crate) use schedule::Schedule;
pub use shard::Shard;
pub use stretch::{Interval, Intervals};
#[cfg(test)]
pub(crate) use web::Auth;
pub(crate) use web::{BearerFile, HealthListen, Tls, Web};
pub(crate) use zones::ZoneSource;

/// Syncro's limit: requests a minute for each IP address, whoever sends them (its API document, `info.description`).
pub(crate) const SYNCRO_REQUESTS_PER_MINUTE: u32 = 180;

/// The validated configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where the daemon listens, and who has access.
    pub web: Web,
    /// How requests are sent to Syncro.
    pub syncro: Syncro,
    /// When tokens are checked, as far as the budget carries it.
    pub schedule: Schedules,
    /// How often that is, and how often was asked for.
    pub intervals: Intervals,
    /// When alerts fire, and who is notified.
    pub alerts: Alerts,
    /// Where the state is persisted, and for how long the history is retained.
    pub storage: Storage,
    /// The metrics that are left out of a scrape.
    pub excluded_metrics: Arc<[Metric]>,
    /// When alerts are suppressed.
    pub maintenance: Arc<[Maintenance]>,
    /// The profiles that a token may name: those of the catalogue and the operator's own.
    pub profiles: Vec<Arc<Profile>>,
    /// Which of several daemons this one is.
    pub shard: Shard,
    /// Every token that this daemon watches, in the order of the files.
    pub tokens: Vec<Arc<Token>>,
    /// The tenants that another daemon watches.
    pub elsewhere: Arc<BTreeSet<String>>,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Fault>,
    /// The files from which it was read.
    pub files: Vec<ConfigFile>,
    /// The sources of the data on its time zones.
    pub zones: Vec<ZoneSource>,
}

/// `[syncro]`: how requests are sent to Syncro.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syncro {
    /// The request budget of the whole daemon and of the commands beside it, for each source address. More than
    /// `SYNCRO_REQUESTS_PER_MINUTE` makes sense only against a simulator.
    pub requests_per_minute: NonZeroU32,
    /// The local addresses from which requests leave; the system chooses one if there are none.
    pub source_addresses: Vec<IpAddr>,
    /// How long one request may take, the connecting included.
    pub timeout: Duration,
    /// The probes that may be sent.
    pub probes: Probes,
    /// Whether each token is audited once a day: whether it has permissions that it does not need.
    pub audit_excess: bool,
    /// Whether the names of the users behind tokens are kept and shown. E-mail addresses never are.
    pub user_names: bool,
}

impl Syncro {
    /// The places of the source addresses, that from which a tenant is asked first; each stands in for those before it.
    pub(crate) fn ranked_sources(&self, tenant: &str) -> Vec<usize> {
        ranked(self.source_addresses.iter().map(IpAddr::to_string), tenant)
    }

    /// The requests a minute that may leave from all source addresses together.
    pub(crate) fn whole_budget(&self) -> f64 {
        f64::from(self.requests_per_minute.get()) * self.source_addresses.len().max(1) as f64
    }
}

/// `[schedule]`: when tokens are checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedules {
    /// When the validity of each token is checked.
    pub validity: Schedule,
    /// When the permissions of each token are checked.
    pub permissions: Schedule,
    /// How often the validity of each token must be checked, however small the budget is.
    pub at_most: Duration,
    /// How often it is checked in the last hour before the declared expiry.
    pub near_expiry: Duration,
}

/// `[alerts]`: when alerts fire, and who is notified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alerts {
    /// How many checks in a row must give a bad verdict before it is believed.
    pub confirmations: NonZeroU32,
    /// How soon a bad verdict is checked again.
    pub confirm_after: Duration,
    /// How long before its expiry a token has an alert; the longest time first.
    pub expiry_notice: Arc<[Duration]>,
    /// How often a notification of a firing alert is repeated.
    pub remind_every: Duration,
    /// How long a tenant may give no verdict before an alert fires.
    pub unreachable_after: Duration,
    /// The receivers that are notified besides the log.
    pub receivers: Vec<Arc<Receiver>>,
    /// The request whose absence says that nobody watches any more, if one is configured.
    pub heartbeat: Option<Heartbeat>,
    /// The test alert that is sent again and again, if one is configured.
    pub canary: Option<Canary>,
}

/// `[storage]`: where the state is persisted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// The path of the database file.
    pub path: PathBuf,
    /// How long the history is retained.
    pub keep: Duration,
}

impl Config {
    /// Until when maintenance suppresses the alerts of a tenant, if it does so at `now`.
    pub(crate) fn suppressed_until(&self, tenant: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        suppressed_until(&self.maintenance, tenant, now)
    }
}
