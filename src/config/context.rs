//! What the validation of a configuration needs besides its text: the folders of relative paths, and questions to the machine,
//! so that it stays pure itself. Pure.

use std::path::Path;

use super::zone::Zone;

/// What surrounds the configuration: where its relative paths start, and the machine that it is for.
#[derive(Debug)]
pub(super) struct Context<'a> {
    /// The folder of the configuration file.
    pub(super) configuration: &'a Path,
    /// The folder of state.
    pub(super) state: &'a Path,
    /// What is outside of the configuration.
    pub(super) outside: &'a dyn Outside,
}

/// What the judgement of a configuration has to ask of the machine.
pub(super) trait Outside: std::fmt::Debug {
    /// Whether something has this path.
    ///
    /// # Errors
    /// Why that is not known.
    fn exists(&self, path: &Path) -> Result<bool, String>;

    /// The time zone of this name, if there is one.
    fn zone(&self, name: &str) -> Option<Zone>;
}
