//! Every exit code of the program, with its meaning. Nothing else calls `exit`.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// All well, or stopped as asked.
    Success,
    /// `run`, `simulate`, `demo`: could not start, or had to stop.
    Failure,
    /// `check`: something will break soon.
    Warning,
    /// `check`: something is broken.
    Critical,
    /// `check`: nothing is known to be broken, but not everything could be looked at.
    CouldNotTell,
    /// The command line is wrong (`EX_USAGE`).
    Usage,
    /// The configuration has faults (`EX_CONFIG`): restarting will not help.
    Configuration,
}

impl Exit {
    /// The number that the operating system sees.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure | Self::Warning => 1,
            Self::Critical => 2,
            Self::CouldNotTell => 3,
            Self::Usage => 64,
            Self::Configuration => 78,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}
