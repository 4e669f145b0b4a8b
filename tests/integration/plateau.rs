//! Memory is level: a fleet whose tokens lose and regain permissions all the time takes what it took after the first times.
//! The curve over minutes is drawn by the test that is ignored; `docs/development/testing.md` says how.

use std::fmt::Write as _;
use std::fs;
use std::thread;
use std::time::Duration;

use simulator::Incident;

use crate::harness::{Configuration, Daemon, Tenant, Token, World, request};
use crate::sink::Sink;

/// What each token needs and its security group loses and regains.
const PERMISSIONS: [&str; 8] = [
    "Assets - List/Search",
    "Customers - List/Search",
    "Invoices - List/Search",
    "Payments - View List",
    "Tickets - List/Search",
    "Contracts - List/Search",
    "Estimates - List/Search",
    "Products - List/Search",
];
/// Tokens of each tenant, of one user.
const TOKENS: usize = 4;
/// Rounds until everything has been done that there is to do: each page made, each alert fired and resolved.
const FIRST_ROUNDS: usize = 6;
/// Rounds until memory is compared with what it was after the first ones.
const ALL_ROUNDS: usize = 4 * FIRST_ROUNDS;
/// How long no line has to come until it is seen whether all has been noticed, and how often that is tried.
const PAUSE: Duration = Duration::from_millis(100);
const TRIES: usize = 600;
/// KiB that chance may add: a page and a commit that happen to be made at the same time.
const CHANCE: u64 = 1024;

/// A fleet of which half the tenants are without their permissions at any time.
struct Flapping {
    world: World,
    _sink: Sink,
    tenants: usize,
    round: usize,
    daemon: Daemon,
}

/// What a process takes.
struct Taken {
    /// In KiB: what it has written to, which nobody can take back.
    anonymous: u64,
    /// In KiB, the program's own file included.
    resident: u64,
}

impl Flapping {
    fn start(tenants: usize) -> Self {
        let (mut scenario, mut configuration) = ("requests_per_minute = 0\n".to_owned(), Configuration::default());
        let permissions = format!("permissions = {PERMISSIONS:?}");
        for tenant in (0..tenants).map(|number| format!("tenant-{number}")) {
            let tokens = (0..TOKENS).map(|number| format!("{tenant}-{number}"));
            write!(
                scenario,
                "[[tenants]]\nsubdomain = \"{tenant}\"\ngroups = [{{ name = \"Technicians\", permissions = \"all\" }}]\n\
                 users = [{{ id = 1, group = \"Technicians\" }}]\ntokens = [{}]\n",
                tokens
                    .clone()
                    .map(|value| format!("{{ value = \"{value}\", user = 1, permissions = \"all\" }}"))
                    .collect::<Vec<_>>()
                    .join(", ")
            )
            .unwrap();
            let tokens = tokens.map(|value| Token { name: value.clone(), value, lines: permissions.clone() }).collect();
            configuration.tenants.push(Tenant { name: tenant, base_url: None, more: String::new(), tokens });
        }
        let sink = Sink::new();
        (configuration.validity, configuration.permissions) = ("1s", "2s");
        configuration.requests_per_minute = 600_000;
        configuration.alerts = format!("[[alerts.webhooks]]\nname = \"hook\"\nurl = \"{}\"\n", sink.url());
        let world = World::new(&scenario);
        let path = world.configure(&configuration);
        let daemon = Daemon::start(&path, &[]);
        Self { world, _sink: sink, tenants, round: 0, daemon }
    }

    /// One half of the tenants loses what the other half regains, and every page is opened. Returns when all of it has been
    /// noticed.
    fn round(&mut self) {
        let pages = ["/", "/metrics", "/api/v1/tokens", "/api/v1/alerts", "/api/v1/transitions?limit=1000"];
        let of_tokens = (0..3).map(|number| format!("/tenants/tenant-{number}/tokens/tenant-{number}-0"));
        let urls = pages.into_iter().map(str::to_owned).chain(of_tokens);
        let readers: Vec<_> = urls
            .map(|path| {
                let url = format!("{}{path}", self.daemon.address);
                thread::spawn(move || request("GET", &url).0)
            })
            .collect();
        let mut without = 0;
        for number in 0..self.tenants {
            let loses = number % 2 == self.round % 2;
            without += usize::from(loses);
            for permission in PERMISSIONS {
                let (tenant, group) = (format!("tenant-{number}"), "Technicians".to_owned());
                let permission = permission.to_owned();
                self.world.happens(if loses {
                    Incident::GroupLoses { tenant, group, permission }
                } else {
                    Incident::GroupGains { tenant, group, permission }
                });
            }
        }
        self.wait_for(without * TOKENS * PERMISSIONS.len());
        for reader in readers {
            assert_eq!(reader.join().unwrap(), 200);
        }
        self.round += 1;
    }

    /// Waits until so many permissions are missing, and no others.
    fn wait_for(&mut self, missing: usize) {
        let all = self.tenants * TOKENS * PERMISSIONS.len();
        let mut seen = (0, 0);
        for _ in 0..TRIES {
            while self.daemon.receives_line(PAUSE) {}
            let (_, exposition) = self.daemon.get("/metrics");
            let granted =
                |line: &str, value: &str| line.starts_with("syncro_token_permission_granted{") && line.ends_with(value);
            let count = |value| exposition.lines().filter(|line| granted(line, value)).count();
            seen = (count(" 0"), count(" 1"));
            if seen == (missing, all - missing) {
                return;
            }
        }
        panic!("{missing} of {all} were never missing in round {}, but {seen:?}", self.round);
    }

    /// How many changes of any token have been noticed so far.
    fn changes(&self) -> f64 {
        let (_, exposition) = self.daemon.get("/metrics");
        let changes = exposition.lines().filter(|line| line.starts_with("syncro_transitions_total{"));
        changes.filter_map(|line| line.rsplit_once(' ')?.1.parse::<f64>().ok()).sum()
    }

    fn taken(&self) -> Taken {
        let status = fs::read_to_string(format!("/proc/{}/status", self.daemon.process())).unwrap();
        let kibibytes = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        Taken { anonymous: kibibytes("RssAnon:"), resident: kibibytes("VmRSS:") }
    }
}

#[test]
fn memory_stays_level_while_permissions_come_and_go() {
    let mut fleet = Flapping::start(12);
    for _ in 0..FIRST_ROUNDS {
        fleet.round();
    }
    let first = fleet.taken().anonymous;
    for _ in FIRST_ROUNDS..ALL_ROUNDS {
        fleet.round();
    }
    let last = fleet.taken().anonymous;
    assert!(
        last <= first + first / 3 + CHANCE,
        "{first} KiB after {FIRST_ROUNDS} rounds, {last} KiB after {ALL_ROUNDS}"
    );
}

#[test]
fn all_threads_share_one_arena() {
    let mut fleet = Flapping::start(4);
    fleet.round();
    // Every arena but the first begins with a mapping of its own, of which a part can be written to, at a multiple of 64 MiB.
    let maps = fs::read_to_string(format!("/proc/{}/maps", fleet.daemon.process())).unwrap();
    let is_arena = |line: &&str| {
        let (range, rest) = line.split_once(' ').unwrap();
        let start = u64::from_str_radix(range.split_once('-').unwrap().0, 16).unwrap();
        start % (64 * 1024 * 1024) == 0 && rest.starts_with("rw-p") && rest.trim_end().ends_with(" 0")
    };
    let arenas: Vec<_> = maps.lines().filter(is_arena).collect();
    assert!(arenas.is_empty(), "{arenas:#?}");
}

/// Prints what the program takes, minute by minute, for as many minutes as `MEMORY_MINUTES` says.
#[test]
#[ignore = "takes minutes, and draws a curve rather than judging it"]
#[expect(clippy::disallowed_methods, reason = "a curve over time needs a clock")]
fn memory_over_minutes() {
    let minutes: u64 = std::env::var("MEMORY_MINUTES").map_or(12, |minutes| minutes.parse().unwrap());
    let mut fleet = Flapping::start(50);
    let began = std::time::Instant::now();
    println!("minute\tchanges\tRssAnon MiB\tVmRSS MiB");
    for minute in 1..=minutes {
        while began.elapsed().as_secs() < 60 * minute {
            fleet.round();
        }
        let Taken { anonymous, resident } = fleet.taken();
        let mebibytes = |kibibytes: u64| kibibytes as f64 / 1024.0;
        println!("{minute}\t{}\t{:.1}\t{:.1}", fleet.changes(), mebibytes(anonymous), mebibytes(resident));
    }
}
