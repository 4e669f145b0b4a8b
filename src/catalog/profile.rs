//! What one integration needs of its token, as its set-up guide says. Pure.

use serde::Deserialize;

use super::permission::{Certainty, PermissionId};

/// The permissions that an integration asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// The name that the configuration uses: `jumpcloud`.
    pub name: String,
    /// The name that the integration has itself.
    pub title: String,
    /// The address of the guide that publishes the list, or `public document:` and what it is.
    pub source: String,
    /// How certain the list is as a whole.
    pub certainty: Certainty,
    /// A remark for the reader of the catalogue.
    pub note: Option<String>,
    /// Whether the guide asks for every permission there is, so that none is more than the integration needs.
    pub asks_for_all: bool,
    /// The permissions without which the integration breaks.
    pub required: Vec<PermissionId>,
    /// The permissions that the guide asks for besides.
    pub recommended: Vec<PermissionId>,
    /// The members of either list that the guide does not spell out.
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
    #[serde(default)]
    asks_for_all: bool,
    required: Vec<String>,
    recommended: Vec<String>,
    #[serde(default)]
    inferred: Vec<String>,
}

impl RawProfile {
    /// The profile with its permissions resolved by `find`.
    ///
    /// # Errors
    ///
    /// The error of `find`, for a permission that it does not have.
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
            asks_for_all: self.asks_for_all,
        })
    }
}
