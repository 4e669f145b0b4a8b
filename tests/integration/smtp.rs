//! A scripted SMTP server on a socket of its own: what it was sent, and what it answers.

use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufStream};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::real::until;

/// How the server behaves.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// Answers to commands that begin with a text, in place of the usual ones; each as often as it says.
    pub(crate) answers: Vec<(&'static str, &'static str, usize)>,
    /// The answer to a message that holds a text.
    pub(crate) refuses: Option<(&'static str, &'static str)>,
    /// Whether it answers nothing once a message has come.
    pub(crate) stalls: bool,
    /// The credentials that it asks for, as AUTH PLAIN has them.
    pub(crate) login: Option<&'static str>,
    /// The certificate and the key with which it offers STARTTLS.
    pub(crate) starttls: Option<(String, String)>,
}

/// One message that was taken.
#[derive(Debug, Clone)]
pub(crate) struct Mail {
    pub(crate) from: String,
    pub(crate) to: Vec<String>,
    pub(crate) text: String,
    pub(crate) encrypted: bool,
}

impl Mail {
    /// The value of a header, unfolded.
    pub(crate) fn header(&self, name: &str) -> String {
        let head = self.text.split("\r\n\r\n").next().unwrap().replace("\r\n ", " ").replace("\r\n\t", " ");
        let start = format!("{}:", name.to_lowercase());
        let line = head.lines().find(|line| line.to_lowercase().starts_with(&start)).unwrap_or_default();
        line.split_once(':').map(|(_, value)| value.trim().to_owned()).unwrap_or_default()
    }
}

#[derive(Debug, Default)]
struct State {
    script: Script,
    taken: Vec<Mail>,
}

/// The server.
pub(crate) struct Smtp {
    /// It serves for as long as it is kept.
    _runtime: Runtime,
    pub(crate) port: u16,
    state: Arc<Mutex<State>>,
}

impl Smtp {
    pub(crate) fn new(script: Script) -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State { script, ..State::default() }));
        let shared = Arc::clone(&state);
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { _runtime: runtime, port, state }
    }

    pub(crate) fn behaves(&self, script: Script) {
        self.state.lock().unwrap().script = script;
    }

    pub(crate) fn taken(&self) -> Vec<Mail> {
        self.state.lock().unwrap().taken.clone()
    }

    /// Waits until so many messages have been taken.
    pub(crate) fn wait_for(&self, count: usize) -> Vec<Mail> {
        until(&format!("{count} messages"), || Some(self.taken()).filter(|taken| taken.len() >= count))
    }
}

async fn serve(stream: tokio::net::TcpStream, state: Arc<Mutex<State>>) {
    let mut plain = BufStream::new(stream);
    if plain.write_all(b"220 scripted ESMTP\r\n").await.is_err() || plain.flush().await.is_err() {
        return;
    }
    if talk(&mut plain, &state, false).await != End::Starttls {
        return;
    }
    let (certificate, key) = state.lock().unwrap().script.starttls.clone().unwrap();
    let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap();
    if let Ok(stream) = TlsAcceptor::from(Arc::new(config)).accept(plain.into_inner()).await {
        talk(&mut BufStream::new(stream), &state, true).await;
    }
}

#[derive(PartialEq)]
enum End {
    Closed,
    Starttls,
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufStream<S>,
    state: &Mutex<State>,
    encrypted: bool,
) -> End {
    let (mut from, mut to, mut is_known) = (String::new(), Vec::new(), false);
    loop {
        let Some(line) = read_line(stream).await else { return End::Closed };
        let (answer, reads_data) = {
            let mut state = state.lock().unwrap();
            let scripted =
                state.script.answers.iter_mut().find(|(start, _, left)| line.starts_with(start) && *left > 0);
            if let Some((_, answer, left)) = scripted {
                *left -= 1;
                ((*answer).to_owned(), false)
            } else {
                usual(&line, &state.script, encrypted, &mut from, &mut to, &mut is_known)
            }
        };
        if stream.write_all(format!("{answer}\r\n").as_bytes()).await.is_err() || stream.flush().await.is_err() {
            return End::Closed;
        }
        if line == "STARTTLS" && answer.starts_with("220") {
            return End::Starttls;
        }
        if line == "QUIT" {
            return End::Closed;
        }
        if !reads_data {
            continue;
        }
        let mut text = String::new();
        loop {
            let Some(line) = read_line(stream).await else { return End::Closed };
            if line == "." {
                break;
            }
            text.push_str(line.strip_prefix('.').unwrap_or(&line));
            text.push_str("\r\n");
        }
        let script = state.lock().unwrap().script.clone();
        if script.stalls {
            std::future::pending::<()>().await;
        }
        let refusal = script.refuses.filter(|(part, _)| text.contains(part)).map(|(_, answer)| answer);
        if refusal.is_none() {
            state.lock().unwrap().taken.push(Mail { from: from.clone(), to: to.clone(), text, encrypted });
        }
        let answer = format!("{}\r\n", refusal.unwrap_or("250 taken"));
        if stream.write_all(answer.as_bytes()).await.is_err() || stream.flush().await.is_err() {
            return End::Closed;
        }
    }
}

fn usual(
    line: &str,
    script: &Script,
    encrypted: bool,
    from: &mut String,
    to: &mut Vec<String>,
    is_known: &mut bool,
) -> (String, bool) {
    let inside = |line: &str| line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
    let answer = match line {
        _ if line.starts_with("EHLO ") => {
            let starttls = if script.starttls.is_some() && !encrypted { "250-STARTTLS\r\n" } else { "" };
            let auth = if script.login.is_some() { "250-AUTH PLAIN LOGIN\r\n" } else { "" };
            return (format!("250-scripted\r\n{starttls}{auth}250 8BITMIME"), false);
        }
        "STARTTLS" => "220 go ahead",
        _ if line.starts_with("AUTH PLAIN ") => {
            *is_known = script.login == line.strip_prefix("AUTH PLAIN ");
            if *is_known { "235 welcome" } else { "535 5.7.8 wrong credentials" }
        }
        _ if script.login.is_some() && !*is_known && line.starts_with("MAIL") => "530 5.7.0 log in first",
        _ if line.starts_with("MAIL FROM:") => {
            *from = inside(line);
            "250 ok"
        }
        _ if line.starts_with("RCPT TO:") => {
            to.push(inside(line));
            "250 ok"
        }
        "DATA" => return ("354 go on".to_owned(), true),
        "QUIT" => "221 bye",
        _ => "500 what?",
    };
    (answer.to_owned(), false)
}

async fn read_line<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufStream<S>) -> Option<String> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await.ok()?;
    (read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned())
}
