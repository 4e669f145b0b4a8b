//! Moments as people read them: how long ago each was, with the exact moment behind it. Pure.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// A moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct When {
    /// The moment for machines, as RFC 3339.
    pub(super) machine: String,
    /// The moment relative to now, such as `3 h ago`.
    pub(super) relative: String,
    /// The exact moment, such as `2026-11-23 10:00:00 UTC`.
    pub(super) exact: String,
}

impl When {
    pub(super) fn new(moment: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        let relative =
            if moment > now { format!("in {}", span(moment - now)) } else { format!("{} ago", span(now - moment)) };
        Self {
            machine: moment.to_rfc3339_opts(SecondsFormat::Secs, true),
            relative,
            exact: moment.format("%Y-%m-%d %H:%M:%S UTC").to_string(),
        }
    }
}

/// A time span in the largest unit of which it has at least two: `90 s`, `3 h`, `45 days`.
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
    fn a_moment_is_shown_in_a_unit_that_fits() {
        let relative = |seconds| When::new(at(seconds), at(0)).relative;
        let cases =
            [(-5, "5 s ago"), (-119, "119 s ago"), (-120, "2 min ago"), (-7200, "2 h ago"), (172_800, "in 2 days")];
        for (seconds, expected) in cases {
            assert_eq!(relative(seconds), expected);
        }
        assert_eq!(When::new(at(0), at(0)).machine, "2027-01-15T08:00:00Z");
    }
}
