//! The values that every other room names: the tenants, their tokens, their time zones, and the scope of an alert. Pure.

mod metric;
mod next;
mod rendezvous;
mod scope;
mod text;
mod zone;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::catalog::{Method, Operation, PermissionId, Probe, Profile, catalog};

pub use metric::Metric;
pub use next::{NextToken, RotateWhen, former_file};
pub(crate) use rendezvous::ranked;
pub use scope::Scope;
pub(crate) use text::{cut, disturbs, shortened};
pub use zone::Zone;

/// The characters that are percent-encoded in a segment of a path: all but the unreserved ones of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// One Syncro account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// The name that the operator gave it, unique within the configuration.
    pub name: String,
    /// The subdomain that its `/me` must show; `None` where only a base URL is configured.
    pub subdomain: Option<String>,
    /// The base URL of its API, without a slash at the end.
    pub base_url: String,
    /// The real records that reads may ask for in place of record 0, by the kind of the record: `ticket`.
    pub probe_records: BTreeMap<&'static str, u64>,
    /// What the command `calibrate` found, as far as the configuration has it.
    pub calibrated: Calibrated,
    /// The time zone in which people are shown moments of this tenant.
    pub zone: Zone,
}

/// Whether an account checks the permission before it searches for the record, for the operations of which it is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Calibrated {
    /// The operations that check the permission first.
    pub permission_first: Vec<&'static Operation>,
    /// The operations that search for the record first.
    pub record_first: Vec<&'static Operation>,
}

impl Calibrated {
    /// Whether the operation of this probe is known to search for the record first.
    pub(crate) fn is_record_first(&self, probe: &Probe) -> bool {
        self.record_first.contains(&&probe.operation)
    }

    /// The permissions that are known to be checked first.
    pub(crate) fn checked_first(&self) -> impl Iterator<Item = PermissionId> {
        let known = |probe: &Probe| self.permission_first.contains(&&probe.operation);
        let permissions = (!self.permission_first.is_empty()).then(|| catalog().permissions());
        let checked = permissions.into_iter().flatten().map(|(permission, _)| permission);
        checked.filter(move |permission| Probes::WriteSafe.allowed(*permission).is_some_and(known))
    }
}

impl Tenant {
    /// A moment as people read it in the tenant's time zone, with the zone's name: `2027-01-10 09:00 Europe/Berlin`.
    pub(crate) fn shown(&self, moment: DateTime<Utc>) -> String {
        format!("{} {}", self.zone.local(moment).format("%Y-%m-%d %H:%M"), self.zone.name())
    }

    /// The address of a page of the account for people, such as `/api_tokens`; none where only the address of a proxy is known.
    pub(crate) fn address_of(&self, path: &str) -> Option<String> {
        Some(format!("https://{}.syncromsp.com{path}", self.subdomain.as_ref()?))
    }

    /// The path to which a probe is sent for this tenant, below the base URL. A write always names record 0.
    pub(crate) fn path_of(&self, probe: &'static Probe) -> Cow<'static, str> {
        match self.record_of(probe) {
            Some(number) => probe.path_to(number).into(),
            None => probe.path().into(),
        }
    }

    /// Whether a probe is sent to record 0 of this tenant.
    pub(crate) fn asks_for_record_zero(&self, probe: &Probe) -> bool {
        probe.names_record() && self.record_of(probe).is_none()
    }

    /// The number of the real record for which a probe asks.
    fn record_of(&self, probe: &Probe) -> Option<u64> {
        let record = probe.record.as_ref().filter(|_| probe.method() == Method::Get)?;
        self.probe_records.get(record.as_str()).copied()
    }
}

/// One API token of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// The tenant to which it belongs.
    pub tenant: Arc<Tenant>,
    /// The name that the operator gave it, unique within the tenant.
    pub name: String,
    /// The place from which its value is read, at every check.
    pub source: TokenSource,
    /// The token that is to follow it, if one is to.
    pub next: Option<NextToken>,
    /// The declared expiry: the first instant at which the token is expected not to work.
    pub expires: Option<DateTime<Utc>>,
    /// Whether something renews the token by itself, so that nobody has to be notified of its declared expiry.
    pub auto_rotated: bool,
    /// Whom to ask about the token, as the operator wrote it.
    pub contact: Option<String>,
    /// What the operator wants to be remembered when an alert comes.
    pub note: Option<String>,
    /// The profile of the integration that uses the token, if one is configured.
    pub profile: Option<Arc<Profile>>,
    /// The permissions that the token needs, each once; the required ones come first.
    pub wanted: Vec<Wanted>,
    /// Those that it is meant to lack, each once.
    pub ignored: Vec<Ignored>,
}

impl Token {
    /// The name of the token's profile, if it has one.
    pub(crate) fn profile_name(&self) -> Option<&str> {
        self.profile.as_ref().map(|profile| profile.name.as_str())
    }

    /// The key under which everything about this token is persisted.
    pub fn id(&self) -> TokenId {
        TokenId { tenant: self.tenant.name.clone(), token_name: self.name.clone() }
    }

    /// The requests that show the wanted permissions of this token, each request once, with the permissions that it
    /// shows. Among those are the permissions without which a refusal of the request would say nothing.
    pub fn probes(&self, probes: Probes) -> Vec<(&'static Probe, Vec<PermissionId>)> {
        self.probes_of(probes, |_| true)
    }

    /// The same requests, but only for those of the wanted permissions that `chosen` accepts.
    pub(crate) fn probes_of(
        &self,
        probes: Probes,
        chosen: impl Fn(PermissionId) -> bool,
    ) -> Vec<(&'static Probe, Vec<PermissionId>)> {
        let chosen = self.wanted.iter().map(|wanted| wanted.permission).filter(|permission| chosen(*permission));
        let mut requests: Vec<(&'static Probe, Vec<PermissionId>)> = Vec::new();
        for permission in chosen.flat_map(|permission| {
            let needed = probes.presupposed(permission).chain(self.lister(permission));
            std::iter::once(permission).chain(needed)
        }) {
            let Some(probe) = probes.allowed(permission) else { continue };
            match requests.iter_mut().find(|(listed, _)| listed.same_request(probe)) {
                Some((_, shown)) if shown.contains(&permission) => {}
                Some((_, shown)) => shown.push(permission),
                None => requests.push((probe, vec![permission])),
            }
        }
        requests
    }

    /// The wanted permission whose request lists the records that show this one, where record 0 does not show it.
    fn lister(&self, permission: PermissionId) -> Option<PermissionId> {
        let probe = permission.get().probe.as_ref().filter(|probe| probe.is_any_of())?;
        let lists = |other: &PermissionId| {
            other.get().probe.as_ref().is_some_and(|other| other.lists.is_some() && other.lists == probe.record)
        };
        self.wanted.iter().map(|wanted| wanted.permission).find(lists)
    }

    /// The requests that show what the token may do beyond what it needs, each once, with the permission that it shows.
    /// Left out are the requests that a check of the wanted permissions sends anyway, and those that another permission
    /// lets through too.
    pub fn audit(&self, probes: Probes) -> Vec<(&'static Probe, Vec<PermissionId>)> {
        if self.needs_all() {
            return Vec::new();
        }
        let asked = self.probes(probes);
        let shows = |probe: &Probe| !probe.granted.is_empty() && !probe.is_any_of() && !probe.asks_of_another_user();
        let unasked = |probe: &Probe| !asked.iter().any(|(request, _)| request.same_request(probe));
        catalog()
            .permissions()
            .filter(|(permission, _)| !self.wants(*permission))
            .filter_map(|(permission, _)| Some((probes.allowed(permission)?, vec![permission])))
            .filter(|(probe, _)| shows(probe) && unasked(probe))
            .collect()
    }

    /// Whether a wanted permission is shown by what is answered about another user, whom only the list of users names.
    pub(crate) fn asks_of_another_user(&self, probes: Probes) -> bool {
        self.wanted.iter().filter_map(|wanted| probes.allowed(wanted.permission)).any(Probe::asks_of_another_user)
    }

    /// Whether the integration asks for every permission, so that the token has none too many.
    pub(crate) fn needs_all(&self) -> bool {
        self.profile.as_ref().is_some_and(|profile| profile.asks_for_all)
    }

    /// The expiry notices of the token: how long before the declared expiry each comes, and at which moment. A token
    /// that is renewed by itself has none.
    pub(crate) fn expiry_notices(&self, before: &[Duration]) -> impl Iterator<Item = (TimeDelta, DateTime<Utc>)> {
        let expires = self.expires.filter(|_| !self.auto_rotated);
        let before = before.iter().filter_map(|before| TimeDelta::from_std(*before).ok());
        before.filter_map(move |before| Some((before, expires?.checked_sub_signed(before)?)))
    }

    /// Why the token is meant to lack this permission at a moment, if it is.
    pub(crate) fn ignores(&self, permission: PermissionId, at: DateTime<Utc>) -> Option<&Ignored> {
        let lasts = |ignored: &&Ignored| ignored.until.is_none_or(|until| at < until);
        self.ignored.iter().filter(lasts).find(|ignored| ignored.permission == permission)
    }

    /// Whether the token needs this permission, be it required or only recommended.
    pub fn wants(&self, permission: PermissionId) -> bool {
        self.wanted.iter().any(|wanted| wanted.permission == permission)
    }
}

/// A permission that a token needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// The permission itself.
    pub permission: PermissionId,
    /// Whether the integration breaks without it; otherwise it is only recommended.
    pub required: bool,
}

/// A permission that a token is meant to lack, so that nobody is notified of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ignored {
    /// The permission itself.
    pub permission: PermissionId,
    /// Why it may be missing, as the operator wrote it.
    pub reason: String,
    /// The first moment at which it may not be missing any more; `None` if it always may.
    pub until: Option<DateTime<Utc>>,
}

/// Identifies a token by its names, never by its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenId {
    /// The tenant's name.
    pub tenant: String,
    /// The token's name within the tenant.
    pub token_name: String,
}

impl TokenId {
    /// The path of the token's page on the status page of the daemon.
    pub fn path(&self) -> String {
        format!("/tenants/{}/tokens/{}", segment(&self.tenant), segment(&self.token_name))
    }

    /// The path at which the API of the daemon shows the status of the token as JSON.
    pub(crate) fn api_path(&self) -> String {
        format!("/api/v1/tokens/{}/{}", segment(&self.tenant), segment(&self.token_name))
    }
}

/// The path of the page of a tenant.
pub(crate) fn tenant_path(tenant: &str) -> String {
    format!("/tenants/{}", segment(tenant))
}

/// The path of the page of a user of a tenant.
pub(crate) fn user_path(tenant: &str, user: u64) -> String {
    format!("/tenants/{}/users/{user}", segment(tenant))
}

/// Encodes a name as one segment of a path.
fn segment(name: &str) -> impl std::fmt::Display {
    utf8_percent_encode(name, SEGMENT)
}

/// The place from which a token value is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// A file that contains nothing else.
    File(PathBuf),
    /// The environment variable of this name.
    Environment(String),
    /// The systemd credential of this name (`LoadCredential=`).
    Credential(String),
}

impl TokenSource {
    /// The file, if it is one: what is in it may change while the program runs.
    pub fn file(&self) -> Option<&Path> {
        if let Self::File(path) = self { Some(path) } else { None }
    }
}

impl fmt::Display for TokenSource {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(formatter, "the file `{}`", path.display()),
            Self::Environment(name) => write!(formatter, "the environment variable `{name}`"),
            Self::Credential(name) => write!(formatter, "the credential `{name}`"),
        }
    }
}

/// The probes that may be sent, as `syncro.probes` configures it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Probes {
    /// Only reads (GET) may be sent.
    #[default]
    ReadOnly,
    /// The writes of the catalogue to record 0 may be sent too.
    WriteSafe,
}

impl Probes {
    /// The one request that may be sent to show whether `permission` is granted, if there is one. A read is preferred.
    pub fn allowed(self, permission: PermissionId) -> Option<&'static Probe> {
        let permission = permission.get();
        permission.probe.as_ref().or(match self {
            Self::ReadOnly => None,
            Self::WriteSafe => permission.write_probe.as_ref(),
        })
    }

    /// The permissions that the request for `permission` needs besides it: without them a refusal says nothing about
    /// it.
    pub(crate) fn presupposed(self, permission: PermissionId) -> impl Iterator<Item = PermissionId> {
        let names = self.allowed(permission).map(|probe| probe.also_requires.as_slice()).unwrap_or_default();
        names.iter().filter_map(|name| catalog().permission(name))
    }
}
