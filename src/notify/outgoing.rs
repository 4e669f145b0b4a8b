//! A request to a receiver: where it goes, and with what. Values only.

use std::borrow::Cow;
use std::path::PathBuf;

/// How much of an answer is read, in bytes: enough to see what it is and what it complains of.
const LONGEST_ANSWER: usize = 8 * 1024;
/// How much of an answer is read that is the point of its request, in bytes.
const LONGEST_DOCUMENT: usize = 256 * 1024;

/// A request to a receiver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// The path below the receiver's address.
    pub path: Cow<'static, str>,
    /// The method.
    pub verb: Verb,
    /// The headers besides those of every request.
    pub headers: Vec<(String, String)>,
    /// The body, which is JSON unless the headers say otherwise.
    pub body: String,
    /// The file with the secret that signs the body.
    pub signed_by: Option<PathBuf>,
    /// The file with the routing key, a secret that is added to the body, a JSON object.
    pub routing_key: Option<PathBuf>,
    /// The numbers of the deliveries that an e-mail is about.
    pub deliveries: Vec<i64>,
}

/// The method of a request to a receiver.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Verb {
    /// POST, by which nearly everything is delivered.
    #[default]
    Post,
    /// PUT, where a webhook wants it.
    Put,
    /// GET, of which the answer is read.
    Get,
    /// DELETE.
    Delete,
}

impl Verb {
    /// The method as HTTP spells it.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Get => "GET",
            Self::Delete => "DELETE",
        }
    }

    /// Whether such a request has a body.
    pub(super) fn has_body(self) -> bool {
        matches!(self, Self::Post | Self::Put)
    }

    /// How much of an answer is read, in bytes.
    pub(super) fn longest_answer(self) -> usize {
        if self == Self::Get { LONGEST_DOCUMENT } else { LONGEST_ANSWER }
    }
}
