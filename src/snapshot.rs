//! One consistent picture of the fleet: what the engine shows to everyone who exposes it. Sharing it copies pointers.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::alert::Firing;
use crate::config::{Maintenance, Token};
use crate::standing::Standing;

/// One token in the picture.
#[derive(Debug, Clone)]
pub struct TokenPicture {
    /// As it is configured.
    pub token: Arc<Token>,
    /// What is believed about it.
    pub standing: Arc<Standing>,
    /// What fires for it.
    pub firing: Arc<Vec<Firing>>,
}

/// What fires for one tenant as a whole.
#[derive(Debug, Clone)]
pub struct TenantPicture {
    /// The tenant's name.
    pub name: String,
    /// What fires for it.
    pub firing: Arc<Vec<Firing>>,
}

/// The fleet at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Every configured token, tenant by tenant.
    pub tokens: Arc<Vec<TokenPicture>>,
    /// What fires for tenants as a whole, and for all of them together under an empty name.
    pub tenants: Arc<Vec<TenantPicture>>,
    /// When alerts are held.
    pub maintenance: Arc<[Maintenance]>,
    /// Checks that should have begun.
    pub checks_due: usize,
    /// The last pulse of the loop.
    pub last_tick: Option<DateTime<Utc>>,
    /// Whether every token has been looked at since the start.
    pub first_sweep_done: bool,
}
