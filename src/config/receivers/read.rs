//! Reads the lists of receivers. Pure.

use std::sync::Arc;
use std::time::Duration;

use toml::Value;
use url::Url;

use crate::config::context::Context;
use crate::config::fault::{Fault, Problem, resembles_token, shown};
use crate::config::raw::{Notes, Section};
use crate::config::source::file_path;
use crate::config::value;
use crate::model::Zone;

use super::canary::{Canary, canary};
use super::digest::digest;
use super::email::email;
use super::heartbeat::{Heartbeat, heartbeat};
use super::only::{Named, only};
use super::webhook::webhook;
use super::{Address, Audience, Authorization, Format, Identity, LOG, Receiver, ReceiverKind, Webhook};

/// The default time-out of a request: long enough for a slow service, and short enough not to delay the notifications
/// that wait behind it.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The default time-out of an e-mail: a server may search it for viruses before it answers.
const EMAIL_TIMEOUT: Duration = Duration::from_secs(30);

/// How long what is for people gathers, unless the configuration says otherwise: what one incident breaks is found within
/// seconds.
const GROUP_WAIT: Duration = Duration::from_secs(30);
/// The longest that it may gather: nobody should learn of an alert later.
const LONGEST_GROUP_WAIT: Duration = Duration::from_mins(15);

/// Where PagerDuty takes events (its page "Send an alert event").
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

/// Everything of `[alerts]` that is about whom to notify.
#[derive(Debug)]
pub(in crate::config) struct Read {
    pub(in crate::config) receivers: Vec<Arc<Receiver>>,
    /// The names in their filters.
    pub(in crate::config) named: Named,
    pub(in crate::config) heartbeat: Option<Heartbeat>,
    pub(in crate::config) canary: Option<Canary>,
}

/// Reads the lists of receivers and what watches over them; adds what is allowed but probably not meant to `warnings`.
pub(in crate::config) fn receivers(
    alerts: &mut Section<'_>,
    (context, zone): (&Context<'_>, &Zone),
    notes: &mut Notes<'_>,
    warnings: &mut Vec<Fault>,
) -> Read {
    let (mut receivers, mut named) = (Vec::<Arc<Receiver>>::new(), Named::default());
    for (key, list) in [("alertmanagers", List::Alertmanagers), ("webhooks", List::Webhooks), ("emails", List::Emails)]
    {
        for section in alerts.sections(key, notes) {
            let path = section.path("name");
            let receiver = receiver(section, list, (context, zone), notes, (&mut named, warnings));
            let Some(receiver) = receiver else { continue };
            if receiver.name == LOG || receivers.iter().any(|other| other.name == receiver.name) {
                let problem = format!("the receiver name {} is used twice", shown(&receiver.name));
                notes.fault(&path, Problem::new(problem, "each receiver once; `log` is the log"));
            }
            receivers.push(Arc::new(receiver));
        }
    }
    let heartbeat = heartbeat(alerts, context, notes);
    let canary = canary(alerts, &receivers, notes);
    Read { receivers, named, heartbeat, canary }
}

/// The lists of receivers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum List {
    Alertmanagers,
    Webhooks,
    Emails,
}

fn receiver(
    mut section: Section<'_>,
    list: List,
    (context, zone): (&Context<'_>, &Zone),
    notes: &mut Notes<'_>,
    (named, warnings): (&mut Named, &mut Vec<Fault>),
) -> Option<Receiver> {
    let file = |value: &Value| file_path(value, context);
    let name = section.read("name", notes, value::name);
    let ca_file = section.read("ca_file", notes, file);
    let longest = Duration::from_mins(if list == List::Emails { 5 } else { 1 });
    let bounds = Duration::from_millis(100)..=longest;
    let timeout = section.read("timeout", notes, |value| value::duration(value, bounds));
    let only = only(&mut section, named, notes);
    let (kind, address, host, access) = if list == List::Emails {
        let access = Access { authorization: basic(&mut section, context, notes), identity: None };
        let email = email(&mut section, notes);
        let host = email.as_ref().map(|(url, _)| host(url));
        let address = email.as_ref().map(|(url, _)| Address::Url(url.to_string()));
        (email.map(|(_, email)| ReceiverKind::Email(email)), address, host, access)
    } else {
        let access = access(&mut section, context, notes);
        let kind = match list {
            List::Webhooks => ReceiverKind::Webhook(webhook(&mut section, context, notes)),
            List::Alertmanagers | List::Emails => ReceiverKind::Alertmanager,
        };
        let is_pagerduty = matches!(&kind, ReceiverKind::Webhook(Webhook { format: Format::PagerDuty(_), .. }));
        let (url, address) = web_address(&mut section, is_pagerduty, context, notes);
        warnings.extend(url.as_ref().and_then(|url| in_clear_text(url, &access, &section, notes.file)));
        (Some(kind), address, url.as_ref().map(host), access)
    };
    let names_itself = list == List::Alertmanagers && section.has("url");
    if name.is_none() && !section.has("name") && !names_itself {
        notes.fault(&section.path("name"), Problem::new("missing", "a name for it, which becomes a label"));
    }
    let group_wait = group_wait(&mut section, list, kind.as_ref(), notes);
    let digest = if list == List::Alertmanagers { None } else { digest(&mut section, kind.as_ref(), zone, notes) };
    section.finish(notes);
    // The host of an Alertmanager is name enough.
    let name = name.or(host)?;
    let (Access { authorization, identity }, kind, address) = (access, kind?, address?);
    let default = if list == List::Emails { EMAIL_TIMEOUT } else { TIMEOUT };
    let timeout = timeout.unwrap_or(default);
    Some(Receiver { name, kind, address, authorization, ca_file, identity, timeout, only, group_wait, digest })
}

/// Reads how long notifications gather. What programs and pagers are sent is about one alert each.
fn group_wait(section: &mut Section<'_>, list: List, kind: Option<&ReceiverKind>, notes: &mut Notes<'_>) -> Duration {
    if list == List::Alertmanagers {
        return Duration::ZERO;
    }
    let bounds = Duration::ZERO..=LONGEST_GROUP_WAIT;
    let wait = section.read("group_wait", notes, |value| value::duration(value, bounds));
    let is_for_people = kind.is_none_or(|kind| kind.audience() == Audience::People);
    if section.has("group_wait") && !is_for_people {
        let problem = Problem::new("not for this format", "format = \"slack\" or \"teams\" with group_wait");
        notes.fault(&section.path("group_wait"), problem);
    }
    wait.unwrap_or(if is_for_people { GROUP_WAIT } else { Duration::ZERO })
}

/// How the daemon shows who it is.
struct Access {
    authorization: Authorization,
    identity: Option<Identity>,
}

fn access(section: &mut Section<'_>, context: &Context<'_>, notes: &mut Notes<'_>) -> Access {
    let authorization = authorization(section, context, notes);
    Access { authorization, identity: identity(section, context, notes) }
}

/// Reads the address of a receiver on the web: the URL if it may be shown, and the URL or its file.
fn web_address(
    section: &mut Section<'_>,
    is_pagerduty: bool,
    context: &Context<'_>,
    notes: &mut Notes<'_>,
) -> (Option<Url>, Option<Address>) {
    let url = section.read("url", notes, address);
    let file = section.read("url_file", notes, |value| file_path(value, context));
    let url = url.or_else(|| Url::parse(PAGERDUTY).ok().filter(|_| is_pagerduty && !section.has("url_file")));
    if section.has("url") == section.has("url_file") && (section.has("url") || !is_pagerduty) {
        let problem = if section.has("url") { "two places for one receiver: url, url_file" } else { "missing" };
        notes.fault(&section.path("url"), Problem::new(problem, "one of url, url_file"));
    }
    let address = match &url {
        Some(url) => Some(Address::Url(url.as_str().trim_end_matches('/').to_owned())),
        None => file.map(Address::File),
    };
    (url, address)
}

/// The warning about secrets that are sent without encryption.
fn in_clear_text(url: &Url, access: &Access, section: &Section<'_>, file: &str) -> Option<Fault> {
    let is_sent = url.scheme() == "http" && !value::is_loopback(url) && access.authorization != Authorization::None;
    is_sent.then(|| {
        let problem = format!("http sends what is in the secret files to `{}` in clear text", host(url));
        Fault { file: file.to_owned(), path: section.path("url"), problem, allowed: "an https URL".to_owned() }
    })
}

fn authorization(section: &mut Section<'_>, context: &Context<'_>, notes: &mut Notes<'_>) -> Authorization {
    let basic = basic(section, context, notes);
    let bearer_file = section.read("bearer_token_file", notes, |value| file_path(value, context));
    if section.has("bearer_token_file") && section.has("username") {
        let problem = Problem::new("two ways to say who we are", "username with password_file, or bearer_token_file");
        notes.fault(&section.path("bearer_token_file"), problem);
    }
    bearer_file.map_or(basic, Authorization::Bearer)
}

fn basic(section: &mut Section<'_>, context: &Context<'_>, notes: &mut Notes<'_>) -> Authorization {
    let username = section.read("username", notes, value::name);
    let password_file = section.read("password_file", notes, |value| file_path(value, context));
    if section.has("username") != section.has("password_file") {
        let missing = if section.has("username") { "password_file" } else { "username" };
        notes.fault(&section.path(missing), Problem::new("missing", "username and password_file together"));
    }
    match (username, password_file) {
        (Some(username), Some(password_file)) => Authorization::Basic { username, password_file },
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
