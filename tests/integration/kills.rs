//! `kill -9` at random points while incidents happen: each is notified, none twice under another key, the store stays whole.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;
use simulator::Incident;

use crate::harness::{Configuration, Daemon, World};

/// So many loops side by side, each with a fleet of its own, and at least so many lives and incidents in each: 200 lives and a
/// few. A busy machine needs more of them, since few of its lives are long enough for a check.
const LOOPS: u64 = 4;
const LIVES: usize = 51;
const INCIDENTS: usize = 25;
const MOST_LIVES: usize = 10 * LIVES;
/// The longest life in milliseconds: a little more than the shortest interval, so that some see a check and some do not.
const LONGEST: u64 = 1500;
/// In milliseconds, more or less: from the log line of a change to the mark that its alert was notified.
const WRITTEN_TOLD_AND_MARKED: u64 = 40;
/// Nothing takes nearly as long to be notified, unless it never is.
const PATIENCE: Duration = Duration::from_mins(2);

const LIST: &str = "Tickets - List/Search";

/// Points that differ from run to run of the loop, the same in each run of the test (xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }
}

/// One token, and what happens to it: as soon as one incident was notified it ends, as soon as its end was notified the next
/// begins.
struct Victim {
    tenant: String,
    loses_permission: bool,
    broken: bool,
    incidents: usize,
    /// The firings and ends that were received, by the moment since when, in order.
    fired: Vec<String>,
    resolved: Vec<String>,
    repeats: usize,
    keys: BTreeSet<String>,
}

impl Victim {
    fn toggle(&mut self, world: &World) {
        let (token, permission) = (format!("value-of-{}", self.tenant), LIST.to_owned());
        self.broken = !self.broken;
        self.incidents += usize::from(self.broken);
        world.happens(match (self.loses_permission, self.broken) {
            (true, true) => Incident::TokenLoses { token, permission },
            (true, false) => Incident::TokenGains { token, permission },
            (false, true) => Incident::TokenRefused { token },
            (false, false) => Incident::TokenWorks { token },
        });
    }

    /// Takes in a line about this token; returns whether it is news that its present incident was notified, or its end.
    fn takes_in(&mut self, line: &Value) -> bool {
        let since = line["since"].as_str().unwrap().to_owned();
        let key = format!("{} {}", line["alert"], line["permissions"]);
        self.keys.insert(key);
        let firing = line["change"] == "new";
        assert!(firing || line["change"] == "resolved", "{line}");
        let received = if firing { &self.fired } else { &self.resolved };
        if received.contains(&since) {
            self.repeats += 1;
            return false;
        }
        let Self { fired, resolved, .. } = self;
        assert_eq!(firing, self.broken, "notified of what is not so: {line}; received before: {fired:?}, {resolved:?}");
        if firing {
            fired.push(since);
        } else {
            resolved.push(since);
        }
        true
    }
}

fn victims() -> Vec<Victim> {
    let victim = |number| Victim {
        tenant: format!("m{number}"),
        loses_permission: number % 2 == 1,
        broken: false,
        incidents: 0,
        fired: Vec::new(),
        resolved: Vec::new(),
        repeats: 0,
        keys: BTreeSet::new(),
    };
    (0..12).map(victim).collect()
}

fn scenario(victims: &[Victim]) -> String {
    let mut text = "requests_per_minute = 0\n".to_owned();
    for Victim { tenant, .. } in victims {
        write!(
            text,
            "[[tenants]]\nsubdomain = \"{tenant}\"\ngroups = [{{ name = \"Technicians\", permissions = \"all\" }}]\n\
             users = [{{ id = 1, group = \"Technicians\" }}]\n\
             tokens = [{{ value = \"value-of-{tenant}\", user = 1, permissions = \"all\" }}]\n"
        )
        .unwrap();
    }
    text
}

fn configuration(victims: &[Victim]) -> Configuration {
    let mut configuration = Configuration {
        requests_per_minute: 100_000,
        validity: "1s",
        permissions: "1s",
        alerts: "confirmations = 2".to_owned(),
        ..Configuration::default()
    };
    for Victim { tenant, .. } in victims {
        let value = format!("value-of-{tenant}");
        configuration = configuration.tenant(tenant, &value, &format!("permissions = [\"{LIST}\"]"));
    }
    configuration
}

/// Takes in what a daemon has said since the last time, and lets the next thing happen as soon as the last was notified;
/// in the end nothing new begins.
fn take_in(world: &World, said: &[Value], victims: &mut BTreeMap<String, Victim>, in_the_end: bool) {
    for line in said.iter().filter(|line| line["event"] == "alert") {
        let victim = victims.get_mut(line["tenant"].as_str().unwrap()).unwrap();
        if victim.takes_in(line) && (victim.broken || !in_the_end) {
            victim.toggle(world);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "a life ends at some moment")]
fn lives(seed: u64) -> [usize; 3] {
    let mut dice = Dice(seed);
    let all = victims();
    let world = World::new(&scenario(&all));
    let configuration = configuration(&all);
    let mut victims: BTreeMap<String, Victim> = all.into_iter().map(|victim| (victim.tenant.clone(), victim)).collect();
    // At first all is ok, and is known to be.
    let mut daemon = world.run(&configuration);
    for tenant in victims.keys() {
        while !daemon.seen.iter().any(|line| line["check"] == "permissions" && line["tenant"] == **tenant) {
            daemon.wait("a check", |line| line["check"] == "permissions");
        }
    }
    daemon.signal("TERM");
    daemon.ended();
    for victim in victims.values_mut() {
        victim.toggle(&world);
    }
    let path = world.path("config.toml");
    let happened = |victims: &BTreeMap<String, Victim>| victims.values().map(|victim| victim.incidents).sum::<usize>();
    let mut life = 0;
    while life < LIVES || (happened(&victims) < INCIDENTS && life < MOST_LIVES) {
        let mut daemon = Daemon::start(&path, &[]);
        let (mut received, mut end) = (0, Instant::now() + Duration::from_millis(dice.below(LONGEST)));
        // Every other life ends while something that has just changed is written, notified and marked.
        let strike = (life % 2 == 0).then(|| Duration::from_millis(dice.below(WRITTEN_TOLD_AND_MARKED)));
        while daemon.receives_line(end.saturating_duration_since(Instant::now())) {
            let changed = daemon.seen[received..].iter().any(|line| line["event"] == "transition");
            if let Some(soon) = strike.filter(|_| changed) {
                end = end.min(Instant::now() + soon);
            }
            take_in(&world, &daemon.seen[received..], &mut victims, false);
            received = daemon.seen.len();
        }
        daemon.signal("KILL");
        daemon.ended();
        // What was said just before the end was said.
        take_in(&world, &daemon.seen[received..], &mut victims, false);
        let store = Connection::open(world.path("state.db")).unwrap();
        let whole: String = store.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
        assert_eq!(whole, "ok", "after life {life}");
        life += 1;
    }
    // One life to the end: whatever is open is notified, and then its end.
    let mut daemon = Daemon::start(&path, &[]);
    let (mut received, end) = (0, Instant::now() + PATIENCE);
    while victims.values().any(|victim| victim.broken || victim.resolved.len() < victim.incidents)
        && daemon.receives_line(end.saturating_duration_since(Instant::now()))
    {
        take_in(&world, &daemon.seen[received..], &mut victims, true);
        received = daemon.seen.len();
    }
    daemon.signal("TERM");
    daemon.ended();
    for victim in victims.values() {
        let Victim { tenant, incidents, fired, resolved, keys, .. } = victim;
        assert_eq!(fired.len(), *incidents, "{tenant}: each incident is notified, and under one name");
        assert_eq!(fired, resolved, "{tenant}: each has its end");
        assert_eq!(keys.len(), 1, "{tenant}: {keys:?}");
    }
    [life, happened(&victims), victims.values().map(|victim| victim.repeats).sum()]
}

#[test]
fn killed_two_hundred_times_it_notifies_of_every_incident_and_of_none_under_two_names() {
    let loops = (1..=LOOPS).map(|seed| std::thread::spawn(move || lives(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))));
    let loops: Vec<_> = loops.collect();
    let sums: Vec<_> = loops.into_iter().map(|ended| ended.join().unwrap()).collect();
    let [kills, incidents, repeats] = [0, 1, 2].map(|index| sums.iter().map(|sum| sum[index]).sum::<usize>());
    println!("{incidents} incidents over {kills} kills, {repeats} notices repeated");
    assert!(incidents >= 100, "{incidents}: something must happen between the kills");
}
