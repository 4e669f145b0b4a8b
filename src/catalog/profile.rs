//! What one integration needs of its token, as its set-up guide says. Pure.

use std::collections::BTreeMap;

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
    /// The permissions without which the integration breaks, whichever side lacks them.
    pub required: Vec<PermissionId>,
    /// The permissions that the guide asks to tick in the token besides.
    pub recommended: Vec<PermissionId>,
    /// Those that the guide asks of the user, by a security group or as a Global Admin; they are among the required ones.
    pub user_required: Vec<PermissionId>,
    /// The parts of the integration by their names, with what each needs, where it has several.
    pub parts: Vec<(String, Vec<PermissionId>)>,
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
    token_required: Vec<String>,
    token_recommended: Vec<String>,
    #[serde(default)]
    user_required: Vec<String>,
    #[serde(default)]
    parts: BTreeMap<String, Vec<String>>,
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
        let (mut required, user_required) = (all(self.token_required)?, all(self.user_required)?);
        let of_user_alone: Vec<_> = user_required.iter().filter(|one| !required.contains(one)).copied().collect();
        required.extend(of_user_alone);
        let parts = self.parts.into_iter().map(|(name, needed)| Ok((name, all(needed)?)));
        Ok(Profile {
            required,
            recommended: all(self.token_recommended)?,
            user_required,
            parts: parts.collect::<Result<_, String>>()?,
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
