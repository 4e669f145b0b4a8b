//! The profiles that a token may name: those of the catalogue and the operator's own, `[profiles.NAME]`. Pure.

use std::sync::Arc;

use crate::catalog::{Certainty, PermissionId, Profile, catalog};

use super::fault::{Problem, nearest, shown};
use super::raw::{Notes, Section};
use super::value;

/// The source of a profile that the operator wrote, in place of a guide.
const OWN: &str = "the configuration";

/// Every profile that a token may name: first those of the catalogue, then the operator's own.
pub(super) struct Profiles(Vec<Arc<Profile>>);

impl Profiles {
    /// Reads the operator's own profiles.
    pub(super) fn read(root: &mut Section<'_>, notes: &mut Notes<'_>) -> Self {
        let mut profiles = catalog().profiles().to_vec();
        for (name, section) in root.named_sections("profiles", notes) {
            profiles.push(Arc::new(own(name, section, notes)));
        }
        Self(profiles)
    }

    pub(super) fn all(&self) -> &[Arc<Profile>] {
        &self.0
    }

    pub(super) fn into_all(self) -> Vec<Arc<Profile>> {
        self.0
    }

    /// Finds the profile that a token names.
    pub(super) fn find(&self, value: &toml::Value) -> Result<Arc<Profile>, Problem> {
        find(&self.0, value)
    }
}

/// Finds the profile of that name.
pub(super) fn find(profiles: &[Arc<Profile>], value: &toml::Value) -> Result<Arc<Profile>, Problem> {
    let names = || profiles.iter().map(|profile| profile.name.as_str());
    let allowed = || format!("{}, or one of your own as [profiles.NAME]", names().collect::<Vec<_>>().join(", "));
    let name = value::text(value, &allowed())?;
    profiles.iter().find(|profile| profile.name == name).cloned().ok_or_else(|| {
        let allowed = nearest(name, names()).map_or_else(allowed, |near| format!("did you mean `{near}`?"));
        Problem::new(format!("{} is not a known profile", shown(name)), allowed)
    })
}

fn own(name: &str, mut section: Section<'_>, notes: &mut Notes<'_>) -> Profile {
    if let Err(problem) = value::name(&toml::Value::String(name.to_owned())) {
        notes.fault(section.path("").trim_end_matches('.'), problem);
    } else if catalog().profile(name).is_some() {
        let problem = Problem::new(format!("{} is a profile that is known already", shown(name)), "another name");
        notes.fault(section.path("").trim_end_matches('.'), problem);
    }
    let title = section.read("title", notes, value::name).unwrap_or_else(|| name.to_owned());
    let mut required = permissions(&mut section, "required", notes);
    let mut recommended = permissions(&mut section, "recommended", notes);
    // Whether the token or its user lacks a permission, a call that needs it is refused.
    let token_required = permissions(&mut section, "token_required", notes);
    let user_required = permissions(&mut section, "user_required", notes);
    for more in [token_required, user_required.clone()] {
        required.extend(more.into_iter().filter(|permission| !required.contains(permission)).collect::<Vec<_>>());
    }
    recommended.extend(permissions(&mut section, "token_recommended", notes));
    for both in required.iter().filter(|permission| recommended.contains(permission)) {
        let problem = format!("`{}` is required and recommended", both.name());
        notes.fault(&section.path("recommended"), Problem::new(problem, "one of the two"));
    }
    let keys = ["required", "recommended", "token_required", "token_recommended", "user_required"];
    if !keys.iter().any(|key| section.has(key)) {
        let problem = Problem::new("missing", "a list of the permissions without which the integration breaks");
        notes.fault(&section.path("required"), problem);
    }
    section.finish(notes);
    Profile {
        name: name.to_owned(),
        title,
        source: OWN.to_owned(),
        certainty: Certainty::Certain,
        note: None,
        asks_for_all: false,
        required,
        recommended,
        user_required,
        parts: Vec::new(),
        inferred: Vec::new(),
    }
}

/// Reads a list of permissions, in which each may be once.
pub(super) fn permissions(section: &mut Section<'_>, key: &'static str, notes: &mut Notes<'_>) -> Vec<PermissionId> {
    let list = section.read_list(key, "a list of Syncro permissions", notes, permission).unwrap_or_default();
    for (index, permission) in list.iter().enumerate() {
        if list[..index].contains(permission) {
            let problem = Problem::new(format!("`{}` stands twice", permission.name()), "each permission once");
            notes.fault(&section.path(key), problem);
        }
    }
    list
}

/// Reads the name of a permission.
pub(super) fn permission(value: &toml::Value) -> Result<PermissionId, Problem> {
    let allowed = "a permission as Syncro names it, such as \"Tickets - Edit\"";
    let name = value::text(value, allowed)?;
    catalog().permission(name).ok_or_else(|| {
        let names = catalog().permissions().map(|(_, permission)| permission.name.as_str());
        let allowed = nearest(name, names).map_or_else(|| allowed.to_owned(), |near| format!("did you mean `{near}`?"));
        Problem::new(format!("{} is not a known permission", shown(name)), allowed)
    })
}
