//! Contract section 5: fires once, is reminded, resolves once; a flap repeats nothing.

use chrono::{DateTime, TimeDelta};
use simulator::{Incident, Misbehaviour};

use crate::harness::{ACME, Configuration, World, now};

fn refused() -> Incident {
    Incident::TokenRefused { token: "value-of-acme".to_owned() }
}

fn works() -> Incident {
    Incident::TokenWorks { token: "value-of-acme".to_owned() }
}

#[test]
fn an_alert_fires_once_is_reminded_and_resolves_once() {
    let world = World::new(ACME);
    let mut daemon = world.run(&Configuration::acme("").alerts("remind_every = \"3s\""));
    daemon.checks("acme", "validity", 1);
    world.happens(refused());
    let fired = daemon.alert("TokenRejected", "firing");
    let reminded = daemon.alert("TokenRejected", "reminder");
    assert_eq!((&fired["since"], &fired["severity"]), (&reminded["since"], &reminded["severity"]));
    world.happens(works());
    daemon.alert("TokenRejected", "resolved");
    daemon.checks("acme", "validity", 3);
    let notified = daemon.notified();
    assert_eq!(notified.first().map(String::as_str), Some("TokenRejected firing"));
    assert_eq!(notified.last().map(String::as_str), Some("TokenRejected resolved"));
    assert!(
        notified[1..notified.len() - 1].iter().all(|notified| notified == "TokenRejected reminder"),
        "{notified:?}"
    );
}

#[test]
fn a_flap_shorter_than_the_confirmations_alerts_nobody() {
    let world = World::new(ACME);
    let mut daemon = world.run(&Configuration::acme("").alerts("confirmations = 3"));
    daemon.checks("acme", "validity", 1);
    world.happens(refused());
    daemon.checks("acme", "validity", 2);
    world.happens(works());
    daemon.checks("acme", "validity", 3);
    assert_eq!(daemon.notified(), Vec::<String>::new());
}

#[test]
fn the_time_from_a_change_to_its_alert_is_bounded_by_interval_and_confirmation() {
    let world = World::new(ACME);
    let mut daemon = world.run(&Configuration::acme(""));
    let before = daemon.checks("acme", "validity", 1).remove(0);
    world.happens(refused());
    let fired = daemon.alert("TokenRejected", "firing");
    let at = |line: &serde_json::Value| DateTime::parse_from_rfc3339(line["timestamp"].as_str().unwrap()).unwrap();
    let took = at(&fired) - at(&before);
    // The interval is 2 s and the re-check comes after 1 s.
    assert!(took <= TimeDelta::seconds(2 + 1 + 2), "{took}");
}

#[test]
fn an_expiry_is_spoken_of_once_for_each_notice_and_the_last_one_is_critical() {
    let world = World::new(ACME);
    let expires = DateTime::from_timestamp(now() + 9, 0).unwrap();
    let configuration = Configuration::acme(&format!("expires = {}", expires.to_rfc3339()))
        .alerts("expiry_notice = [\"30d\", \"14d\", \"5s\"]\nremind_every = \"1s\"");
    let mut daemon = world.run(&configuration);
    let first = daemon.alert("TokenExpiring", "firing");
    assert_eq!((&first["severity"], &first["level"]), (&"warning".into(), &"WARN".into()));
    let last = daemon.alert("TokenExpiring", "escalated");
    assert_eq!((&last["severity"], &last["level"]), (&"critical".into(), &"ERROR".into()));
    daemon.checks("acme", "validity", 2);
    assert_eq!(daemon.notified(), ["TokenExpiring firing", "TokenExpiring escalated"]);
    world.configure(&Configuration::acme("expires = 2099-01-01"));
    daemon.signal("HUP");
    daemon.alert("TokenExpiring", "resolved");
}

#[test]
fn a_tenant_without_a_verdict_for_long_is_unreachable_and_nothing_else_is_said() {
    let world = World::new(ACME);
    let mut daemon = world.run(&Configuration::acme("").alerts("unreachable_after = \"4s\""));
    daemon.checks("acme", "validity", 1);
    world.happens(Incident::Misbehaves { tenant: None, path: None, how: Misbehaviour::Status(502), seconds: 600 });
    let line = daemon.alert("TenantUnreachable", "firing");
    assert_eq!((&line["severity"], &line["tenant"]), (&"warning".into(), &"acme".into()));
    assert!(line.get("token_name").is_none(), "{line}");
    assert!(line["message"].as_str().unwrap().contains("http_5xx"), "{line}");
    world.happens(Incident::Behaves);
    daemon.alert("TenantUnreachable", "resolved");
    assert_eq!(daemon.notified(), ["TenantUnreachable firing", "TenantUnreachable resolved"]);
}

#[test]
fn the_text_log_says_the_same_as_the_json_log() {
    let world = World::new(ACME);
    world.happens(refused());
    let path = world.configure(&Configuration::acme(""));
    let mut child = crate::harness::program();
    let mut child = child.arg("-c").arg(path).arg("run").stderr(std::process::Stdio::piped()).spawn().unwrap();
    let lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let line = lines.map_while(Result::ok).find(|line| line.contains("event=\"alert\"")).expect("an alert");
    child.kill().unwrap();
    child.wait().unwrap();
    for part in [
        "ERROR",
        "alert=\"TokenRejected\"",
        "status=\"firing\"",
        "severity=\"critical\"",
        "tenant=\"acme\"",
        "token_name=\"jumpcloud\"",
    ] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert!(!line.contains('\u{1b}'), "no colours in a pipe: {line:?}");
}

#[test]
fn a_glitch_of_syncro_is_one_message_and_none_about_a_token() {
    let names = ["one", "two", "three", "four", "five"];
    let scenario: String = names.iter().map(|name| ACME.replace("acme", name)).collect();
    let mut configuration = Configuration { validity: "4s", permissions: "1h", ..Configuration::default() };
    for name in names {
        configuration = configuration.tenant(name, &format!("value-of-{name}"), "");
    }
    let world = World::new(&format!("requests_per_minute = 0\n{scenario}"));
    configuration.requests_per_minute = 10_000;
    // A machine that is busy for a second is no reason to believe.
    let mut daemon = world.run(&configuration.alerts("confirmations = 3"));
    for name in names {
        while !daemon.seen.iter().any(|line| line["check"] == "validity" && line["tenant"] == name) {
            daemon.checks(name, "validity", 1);
        }
    }
    let refuses = |how| Incident::Misbehaves { tenant: None, path: None, how, seconds: 600 };
    world.happens(refuses(Misbehaviour::Status(401)));
    let line = daemon.alert("SyncroOutage", "firing");
    assert_eq!((&line["severity"], &line["tenant"]), (&"critical".into(), &serde_json::Value::Null), "{line}");
    assert!(line["message"].as_str().unwrap().contains("it is probably not the tokens"), "{line}");
    let firing = "syncro_alerts_firing{alert=\"SyncroOutage\",severity=\"critical\"}";
    assert_eq!(daemon.metric(firing), Some(1.0));
    daemon.checks("one", "validity", 4);
    assert_eq!(daemon.metric("syncro_token_state{tenant=\"one\",token_name=\"jumpcloud\",state=\"valid\"}"), Some(1.0));
    world.happens(Incident::Behaves);
    daemon.alert("SyncroOutage", "resolved");
    assert_eq!(daemon.metric(firing), Some(0.0));
    for name in names {
        daemon.checks(name, "validity", 2);
    }
    assert_eq!(daemon.notified(), ["SyncroOutage firing", "SyncroOutage resolved"]);
}
