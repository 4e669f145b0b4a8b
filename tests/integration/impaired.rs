//! Trouble of the machine that the daemon runs on is notified as such, and never taken for a token's.

use crate::harness::{ACME, Configuration, Daemon, World};
use simulator::Incident;

/// How many file descriptors a daemon may have open from now on.
fn descriptors(daemon: &Daemon, most: u64) {
    let process = i32::try_from(daemon.process()).unwrap();
    rlimit::prlimit(process, rlimit::Resource::NOFILE, Some((most, 4096)), None).unwrap();
}

#[test]
fn without_descriptors_the_monitor_is_impaired_and_no_token() {
    let mut scenario = String::new();
    let mut configuration = Configuration { requests_per_minute: 6000, ..Configuration::default() };
    for number in 0..6 {
        let name = format!("t{number}");
        scenario +=
            &ACME.replace("\"acme\"", &format!("{name:?}")).replace("value-of-acme", &format!("value-{number}"));
        configuration =
            configuration.tenant(&name, &format!("value-{number}"), "permissions = [\"Tickets - List/Search\"]");
    }
    let world = World::new(&scenario);
    let mut daemon = world.run(&configuration.alerts("unreachable_after = \"3s\""));
    for number in 0..6 {
        let name = format!("t{number}");
        let is_there = daemon.seen.iter().any(|line| line["check"] == "permissions" && line["tenant"] == *name);
        if !is_there {
            daemon.checks(&name, "permissions", 1);
        }
    }
    world.happens(Incident::TokenRefused { token: "value-0".to_owned() });
    daemon.alert("TokenRejected", "firing");
    descriptors(&daemon, 4);
    let line = daemon.alert("MonitorImpaired", "firing");
    assert_eq!((&line["severity"], &line["level"]), (&"critical".into(), &"ERROR".into()));
    assert!(line["message"].as_str().unwrap().contains("Too many open files"), "{line}");
    // Longer than a tenant may be silent.
    for _ in 0..30 {
        daemon.wait("a check", |line| line["event"] == "check" && line["reason"] == "monitor");
    }
    descriptors(&daemon, 1024);
    daemon.alert("MonitorImpaired", "resolved");
    assert_eq!(daemon.notified(), ["TokenRejected firing", "MonitorImpaired firing", "MonitorImpaired resolved"]);
    let failures = "syncro_check_failures_total{check=\"validity\",reason=\"monitor\"}";
    assert!(daemon.metric(failures).unwrap() >= 30.0);
}
