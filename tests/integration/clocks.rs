//! The wall clock is set while the daemon runs, or is wrong when it starts. Debian's `faketime` sets it for one process; the
//! monotonic clock stays as it is.

use std::fs;
use std::path::{Path, PathBuf};

use simulator::Incident;

use crate::harness::{ACME, Configuration, Daemon, World, call, program, text};

/// What sets the clock, where it is installed; says so if not.
fn faketime() -> Option<PathBuf> {
    let folders = fs::read_dir("/usr/lib").into_iter().flatten().flatten().map(|entry| entry.path());
    let library = folders.map(|folder| folder.join("faketime/libfaketimeMT.so.1")).find(|library| library.is_file());
    if library.is_none() {
        assert!(std::env::var_os("SYNCRO_REQUIRE_REAL").is_none(), "`faketime` is not installed");
        println!("skipped: `faketime` is not installed");
    }
    library
}

/// The daemon with a clock that is off by as many seconds as the file `clock` says at any moment.
fn run(world: &World, library: &Path, configuration: &Configuration) -> Daemon {
    let path = world.configure(configuration);
    let mut command = program();
    command.env("LD_PRELOAD", library).env("FAKETIME_TIMESTAMP_FILE", world.path("clock"));
    command.env("FAKETIME_NO_CACHE", "1").env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    command.arg("--config").arg(path).args(["--log-format", "json", "--log-level", "info,syncro_token_monitor=debug"]);
    command.arg("run");
    Daemon::spawn(command)
}

fn set_clock(world: &World, seconds: i64) {
    // In one step: the clock is read at any moment.
    let file = world.write("clock.new", &format!("{seconds:+}\n"));
    fs::rename(file, world.path("clock")).unwrap();
}

fn stop(daemon: &mut Daemon) {
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
}

fn refused() -> Incident {
    Incident::TokenRefused { token: "value-of-acme".to_owned() }
}

fn works() -> Incident {
    Incident::TokenWorks { token: "value-of-acme".to_owned() }
}

#[test]
fn checks_and_alerts_go_on_when_the_clock_is_set() {
    let Some(library) = faketime() else { return };
    for off in [3600, 26 * 3600, -26 * 3600] {
        let world = World::new(ACME);
        set_clock(&world, off);
        let mut daemon = run(&world, &library, &Configuration::acme(""));
        daemon.checks("acme", "validity", 2);
        let differs = |line: &&serde_json::Value| line["event"] == "syncro_clock";
        let said: Vec<_> = daemon.seen.iter().filter(differs).map(|line| line["level"].clone()).collect();
        assert_eq!(said, ["WARN"], "{off} s: once, not with every answer");
        let shown = daemon.metric("syncro_monitor_clock_offset_seconds").unwrap();
        assert!((shown + off as f64).abs() < 30.0, "{shown}, {off}");
        let clock = "The clock of this machine is";
        assert!(daemon.get("/").1.contains(clock), "{off} s");
        set_clock(&world, 0);
        daemon.wait("the clocks agree", |line| line["event"] == "syncro_clock" && line["level"] == "INFO");
        daemon.checks("acme", "validity", 1);
        assert_eq!(daemon.get("/-/healthy").0, 200, "{off} s");
        assert!(!daemon.get("/").1.contains(clock), "{off} s");
        world.happens(refused());
        daemon.alert("TokenRejected", "firing");
        set_clock(&world, off);
        daemon.checks("acme", "validity", 2);
        world.happens(works());
        daemon.alert("TokenRejected", "resolved");
        assert_eq!(daemon.get("/-/healthy").0, 200, "{off} s");
        stop(&mut daemon);
        // A clock that jumps a day ahead may make a reminder due; nothing else is said twice.
        let mut notified = daemon.notified();
        notified.retain(|line| off < 24 * 3600 || line != "TokenRejected reminder");
        assert_eq!(notified, ["TokenRejected firing", "TokenRejected resolved"], "{off} s");
    }
}

#[test]
fn history_outlives_starts_with_a_clock_years_off() {
    const YEAR: i64 = 365 * 24 * 3600;
    let Some(library) = faketime() else { return };
    let world = World::new(ACME);
    set_clock(&world, 0);
    let configuration = Configuration::acme("");
    let mut daemon = run(&world, &library, &configuration);
    world.happens(refused());
    daemon.alert("TokenRejected", "firing");
    world.happens(works());
    daemon.alert("TokenRejected", "resolved");
    stop(&mut daemon);
    let config = world.path("config.toml");
    let history = || text(&call(&["-c", config.to_str().unwrap(), "history"]).stdout);
    let before = history();
    assert!(before.contains("rejected") && before.lines().count() > 2, "{before}");
    for years in [3, 3, 120, -30] {
        set_clock(&world, years * YEAR);
        let mut daemon = run(&world, &library, &configuration);
        daemon.checks("acme", "validity", 2);
        stop(&mut daemon);
        assert_eq!(history(), before, "{years} years ahead");
        assert_eq!(daemon.notified(), Vec::<String>::new(), "{years} years ahead");
    }
    set_clock(&world, 0);
    let mut daemon = run(&world, &library, &configuration);
    daemon.checks("acme", "validity", 1);
    stop(&mut daemon);
    assert_eq!(history(), before);
}

#[test]
fn a_user_who_is_disabled_is_shown_a_day_later_and_nobody_says_that_the_token_is_broken() {
    let Some(library) = faketime() else { return };
    let two = ACME.replace("users = [", "users = [{ id = 2 }, ");
    let world = World::new(&format!("requests_per_minute = 0\n{two}"));
    set_clock(&world, 0);
    let mut configuration = Configuration::acme("permissions = [\"Tickets - List/Search\"]");
    configuration.requests_per_minute = 10_000;
    let mut daemon = run(&world, &library, &configuration);
    while !world.log().iter().any(|request| request.path == "/users") {
        daemon.checks("acme", "permissions", 1);
    }
    world.happens(Incident::UserDisabled { tenant: "acme".to_owned(), user: 1, disabled: true });
    set_clock(&world, 25 * 3600);
    let line = daemon.wait("a user who is gone", |line| line["kind"] == "user_listed");
    assert_eq!((&line["before"], &line["after"]), (&"listed".into(), &"not_listed".into()), "{line}");
    daemon.checks("acme", "permissions", 1);
    let page = daemon.get("/tenants/acme/tokens/jumpcloud").1;
    assert!(
        page.contains("not in the account&#39;s list of users") || page.contains("not in the account's list of users"),
        "{page}"
    );
    let token: serde_json::Value = serde_json::from_str(&daemon.get("/api/v1/tokens/acme/jumpcloud").1).unwrap();
    assert_eq!((&token["user"]["listed"], &token["state"]), (&false.into(), &"valid".into()), "{token}");
    assert_eq!(daemon.notified(), ["UserDisabled firing"], "a warning, since the token works on");
    stop(&mut daemon);
}
