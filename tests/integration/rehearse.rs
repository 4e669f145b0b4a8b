//! A year ahead: what each receiver would be sent, with nothing asked and nothing sent.

use std::process::Command;

use serde_json::Value;

use crate::harness::{ACME, Configuration, World, call, text};
use crate::real::{have, project};

fn rehearse(world: &World, more: &[&str]) -> (Option<i32>, String, String) {
    let config = world.path("config.toml");
    let output = call(&[&["--config", config.to_str().expect("text"), "rehearse"], more].concat());
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

const RECEIVERS: &str = r#"
expiry_notice = ["30d", "7d"]
[[alerts.webhooks]]
name = "pager"
url = "http://127.0.0.1:1/"
only = { severities = ["critical"] }
[[alerts.webhooks]]
name = "weekly"
url = "http://127.0.0.1:1/"
format = "slack"
digest = "Mon 08:00"
"#;

#[test]
fn each_receiver_is_listed_with_what_it_would_be_sent_and_nothing_is_asked_or_sent() {
    let world = World::new(ACME);
    let mut configuration = Configuration::acme("").alerts(RECEIVERS);
    configuration.validity = "5m";
    configuration.permissions = "1h";
    configuration.tenants[0].more = "time_zone = \"America/New_York\"".to_owned();
    world.configure(&configuration);
    std::fs::remove_file(world.path("acme-jumpcloud")).expect("it was written");
    let options = ["--days", "28", "--revoke", "acme/jumpcloud@9", "--outage", "20:2", "--output", "json"];
    let (code, out, err) = rehearse(&world, &options);
    assert_eq!(code, Some(0), "{err}");
    let said: Value = serde_json::from_str(&out).expect("JSON");
    let sent = said["sent"].as_array().expect("a list");
    let of = |kind: &str| sent.iter().filter(|one| one["kind"] == kind).collect::<Vec<_>>();
    let notifications: Vec<_> = of("notification")
        .iter()
        .map(|one| format!("{} {}", one["alert"].as_str().unwrap(), one["change"].as_str().unwrap()))
        .collect();
    let expected =
        ["TokenRejected new", "TokenRejected resolved", "TenantUnreachable new", "TenantUnreachable resolved"];
    assert_eq!(notifications, expected, "{out}");
    assert_eq!(of("notification")[0]["receivers"], serde_json::json!(["log", "pager", "weekly"]));
    assert!(of("notification")[0]["local"].as_str().unwrap().ends_with(" America/New_York"), "{out}");
    assert_eq!(of("digest").len(), 4, "{out}");
    assert_eq!(said["by_receiver"]["weekly"], 8);
    assert!(world.log().is_empty() && !world.path("state.db").exists(), "nothing is asked and nothing is stored");
    let (_, table, _) = rehearse(&world, &["--days", "28", "--revoke", "acme/jumpcloud@9"]);
    assert!(
        table.contains("\nnotifications by receiver: log 2, pager 2, weekly 2\ndigests by receiver: weekly 4\nassumed: a token that expires or is revoked"),
        "{table}"
    );
}

#[test]
fn what_cannot_be_rehearsed_is_said() {
    let world = World::new(ACME);
    world.configure(&Configuration::acme(""));
    for (options, why) in [
        (["--revoke", "acme/nobody@3"], "no token `acme/nobody` is configured"),
        (["--revoke", "acme/jumpcloud"], "--revoke wants TENANT/TOKEN@DAY"),
        (["--revoke", "acme/jumpcloud@365"], "day 365 is not in the 365 days"),
        (["--outage", "soon"], "--outage soon: DAY or DAY:HOURS"),
        (["--days", "0"], "--days 0: from 1 to 3650"),
        (["--outage", "5:0"], "--outage 5:0: it must last for an hour at least"),
        (["--fixed-after", "0s"], "--fixed-after: more than nothing"),
    ] {
        let (code, _, err) = rehearse(&world, &options);
        assert_eq!(code, Some(1), "{options:?}: {err}");
        assert!(err.contains(why), "{options:?}: {err}");
    }
}

#[test]
fn promtool_tests_the_rules_against_what_would_be_notified() {
    if !have(&["promtool"]) {
        return;
    }
    let world = World::new(ACME);
    let mut configuration = Configuration::acme("expires = 2027-03-01\n").alerts(RECEIVERS);
    (configuration.validity, configuration.permissions) = ("5m", "1h");
    world.configure(&configuration);
    let options = ["--days", "200", "--revoke", "acme/jumpcloud@3", "--outage", "9:3", "--output", "promtool"];
    let (code, tests, err) = rehearse(&world, &options);
    assert_eq!(code, Some(0), "{err}");
    world.write("rehearsed.tests.yml", &tests);
    let rules = std::fs::read_to_string(project("config/prometheus/syncro-token-monitor.rules.yml")).expect("ours");
    let tested = |rules: &str| {
        world.write("syncro-token-monitor.rules.yml", rules);
        let tests = world.path("rehearsed.tests.yml");
        Command::new("promtool").args(["test", "rules"]).arg(tests).output().expect("it is installed")
    };
    let output = tested(&rules);
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    for change in
        [("alert: TokenRejected", "alert: Renamed"), ("alert=\"TenantUnreachable\"} == 1", "alert=\"none\"} == 1")]
    {
        assert!(rules.contains(change.0), "{}", change.0);
        let output = tested(&rules.replace(change.0, change.1));
        assert!(!output.status.success(), "a rule that pages for something else does not pass: {}", change.1);
    }
}
