//! Time zones come from the system where it has them, so that a government's decision needs no new program.

use std::fmt::Write;
use std::path::Path;

use crate::harness::{ACME, Daemon, World, program, text, value};

/// Four zones as IANA 2026f has them; before 2026 their clocks were changed twice a year.
fn folder() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/zoneinfo")
}

/// The metrics of a daemon that watches a token for each zone, which expires on that day.
fn metrics(zones: &[(&str, &str)], folder: &Path) -> String {
    let world = World::new(ACME);
    world.write("t", "value-of-acme");
    let mut config = format!("[web]\nlisten = \"127.0.0.1:0\"\n[storage]\npath = \"{}\"\n", world.path("s").display());
    for (index, (zone, day)) in zones.iter().enumerate() {
        write!(
            config,
            "[[tenants]]\nname = \"t{index}\"\nbase_url = \"{}\"\ntime_zone = \"{zone}\"\n[[tenants.tokens]]\nname = \"x\"\ntoken_file = \"t\"\nexpires = {day}\n",
            world.base_url("acme")
        )
        .unwrap();
    }
    let config = world.write("config.toml", &config);
    let mut command = program();
    command.env("TZDIR", folder).arg("-c").arg(config).args(["--log-format", "json", "run"]);
    Daemon::spawn(command).get("/metrics").1
}

#[test]
fn a_date_begins_when_the_systems_zones_say() {
    let zones = [
        ("America/Vancouver", "2027-01-15", "2027-01-15T07:00:00Z"),
        ("America/Edmonton", "2027-01-15", "2027-01-15T06:00:00Z"),
        ("America/Winnipeg", "2027-12-01", "2027-12-01T05:00:00Z"),
        ("Africa/Casablanca", "2027-01-15", "2027-01-15T00:00:00Z"),
        ("America/Vancouver", "2051-07-15", "2051-07-15T07:00:00Z"),
    ];
    let text = metrics(&zones.map(|(zone, day, _)| (zone, day)), &folder());
    for (index, (zone, day, begin)) in zones.iter().enumerate() {
        let series = format!("syncro_token_expiry_timestamp_seconds{{tenant=\"t{index}\",token_name=\"x\"}}");
        let begin: chrono::DateTime<chrono::Utc> = begin.parse().unwrap();
        assert_eq!(value(&text, &series), Some(begin.timestamp() as f64), "{zone} {day}");
    }
    let info = "syncro_monitor_time_zone_info{source=\"system\",version=\"unknown\"}";
    assert_eq!(value(&text, info), Some(1.0), "{text}");
}

#[test]
fn zone_files_that_are_none_are_passed_over() {
    let world = World::new(ACME);
    std::fs::create_dir_all(world.path("Asia")).unwrap();
    assert!(std::process::Command::new("mkfifo").arg(world.path("Asia/Tokyo")).status().unwrap().success());
    let text = metrics(&[("Asia/Tokyo", "2027-01-15")], &world.path(""));
    let series = "syncro_token_expiry_timestamp_seconds{tenant=\"t0\",token_name=\"x\"}";
    let begin: chrono::DateTime<chrono::Utc> = "2027-01-14T15:00:00Z".parse().unwrap();
    assert_eq!(value(&text, series), Some(begin.timestamp() as f64));
    assert!(text.contains("syncro_monitor_time_zone_info{source="), "{text}");
}

#[test]
fn the_version_says_which_time_zones_are_used() {
    let output = program().env("TZDIR", folder()).arg("--version").output().unwrap();
    let said = text(&output.stdout);
    assert!(said.starts_with(&format!("syncro-token-monitor {}\n", env!("CARGO_PKG_VERSION"))), "{said}");
    assert!(said.contains("time zones: the system's in `") && said.contains("version unknown"), "{said}");
}
