//! Contract sections 4 and 8: what is asked of Syncro, how often, and nothing else.

use std::collections::{BTreeMap, BTreeSet};

use simulator::{Incident, Misbehaviour};
use syncro_token_monitor::catalog::catalog;

use crate::harness::{ACME, Configuration, World, call, text};

#[test]
fn a_full_check_costs_one_me_one_user_and_one_request_for_each_probe() {
    let world = World::new(ACME);
    let path = world.configure(&Configuration::acme("profile = \"jumpcloud\""));
    let output = call(&["-c", path.to_str().unwrap(), "check"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let asked: Vec<_> = world.log().iter().map(|request| format!("{} {}", request.method, request.path)).collect();
    assert_eq!(
        asked,
        [
            "GET /me",
            "GET /users/1",
            "GET /customers?per_page=1",
            "GET /tickets?per_page=1",
            "GET /new_ticket_forms?per_page=1",
            "GET /contacts?per_page=1",
            "GET /new_ticket_forms/0",
            "GET /customers/latest",
            "GET /schedules?per_page=1",
            "GET /tickets/0",
            "GET /canned_responses/settings",
        ],
        "two permissions of one request cost one request, and lists come first"
    );
    let agent = format!("syncro-token-monitor/{}", env!("CARGO_PKG_VERSION"));
    assert!(world.log().iter().all(|request| request.user_agent == agent && request.scheme == "Bearer"));
}

#[test]
fn the_daemon_asks_for_the_user_once_and_for_me_once_in_a_check_of_both() {
    let world = World::new(ACME);
    let mut daemon = world.run(&Configuration::acme("permissions = [\"Tickets - List/Search\"]"));
    daemon.checks("acme", "permissions", 4);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for request in world.log() {
        *counts.entry(request.path).or_default() += 1;
    }
    assert_eq!(counts["/users/1"], 1, "at most once an hour");
    let (me, probes) = (counts["/me"], counts["/tickets?per_page=1"]);
    // Validity every 2 s, permissions every 4 s: each permission check shares its `/me` with a validity check.
    assert!((4..=5).contains(&probes) && me <= 2 * probes + 1, "{counts:?}");
}

#[test]
fn read_only_sends_only_get_and_write_safe_only_adds_requests_to_record_zero() {
    let wants =
        "permissions = [\"Tickets - Edit\", \"Customers - Delete\", \"Tickets - Delete\", \"Tickets - List/Search\"]";
    for (probes, writes) in [("read-only", 0), ("write-safe", 3)] {
        let world = World::new(ACME);
        let mut configuration = Configuration::acme(wants);
        configuration.syncro = format!("probes = \"{probes}\"");
        configuration.permissions = "10s";
        let path = world.configure(&configuration);
        let output = call(&["-c", path.to_str().unwrap(), "check", "--output", "json"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        let log = world.log();
        let (reads, rest): (Vec<_>, Vec<_>) = log.iter().partition(|request| request.method == "GET");
        assert_eq!((reads.len(), rest.len()), (3, writes), "{log:?}");
        assert!(rest.iter().all(|request| request.path.split('/').any(|part| part == "0")), "{rest:?}");
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let granted =
            found["tokens"][0]["permissions"].as_array().unwrap().iter().filter(|known| known["state"] == "granted");
        assert_eq!(granted.count(), 1 + writes);
    }
}

/// Everything that can be configured to be asked: every permission there is, real records for all reads by number.
fn everything(probes: &str) -> (World, std::path::PathBuf) {
    let two = ACME.replace("users = [", "users = [{ id = 2 }, ");
    let world = World::new(&format!("requests_per_minute = 0\n{two}"));
    let mut configuration = Configuration::acme("profile = \"everything\"");
    configuration.requests_per_minute = 10_000;
    configuration.syncro = format!("probes = \"{probes}\"");
    (configuration.permissions, configuration.validity) = ("1h", "1h");
    let numbered = catalog().records().into_iter().zip(1001..).map(|(record, number)| format!("{record} = {number}\n"));
    configuration.tenants[0].more = format!("[tenants.probe_records]\n{}", numbered.collect::<String>());
    let path = world.configure(&configuration);
    let names: Vec<_> = catalog().permissions().map(|(_, known)| format!("\"{}\"", known.name)).collect();
    let profile = format!("\n[profiles.everything]\nrequired = [{}]\n", names.join(", "));
    std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + &profile).unwrap();
    (world, path)
}

#[test]
fn whatever_is_configured_no_write_leaves_but_the_catalogues_to_record_zero() {
    for probes in ["read-only", "write-safe"] {
        let (world, path) = everything(probes);
        let output = call(&["-c", path.to_str().unwrap(), "check"]);
        assert!(!world.log().is_empty(), "{}", text(&output.stderr));
        let writes = world.log().into_iter().filter(|request| request.method != "GET");
        let mut sent: Vec<(String, String)> = writes.map(|request| (request.method, request.path)).collect();
        sent.sort();
        // Two permissions may be shown by requests that differ in their bodies only.
        let allowed: BTreeSet<(String, String, Option<&str>)> = catalog()
            .permissions()
            .filter(|(_, known)| known.probe.is_none() && probes == "write-safe")
            .filter_map(|(_, known)| known.write_probe.as_ref())
            .map(|probe| (probe.method().as_str().to_owned(), probe.path().to_owned(), probe.body.as_deref()))
            .collect();
        let allowed: Vec<_> = allowed.into_iter().map(|(method, path, _)| (method, path)).collect();
        assert_eq!(sent, allowed, "{probes}: each once, and no other");
        assert!(sent.iter().all(|(_, path)| path.split('/').any(|part| part == "0")), "{sent:?}");
    }
}

#[test]
fn a_tenant_may_name_real_records_for_reads() {
    let (world, path) = everything("read-only");
    call(&["-c", path.to_str().unwrap(), "check"]);
    let paths: BTreeSet<String> = world.log().into_iter().map(|request| request.path).collect();
    for number in (1001..).take(catalog().records().len()) {
        assert!(paths.iter().any(|path| path.ends_with(&format!("/{number}"))), "{number}: {paths:?}");
    }
    assert!(paths.iter().all(|path| !path.split('/').any(|part| part == "0")), "{paths:?}");
}

#[test]
fn the_plan_that_validate_prints_is_what_is_asked() {
    for probes in ["read-only", "write-safe"] {
        let (world, path) = everything(probes);
        let plan = text(&call(&["-c", path.to_str().unwrap(), "validate"]).stdout);
        call(&["-c", path.to_str().unwrap(), "check"]);
        let asked = format!("a full check of every token: {} requests,", world.log().len());
        assert!(plan.contains(&asked), "{asked} not in {plan}");
        let reads = world.log().into_iter().filter(|request| request.method == "GET").map(|request| request.path);
        let reads: Vec<_> = reads.collect();
        assert_eq!(reads.iter().collect::<BTreeSet<_>>().len(), reads.len(), "nothing is read twice: {reads:?}");
    }
}

#[test]
fn an_audit_is_in_the_plan_and_asks_nothing_twice() {
    for probes in ["read-only", "write-safe"] {
        let world = World::new(&format!("requests_per_minute = 0\n{ACME}"));
        let mut configuration = Configuration::acme("profile = \"jumpcloud\"\npermissions = [\"Invoices - Create\"]");
        configuration.requests_per_minute = 10_000;
        configuration.syncro = format!("probes = \"{probes}\"\naudit_excess = true");
        (configuration.permissions, configuration.validity) = ("1h", "1h");
        let path = world.configure(&configuration);
        let plan = text(&call(&["-c", path.to_str().unwrap(), "validate"]).stdout);
        let output = call(&["-c", path.to_str().unwrap(), "check", "--output", "json"]);
        assert_eq!(output.status.code(), Some(0), "what is held in excess is no fault: {}", text(&output.stderr));
        let log = world.log();
        let asked = format!("a full check of every token: {} requests,", log.len());
        assert!(plan.contains(&asked), "{asked} not in {plan}");
        let mut requests: Vec<_> = log.iter().map(|request| (&request.method, &request.path)).collect();
        let twice = requests.len();
        requests.sort();
        requests.dedup();
        // Two permissions may be shown by requests that differ in their bodies only.
        assert!(requests.len() + usize::from(probes == "write-safe") >= twice, "{probes}: {log:?}");
        let found: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let excess = found["tokens"][0]["excess"].as_array().unwrap();
        let shown =
            |name: &str| excess.iter().find(|known| known["permission"] == name).map(|known| &known["shown_by"]);
        assert_eq!(shown("Leads - List/Search"), Some(&"GET /leads answered 200".into()));
        assert_eq!(shown("Customers - List/Search"), None, "what is needed is no excess");
        assert_eq!(
            shown("Tickets - View 'Their Ticket' Details (assigned to them)"),
            None,
            "another may have let it through"
        );
        let estimates = shown("Estimates - View Details");
        assert_eq!(estimates, Some(&"GET /estimates/0 answered 404".into()), "asked once, for Invoices - Create too");
        assert_eq!(shown("Vendors - Edit").is_some(), probes == "write-safe");
    }
}

#[test]
fn the_daemon_audits_once_a_day_and_only_if_configured_to() {
    for (audits_excess, audits) in [(true, 1), (false, 0)] {
        let world = World::new(&format!("requests_per_minute = 0\n{ACME}"));
        let mut configuration = Configuration::acme("permissions = [\"Tickets - List/Search\"]");
        configuration.requests_per_minute = 10_000;
        configuration.syncro = format!("audit_excess = {audits_excess}");
        let mut daemon = world.run(&configuration);
        daemon.checks("acme", "permissions", 3);
        let asked = |path: &str| world.log().iter().filter(|request| request.path == path).count();
        assert!(asked("/tickets?per_page=1") >= 3);
        assert_eq!(asked("/leads?per_page=1"), audits, "{audits_excess}");
        let series = "syncro_token_permissions{tenant=\"acme\",token_name=\"jumpcloud\",state=\"excess\"}";
        assert_eq!(
            daemon.metric(series).is_some_and(|count| count > 20.0),
            audits_excess,
            "{:?}",
            daemon.metric(series)
        );
        assert_eq!(daemon.notified(), Vec::<String>::new(), "nobody is notified of what is held in excess");
    }
}

#[test]
fn a_429_pauses_all_requests_for_as_long_as_it_says() {
    let world = World::new(ACME);
    let how = Misbehaviour::RetryLater(Some(4));
    world.happens(Incident::Misbehaves { tenant: None, path: None, how, seconds: 2 });
    let mut daemon = world.run(&Configuration::acme("").tenant("other", "value-of-acme", ""));
    let line = daemon.wait("throttled", |line| line["event"] == "throttled");
    assert_eq!((&line["pause_seconds"], &line["level"]), (&4.into(), &"WARN".into()));
    daemon.wait("a verdict", |line| line["event"] == "check" && line["level"] == "INFO");
    let log = world.log();
    let last_refused = log.iter().filter(|request| request.status == 429).map(|request| request.at).max().unwrap();
    let next = log.iter().filter(|request| request.status != 429).map(|request| request.at).min().unwrap();
    assert!(next >= last_refused + 3900, "{log:?}");
    assert!(daemon.metric("syncro_api_throttled_total").unwrap() >= 1.0);
    assert_eq!(daemon.notified(), Vec::<String>::new());
}

#[test]
fn a_429_that_does_not_say_for_how_long_pauses_for_30_seconds() {
    let world = World::new(ACME);
    let how = Misbehaviour::RetryLater(None);
    world.happens(Incident::Misbehaves { tenant: None, path: None, how, seconds: 600 });
    let mut daemon = world.run(&Configuration::acme("").tenant("other", "value-of-acme", ""));
    let line = daemon.wait("throttled", |line| line["event"] == "throttled");
    assert_eq!(line["pause_seconds"], 30);
}

#[test]
fn the_budget_is_used_and_never_exceeded_whatever_the_fleet_wants() {
    let mut scenario = String::new();
    let mut configuration =
        Configuration { requests_per_minute: 150, validity: "60s", permissions: "10m", ..Configuration::default() };
    for number in 0..40 {
        let name = format!("tenant-{number}");
        scenario +=
            &ACME.replace("\"acme\"", &format!("{name:?}")).replace("value-of-acme", &format!("value-{number}"));
        configuration = configuration.tenant(&name, &format!("value-{number}"), "");
    }
    let world = World::new(&scenario);
    let mut daemon = world.run(&configuration);
    // Everything is due at the start: 40 checks of two requests, as fast as the budget lets them.
    for _ in 0..40 {
        daemon.wait("a check", |line| line["event"] == "check" && line["check"] == "permissions");
    }
    let log = world.log();
    assert!(log.iter().all(|request| request.status == 200), "no 429 from a server that allows 180");
    let times: Vec<u64> = log.iter().map(|request| request.at).collect();
    let most = times.iter().map(|start| times.iter().filter(|at| (*start..*start + 60_000).contains(at)).count()).max();
    assert!(most <= Some(150 + 10), "{most:?} in a minute");
    let (burst, rest) = times.split_at(10);
    let minutes = (rest[rest.len() - 1] - burst[9]) as f64 / 60_000.0;
    let used = rest.len() as f64 / minutes / 150.0;
    assert!((0.95..=1.02).contains(&used), "{used} of the budget used");
}
