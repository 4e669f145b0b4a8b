//! Contract section 6: several daemons share a fleet, and their number changes without anybody being notified anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::IpAddr;
use std::path::PathBuf;

use simulator::Incident;

use crate::fleet::{TENANTS, configuration, scenario};
use crate::harness::{Daemon, World, call, text};
use crate::real::{Server, have, project, until};
use crate::sink::Sink;

/// Writes the configuration of one of so many daemons, each with a store and an address of its own. Returns where it is.
fn configure(world: &World, (index, count): (u32, u32), receivers: &str) -> PathBuf {
    let address = format!("127.0.0.{}", 10 + index);
    let whole = fs::read_to_string(world.configure(&configuration(&[&address]).alerts(receivers))).unwrap();
    let own = whole.replace("state.db", &format!("state-{index}.db"));
    world.write(&format!("config-{index}.toml"), &format!("{own}\n[shard]\nindex = {index}\ncount = {count}\n"))
}

fn start(world: &World, count: u32, receivers: &str) -> Vec<Daemon> {
    let paths: Vec<_> = (0..count).map(|index| configure(world, (index, count), receivers)).collect();
    paths.iter().map(|path| Daemon::start(path, &["--log-level", "info,syncro_token_monitor=debug"])).collect()
}

/// Which daemon each tenant has been asked by since so many requests.
fn owners(world: &World, since: usize) -> BTreeMap<String, IpAddr> {
    let mut owners = BTreeMap::new();
    for request in world.log().split_off(since) {
        let owner = *owners.entry(request.tenant.clone()).or_insert(request.from);
        assert_eq!(owner, request.from, "{} is asked by one daemon", request.tenant);
    }
    owners
}

/// Waits until every tenant has been asked, and returns by which daemon.
fn all_owners(world: &World, since: usize) -> BTreeMap<String, IpAddr> {
    until("every tenant is asked", || Some(owners(world, since)).filter(|owners| owners.len() == TENANTS.len()))
}

/// What the receiver was sent, as `tenant change`.
fn changes(hook: &Sink) -> Vec<String> {
    let word =
        |body: &serde_json::Value| format!("{} {}", body["tenant"].as_str().unwrap(), body["change"].as_str().unwrap());
    let mut changes: Vec<_> = hook.taken().iter().map(word).collect();
    changes.sort_unstable();
    changes
}

fn end(daemons: Vec<Daemon>) {
    for mut daemon in daemons {
        daemon.signal("TERM");
        daemon.ended();
    }
}

#[test]
fn a_fourth_daemon_takes_over_a_part_of_the_fleet_and_nobody_is_notified_anew() {
    if !have(&["prometheus-alertmanager"]) {
        return;
    }
    let (world, hook, pager) = (World::new(&scenario(0)), Sink::new(), Sink::new());
    let alertmanager = Server::alertmanager(&world.path(""), &pager.url());
    let receivers = format!(
        "[[alerts.alertmanagers]]\nurl = \"http://{}\"\n[[alerts.webhooks]]\nname = \"hook\"\nurl = \"{}\"\n",
        alertmanager.address,
        hook.url()
    );
    for tenant in &TENANTS[..8] {
        world.happens(Incident::TokenRefused { token: format!("value-of-{tenant}") });
    }
    let three = start(&world, 3, &receivers);
    let mut expected: Vec<_> = TENANTS[..8].iter().map(|tenant| format!("{tenant} new")).collect();
    expected.sort_unstable();
    until("every cause is notified of", || (changes(&hook).len() == 8).then_some(()));
    assert_eq!(changes(&hook), expected);
    let before = all_owners(&world, 0);
    assert_eq!(before.values().collect::<BTreeSet<_>>().len(), 3, "{before:?}");
    let incidents = || -> BTreeSet<_> {
        let alerts = alertmanager.alerts();
        alerts.iter().map(|alert| alert["labels"]["incident"].as_str().unwrap().to_owned()).collect()
    };
    let fired = until("all of them in Alertmanager", || Some(incidents()).filter(|fired| fired.len() == 8));
    // While they run, each says what it knows; with the next configuration each takes over what it lacks.
    let exported: Vec<_> = (0..3)
        .map(|index| {
            let path = world.path(&format!("config-{index}.toml"));
            let output = call(&["-c", path.to_str().unwrap(), "export-state"]);
            assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
            let text = text(&output.stdout);
            assert!(!text.contains("value-of-"), "no token value leaves");
            world.write(&format!("handover/state-{index}.json"), &text)
        })
        .collect();
    assert_eq!(exported.len(), 3);
    let import = |index: u32| {
        let path = world.path(&format!("config-{index}.toml"));
        call(&["-c", path.to_str().unwrap(), "import-state", world.path("handover").to_str().unwrap()])
    };
    let refused = import(0);
    assert_eq!(refused.status.code(), Some(1), "a daemon runs on it: {}", text(&refused.stderr));
    end(three);
    let since = world.log().len();
    let mut taken = Vec::new();
    for index in 0..4 {
        configure(&world, (index, 4), &receivers);
        let output = import(index);
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
        taken.push(said.lines().next().unwrap().to_owned());
    }
    let again = import(3);
    let said = text(&again.stdout);
    assert!(said.starts_with("taken over: 0 tenants\nas well known here already: "), "{said}");
    let damaged = fs::read_to_string(&exported[0]).unwrap().replace("\"firing\":[{", "\"firing\":[{\"what\":");
    let damaged = world.write("damaged.json", &damaged);
    let path = world.path("config-3.toml");
    let output = call(&["-c", path.to_str().unwrap(), "import-state", damaged.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("damaged.json`: no state that was exported: "), "{}", text(&output.stderr));
    let path = world.path("config-0.toml");
    let handed_over = call(&["-c", path.to_str().unwrap(), "export-state", "--elsewhere"]);
    let handed_over: serde_json::Value = serde_json::from_slice(&handed_over.stdout).unwrap();
    let mut four = start(&world, 4, &receivers);
    let after = all_owners(&world, since);
    let fourth: IpAddr = "127.0.0.13".parse().unwrap();
    let moved: Vec<_> = TENANTS.iter().filter(|tenant| before[**tenant] != after[**tenant]).collect();
    let handed_over =
        handed_over["tenants"].as_array().unwrap().iter().map(|tenant| tenant["tenant"].as_str().unwrap());
    let first: IpAddr = "127.0.0.10".parse().unwrap();
    let of_first = TENANTS.into_iter().filter(|tenant| before[*tenant] == first && after[*tenant] != first);
    assert_eq!(handed_over.collect::<BTreeSet<_>>(), of_first.collect(), "what the first hands over");
    assert!(!moved.is_empty() && moved.iter().all(|tenant| after[**tenant] == fourth), "{moved:?}");
    let tenants = if moved.len() == 1 { "1 tenant".to_owned() } else { format!("{} tenants", moved.len()) };
    let of_others = "taken over: 0 tenants".to_owned();
    assert_eq!(taken, [of_others.clone(), of_others.clone(), of_others, format!("taken over: {tenants}")]);
    for (index, daemon) in four.iter_mut().enumerate() {
        let own: IpAddr = format!("127.0.0.{}", 10 + index).parse().unwrap();
        for (tenant, _) in after.iter().filter(|(_, owner)| **owner == own) {
            daemon.checks(tenant, "validity", 3);
        }
        let info = format!("syncro_monitor_shard_info{{count=\"4\",index=\"{index}\"}}");
        assert_eq!(daemon.metric(&info), Some(1.0));
    }
    assert_eq!(changes(&hook), expected, "nothing is notified anew");
    assert_eq!(incidents(), fired, "and an Alertmanager knows each by its id");
    let healed = **moved.iter().find(|tenant| TENANTS[..8].contains(tenant)).unwrap_or(&&TENANTS[0]);
    world.happens(Incident::TokenWorks { token: format!("value-of-{healed}") });
    let over = format!("{healed} resolved");
    until("the all-clear", || changes(&hook).contains(&over).then_some(()));
    assert_eq!(changes(&hook).len(), 9, "{:?}", changes(&hook));
    end(four);
}

#[test]
fn a_tenant_whose_daemon_is_gone_is_seen_by_prometheus() {
    if !have(&["prometheus"]) {
        return;
    }
    let world = World::new(&scenario(0));
    let mut three = start(&world, 3, "");
    let owners = all_owners(&world, 0);
    let addresses: Vec<_> = three.iter().map(|daemon| daemon.address.clone()).collect();
    let addresses: Vec<_> = addresses.iter().map(String::as_str).collect();
    let prometheus = Server::prometheus_of(&world.path(""), &addresses, &[]);
    let tenants = |query: &str| -> BTreeSet<String> {
        prometheus.query(query).iter().map(|sample| sample["metric"]["tenant"].as_str().unwrap().to_owned()).collect()
    };
    let owned = "sum by (tenant) (syncro_monitor_tenant_owned) == 1";
    until("each tenant is owned by one", || (tenants(owned).len() == TENANTS.len()).then_some(()));
    let pending = |rule: &str| tenants(&format!("ALERTS{{alertname=\"{rule}\"}}"));
    // Before all of them have been scraped, a tenant may seem to have none.
    until("no alert waits", || {
        let waiting = [pending("SyncroMonitorTenantUnowned"), pending("SyncroMonitorTenantOwnedTwice")];
        waiting.iter().all(BTreeSet::is_empty).then_some(())
    });
    let gone = three.remove(1);
    drop(gone);
    let address: IpAddr = "127.0.0.11".parse().unwrap();
    let orphans: BTreeSet<_> =
        owners.into_iter().filter(|(_, owner)| *owner == address).map(|(name, _)| name).collect();
    until("their alert waits", || (pending("SyncroMonitorTenantUnowned") == orphans).then_some(()));
    // One that takes itself for another watches what that one watches.
    let twice = configure(&world, (0, 3), "");
    let own =
        fs::read_to_string(&twice).unwrap().replace("state-0.db", "state-9.db").replace("127.0.0.10", "127.0.0.9");
    let listen = format!("listen = \"{}\"", addresses[1].trim_start_matches("http://"));
    let own = own.replacen("[web]\n", &format!("[web]\n{listen}\n"), 1).replace("listen = \"127.0.0.1:0\"\n", "");
    let _twin = Daemon::start(&world.write("config-9.toml", &own), &[]);
    until("another alert waits", || (!pending("SyncroMonitorTenantOwnedTwice").is_empty()).then_some(()));
}

#[test]
fn the_files_for_kubernetes_hold_a_configuration_for_as_many_daemons_as_they_run() {
    let read = |name: &str| fs::read_to_string(project(&format!("config/kubernetes/{name}"))).unwrap();
    let map = read("config-map.yaml");
    let (_, lines) = map.split_once("  config.toml: |\n").unwrap();
    let own: Vec<_> = lines.lines().map(|line| line.trim_start_matches("    ")).collect();
    let own = own.join("\n") + "\n";
    assert!(own.contains("index = \"hostname\""), "{own}");
    let own = own.replace("\"hostname\"", "2").replace("/etc/syncro-token-monitor/tokens/", "");
    let world = World::new(&scenario(0));
    world.write("prometheus-token", "a-token-of-32-random-characters-x");
    let path = world.write("config.toml", &own);
    let output = call(&["-c", path.to_str().unwrap(), "validate"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let count = own.lines().find_map(|line| line.strip_prefix("count = ")?.split(' ').next()).unwrap();
    assert!(said.contains("shard: 2 of 0 to 2, ") && count == "3", "{said}");
    assert!(read("stateful-set.yaml").contains(&format!("\n  replicas: {count}\n")));
}

#[test]
fn a_shard_is_validated_and_changes_only_at_a_restart() {
    let world = World::new(&scenario(0));
    let path = configure(&world, (1, 3), "");
    let whole = fs::read_to_string(&path).unwrap();
    let output = call(&["-c", path.to_str().unwrap(), "validate"]);
    let said = text(&output.stdout);
    let line = said.lines().find(|line| line.starts_with("shard: 1 of 0 to 2, ")).unwrap_or_else(|| panic!("{said}"));
    assert!(line.ends_with(" of 12 tenants"), "{line}");
    let mut daemon = Daemon::start(&path, &[]);
    for (shard, problem) in [
        (
            "index = 3\ncount = 3",
            "shard.index: 3 is none of 3 shards, whose numbers begin with 0; allowed: a number from 0 to 2",
        ),
        ("index = -1\ncount = 3", "shard.index: -1 is out of bounds"),
        ("index = \"pod\"\ncount = 3", "shard.index: `pod` is not known here"),
        ("index = 0", "shard.count: missing; allowed: `index` and `count` together"),
        ("count = 3", "shard.index: missing; allowed: `index` and `count` together"),
        ("index = 0\ncount = 0", "shard.count: 0 is out of bounds"),
    ] {
        let own = whole.replace("index = 1\ncount = 3", shard);
        let path = world.write("bad.toml", &own);
        let output = call(&["-c", path.to_str().unwrap(), "validate"]);
        assert_eq!(output.status.code(), Some(78), "{shard}");
        assert!(text(&output.stderr).contains(problem), "{}", text(&output.stderr));
    }
    world.write("config-1.toml", &whole.replace("count = 3", "count = 4"));
    daemon.signal("HUP");
    let warning = daemon.wait("a warning", |line| {
        line["event"] == "config_warning" && line["message"].as_str().unwrap().contains("shard")
    });
    let expected =
        "shard: the shard changes only at a restart, once its state was moved; allowed: until then index 1 of 3";
    assert!(warning["message"].as_str().unwrap().ends_with(expected), "{warning}");
    assert_eq!(daemon.metric("syncro_monitor_shard_info{count=\"3\",index=\"1\"}"), Some(1.0));
}
