//! What a human reads of an alert: one line, the steps that fix it, and what it is about. Values only.

use serde::{Deserialize, Deserializer, Serialize};

use crate::belief::{Cause, Evidence, Strength};

/// The content of a notification, besides the identity of its alert and the list of what it affects.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Message {
    /// One line that can be understood alone. Names are between backticks.
    #[serde(rename = "message")]
    pub line: String,
    /// What to do, step by step.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
    /// The side that lacks the permissions, for an alert about some.
    pub cause: Option<Cause>,
    /// How strong the evidence of what the alert says is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strength: Option<Strength>,
    /// The kind of evidence that the permissions are missing.
    pub evidence: Option<Evidence>,
    /// The evidence in detail: the request and its answer, or the user's right.
    pub shown_by: Option<String>,
    /// The security group, where it is known.
    pub security_group: Option<String>,
    /// The number of the user, where the alert is about one user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<u64>,
    /// The names of the profiles of the integrations that are affected. The first version had at most one.
    #[serde(alias = "profile", deserialize_with = "one_or_many")]
    pub profiles: Vec<String>,
    /// Whom to ask about the token, as the configuration says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// The note of the configuration on the token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

impl Message {
    /// A message of one line and steps.
    pub(crate) fn new(line: String, steps: Vec<String>) -> Self {
        Self { line, steps, ..Self::default() }
    }

    /// The same message with another line, and without steps.
    pub(crate) fn reworded(&self, line: String) -> Self {
        Self { line, steps: Vec::new(), ..self.clone() }
    }

    /// Whether what is missing is missing from the security group.
    pub(super) fn is_of_group(&self) -> bool {
        self.cause == Some(Cause::SecurityGroup)
    }

    /// The line and the numbered steps as one text of several lines.
    pub fn text(&self) -> String {
        let steps = self.numbered_steps().fold(String::new(), |text, step| text + "\n" + &step);
        format!("{}{steps}", self.line)
    }

    /// The steps with their numbers: `1. Open ...`.
    pub fn numbered_steps(&self) -> impl Iterator<Item = String> {
        self.steps.iter().enumerate().map(|(index, step)| format!("{}. {step}", index + 1))
    }
}

impl From<String> for Message {
    /// A message that says only what happened.
    fn from(line: String) -> Self {
        Self { line, ..Self::default() }
    }
}

/// A list of names, or what the first version had in its place: one name or none.
fn one_or_many<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Names {
        Many(Vec<String>),
        One(Option<String>),
    }
    Ok(match Names::deserialize(deserializer)? {
        Names::Many(names) => names,
        Names::One(name) => name.into_iter().collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_comes_back_from_the_store_with_its_steps() {
        let message = Message::new("`a` expired".to_owned(), vec!["Open it".to_owned(), "Save".to_owned()]);
        assert_eq!(message.text(), "`a` expired\n1. Open it\n2. Save");
        let stored = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<Message>(&stored).unwrap(), message);
    }
}
