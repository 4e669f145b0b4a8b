//! The client of the Syncro API, and what an answer means in the terms of this program. Nothing here calls a token good
//! or bad.
//!
//! `client` sends requests over a `transport`, each from a `source_address` (of which `reach` knows whether it is answered);
//! `budget` makes it wait (with `pause`, `bucket`, and `ledger`, `sharing` and `budget_file` for several processes), `classify` reads answers (with `coding`,
//! `json`, `record`, `users`, `in_body` and `challenge`), `shown` has what they show, `token_value` protects the secret, `values` reads it from
//! its source.

mod bucket;
mod budget;
mod budget_file;
mod challenge;
mod classify;
mod client;
mod coding;
mod failure;
mod in_body;
mod instruments;
mod json;
mod ledger;
mod observation;
mod pause;
mod reach;
mod record;
mod routes;
mod server_clock;
mod sharing;
mod shown;
mod source_address;
mod token_value;
mod transport;
#[cfg(any(test, fuzzing))]
pub(crate) mod untrusted;
mod users;
mod values;

pub(crate) use bucket::LONGEST_COURTESY;
pub use budget::Budget;
pub(crate) use budget::Pause;
pub(crate) use budget_file::{BudgetFile, Unshared};
pub use classify::Answer;
pub use client::{Client, Request};
pub use failure::{Failure, Reason};
pub use instruments::Instruments;
pub(crate) use observation::Asked;
pub use observation::{Observation, Part, PermissionObservations, TokenObservation};
pub(crate) use pause::Host;
pub use record::Record;
pub use routes::Route;
pub(crate) use shown::MOST_RIGHTS;
pub use shown::{Me, MeObservation, ProbeObservation, Right, UserObservation, UsersObservation};
pub use source_address::{FailingAddress, SourceAddress};
pub use token_value::{Fingerprint, TokenValue, Unreadable};
pub use transport::{Lost, Outgoing, Received, Transport};
pub use values::Values;

/// The priority of a request when the request budget is short: a later lane never delays an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckLane {
    /// A bad verdict is to be confirmed, or an expiry has just come.
    Urgent,
    /// A check of whether the token works.
    Validity,
    /// A check of what the token may do.
    Permissions,
}
