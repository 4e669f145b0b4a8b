//! The alerts of which an operator is notified: one cause at one onset, with the list of what it affects. Pure; knows no
//! receiver.
//!
//! `findings` says what is wrong now, one thing at a time; `listing` to which alert each of these belongs; `rules` when an
//! alert begins, changes, is repeated and ends; `messages` explains. `tenant` and `fleet` bring them together.

mod acknowledgement;
mod finding;
mod findings;
mod firing;
mod fleet;
mod kind;
mod listing;
mod message;
mod messages;
mod notification;
mod rules;
mod tenant;
mod trouble;

pub use acknowledgement::{Acknowledged, Acknowledgement, AcknowledgementOrder, InvalidAcknowledgement};
pub(crate) use finding::{Member, Tenancy};
pub use firing::{Affected, Firing};
pub(crate) use fleet::{fleet_alerts, monitor_alerts};
pub use kind::{Alert, Severity};
pub use message::Message;
pub use messages::{page, runbook};
pub use notification::{AlertKey, Change, Notification};
pub(crate) use rules::{Rules, Waiting};
pub(crate) use tenant::{retire, tenant_alerts};
pub(crate) use trouble::{Impaired, Throttled};

#[cfg(test)]
mod tests;
