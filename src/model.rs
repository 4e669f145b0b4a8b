//! What everything else speaks of: tenants, tokens, whom an alert is about. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};

use crate::catalog::{Method, PermissionId, Probe, Profile, catalog};

/// What a segment of a path keeps as it is.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// One Syncro account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tenant {
    /// The operator's name for it.
    pub name: String,
    /// The subdomain that its `/me` must show; unknown where only a base URL is configured.
    pub subdomain: Option<String>,
    /// Where its API is, without a slash at the end.
    pub base_url: String,
    /// Real records that reads may ask for in place of record 0, by what they are: `ticket`.
    pub probe_records: BTreeMap<&'static str, u64>,
}

impl Tenant {
    /// The path at which a permission of this tenant is probed. Writes always name record 0.
    pub fn path_of(&self, probe: &'static Probe) -> Cow<'static, str> {
        let record = probe.record.as_ref().filter(|_| probe.method() == Method::Get);
        match record.and_then(|record| self.probe_records.get(record.as_str())) {
            Some(number) => probe.path_to(*number).into(),
            None => probe.path().into(),
        }
    }
}

/// One API token of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Whose it is.
    pub tenant: Arc<Tenant>,
    /// The operator's name for it, unique within the tenant.
    pub name: String,
    /// Where its value is read from, at every check.
    pub source: TokenSource,
    /// The declared expiry: the first instant at which it is expected not to work.
    pub expires: Option<DateTime<Utc>>,
    /// Whether something renews it by itself, so that its declared expiry is no news.
    pub auto_rotated: bool,
    /// What the integration that uses it needs.
    pub profile: Option<Arc<Profile>>,
    /// The permissions it needs: required ones first, each once.
    pub wanted: Vec<Wanted>,
}

impl Token {
    /// The name of its profile.
    pub fn profile_name(&self) -> Option<&str> {
        self.profile.as_ref().map(|profile| profile.name.as_str())
    }

    /// The key under which everything about this token is kept.
    pub fn id(&self) -> TokenId {
        TokenId { tenant: self.tenant.name.clone(), token_name: self.name.clone() }
    }

    /// The requests that show this token's wanted permissions, each once, with the permissions that it shows. Among
    /// them are those without which a refusal would say nothing.
    pub fn probes(&self, probes: Probes) -> Vec<(&'static Probe, Vec<PermissionId>)> {
        self.probes_of(probes, |_| true)
    }

    /// The same for some of the wanted permissions.
    pub fn probes_of(
        &self,
        probes: Probes,
        chosen: impl Fn(PermissionId) -> bool,
    ) -> Vec<(&'static Probe, Vec<PermissionId>)> {
        let chosen = self.wanted.iter().map(|wanted| wanted.permission).filter(|permission| chosen(*permission));
        let mut requests: Vec<(&'static Probe, Vec<PermissionId>)> = Vec::new();
        for permission in
            chosen.flat_map(|permission| std::iter::once(permission).chain(probes.presupposed(permission)))
        {
            let Some(probe) = probes.allowed(permission) else { continue };
            match requests.iter_mut().find(|(known, _)| known.same_request(probe)) {
                Some((_, shown)) if shown.contains(&permission) => {}
                Some((_, shown)) => shown.push(permission),
                None => requests.push((probe, vec![permission])),
            }
        }
        requests
    }

    /// The requests that show what the token may do beyond what it needs, each once, with the permission that it shows:
    /// none that a look at what it needs sends anyway, and none that another permission lets through too.
    pub fn audit(&self, probes: Probes) -> Vec<(&'static Probe, Vec<PermissionId>)> {
        let asked = self.probes(probes);
        let shows = |probe: &Probe| !probe.granted.is_empty() && probe.satisfied_by_any_of.is_empty();
        let unasked = |probe: &Probe| !asked.iter().any(|(known, _)| known.same_request(probe));
        catalog()
            .permissions()
            .filter(|(permission, _)| !self.wants(*permission))
            .filter_map(|(permission, _)| Some((probes.allowed(permission)?, vec![permission])))
            .filter(|(probe, _)| shows(probe) && unasked(probe))
            .collect()
    }

    /// When its expiry is spoken of, with how long before that is; never of one that is renewed by itself.
    pub fn notices(&self, before: &[Duration]) -> impl Iterator<Item = (TimeDelta, DateTime<Utc>)> {
        let expires = self.expires.filter(|_| !self.auto_rotated);
        let before = before.iter().filter_map(|before| TimeDelta::from_std(*before).ok());
        before.filter_map(move |before| Some((before, expires?.checked_sub_signed(before)?)))
    }

    /// Whether it needs this permission.
    pub fn wants(&self, permission: PermissionId) -> bool {
        self.wanted.iter().any(|wanted| wanted.permission == permission)
    }
}

/// A permission that a token needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// Which one.
    pub permission: PermissionId,
    /// Whether the integration breaks without it.
    pub required: bool,
}

/// Which token: never its value.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TokenId {
    /// The tenant's name.
    pub tenant: String,
    /// The token's name within the tenant.
    pub token_name: String,
}

impl TokenId {
    /// The path of its page, where the daemon serves pages.
    pub fn path(&self) -> String {
        format!("/tenants/{}/tokens/{}", segment(&self.tenant), segment(&self.token_name))
    }

    /// The path of its standing as JSON.
    pub fn api_path(&self) -> String {
        format!("/api/v1/tokens/{}/{}", segment(&self.tenant), segment(&self.token_name))
    }
}

/// One segment of a path.
fn segment(name: &str) -> impl std::fmt::Display {
    utf8_percent_encode(name, SEGMENT)
}

/// Whom an alert is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "Names", into = "Names")]
pub enum Scope {
    /// All tenants together.
    Fleet,
    /// A tenant as a whole, by its name.
    Tenant(String),
    /// One token.
    Token(TokenId),
}

impl Scope {
    /// As it is stored: with an empty name where there is none.
    pub fn of_names(tenant: String, token_name: String) -> Self {
        match (tenant.is_empty(), token_name.is_empty()) {
            (true, _) => Self::Fleet,
            (false, true) => Self::Tenant(tenant),
            (false, false) => Self::Token(TokenId { tenant, token_name }),
        }
    }

    /// The name of the tenant, unless it is about all of them.
    pub fn tenant(&self) -> Option<&str> {
        match self {
            Self::Fleet => None,
            Self::Tenant(name) => Some(name),
            Self::Token(token) => Some(&token.tenant),
        }
    }

    /// The name of the token, if it is about one.
    pub fn token_name(&self) -> Option<&str> {
        match self {
            Self::Fleet | Self::Tenant(_) => None,
            Self::Token(token) => Some(&token.token_name),
        }
    }
}

/// A scope as it is stored: no tenant and no token has an empty name.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Names {
    tenant: String,
    token_name: String,
}

impl From<Names> for Scope {
    fn from(names: Names) -> Self {
        Self::of_names(names.tenant, names.token_name)
    }
}

impl From<Scope> for Names {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Fleet => Self { tenant: String::new(), token_name: String::new() },
            Scope::Tenant(tenant) => Self { tenant, token_name: String::new() },
            Scope::Token(TokenId { tenant, token_name }) => Self { tenant, token_name },
        }
    }
}

impl From<TokenId> for Scope {
    fn from(token: TokenId) -> Self {
        Self::Token(token)
    }
}

/// Where a token value is read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenSource {
    /// A file that holds nothing else.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A systemd credential (`LoadCredential=`).
    Credential(String),
}

/// Which probes may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probes {
    /// Only GET.
    ReadOnly,
    /// Also the catalogue's writes to record 0.
    WriteSafe,
}

impl Probes {
    /// The one request that may be sent to see whether `permission` is held, if there is one.
    pub fn allowed(self, permission: PermissionId) -> Option<&'static Probe> {
        let permission = permission.get();
        permission.probe.as_ref().or(match self {
            Self::ReadOnly => None,
            Self::WriteSafe => permission.write_probe.as_ref(),
        })
    }

    /// The permissions that the request for `permission` needs besides: without them a refusal says nothing about it.
    pub fn presupposed(self, permission: PermissionId) -> impl Iterator<Item = PermissionId> {
        let names = self.allowed(permission).map(|probe| probe.also_requires.as_slice()).unwrap_or_default();
        names.iter().filter_map(|name| catalog().permission(name))
    }
}
