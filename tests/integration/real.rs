//! Real Prometheus, Alertmanager and their tools, where they are installed. Where they are not, a test says what it
//! skips; with `SYNCRO_REQUIRE_REAL` set, as CI has it, nothing is skipped.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::harness::request;

/// Whether a program can be run; says so if not.
pub(crate) fn have(programs: &[&str]) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let missing = programs.iter().find(|name| !std::env::split_paths(&path).any(|folder| folder.join(name).is_file()));
    let Some(missing) = missing else { return true };
    assert!(std::env::var_os("SYNCRO_REQUIRE_REAL").is_none(), "`{missing}` is not installed");
    println!("skipped: `{missing}` is not installed");
    false
}

/// A file of this project.
pub(crate) fn project(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// A server of somebody else, until it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// A port that is free and stays so, for a program that cannot say which it was given: below those that the kernel gives to
/// whoever asks for any, and no other call returns it.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (std::process::id() % 8_000) as u16;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Whether a process listens at a port: somebody else may have been quicker.
fn listens(process: u32, port: u16) -> bool {
    const LISTENING: &str = "0A";
    let sockets = fs::read_to_string(format!("/proc/{process}/net/tcp")).unwrap_or_default();
    let inode = sockets.lines().find_map(|line| {
        let fields: Vec<_> = line.split_whitespace().collect();
        let is_here = fields.get(1)?.ends_with(&format!(":{port:04X}")) && *fields.get(3)? == LISTENING;
        is_here.then(|| fields.get(9).map(|inode| format!("socket:[{inode}]")))?
    });
    let Ok(files) = fs::read_dir(format!("/proc/{process}/fd")) else { return false };
    let mut links = files.filter_map(|file| fs::read_link(file.ok()?.path()).ok());
    inode.is_some_and(|inode| links.any(|link| link.as_os_str() == inode.as_str()))
}

fn start(folder: &Path, name: &str, arguments: impl Fn(u16) -> Vec<String>) -> Server {
    loop {
        let port = free_port();
        let log = fs::File::create(folder.join(format!("{name}.log"))).unwrap();
        let child = Command::new(name)
            .args(arguments(port))
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Server { child, address: format!("127.0.0.1:{port}") };
        let is_ready = until(&format!("{name} to be ready"), || {
            if server.child.try_wait().unwrap().is_some() {
                return Some(false);
            }
            let up = listens(server.child.id(), port).then(|| server.get("/-/ready"));
            up.filter(|(status, _)| *status == 200).map(|_| true)
        });
        if is_ready {
            return server;
        }
        let is_taken = TcpListener::bind(("127.0.0.1", port)).is_err();
        let log = fs::read_to_string(folder.join(format!("{name}.log"))).unwrap_or_default();
        assert!(is_taken || log.contains("address already in use"), "{name} has ended: {log}");
    }
}

impl Server {
    /// A Prometheus that scrapes a daemon every second and applies our rules; alerts go to these Alertmanagers.
    pub(crate) fn prometheus(folder: &Path, daemon: &str, alertmanagers: &[&Server]) -> Self {
        Self::prometheus_of(folder, &[daemon], alertmanagers)
    }

    /// The same for several daemons.
    pub(crate) fn prometheus_of(folder: &Path, daemons: &[&str], alertmanagers: &[&Server]) -> Self {
        let daemons: Vec<_> = daemons.iter().map(|daemon| daemon.trim_start_matches("http://")).collect();
        let targets: Vec<_> = alertmanagers.iter().map(|server| format!("\"{}\"", server.address)).collect();
        let alerting = format!(
            "alerting: {{ alertmanagers: [{{ static_configs: [{{ targets: [{}] }}] }}] }}\n",
            targets.join(", ")
        );
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\n\
             scrape_configs: [{{ job_name: syncro-token-monitor, static_configs: [{{ targets: {daemons:?} }}] }}]\n\
             rule_files: [\"{}\"]\n{alerting}",
            project("config/prometheus/syncro-token-monitor.rules.yml").display()
        );
        let path = folder.join("prometheus.yml");
        fs::write(&path, config).unwrap();
        start(folder, "prometheus", |port| {
            vec![
                format!("--config.file={}", path.display()),
                format!("--storage.tsdb.path={}", folder.join("tsdb").display()),
                format!("--web.listen-address=127.0.0.1:{port}"),
            ]
        })
    }

    /// An Alertmanager that pages a webhook at once.
    pub(crate) fn alertmanager(folder: &Path, pager: &str) -> Self {
        let config = format!(
            "route: {{ receiver: pager, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h }}\n\
             receivers: [{{ name: pager, webhook_configs: [{{ url: \"{pager}\" }}] }}]\n"
        );
        let path = folder.join("alertmanager.yml");
        fs::write(&path, config).unwrap();
        Self::alertmanager_of(folder, &path)
    }

    /// An Alertmanager with a configuration of its own.
    pub(crate) fn alertmanager_of(folder: &Path, path: &Path) -> Self {
        start(folder, "prometheus-alertmanager", |port| {
            vec![
                format!("--config.file={}", path.display()),
                format!("--storage.path={}", folder.join("alertmanager").display()),
                format!("--web.listen-address=127.0.0.1:{port}"),
                "--cluster.listen-address=".to_owned(),
            ]
        })
    }

    /// Sends JSON, which must be taken.
    pub(crate) fn post(&self, path: &str, body: &Value) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let status = runtime.block_on(async {
            let client = reqwest::Client::builder().no_proxy().build().unwrap();
            client.post(format!("http://{}{path}", self.address)).json(body).send().await.unwrap().status()
        });
        assert!(status.is_success(), "{path}: {status}");
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        request("GET", &format!("http://{}{path}", self.address))
    }

    /// The alerts that an Alertmanager has.
    pub(crate) fn alerts(&self) -> Vec<Value> {
        let (status, text) = self.get("/api/v2/alerts");
        assert_eq!(status, 200, "{text}");
        serde_json::from_str(&text).unwrap()
    }

    /// What a query answers now: its samples.
    pub(crate) fn query(&self, query: &str) -> Vec<Value> {
        let encoded: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
        let (status, text) = self.get(&format!("/api/v1/query?query={encoded}"));
        assert_eq!(status, 200, "{query}: {text}");
        let answer: Value = serde_json::from_str(&text).unwrap();
        answer["data"]["result"].as_array().unwrap().clone()
    }
}

/// Waits until something is so.
pub(crate) fn until<T>(what: &str, is_so: impl FnMut() -> Option<T>) -> T {
    until_or(|| what.to_owned(), is_so)
}

/// Waits until something is so; if it never is, `what` says how it is instead.
#[expect(clippy::disallowed_methods, reason = "what never comes must not be waited for")]
pub(crate) fn until_or<T>(what: impl Fn() -> String, mut is_so: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        if let Some(found) = is_so() {
            return found;
        }
        assert!(Instant::now() < end, "{}: never so", what());
        std::thread::sleep(Duration::from_millis(50));
    }
}
