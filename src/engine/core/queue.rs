//! Where due checks wait for a slot, and how many slots there are. Pure.

use chrono::{DateTime, Utc};

use crate::plan::Plan;
use crate::syncro::Lane;

/// How many looks may be under way at once, by lane. Enough that hosts which do not answer, each held for the whole
/// time-out, leave room for the others within the budget; few enough to keep memory small.
pub(super) const SLOTS: [usize; 3] = [16, 32, 16];

/// Where a due look waits, in the order of service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Queue {
    Urgent,
    /// Both checks are due: one look serves both. If there is no slot for long, validity goes first, alone.
    Both,
    Validity,
    Permissions,
}

/// Where a token with a due look waits.
pub(super) fn queue(plan: &Plan, wished: Option<DateTime<Utc>>, now: DateTime<Utc>) -> Queue {
    if wished.is_some_and(|at| at <= now) || plan.lane(now) == Lane::Urgent {
        Queue::Urgent
    } else {
        match (plan.validity.at <= now, plan.scope(now)) {
            (true, Some(_)) => Queue::Both,
            (true, None) => Queue::Validity,
            (false, _) => Queue::Permissions,
        }
    }
}
