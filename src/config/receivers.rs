//! The receivers that are notified besides the log: `[[alerts.alertmanagers]]` and `[[alerts.webhooks]]`. Pure; no
//! secret is here, only the paths of the files in which the secrets are.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toml::Value;
use url::Url;

use super::context::Context;
use super::fault::{Fault, Problem, resembles_token, shown};
use super::fleet::file_path;
use super::raw::{Notes, Section};
use super::value;

/// The name of the log, which is a receiver too and always there.
pub(crate) const LOG: &str = "log";

/// The default time-out of a request: long enough for a slow service, and short enough not to delay the notifications
/// that wait behind it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// One receiver of alerts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// The name that the operator gave it: a label, and what `test-alert --receiver` takes.
    pub name: String,
    /// The protocol that it understands.
    pub kind: ReceiverKind,
    /// The URL to which notifications are sent, or the file that has it.
    pub address: Address,
    /// How the daemon authenticates itself there.
    pub authorization: Authorization,
    /// The file of root certificates that are trusted instead of the system's, in PEM.
    pub ca_file: Option<PathBuf>,
    /// The client certificate of the daemon and its key, if there is one.
    pub identity: Option<Identity>,
    /// How long one request may take, the connecting included.
    pub timeout: Duration,
}

impl Receiver {
    /// The paths of the files with secrets that it needs.
    pub(crate) fn secret_files(&self) -> impl Iterator<Item = &Path> {
        let address = if let Address::File(path) = &self.address { Some(path) } else { None };
        let authorization = match &self.authorization {
            Authorization::None => None,
            Authorization::Basic { password_file: path, .. } | Authorization::Bearer(path) => Some(path),
        };
        let signature = match &self.kind {
            ReceiverKind::Alertmanager => None,
            ReceiverKind::Webhook(webhook) => webhook.secret_file.as_ref(),
        };
        let key = self.identity.as_ref().map(|identity| &identity.key_file);
        [address, authorization, signature, key].into_iter().flatten().map(PathBuf::as_path)
    }
}

/// The protocol that a receiver understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiverKind {
    /// One Alertmanager, by its API v2.
    Alertmanager,
    /// A webhook, which gets one request for each notification.
    Webhook(Webhook),
}

impl ReceiverKind {
    /// The name of the kind, as tables show it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::Webhook(Webhook { format: Format::Json, .. }) => "webhook",
            Self::Webhook(Webhook { format: Format::Slack, .. }) => "slack",
        }
    }
}

/// How a webhook is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// The format of the body.
    pub format: Format,
    /// Whether the method is PUT rather than POST.
    pub put: bool,
    /// The headers that are sent besides the daemon's own.
    pub headers: Vec<(String, String)>,
    /// The file with the secret that signs the body, if it is to be signed.
    pub secret_file: Option<PathBuf>,
}

/// The format of the body of a webhook's request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The program's own JSON, as `docs/notifications.md` describes it.
    Json,
    /// The JSON that Slack and services like it take.
    Slack,
}

/// The address of a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A URL that is written in the configuration.
    Url(String),
    /// The path of a file that has the URL, for a URL that is a secret itself: whoever has it may post.
    File(PathBuf),
}

/// How the daemon authenticates itself to a receiver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Authorization {
    /// It does not.
    None,
    /// By a user name, and a password in a file (RFC 7617).
    Basic {
        /// The user name.
        username: String,
        /// The path of the file that has the password.
        password_file: PathBuf,
    },
    /// By a bearer token; this is the path of the file that has it (RFC 6750).
    Bearer(PathBuf),
}

/// A certificate of the daemon's own, with its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The path of the certificate and of those between it and the root, in PEM.
    pub certificate_file: PathBuf,
    /// The path of its key, in PEM.
    pub key_file: PathBuf,
}

/// Reads both lists of receivers; adds what is allowed but probably not meant to `warnings`.
pub(super) fn receivers(
    alerts: &mut Section<'_>,
    context: &Context<'_>,
    notes: &mut Notes<'_>,
    warnings: &mut Vec<Fault>,
) -> Vec<Arc<Receiver>> {
    let mut receivers: Vec<Arc<Receiver>> = Vec::new();
    for (key, is_webhook) in [("alertmanagers", false), ("webhooks", true)] {
        for section in alerts.sections(key, notes) {
            let path = section.path("name");
            let Some(receiver) = receiver(section, is_webhook, context, notes, warnings) else { continue };
            if receiver.name == LOG || receivers.iter().any(|other| other.name == receiver.name) {
                let problem = format!("the receiver name {} is used twice", shown(&receiver.name));
                notes.fault(&path, Problem::new(problem, "each receiver once; `log` is the log"));
            }
            receivers.push(Arc::new(receiver));
        }
    }
    receivers
}

fn receiver(
    mut section: Section<'_>,
    is_webhook: bool,
    context: &Context<'_>,
    notes: &mut Notes<'_>,
    warnings: &mut Vec<Fault>,
) -> Option<Receiver> {
    let file = |value: &Value| file_path(value, context);
    let name = section.read("name", notes, value::name);
    let url = section.read("url", notes, address);
    let url_file = section.read("url_file", notes, file);
    let authorization = authorization(&mut section, context, notes);
    let ca_file = section.read("ca_file", notes, file);
    let identity = identity(&mut section, context, notes);
    let bounds = Duration::from_millis(100)..=Duration::from_mins(1);
    let timeout = section.read("timeout", notes, |value| value::duration(value, bounds)).unwrap_or(TIMEOUT);
    let kind = if is_webhook {
        ReceiverKind::Webhook(webhook(&mut section, context, notes))
    } else {
        ReceiverKind::Alertmanager
    };
    if section.has("url") == section.has("url_file") {
        let problem = if section.has("url") { "two places for one receiver: url, url_file" } else { "missing" };
        notes.fault(&section.path("url"), Problem::new(problem, "one of url, url_file"));
    }
    if name.is_none() && !section.has("name") && (is_webhook || !section.has("url")) {
        notes.fault(&section.path("name"), Problem::new("missing", "a name for it, which becomes a label"));
    }
    if let Some(url) = url.as_ref().filter(|url| url.scheme() == "http" && !value::is_loopback(url))
        && (authorization != Authorization::None)
    {
        let problem = format!("http sends what is in the secret files to `{}` in clear text", host(url));
        let (file, path) = (notes.file.to_owned(), section.path("url"));
        warnings.push(Fault { file, path, problem, allowed: "an https URL".to_owned() });
    }
    section.finish(notes);
    // The host of an Alertmanager is name enough.
    let name = name.or_else(|| url.as_ref().map(host))?;
    let address = match (url, url_file) {
        (Some(url), _) => Address::Url(url.as_str().trim_end_matches('/').to_owned()),
        (None, file) => Address::File(file?),
    };
    Some(Receiver { name, kind, address, authorization, ca_file, identity, timeout })
}

fn authorization(section: &mut Section<'_>, context: &Context<'_>, notes: &mut Notes<'_>) -> Authorization {
    let file = |value: &Value| file_path(value, context);
    let username = section.read("username", notes, value::name);
    let password_file = section.read("password_file", notes, file);
    let bearer_file = section.read("bearer_token_file", notes, file);
    if section.has("username") != section.has("password_file") {
        let missing = if section.has("username") { "password_file" } else { "username" };
        notes.fault(&section.path(missing), Problem::new("missing", "username and password_file together"));
    }
    if section.has("bearer_token_file") && section.has("username") {
        let problem = Problem::new("two ways to say who we are", "username with password_file, or bearer_token_file");
        notes.fault(&section.path("bearer_token_file"), problem);
    }
    match (username, password_file, bearer_file) {
        (_, _, Some(file)) => Authorization::Bearer(file),
        (Some(username), Some(password_file), None) => Authorization::Basic { username, password_file },
        _ => Authorization::None,
    }
}

fn identity(section: &mut Section<'_>, context: &Context<'_>, notes: &mut Notes<'_>) -> Option<Identity> {
    let file = |value: &Value| file_path(value, context);
    let certificate_file = section.read("certificate_file", notes, file);
    let key_file = section.read("key_file", notes, file);
    if section.has("certificate_file") != section.has("key_file") {
        let missing = if section.has("key_file") { "certificate_file" } else { "key_file" };
        notes.fault(&section.path(missing), Problem::new("missing", "certificate_file and key_file together"));
    }
    Some(Identity { certificate_file: certificate_file?, key_file: key_file? })
}

fn webhook(section: &mut Section<'_>, context: &Context<'_>, notes: &mut Notes<'_>) -> Webhook {
    let formats = [("json", Format::Json), ("slack", Format::Slack)];
    let format = section.read("format", notes, |value| value::word(value, &formats)).unwrap_or(Format::Json);
    let methods = [("POST", false), ("PUT", true)];
    let put = section.read("method", notes, |value| value::word(value, &methods)).unwrap_or(false);
    let secret_file = section.read("secret_file", notes, |value| file_path(value, context));
    let headers = section.entries("headers", notes, header);
    Webhook { format, put, headers, secret_file }
}

fn header(name: &str, value: &Value) -> Result<(String, String), Problem> {
    const OURS: [&str; 4] = ["authorization", "content-length", "content-type", "host"];
    let allowed = "a header's name and text; what is secret goes into bearer_token_file, password_file or secret_file";
    let text = value::text(value, allowed)?;
    if OURS.contains(&name.to_ascii_lowercase().as_str()) {
        return Err(Problem::new(format!("{} is not for the configuration to set", shown(name)), allowed));
    }
    let is_name =
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
    let is_text = text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
    if resembles_token(text) || !is_name || !is_text {
        return Err(Problem::new(format!("{} is not a usable header", shown(name)), allowed));
    }
    Ok((name.to_owned(), text.to_owned()))
}

fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port_or_known_default().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn address(value: &Value) -> Result<Url, Problem> {
    let allowed = "an http or https URL without user, query or fragment; one that is a secret goes into url_file";
    let url = value::url(value, allowed)?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Problem::new(format!("the scheme {} is not supported", shown(url.scheme())), allowed));
    }
    if resembles_token(url.path()) {
        return Err(Problem::new("not shown: it looks as if it held a secret", allowed));
    }
    Ok(url)
}
