//! What a configuration records of each file that it was read from. Values only.

use std::path::PathBuf;

/// What is recorded of one file of the configuration besides its contents, so that a reload can see what the file has
/// lost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// The path by which it was read.
    pub path: PathBuf,
    /// Its length in bytes.
    pub length: usize,
    /// Whether there is nothing but white space in it.
    pub is_blank: bool,
    /// Whether its last line ends with a line feed.
    pub ends_with_line: bool,
}
