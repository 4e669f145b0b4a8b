//! Moments as people read them: how long ago, with the exact one behind it. Pure.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// A moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct When {
    /// For machines.
    pub(super) machine: String,
    /// `3 h ago`.
    pub(super) words: String,
    /// `2026-11-23 10:00:00 UTC`.
    pub(super) exact: String,
}

impl When {
    pub(super) fn new(moment: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let words =
            if moment > now { format!("in {}", span(moment - now)) } else { format!("{} ago", span(now - moment)) };
        Self {
            machine: moment.to_rfc3339_opts(SecondsFormat::Secs, true),
            words,
            exact: moment.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        }
    }
}

/// A time span in its largest unit of which there are at least two: `90 s`, `3 h`, `45 days`.
pub(super) fn span(span: TimeDelta) -> String {
    match (span.num_days(), span.num_hours(), span.num_minutes()) {
        (days @ 2.., _, _) => format!("{days} days"),
        (_, hours @ 2.., _) => format!("{hours} h"),
        (_, _, minutes @ 2..) => format!("{minutes} min"),
        _ => format!("{} s", span.num_seconds().max(0)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    #[test]
    fn a_moment_is_said_in_a_unit_that_fits() {
        let words = |seconds| When::new(at(seconds), at(0)).words;
        let cases =
            [(-5, "5 s ago"), (-119, "119 s ago"), (-120, "2 min ago"), (-7200, "2 h ago"), (172_800, "in 2 days")];
        for (seconds, expected) in cases {
            assert_eq!(words(seconds), expected);
        }
        assert_eq!(When::new(at(0), at(0)).machine, "2027-01-15T08:00:00Z");
    }
}
