//! The judge of the simulation: it knows the truth about a simulated Syncro, receives what a monitor notified its receivers, and
//! says what was missed, false, twice, late, wrongly ended or split into several alerts. Written from the contract alone; it imports nothing of
//! the monitor, so that the two cannot share a mistake.
//!
//! `case` is the truth as it unfolds, `timeline` turns it into spans of time; `ledger` is what was received,
//! `listings` turns that into spans of time too; `verdict` compares.

mod case;
mod ledger;
mod listings;
mod spans;
mod timeline;
mod verdict;

pub use case::{Case, Event, Fault, FaultKind, Happening, Permission, Policy, Scope, State, Token};
pub use ledger::{Change, Entry, Received, Severity};
pub use spans::{Ms, Spans};
pub use timeline::Timeline;
pub use verdict::{Finding, Kind, Verdict, judge};
