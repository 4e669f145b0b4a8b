//! Contract section 6: names, labels, and series that are there from the first scrape on.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt::Write as _;
use std::io::Read;

use simulator::{Incident, Misbehaviour};

use crate::harness::{ACME, Configuration, World, exchange, value};

/// Name and labels of every metric of the contract; `process_*` beside.
const CONTRACT: [(&str, &str); 39] = [
    ("syncro_token_customers_visible", "tenant,token_name"),
    ("syncro_token_user_info", "tenant,token_name,user_id"),
    ("syncro_token_info", "tenant,token_name,subdomain,profile,security_group,global_admin,fingerprint"),
    ("syncro_token_state", "tenant,token_name,state"),
    ("syncro_token_expiry_timestamp_seconds", "tenant,token_name"),
    ("syncro_token_permission_granted", "tenant,token_name,permission"),
    ("syncro_token_permissions", "tenant,token_name,state"),
    ("syncro_security_group_right", "tenant,security_group,right"),
    ("syncro_token_last_check_timestamp_seconds", "tenant,token_name,check"),
    ("syncro_token_last_success_timestamp_seconds", "tenant,token_name,check"),
    ("syncro_alerts_firing", "alert,severity"),
    ("syncro_alerts_acknowledged", ""),
    ("syncro_tenant_maintenance", "tenant"),
    ("syncro_checks_total", "check"),
    ("syncro_check_failures_total", "check,reason"),
    ("syncro_check_duration_seconds", "check"),
    ("syncro_api_requests_total", "code,method"),
    ("syncro_api_request_duration_seconds", ""),
    ("syncro_api_budget_requests_per_minute", "source_address"),
    ("syncro_api_source_address_requests_total", "source_address"),
    ("syncro_api_source_address_failing", "source_address"),
    ("syncro_api_budget_wait_seconds", ""),
    ("syncro_api_throttled_total", ""),
    ("syncro_api_paused_until_timestamp_seconds", ""),
    ("syncro_monitor_clock_offset_seconds", ""),
    ("syncro_transitions_total", "kind"),
    ("syncro_monitor_checks_due", ""),
    ("syncro_monitor_interval_seconds", "check"),
    ("syncro_monitor_last_tick_timestamp_seconds", ""),
    ("syncro_monitor_shard_info", "count,index"),
    ("syncro_monitor_tenant_owned", "tenant"),
    ("syncro_monitor_store_up", ""),
    ("syncro_monitor_store_commits_total", ""),
    ("syncro_monitor_receivers", ""),
    ("syncro_monitor_log_lines_dropped_total", ""),
    ("syncro_monitor_build_info", "revision,version"),
    ("syncro_monitor_time_zone_info", "source,version"),
    ("syncro_monitor_config_last_reload_successful", ""),
    ("syncro_monitor_config_last_reload_success_timestamp_seconds", ""),
];

/// The labels of `syncro_alert`, which has a series only while something fires.
const ALERT: &str = "alert,severity,tenant,scope,incident,token_name,security_group,user_id,acknowledged";

/// Label names of the first series of each family, by family.
fn families(exposition: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut families: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in exposition.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let name = ["_bucket", "_sum", "_count"].into_iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        let labels = line.split_once('{').map_or("", |(_, rest)| rest.rsplit_once('}').unwrap().0);
        let labels = labels.split("\",").filter_map(|label| label.split_once('=')).map(|(label, _)| label.to_owned());
        families.entry(name.to_owned()).or_default().extend(labels.filter(|label| label != "le"));
    }
    families
}

#[test]
fn every_metric_of_the_contract_has_its_name_and_labels_and_no_series_stands_twice() {
    let world = World::new(ACME);
    let wants = "expires = 2099-01-01\npermissions = [\"Customers - List/Search\", \"Tickets - List/Search\"]";
    let mut daemon = world.run(&Configuration::acme(wants));
    daemon.checks("acme", "permissions", 1);
    let (_, exposition) = daemon.get("/metrics");
    let found = families(&exposition);
    for (name, labels) in CONTRACT {
        let expected: BTreeSet<String> =
            labels.split(',').filter(|label| !label.is_empty()).map(str::to_owned).collect();
        assert_eq!(found.get(name), Some(&expected), "{name}");
        assert!(
            exposition.contains(&format!("# HELP {name} ")) && exposition.contains(&format!("# TYPE {name} ")),
            "{name}"
        );
    }
    let others: Vec<_> = found.keys().filter(|name| CONTRACT.iter().all(|(known, _)| known != name)).collect();
    assert!(others.iter().all(|name| name.starts_with("process_")) && others.len() >= 6, "{others:?}");
    let states = exposition.lines().filter(|line| line.starts_with("syncro_token_state{") && line.ends_with(" 1"));
    assert_eq!(states.count(), 1, "a state set: exactly one state holds");
    let series: Vec<_> =
        exposition.lines().filter(|line| !line.starts_with('#')).map(|line| line.rsplit_once(' ').unwrap().0).collect();
    assert_eq!(series.iter().collect::<HashSet<_>>().len(), series.len(), "each series once");
}

#[test]
fn metrics_that_are_excluded_are_left_out_and_all_others_stay() {
    let world = World::new(ACME);
    let mut configuration = Configuration::acme("permissions = [\"Tickets - Edit\"]");
    let mut daemon = world.run(&configuration);
    daemon.checks("acme", "permissions", 1);
    let whole = families(&daemon.get("/metrics").1);
    let excluded = ["syncro_token_info", "syncro_security_group_right", "syncro_alert"];
    assert!(excluded[..2].iter().all(|name| whole.contains_key(*name)), "{whole:?}");
    // It holds from a reload on.
    write!(configuration.web, "\n[metrics]\nexclude = {excluded:?}\n").unwrap();
    world.configure(&configuration);
    assert_eq!(daemon.post("/-/reload").0, 200);
    let (_, exposition) = daemon.get("/metrics");
    assert!(!exposition.contains("syncro_security_group_right"), "neither its help");
    let expected: Vec<_> = whole.keys().filter(|name| !excluded.contains(&name.as_str())).collect();
    assert_eq!(families(&exposition).keys().collect::<Vec<_>>(), expected);
    configuration.web = configuration.web.replace("syncro_token_info", "syncro_token_inf");
    world.configure(&configuration);
    let (status, why) = daemon.post("/-/reload");
    assert_ne!(status, 200, "{why}");
    assert!(why.contains("metrics.exclude[0]: `syncro_token_inf` is no metric about the fleet; allowed: did you mean `syncro_token_info`?"), "{why}");
}

#[test]
fn every_configured_token_has_its_series_from_the_first_scrape_on() {
    let world = World::new(ACME);
    world.happens(Incident::Misbehaves { tenant: None, path: None, how: Misbehaviour::Hang, seconds: 600 });
    let mut configuration = Configuration::acme("expires = 2099-01-01\npermissions = [\"Tickets - Edit\"]");
    configuration.syncro = String::new();
    let daemon = world.run(&configuration);
    let (_, exposition) = daemon.get("/metrics");
    let of = "tenant=\"acme\",token_name=\"jumpcloud\"";
    for (series, expected) in [
        (format!("syncro_token_state{{{of},state=\"unknown\"}}"), 1.0),
        (format!("syncro_token_state{{{of},state=\"valid\"}}"), 0.0),
        (format!("syncro_token_expiry_timestamp_seconds{{{of}}}"), 4_070_908_800.0),
        (format!("syncro_token_permissions{{{of},state=\"unverified\"}}"), 1.0),
        (format!("syncro_token_last_check_timestamp_seconds{{{of},check=\"permissions\"}}"), 0.0),
        (format!("syncro_token_last_success_timestamp_seconds{{{of},check=\"validity\"}}"), 0.0),
        ("syncro_alerts_firing{alert=\"PermissionLost\",severity=\"critical\"}".to_owned(), 0.0),
        ("syncro_alerts_firing{alert=\"SyncroOutage\",severity=\"critical\"}".to_owned(), 0.0),
        ("syncro_check_failures_total{check=\"permissions\",reason=\"tls\"}".to_owned(), 0.0),
        ("syncro_transitions_total{kind=\"state\"}".to_owned(), 0.0),
        ("syncro_api_requests_total{code=\"200\",method=\"GET\"}".to_owned(), 0.0),
        ("syncro_api_throttled_total".to_owned(), 0.0),
        ("syncro_api_budget_requests_per_minute{source_address=\"\"}".to_owned(), 170.0),
    ] {
        assert_eq!(value(&exposition, &series), Some(expected), "{series}");
    }
}

#[test]
fn a_scrape_sends_nothing_to_syncro() {
    let world = World::new(ACME);
    let mut configuration = Configuration::acme("");
    (configuration.validity, configuration.permissions) = ("10m", "10m");
    let mut daemon = world.run(&configuration);
    daemon.checks("acme", "permissions", 1);
    let before = world.log().len();
    for _ in 0..20 {
        assert_eq!(daemon.get("/metrics").0, 200);
    }
    assert_eq!(world.log().len(), before);
}

#[test]
fn firing_alerts_are_counted_and_come_back_to_zero() {
    let world = World::new(ACME);
    let mut daemon = world.run(&Configuration::acme(""));
    daemon.checks("acme", "validity", 1);
    let series = "syncro_alerts_firing{alert=\"TokenRejected\",severity=\"critical\"}";
    world.happens(Incident::TokenRefused { token: "value-of-acme".to_owned() });
    daemon.alert("TokenRejected", "firing");
    daemon.wait("the next turn", |line| line["event"] == "check");
    assert_eq!(daemon.metric(series), Some(1.0));
    assert_eq!(daemon.metric("syncro_transitions_total{kind=\"state\"}"), Some(1.0));
    let (_, exposition) = daemon.get("/metrics");
    assert_eq!(families(&exposition).get("syncro_alert"), Some(&ALERT.split(',').map(str::to_owned).collect()));
    let start =
        "syncro_alert{alert=\"TokenRejected\",severity=\"critical\",tenant=\"acme\",scope=\"token\",incident=\"";
    let alert = exposition.lines().find(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{exposition}"));
    let end = "token_name=\"jumpcloud\",security_group=\"\",user_id=\"\",acknowledged=\"false\"} 1";
    assert!(alert.ends_with(end), "{alert}");
    world.happens(Incident::TokenWorks { token: "value-of-acme".to_owned() });
    daemon.alert("TokenRejected", "resolved");
    daemon.wait("the next turn", |line| line["event"] == "check");
    assert_eq!(daemon.metric(series), Some(0.0));
    assert!(!daemon.get("/metrics").1.contains("syncro_alert{"));
}

#[test]
fn the_content_type_is_the_one_that_prometheus_3_demands() {
    let world = World::new(ACME);
    let daemon = world.run(&Configuration::acme(""));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let response = runtime.block_on(async {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        client.get(format!("{}/metrics", daemon.address)).send().await.unwrap()
    });
    assert_eq!(response.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
}

#[test]
fn every_status_is_there_as_json_with_evidence_and_without_secrets() {
    let world = World::new(ACME);
    let wants = "expires = 2099-01-01\npermissions = [\"Tickets - List/Search\", \"Tickets - Merge\"]";
    let mut daemon = world.run(&Configuration::acme(wants).tenant("nobody", "no-such-value", ""));
    daemon.checks("acme", "permissions", 1);
    daemon.checks("nobody", "validity", 1);
    let (status, text) = daemon.get("/api/v1/tokens");
    let found: serde_json::Value = serde_json::from_str(&text).unwrap();
    let tokens = found["tokens"].as_array().unwrap();
    assert_eq!((status, tokens.len()), (200, 2), "{text}");
    let (acme, nobody) = (&tokens[0], &tokens[1]);
    assert_eq!(
        (&acme["tenant"], &acme["token_name"], &acme["state"]),
        (&"acme".into(), &"jumpcloud".into(), &"valid".into())
    );
    assert_eq!((&acme["security_group"], &acme["global_admin"]), (&"Technicians".into(), &false.into()));
    let (list, merge) = (&acme["permissions"][0], &acme["permissions"][1]);
    assert_eq!((&list["state"], &list["evidence"], &list["answer"]), (&"granted".into(), &"probe".into(), &200.into()));
    assert_eq!(list["shown_by"], "GET /tickets answered 200");
    assert_eq!((&merge["state"], &merge["evidence"]), (&"unverified".into(), &serde_json::Value::Null));
    assert_eq!((&nobody["state"], &nobody["checks"]["validity"]["reason"]), (&"unknown".into(), &"not_syncro".into()));
    for hidden in ["value-of-acme", "no-such-value", "@"] {
        assert!(!text.contains(hidden), "{hidden}");
    }
    assert_eq!(daemon.post("/api/v1/tokens").0, 405);
}

#[test]
fn a_scrape_is_compressed_for_whoever_takes_gzip_and_says_the_same() {
    let world = World::new(ACME);
    let mut daemon = world.run(&Configuration {
        permissions: "1h",
        validity: "1h",
        ..Configuration::acme("profile = \"jumpcloud\"")
    });
    daemon.checks("acme", "permissions", 1);
    let scrape = |coding: Option<&str>| {
        let coding = coding.map(|coding| ("accept-encoding", coding));
        let (headers, body) = exchange("GET", &format!("{}/metrics", daemon.address), coding);
        let header = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(header("vary").as_deref(), Some("Accept-Encoding"));
        assert_eq!(header("content-length"), Some(body.len().to_string()), "a reader sees whether anything is missing");
        (header("content-encoding"), header("content-type"), body)
    };
    let (coding, kind, plain) = scrape(None);
    assert_eq!(coding, None);
    for _ in 0..2 {
        let (coding, compressed_kind, compressed) = scrape(Some("deflate, gzip;q=0.8"));
        assert_eq!((coding.as_deref(), &compressed_kind), (Some("gzip"), &kind));
        assert!(2 * compressed.len() < plain.len(), "{} of {} bytes", compressed.len(), plain.len());
        let mut text = String::new();
        flate2::read::GzDecoder::new(compressed.as_slice()).read_to_string(&mut text).unwrap();
        let of_tokens = |text: &str| {
            text.lines().filter(|line| line.starts_with("syncro_token_")).map(str::to_owned).collect::<Vec<_>>()
        };
        let expected = of_tokens(&String::from_utf8(plain.clone()).unwrap());
        assert!(expected.len() > 20, "{expected:?}");
        assert_eq!(of_tokens(&text), expected);
    }
}
