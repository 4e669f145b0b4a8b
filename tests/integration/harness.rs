//! A simulated Syncro in this process, the program as a child, and ways to wait for what it says.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use simulator::{Incident, Logged, Scenario, Simulator};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

/// Nothing here takes nearly as long, unless it never comes.
const PATIENCE: Duration = Duration::from_mins(1);

/// One tenant `acme` with the group `Technicians` that may do everything, user 1, and the token `jumpcloud`.
pub(crate) const ACME: &str = r#"
[[tenants]]
subdomain = "acme"
groups = [{ name = "Technicians", permissions = "all" }, { name = "Others", permissions = "all" }]
users = [{ id = 1, group = "Technicians" }]
tokens = [{ value = "value-of-acme", user = 1, permissions = "all" }]
"#;

/// What can be read of a daemon that watches the token `jumpcloud` of `acme`, and holds names of tokens or what they are.
pub(crate) const PAGES: [&str; 8] = [
    "/",
    "/tenants/acme/tokens/jumpcloud",
    "/api/v1/tokens",
    "/api/v1/tokens/acme/jumpcloud",
    "/api/v1/alerts",
    "/api/v1/transitions",
    "/calendar.ics",
    "/metrics",
];

/// A simulated Syncro, and a folder for the program's files.
pub(crate) struct World {
    runtime: Runtime,
    simulator: Simulator,
    pub(crate) address: SocketAddr,
    folder: TempDir,
    stop: CancellationToken,
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl World {
    pub(crate) fn new(scenario: &str) -> Self {
        let runtime = Runtime::new().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let simulator = Simulator::new(Scenario::parse(scenario).expect("a valid scenario"));
        let stop = CancellationToken::new();
        runtime.spawn(simulator.clone().serve(listener, stop.clone()));
        Self { runtime, simulator, address, folder: tempfile::tempdir().expect("a folder"), stop }
    }

    /// Another simulated Syncro on the same machine: another host.
    pub(crate) fn another(&self, scenario: &str) -> (Simulator, SocketAddr) {
        let listener = self.runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let simulator = Simulator::new(Scenario::parse(scenario).expect("a valid scenario"));
        self.runtime.spawn(simulator.clone().serve(listener, self.stop.clone()));
        (simulator, address)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn base_url(&self, subdomain: &str) -> String {
        Simulator::base_url(self.address, subdomain)
    }

    /// Writes a file that only its owner may read.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(&path, text).expect("a writable folder");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("own file");
        path
    }

    /// Writes a configuration: quick, on a free port, and then as given.
    pub(crate) fn configure(&self, configuration: &Configuration) -> PathBuf {
        let mut text = format!(
            "[web]\n{}\n[syncro]\nrequests_per_minute = {}\ntimeout = \"2s\"\n{}\n\
             [schedule]\nvalidity = \"{}\"\npermissions = \"{}\"\n\
             [alerts]\nconfirm_after = \"{}\"\n{}\n[storage]\npath = \"{}\"\n",
            configuration.web,
            configuration.requests_per_minute,
            configuration.syncro,
            configuration.validity,
            configuration.permissions,
            configuration.confirm_after,
            configuration.alerts,
            self.path("state.db").display()
        );
        for Tenant { name, base_url, more, tokens } in &configuration.tenants {
            let base_url = base_url.clone().unwrap_or_else(|| self.base_url(name));
            write!(text, "[[tenants]]\nname = \"{name}\"\nsubdomain = \"{name}\"\nbase_url = \"{base_url}\"\n{more}\n")
                .expect("a string");
            for Token { name: token_name, value, lines } in tokens {
                let file = format!("{name}-{token_name}");
                self.write(&file, value);
                write!(text, "[[tenants.tokens]]\nname = \"{token_name}\"\ntoken_file = \"{file}\"\n{lines}\n")
                    .expect("a string");
            }
        }
        self.write("config.toml", &text)
    }

    /// Starts the daemon and waits until it says where it listens.
    pub(crate) fn run(&self, configuration: &Configuration) -> Daemon {
        let path = self.configure(configuration);
        Daemon::start(&path, &["--log-level", "info,syncro_token_monitor=debug"])
    }

    pub(crate) fn happens(&self, incident: Incident) {
        let _guard = self.runtime.enter();
        self.simulator.apply(incident);
    }

    pub(crate) fn log(&self) -> Vec<Logged> {
        self.simulator.log()
    }
}

/// What is configured, where it differs from what the harness does anyway.
#[derive(Clone)]
pub(crate) struct Configuration {
    pub(crate) web: String,
    pub(crate) requests_per_minute: u32,
    pub(crate) syncro: String,
    pub(crate) validity: &'static str,
    pub(crate) permissions: &'static str,
    /// What has one cause is notified of together if it is seen within twice this and five seconds.
    pub(crate) confirm_after: &'static str,
    pub(crate) alerts: String,
    pub(crate) tenants: Vec<Tenant>,
}

#[derive(Clone)]
pub(crate) struct Tenant {
    pub(crate) name: String,
    pub(crate) base_url: Option<String>,
    pub(crate) more: String,
    pub(crate) tokens: Vec<Token>,
}

#[derive(Clone)]
pub(crate) struct Token {
    pub(crate) name: String,
    pub(crate) value: String,
    pub(crate) lines: String,
}

impl Configuration {
    /// The tenant `acme` with the token `jumpcloud`, configured with more lines.
    pub(crate) fn acme(lines: &str) -> Self {
        Self::default().tenant("acme", "value-of-acme", lines)
    }

    /// One more tenant with the token `jumpcloud`.
    pub(crate) fn tenant(mut self, name: &str, value: &str, lines: &str) -> Self {
        let token = Token { name: "jumpcloud".to_owned(), value: value.to_owned(), lines: lines.to_owned() };
        let (name, more) = (name.to_owned(), String::new());
        self.tenants.push(Tenant { name, base_url: None, more, tokens: vec![token] });
        self
    }

    pub(crate) fn alerts(mut self, lines: &str) -> Self {
        lines.clone_into(&mut self.alerts);
        self
    }
}

impl Default for Configuration {
    fn default() -> Self {
        Self {
            web: "listen = \"127.0.0.1:0\"".to_owned(),
            requests_per_minute: 170,
            syncro: String::new(),
            validity: "2s",
            permissions: "4s",
            confirm_after: "1s",
            alerts: String::new(),
            tenants: Vec::new(),
        }
    }
}

/// The program, running.
pub(crate) struct Daemon {
    child: Child,
    lines: Receiver<String>,
    pub(crate) seen: Vec<Value>,
    pub(crate) raw: Vec<String>,
    pub(crate) address: String,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncro-token-monitor"));
    command.env_remove("HTTPS_PROXY").env_remove("https_proxy").env_remove("STATE_DIRECTORY");
    command
}

impl Daemon {
    pub(crate) fn start(config: &Path, arguments: &[&str]) -> Self {
        let mut command = program();
        command.arg("--config").arg(config).args(["--log-format", "json"]).args(arguments).arg("run");
        Self::spawn(command)
    }

    /// Starts the demo. One at a time: each checks whether the usual port is free before it takes it.
    pub(crate) fn demo() -> Self {
        static STARTING: Mutex<()> = Mutex::new(());
        let _one = STARTING.lock().unwrap_or_else(PoisonError::into_inner);
        let mut command = program();
        command.args(["--log-format", "json", "demo"]);
        Self::spawn(command)
    }

    /// Starts a command that logs JSON and says `started`.
    pub(crate) fn spawn(command: Command) -> Self {
        let mut daemon = Self::spawn_only(command);
        let started = daemon.wait("started", |line| line["event"] == "started");
        daemon.address = format!("http://{}", started["listen"].as_str().expect("an address"));
        daemon
    }

    /// Starts a command that logs JSON.
    pub(crate) fn spawn_only(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines, seen: Vec::new(), raw: Vec::new(), address: String::new() }
    }

    /// Whether it has a handler of its own for a signal by now.
    pub(crate) fn catches(&self, signal: &str) -> bool {
        let number = [("HUP", 1), ("INT", 2), ("TERM", 15)].into_iter().find(|(name, _)| *name == signal);
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a process");
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("a mask").trim();
        let bit = 1 << (number.expect("a known signal").1 - 1);
        u64::from_str_radix(caught, 16).expect("a number") & bit != 0
    }

    fn next(&mut self, patience: Duration) -> Result<Value, RecvTimeoutError> {
        let line = self.lines.recv_timeout(patience)?;
        let value = serde_json::from_str(&line).unwrap_or(Value::Null);
        self.raw.push(line);
        self.seen.push(value.clone());
        Ok(value)
    }

    /// Waits for one more line, which is kept in `seen`; whether there was one.
    pub(crate) fn receives_line(&mut self, patience: Duration) -> bool {
        self.next(patience).is_ok()
    }

    /// Waits for a line; those before it are kept in `seen`.
    #[expect(clippy::disallowed_methods, reason = "what never comes must not be waited for")]
    pub(crate) fn wait(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + PATIENCE;
        loop {
            match self.next(end.saturating_duration_since(Instant::now())) {
                Ok(line) if wanted(&line) => return line,
                Ok(_) => {}
                Err(error) => panic!("no line for {what} ({error}); seen:\n{}", self.raw.join("\n")),
            }
        }
    }

    /// Waits until an alert is notified.
    pub(crate) fn alert(&mut self, alert: &str, status: &str) -> Value {
        self.wait(&format!("{alert} {status}"), |line| {
            line["event"] == "alert" && line["alert"] == alert && happened(line) == status
        })
    }

    /// Waits until so many more checks of a token have ended, and returns their lines.
    pub(crate) fn checks(&mut self, tenant: &str, check: &str, count: usize) -> Vec<Value> {
        (0..count)
            .map(|_| {
                self.wait(&format!("a {check} check of {tenant}"), |line| {
                    line["event"] == "check" && line["tenant"] == tenant && line["check"] == check
                })
            })
            .collect()
    }

    /// Everything that was notified so far, as `alert status`.
    pub(crate) fn notified(&self) -> Vec<String> {
        let alerts = self.seen.iter().filter(|line| line["event"] == "alert");
        alerts.map(|line| format!("{} {}", line["alert"].as_str().unwrap(), happened(line))).collect()
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        request("GET", &format!("{}{path}", self.address))
    }

    pub(crate) fn post(&self, path: &str) -> (u16, String) {
        request("POST", &format!("{}{path}", self.address))
    }

    /// The value of one series; `None` if it is absent.
    pub(crate) fn metric(&self, series: &str) -> Option<f64> {
        let (_, text) = self.get("/metrics");
        value(&text, series)
    }

    /// The number of its process.
    pub(crate) fn process(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let status =
            Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status().expect("a shell");
        assert!(status.success());
    }

    /// Waits until the program has ended; its last lines are in `seen`.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        while self.next(PATIENCE).is_ok() {}
        self.child.wait().expect("a child")
    }
}

/// What a notification says has happened: `firing`, `reminder`, `resolved`, or what else has changed.
pub(crate) fn happened(line: &Value) -> &str {
    line["change"].as_str().filter(|change| *change != "new").unwrap_or("firing")
}

/// The value of one series in an exposition.
pub(crate) fn value(exposition: &str, series: &str) -> Option<f64> {
    let mut lines = exposition.lines().filter_map(|line| line.rsplit_once(' '));
    lines.find(|(name, _)| *name == series).map(|(_, value)| value.parse().expect("a number"))
}

pub(crate) fn request(method: &str, url: &str) -> (u16, String) {
    send(method, url, None, async |response| (response.status().as_u16(), response.text().await.expect("text")))
}

/// The headers and the body of an answer to a request with one more header.
pub(crate) fn exchange(method: &str, url: &str, header: Option<(&str, &str)>) -> (reqwest::header::HeaderMap, Vec<u8>) {
    send(method, url, header, async |response| {
        (response.headers().clone(), response.bytes().await.expect("a body").to_vec())
    })
}

fn send<T>(method: &str, url: &str, header: Option<(&str, &str)>, read: impl AsyncFnOnce(reqwest::Response) -> T) -> T {
    let method = reqwest::Method::from_bytes(method.as_bytes()).expect("a method");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().expect("a client");
        let mut request = client.request(method, url);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        read(request.send().await.expect("an answer")).await
    })
}

/// Runs a command of the program to its end.
pub(crate) fn call(arguments: &[&str]) -> Output {
    program().args(arguments).stdin(Stdio::null()).output().expect("the program runs")
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Reads all that is left of a pipe.
pub(crate) fn rest(mut pipe: impl Read) -> String {
    let mut text = String::new();
    pipe.read_to_string(&mut text).expect("text");
    text
}

/// Seconds since the epoch: a declared expiry is a moment of the real calendar, so it cannot be simulated from outside.
#[expect(clippy::disallowed_methods, reason = "a declared expiry is a moment of the real calendar")]
pub(crate) fn now() -> i64 {
    chrono::Utc::now().timestamp()
}
