//! What fleets of several sizes cost: the real program against the simulator, as one table. Asserts nothing: machines differ, so
//! that only what stands in one table may be compared.
//!
//! `cargo bench --bench fleet [TOKENS…]`; without sizes those of the table in the documentation.

mod peers;
mod process;
mod world;

use std::time::Duration;

use tokio::time::Instant;

use process::Process;
use world::{Pace, World};

const SIZES: [usize; 4] = [20, 500, 5_000, 50_000];

/// The figures of one size, in the order of the rows.
type Figures = Vec<(&'static str, String)>;

fn main() {
    let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let first = arguments.next();
    if first.as_deref() == Some(peers::SENDS_ONLY) {
        let file = arguments.next().expect("a file");
        runtime.block_on(peers::send_only(&file));
        return;
    }
    let wanted: Vec<usize> = first.into_iter().chain(arguments).map(|size| size.parse().expect("a number")).collect();
    let sizes = if wanted.is_empty() { SIZES.to_vec() } else { wanted };
    let columns: Vec<Figures> = sizes.iter().map(|tokens| runtime.block_on(figures(*tokens))).collect();
    let heads = sizes.iter().map(|tokens| format!(" {tokens} tokens |"));
    say(&format!("| |{}", heads.collect::<String>()));
    say(&format!("|---|{}", "---:|".repeat(sizes.len())));
    for row in 0..columns[0].len() {
        let cells = columns.iter().map(|column| format!(" {} |", column[row].1));
        say(&format!("| {} |{}", columns[0][row].0, cells.collect::<String>()));
    }
    say("");
    let steady = runtime.block_on(steady());
    say(&format!("CPU a request at 15 requests a second: {steady:.0} µs"));
    match runtime.block_on(peers::blackbox()) {
        Some(probe) => {
            say(&format!(
                "CPU a probe of blackbox_exporter {}: {:.0} µs",
                probe.version,
                probe.cpu.as_secs_f64() * 1e6
            ));
            say(&format!("Prometheus' own scrape of one: {}", if_installed(probe.scraped)));
        }
        None => say("blackbox_exporter is not installed"),
    }
}

/// Writes a line of the result.
fn say(line: &str) {
    std::io::Write::write_all(&mut std::io::stdout(), format!("{line}\n").as_bytes()).expect("standard output");
}

async fn figures(tokens: usize) -> Figures {
    let world = World::new(tokens, &Pace::SWEEP).await;
    let (mut daemon, begun) = Process::daemon(&world.config).await;
    let started = begun.elapsed();
    // What a load balancer would see while everything is checked for the first time.
    let mut answers = Vec::new();
    while daemon.get("/-/ready").await.0 != 200 {
        let asked = Instant::now();
        daemon.get("/-/healthy").await;
        answers.push(asked.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let checked = begun.elapsed();
    let swept = world.rest().await;
    let swept = begun.elapsed().saturating_sub(swept);
    answers.sort_unstable();
    let healthy = answers.get(answers.len() * 99 / 100).copied().unwrap_or_default();
    let cpu = daemon.cpu();
    let requests = world.requests() as f64;
    let exposition = daemon.get("/metrics").await.1;
    let text = String::from_utf8_lossy(&exposition);
    let total = |name: &str| -> f64 {
        let lines = text.lines().filter(|line| line.starts_with(name) && line[name.len()..].starts_with(['{', ' ']));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    };
    let commits = total("syncro_monitor_store_commits_total");
    let series = text.lines().filter(|line| !line.starts_with('#')).count();
    let of_tokens =
        text.lines().filter(|line| line.starts_with("syncro_token_") || line.starts_with("syncro_security_"));
    let of_tokens = of_tokens.count();
    let (resident, peak) = daemon.memory();
    let plain = daemon.cost("/metrics", false).await;
    let gzip = daemon.cost("/metrics", true).await;
    let page = daemon.cost("/", false).await;
    let scraped = peers::prometheus::scrape_duration(daemon.address(), "/metrics", "{}", every(tokens)).await;
    let sender = peers::sender(&world.file("exposition", &exposition));
    let sent = sender.cost("/metrics", false).await;
    daemon.stop().await;
    let (_again, begun_again) = Process::daemon(&world.config).await;
    let restarted = begun_again.elapsed();
    let mebibytes = |bytes: u64| format!("{:.1} MiB", bytes as f64 / 1024.0 / 1024.0);
    let budget = swept.as_secs_f64() / 60.0 * f64::from(Pace::SWEEP.requests_per_minute);
    vec![
        ("start to listening, nothing stored", milliseconds(started)),
        ("start to listening, all stored", milliseconds(restarted)),
        ("until every token has been checked", format!("{:.1} s", checked.as_secs_f64())),
        ("until each permission has been", format!("{:.1} s", swept.as_secs_f64())),
        ("of the budget used, 1,000 requests a second", format!("{:.1} %", 100.0 * requests / budget)),
        ("`/-/healthy` meanwhile, p99", milliseconds(healthy)),
        ("CPU a request to Syncro", format!("{:.0} µs", cpu.as_secs_f64() * 1e6 / requests)),
        ("transactions a second", format!("{:.1}", commits / swept.as_secs_f64())),
        ("resident memory", mebibytes(resident)),
        ("its peak", mebibytes(peak)),
        ("series", series.to_string()),
        ("series a token, with those of its group", format!("{:.1}", of_tokens as f64 / tokens as f64)),
        ("`/metrics`", format!("{:.2} MB", exposition.len() as f64 / 1e6)),
        ("its time and CPU", format!("{}, {}", milliseconds(plain.time), milliseconds(plain.cpu))),
        ("CPU beside a server that only sends it", format!("{:.2} ×", ratio(plain.cpu, sent.cpu))),
        ("with gzip", format!("{:.2} MB", gzip.bytes as f64 / 1e6)),
        ("its time and CPU", format!("{}, {}", milliseconds(gzip.time), milliseconds(gzip.cpu))),
        ("Prometheus' own scrape of it", if_installed(scraped)),
        ("the page", format!("{}, {:.2} MB", milliseconds(page.time), page.bytes as f64 / 1e6)),
    ]
}

fn milliseconds(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

/// What Prometheus took, if it is installed.
fn if_installed(time: Option<Duration>) -> String {
    time.map_or("not installed".to_owned(), milliseconds)
}

fn ratio(one: Duration, other: Duration) -> f64 {
    one.as_secs_f64() / other.as_secs_f64()
}

/// How often Prometheus scrapes a fleet: it needs some time for each series.
fn every(tokens: usize) -> Duration {
    Duration::from_secs(2 + tokens as u64 / 2_000)
}

/// The CPU of one request in microseconds where requests are as few as Syncro allows five addresses.
async fn steady() -> f64 {
    const TOKENS: usize = 60;
    let world = World::new(TOKENS, &Pace::STEADY).await;
    let (daemon, _) = Process::daemon(&world.config).await;
    while daemon.get("/-/ready").await.0 != 200 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let (before, cpu) = (world.requests(), daemon.cpu());
    tokio::time::sleep(Duration::from_secs(40)).await;
    (daemon.cpu().saturating_sub(cpu)).as_secs_f64() * 1e6 / (world.requests() - before) as f64
}
