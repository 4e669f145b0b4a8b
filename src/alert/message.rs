//! What a human reads of an alert, in two parts, and what it is about. Values only.

use serde::{Deserialize, Serialize};

use crate::belief::{Cause, Evidence};

/// The content of a notification, besides the key of its alert.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Message {
    /// One or two sentences that can be understood alone.
    #[serde(rename = "message")]
    pub text: String,
    /// The length in bytes of its first part, [`Message::what`]; `None` if it has only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) what_length: Option<usize>,
    /// The side that lacks the permission, for an alert about one.
    pub cause: Option<Cause>,
    /// The evidence that the permission is missing.
    pub evidence: Option<Evidence>,
    /// The evidence in detail: the request and its answer, or the user's right.
    #[serde(default)]
    pub shown_by: Option<String>,
    /// The permission that is missing, for an alert about one.
    pub permission: Option<String>,
    /// The right that is missing, for an alert about one.
    pub right: Option<String>,
    /// The security group of the token's user, where it is known.
    pub security_group: Option<String>,
    /// The name of the profile of the integration that is affected.
    pub profile: Option<String>,
    /// Whom to ask about the token, as the configuration says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// The note of the configuration on the token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What stands between the two parts of a message.
const BETWEEN: &str = ". ";

impl Message {
    /// A message of two parts: what happened and who is affected, and how to fix it. Names are between backticks.
    pub(crate) fn new(what: &str, fix: &str) -> Self {
        Self { text: format!("{what}{BETWEEN}{fix}"), what_length: Some(what.len()), ..Self::default() }
    }

    /// What happened, and who is affected.
    pub fn what(&self) -> &str {
        self.what_length.and_then(|length| self.text.get(..length)).unwrap_or(&self.text)
    }

    /// The same message, with the text of another one.
    pub(super) fn reworded(&self, Self { text, what_length, .. }: Self) -> Self {
        Self { text, what_length, ..self.clone() }
    }

    /// How to fix it; empty if the message does not say.
    pub(crate) fn fix(&self) -> &str {
        self.what_length.and_then(|length| self.text.get(length + BETWEEN.len()..)).unwrap_or_default()
    }
}

impl From<String> for Message {
    /// A message that says only what happened.
    fn from(text: String) -> Self {
        Self { text, ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_message_has_its_parts_whatever_its_names_contain_and_comes_back_with_them() {
        let what = "token `a` of tenant `Acme Inc. Ltd` expired. It fails";
        let message = Message::new(what, "Make a new one: More. Then");
        assert_eq!(message.text, format!("{what}. Make a new one: More. Then"));
        let stored = serde_json::to_value(&message).unwrap();
        assert_eq!(stored["message"], json!(message.text), "whoever reads the store finds the whole text");
        assert_eq!(serde_json::from_value::<Message>(stored).unwrap(), message);
        assert_eq!((message.what(), message.fix()), (what, "Make a new one: More. Then"));
        let over = message.reworded("over".to_owned().into());
        assert_eq!((over.what(), over.fix()), ("over", ""));
    }

    #[test]
    fn a_message_of_a_version_that_did_not_separate_its_parts_is_whole() {
        let message: Message = serde_json::from_value(json!({ "message": "it expired. Make a new one" })).unwrap();
        assert_eq!((message.what(), message.fix()), ("it expired. Make a new one", ""));
        let beyond: Message = serde_json::from_value(json!({ "message": "short", "what_length": 99 })).unwrap();
        assert_eq!((beyond.what(), beyond.fix()), ("short", ""), "a damaged length costs no message");
    }
}
