//! That somebody has taken an alert on, and what may be asked for in that. Values only.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::model::disturbs;

/// In characters: the longest name of whoever takes an alert on.
const LONGEST_NAME: usize = 100;
/// In characters: the longest reason.
const LONGEST_REASON: usize = 500;
/// In days: for no longer is an alert repeated to nobody.
const LONGEST_DAYS: i64 = 90;

/// That somebody has taken an alert on: it is repeated to nobody until a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acknowledgement {
    /// Who has.
    pub by: String,
    /// Why it may wait.
    pub reason: String,
    /// Until when.
    pub until: DateTime<Utc>,
    /// When it was acknowledged.
    pub at: DateTime<Utc>,
}

/// Why an alert cannot be acknowledged in this way. The text names what is wrong by its field, and says what is allowed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAcknowledgement {
    /// A text is missing.
    #[error("{field}: it is empty; say {what}")]
    Empty {
        /// The field.
        field: &'static str,
        /// What it is to say.
        what: &'static str,
    },
    /// A text is too long.
    #[error("{field}: it has {found} characters; {most} at most are allowed")]
    TooLong {
        /// The field.
        field: &'static str,
        /// How many characters it has.
        found: usize,
        /// How many it may have.
        most: usize,
    },
    /// A text has a character that changes how the text around it is shown.
    #[error(
        "{0}: it has a line break, another control character or one that turns the direction of text; write it plainly on one line"
    )]
    Control(&'static str),
    /// The end has come already.
    #[error("until: {} is not in the future", .0.to_rfc3339())]
    Past(DateTime<Utc>),
    /// The end is too far away.
    #[error("until: {} is more than {LONGEST_DAYS} days away", .0.to_rfc3339())]
    TooFar(DateTime<Utc>),
}

impl Acknowledgement {
    /// An acknowledgement that is made now.
    ///
    /// # Errors
    /// What is wrong with it, and what is allowed.
    pub fn new(
        by: &str,
        reason: &str,
        until: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<Self, InvalidAcknowledgement> {
        let by = text("by", "who takes the alert on", by, LONGEST_NAME)?;
        let reason = text("reason", "why it may wait", reason, LONGEST_REASON)?;
        if until <= now {
            return Err(InvalidAcknowledgement::Past(until));
        }
        if until - now > TimeDelta::days(LONGEST_DAYS) {
            return Err(InvalidAcknowledgement::TooFar(until));
        }
        Ok(Self { by, reason, until, at: now })
    }
}

/// A text of an operator, without the spaces around it.
fn text(field: &'static str, what: &'static str, text: &str, most: usize) -> Result<String, InvalidAcknowledgement> {
    let text = text.trim();
    let found = text.chars().count();
    if text.is_empty() {
        Err(InvalidAcknowledgement::Empty { field, what })
    } else if found > most {
        Err(InvalidAcknowledgement::TooLong { field, found, most })
    } else if text.chars().any(disturbs) {
        Err(InvalidAcknowledgement::Control(field))
    } else {
        Ok(text.to_owned())
    }
}

/// What an operator wants of one alert.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcknowledgementOrder {
    /// The number under which the store has it until it is carried out.
    pub number: i64,
    /// The id of the alert.
    pub alert: String,
    /// Who takes it on, why and until when; `None` takes an acknowledgement back.
    pub acknowledgement: Option<Acknowledgement>,
}

/// What became of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acknowledged {
    /// It is as was ordered.
    Done,
    /// No alert of that id fires, nor has one ended of late.
    Unknown,
    /// The alert has ended.
    Ended,
    /// The end of the acknowledgement had come before it was carried out.
    TooLate,
}

impl Acknowledged {
    /// Why it was not done, as a sentence without its full stop; `None` if it was.
    pub fn problem(self) -> Option<&'static str> {
        match self {
            Self::Done => None,
            Self::Unknown => Some("no alert of that id fires"),
            Self::Ended => Some("that alert has just ended, so there is nothing left to take on"),
            Self::TooLate => Some("until: that moment has passed meanwhile"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    #[test]
    fn an_acknowledgement_has_a_name_a_reason_and_an_end() {
        let made = |by: &str, reason: &str, until: i64| Acknowledgement::new(by, reason, at(until), at(0));
        let ok = made(" Pat ", "the vendor is on it", 60).unwrap();
        assert_eq!((ok.by.as_str(), ok.at, ok.until), ("Pat", at(0), at(60)));
        assert!(made("Pat", "x", 90 * 86_400).is_ok());
        let refused = |by: &str, reason: &str, until| made(by, reason, until).unwrap_err().to_string();
        assert_eq!(refused(" ", "x", 60), "by: it is empty; say who takes the alert on");
        assert_eq!(refused("Pat", "", 60), "reason: it is empty; say why it may wait");
        assert_eq!(refused(&"é".repeat(101), "x", 60), "by: it has 101 characters; 100 at most are allowed");
        assert!(refused("Pat", "a\nb", 60).starts_with("reason: it has a line break"));
        assert!(refused("Pat\u{202e}", "x", 60).contains("one that turns the direction of text"));
        assert!(refused("Pat", "x", 0).ends_with("is not in the future"));
        assert!(refused("Pat", "x", 90 * 86_400 + 1).ends_with("is more than 90 days away"));
    }
}
