//! What one integration needs of its token, as its set-up guide says. Pure.

use serde::Deserialize;

use super::permission::{Certainty, PermissionId};

/// The permissions that an integration asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The name used in the configuration: `jumpcloud`.
    pub name: String,
    /// The integration's own name.
    pub title: String,
    /// The guide that says so.
    pub source: String,
    /// How sure the list is.
    pub certainty: Certainty,
    /// What to know about it.
    pub note: Option<String>,
    /// Without these the integration breaks.
    pub required: Vec<PermissionId>,
    /// What the guide asks for besides.
    pub recommended: Vec<PermissionId>,
    /// Members of either list that the guide does not spell out.
    pub inferred: Vec<PermissionId>,
}

/// A profile as the data file has it, permissions by name.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProfile {
    name: String,
    title: String,
    source: String,
    certainty: Certainty,
    note: Option<String>,
    required: Vec<String>,
    recommended: Vec<String>,
    #[serde(default)]
    inferred: Vec<String>,
}

impl RawProfile {
    pub(super) fn resolve(self, find: impl Fn(&str) -> Result<PermissionId, String>) -> Result<Profile, String> {
        let all = |names: Vec<String>| names.iter().map(|name| find(name)).collect::<Result<Vec<_>, _>>();
        Ok(Profile {
            required: all(self.required)?,
            recommended: all(self.recommended)?,
            inferred: all(self.inferred)?,
            name: self.name,
            title: self.title,
            source: self.source,
            certainty: self.certainty,
            note: self.note,
        })
    }
}
