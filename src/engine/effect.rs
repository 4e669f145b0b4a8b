//! What the core wants done. Values only; the loop carries them out.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::alert::{Acknowledged, AcknowledgementOrder};
use crate::belief::{Check, Transition};
use crate::check::Job;
use crate::model::{Token, TokenId};
use crate::state::{Entry, Record};
use crate::syncro::{Failure, Fingerprint, Observation, Part};

/// One thing to do.
#[must_use]
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Check a token.
    Start(Job),
    /// Persist something. A change of status is counted and logged too; a notification is delivered once it is persisted.
    Record(Record),
    /// Count and log a check.
    Checked(Checked),
    /// Log that the security group of a token's user could not be read, or could be again.
    Group {
        /// Of which token.
        token: TokenId,
        /// Why not, if it cannot.
        problem: Option<String>,
    },
    /// Put the value of a next token in the place of the one in use.
    Switch(Switch),
    /// Log and answer what became of an order.
    Acknowledged {
        /// The order.
        order: AcknowledgementOrder,
        /// What became of it.
        outcome: Acknowledged,
    },
}

/// A switch to the next token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switch {
    /// The token whose value is replaced.
    pub token: Arc<Token>,
    /// The fingerprint of the value that was proven.
    pub next: Fingerprint,
}

/// One check that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// Of which token.
    pub token: TokenId,
    /// Which check.
    pub check: Check,
    /// How it went.
    pub outcome: Outcome,
}

/// How a check went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There is a verdict, as there was the last time.
    Verdict,
    /// There is a verdict again, after so many attempts without one.
    Again(u32),
    /// The check could not be made, for the first time in a row or not.
    Failed {
        /// Why.
        failure: Failure,
        /// Whether the check before gave a verdict.
        first: bool,
    },
}

/// The check that an observation belongs to.
pub(super) fn checked_by(observed: &Observation) -> Check {
    match observed.part {
        Part::Token(_) => Check::Validity,
        Part::Permissions(_) => Check::Permissions,
    }
}

/// An entry of the history.
pub(super) fn entry(token: &TokenId, at: DateTime<Utc>, transition: Transition) -> Effect {
    Effect::Record(Record::Entry(Entry::Changed { token: token.clone(), at, transition }))
}
