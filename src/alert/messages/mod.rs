//! The messages of alerts: one line that says what broke, for which integration, since when, who is affected and by which
//! evidence, and the steps that fix it. Nothing is claimed that the evidence does not show. Pure.
//!
//! `words` keeps every part short; `subject` says what an alert is about, `steps` where to click; the others have the text of
//! each alert.

mod change;
mod compose;
mod expiry;
mod fleet;
mod lacks;
mod links;
mod missing;
mod states;
mod steps;
mod subject;
mod tenants;
mod users;
mod words;

pub(super) use compose::{ended, of_tenant};
pub(super) use fleet::{impaired, outage, throttled};
pub use links::{page, runbook};
