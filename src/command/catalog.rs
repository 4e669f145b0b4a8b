//! `catalog`: prints what the catalogue has about permissions and integrations, and the configuration's own profiles,
//! if there are any.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::catalog::{Certainty, Permission, Probe, Profile, catalog as catalogue};
use crate::cli::{CatalogSubject, Output};
use crate::config;
use crate::exit::Exit;

use super::table::table;
use super::{finish, finish_json, say};

pub(super) fn catalog(path: &Path, subject: CatalogSubject, output: Output) -> Exit {
    let profiles = config::load_if_there(path).map_or_else(
        |_| {
            // The catalogue does not depend on the configuration.
            say("the configuration has faults, so its own profiles are left out; `validate` names them\n");
            catalogue().profiles().to_vec()
        },
        |config| config.profiles,
    );
    let exit = Exit::Success;
    match (subject, output) {
        (CatalogSubject::Permissions, Output::Table) => finish(&permissions(&profiles), exit),
        (CatalogSubject::Permissions, Output::Json) => finish_json(&permissions_json(&profiles), exit),
        (CatalogSubject::Profiles, Output::Table) => finish(&profiles_table(&profiles), exit),
        (CatalogSubject::Profiles, Output::Json) => finish_json(&profiles_json(&profiles), exit),
    }
}

fn needed_by<'a>(profiles: &'a [Arc<Profile>], permission: &Permission) -> Vec<&'a str> {
    let needs = |id: &crate::catalog::PermissionId| id.name() == permission.name;
    profiles
        .iter()
        .filter(|profile| profile.required.iter().chain(&profile.recommended).any(needs))
        .map(|profile| profile.name.as_str())
        .collect()
}

fn request(probe: &Probe) -> String {
    format!("{} {}", probe.method().as_str(), probe.path())
}

/// How a permission is observed, and how certain it is that this shows it.
fn observed(permission: &Permission) -> (String, &'static str) {
    if let Some(probe) = &permission.probe {
        return (request(probe), probe.certainty.as_str());
    }
    if let Some(probe) = &permission.write_probe {
        return (format!("{} (only with probes = \"write-safe\")", request(probe)), probe.certainty.as_str());
    }
    match &permission.right {
        Some(right) => (format!("right {right} of the user"), Certainty::Inferred.as_str()),
        None => ("nothing shows it".to_owned(), ""),
    }
}

fn permissions(profiles: &[Arc<Profile>]) -> String {
    let rows: Vec<_> = catalogue()
        .permissions()
        .map(|(_, permission)| {
            let (observed, certainty) = observed(permission);
            vec![permission.name.clone(), observed, certainty.to_owned(), needed_by(profiles, permission).join(", ")]
        })
        .collect();
    table(&["PERMISSION", "OBSERVED BY", "CERTAINTY", "NEEDED BY"], &rows)
}

fn permissions_json(profiles: &[Arc<Profile>]) -> Value {
    let probe = |probe: &Probe| {
        json!({
            "method": probe.method().as_str(),
            "path": probe.path(),
            "operation": probe.template(),
            "granted": probe.granted,
            "missing": [401],
            "certainty": probe.certainty.as_str(),
            "also_requires": probe.also_requires,
            "satisfied_by_any_of": probe.satisfied_by_any_of,
            "note": probe.note,
        })
    };
    let permission = |permission: &Permission| {
        json!({
            "permission": permission.name,
            "certainty": permission.certainty.as_str(),
            "source": permission.source,
            "right": permission.right,
            "probe": permission.probe.as_ref().map(probe),
            "write_probe": permission.write_probe.as_ref().map(probe),
            "note": permission.note,
            "needed_by": needed_by(profiles, permission),
        })
    };
    catalogue().permissions().map(|(_, entry)| permission(entry)).collect()
}

fn profiles_table(profiles: &[Arc<Profile>]) -> String {
    let rows: Vec<_> = profiles
        .iter()
        .map(|profile| {
            let names = |ids: &[crate::catalog::PermissionId]| {
                let marked = |id: &crate::catalog::PermissionId| {
                    if profile.inferred.contains(id) { format!("{}?", id.name()) } else { id.name().to_owned() }
                };
                ids.iter().map(marked).collect::<Vec<_>>().join("; ")
            };
            vec![
                profile.name.clone(),
                profile.title.clone(),
                names(&profile.required),
                names(&profile.recommended),
                profile.certainty.as_str().to_owned(),
                profile.source.clone(),
            ]
        })
        .collect();
    let head = ["PROFILE", "INTEGRATION", "REQUIRED", "RECOMMENDED (? = inferred)", "CERTAINTY", "SOURCE"];
    table(&head, &rows)
}

fn profiles_json(profiles: &[Arc<Profile>]) -> Value {
    let names = |ids: &[crate::catalog::PermissionId]| ids.iter().map(|id| id.name()).collect::<Vec<_>>();
    profiles
        .iter()
        .map(|profile| {
            json!({
                "profile": profile.name,
                "title": profile.title,
                "source": profile.source,
                "certainty": profile.certainty.as_str(),
                "note": profile.note,
                "required": names(&profile.required),
                "recommended": names(&profile.recommended),
                "user_required": names(&profile.user_required),
                "parts": profile.parts.iter().map(|(name, needed)| (name.clone(), json!(names(needed)))).collect::<Map<_, _>>(),
                "inferred": names(&profile.inferred),
            })
        })
        .collect()
}
