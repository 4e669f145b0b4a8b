//! Judges tenants and tokens, over all files of a configuration. Pure.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::catalog::{PermissionId, Profile, catalog};

use super::context::Context;
use super::fault::{Fault, Problem, resembles_token, shown};
use super::profiles::{Profiles, permission, permissions};
use super::raw::{Notes, Section};
use super::value;
use crate::model::Zone;
use crate::model::{Calibrated, Ignored, Tenant, Token, TokenSource, Wanted};

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
        let source = self.source(&mut section, notes);
        let expires = section.read("expires", notes, |value| value::moment(value, zone));
        let contact = section.read("contact", notes, value::remark);
        let note = section.read("note", notes, value::remark);
        let auto_rotated = section.read("auto_rotated", notes, value::flag).unwrap_or(false);
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

    fn source(&self, section: &mut Section<'_>, notes: &mut Notes<'_>) -> Option<TokenSource> {
        const KEYS: [&str; 3] = ["token_file", "token_env", "token_credential"];
        let given: Vec<_> = KEYS.into_iter().filter(|key| section.has(key)).collect();
        let sources = [
            section.read("token_file", notes, |value| file_path(value, self.context)).map(TokenSource::File),
            section.read("token_env", notes, environment).map(TokenSource::Environment),
            section.read("token_credential", notes, credential).map(TokenSource::Credential),
        ];
        match given.as_slice() {
            [] => notes.fault(
                &section.path("token_file"),
                Problem::new("missing", "one of token_file, token_env, token_credential"),
            ),
            [_] => {}
            [.., last] => {
                let problem = Problem::new(
                    format!("{} sources for one token value: {}", given.len(), given.join(", ")),
                    "one of them",
                );
                notes.fault(&section.path(last), problem);
            }
        }
        sources.into_iter().flatten().next()
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

fn environment(value: &toml::Value) -> Result<String, Problem> {
    let allowed = "the name of an environment variable: letters, digits and `_`, no digit first";
    let name = value::text(value, allowed)?;
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if name.is_empty() || !plain || name.as_bytes()[0].is_ascii_digit() || resembles_token(name) {
        return Err(Problem::new(format!("{} is not the name of an environment variable", shown(name)), allowed));
    }
    Ok(name.to_owned())
}

fn credential(value: &toml::Value) -> Result<String, Problem> {
    let allowed = "the name of a systemd credential: 1 to 255 characters, no `/`, not `.` or `..`";
    let name = value::text(value, allowed)?;
    let file_name = Path::new(name).file_name().is_some_and(|file_name| file_name == name);
    if !file_name || name.len() > 255 || name.chars().any(char::is_control) || resembles_token(name) {
        return Err(Problem::new(format!("{} is not the name of a credential", shown(name)), allowed));
    }
    Ok(name.to_owned())
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

/// A path, relative to the folder of the configuration file.
pub(super) fn file_path(value: &toml::Value, context: &Context<'_>) -> Result<PathBuf, Problem> {
    path_from(context.configuration, value, context)
}

/// Reads a path, relative to `base`. A component that resembles a token value is taken for a part of a path if more
/// follows, or if there is something at the end of it; alone, or at the end of a path that leads nowhere, somebody
/// pasted a value.
pub(super) fn path_from(base: &Path, value: &toml::Value, context: &Context<'_>) -> Result<PathBuf, Problem> {
    let allowed = "the path of a file";
    let path = value::text(value, allowed)?;
    if path.is_empty() || path.contains('\0') {
        return Err(Problem::new("not a path", allowed));
    }
    let full = base.join(path);
    let last = Path::new(path).file_name().map(std::ffi::OsStr::to_string_lossy).unwrap_or_default();
    if resembles_token(&last) {
        match context.outside.exists(&full) {
            Ok(true) => {}
            Ok(false) => return Err(Problem::new("looks like a token value, and no file has this path", allowed)),
            Err(error) => {
                let problem = format!("looks like a token value, and whether it is a path is not known: {error}");
                return Err(Problem::new(problem, allowed));
            }
        }
    }
    Ok(full)
}
