//! What the daemon believes, as its store has it, in the form in which the daemon shows it.

use std::sync::Arc;

use crate::config::Config;
use crate::engine::Core;
use crate::state::{PersistedState, Snapshot};
use crate::system::clock;

/// The fleet of this configuration, of which the store has this.
pub(super) fn snapshot(config: &Arc<Config>, state: PersistedState) -> Snapshot {
    Core::start(Arc::clone(config), state, clock::now()).0.snapshot()
}
