//! What the core wants done. Values only; the loop carries them out.

use crate::alert::{Acknowledged, AcknowledgementOrder};
use crate::belief::Check;
use crate::check::Job;
use crate::model::TokenId;
use crate::state::Record;
use crate::syncro::{Failure, Observation, Part};

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
    /// Log and answer what became of an order.
    Acknowledged {
        /// The order.
        order: AcknowledgementOrder,
        /// What became of it.
        outcome: Acknowledged,
    },
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
