//! systemd's notify protocol, spoken to a socket of our own: when the program says that it is ready, reloads, turns, stops.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::PathBuf;
use std::time::Duration;

use crate::harness::{ACME, Configuration, Daemon, World, call, program, text};
use crate::real::{free_port, have, project};

/// What a service manager hears.
struct Manager {
    socket: UnixDatagram,
    /// `$NOTIFY_SOCKET`.
    path: PathBuf,
    received: Vec<String>,
}

impl Manager {
    fn new(world: &World) -> Self {
        let path = world.path("notify");
        Self::of(UnixDatagram::bind(&path).unwrap(), path)
    }

    /// At an abstract name, which has no file.
    fn abstract_at(name: &str) -> Self {
        let address = SocketAddr::from_abstract_name(name).unwrap();
        Self::of(UnixDatagram::bind_addr(&address).unwrap(), format!("@{name}").into())
    }

    fn of(socket: UnixDatagram, path: PathBuf) -> Self {
        socket.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        Self { socket, path, received: Vec::new() }
    }

    /// Starts the daemon as a service manager does, with a watchdog.
    fn start(&self, world: &World, configuration: &Configuration) -> Daemon {
        let mut command = program();
        let config = world.configure(configuration);
        command.arg("--config").arg(config).args(["--log-format", "json", "--log-level", "debug", "run"]);
        command.env("NOTIFY_SOCKET", &self.path).env("WATCHDOG_USEC", "2000000");
        Daemon::spawn(command)
    }

    /// Waits for a message that holds this line.
    fn wait_for(&mut self, wanted: &str) -> String {
        loop {
            let mut bytes = [0; 4096];
            let read =
                self.socket.recv(&mut bytes).unwrap_or_else(|error| panic!("{wanted}: {error}: {:?}", self.received));
            let message = text(&bytes[..read]);
            self.received.push(message.clone());
            if message.lines().any(|line| line.starts_with(wanted)) {
                return message;
            }
        }
    }
}

#[test]
fn the_service_manager_is_notified_when_it_is_ready_reloads_turns_and_stops() {
    let world = World::new(ACME);
    let mut manager = Manager::new(&world);
    let mut daemon = manager.start(&world, &Configuration::acme(""));
    manager.wait_for("READY=1");
    assert_eq!(daemon.get("/metrics").0, 200, "whoever hears that may scrape");
    let status = manager.wait_for("STATUS=watching 1 token");
    assert!(
        status.contains("next check in ") || status.contains("checking now") || status.contains("not seen"),
        "{status}"
    );
    manager.wait_for("WATCHDOG=1");
    daemon.signal("HUP");
    let reloading = manager.wait_for("RELOADING=1");
    assert!(reloading.lines().any(|line| line.starts_with("MONOTONIC_USEC=")), "or a reload would hang: {reloading}");
    assert!(manager.wait_for("READY=1").contains("STATUS=the configuration was reloaded"));
    world.write("config.toml", "[web]\nlisten = 3");
    daemon.signal("HUP");
    manager.wait_for("RELOADING=1");
    assert!(manager.wait_for("READY=1").contains("rejected"), "a rejected reload ends too");
    manager.wait_for("STATUS=watching 1 token; the last reload was rejected");
    daemon.signal("TERM");
    assert!(manager.wait_for("STOPPING=1").contains("EXTEND_TIMEOUT_USEC="));
    assert!(daemon.ended().success());
}

#[test]
fn a_manager_at_an_abstract_name_is_notified_too() {
    let world = World::new(ACME);
    // The folder's name is nobody else's.
    let mut manager = Manager::abstract_at(world.path("notify").to_str().unwrap());
    let mut daemon = manager.start(&world, &Configuration::acme(""));
    manager.wait_for("READY=1");
    manager.wait_for("WATCHDOG=1");
    daemon.signal("TERM");
    manager.wait_for("STOPPING=1");
    assert!(daemon.ended().success());
}

#[test]
fn a_notify_socket_of_another_kind_is_said_once_and_harmless() {
    let world = World::new(ACME);
    let mut command = program();
    command.arg("-c").arg(world.configure(&Configuration::acme(""))).args(["--log-format", "json"]);
    command.args(["--log-level", "debug", "run"]).env("NOTIFY_SOCKET", "vsock:2:1234").env("WATCHDOG_USEC", "2000000");
    let mut daemon = Daemon::spawn(command);
    daemon.checks("acme", "validity", 3);
    let said: Vec<_> = daemon.seen.iter().filter(|line| line["event"] == "manager_failed").collect();
    assert!(said.len() == 1 && said[0]["message"].as_str().unwrap().contains("vsock:2:1234"), "{said:?}");
}

#[test]
fn the_first_of_several_state_directories_is_used() {
    let world = World::new(ACME);
    let configured = std::fs::read_to_string(world.configure(&Configuration::acme(""))).unwrap();
    let kept = format!("path = \"{}\"", world.path("state.db").display());
    let path = world.write("config.toml", &configured.replace(&kept, ""));
    let (first, second) = (world.path("first"), world.path("second"));
    std::fs::create_dir(&first).unwrap();
    std::fs::create_dir(&second).unwrap();
    let folders = format!("{}:{}", first.display(), second.display());
    let run = |arguments: &[&str]| {
        let mut command = program();
        command.arg("-c").arg(&path).args(["--log-format", "json", "--log-level", "debug"]).args(arguments);
        command.env("STATE_DIRECTORY", &folders);
        command
    };
    let mut daemon = Daemon::spawn(run(&["run"]));
    daemon.checks("acme", "validity", 1);
    assert!(first.join("state.db").exists() && !second.join("state.db").exists());
    assert_eq!(run(&["history"]).output().unwrap().status.code(), Some(0), "what reads it finds it there");
}

#[test]
fn the_watchdog_is_fed_by_the_pulse_and_not_by_checks() {
    let world = World::new(ACME);
    let mut manager = Manager::new(&world);
    // Nothing is checked for an hour: it is not the checks that feed it.
    let mut configuration = Configuration::acme("");
    (configuration.validity, configuration.permissions) = ("1h", "1h");
    let daemon = manager.start(&world, &configuration);
    manager.wait_for("WATCHDOG=1");
    // A real systemd, in `machine.rs`, says whether that is often enough.
    for _ in 0..3 {
        manager.wait_for("WATCHDOG=1");
    }
    drop(daemon);
}

#[test]
fn nothing_is_said_to_nobody_and_a_socket_that_is_gone_stops_nothing() {
    let world = World::new(ACME);
    let mut manager = Manager::new(&world);
    let mut daemon = manager.start(&world, &Configuration::acme(""));
    manager.wait_for("READY=1");
    std::fs::remove_file(&manager.path).unwrap();
    drop(manager);
    daemon.wait("a complaint", |line| line["event"] == "manager_failed");
    daemon.checks("acme", "validity", 2);
    assert_eq!(daemon.get("/-/healthy").0, 200);
    assert_eq!(daemon.seen.iter().filter(|line| line["event"] == "manager_failed").count(), 1, "said once");
}

#[test]
fn what_packagers_install_is_what_the_command_line_says_now() {
    for (arguments, file) in [
        (&["man"][..], "packaging/man/syncro-token-monitor.8"),
        (&["completions", "bash"], "packaging/completions/syncro-token-monitor.bash"),
        (&["completions", "zsh"], "packaging/completions/_syncro-token-monitor"),
        (&["completions", "fish"], "packaging/completions/syncro-token-monitor.fish"),
    ] {
        let now = text(&call(arguments).stdout);
        let kept = std::fs::read_to_string(project(file)).unwrap();
        assert!(now == kept, "{file} is stale: run packaging/regenerate");
    }
}

/// As `packaging/Containerfile` lays it out; what a container engine adds besides is not there.
#[test]
fn the_file_system_of_the_container_runs_the_program_as_nobody_and_answers_the_health_check() {
    let root_user = std::process::Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n");
    if !root_user || !have(&["chroot", "ldd"]) {
        println!("skipped: only root may change the root of the file system");
        return;
    }
    let world = World::new(ACME);
    let root = world.path("rootfs");
    let laid = std::process::Command::new(project("packaging/rootfs"))
        .args([env!("CARGO_BIN_EXE_syncro-token-monitor").as_ref(), root.as_os_str()])
        .status()
        .unwrap();
    assert!(laid.success());
    for absent in ["bin/sh", "usr/bin/sh", "usr/bin/apt"] {
        assert!(!root.join(absent).exists(), "{absent}");
    }
    let port = free_port();
    let file = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt;
        let path = root.join("etc/syncro-token-monitor").join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).unwrap();
    };
    file("token", "value-of-acme");
    file(
        "config.toml",
        &format!(
            "[web]\nlisten = \"0.0.0.0:{port}\"\ninsecure = true\n[[tenants]]\nname = \"acme\"\nsubdomain = \"acme\"\n\
             base_url = \"{}\"\n[[tenants.tokens]]\nname = \"jumpcloud\"\ntoken_file = \"token\"\n",
            world.base_url("acme")
        ),
    );
    let inside = |arguments: &[&str]| {
        let mut command = std::process::Command::new("chroot");
        command.arg("--userspec=65532:65532").arg(&root).arg("/usr/bin/syncro-token-monitor").args(arguments);
        command.env("STATE_DIRECTORY", "/var/lib/syncro-token-monitor").stdin(std::process::Stdio::null());
        command
    };
    let unwell = inside(&["health"]).output().unwrap();
    assert_eq!(unwell.status.code(), Some(1), "nothing runs yet");
    assert!(text(&unwell.stderr).contains("ask for health: "), "{}", text(&unwell.stderr));
    let mut daemon = Daemon::spawn(inside(&["--log-format", "json", "--log-level", "debug", "run"]));
    daemon.checks("acme", "validity", 1);
    let healthy = inside(&["health"]).output().unwrap();
    assert_eq!((healthy.status.code(), text(&healthy.stdout).as_str()), (Some(0), "the loop turns\n"));
    daemon.signal("TERM");
    assert!(daemon.ended().success());
    assert!(root.join("var/lib/syncro-token-monitor/state.db").exists());
}

#[test]
fn every_alert_is_explained_to_the_journal_under_its_own_identity() {
    use std::collections::BTreeSet;
    use syncro_token_monitor::alert::Alert;
    let catalog = std::fs::read_to_string(project("systemd/syncro-token-monitor.catalog")).unwrap();
    let alerts = std::fs::read_to_string(project("docs/alerts.md")).unwrap();
    let words = |text: &str| text.replace(['`', '*'], "").split_whitespace().collect::<Vec<_>>().join(" ");
    let mut identities = BTreeSet::new();
    for alert in Alert::ALL.into_iter().map(|(alert, _)| alert).chain([Alert::TestAlert]) {
        let id = alert.message_id();
        assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) && identities.insert(id), "{id}");
        let entry = catalog
            .split("\n-- ")
            .find_map(|entry| entry.strip_prefix(id))
            .unwrap_or_else(|| panic!("{}", alert.as_str()));
        let (head, body) = entry.trim().split_once("\n\n").unwrap();
        assert!(head.contains("Subject: ") && head.contains("Documentation: @SYNCRO_RUNBOOK@"), "{head}");
        let section = alerts.split(&format!("\n### {}\n", alert.as_str())).nth(1).unwrap().split("\n#").next().unwrap();
        assert_eq!(
            words(body),
            words(section),
            "{}: the catalogue says something else than docs/alerts.md",
            alert.as_str()
        );
    }
    assert_eq!(catalog.matches("\n-- ").count(), identities.len());
}

#[test]
fn the_instance_unit_differs_from_the_unit_in_its_paths_alone() {
    let read = |name: &str| std::fs::read_to_string(project(&format!("systemd/{name}"))).unwrap();
    let lines = |text: String| {
        let settings = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        settings.map(|line| line.replace("/%i", "").replace("-%i", "").replace(" (%i)", "")).collect::<Vec<_>>()
    };
    assert_eq!(lines(read("syncro-token-monitor@.service")), lines(read("syncro-token-monitor.service")));
}
