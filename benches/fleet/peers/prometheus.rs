//! How long a real Prometheus takes for a scrape.

use std::io::ErrorKind;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::process::Process;

const PROGRAM: &str = "prometheus";
/// How many scrapes are measured at least.
const SCRAPES: f64 = 3.0;

/// The average duration of a scrape as Prometheus itself has it, with what it does of what it has read; `None` if it is not
/// installed.
pub(crate) async fn scrape_duration(address: &str, path: &str, parameters: &str, every: Duration) -> Option<Duration> {
    let folder = tempfile::tempdir().expect("a folder");
    let config = folder.path().join("prometheus.yml");
    let seconds = every.as_secs();
    let scrape = format!(
        "global: {{ scrape_interval: {seconds}s, scrape_timeout: {seconds}s }}\nscrape_configs:\n- job_name: it\n  \
         metrics_path: {path}\n  params: {parameters}\n  static_configs: [{{ targets: [\"{address}\"] }}]\n"
    );
    std::fs::write(&config, scrape).expect("a folder");
    let own = super::free_address();
    let child = Command::new(PROGRAM)
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
        .arg(format!("--web.listen-address={own}"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let child = match child {
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        child => child.expect("it starts"),
    };
    let mut prometheus = Process::of(child, own);
    loop {
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(prometheus.is_running(), "Prometheus has ended");
        let scrapes = query(&prometheus, "sum(count_over_time(scrape_duration_seconds[1h]))").await;
        if scrapes.is_some_and(|scrapes| scrapes >= SCRAPES) {
            assert_eq!(query(&prometheus, "sum(min_over_time(up[1h]))").await, Some(1.0), "a scrape failed");
            let average = query(&prometheus, "sum(avg_over_time(scrape_duration_seconds[1h]))").await;
            return Some(Duration::from_secs_f64(average.expect("a number")));
        }
    }
}

async fn query(prometheus: &Process, query: &str) -> Option<f64> {
    let (_, answer) = prometheus.get(&format!("/api/v1/query?query={query}")).await;
    let answer: serde_json::Value = serde_json::from_slice(&answer).ok()?;
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}
