//! Every exit code of the program, with its meaning. Nothing else calls `exit`. Pure.

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
    /// `check`, `preflight`: nothing is known to be broken, but not everything could be checked, or nothing at all.
    CouldNotNotify,
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
            Self::CouldNotNotify => 3,
            Self::Usage => 64,
            Self::Configuration => 78,
        }
    }

    /// The same for a command that is a monitoring plugin: whatever kept it from running is UNKNOWN, since to Nagios 1 is a
    /// warning about the tokens, and other numbers mean nothing.
    #[must_use]
    pub fn of_plugin(self) -> Self {
        match self {
            Self::Failure | Self::Usage | Self::Configuration => Self::CouldNotNotify,
            Self::Success | Self::Warning | Self::Critical | Self::CouldNotNotify => self,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_keeps_a_plugin_from_running_is_unknown_to_nagios() {
        for (exit, code) in [
            (Exit::Success, 0),
            (Exit::Warning, 1),
            (Exit::Critical, 2),
            (Exit::CouldNotNotify, 3),
            (Exit::Failure, 3),
            (Exit::Usage, 3),
            (Exit::Configuration, 3),
        ] {
            assert_eq!(exit.of_plugin().code(), code, "{exit:?}");
        }
    }
}
