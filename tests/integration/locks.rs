//! Who may read what the daemon shows: passwords, bearer tokens, TLS, pages of other sites, crowds, and clients that are slow on
//! purpose.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Certificate, Client, ClientBuilder, Identity, Method, Response};
use tokio::runtime::Runtime;

use crate::harness::{ACME, Configuration, Daemon, PAGES, World, call, program, rest, text};
use crate::tls::certificates;

/// Somebody who calls.
pub(crate) struct Caller {
    pub(crate) runtime: Runtime,
    client: Client,
}

impl Caller {
    pub(crate) fn new(build: impl FnOnce(ClientBuilder) -> ClientBuilder) -> Self {
        let builder =
            Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(Duration::from_mins(1));
        Self { runtime: Runtime::new().unwrap(), client: build(builder).build().unwrap() }
    }

    pub(crate) fn call(
        &self,
        method: &Method,
        url: &str,
        headers: &[(&'static str, &str)],
    ) -> reqwest::Result<Response> {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect();
        self.runtime.block_on(async { self.client.request(method.clone(), url).headers(headers).send().await })
    }

    pub(crate) fn status(&self, url: &str, authorization: &str) -> u16 {
        self.call(&Method::GET, url, &[("authorization", authorization)]).unwrap().status().as_u16()
    }
}

pub(crate) fn basic(user: &str, password: &str) -> String {
    use base64::Engine;
    format!("Basic {}", base64::prelude::BASE64_STANDARD.encode(format!("{user}:{password}")))
}

pub(crate) fn locked(world: &World, more: &str) -> Configuration {
    world.write("prometheus-token", "bearer-of-prometheus\n");
    let hash = bcrypt::hash("correct horse", 4).unwrap();
    Configuration {
        web: format!(
            "listen = \"127.0.0.1:0\"\n{more}\n[web.auth]\nusers = {{ alice = \"{hash}\" }}\nbearer_token_files = [\"prometheus-token\"]"
        ),
        ..Configuration::acme("")
    }
}

#[test]
fn every_path_but_health_is_for_those_who_are_named() {
    let world = World::new(ACME);
    let mut daemon = world.run(&locked(&world, ""));
    daemon.checks("acme", "validity", 1);
    let caller = Caller::new(|builder| builder);
    let alice = basic("alice", "correct horse");
    let others = ["/api/v1/openapi.json", "/static/style.css", "/runbooks/TokenExpired", "/nowhere"];
    for path in PAGES.into_iter().chain(others) {
        let url = format!("{}{path}", daemon.address);
        let refused = caller.call(&Method::GET, &url, &[]).unwrap();
        assert_eq!(refused.status(), 401, "{path}");
        assert!(refused.headers()["www-authenticate"].to_str().unwrap().starts_with("Basic "), "{path}");
        let expected = if path == "/nowhere" { 404 } else { 200 };
        for known in [alice.as_str(), "Bearer bearer-of-prometheus"] {
            let answer = caller.call(&Method::GET, &url, &[("authorization", known)]).unwrap();
            assert_eq!(answer.status(), expected, "{path}");
            for header in ["content-security-policy", "x-content-type-options", "x-frame-options", "referrer-policy"] {
                assert!(answer.headers().contains_key(header), "{path}: {header}");
            }
        }
    }
    for path in ["/-/healthy", "/-/ready"] {
        assert_eq!(daemon.get(path).0, 200, "{path}");
    }
    assert_eq!(daemon.post("/-/reload").0, 401);
    assert_eq!(daemon.post("/api/v1/tokens/acme/jumpcloud/check").0, 401);
    let wrong = [basic("alice", "wrong"), basic("bob", "correct horse"), "Bearer value-of-acme".to_owned()];
    for wrong in wrong {
        assert_eq!(caller.status(&format!("{}/", daemon.address), &wrong), 401, "{wrong}");
    }
    let line = daemon.wait("a line", |line| line["event"] == "login_failed");
    assert_eq!(line["peer"], "127.0.0.1");
    let all = daemon.raw.join("\n");
    assert!(!all.contains("wrong\"") && !all.contains("bob") && !all.contains("bearer-of-prometheus"), "{all}");
}

#[test]
fn a_reload_takes_in_another_bearer_token_and_ends_what_was_let_in_before() {
    let world = World::new(ACME);
    let daemon = world.run(&locked(&world, ""));
    // Without a pool: a connection that is idle when the locks change may end while the next request is being sent on it.
    let (caller, url) =
        (Caller::new(|builder| builder.pool_max_idle_per_host(0)), format!("{}/metrics", daemon.address));
    let reload = format!("{}/-/reload", daemon.address);
    // What changes the locks ends connections, so the answer has to say that no other request may follow it on this one.
    let mut known = "bearer-of-prometheus".to_owned();
    for next in (0..20).map(|number| format!("token-{number}")).chain(["another".to_owned()]) {
        world.write("prometheus-token", &next);
        let answer = caller.call(&Method::POST, &reload, &[("authorization", &format!("Bearer {known}"))]).unwrap();
        let connection = answer.headers().get("connection").map(|value| value.to_str().unwrap());
        assert_eq!((answer.status().as_u16(), connection), (200, Some("close")));
        known = next;
    }
    assert_eq!(caller.status(&url, "Bearer another"), 200);
    assert_ne!(caller.status(&url, "Bearer bearer-of-prometheus"), 200);
    // A file that cannot be read is a fault, and the running locks stay.
    std::fs::remove_file(world.path("prometheus-token")).unwrap();
    let answer = caller.call(&Method::POST, &reload, &[("authorization", "Bearer another")]).unwrap();
    assert_eq!(answer.status(), 500);
    let said = caller.runtime.block_on(answer.text()).unwrap();
    assert!(said.contains("web.auth.bearer_token_files[0]") && !said.contains("another"), "{said}");
    assert_eq!(caller.status(&url, "Bearer another"), 200);
}

#[test]
fn tls_is_spoken_with_clients_of_the_authority_and_a_renewed_certificate_is_taken_in_by_a_reload() {
    let world = World::new(ACME);
    let (authority, (certificate, key), (client_certificate, client_key)) = certificates();
    world.write("web.pem", &certificate);
    world.write("web.key", &key);
    world.write("ca.pem", &authority);
    let tls = "[web.tls]\ncertificate_file = \"web.pem\"\nkey_file = \"web.key\"\nclient_ca_file = \"ca.pem\"";
    let web = format!("listen = \"127.0.0.1:0\"\nhealth_listen = \"127.0.0.1:0\"\n{tls}");
    let mut daemon = world.run(&Configuration { web, ..Configuration::acme("") });
    assert!(daemon.seen.iter().any(|line| line["message"].as_str().is_some_and(|text| text.contains("on https://"))));
    daemon.checks("acme", "validity", 1);
    let port = daemon.address.rsplit(':').next().unwrap().to_owned();
    let url = format!("https://localhost:{port}/metrics");
    let root = || Certificate::from_pem(authority.as_bytes()).unwrap();
    let identity = || Identity::from_pem(format!("{client_certificate}{client_key}").as_bytes()).unwrap();
    let known = Caller::new(|builder| builder.tls_certs_only([root()]).identity(identity()));
    assert_eq!(known.status(&url, "none"), 200);
    let stranger = Caller::new(|builder| builder.tls_certs_only([root()]));
    assert!(stranger.call(&Method::GET, &url, &[]).is_err(), "without a certificate of the authority");
    let plain = Caller::new(|builder| builder);
    assert!(plain.call(&Method::GET, &format!("http://localhost:{port}/metrics"), &[]).is_err(), "clear text");

    let (other_authority, (certificate, key), _) = certificates();
    world.write("web.pem", &certificate);
    assert_eq!(
        known.call(&Method::POST, &url.replace("metrics", "-/reload"), &[]).unwrap().status(),
        500,
        "another key"
    );
    assert_eq!(known.status(&url, "none"), 200, "the running certificate stays");
    world.write("web.key", &key);
    assert_eq!(known.call(&Method::POST, &url.replace("metrics", "-/reload"), &[]).unwrap().status(), 200);
    let renewed = Certificate::from_pem(other_authority.as_bytes()).unwrap();
    let renewed = Caller::new(|builder| builder.tls_certs_only([renewed]).identity(identity()));
    assert_eq!(renewed.status(&url, "none"), 200);
    assert!(known.call(&Method::GET, &url, &[]).is_err(), "the old certificate is not shown any more");
    daemon.signal("TERM");
    assert!(daemon.ended().success());
}

#[test]
fn listening_beyond_loopback_needs_tls_and_somebody_who_is_named_or_a_plain_word() {
    let world = World::new(ACME);
    let (_, (certificate, key), _) = certificates();
    world.write("web.pem", &certificate);
    world.write("web.key", &key);
    world.write("bearer", "a-bearer-token");
    let tls = "[web.tls]\ncertificate_file = \"web.pem\"\nkey_file = \"web.key\"\n";
    let auth = "[web.auth]\nbearer_token_files = [\"bearer\"]\n";
    let cases = [
        ("0.0.0.0:9760", String::new(), 78),
        ("[::]:9760", String::new(), 78),
        ("192.0.2.1:9760", tls.to_owned(), 78),
        ("0.0.0.0:9760", auth.to_owned(), 78),
        ("0.0.0.0:9760", format!("{tls}{auth}"), 0),
        ("0.0.0.0:9760", "insecure = true\n".to_owned(), 0),
        ("127.0.0.1:9760", String::new(), 0),
        ("[::1]:9760", String::new(), 0),
    ];
    for (listen, more, expected) in cases {
        let path = world.write("config.toml", &format!("[web]\nlisten = \"{listen}\"\n{more}"));
        let output = call(&["-c", path.to_str().unwrap(), "validate"]);
        assert_eq!(output.status.code(), Some(expected), "{listen} {more}: {}", text(&output.stderr));
        if expected == 78 {
            let said = text(&output.stderr);
            assert!(said.contains("web.listen: ") && said.contains("insecure = true"), "{said}");
        }
    }
    // What the files hold is checked too, and never shown.
    let faulty = [
        ("web.pem", "-----BEGIN NOTHING-----", "web.tls.certificate_file"),
        ("web.key", "-----BEGIN SECRET-----", "web.tls.key_file"),
    ];
    for (name, held, path_) in faulty {
        let before = std::fs::read_to_string(world.path(name)).unwrap();
        world.write(name, held);
        let path = world.write("config.toml", &format!("[web]\n{tls}"));
        for command in ["validate", "run"] {
            let output = call(&["-c", path.to_str().unwrap(), command]);
            let said = text(&output.stderr);
            assert_eq!(output.status.code(), Some(78), "{said}");
            assert!(said.contains(path_) && !said.contains(held), "{said}");
        }
        world.write(name, &before);
    }
}

#[test]
fn a_page_of_another_site_changes_nothing() {
    let world = World::new(ACME);
    let daemon = world.run(&Configuration::acme(""));
    let caller = Caller::new(|builder| builder);
    let origin = daemon.address.as_str();
    let cases: [(&[(&'static str, &str)], bool); 6] = [
        (&[], true),
        (&[("sec-fetch-site", "same-origin"), ("origin", origin)], true),
        (&[("origin", origin)], true),
        (&[("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")], false),
        (&[("origin", "https://evil.example")], false),
        (&[("origin", "null")], false),
    ];
    for (headers, may) in cases {
        for path in ["/-/reload", "/api/v1/tokens/acme/jumpcloud/check", "/tenants/acme/tokens/jumpcloud/check"] {
            let status = caller.call(&Method::POST, &format!("{origin}{path}"), headers).unwrap().status().as_u16();
            assert_eq!(status == 403, !may, "{path} {headers:?}: {status}");
        }
    }
}

#[test]
fn a_password_is_hashed_from_standard_input_and_grants_access() {
    let mut child = program()
        .arg("hash-password")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all("Tr0ub4dor & 3\n".as_bytes()).unwrap();
    let (hash, said) = (rest(child.stdout.take().unwrap()), rest(child.stderr.take().unwrap()));
    assert!(child.wait().unwrap().success(), "{said}");
    assert!(hash.starts_with("$2b$12$") && hash.lines().count() == 1 && !said.contains("Tr0ub4dor"), "{hash}{said}");
    let world = World::new(ACME);
    let web = format!("listen = \"127.0.0.1:0\"\n[web.auth]\nusers = {{ ops = '{}' }}", hash.trim());
    let daemon = world.run(&Configuration { web, ..Configuration::acme("") });
    let caller = Caller::new(|builder| builder);
    assert_eq!(caller.status(&format!("{}/", daemon.address), &basic("ops", "Tr0ub4dor & 3")), 200);
    for (password, problem) in [(String::new(), "empty"), ("x".repeat(72), "71 bytes")] {
        let mut child = program().arg("hash-password").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(password.as_bytes()).unwrap();
        let said = rest(child.stderr.take().unwrap());
        assert_eq!(child.wait().unwrap().code(), Some(1));
        assert!(said.contains(problem), "{said}");
    }
}

#[test]
fn health_has_a_place_of_its_own_that_nobody_need_be_named_for() {
    let world = World::new(ACME);
    let socket = world.path("health.sock");
    // As a crash leaves it behind.
    drop(std::os::unix::net::UnixListener::bind(&socket).unwrap());
    let mut daemon = world.run(&locked(&world, "health_listen = \"unix:health.sock\""));
    daemon.checks("acme", "validity", 1);
    let ask = |path: &str| {
        let mut stream = UnixStream::connect(&socket).unwrap();
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes())
            .unwrap();
        rest(stream).lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(ask("/-/healthy"), "HTTP/1.1 200 OK");
    assert_eq!(ask("/-/ready"), "HTTP/1.1 200 OK");
    assert_eq!(ask("/metrics"), "HTTP/1.1 404 Not Found");
    daemon.signal("TERM");
    assert!(daemon.ended().success());
    assert!(!socket.exists(), "nothing is left behind");
}

#[test]
fn what_stands_where_the_health_socket_should_and_is_none_of_ours_is_left_alone() {
    let world = World::new(ACME);
    let answered = std::os::unix::net::UnixListener::bind(world.path("answered.sock")).unwrap();
    let file = world.write("file", "somebody's work");
    for place in ["file", "answered.sock"] {
        let web = format!("listen = \"127.0.0.1:0\"\nhealth_listen = \"unix:{place}\"");
        let path = world.configure(&Configuration { web, ..Configuration::acme("") });
        let output = call(&["-c", path.to_str().unwrap(), "run"]);
        assert_eq!(output.status.code(), Some(1), "{place}");
        assert!(text(&output.stderr).contains(place), "{}", text(&output.stderr));
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), "somebody's work");
    assert!(UnixStream::connect(world.path("answered.sock")).is_ok());
    drop(answered);
}

fn socket(daemon: &Daemon) -> SocketAddr {
    daemon.address.trim_start_matches("http://").parse().unwrap()
}

/// Sends something and reads until the daemon ends the connection.
fn said(daemon: &Daemon, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(socket(daemon)).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    // It may be cut off before everything is sent.
    stream.write_all(bytes).ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn what_is_no_request_is_refused_and_costs_nobody_else_anything() {
    let world = World::new(ACME);
    let daemon = world.run(&Configuration::acme(""));
    let mut long = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ".to_vec();
    long.resize(1024 * 1024, b'a');
    long.extend_from_slice(b"\r\n\r\n");
    let cases: [(&[u8], &str); 7] = [
        (&long, "HTTP/1.1 431 "),
        (b"GET / HTTP/9.9\r\n\r\n", "HTTP/1.1 400 "),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "HTTP/1.1 400 "),
        (b"GET /\0 HTTP/1.1\r\nHost: localhost\r\n\r\n", "HTTP/1.1 400 "),
        (b"BREW / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 405 "),
        (b"DELETE /api/v1/tokens HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 405 "),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", "HTTP/1.1 404 "),
    ];
    for (bytes, expected) in cases {
        let answer = said(&daemon, bytes);
        assert!(answer.starts_with(expected), "{:?}: {answer}", text(&bytes[..bytes.len().min(40)]));
    }
    // Half a request, whose client goes away.
    drop(TcpStream::connect(socket(&daemon)).unwrap().write_all(b"GET / HTT"));
    assert_eq!(daemon.get("/-/healthy").0, 200);
}

#[test]
fn nobody_who_says_nothing_or_half_of_it_holds_up_the_end() {
    let world = World::new(ACME);
    let (_, (certificate, key), _) = certificates();
    world.write("web.pem", &certificate);
    world.write("web.key", &key);
    let tls = "\n[web.tls]\ncertificate_file = \"web.pem\"\nkey_file = \"web.key\"";
    for tls in ["", tls] {
        let web = format!("listen = \"127.0.0.1:0\"{tls}");
        let mut daemon = world.run(&Configuration { web, ..Configuration::acme("") });
        let [silent, mut half, idle] = [(); 3].map(|()| TcpStream::connect(socket(&daemon)).unwrap());
        half.write_all(if tls.is_empty() { b"GET / HTT" } else { b"\x16\x03\x01\x02" }).unwrap();
        daemon.checks("acme", "validity", 1);
        daemon.signal("TERM");
        assert!(daemon.ended().success());
        assert!(daemon.seen.iter().all(|line| line["event"] != "drain_timeout"), "tls: {}", !tls.is_empty());
        drop((silent, half, idle));
    }
}

#[test]
fn a_crowd_of_ten_thousand_and_clients_that_send_a_byte_now_and_then_shut_nobody_out() {
    rlimit::increase_nofile_limit(15_000).unwrap();
    let world = World::new(ACME);
    let mut daemon = world.run(&Configuration::acme(""));
    let mut crowd = Vec::new();
    for number in 0..10_000 {
        let mut stream = TcpStream::connect(socket(&daemon)).unwrap();
        if number % 3 == 0 {
            // It may have been turned away already.
            stream.write_all(b"G").ok();
        }
        crowd.push(stream);
        // More at once than the kernel lets wait would only try the kernel.
        if number % 100 == 99 {
            for slow in crowd.iter_mut().rev().take(50) {
                slow.write_all(b"E").ok();
            }
            assert_eq!(daemon.get("/-/healthy").0, 200, "after {number} connections");
        }
    }
    daemon.checks("acme", "validity", 1);
    assert_eq!(daemon.get("/metrics").0, 200);
    drop(crowd);
    assert_eq!(daemon.get("/metrics").0, 200);
    daemon.signal("TERM");
    assert!(daemon.ended().success());
}
