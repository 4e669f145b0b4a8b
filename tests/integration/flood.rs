//! Many clients at once that ask for whatever takes longest: they are answered or refused, and hold up nothing else.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use reqwest::Client;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

use crate::harness::{ACME, Configuration, Daemon, World};
use crate::real::until;

/// Tokens of the fleet, and clients that ask at once.
const TOKENS: usize = 1000;
const CLIENTS: usize = 100;
/// How often health is asked for meanwhile.
const QUESTIONS: usize = 30;

/// A daemon with a large fleet, which asks Syncro all the time.
fn large(world: &World) -> Daemon {
    let configuration = Configuration::acme("");
    let path = world.configure(&configuration);
    let mut text = std::fs::read_to_string(&path).unwrap();
    for number in 0..TOKENS {
        write!(
            text,
            "[[tenants]]\nname = \"tenant-{number}\"\nbase_url = \"{}\"\n[[tenants.tokens]]\nname = \"jumpcloud\"\n\
             token_file = \"acme-jumpcloud\"\nexpires = 2099-01-01\nprofile = \"jumpcloud\"\n",
            world.base_url("acme")
        )
        .unwrap();
    }
    // A fleet that the budget does not suffice for is a fault.
    let text = text.replace("\"2s\"\npermissions = \"4s\"", "\"1d\"\npermissions = \"1d\"");
    let path = world.write("config.toml", &text);
    Daemon::start(&path, &["--log-level", "info,syncro_token_monitor=debug"])
}

/// Clients that ask for these paths in turn until they are stopped; each returns the statuses that it saw.
struct Clients {
    runtime: Runtime,
    stop: Arc<AtomicBool>,
    tasks: Vec<JoinHandle<BTreeSet<u16>>>,
}

impl Clients {
    fn ask(address: &str, paths: &[String]) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let one = |number: usize| {
            let (stop, address, paths) = (Arc::clone(&stop), address.to_owned(), paths.to_vec());
            async move {
                let client = Client::builder().no_proxy().timeout(Duration::from_mins(1)).build().unwrap();
                let mut seen = BTreeSet::new();
                for path in paths.iter().cycle().skip(number) {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let answer = client.get(format!("{address}{path}")).send().await.unwrap();
                    let status = answer.status().as_u16();
                    assert!(status != 503 || answer.headers().contains_key("retry-after"), "{path}");
                    answer.bytes().await.unwrap();
                    seen.insert(status);
                }
                seen
            }
        };
        let tasks = (0..CLIENTS).map(|number| runtime.spawn(one(number))).collect();
        Self { runtime, stop, tasks }
    }

    fn stop(self) -> BTreeSet<u16> {
        self.stop.store(true, Ordering::Relaxed);
        self.runtime.block_on(async {
            let mut seen = BTreeSet::new();
            for task in self.tasks {
                seen.extend(task.await.unwrap());
            }
            seen
        })
    }
}

const TICK: &str = "syncro_monitor_last_tick_timestamp_seconds";

#[test]
fn no_flood_of_requests_holds_up_health_or_checks() {
    let world = World::new(ACME);
    let mut daemon = large(&world);
    daemon.checks("acme", "validity", 1);
    let words = |count: usize| (0..count).map(|number| format!("w{number}")).collect::<Vec<_>>().join("+");
    let paths = [
        format!("/?q={}", "ab+".repeat(5200)),
        format!("/?q={}", words(16)),
        "/?page=20".to_owned(),
        "/api/v1/tokens".to_owned(),
        "/api/v1/alerts".to_owned(),
        "/api/v1/tokens/tenant-999/jumpcloud".to_owned(),
        "/api/v1/transitions?limit=1000".to_owned(),
        "/tenants/tenant-999/tokens/jumpcloud".to_owned(),
        "/calendar.ics".to_owned(),
        "/metrics".to_owned(),
        "/runbooks/TokenExpired".to_owned(),
    ];
    let (before, asked) = (daemon.metric(TICK).unwrap(), world.log().len());
    let clients = Clients::ask(&daemon.address, &paths);
    for _ in 0..QUESTIONS {
        assert_eq!(daemon.get("/-/healthy").0, 200);
        assert!([200, 503].contains(&daemon.get("/-/ready").0));
    }
    while world.log().len() <= asked {
        assert!(daemon.receives_line(Duration::from_mins(1)), "checks go on");
    }
    // A scrape may be refused meanwhile, and what was asked may have taken less than a second.
    until("the loop turns", || daemon.metric(TICK).filter(|tick| *tick > before));
    let seen = clients.stop();
    assert!(seen.is_subset(&BTreeSet::from([200, 400, 503])) && seen.contains(&200) && seen.contains(&400), "{seen:?}");
    for path in &paths[1..] {
        assert_eq!(daemon.get(path).0, 200, "{path}: and then all is as before");
    }
}

#[test]
fn a_scrape_is_whole_while_pages_are_flooded() {
    let world = World::new(ACME);
    let daemon = large(&world);
    let clients = Clients::ask(&daemon.address, &["/".to_owned(), "/api/v1/tokens".to_owned()]);
    for _ in 0..3 {
        let (status, exposition) = daemon.get("/metrics");
        let series = exposition.lines().filter(|line| line.starts_with("syncro_token_state{")).count();
        assert_eq!((status, series), (200, (TOKENS + 1) * 9));
        assert!(exposition.ends_with('\n'));
    }
    clients.stop();
}

#[test]
fn what_is_longer_than_anything_here_is_refused() {
    let world = World::new(ACME);
    let daemon = world.run(&Configuration::acme(""));
    let long = |count| "x".repeat(count);
    let many = (0..17).map(|number| format!("w{number}")).collect::<Vec<_>>().join("+");
    for (path, expected, says) in [
        (format!("/?q={}", long(201)), 400, "q: 200 characters at most can be searched for"),
        (format!("/?q={many}"), 400, "16 at most can be searched for"),
        (format!("/?q={}", "a+".repeat(100)), 200, "</html>"),
        (format!("/?q={}", long(5000)), 400, "The query is longer than anything"),
        (format!("/?state={}", long(5000)), 400, "The query is longer than anything"),
        (format!("/?state={}", long(1000)), 400, "no token can be that"),
        (format!("/calendar.ics?{}", long(5000)), 400, "The query is longer than anything"),
        (format!("/metrics?{}", long(5000)), 400, "The query is longer than anything"),
        (format!("/runbooks/{}", long(5000)), 414, "The path is longer"),
        (format!("/tenants/{}/tokens/x", long(5000)), 414, "The path is longer"),
        (format!("/nowhere/{}", long(5000)), 414, "The path is longer"),
        (format!("/api/v1/transitions?tenant={}", long(101)), 400, "{\"error\":\"tenant: longer than any name"),
        (format!("/api/v1/transitions?token_name={}", long(101)), 400, "{\"error\":\"token_name: longer than"),
        (format!("/api/v1/transitions?since={}", long(65)), 400, "{\"error\":\"since: longer than"),
        (format!("/api/v1/transitions?until={}", long(65)), 400, "{\"error\":\"until: longer than"),
        (format!("/api/v1/transitions?{}", long(5000)), 400, "{\"error\":\"The query is longer"),
        (format!("/api/v1/tokens/{}/x", long(5000)), 414, "{\"error\":\"The path is longer"),
        (format!("/-/healthy?{}", long(5000)), 200, "the loop turns"),
    ] {
        let (status, answer) = daemon.get(&path);
        let path: String = path.chars().take(40).collect();
        assert_eq!(status, expected, "{path}: {answer}");
        assert!(answer.contains(says), "{path}: {answer}");
    }
}

#[test]
fn another_site_cannot_make_a_browser_ask_for_pages() {
    let world = World::new(ACME);
    let daemon = world.run(&Configuration::acme(""));
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let status = |path: &str, mode: &str| {
        let client = Client::builder().no_proxy().build().unwrap();
        let request = client.get(format!("{}{path}", daemon.address));
        let request = request.header("sec-fetch-site", "cross-site").header("sec-fetch-mode", mode);
        runtime.block_on(async { request.send().await.unwrap().status().as_u16() })
    };
    for path in ["/", "/api/v1/tokens", "/metrics", "/calendar.ics", "/tenants/acme/tokens/jumpcloud"] {
        assert_eq!((status(path, "no-cors"), status(path, "navigate")), (403, 200), "{path}");
    }
}

/// Sockets that say nothing, more than there may be files open.
#[test]
fn idle_connections_do_not_use_up_all_files() {
    let world = World::new(ACME);
    let path = world.configure(&Configuration::acme(""));
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""]).arg(env!("CARGO_BIN_EXE_syncro-token-monitor"));
    command.arg("-c").arg(path).args(["--log-format", "json", "--log-level", "debug", "run"]);
    command.env_remove("STATE_DIRECTORY").env_remove("HTTPS_PROXY").env_remove("https_proxy");
    let mut daemon = Daemon::spawn(command);
    daemon.checks("acme", "validity", 1);
    let address = daemon.address.trim_start_matches("http://").to_owned();
    let idle: Vec<_> = (0..120).map(|_| std::net::TcpStream::connect(&address).unwrap()).collect();
    for _ in 0..3 {
        daemon.checks("acme", "validity", 1);
        assert_eq!(daemon.get("/-/healthy").0, 200);
    }
    drop(idle);
    let failed = daemon.seen.iter().filter(|line| line["event"] == "check" && line["level"] == "WARN");
    assert_eq!(failed.count(), 0, "every check had the files that it needed");
    assert!(daemon.seen.iter().filter(|line| line["event"] == "accept_failed").count() <= 1);
    assert_eq!(daemon.notified(), Vec::<String>::new());
}
