//! What the daemon believes, as its store has it, in the form in which the daemon shows it.

use std::sync::Arc;

use crate::config::Config;
use crate::engine::Core;
use crate::state::Snapshot;
use crate::store::{self, StoreError};
use crate::system::clock;

/// The fleet of this configuration, as the store has it.
///
/// # Errors
/// When there is no store, or it cannot be read.
pub(super) fn snapshot(config: &Arc<Config>) -> Result<Snapshot, StoreError> {
    let state = store::state(&config.storage.path)?;
    let (mut core, _) = Core::start(Arc::clone(config), state, clock::now());
    Ok(core.snapshot())
}
