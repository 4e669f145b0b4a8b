//! `[alerts.canary]`: a test alert that goes the way of all alerts, again and again. Pure.

use std::sync::Arc;
use std::time::Duration;

use crate::config::fault::{Problem, nearest, shown};
use crate::config::raw::{Notes, Section};
use crate::config::value;

use super::Receiver;

/// How often it is sent unless the configuration says otherwise.
const EVERY: Duration = Duration::from_hours(24);
/// The shortest interval: each must have had its time to arrive before the next is sent.
const SHORTEST_EVERY: Duration = Duration::from_mins(15);
/// The longest interval.
const LONGEST_EVERY: Duration = Duration::from_hours(31 * 24);

/// Through which receiver a test alert is sent, and how often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// The name of the receiver.
    pub receiver: String,
    /// How often it is sent.
    pub every: Duration,
}

/// Reads `[alerts.canary]`, which names one of these receivers.
pub(super) fn canary(alerts: &mut Section<'_>, receivers: &[Arc<Receiver>], notes: &mut Notes<'_>) -> Option<Canary> {
    let is_there = alerts.has("canary");
    let mut section = alerts.section("canary", notes);
    let receiver = section.read("receiver", notes, value::name);
    let every = section.read("every", notes, |value| value::duration(value, SHORTEST_EVERY..=LONGEST_EVERY));
    let path = section.path("receiver");
    if is_there && !section.has("receiver") {
        notes.fault(&path, Problem::new("missing", "the name of a receiver"));
    }
    section.finish(notes);
    let receiver = receiver?;
    if !receivers.iter().any(|known| known.name == receiver) {
        let near = nearest(&receiver, receivers.iter().map(|known| known.name.as_str()));
        let allowed =
            near.map_or_else(|| "the name of a receiver".to_owned(), |near| format!("did you mean `{near}`?"));
        notes.fault(&path, Problem::new(format!("{} is not a configured receiver", shown(&receiver)), allowed));
        return None;
    }
    Some(Canary { receiver, every: every.unwrap_or(EVERY) })
}
