//! The inhibition rules that are shipped with Alertmanagers silence no alert about another subject, whether the daemon sends
//! its alerts by itself or Prometheus does by our rules.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};
use simulator::Incident;
use tempfile::TempDir;

use crate::harness::{Configuration, Daemon, Token, World};
use crate::real::{Server, have, until};

/// Two users of two groups with a token each.
const TWO: &str = r#"
requests_per_minute = 0
[[tenants]]
subdomain = "acme"
groups = [{ name = "Technicians", permissions = "all" }, { name = "Others", permissions = "all" }]
users = [{ id = 1, group = "Technicians" }, { id = 2, group = "Others" }]
tokens = [{ value = "value-1", user = 1, permissions = "all" }, { value = "value-2", user = 2, permissions = "all" }]
"#;

/// The configuration that Debian ships.
const DEBIAN: &str = "/etc/prometheus/alertmanager.yml";
/// What the releases of Alertmanager ship as `alertmanager.yml`, with a receiver that reaches nobody.
const UPSTREAM: &str = r"
route:
  group_by: ['alertname']
  group_wait: 30s
  group_interval: 5m
  repeat_interval: 1h
  receiver: 'web.hook'
receivers:
  - name: 'web.hook'
inhibit_rules:
  - source_match:
      severity: 'critical'
    target_match:
      severity: 'warning'
    equal: ['alertname', 'dev', 'instance']
";

/// An Alertmanager as Debian ships it, and one as upstream does.
fn stock() -> Option<[(Server, TempDir); 2]> {
    if !have(&["prometheus", "prometheus-alertmanager"]) || !Path::new(DEBIAN).exists() {
        return None;
    }
    let start = |configuration: &str| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("alertmanager.yml");
        fs::write(&path, configuration).unwrap();
        (Server::alertmanager_of(folder.path(), &path), folder)
    };
    Some([start(&fs::read_to_string(DEBIAN).unwrap()), start(UPSTREAM)])
}

/// A daemon that watches one token whose permission is required, and one whose permission is only recommended; and then both
/// are lost.
fn both_lose(world: &World, receivers: &str) -> Daemon {
    let mut configuration = Configuration::acme("").alerts(&format!(
        "{receivers}[profiles.strict]\nrequired = [\"Vendors - List\"]\n\
         [profiles.lenient]\nrecommended = [\"Leads - List/Search\"]\n"
    ));
    configuration.requests_per_minute = 10_000;
    let tokens = [("strict", "value-1"), ("lenient", "value-2")];
    configuration.tenants[0].tokens = tokens
        .map(|(name, value)| Token {
            name: name.to_owned(),
            value: value.to_owned(),
            lines: format!("profile = \"{name}\""),
        })
        .into();
    let mut daemon = world.run(&configuration);
    let is_checked = |daemon: &Daemon, name: &str| {
        daemon.seen.iter().any(|line| line["check"] == "permissions" && line["token_name"] == name)
    };
    while !tokens.iter().all(|(name, _)| is_checked(&daemon, name)) {
        daemon.checks("acme", "permissions", 1);
    }
    for (token, permission) in [("value-1", "Vendors - List"), ("value-2", "Leads - List/Search")] {
        world.happens(Incident::TokenLoses { token: token.to_owned(), permission: permission.to_owned() });
    }
    let mut severities =
        [(); 2].map(|()| daemon.alert("PermissionLost", "firing")["severity"].as_str().unwrap().to_owned());
    severities.sort();
    assert_eq!(severities, ["critical", "warning"]);
    daemon
}

fn is_muted(alert: &Value) -> bool {
    alert["status"]["inhibitedBy"].as_array().is_some_and(|by| !by.is_empty())
}

/// The labels of the two alerts, the critical one first, once the Alertmanager has both and has muted what it mutes: a
/// warning about the same subject as the critical alert, which is sent to show that its rule is at work.
fn unmuted(server: &Server) -> [Value; 2] {
    let of = |alerts: &[Value], severity: &str| {
        let mut labels = alerts.iter().map(|alert| &alert["labels"]);
        labels.find(|labels| labels["alertname"] == "PermissionLost" && labels["severity"] == severity).cloned()
    };
    let [critical, warning] = until("both alerts", || {
        let alerts = server.alerts();
        Some([of(&alerts, "critical")?, of(&alerts, "warning")?])
    });
    let mut control = critical.clone();
    control["severity"] = "warning".into();
    control["incident"] = "control".into();
    server.post("/api/v2/alerts", &json!([{ "labels": control }]));
    let muted = until("a muted alert", || {
        let alerts = server.alerts();
        let muted: Vec<_> = alerts.into_iter().filter(is_muted).map(|alert| alert["labels"].clone()).collect();
        (!muted.is_empty()).then_some(muted)
    });
    assert_eq!(muted, [control], "only what is about the same subject is muted");
    [critical, warning]
}

fn has_subjects([critical, warning]: &[Value; 2]) {
    for label in ["service", "instance"] {
        assert_eq!((&critical[label], &warning[label]), (&"acme/strict".into(), &"acme/lenient".into()), "{label}");
    }
}

#[test]
fn a_critical_alert_of_the_daemon_mutes_no_other_subject() {
    let Some(servers) = stock() else { return };
    let world = World::new(TWO);
    let receiver =
        |(server, _): &(Server, TempDir)| format!("[[alerts.alertmanagers]]\nurl = \"http://{}\"\n", server.address);
    let _daemon = both_lose(&world, &servers.iter().map(receiver).collect::<String>());
    for (server, _) in &servers {
        has_subjects(&unmuted(server));
    }
}

#[test]
fn a_critical_alert_of_the_rules_mutes_no_other_subject() {
    let Some(servers) = stock() else { return };
    let world = World::new(TWO);
    let daemon = both_lose(&world, "");
    let [debian, upstream] = &servers;
    let _prometheus = Server::prometheus(&world.path(""), &daemon.address, &[&debian.0, &upstream.0]);
    for (server, _) in &servers {
        let labels = unmuted(server);
        has_subjects(&labels);
        // The labels are those that the daemon would send, so that one configuration fits both ways.
        for (labels, token) in labels.iter().zip(["strict", "lenient"]) {
            let mut names: Vec<_> = labels.as_object().unwrap().keys().map(String::as_str).collect();
            names.sort_unstable();
            let expected =
                ["alertname", "incident", "instance", "job", "scope", "service", "severity", "tenant", "token_name"];
            assert_eq!((names.as_slice(), &labels["token_name"]), (expected.as_slice(), &token.into()), "{labels}");
        }
    }
}
