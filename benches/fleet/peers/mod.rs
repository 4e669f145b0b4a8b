//! What others take for the like: a server that holds an exposition and only sends it, blackbox_exporter, and Prometheus.

pub(crate) mod prometheus;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use bytes::Bytes;
use tokio::net::TcpListener;

use crate::process::Process;

/// The argument by which this program is such a server.
pub(crate) const SENDS_ONLY: &str = "send-only";

/// Answers every request for `/metrics` with the bytes of a file, until the process is killed.
pub(crate) async fn send_only(file: &str) {
    let bytes = Bytes::from(std::fs::read(file).expect("a file"));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    crate::say(&listener.local_addr().expect("an address").to_string());
    let router = Router::new().route("/metrics", get(move || std::future::ready(bytes.clone())));
    axum::serve(listener, router).await.expect("it serves");
}

/// A server that only sends this file.
pub(crate) fn sender(file: &Path) -> Process {
    let program = std::env::current_exe().expect("this program");
    let mut command = Command::new(program);
    let mut child = command.arg(SENDS_ONLY).arg(file).stdout(Stdio::piped()).spawn().expect("it starts");
    let line = BufReader::new(child.stdout.take().expect("piped")).lines().next();
    Process::of(child, line.expect("an address").expect("text"))
}

/// What an HTTP probe of blackbox_exporter costs.
pub(crate) struct Probe {
    pub(crate) version: String,
    pub(crate) cpu: Duration,
    /// How long Prometheus takes for one, if it is installed.
    pub(crate) scraped: Option<Duration>,
}

/// The cost of an HTTP probe of blackbox_exporter, if it is installed.
pub(crate) async fn blackbox() -> Option<Probe> {
    const PROGRAM: &str = "prometheus-blackbox-exporter";
    let output = Command::new(PROGRAM).arg("--version").output().ok()?;
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let version = said.split("version ").nth(1)?.split([' ', ',']).next()?.to_owned();
    let folder = tempfile::tempdir().expect("a folder");
    let answer = folder.path().join("answer");
    std::fs::write(&answer, "{\"user_id\": 1}").expect("a folder");
    let target = sender(&answer);
    let config = folder.path().join("blackbox.yml");
    std::fs::write(&config, "modules:\n  http:\n    prober: http\n    http: { preferred_ip_protocol: ip4 }\n").ok()?;
    let address = free_address();
    let mut command = Command::new(PROGRAM);
    command.arg(format!("--config.file={}", config.display())).arg(format!("--web.listen-address={address}"));
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
    let exporter = Process::of(child, address);
    while exporter.get("/-/healthy").await.0 != 200 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let target = format!("http://{}/metrics", target.address());
    let path = format!("/probe?module=http&target={target}");
    let (_, said) = exporter.get(&path).await;
    assert!(String::from_utf8_lossy(&said).contains("probe_success 1"), "{}", String::from_utf8_lossy(&said));
    let cpu = exporter.cost(&path, false).await.cpu;
    let parameters = format!("{{ module: [http], target: [\"{target}\"] }}");
    let every = Duration::from_secs(2);
    let scraped = prometheus::scrape_duration(exporter.address(), "/probe", &parameters, every).await;
    Some(Probe { version, cpu, scraped })
}

/// An address at which a program may listen.
fn free_address() -> String {
    let free = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    free.local_addr().expect("an address").to_string()
}
