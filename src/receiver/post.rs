//! One request to a receiver: its address, who we are, its answer. The only file of this room that speaks HTTP.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Certificate, Identity, Method};
use sha2::Sha256;
use url::Url;

use crate::config::{Address, Authorization, Receiver};
use crate::syncro::{Failure, Reason};
use crate::system::http;

use super::secret::{Secret, bytes};

/// So much of an answer is read: enough to see what it is and what it complains of.
const LONGEST_ANSWER: usize = 8 * 1024;
/// So much of a complaint is told.
const LONGEST_COMPLAINT: usize = 160;
/// The header with the signature of a body: `sha256=` and HMAC-SHA-256 in hexadecimal digits.
const SIGNATURE: &str = "X-Signature-256";

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    /// Below the receiver's address.
    pub path: &'static str,
    /// Whether PUT rather than POST.
    pub put: bool,
    /// Headers besides those of every request.
    pub headers: Vec<(String, String)>,
    /// JSON.
    pub body: String,
    /// The file with the secret that signs the body.
    pub signed_by: Option<std::path::PathBuf>,
}

/// Why a receiver was not told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// The word.
    pub why: Why,
    /// The sentence: a fragment that reads after "was not told: ".
    pub detail: String,
    /// How long the receiver wishes to be left alone.
    pub wish: Option<Duration>,
}

/// Why a receiver was not told, as a word for labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// There was no answer, or one of a server in trouble.
    NoAnswer(Reason),
    /// It says that what we sent, or who we are, is wrong.
    Refused,
    /// Something answered that is no receiver.
    NotReceiver,
    /// A file with a secret or a certificate cannot be used.
    Secret,
}

impl Why {
    /// Every reason that can occur, so that each has its series.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let unheard = [Reason::NotSyncro, Reason::TooLarge];
        let reasons = Reason::ALL.into_iter().filter(move |reason| !unheard.contains(reason));
        reasons.map(Self::NoAnswer).chain([Self::Refused, Self::NotReceiver, Self::Secret])
    }

    /// The label value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoAnswer(reason) => reason.as_str(),
            Self::Refused => "http_4xx",
            Self::NotReceiver => "not_receiver",
            Self::Secret => "secret",
        }
    }
}

impl Trouble {
    fn new(why: Why, detail: impl Into<String>) -> Self {
        Self { why, detail: detail.into(), wish: None }
    }

    fn secret(detail: String) -> Self {
        Self::new(Why::Secret, detail)
    }
}

/// Sends requests to receivers.
pub trait Post: Send + Sync + 'static {
    /// Sends one request; `Ok` if the receiver has taken it.
    ///
    /// # Errors
    /// Why it has not.
    fn post(
        &mut self,
        receiver: &Arc<Receiver>,
        outgoing: Outgoing,
        timeout: Duration,
    ) -> impl Future<Output = Result<(), Trouble>> + Send;
}

/// The real one. Its client is made anew when the receiver is configured otherwise, and after each failure: a certificate
/// may have been renewed.
#[derive(Debug, Default)]
pub struct Http {
    client: Option<(Arc<Receiver>, reqwest::Client)>,
}

impl Clone for Http {
    /// Each worker has a client of its own.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Post for Http {
    async fn post(&mut self, receiver: &Arc<Receiver>, outgoing: Outgoing, timeout: Duration) -> Result<(), Trouble> {
        let client = match self.client.take().filter(|(known, _)| known == receiver) {
            Some((_, client)) => client,
            None => client(receiver).await?,
        };
        send(&client, receiver, outgoing, timeout).await?;
        self.client = Some((Arc::clone(receiver), client));
        Ok(())
    }
}

async fn client(receiver: &Receiver) -> Result<reqwest::Client, Trouble> {
    let mut builder = http::client(receiver.timeout).map_err(Trouble::secret)?;
    let unusable = |path: &std::path::Path| {
        let path = path.display().to_string();
        move |error: reqwest::Error| Trouble::secret(format!("`{path}` cannot be used: {}", http::innermost(&error)))
    };
    if let Some(path) = &receiver.ca_file {
        let pem = bytes(path).await.map_err(Trouble::secret)?;
        builder = builder.tls_certs_only(Certificate::from_pem_bundle(&pem).map_err(unusable(path))?);
    }
    if let Some(identity) = &receiver.identity {
        let mut pem = bytes(&identity.certificate_file).await.map_err(Trouble::secret)?;
        let key = bytes(&identity.key_file).await.map_err(Trouble::secret)?;
        pem.push(b'\n');
        pem.extend_from_slice(&key);
        builder = builder.identity(Identity::from_pem(&pem).map_err(unusable(&identity.certificate_file))?);
    }
    builder
        .build()
        .map_err(|error| Trouble::secret(format!("failed to make an HTTP client: {}", http::innermost(&error))))
}

async fn send(
    client: &reqwest::Client,
    receiver: &Receiver,
    outgoing: Outgoing,
    timeout: Duration,
) -> Result<(), Trouble> {
    let base = match &receiver.address {
        Address::Url(url) => url.clone(),
        Address::File(path) => {
            let url = Secret::read(path).await.map_err(Trouble::secret)?;
            let parsed = Url::parse(url.expose()).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            parsed.ok_or_else(|| Trouble::secret(format!("`{}` holds no web URL", path.display())))?.to_string()
        }
    };
    let method = if outgoing.put { Method::PUT } else { Method::POST };
    let mut builder = client
        .request(method, format!("{base}{}", outgoing.path))
        .timeout(timeout)
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    match &receiver.authorization {
        Authorization::None => {}
        Authorization::Basic { username, password_file } => {
            let password = Secret::read(password_file).await.map_err(Trouble::secret)?;
            builder = builder.basic_auth(username, Some(password.expose()));
        }
        Authorization::Bearer(path) => {
            let token = Secret::read(path).await.map_err(Trouble::secret)?;
            let unusable = |_| Trouble::secret(format!("`{}` holds what no header can", path.display()));
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(unusable)?;
            value.set_sensitive(true);
            builder = builder.header(AUTHORIZATION, value);
        }
    }
    if let Some(path) = &outgoing.signed_by {
        let secret = Secret::read(path).await.map_err(Trouble::secret)?;
        builder = builder.header(SIGNATURE, signature(secret.expose().as_bytes(), outgoing.body.as_bytes()));
    }
    for (name, value) in &outgoing.headers {
        builder = builder.header(name, value);
    }
    let response = builder.body(outgoing.body).send().await.map_err(trouble)?;
    read(response).await
}

/// `sha256=` and the HMAC-SHA-256 of a body in hexadecimal digits, as GitHub signs its webhooks.
fn signature(secret: &[u8], body: &[u8]) -> String {
    use std::fmt::Write;
    let mut text = "sha256=".to_owned();
    // A key may have any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret) else { return text };
    mac.update(body);
    for byte in mac.finalize().into_bytes() {
        write!(text, "{byte:02x}").ok();
    }
    text
}

fn trouble(error: reqwest::Error) -> Trouble {
    let Failure { reason, detail } = error.into();
    Trouble::new(Why::NoAnswer(reason), detail)
}

async fn read(mut response: reqwest::Response) -> Result<(), Trouble> {
    let status = response.status();
    let wish = http::retry_after(response.headers(), crate::system::clock::now());
    let mut body = Vec::new();
    while body.len() < LONGEST_ANSWER
        && let Some(chunk) = response.chunk().await.map_err(trouble)?
    {
        body.extend_from_slice(&chunk);
    }
    body.truncate(LONGEST_ANSWER);
    let page = body.trim_ascii_start().starts_with(b"<");
    let complaint = if page { "a web page".to_owned() } else { complaint(&body) };
    let answered = |why| {
        let detail = if complaint.is_empty() {
            format!("it answered {}", status.as_u16())
        } else {
            format!("it answered {}: {complaint}", status.as_u16())
        };
        Err(Trouble { why, detail, wish })
    };
    match status.as_u16() {
        200..300 if page => answered(Why::NotReceiver),
        200..300 => Ok(()),
        429 => answered(Why::NoAnswer(Reason::Throttled)),
        500.. => answered(Why::NoAnswer(Reason::Http5xx)),
        400..500 => answered(Why::Refused),
        _ => answered(Why::NotReceiver),
    }
}

/// What a receiver complains of, on one short line.
fn complaint(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let visible = |character: &char| !character.is_control() || character.is_whitespace();
    let text = text.chars().filter(visible).collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = text.chars().take(LONGEST_COMPLAINT).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_signed_as_github_signs_its_webhooks() {
        // GitHub's own example: docs.github.com, "Validating webhook deliveries".
        let signed = signature(b"It's a Secret to Everybody", b"Hello, World!");
        assert_eq!(signed, "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
    }

    #[test]
    fn a_complaint_is_one_short_line() {
        assert_eq!(complaint(b"  bad\n\tlabel \x07 "), "bad label");
        assert_eq!(complaint(&[b'a'; 500]).chars().count(), LONGEST_COMPLAINT + 1);
    }
}
