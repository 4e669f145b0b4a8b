//! The receivers that are notified besides the log: `[[alerts.alertmanagers]]`, `[[alerts.webhooks]]` and
//! `[[alerts.emails]]`. Pure; no secret is here, only the paths of the files in which the secrets are.

mod canary;
mod digest;
mod email;
mod heartbeat;
mod only;
mod read;
mod template;
mod webhook;

use std::path::{Path, PathBuf};
use std::time::Duration;

use lettre::message::Mailbox;

pub use canary::Canary;
pub use digest::DigestSchedule;
pub use heartbeat::Heartbeat;
#[cfg(test)]
pub(crate) use only::ALERTS;
pub(crate) use only::{Concern, Only};
pub(super) use only::{Named, unknown_names};
pub(super) use read::{Read, receivers};
pub(crate) use template::Template;
#[cfg(test)]
pub(crate) use template::{DIGEST_EXAMPLE, EXAMPLES};

/// The name of the log, which is a receiver too and always there.
pub(crate) const LOG: &str = "log";

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
    /// The alerts that it is notified of.
    pub(crate) only: Only,
    /// How long notifications gather that go into one message; it matters to people only.
    pub group_wait: Duration,
    /// When it is sent a summary of everything, if it is.
    pub digest: Option<DigestSchedule>,
}

impl Receiver {
    /// The paths of the files with secrets that it needs.
    pub(crate) fn secret_files(&self) -> impl Iterator<Item = &Path> {
        let address = if let Address::File(path) = &self.address { Some(path) } else { None };
        let authorization = match &self.authorization {
            Authorization::None => None,
            Authorization::Basic { password_file: path, .. } | Authorization::Bearer(path) => Some(path),
        };
        let (signature, routing_key) = match &self.kind {
            ReceiverKind::Alertmanager | ReceiverKind::Email(_) => (None, None),
            ReceiverKind::Webhook(Webhook { format: Format::PagerDuty(file), secret_file, .. }) => {
                (secret_file.as_ref(), Some(file))
            }
            ReceiverKind::Webhook(webhook) => (webhook.secret_file.as_ref(), None),
        };
        let key = self.identity.as_ref().map(|identity| &identity.key_file);
        [address, authorization, signature, routing_key, key].into_iter().flatten().map(PathBuf::as_path)
    }
}

/// The protocol that a receiver understands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReceiverKind {
    /// One Alertmanager, by its API v2.
    Alertmanager,
    /// A webhook, which gets one request for each notification.
    Webhook(Webhook),
    /// People with an e-mail address.
    Email(Email),
}

/// Who is behind a receiver, which decides of what kinds of changes it is notified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Programs, which are notified of everything.
    Programs,
    /// People who read messages.
    People,
    /// Somebody whom an incident may wake up.
    Pager,
}

impl ReceiverKind {
    /// Who is behind it.
    pub fn audience(&self) -> Audience {
        match self {
            Self::Email(_) | Self::Webhook(Webhook { format: Format::Slack | Format::Teams, .. }) => Audience::People,
            Self::Webhook(Webhook { format: Format::PagerDuty(_), .. }) => Audience::Pager,
            Self::Alertmanager | Self::Webhook(_) => Audience::Programs,
        }
    }

    /// The name of the kind, as tables show it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Alertmanager => "alertmanager",
            Self::Email(_) => "email",
            Self::Webhook(Webhook { format: Format::Json, .. }) => "webhook",
            Self::Webhook(Webhook { format: Format::Slack, .. }) => "slack",
            Self::Webhook(Webhook { format: Format::Teams, .. }) => "teams",
            Self::Webhook(Webhook { format: Format::PagerDuty(_), .. }) => "pagerduty",
            Self::Webhook(Webhook { format: Format::Template(_), .. }) => "template",
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

/// How e-mails are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// The sender.
    pub from: Mailbox,
    /// The recipients.
    pub to: Vec<Mailbox>,
    /// When the connection to the server is encrypted.
    pub encryption: Encryption,
}

/// When a connection to an SMTP server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// Before anything is said.
    FromTheStart,
    /// By STARTTLS; without it nothing is sent.
    Required,
    /// By STARTTLS if the server offers it. It is on this machine, so its certificate need not be anybody's.
    IfOffered,
}

/// The format of the body of a webhook's request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Format {
    /// The program's own JSON, as `docs/notifications.md` describes it.
    Json,
    /// The JSON that Slack and services like it take.
    Slack,
    /// The message with an Adaptive Card that a workflow of Microsoft Teams takes.
    Teams,
    /// An event of PagerDuty's Events API v2; this is the path of the file that has the routing key.
    PagerDuty(PathBuf),
    /// What a template of the operator makes of a notification.
    Template(Template),
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
