//! Reads the lists of receivers. Pure.

use std::sync::Arc;
use std::time::Duration;

use toml::Value;
use url::Url;

use crate::config::context::Context;
use crate::config::fault::{Fault, Problem, resembles_token, shown};
use crate::config::fleet::file_path;
use crate::config::raw::{Notes, Section};
use crate::config::value;

use super::only::{Named, only};
use super::webhook::webhook;
use super::{Address, Authorization, Format, Identity, LOG, Receiver, ReceiverKind, Webhook};

/// The default time-out of a request: long enough for a slow service, and short enough not to delay the notifications
/// that wait behind it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where PagerDuty takes events (its page "Send an alert event").
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

/// Reads both lists of receivers, with the names in their filters; adds what is allowed but probably not meant to
/// `warnings`.
pub(in crate::config) fn receivers(
    alerts: &mut Section<'_>,
    context: &Context<'_>,
    notes: &mut Notes<'_>,
    warnings: &mut Vec<Fault>,
) -> (Vec<Arc<Receiver>>, Named) {
    let (mut receivers, mut named) = (Vec::<Arc<Receiver>>::new(), Named::default());
    for (key, is_webhook) in [("alertmanagers", false), ("webhooks", true)] {
        for section in alerts.sections(key, notes) {
            let path = section.path("name");
            let Some(receiver) = receiver(section, is_webhook, context, notes, (&mut named, warnings)) else {
                continue;
            };
            if receiver.name == LOG || receivers.iter().any(|other| other.name == receiver.name) {
                let problem = format!("the receiver name {} is used twice", shown(&receiver.name));
                notes.fault(&path, Problem::new(problem, "each receiver once; `log` is the log"));
            }
            receivers.push(Arc::new(receiver));
        }
    }
    (receivers, named)
}

fn receiver(
    mut section: Section<'_>,
    is_webhook: bool,
    context: &Context<'_>,
    notes: &mut Notes<'_>,
    (named, warnings): (&mut Named, &mut Vec<Fault>),
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
    let only = only(&mut section, named, notes);
    let is_pagerduty = matches!(&kind, ReceiverKind::Webhook(Webhook { format: Format::PagerDuty(_), .. }));
    let url = url.or_else(|| Url::parse(PAGERDUTY).ok().filter(|_| is_pagerduty && !section.has("url_file")));
    if section.has("url") == section.has("url_file") && (section.has("url") || !is_pagerduty) {
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
    Some(Receiver { name, kind, address, authorization, ca_file, identity, timeout, only })
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
