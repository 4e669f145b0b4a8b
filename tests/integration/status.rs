//! `status`: what the daemon believes, from its store, as a plugin of Nagios says it.

use std::path::Path;

use serde_json::Value;
use simulator::Incident;

use crate::harness::{ACME, Configuration, World, program, text};

/// Asks for the status; the exit code, and what was printed.
fn status(path: &Path, more: &[&str]) -> (Option<i32>, String) {
    let output = program().args(["--config", path.to_str().unwrap(), "status"]).args(more).output().unwrap();
    (output.status.code(), text(&output.stdout))
}

#[test]
fn a_plugin_says_in_one_line_what_the_daemon_believes_and_asks_syncro_nothing() {
    let world = World::new(ACME);
    let configuration = Configuration::acme("permissions = [\"Tickets - List/Search\"]");
    let mut daemon = world.run(&configuration);
    daemon.checks("acme", "permissions", 1);
    // What a check showed is in the store a moment after it was logged, and surely before the next one.
    daemon.checks("acme", "validity", 1);
    let path = world.path("config.toml");
    let nagios = ["--output", "nagios"];
    let ok = "OK: 1 token works | tokens=1 ok=1 warning=0 critical=0 unknown=0\n";
    assert_eq!(status(&path, &nagios), (Some(0), ok.to_owned()));
    world.happens(Incident::TokenRefused { token: "value-of-acme".to_owned() });
    daemon.alert("TokenRejected", "firing");
    let critical = "CRITICAL: acme/jumpcloud: TokenRejected | tokens=1 ok=0 warning=0 critical=1 unknown=0\n";
    assert_eq!(status(&path, &nagios), (Some(2), critical.to_owned()));
    // The daemon is asked nothing either: what it knew is known for a while after its end.
    daemon.signal("TERM");
    daemon.ended();
    let asked = world.log().len();
    let (code, json) = status(&path, &["--output", "json"]);
    let json: Value = serde_json::from_str(&json).unwrap();
    let alert = &json["tokens"][0]["alerts"][0];
    assert_eq!((code, &json["level"], &alert["alert"]), (Some(2), &"critical".into(), &"TokenRejected".into()));
    let (code, table) = status(&path, &[]);
    assert!(code == Some(2) && table.contains("critical\tacme\tjumpcloud\trejected\t"), "{table}");
    assert_eq!(world.log().len(), asked);
}

#[test]
fn what_keeps_a_plugin_from_knowing_is_unknown_and_said_in_the_same_line() {
    let world = World::new(ACME);
    let path = world.configure(&Configuration::acme(""));
    let (code, line) = status(&path, &["--output", "nagios"]);
    assert_eq!((code, line.starts_with("UNKNOWN: "), line.lines().count()), (Some(3), true, 1), "{line}");
    let mut daemon = world.run(&Configuration::acme(""));
    daemon.checks("acme", "validity", 1);
    let (code, line) = status(&path, &["--output", "nagios", "--tenant", "nope"]);
    assert_eq!((code, line.as_str()), (Some(3), "UNKNOWN: no configured token fits; `validate` counts them\n"));
    std::fs::write(&path, "[[tenants]]\nnmae = 1\n").unwrap();
    let (code, line) = status(&path, &["--output", "nagios"]);
    assert_eq!((code, line.starts_with("UNKNOWN: "), line.lines().count()), (Some(3), true, 1), "{line}");
    assert_eq!(status(&path, &["--output", "xml"]).0, Some(3));
}
