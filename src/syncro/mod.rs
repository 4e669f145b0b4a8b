//! How Syncro is asked and what an answer says, in our words. Nothing here calls a token good or bad.
//!
//! `client` asks over a `transport`, `budget` makes it wait (with `pause`), `classify` reads answers (with `coding`, `json` and
//! `challenge`), `token_value` keeps the secret, `values` says where it comes from.

mod budget;
mod challenge;
mod classify;
mod client;
mod coding;
mod failure;
mod instruments;
mod json;
mod observation;
mod pause;
mod token_value;
mod transport;
mod values;

pub use budget::{Budget, Pause};
pub use classify::{Answer, MOST_RIGHTS, Me, MeObservation, ProbeObservation, Right, UserObservation};
pub use client::{Client, Request};
pub use failure::{Failure, Reason};
pub use instruments::Instruments;
pub use observation::{Asked, Observation, Part, PermissionObservations, TokenObservation};
pub use pause::Host;
pub use token_value::{Fingerprint, TokenValue, Unreadable, readable_by_others};
pub use transport::{Lost, Outgoing, Received, Transport};
pub use values::Values;

/// Who waits for whom when the request budget is short: a later lane never holds up an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// A bad verdict to confirm, an expiry that has just come.
    Urgent,
    /// Does the token work?
    Validity,
    /// What may it do?
    Permissions,
}
