//! What a configuration records of each file that it was read from. Values only.

use std::path::PathBuf;

/// What is known of a file of the configuration besides what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// As it was named to us.
    pub path: PathBuf,
    /// How many bytes it has.
    pub length: usize,
    /// Whether there is nothing but white space in it.
    pub is_blank: bool,
    /// Whether its last line ends with a line feed.
    pub ends_with_line: bool,
}
