//! A Syncro of raw answers: whatever bytes a test wants, or none.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::harness::Configuration;

/// What is answered.
pub(crate) enum Reply {
    /// What Syncro answers to a token that may do everything.
    Usual,
    /// A status, further header lines, and a body.
    Answer(u16, String, Vec<u8>),
    /// The head of an answer, and a body that never comes.
    Endless(u16),
    /// The connection is closed.
    Close,
    /// Nothing, ever.
    Hang,
}

type Rule = dyn Fn(&str, &str) -> Reply + Send + Sync;

/// The server. Its rule takes the tenant and the path below the API.
pub(crate) struct Raw {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
}

pub(crate) const JSON: &str = "Content-Type: application/json\r\n";
pub(crate) const HTML: &str = "Content-Type: text/html; charset=UTF-8\r\n";

pub(crate) fn json(body: impl Into<Vec<u8>>) -> Reply {
    Reply::Answer(200, JSON.to_owned(), body.into())
}

/// What `/me` answers for a tenant.
pub(crate) fn me(tenant: &str) -> String {
    format!(
        r#"{{"user_name":"Pat","user_id":7,"admin":false,"can_use_app":true,"subdomain":"{tenant}","permissions":{{"ticket":{{"read":true}}}}}}"#
    )
}

impl Raw {
    pub(crate) fn new(rule: impl Fn(&str, &str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (address, seen) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let (rule, log): (Arc<Rule>, _) = (Arc::new(rule), Arc::clone(&seen));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (rule, log) = (Arc::clone(&rule), Arc::clone(&log));
                // A client that goes away ends its connection.
                std::thread::spawn(move || serve(&stream, &*rule, &log).ok());
            }
        });
        Self { address, seen }
    }

    pub(crate) fn base_url(&self, tenant: &str) -> String {
        format!("http://{}/{tenant}/api/v1", self.address)
    }

    /// What was asked so far, as `tenant path`.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    /// One more tenant, which asks here.
    pub(crate) fn add(&self, configuration: Configuration, tenant: &str, lines: &str) -> Configuration {
        let mut configuration = configuration.tenant(tenant, "a-value", lines);
        configuration.tenants.last_mut().unwrap().base_url = Some(self.base_url(tenant));
        configuration
    }
}

fn serve(mut stream: &TcpStream, rule: &Rule, log: &Mutex<Vec<String>>) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream).lines();
    while let Some(first) = lines.next().transpose()? {
        for line in lines.by_ref() {
            if line?.is_empty() {
                break;
            }
        }
        let path = first.split(' ').nth(1).unwrap_or_default();
        let (tenant, path) = path.split_once("/api/v1").unwrap_or_default();
        let tenant = tenant.trim_start_matches('/');
        log.lock().unwrap().push(format!("{tenant} {path}"));
        let (status, head, body) = match rule(tenant, path) {
            Reply::Usual => (200, JSON.to_owned(), usual(tenant, path).into_bytes()),
            Reply::Answer(status, head, body) => (status, head, body),
            Reply::Endless(status) => {
                write!(stream, "HTTP/1.1 {status} X\r\n{JSON}Content-Length: 9\r\n\r\n")?;
                continue;
            }
            Reply::Close => return Ok(()),
            Reply::Hang => continue,
        };
        write!(stream, "HTTP/1.1 {status} X\r\n{head}Content-Length: {}\r\n\r\n", body.len())?;
        stream.write_all(&body)?;
    }
    Ok(())
}

fn usual(tenant: &str, path: &str) -> String {
    match path {
        "/me" => me(tenant),
        _ if path.starts_with("/users/") => r#"{"user":{"id":7,"group":"Technicians"}}"#.to_owned(),
        _ => "{}".to_owned(),
    }
}
