//! A program that runs, what it is asked, and what that costs it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use reqwest::Client;
use tokio::time::Instant;

/// What is measured takes so much of the processor, or so long.
const ENOUGH: Duration = Duration::from_millis(500);
const LONGEST: Duration = Duration::from_secs(20);

/// A program that runs until this is dropped.
pub(crate) struct Process {
    child: Child,
    client: Client,
    address: String,
}

/// What one answer costs, on average.
pub(crate) struct Cost {
    pub(crate) time: Duration,
    pub(crate) cpu: Duration,
    pub(crate) bytes: usize,
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Process {
    /// The daemon with this configuration, once it listens, and when it was started.
    pub(crate) async fn daemon(config: &Path) -> (Self, Instant) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_syncro-token-monitor"));
        command.args(["--log-format", "json", "--log-level", "info", "--config"]).arg(config).arg("run");
        command.stderr(Stdio::piped());
        let begun = Instant::now();
        let mut child = command.spawn().expect("the program starts");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines().map_while(Result::ok);
        let address = lines.find_map(|line| {
            let line: serde_json::Value = serde_json::from_str(&line).ok()?;
            (line["event"] == "started").then(|| line["listen"].as_str().expect("an address").to_owned())
        });
        std::thread::spawn(move || lines.for_each(drop));
        let process = Self::of(child, address.expect("it listens"));
        while process.get("/-/healthy").await.0 != 200 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        (process, begun)
    }

    /// A program that was started, and is asked at this address.
    pub(crate) fn of(child: Child, address: String) -> Self {
        // A proxy of the environment is not for addresses of this machine.
        Self { child, client: Client::builder().no_proxy().build().expect("a client"), address }
    }

    /// Where it is asked.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Asks for a path; the status and the body.
    pub(crate) async fn get(&self, path: &str) -> (u16, Vec<u8>) {
        self.ask(path, false).await
    }

    async fn ask(&self, path: &str, gzip: bool) -> (u16, Vec<u8>) {
        let request = self.client.get(format!("http://{}{path}", self.address));
        let request = if gzip { request.header("Accept-Encoding", "gzip") } else { request };
        let Ok(answer) = request.send().await else { return (0, Vec::new()) };
        let status = answer.status().as_u16();
        (status, answer.bytes().await.map(|body| body.to_vec()).unwrap_or_default())
    }

    /// What it costs on average to ask for a path, after a first time.
    pub(crate) async fn cost(&self, path: &str, gzip: bool) -> Cost {
        let (status, body) = self.ask(path, gzip).await;
        assert_eq!(status, 200, "{path}");
        let (begun, cpu) = (Instant::now(), self.cpu());
        let mut times = 0;
        // The kernel counts hundredths of a second.
        while begun.elapsed() < LONGEST && self.cpu().saturating_sub(cpu) < ENOUGH {
            self.ask(path, gzip).await;
            times += 1;
        }
        Cost { time: begun.elapsed() / times, cpu: self.cpu().saturating_sub(cpu) / times, bytes: body.len() }
    }

    /// The processor time that it has taken, in the program and in the kernel.
    pub(crate) fn cpu(&self) -> Duration {
        let statistics = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).expect("it runs");
        // The name of the program, which comes before, may have spaces.
        let fields = statistics.rsplit(')').next().expect("Linux").split_whitespace();
        let hundredths: u64 = fields.skip(11).take(2).map(|field| field.parse::<u64>().expect("a number")).sum();
        Duration::from_millis(10 * hundredths)
    }

    /// Its resident memory, now and at most, in bytes.
    pub(crate) fn memory(&self) -> (u64, u64) {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("it runs");
        let of = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("Linux");
            line.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).expect("a number") * 1024
        };
        (of("VmRSS:"), of("VmHWM:"))
    }

    /// Whether it has not ended.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("our child").is_none()
    }

    /// Ends it as systemd does.
    pub(crate) async fn stop(&mut self) {
        Command::new("kill").arg(self.child.id().to_string()).status().expect("kill");
        while self.is_running() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}
