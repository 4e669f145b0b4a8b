//! `[web]`: where the daemon listens and who has access. Pure; secrets are in files, of which only the paths are here.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use toml::Value;

use super::context::Context;
use super::fault::{Problem, shown};
use super::password::PasswordHash;
use super::raw::{Notes, Section};
use super::receivers::Identity;
use super::source::file_path;
use super::value;

/// The default address. It is a loopback address, since what the daemon knows is nobody else's business unless the
/// operator says so.
const LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9760);

/// What may stand in `bearer_token_files`.
const BEARER_FILES: &str = "a list of paths of files, or of { file = \"PATH\", only = \"scrape\" }";

/// What must be configured for an address that the network can reach.
const LOCKED: &str =
    "a loopback address; or web.tls together with web.auth or web.tls.client_ca_file; or insecure = true";

/// `[web]`: where the daemon listens, and who has access.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Web {
    /// The address of the metrics, the health and the pages.
    pub listen: SocketAddr,
    /// The URL by which people reach it, if not by that address; without a slash at the end.
    pub external_url: Option<String>,
    /// The names of hosts by which it may be reached besides loopback names and that of `external_url`.
    pub hosts: Vec<String>,
    /// The second place, where the health alone is served, in clear text and to everybody.
    pub health_listen: Option<HealthListen>,
    /// The TLS of the listener, if it has any.
    pub tls: Option<Tls>,
    /// Who has access; everybody has if nobody is named.
    pub auth: Auth,
    /// Whether the operator says that an address may be open to the network without TLS or authentication.
    pub insecure: bool,
}

/// A second place at which the health of the daemon is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HealthListen {
    /// A TCP address.
    Address(SocketAddr),
    /// The path of a Unix socket.
    Socket(PathBuf),
}

/// `[web.tls]`: the TLS of the listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// The certificate of the daemon and its key.
    pub identity: Identity,
    /// The file of the authorities that must have signed a client's certificate, in PEM; no certificate is asked for if
    /// it is not set.
    pub client_ca_file: Option<PathBuf>,
}

/// `[web.auth]`: who has access.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Auth {
    /// The names of people, each with the hash of its password.
    pub users: Vec<(String, PasswordHash)>,
    /// Files with a bearer token each that a program may show.
    pub bearer_token_files: Vec<BearerFile>,
}

/// A file with a bearer token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BearerFile {
    /// Its path.
    pub path: PathBuf,
    /// Whether whoever shows the token may read the metrics and nothing else.
    pub is_scrape_only: bool,
}

impl Auth {
    /// Whether everybody has access.
    pub(crate) fn is_open(&self) -> bool {
        self.users.is_empty() && self.bearer_token_files.is_empty()
    }
}

impl Web {
    /// The URL by which people reach what listens on `address`, without a slash at the end.
    pub fn url(&self, address: SocketAddr) -> String {
        self.external_url.clone().unwrap_or_else(|| self.own_url(address))
    }

    /// Whether the daemon may listen on `address`: on loopback, or protected by TLS and authentication, or because the
    /// operator set `insecure`.
    pub(crate) fn may_listen_on(&self, address: SocketAddr) -> bool {
        let asks_who_it_is = !self.auth.is_open() || self.tls.as_ref().is_some_and(|tls| tls.client_ca_file.is_some());
        address.ip().is_loopback() || (self.tls.is_some() && asks_who_it_is) || self.insecure
    }

    /// The URL of what listens on `address` by that address itself, without a slash at the end.
    pub(crate) fn own_url(&self, address: SocketAddr) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{address}")
    }
}

pub(super) fn web(mut section: Section<'_>, context: &Context<'_>, notes: &mut Notes<'_>) -> Web {
    let listen = section.read("listen", notes, value::address).unwrap_or(LISTEN);
    let external_url = section.read("external_url", notes, |value| {
        let allowed = "the http or https URL at which people reach this daemon";
        let url = value::url(value, allowed)?;
        let is_web = matches!(url.scheme(), "http" | "https");
        is_web
            .then(|| url.as_str().trim_end_matches('/').to_owned())
            .ok_or_else(|| Problem::new("not a web URL", allowed))
    });
    let hosts = section.read_list("hosts", HOSTS, notes, host).unwrap_or_default();
    let health_listen = section.read("health_listen", notes, |value| health_listen(value, context));
    if health_listen == Some(HealthListen::Address(listen)) && listen.port() != 0 {
        let problem = Problem::new("the same as web.listen, which serves health too", "another address");
        notes.fault(&section.path("health_listen"), problem);
    }
    let insecure = section.read("insecure", notes, value::flag).unwrap_or(false);
    let tls = tls(&mut section, context, notes);
    let faults = notes.faults.0.len();
    let auth = auth(section.section("auth", notes), context, notes);
    if section.has("auth") && auth.is_open() && notes.faults.0.len() == faults {
        let problem =
            Problem::new("names nobody", "users, bearer_token_files or both; without [web.auth] everybody may read");
        notes.fault(&section.path("auth"), problem);
    }
    let path = section.path("listen");
    section.finish(notes);
    let web = Web { listen, external_url, hosts, health_listen, tls, auth, insecure };
    if !web.may_listen_on(listen) {
        let problem = format!("`{listen}` is open to the network, without TLS or without asking for a credential");
        notes.fault(&path, Problem::new(problem, LOCKED));
    }
    web
}

/// What may stand in `hosts`.
const HOSTS: &str = "a list of names of hosts without a port, such as [\"monitor.example\"]";

/// Reads the name of a host.
fn host(value: &Value) -> Result<String, Problem> {
    let name = value::text(value, HOSTS)?;
    match url::Host::parse(name) {
        Ok(url::Host::Domain(name)) => Ok(name.trim_end_matches('.').to_owned()),
        Ok(_) => Err(Problem::new(format!("{} is an address, by which it is reached anyway", shown(name)), HOSTS)),
        Err(_) => Err(Problem::new(format!("{} is not the name of a host", shown(name)), HOSTS)),
    }
}

/// Reads a path, or a table of a path and what alone its token is for.
fn bearer_file(value: &Value, context: &Context<'_>) -> Result<BearerFile, Problem> {
    let Value::Table(table) = value else {
        return file_path(value, context).map(|path| BearerFile { path, is_scrape_only: false });
    };
    let is_whole = table.len() == 2 && table.get("only").and_then(Value::as_str) == Some("scrape");
    let Some(file) = table.get("file").filter(|_| is_whole) else {
        return Err(Problem::new("not a path, nor a file with what its token is for", BEARER_FILES));
    };
    file_path(file, context).map(|path| BearerFile { path, is_scrape_only: true })
}

fn health_listen(value: &Value, context: &Context<'_>) -> Result<HealthListen, Problem> {
    let allowed = "an address with a port such as \"127.0.0.1:9762\", or \"unix:\" and the path of a socket";
    let text = value::text(value, allowed)?;
    match text.strip_prefix("unix:") {
        Some(path) => file_path(&path.into(), context).map(HealthListen::Socket),
        None => value::address(value).map(HealthListen::Address),
    }
    .map_err(|problem| Problem { allowed: allowed.to_owned(), ..problem })
}

fn tls(web: &mut Section<'_>, context: &Context<'_>, notes: &mut Notes<'_>) -> Option<Tls> {
    let is_wanted = web.has("tls");
    let mut section = web.section("tls", notes);
    let mut file = |key, notes: &mut Notes<'_>| {
        let path = section.read(key, notes, |value| file_path(value, context));
        (path, section.has(key), section.path(key))
    };
    let (certificate_file, has_certificate, certificate_path) = file("certificate_file", notes);
    let (key_file, has_key, key_path) = file("key_file", notes);
    let (client_ca_file, ..) = file("client_ca_file", notes);
    for (has, path) in [(has_certificate, certificate_path), (has_key, key_path)] {
        if is_wanted && !has {
            notes.fault(&path, Problem::new("missing", "certificate_file and key_file, PEM"));
        }
    }
    section.finish(notes);
    let identity = Identity { certificate_file: certificate_file?, key_file: key_file? };
    Some(Tls { identity, client_ca_file })
}

fn auth(mut section: Section<'_>, context: &Context<'_>, notes: &mut Notes<'_>) -> Auth {
    let users = section.entries("users", notes, |name, hash| {
        let allowed = "a name without a colon, and a hash that `hash-password` prints";
        let hash = PasswordHash::parse(value::text(hash, allowed)?).ok_or_else(|| {
            let problem =
                "not a bcrypt or Argon2 hash, or one that takes too long to check; a password itself never stands here";
            Problem::new(problem, allowed)
        })?;
        let usable = value::name(&name.into()).is_ok() && !name.contains(':');
        if usable {
            Ok((name.to_owned(), hash))
        } else {
            Err(Problem::new(format!("{} is not a usable name", shown(name)), allowed))
        }
    });
    let files = section.read_list("bearer_token_files", BEARER_FILES, notes, |value| bearer_file(value, context));
    section.finish(notes);
    Auth { users, bearer_token_files: files.unwrap_or_default() }
}
