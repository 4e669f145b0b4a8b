//! Every exit code of the program, with its meaning. Nothing else ends the process. Pure.

use std::process::ExitCode;

/// The way in which the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Everything is ok, or the program stopped as it was asked to.
    Success,
    /// `run`, `simulate`, `demo`: the program could not start, or had to stop.
    Failure,
    /// `check`: something will break soon.
    Warning,
    /// `check`: something is broken.
    Critical,
    /// `check`, `preflight`: nothing was found broken, but not everything could be checked, or nothing at all.
    Unknown,
    /// The command line is wrong (`EX_USAGE`).
    Usage,
    /// The configuration has faults (`EX_CONFIG`): restarting will not help.
    Configuration,
}

impl Exit {
    /// The exit code that the operating system gets.
    pub fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Failure | Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
            Self::Usage => 64,
            Self::Configuration => 78,
        }
    }

    /// The same for a command that is a monitoring plugin: whatever prevented it from running is UNKNOWN, since to
    /// Nagios 1 is a warning about the tokens, and other numbers mean nothing.
    #[must_use]
    pub fn of_plugin(self) -> Self {
        match self {
            Self::Failure | Self::Usage | Self::Configuration => Self::Unknown,
            Self::Success | Self::Warning | Self::Critical | Self::Unknown => self,
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
    fn what_prevents_a_plugin_from_running_is_unknown_to_nagios() {
        for (exit, code) in [
            (Exit::Success, 0),
            (Exit::Warning, 1),
            (Exit::Critical, 2),
            (Exit::Unknown, 3),
            (Exit::Failure, 3),
            (Exit::Usage, 3),
            (Exit::Configuration, 3),
        ] {
            assert_eq!(exit.of_plugin().code(), code, "{exit:?}");
        }
    }
}
