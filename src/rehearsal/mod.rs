//! A simulated year: the configuration against a Syncro that is made up, on a clock that leaps, through the loop's own core and
//! the rules by which receivers are notified. Pure; nothing is sent, written or waited for.

mod life;
mod rules;
mod truth;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::Notification;

pub(crate) use life::live;
pub(crate) use rules::rule_tests;
pub(crate) use truth::{Incident, Truth};

/// What is rehearsed.
#[derive(Debug, Clone)]
pub(crate) struct Script {
    /// When it begins.
    pub(crate) start: DateTime<Utc>,
    /// When it ends.
    pub(crate) end: DateTime<Utc>,
    /// What happens besides the expiries that are declared.
    pub(crate) incidents: Vec<Incident>,
    /// How long after it stopped working a token is replaced.
    pub(crate) fixed_after: TimeDelta,
}

/// Something that would be sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    /// When it would be.
    pub(crate) at: DateTime<Utc>,
    /// What it is.
    pub(crate) what: What,
    /// The receivers that would be sent it, in the order of the configuration.
    pub(crate) receivers: Vec<Arc<str>>,
}

/// What would be sent.
#[derive(Debug, Clone)]
pub(crate) enum What {
    /// A notification.
    Notification(Arc<Notification>),
    /// A digest, with the moment as its schedule has it.
    Digest(String),
}

/// How much each receiver would be sent, by its name.
pub(crate) fn by_receiver(sent: &[Sent]) -> BTreeMap<&str, usize> {
    let mut counts = BTreeMap::new();
    for receiver in sent.iter().flat_map(|sent| &sent.receivers) {
        *counts.entry(&**receiver).or_default() += 1;
    }
    counts
}

#[cfg(test)]
mod tests;
