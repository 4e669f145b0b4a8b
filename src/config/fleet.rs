//! Judges tenants and tokens, over all files of a configuration. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use crate::catalog::{PermissionId, Profile, catalog};

use super::context::Context;
use super::fault::{Fault, Problem, shown};
use super::next::next;
use super::profiles::{Profiles, permission, permissions};
use super::raw::{Notes, Section};
use super::source::source;
use super::value;
use crate::model::Zone;
use crate::model::{Calibrated, Ignored, Tenant, Token, Wanted};

/// The tenants and tokens that have been read so far, over all files.
pub(super) struct Fleet<'a> {
    context: &'a Context<'a>,
    zone: Zone,
    pub(super) profiles: Profiles,
    /// The place where each tenant name was first used, for people.
    pub(super) tenants: HashMap<String, String>,
    pub(super) tokens: Vec<Arc<Token>>,
    /// What is allowed, but probably not meant.
    pub(super) warnings: Vec<Fault>,
}

impl<'a> Fleet<'a> {
    pub(super) fn new(context: &'a Context<'a>, zone: Zone, profiles: Profiles) -> Self {
        Self { context, zone, profiles, tenants: HashMap::new(), tokens: Vec::new(), warnings: Vec::new() }
    }

    pub(super) fn read(&mut self, root: &mut Section<'_>, notes: &mut Notes<'_>) {
        for section in root.sections("tenants", notes) {
            self.tenant(section, notes);
        }
    }

    fn tenant(&mut self, mut section: Section<'_>, notes: &mut Notes<'_>) {
        let name = required(&mut section, "name", notes, value::name);
        if let Some(name) = &name {
            let here = format!("{}: {}", notes.file, section.path("name"));
            if let Some(first) = self.tenants.get(name) {
                let problem = format!("the tenant name {} is used twice, first at {first}", shown(name));
                notes.fault(&section.path("name"), Problem::new(problem, "each tenant once"));
            } else {
                self.tenants.insert(name.clone(), here);
            }
        }
        let subdomain = section.read("subdomain", notes, value::subdomain);
        let base_url = section.read("base_url", notes, value::base_url);
        if !section.has("subdomain") && !section.has("base_url") {
            let problem = Problem::new("missing", "`subdomain`, or `base_url` for a proxy or a simulator");
            notes.fault(&section.path("subdomain"), problem);
        }
        let zone = section.read("time_zone", notes, |value| value::time_zone(value, self.context));
        let zone = zone.unwrap_or_else(|| self.zone.clone());
        let base_url = base_url.unwrap_or_else(|| own_address(subdomain.as_deref().unwrap_or_default()));
        let probe_records = probe_records(section.section("probe_records", notes), notes);
        let calibrated = calibrated(section.section("calibrated", notes), notes);
        let name = name.unwrap_or_default();
        let tenant = Arc::new(Tenant { name, subdomain, base_url, probe_records, calibrated, zone: zone.clone() });
        let mut names = HashSet::new();
        for token in section.sections("tokens", notes) {
            self.token(token, &tenant, &zone, &mut names, notes);
        }
        section.finish(notes);
    }

    fn token(
        &mut self,
        mut section: Section<'_>,
        tenant: &Arc<Tenant>,
        zone: &Zone,
        names: &mut HashSet<String>,
        notes: &mut Notes<'_>,
    ) {
        let name = required(&mut section, "name", notes, value::name);
        if let Some(name) = name.as_ref().filter(|name| !names.insert((*name).clone())) {
            let problem = format!("the token name {} is used twice in this tenant", shown(name));
            notes.fault(&section.path("name"), Problem::new(problem, "each token once"));
        }
        let source = source(&mut section, self.context, notes);
        let expires = section.read("expires", notes, |value| value::moment(value, zone));
        let contact = section.read("contact", notes, value::remark);
        let note = section.read("note", notes, value::remark);
        let auto_rotated = section.read("auto_rotated", notes, value::flag).unwrap_or(false);
        let next = next(&mut section, (self.context, zone, source.as_ref()), notes);
        let profile = section.read("profile", notes, |value| self.profiles.find(value));
        let own = permissions(&mut section, "permissions", notes);
        let wanted = wanted(profile.as_deref(), &own);
        let ignored = self.ignored(&mut section, (zone, &wanted), notes);
        section.finish(notes);
        if let (Some(name), Some(source)) = (name, source) {
            self.tokens.push(Arc::new(Token {
                tenant: Arc::clone(tenant),
                name,
                source,
                next,
                expires,
                auto_rotated,
                contact,
                note,
                profile,
                wanted,
                ignored,
            }));
        }
    }

    /// Reads which permissions the token is meant to lack. One that it does not need is no fault: a profile may come to need
    /// less.
    fn ignored(
        &mut self,
        section: &mut Section<'_>,
        (zone, wanted): (&Zone, &[Wanted]),
        notes: &mut Notes<'_>,
    ) -> Vec<Ignored> {
        let mut all: Vec<Ignored> = Vec::new();
        for mut one in section.sections("ignore", notes) {
            let path = one.path("permission");
            let permission = required(&mut one, "permission", notes, permission);
            let reason = required(&mut one, "reason", notes, value::remark);
            let until = one.read("until", notes, |value| value::moment(value, zone));
            one.finish(notes);
            let (Some(permission), Some(reason)) = (permission, reason) else { continue };
            let name = permission.name();
            if all.iter().any(|before| before.permission == permission) {
                notes.fault(&path, Problem::new(format!("`{name}` stands twice"), "each permission once"));
            }
            if wanted.iter().all(|wanted| wanted.permission != permission) {
                let problem = format!("`{name}` is not needed by this token, so there is nothing to ignore");
                let allowed = "a permission of `permissions` or of the profile".to_owned();
                self.warnings.push(Fault { file: notes.file.to_owned(), path, problem, allowed });
            }
            all.push(Ignored { permission, reason, until });
        }
        all
    }
}

/// The base URL of an account's API, unless the configuration gives another one.
pub(super) fn own_address(subdomain: &str) -> String {
    format!("https://{subdomain}.syncromsp.com/api/v1")
}

fn probe_records(mut section: Section<'_>, notes: &mut Notes<'_>) -> BTreeMap<&'static str, u64> {
    let records = catalog().records().into_iter();
    let records = records.filter_map(|record| Some((record, section.read(record, notes, value::record)?))).collect();
    section.finish(notes);
    records
}

/// Reads what the command `calibrate` found.
fn calibrated(mut section: Section<'_>, notes: &mut Notes<'_>) -> Calibrated {
    const ALLOWED: &str = "a list of operations, as `calibrate` prints them";
    let mut operations = |key| section.read_list(key, ALLOWED, notes, value::operation).unwrap_or_default();
    let calibrated =
        Calibrated { permission_first: operations("permission_first"), record_first: operations("record_first") };
    let path = section.path("record_first");
    section.finish(notes);
    if let Some(both) = calibrated.record_first.iter().find(|both| calibrated.permission_first.contains(both)) {
        let problem = format!("`{both}` is in `permission_first` too");
        notes.fault(&path, Problem::new(problem, "each operation in one of the two lists"));
    }
    calibrated
}

fn required<T>(
    section: &mut Section<'_>,
    key: &'static str,
    notes: &mut Notes<'_>,
    parse: impl FnOnce(&toml::Value) -> Result<T, Problem>,
) -> Option<T> {
    if !section.has(key) {
        notes.fault(&section.path(key), Problem::new("missing", ""));
    }
    section.read(key, notes, parse)
}

/// The permissions of the profile and the token's own, each once; what either of them requires is required.
pub(super) fn wanted(profile: Option<&Profile>, own: &[PermissionId]) -> Vec<Wanted> {
    let required = profile.into_iter().flat_map(|profile| &profile.required).chain(own);
    let recommended = profile.into_iter().flat_map(|profile| &profile.recommended);
    let mut wanted: Vec<Wanted> = Vec::new();
    let all = required.map(|permission| (permission, true)).chain(recommended.map(|permission| (permission, false)));
    for (&permission, required) in all {
        if wanted.iter().all(|entry| entry.permission != permission) {
            wanted.push(Wanted { permission, required });
        }
    }
    wanted
}
