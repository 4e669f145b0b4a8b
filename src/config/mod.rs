//! What the operator wants: the validated configuration. `raw` reads, `validate` judges, `load` and `zones` touch files;
//! only [`Config`] and [`Faults`] leave this room. Pure.

mod context;
mod cost;
mod fault;
mod file;
mod fleet;
mod load;
mod maintenance;
mod password;
mod preflight;
mod profiles;
mod raw;
mod receivers;
mod schedule;
mod shrunk;
mod validate;
mod value;
mod web;
mod zone;
mod zones;

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::catalog::Profile;
use crate::model::{Probes, Token};

pub use cost::{AUDIT_INTERVAL, Cost, USER_INTERVAL, coincide};
pub use fault::{Fault, Faults};
pub use file::ConfigFile;
pub use load::{load, load_if_there, reload};
pub use maintenance::{Maintenance, Window, suppressed_until};
pub use password::{LONGEST_PASSWORD, PasswordHash};
pub use preflight::candidate;
pub use receivers::{Address, Authorization, Format, Identity, LOG, Receiver, ReceiverKind, Webhook};
pub use schedule::Schedule;
pub use web::{Auth, HealthListen, Tls, Web};
pub use zone::Zone;
pub use zones::ZoneSource;

/// Syncro's limit: requests a minute for each IP address, whoever sends them (its API document, `info.description`).
pub const SYNCRO_REQUESTS_PER_MINUTE: u32 = 180;

/// The validated configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Where the daemon listens.
    pub web: Web,
    /// How Syncro is asked.
    pub syncro: Syncro,
    /// When tokens are looked at.
    pub schedule: Schedules,
    /// When people are told.
    pub alerts: Alerts,
    /// Where memory is kept.
    pub storage: Storage,
    /// When alerts are held.
    pub maintenance: Arc<[Maintenance]>,
    /// What a token may need: the catalogue's profiles and the user's own.
    pub profiles: Vec<Arc<Profile>>,
    /// Every token, in the order of the files.
    pub tokens: Vec<Arc<Token>>,
    /// What is allowed but probably not meant.
    pub warnings: Vec<Fault>,
    /// The files from which it was read.
    pub files: Vec<ConfigFile>,
    /// Where the data on its time zones came from.
    pub zones: Vec<ZoneSource>,
}

/// `[syncro]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Syncro {
    /// The request budget of the whole daemon; more than [`SYNCRO_REQUESTS_PER_MINUTE`] only makes sense elsewhere.
    pub requests_per_minute: NonZeroU32,
    /// How long one request may take, connecting included.
    pub timeout: Duration,
    /// Which probes may be sent.
    pub probes: Probes,
    /// Whether tokens are asked once a day what they may do beyond what they need.
    pub audit_excess: bool,
}

/// `[schedule]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedules {
    /// When validity is checked.
    pub validity: Schedule,
    /// When permissions are checked.
    pub permissions: Schedule,
}

/// `[alerts]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alerts {
    /// How often in a row a bad verdict must be seen before it is believed.
    pub confirmations: NonZeroU32,
    /// How soon a bad verdict is re-checked.
    pub confirm_after: Duration,
    /// How long before its expiry a token is spoken of; longest first.
    pub expiry_notice: Arc<[Duration]>,
    /// How often a firing alert is told again.
    pub remind_every: Duration,
    /// How long a tenant may give no verdict before that is told.
    pub unreachable_after: Duration,
    /// Who is told besides the log.
    pub receivers: Vec<Arc<Receiver>>,
}

/// `[storage]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Storage {
    /// The database file.
    pub path: PathBuf,
    /// How long history is kept.
    pub keep: Duration,
}

impl Config {
    /// Until when alerts of this tenant are held by maintenance, if they are now.
    pub fn suppressed_until(&self, tenant: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        suppressed_until(&self.maintenance, tenant, now)
    }
}
