//! One e-mail to one SMTP server: the connection, its encryption, the login, the recipients and the data. The only file of
//! this room that speaks SMTP.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{
    AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::ClientId;
use url::Url;

use crate::config::{Email, Encryption};
use crate::syncro::Reason;

use super::answer::{DeliveryFailure, Suspect, Trouble, complaint};
use super::secret::Secret;

/// How long the polite end of a connection may take; the e-mail is taken already.
const LONGEST_QUIT: Duration = Duration::from_secs(2);

/// The server and what is needed to use it.
pub(super) struct Server<'a> {
    /// Its address, with a port.
    pub(super) url: &'a Url,
    /// The sender, the recipients and the encryption.
    pub(super) email: &'a Email,
    /// The user name and the password, if it asks for them.
    pub(super) login: Option<(&'a str, &'a Secret)>,
    /// The root certificates that are trusted instead of the system's, in PEM.
    pub(super) authorities: Option<&'a [u8]>,
    /// How long each step may take.
    pub(super) timeout: Duration,
}

/// What became of an e-mail of which at least one recipient has taken it: why the others have not.
#[derive(Debug, Default)]
pub(super) struct Sent {
    /// The recipients that the server refuses for good, with its answers.
    pub(super) refused: Vec<(Address, String)>,
    /// The recipients that may take it later, with the answers of the server.
    pub(super) deferred: Vec<(Address, String)>,
}

impl Server<'_> {
    /// Sends one e-mail to these recipients.
    ///
    /// # Errors
    /// Why no recipient has taken it.
    pub(super) async fn send(&self, to: &[Address], message: &str) -> Result<Sent, Trouble> {
        let mut connection = self.connect().await?;
        if let Some((username, password)) = self.login {
            let credentials = Credentials::new(username.to_owned(), password.expose().to_owned());
            let login = connection.auth(&[Mechanism::Plain, Mechanism::Login], &credentials).await;
            login.map_err(|error| at("the login", &error, Suspect::Receiver))?;
        }
        let sent = self.hand_over(&mut connection, to, message).await;
        // It is taken or not, however the connection ends.
        tokio::time::timeout(LONGEST_QUIT, connection.abort()).await.ok();
        sent
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Trouble> {
        let host = self.url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let port = self.url.port().unwrap_or_default();
        let unknown = |error: io::Error| unavailable(Reason::Dns, error.to_string());
        let addresses: Vec<_> = tokio::net::lookup_host((host.as_str(), port)).await.map_err(unknown)?.collect();
        let hello = ClientId::Domain(self.email.from.email.domain().to_owned());
        let from_the_start = match self.email.encryption {
            Encryption::FromTheStart => Some(self.tls(host.clone())?),
            Encryption::Required | Encryption::IfOffered => None,
        };
        let timeout = Some(self.timeout);
        let connection =
            AsyncSmtpConnection::connect_tokio1(addresses.as_slice(), timeout, &hello, from_the_start, None).await;
        let mut connection = connection.map_err(|error| at("the greeting", &error, Suspect::Receiver))?;
        if connection.can_starttls() {
            let upgraded = connection.starttls(self.tls(host)?, &hello).await;
            upgraded.map_err(|error| at("STARTTLS", &error, Suspect::Receiver))?;
        } else if self.email.encryption == Encryption::Required {
            let detail = "it offers no STARTTLS, and nothing is sent to another machine without encryption";
            connection.abort().await;
            return Err(unavailable(Reason::Tls, detail));
        }
        Ok(connection)
    }

    fn tls(&self, host: String) -> Result<TlsParameters, Trouble> {
        let unusable = |error: Error| Trouble::secret(format!("ca_file cannot be used: {}", innermost(&error)));
        let mut builder = TlsParametersBuilder::new(host);
        match self.authorities {
            Some(pem) => {
                builder = builder.certificate_store(CertificateStore::None);
                builder = builder.add_root_certificate(Certificate::from_pem(pem).map_err(unusable)?);
            }
            // Without encryption it would be taken too, and what is sent does not leave this machine.
            None if self.email.encryption == Encryption::IfOffered => {
                builder = builder.dangerous_accept_invalid_certs(true).dangerous_accept_invalid_hostnames(true);
            }
            None => {}
        }
        builder.build_rustls().map_err(unusable)
    }

    async fn hand_over(
        &self,
        connection: &mut AsyncSmtpConnection,
        to: &[Address],
        message: &str,
    ) -> Result<Sent, Trouble> {
        let from = Mail::new(Some(self.email.from.email.clone()), Vec::new());
        connection.command(from).await.map_err(|error| at("the sender", &error, Suspect::Receiver))?;
        let mut sent = Sent::default();
        for recipient in to {
            let Err(error) = connection.command(Rcpt::new(recipient.clone(), Vec::new())).await else { continue };
            let answer = answer(&error);
            if error.is_permanent() {
                sent.refused.push((recipient.clone(), answer));
            } else if error.is_transient() {
                sent.deferred.push((recipient.clone(), answer));
            } else {
                return Err(at("a recipient", &error, Suspect::Either));
            }
        }
        if sent.refused.len() + sent.deferred.len() == to.len() {
            return Err(nobody(&sent));
        }
        let of_body = |error: Error| {
            let suspect = if error.is_permanent() { Suspect::Body } else { Suspect::Either };
            at("the data", &error, suspect)
        };
        connection.command(Data).await.map_err(of_body)?;
        connection.message(message.as_bytes()).await.map_err(of_body)?;
        Ok(sent)
    }
}

/// The trouble where no recipient is taken: it is worth another try if one of them may be taken later.
fn nobody(sent: &Sent) -> Trouble {
    match (sent.deferred.first(), sent.refused.first()) {
        (Some((recipient, answer)), _) => {
            Trouble::new(DeliveryFailure::Deferred, format!("it does not take `{recipient}` yet: {answer}"))
        }
        (None, Some((recipient, answer))) => {
            let detail = format!("it does not take `{recipient}`: {answer}");
            Trouble { suspect: Suspect::Body, ..Trouble::new(DeliveryFailure::Rejected, detail) }
        }
        (None, None) => Trouble::new(DeliveryFailure::Rejected, "there is no recipient"),
    }
}

/// What an error at a step means.
fn at(step: &str, error: &Error, suspect: Suspect) -> Trouble {
    if error.status().is_some() {
        let why = if error.is_permanent() { DeliveryFailure::Rejected } else { DeliveryFailure::Deferred };
        let detail = format!("it answered {step} with {}", answer(error));
        return Trouble { suspect, ..Trouble::new(why, detail) };
    }
    let reason = match () {
        () if error.is_timeout() => Reason::Timeout,
        () if is_tls(error) => Reason::Tls,
        () if error.is_response() => return Trouble::new(DeliveryFailure::NotReceiver, innermost(error)),
        () if error.is_client() => {
            return Trouble { suspect, ..Trouble::new(DeliveryFailure::Rejected, innermost(error)) };
        }
        () => Reason::Connect,
    };
    unavailable(reason, innermost(error))
}

fn unavailable(reason: Reason, detail: impl Into<String>) -> Trouble {
    Trouble::new(DeliveryFailure::Unavailable(reason), detail)
}

/// The answer of the server as one short line, such as `451 4.7.1 try again later`.
fn answer(error: &Error) -> String {
    let code = error.status().map(|code| code.to_string()).unwrap_or_default();
    complaint(format!("{code} {}", innermost(error)).as_bytes())
}

/// The text of the innermost cause.
fn innermost(error: &Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Whether encryption failed. An error of the operating system hides its cause from those who ask for its source.
fn is_tls(error: &Error) -> bool {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    let hidden = |cause: &(dyn std::error::Error + 'static)| {
        let inner = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        inner.is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
    };
    error.is_tls()
        || causes
            .into_iter()
            .any(|cause: &(dyn std::error::Error + 'static)| cause.is::<rustls::Error>() || hidden(cause))
}
