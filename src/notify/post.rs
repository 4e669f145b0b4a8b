//! One request to a receiver: its address, our credentials, its answer. The only file of this room that uses HTTP; what is
//! an e-mail goes to `smtp`.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use reqwest::{Certificate, Identity, Method};
use sha2::Sha256;
use url::Url;

use crate::config::{Address, Authorization, Email, Receiver, ReceiverKind};
use crate::syncro::{Failure, Reason};
use crate::system::{clock, http};

use super::answer::{self, DeliveryFailure, Suspect, Taken, Trouble};
use super::mail::PartlySent;
use super::outgoing::{Outgoing, Verb};
use super::secret::{Secret, bytes};
use super::smtp::Server;

/// How long the body of an answer is waited for: the status has said already what became of the notification.
const LONGEST_BODY: Duration = Duration::from_secs(2);
/// How much longer than its request an attempt may take: files with secrets and certificates are read before it.
const LONGEST_FILES: Duration = Duration::from_secs(5);
/// The header with the signature of a body: `sha256=` and HMAC-SHA-256 in hexadecimal digits.
const SIGNATURE: &str = "X-Signature-256";

/// A part of a secret URL that is at least so long is not shown where an answer repeats it, in bytes.
const SHORTEST_SECRET: usize = 8;

/// Sends requests to receivers.
pub trait Post: Send + Sync + 'static {
    /// Sends one request; `Ok` if the receiver has taken it. It ends soon after `timeout`, whatever the receiver does.
    ///
    /// # Errors
    /// Why the receiver has not taken it.
    fn post(
        &mut self,
        receiver: &Arc<Receiver>,
        outgoing: Outgoing,
        timeout: Duration,
    ) -> impl Future<Output = Result<Taken, Trouble>> + Send;
}

/// Sends requests by HTTP, and e-mails by SMTP. The client is made anew when the receiver is configured otherwise, and after each failure: a
/// certificate may have been renewed.
#[derive(Debug, Default)]
pub(crate) struct Http {
    client: Option<(Arc<Receiver>, reqwest::Client)>,
    partly_sent: PartlySent,
}

impl Clone for Http {
    /// Each worker has a client of its own.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Post for Http {
    async fn post(
        &mut self,
        receiver: &Arc<Receiver>,
        outgoing: Outgoing,
        timeout: Duration,
    ) -> Result<Taken, Trouble> {
        let attempt = async {
            match &receiver.kind {
                ReceiverKind::Email(email) => self.mail(receiver, email, outgoing, timeout).await,
                ReceiverKind::Alertmanager | ReceiverKind::Webhook(_) => {
                    self.attempt(receiver, outgoing, timeout).await
                }
            }
        };
        let outcome = tokio::time::timeout(timeout.saturating_add(LONGEST_FILES), attempt).await;
        outcome
            .unwrap_or_else(|_| Err(Trouble::new(DeliveryFailure::Unavailable(Reason::Timeout), "no answer in time")))
    }
}

impl Http {
    async fn attempt(
        &mut self,
        receiver: &Arc<Receiver>,
        outgoing: Outgoing,
        timeout: Duration,
    ) -> Result<Taken, Trouble> {
        let client = match self.client.take().filter(|(made_for, _)| made_for == receiver) {
            Some((_, client)) => client,
            None => client(receiver).await?,
        };
        let taken = send(&client, receiver, outgoing, timeout).await?;
        self.client = Some((Arc::clone(receiver), client));
        Ok(taken)
    }
}

impl Http {
    /// Sends an e-mail, which is the body.
    async fn mail(
        &mut self,
        receiver: &Receiver,
        email: &Email,
        outgoing: Outgoing,
        timeout: Duration,
    ) -> Result<Taken, Trouble> {
        let Address::Url(url) = &receiver.address else {
            return Err(Trouble::secret("an SMTP server has no file with its address".to_owned()));
        };
        let url = Url::parse(url).map_err(|error| Trouble::secret(format!("`{url}` is no server: {error}")))?;
        let login = match &receiver.authorization {
            Authorization::Basic { username, password_file } => {
                Some((username.as_str(), Secret::read(password_file).await.map_err(Trouble::secret)?))
            }
            Authorization::None | Authorization::Bearer(_) => None,
        };
        let authorities = match &receiver.ca_file {
            Some(path) => Some(bytes(path).await.map_err(Trouble::secret)?),
            None => None,
        };
        let login = login.as_ref().map(|(username, password)| (*username, password));
        let server = Server { url: &url, email, login, authorities: authorities.as_ref().map(|pem| &***pem), timeout };
        let all = email.to.iter().map(|mailbox| mailbox.email.clone());
        let recipients = self.partly_sent.recipients(&outgoing.deliveries, all);
        let sent = server.send(&recipients, &outgoing.body);
        let late = |_| Trouble::new(DeliveryFailure::Unavailable(Reason::Timeout), "no answer in time");
        let sent = tokio::time::timeout(timeout, sent).await.map_err(late)??;
        self.partly_sent.sent(&receiver.name, &outgoing.deliveries, sent)?;
        Ok(Taken::default())
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

/// The URL at which a receiver is.
async fn base(address: &Address) -> Result<String, Trouble> {
    match address {
        Address::Url(url) => Ok(url.clone()),
        Address::File(path) => {
            let url = Secret::read(path).await.map_err(Trouble::secret)?;
            let parsed = Url::parse(url.expose()).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
            let parsed = parsed.ok_or_else(|| Trouble::secret(format!("`{}` holds no web URL", path.display())))?;
            Ok(parsed.to_string())
        }
    }
}

async fn send(
    client: &reqwest::Client,
    receiver: &Receiver,
    mut outgoing: Outgoing,
    timeout: Duration,
) -> Result<Taken, Trouble> {
    let base = base(&receiver.address).await?;
    let verb = outgoing.verb;
    let mut builder = client.request(method(verb), with_path(&base, &outgoing.path)).timeout(timeout);
    if verb.has_body() && !outgoing.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(CONTENT_TYPE.as_str())) {
        builder = builder.header(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
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
    if let Some(path) = &outgoing.routing_key {
        let key = Secret::read(path).await.map_err(Trouble::secret)?;
        outgoing.body = with_routing_key(&key, &outgoing.body);
    }
    if let Some(path) = &outgoing.signed_by {
        let secret = Secret::read(path).await.map_err(Trouble::secret)?;
        builder = builder.header(SIGNATURE, signature(secret.expose().as_bytes(), outgoing.body.as_bytes()));
    }
    for (name, value) in &outgoing.headers {
        builder = builder.header(name, value);
    }
    let sent = clock::now();
    let response = builder.body(outgoing.body).send().await.map_err(trouble)?;
    let now = clock::now();
    let clock = http::date(response.headers()).and_then(|date| answer::offset(date, sent, now));
    let status = response.status().as_u16();
    let retry_after = http::retry_after(response.headers(), now);
    let mut body = read(response, verb.longest_answer()).await;
    if matches!(receiver.address, Address::File(_)) && repeats(&body, &base) {
        body.clear();
    }
    let taken = answer::judge(status, &body, retry_after, clock)?;
    Ok(if verb == Verb::Get { Taken { body, ..taken } } else { taken })
}

fn method(verb: Verb) -> Method {
    match verb {
        Verb::Post => Method::POST,
        Verb::Put => Method::PUT,
        Verb::Get => Method::GET,
        Verb::Delete => Method::DELETE,
    }
}

/// The URL of a path below a base, which may end with a slash where it comes from a file.
fn with_path(base: &str, path: &str) -> String {
    if path.is_empty() { base.to_owned() } else { format!("{}{path}", base.trim_end_matches('/')) }
}

/// Whether an answer repeats a part of the URL that was asked for, as some servers do that do not have it. Where the URL is
/// a secret, such an answer must not get into the log.
fn repeats(body: &[u8], url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let body = String::from_utf8_lossy(body);
    let parts = url.path().split('/').chain(url.query().unwrap_or_default().split(['&', '=']));
    parts.filter(|part| part.len() >= SHORTEST_SECRET).any(|part| body.contains(part))
}

/// A body, which is a JSON object, with the routing key as its first member.
fn with_routing_key(key: &Secret, body: &str) -> String {
    let key = serde_json::Value::from(key.expose()).to_string();
    format!("{{\"routing_key\":{key},{}", body.strip_prefix('{').unwrap_or(body))
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
    let is_connected = !error.is_connect();
    let Failure { reason, detail } = error.into();
    let trouble = Trouble::new(DeliveryFailure::Unavailable(reason), detail);
    // A server may end over one body, and a filter before it may cut the connection for one.
    let suspect = if is_connected { Suspect::Either } else { trouble.suspect };
    Trouble { suspect, ..trouble }
}

/// The beginning of the body. What does not come, or is cut off, is not waited for: a receiver that said 200 and then
/// dribbles has taken the notification, and one that said 400 has refused it.
async fn read(mut response: reqwest::Response, longest: usize) -> Vec<u8> {
    let mut body = Vec::new();
    let reading = async {
        while body.len() < longest
            && let Ok(Some(chunk)) = response.chunk().await
        {
            body.extend_from_slice(&chunk);
        }
    };
    // What has come by then is enough.
    tokio::time::timeout(LONGEST_BODY, reading).await.ok();
    body.truncate(longest);
    body
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join_all;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::config::ReceiverKind;

    #[test]
    fn a_body_is_signed_as_github_signs_its_webhooks() {
        // GitHub's own example: docs.github.com, "Validating webhook deliveries".
        let signed = signature(b"It's a Secret to Everybody", b"Hello, World!");
        assert_eq!(signed, "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17");
    }

    #[test]
    fn an_answer_that_repeats_a_secret_url_is_recognised() {
        let url = "https://ping.example/ping/0c1f2a3b-secret?create=1";
        assert!(repeats(b"{\"path\": \"/ping/0c1f2a3b-secret\"}", url));
        assert!(!repeats(b"not found", url) && !repeats(b"ping", url) && !repeats(b"", "no URL"));
        assert_eq!(with_path("http://am:9093/", "/api"), "http://am:9093/api");
        assert_eq!(with_path("http://hook/", ""), "http://hook/");
    }

    /// Longer than any machine takes that can be reached at all.
    const PATIENCE: Duration = Duration::from_mins(1);

    /// The outcome of a request that is answered with `bytes`, and then with `endless` again and again unless that is
    /// empty.
    async fn answered(bytes: &'static str, endless: &'static str) -> Result<Taken, Trouble> {
        served(async |mut stream| {
            stream.write_all(bytes.as_bytes()).await.unwrap();
            while !endless.is_empty() && stream.write_all(endless.as_bytes()).await.is_ok() {}
            if !bytes.is_empty() {
                std::future::pending::<()>().await;
            }
        })
        .await
    }

    /// The trouble with a request that is answered with `bytes`, then with `endless` so often that a reader who counts has had
    /// enough of it, and then with nothing for as long as a request may take.
    async fn unanswered(bytes: &'static str, endless: &'static str) -> Trouble {
        let leaps = Cell::new(false);
        let outcome = served(async |mut stream| {
            stream.write_all(bytes.as_bytes()).await.unwrap();
            for _ in 0..10_000 {
                // It may have had enough before.
                stream.write_all(endless.as_bytes()).await.unwrap_or_default();
            }
            // From now on time leaps whenever nothing is left to be done.
            tokio::time::pause();
            leaps.set(true);
            std::future::pending::<()>().await;
        });
        let trouble = outcome.await.unwrap_err();
        if leaps.get() {
            tokio::time::resume();
        }
        trouble
    }

    /// The outcome of a request to a server that does this once the request has come, and then closes the connection.
    async fn served(then: impl AsyncFnOnce(TcpStream)) -> Result<Taken, Trouble> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let receiver = crate::testing::receiver("hook", ReceiverKind::Alertmanager);
        let receiver = Arc::new(Receiver { address: Address::Url(url), timeout: PATIENCE, ..(*receiver).clone() });
        let serving = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let _ = stream.read(&mut [0; 1024]).await.unwrap();
            then(stream).await;
        };
        let outgoing = Outgoing { body: "{}".to_owned(), ..Outgoing::default() };
        let mut http = Http::default();
        let posting = http.post(&receiver, outgoing, PATIENCE);
        tokio::pin!(posting);
        tokio::select! {
            outcome = &mut posting => outcome,
            () = serving => posting.await,
        }
    }

    #[tokio::test]
    async fn whatever_comes_back_an_attempt_ends_and_the_status_decides() {
        let taken = [
            ("a body that stays away", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\no", ""),
            ("a body without end", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "5\r\nhello\r\n"),
            ("no body and no end", "HTTP/1.1 202 Accepted\r\n\r\n", ""),
        ];
        let answers = join_all(taken.map(|(_, bytes, endless)| answered(bytes, endless))).await;
        for ((case, ..), answer) in taken.into_iter().zip(answers) {
            assert_eq!(answer, Ok(Taken::default()), "{case}");
        }
        let refused = answered("HTTP/1.1 400 Bad\r\nContent-Length: 100\r\n\r\nno such field", "").await.unwrap_err();
        assert_eq!((refused.is_for_good(), refused.detail.as_str()), (true, "it answered 400: no such field"));
        for (case, bytes, endless) in [
            ("silence", "HTTP/1.1 ", ""),
            ("headers without end", "HTTP/1.1 200 OK\r\n", "X-Header: and so on\r\n"),
            ("continue, and continue", "HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n"),
            ("no HTTP", "SSH-2.0-OpenSSH_9.2\r\n\r\n", ""),
        ] {
            assert_is_unavailable(case, &unanswered(bytes, endless).await);
        }
        assert_is_unavailable("closed without an answer", &answered("", "").await.unwrap_err());
    }

    #[track_caller]
    fn assert_is_unavailable(case: &str, trouble: &Trouble) {
        let why = (trouble.suspect, matches!(trouble.why, DeliveryFailure::Unavailable(_)));
        assert_eq!(why, (Suspect::Either, true), "{case}: {trouble:?}");
    }

    #[tokio::test]
    async fn the_date_of_an_answer_shows_its_clock_even_if_it_is_a_refusal() {
        let ahead = |clock: Option<chrono::TimeDelta>| clock.unwrap().num_days() > 365;
        let taken = answered("HTTP/1.1 200 OK\r\nDate: Fri, 15 Jan 2100 08:00:00 GMT\r\n\r\n", "").await.unwrap();
        assert!(ahead(taken.clock), "{taken:?}");
        let refused =
            answered("HTTP/1.1 400 Bad\r\nDate: Fri, 15 Jan 2100 08:00:00 GMT\r\n\r\n", "").await.unwrap_err();
        assert!(ahead(refused.clock), "{refused:?}");
        let nonsense = answered("HTTP/1.1 200 OK\r\nDate: today\r\n\r\n", "").await.unwrap();
        assert_eq!(nonsense.clock, None);
    }
}
