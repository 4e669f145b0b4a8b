//! Start, reload with rollback, and stop.

use std::time::{Duration, Instant};

use simulator::Incident;

use crate::harness::{ACME, Configuration, Daemon, World, program, text};

const LIST: &str = "permissions = [\"Tickets - List/Search\"]";

#[test]
#[expect(clippy::disallowed_methods, reason = "the promise is about the real clock")]
fn sigterm_and_sigint_stop_in_order_within_ten_seconds() {
    for signal in ["TERM", "INT"] {
        let world = World::new(ACME);
        // A request that hangs must not keep the daemon.
        let how = simulator::Misbehaviour::Hang;
        world.happens(Incident::Misbehaves { tenant: None, path: None, how, seconds: 600 });
        let mut daemon = world.run(&Configuration::acme(""));
        let begin = Instant::now();
        daemon.signal(signal);
        let status = daemon.ended();
        assert_eq!(status.code(), Some(0), "{signal}");
        assert!(begin.elapsed() < Duration::from_secs(10), "{signal}");
        assert_eq!(daemon.seen.last().unwrap()["event"], "stopped", "{signal}");
    }
}

/// A daemon that starts with so many tenants that it takes its time, from the moment on at which it listens for signals.
fn starting(world: &World) -> Daemon {
    let mut configuration = Configuration::default();
    for number in 0..3000 {
        configuration = configuration.tenant(&format!("tenant-{number}"), "value-of-acme", "");
        configuration.tenants[number].base_url = Some(world.base_url("acme"));
    }
    (configuration.validity, configuration.permissions) = ("1d", "1d");
    configuration.requests_per_minute = 100_000;
    let path = world.configure(&configuration);
    let mut command = program();
    command.arg("-c").arg(&path).args(["--log-format", "json", "run"]);
    let daemon = Daemon::spawn_only(command);
    while !daemon.catches("HUP") {}
    daemon
}

#[test]
fn a_reload_wished_for_while_it_starts_follows_the_start() {
    let world = World::new(ACME);
    let mut daemon = starting(&world);
    daemon.signal("HUP");
    assert!(!world.path("state.db").exists(), "it was still starting");
    daemon.wait("the start", |line| line["event"] == "started");
    daemon.wait("the reload", |line| line["event"] == "config_loaded");
    assert_eq!(daemon.seen.iter().filter(|line| line["event"] == "config_loaded").count(), 2);
}

#[test]
fn stopped_while_it_starts_it_ends_in_order() {
    let world = World::new(ACME);
    for signal in ["TERM", "INT"] {
        let mut daemon = starting(&world);
        daemon.signal(signal);
        assert_eq!(daemon.ended().code(), Some(0), "{signal}");
        assert_eq!(daemon.seen.last().unwrap()["event"], "stopped", "{signal}: {:?}", daemon.seen);
    }
}

#[test]
fn a_faulty_configuration_ends_with_78_and_a_taken_port_with_1() {
    let world = World::new(ACME);
    let path = world.write("broken.toml", "[web]\nlisten = 3\n");
    let output = program().arg("-c").arg(&path).arg("run").output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(text(&output.stderr).contains("web.listen"), "{}", text(&output.stderr));

    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = format!("[web]\nlisten = \"{}\"\n", taken.local_addr().unwrap());
    let path = world.write("taken.toml", &listen);
    let output = program().arg("-c").arg(&path).arg("run").output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("listen on 127.0.0.1"), "{}", text(&output.stderr));
}

#[test]
fn a_reload_keeps_statuses_takes_in_what_is_new_and_resolves_what_is_gone() {
    let world = World::new(ACME);
    let mut both = Configuration::acme(LIST).tenant("gone", "no-such-value", "");
    both.tenants[1].base_url = Some(world.base_url("acme"));
    let mut daemon = world.run(&both);
    daemon.alert("TokenRejected", "firing");
    daemon.checks("acme", "permissions", 1);
    let since = daemon.metric(LAST).unwrap();
    let users = |world: &World| world.log().iter().filter(|request| request.path.starts_with("/users")).count();
    let asked = users(&world);
    let mut later = Configuration::acme(LIST).tenant("new", "no-such-value", "");
    later.tenants[1].base_url = Some(world.base_url("acme"));
    world.configure(&later);
    assert_eq!(daemon.post("/-/reload").0, 200);
    let line = daemon.alert("TokenRejected", "resolved");
    assert_eq!(line["tenant"], "gone");
    assert!(line["message"].as_str().unwrap().contains("no longer in the configuration"), "{line}");
    let line = daemon.alert("TokenRejected", "firing");
    assert_eq!(line["tenant"], "new");
    assert!(daemon.metric(LAST).unwrap() >= since, "the status of what stays is kept");
    assert_eq!(users(&world), asked, "and what was asked within the hour is not asked again");
    assert_eq!(daemon.metric(&LAST.replace("acme", "gone")), None, "what is gone has no series");
}

const LAST: &str =
    "syncro_token_last_success_timestamp_seconds{tenant=\"acme\",token_name=\"jumpcloud\",check=\"permissions\"}";
const RELOADED: &str = "syncro_monitor_config_last_reload_successful";

#[test]
fn a_faulty_file_leaves_the_running_configuration_and_says_why() {
    let world = World::new(ACME);
    let mut daemon = world.run(&Configuration::acme(""));
    daemon.checks("acme", "validity", 1);
    let good = daemon.metric("syncro_monitor_config_last_reload_success_timestamp_seconds").unwrap();
    world.configure(&Configuration::acme("colour = \"blue\""));
    daemon.signal("HUP");
    let line = daemon.wait("the rejection", |line| line["event"] == "config_rejected");
    assert!(line["message"].as_str().unwrap().contains("tenants[0].tokens[0].colour: unknown key"), "{line}");
    assert_eq!(daemon.metric(RELOADED), Some(0.0));
    assert_eq!(daemon.metric("syncro_monitor_config_last_reload_success_timestamp_seconds"), Some(good));
    let (status, body) = daemon.post("/-/reload");
    assert_eq!(status, 500);
    assert!(body.contains("tenants[0].tokens[0].colour"), "{body}");
    daemon.checks("acme", "validity", 2);
    world.configure(&Configuration::acme(""));
    assert_eq!(daemon.post("/-/reload").0, 200);
    assert_eq!(daemon.metric(RELOADED), Some(1.0));
}

#[test]
fn a_reload_to_a_taken_port_is_rolled_back_and_to_a_free_one_moves() {
    let world = World::new(ACME);
    let path = world.configure(&Configuration::acme(""));
    let mut daemon = Daemon::start(&path, &["--log-level", "debug"]);
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("127.0.0.1:0", &taken.local_addr().unwrap().to_string())).unwrap();
    let (status, body) = daemon.post("/-/reload");
    assert_eq!((status, body.contains("web.listen")), (500, true), "{body}");
    let free = taken.local_addr().unwrap();
    drop(taken);
    assert_eq!(daemon.post("/-/reload").0, 200);
    daemon.wait("the reload", |line| line["event"] == "config_loaded");
    daemon.address = format!("http://{free}");
    assert_eq!(daemon.get("/metrics").0, 200);
}

#[test]
fn healthy_ready_and_reload_answer_as_a_prometheus_user_expects() {
    let world = World::new(ACME);
    let mut daemon = world.run(&Configuration::acme(""));
    daemon.checks("acme", "validity", 1);
    assert_eq!(daemon.get("/-/ready").0, 200);
    assert_eq!(daemon.get("/-/healthy").0, 200);
    assert_eq!(daemon.get("/").0, 200);
    assert_eq!(daemon.get("/nowhere").0, 404);
    assert_eq!(daemon.get("/-/reload").0, 405);
    assert_eq!(daemon.post("/metrics").0, 405);
}

#[test]
fn not_ready_until_every_token_was_checked() {
    let world = World::new(ACME);
    let how = simulator::Misbehaviour::Hang;
    world.happens(Incident::Misbehaves { tenant: None, path: None, how, seconds: 600 });
    let mut daemon = world.run(&Configuration::acme(""));
    let (status, body) = daemon.get("/-/ready");
    assert_eq!((status, body.trim()), (503, "0 of 1 tokens have been checked"));
    daemon.checks("acme", "validity", 1);
    assert_eq!(daemon.get("/-/ready").0, 200, "a check that failed is a check");
}
