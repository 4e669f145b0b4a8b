//! What the validation of a configuration needs besides its text: the folders that relative paths start from, and the
//! questions that it asks of the machine through a trait, so that the validation itself stays pure. Pure.

use std::path::Path;

use super::Shard;
use crate::model::Zone;

/// What surrounds the configuration: the folders where its relative paths start, and the machine that it is for.
#[derive(Debug)]
pub(super) struct Context<'a> {
    /// The folder of the configuration file.
    pub(super) configuration: &'a Path,
    /// The folder in which the state is persisted.
    pub(super) state: &'a Path,
    /// Which of several daemons runs already, if this is to take the place of its configuration.
    pub(super) running: Option<Shard>,
    /// The machine, which answers the questions that the text leaves open.
    pub(super) outside: &'a dyn Outside,
}

/// The questions that the validation of a configuration asks of the machine.
pub(super) trait Outside: std::fmt::Debug {
    /// Whether there is something at this path, of whatever kind.
    ///
    /// # Errors
    /// The reason, as a text for people, when the machine cannot say.
    fn exists(&self, path: &Path) -> Result<bool, String>;

    /// The text of the file at this path, of `longest` bytes at most.
    ///
    /// # Errors
    /// The reason, as a text for people, when it cannot be read.
    fn text(&self, path: &Path, longest: u64) -> Result<String, String>;

    /// The name of the machine.
    fn host_name(&self) -> String;

    /// The time zone of this name, if there is one.
    fn zone(&self, name: &str) -> Option<Zone>;
}
