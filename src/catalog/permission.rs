//! One permission: its name, which request shows whether it is granted, and how certain that is. Pure.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use strum::IntoStaticStr;
use utoipa::ToSchema;

use super::catalog;

/// How certain a fact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, IntoStaticStr)]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case")]
pub enum Certainty {
    /// It is published, or a client has observed it live.
    Certain,
    /// Syncro's API document names it; nobody has reported it from a live account.
    Documented,
    /// It is concluded by analogy.
    Inferred,
}

impl Certainty {
    /// The certainty as tables and JSON spell it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The HTTP methods that a probe of the catalogue may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, IntoStaticStr, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[strum(serialize_all = "UPPERCASE")]
pub enum Method {
    /// A read.
    Get,
    /// Writes; only ever to record 0.
    Post,
    /// Writes; only ever to record 0.
    Put,
    /// Writes; only ever to record 0.
    Patch,
    /// Writes; only ever to record 0.
    Delete,
}

impl Method {
    /// The method as HTTP spells it.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What in the body of an answer shows a permission, where its status does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BodyEvidence {
    /// Its member `can_manage` is `true`.
    CanManage,
    /// One of its entries is of another user than the token's.
    EntryOfAnotherUser,
    /// What was asked of another user is answered of that one, and not of the token's own.
    AnswerOfAnotherUser,
}

impl BodyEvidence {
    /// How an answer that is let through denies the permission, to be read after the status.
    pub(crate) fn denial(self) -> &'static str {
        match self {
            Self::CanManage => "and says `can_manage: false`",
            Self::EntryOfAnotherUser => "and has no entry of another user",
            Self::AnswerOfAnotherUser => "but about the token's own user and not the one who was asked for",
        }
    }
}

/// One request that shows whether a permission is granted.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probe {
    /// The operation of Syncro's API document, as method and path template: `GET /tickets/{id}`.
    pub operation: Operation,
    /// The path to request, where it is not the template itself.
    path: Option<String>,
    /// The kind of record that record 0 stands for, where a tenant may name a real one instead: `ticket`. Only for
    /// reads.
    pub record: Option<String>,
    /// The kind of record that the answer lists: `ticket`.
    pub lists: Option<String>,
    /// Whether the permission is only about records that are assigned to the user.
    #[serde(default)]
    pub own_records_only: bool,
    /// The query to send, without `?`.
    pub query: Option<String>,
    /// A JSON body to send.
    pub body: Option<String>,
    /// What in the body shows it, where the status does not.
    pub shown_in_body: Option<BodyEvidence>,
    /// The HTTP statuses that mean that the permission is granted.
    pub granted: Vec<u16>,
    /// How certain the meaning of the answer is.
    pub certainty: Certainty,
    /// The permissions without which a refusal says nothing about this one.
    #[serde(default)]
    pub also_requires: Vec<String>,
    /// The permissions any one of which lets the request through too.
    #[serde(default)]
    pub satisfied_by_any_of: Vec<String>,
    /// The specification that has the operation, where it is not that of April 2026.
    pub specification: Option<String>,
    /// A remark for the reader of the catalogue.
    pub note: Option<String>,
}

/// The method and the path template of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    method: Method,
    template: String,
}

impl fmt::Display for Operation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.method.as_str(), self.template)
    }
}

impl<'de> Deserialize<'de> for Operation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let (method, template) = text
            .split_once(' ')
            .ok_or_else(|| serde::de::Error::custom("expected an operation such as `GET /tickets`"))?;
        let method = [Method::Get, Method::Post, Method::Put, Method::Patch, Method::Delete]
            .into_iter()
            .find(|candidate| candidate.as_str() == method)
            .ok_or_else(|| serde::de::Error::custom(format!("unknown method `{method}`")))?;
        Ok(Self { method, template: template.to_owned() })
    }
}

impl Probe {
    /// The method of the request.
    pub fn method(&self) -> Method {
        self.operation.method
    }

    /// The path template of the operation, as Syncro's API document has it.
    pub fn template(&self) -> &str {
        &self.operation.template
    }

    /// The path to request, below the base URL of the API.
    pub fn path(&self) -> &str {
        self.path.as_deref().unwrap_or(&self.operation.template)
    }

    /// The path with a real record in place of record 0.
    pub(crate) fn path_to(&self, record: u64) -> String {
        let parts = self.path().split('/').map(|part| if part == "0" { record.to_string() } else { part.to_owned() });
        parts.collect::<Vec<_>>().join("/")
    }

    /// Whether this request is to a record, or to something below it, that a read of this path shows: `/tickets/0/comment`
    /// is below `/tickets/0`.
    pub(crate) fn concerns_record_of(&self, path: &str) -> bool {
        is_of_record_zero(path)
            && self.path().strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }

    /// Whether the request names record 0.
    pub(crate) fn names_record(&self) -> bool {
        is_of_record_zero(self.path())
    }

    /// Whether several permissions let the request through, each of them alone.
    pub(crate) fn is_any_of(&self) -> bool {
        !self.satisfied_by_any_of.is_empty()
    }

    /// Whether it is asked of another user than the token's.
    pub(crate) fn asks_of_another_user(&self) -> bool {
        self.shown_in_body == Some(BodyEvidence::AnswerOfAnotherUser)
    }

    /// Whether this probe and `other` are the same request, so that one answer serves both.
    pub(crate) fn same_request(&self, other: &Self) -> bool {
        self.method() == other.method() && self.path() == other.path() && self.body == other.body
    }
}

fn is_of_record_zero(path: &str) -> bool {
    path.split('/').any(|part| part == "0")
}

/// One permission of Syncro's page *New Token > Custom Permissions*.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permission {
    /// The full name as Syncro spells it: `Tickets - Edit`.
    pub name: String,
    /// How certain the name is.
    pub certainty: Certainty,
    /// The publication that names it.
    pub source: String,
    /// The entry of `/me.permissions` that says what the user may do there: `ticket.write`. Which one matches is
    /// inferred.
    pub right: Option<String>,
    /// The read that shows whether it is granted, if there is one.
    pub probe: Option<Probe>,
    /// The write to record 0 that shows whether it is granted, if there is one.
    pub write_probe: Option<Probe>,
    /// A remark for the reader of the catalogue.
    pub note: Option<String>,
}

/// The key of a permission in the catalogue, which alone makes such keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PermissionId(u16);

impl PermissionId {
    /// The key of the permission at this index.
    ///
    /// # Errors
    ///
    /// The index does not fit.
    pub(super) fn new(index: usize) -> Result<Self, String> {
        u16::try_from(index).map(Self).map_err(|_| "more permissions than 65,536".to_owned())
    }

    /// The permission itself.
    pub fn get(self) -> &'static Permission {
        &catalog().permissions[usize::from(self.0)]
    }

    /// The full name of the permission.
    pub fn name(self) -> &'static str {
        &self.get().name
    }
}

impl Serialize for PermissionId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for PermissionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        catalog().permission(&name).ok_or_else(|| serde::de::Error::custom(format!("unknown permission `{name}`")))
    }
}

/// The form of a permission's name in which two spellings of the same permission are equal.
///
/// Ignores case, kinds of dash and quote, white space, a doubled group and a trailing remark in parentheses; reads
/// `Organizations` as `Customers`, which Syncro is renaming.
pub(crate) fn normalise(name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|character| match character {
            '‐' | '‑' | '‒' | '–' | '—' | '−' => '-',
            '‘' | '’' | '‚' | '`' | '´' => '\'',
            other => other,
        })
        .collect::<String>()
        .to_lowercase();
    let plain = match plain.find(" (") {
        Some(remark) if plain.trim_end().ends_with(')') => &plain[..remark],
        _ => plain.as_str(),
    };
    let mut parts: Vec<String> =
        plain.split('-').map(|part| part.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    if parts.len() > 2 && parts[0] == parts[1] {
        parts.remove(0);
    }
    if let Some(group) = parts.first_mut()
        && matches!(group.as_str(), "organizations" | "customer organizations")
    {
        "customers".clone_into(group);
    }
    parts.join("-")
}
