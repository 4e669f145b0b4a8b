//! Judges what was read: one or more TOML documents in, a [`Config`] or every fault out. Pure.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono_tz::Tz;
use toml::Table;

use crate::catalog::{PermissionId, catalog};

use super::fault::{Fault, Faults, Problem, looks_like_token, nearest, shown};
use super::raw::{Notes, Section};
use super::schedule::{Schedule, schedule};
use super::{
    Alerts, Config, Cost, Probes, SYNCRO_REQUESTS_PER_MINUTE, Schedules, Storage, Syncro, Tenant, Token, TokenSource,
    Wanted, Web, value,
};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// Loopback only: what the daemon knows is nobody else's business unless the operator says so.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9760);
/// Half of what Syncro allows an address, since other integrations share it.
const REQUESTS_PER_MINUTE: u32 = 90;
const TIMEOUT: Duration = Duration::from_secs(10);
const VALIDITY: Duration = Duration::from_mins(5);
const PERMISSIONS: Duration = HOUR;
/// Twice: one odd answer proves nothing.
const CONFIRMATIONS: u32 = 2;
const CONFIRM_AFTER: Duration = Duration::from_secs(30);
const EXPIRY_NOTICE: [Duration; 4] =
    [Duration::from_hours(30 * 24), Duration::from_hours(14 * 24), Duration::from_hours(7 * 24), DAY];
const REMIND_EVERY: Duration = DAY;
const UNREACHABLE_AFTER: Duration = Duration::from_mins(15);
const STORAGE_PATH: &str = "state.db";

/// One parsed file.
#[derive(Debug)]
pub(super) struct Document {
    /// The file as it was named to us.
    pub(super) file: String,
    /// What it holds.
    pub(super) table: Table,
}

/// Where relative paths start.
#[derive(Debug)]
pub(super) struct Places<'a> {
    /// The folder of the configuration file.
    pub(super) configuration: &'a Path,
    /// The folder of state.
    pub(super) state: &'a Path,
}

/// Judges the main document and those of `conf.d`, adding to the faults found while reading them.
pub(super) fn validate(
    main: &Document,
    more: &[Document],
    places: &Places<'_>,
    mut faults: Faults,
) -> Result<Config, Faults> {
    let mut notes = Notes { file: &main.file, faults: &mut faults };
    let mut root = Section::root(&main.table);
    let web = web(root.section("web", &mut notes), &mut notes);
    let syncro = syncro(root.section("syncro", &mut notes), &mut notes);
    let (schedule, zone) = schedules(root.section("schedule", &mut notes), &mut notes);
    let alerts = alerts(root.section("alerts", &mut notes), &mut notes);
    let storage = storage(root.section("storage", &mut notes), places, &mut notes);
    let mut fleet = Fleet { places, zone, tenants: HashMap::new(), tokens: Vec::new() };
    fleet.read(&mut root, &mut notes);
    root.finish(&mut notes);
    for document in more {
        let mut notes = Notes { file: &document.file, faults: &mut faults };
        let mut root = Section::root(&document.table);
        fleet.read(&mut root, &mut notes);
        root.finish(&mut notes);
    }
    let mut config = Config { web, syncro, schedule, alerts, storage, tokens: fleet.tokens, warnings: Vec::new() };
    let cost = Cost::of(&config);
    if !cost.fits() {
        let problem = Problem::new(
            format!("the plan needs {:.1} requests a minute, the budget is {}", cost.requests_per_minute, cost.budget),
            format!(
                "longer intervals under `schedule`, fewer wanted permissions, or a budget up to {SYNCRO_REQUESTS_PER_MINUTE}"
            ),
        );
        Notes { file: &main.file, faults: &mut faults }.fault("syncro.requests_per_minute", problem);
    }
    if config.tokens.is_empty() {
        let file = main.file.clone();
        let (path, allowed) = ("tenants".to_owned(), "[[tenants]] with [[tenants.tokens]]".to_owned());
        config.warnings.push(Fault {
            file,
            path,
            problem: "no token is configured, so nothing is watched".to_owned(),
            allowed,
        });
    }
    if faults.0.is_empty() { Ok(config) } else { Err(faults) }
}

fn web(mut section: Section<'_>, notes: &mut Notes<'_>) -> Web {
    let listen = section.read("listen", notes, value::address).unwrap_or(LISTEN);
    section.finish(notes);
    Web { listen }
}

fn syncro(mut section: Section<'_>, notes: &mut Notes<'_>) -> Syncro {
    let requests_per_minute =
        section.read("requests_per_minute", notes, |value| value::count(value, 1..=SYNCRO_REQUESTS_PER_MINUTE));
    let timeout =
        section.read("timeout", notes, |value| value::duration(value, Duration::from_millis(100)..=2 * MINUTE));
    let probes = section.read("probes", notes, |value| {
        value::word(value, &[("read-only", Probes::ReadOnly), ("write-safe", Probes::WriteSafe)])
    });
    section.finish(notes);
    Syncro {
        requests_per_minute: requests_per_minute.unwrap_or(non_zero(REQUESTS_PER_MINUTE)),
        timeout: timeout.unwrap_or(TIMEOUT),
        probes: probes.unwrap_or(Probes::ReadOnly),
    }
}

fn schedules(mut section: Section<'_>, notes: &mut Notes<'_>) -> (Schedules, Tz) {
    let zone = section.read("time_zone", notes, value::time_zone).unwrap_or(Tz::UTC);
    let validity = section.read("validity", notes, |value| schedule(value, zone));
    let permissions = section.read("permissions", notes, |value| schedule(value, zone));
    section.finish(notes);
    let schedules = Schedules {
        validity: validity.unwrap_or(Schedule::Every(VALIDITY)),
        permissions: permissions.unwrap_or(Schedule::Every(PERMISSIONS)),
    };
    (schedules, zone)
}

fn alerts(mut section: Section<'_>, notes: &mut Notes<'_>) -> Alerts {
    let confirmations = section.read("confirmations", notes, |value| value::count(value, 1..=10));
    let confirm_after = section.read("confirm_after", notes, |value| value::duration(value, Duration::ZERO..=HOUR));
    let notice = |value: &toml::Value| value::duration(value, SECOND..=5 * 365 * DAY);
    let expiry_notice =
        section.read_list("expiry_notice", "a list of durations such as [\"30d\", \"7d\", \"1d\"]", notes, notice);
    let remind_every = section.read("remind_every", notes, |value| value::duration(value, SECOND..=31 * DAY));
    let unreachable_after = section.read("unreachable_after", notes, |value| value::duration(value, SECOND..=7 * DAY));
    section.finish(notes);
    let mut expiry_notice = expiry_notice.unwrap_or_else(|| EXPIRY_NOTICE.to_vec());
    expiry_notice.sort_unstable_by(|left, right| right.cmp(left));
    expiry_notice.dedup();
    Alerts {
        confirmations: confirmations.unwrap_or(non_zero(CONFIRMATIONS)),
        confirm_after: confirm_after.unwrap_or(CONFIRM_AFTER),
        expiry_notice,
        remind_every: remind_every.unwrap_or(REMIND_EVERY),
        unreachable_after: unreachable_after.unwrap_or(UNREACHABLE_AFTER),
    }
}

fn storage(mut section: Section<'_>, places: &Places<'_>, notes: &mut Notes<'_>) -> Storage {
    let path = section.read("path", notes, |value| file_path(value, places.state));
    section.finish(notes);
    Storage { path: path.unwrap_or_else(|| places.state.join(STORAGE_PATH)) }
}

fn non_zero(number: u32) -> std::num::NonZeroU32 {
    std::num::NonZeroU32::new(number).unwrap_or(std::num::NonZeroU32::MIN)
}

fn file_path(value: &toml::Value, base: &Path) -> Result<PathBuf, Problem> {
    let allowed = "the path of a file";
    let path = value::text(value, allowed)?;
    if path.is_empty() || path.contains('\0') {
        return Err(Problem::new("not a path", allowed));
    }
    if looks_like_token(path) {
        return Err(Problem::new("looks like a token value, not like a path", allowed));
    }
    Ok(base.join(path))
}

/// The tenants and tokens read so far, over all files.
struct Fleet<'a> {
    places: &'a Places<'a>,
    zone: Tz,
    /// Where each tenant name was first used.
    tenants: HashMap<String, String>,
    tokens: Vec<Arc<Token>>,
}

impl Fleet<'_> {
    fn read(&mut self, root: &mut Section<'_>, notes: &mut Notes<'_>) {
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
        let zone = section.read("time_zone", notes, value::time_zone).unwrap_or(self.zone);
        let base_url = base_url
            .unwrap_or_else(|| format!("https://{}.syncromsp.com/api/v1", subdomain.as_deref().unwrap_or_default()));
        let tenant = Arc::new(Tenant { name: name.unwrap_or_default(), subdomain, base_url });
        let mut names = Vec::new();
        for token in section.sections("tokens", notes) {
            self.token(token, &tenant, zone, &mut names, notes);
        }
        section.finish(notes);
    }

    fn token(
        &mut self,
        mut section: Section<'_>,
        tenant: &Arc<Tenant>,
        zone: Tz,
        names: &mut Vec<String>,
        notes: &mut Notes<'_>,
    ) {
        let name = required(&mut section, "name", notes, value::name);
        if let Some(name) = &name {
            if names.contains(name) {
                let problem = format!("the token name {} is used twice in this tenant", shown(name));
                notes.fault(&section.path("name"), Problem::new(problem, "each token once"));
            }
            names.push(name.clone());
        }
        let source = self.source(&mut section, notes);
        let expires = section.read("expires", notes, |value| value::expiry(value, zone));
        let profile = section.read("profile", notes, profile);
        let own =
            section.read_list("permissions", "a list of Syncro permissions", notes, permission).unwrap_or_default();
        for (index, permission) in own.iter().enumerate() {
            if own[..index].contains(permission) {
                let problem = Problem::new(format!("`{}` stands twice", permission.name()), "each permission once");
                notes.fault(&section.path("permissions"), problem);
            }
        }
        section.finish(notes);
        let wanted = wanted(profile, &own);
        let profile = profile.map(|profile| profile.name.clone());
        if let (Some(name), Some(source)) = (name, source) {
            self.tokens.push(Arc::new(Token { tenant: Arc::clone(tenant), name, source, expires, profile, wanted }));
        }
    }

    fn source(&self, section: &mut Section<'_>, notes: &mut Notes<'_>) -> Option<TokenSource> {
        const KEYS: [&str; 3] = ["token_file", "token_env", "token_credential"];
        let given: Vec<_> = KEYS.into_iter().filter(|key| section.has(key)).collect();
        let sources = [
            section
                .read("token_file", notes, |value| file_path(value, self.places.configuration))
                .map(TokenSource::File),
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
    if name.is_empty() || !plain || name.as_bytes()[0].is_ascii_digit() || looks_like_token(name) {
        return Err(Problem::new(format!("{} is not the name of an environment variable", shown(name)), allowed));
    }
    Ok(name.to_owned())
}

fn credential(value: &toml::Value) -> Result<String, Problem> {
    let allowed = "the name of a systemd credential: 1 to 255 characters, no `/`, not `.` or `..`";
    let name = value::text(value, allowed)?;
    let file_name = Path::new(name).file_name().is_some_and(|file_name| file_name == name);
    if !file_name || name.len() > 255 || name.chars().any(char::is_control) || looks_like_token(name) {
        return Err(Problem::new(format!("{} is not the name of a credential", shown(name)), allowed));
    }
    Ok(name.to_owned())
}

fn profile(value: &toml::Value) -> Result<&'static crate::catalog::Profile, Problem> {
    let known = || catalog().profiles().iter().map(|profile| profile.name.as_str());
    let allowed = || known().collect::<Vec<_>>().join(", ");
    let name = value::text(value, &allowed())?;
    catalog().profile(name).ok_or_else(|| {
        let allowed = nearest(name, known()).map_or_else(allowed, |near| format!("did you mean `{near}`?"));
        Problem::new(format!("{} is not a known profile", shown(name)), allowed)
    })
}

fn permission(value: &toml::Value) -> Result<PermissionId, Problem> {
    let allowed = "a permission as Syncro names it, such as \"Tickets - Edit\"";
    let name = value::text(value, allowed)?;
    catalog().permission(name).ok_or_else(|| {
        let known = catalog().permissions().map(|(_, permission)| permission.name.as_str());
        let allowed = nearest(name, known).map_or_else(|| allowed.to_owned(), |near| format!("did you mean `{near}`?"));
        Problem::new(format!("{} is not a known permission", shown(name)), allowed)
    })
}

/// The profile's permissions and the token's own, each once; what is required by either is required.
fn wanted(profile: Option<&crate::catalog::Profile>, own: &[PermissionId]) -> Vec<Wanted> {
    let required = profile.into_iter().flat_map(|profile| &profile.required).chain(own);
    let recommended = profile.into_iter().flat_map(|profile| &profile.recommended);
    let mut wanted: Vec<Wanted> = Vec::new();
    let all = required.map(|permission| (permission, true)).chain(recommended.map(|permission| (permission, false)));
    for (&permission, required) in all {
        if wanted.iter().all(|known| known.permission != permission) {
            wanted.push(Wanted { permission, required });
        }
    }
    wanted
}
