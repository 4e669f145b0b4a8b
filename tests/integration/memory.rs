//! Nothing is lost, and nobody is notified twice: restarts, full disks, the history.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rusqlite::Connection;
use serde_json::Value;
use simulator::Incident;

use crate::harness::{ACME, Configuration, Daemon, World, call, program, text, value};

const LIST: &str = "permissions = [\"Tickets - List/Search\"]";
const LAST: &str =
    "syncro_token_last_success_timestamp_seconds{tenant=\"acme\",token_name=\"jumpcloud\",check=\"validity\"}";
const UP: &str = "syncro_monitor_store_up";

fn refused() -> Incident {
    Incident::TokenRefused { token: "value-of-acme".to_owned() }
}

fn works() -> Incident {
    Incident::TokenWorks { token: "value-of-acme".to_owned() }
}

fn stop(daemon: &mut Daemon) {
    daemon.signal("TERM");
    assert_eq!(daemon.ended().code(), Some(0));
}

/// Runs the daemon to an end that comes by itself.
fn fails(path: &Path) -> (Option<i32>, String) {
    let Output { status, stderr, .. } = program().arg("-c").arg(path).arg("run").output().unwrap();
    (status.code(), text(&stderr))
}

fn history(path: &Path, arguments: &[&str]) -> Vec<Value> {
    let fixed = ["-c", path.to_str().unwrap(), "history", "--output", "json"];
    let output = call(&[&fixed, arguments].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    serde_json::from_slice::<Vec<Value>>(&output.stdout).unwrap()
}

/// The changes, as words.
fn changes(path: &Path, arguments: &[&str]) -> Vec<String> {
    let word = |line: &Value, key: &str| line[key].as_str().unwrap().to_owned();
    let change = |line: &Value| format!("{} {} {}", word(line, "token_name"), word(line, "kind"), word(line, "after"));
    history(path, arguments).iter().map(change).collect()
}

#[test]
fn a_restart_shows_what_was_persisted_at_once_and_notifies_of_nothing_twice() {
    let world = World::new(ACME);
    let mut configuration = Configuration::acme("");
    configuration.validity = "30s";
    world.happens(refused());
    let mut daemon = world.run(&configuration);
    daemon.alert("TokenRejected", "firing");
    let last = daemon.metric(LAST);
    stop(&mut daemon);
    // Nobody answers now, so whatever is shown was remembered.
    let how = simulator::Misbehaviour::Hang;
    world.happens(Incident::Misbehaves { tenant: None, path: None, how, seconds: 600 });
    let mut daemon = world.run(&configuration);
    let (_, exposition) = daemon.get("/metrics");
    let state = "syncro_token_state{tenant=\"acme\",token_name=\"jumpcloud\",state=\"rejected\"}";
    assert_eq!(value(&exposition, state), Some(1.0));
    assert_eq!(value(&exposition, "syncro_alerts_firing{alert=\"TokenRejected\",severity=\"critical\"}"), Some(1.0));
    assert_eq!(value(&exposition, LAST), last, "with its old timestamp");
    assert_eq!(daemon.get("/-/ready").0, 200, "every token has been checked");
    stop(&mut daemon);
    assert_eq!(daemon.notified(), Vec::<String>::new());
    world.happens(Incident::Behaves);
    world.happens(works());
    let mut daemon = world.run(&configuration);
    daemon.alert("TokenRejected", "resolved");
    stop(&mut daemon);
    assert_eq!(daemon.notified(), ["TokenRejected resolved"]);
}

#[test]
fn a_token_that_left_while_the_daemon_was_down_is_resolved_and_keeps_its_history() {
    let world = World::new(ACME);
    world.happens(refused());
    let mut daemon = world.run(&Configuration::acme(""));
    daemon.alert("TokenRejected", "firing");
    stop(&mut daemon);
    let mut daemon = world.run(&Configuration::default());
    let line = daemon.alert("TokenRejected", "resolved");
    assert!(line["message"].as_str().unwrap().contains("no longer in the configuration"), "{line}");
    stop(&mut daemon);
    let mut daemon = world.run(&Configuration::default());
    stop(&mut daemon);
    assert_eq!(daemon.notified(), Vec::<String>::new());
    assert_eq!(changes(&world.path("config.toml"), &[]), ["jumpcloud state rejected"]);
}

#[test]
fn a_renamed_and_a_rotated_token_keep_their_history() {
    let scenario = ACME.replace("tokens = [", "tokens = [{ value = \"rotated\", user = 1, permissions = \"all\" }, ");
    let world = World::new(&scenario);
    let mut daemon = world.run(&Configuration::acme(""));
    daemon.checks("acme", "validity", 1);
    world.happens(refused());
    daemon.alert("TokenRejected", "firing");
    world.happens(works());
    daemon.alert("TokenRejected", "resolved");
    stop(&mut daemon);
    let mut renamed = Configuration::acme("");
    renamed.tenants[0].tokens[0].name = "portal".to_owned();
    let mut daemon = world.run(&renamed);
    daemon.wait("the new name", |line| line["event"] == "transition" && line["kind"] == "name");
    world.write("acme-portal", "rotated");
    daemon.wait("the new value", |line| line["event"] == "transition" && line["kind"] == "fingerprint");
    stop(&mut daemon);
    let notified = changes(&world.path("config.toml"), &["--token-name", "portal"]);
    assert_eq!(
        notified[..3],
        ["portal state rejected", "portal state valid", "portal name acme/portal"],
        "{notified:?}"
    );
    assert!(notified[3].starts_with("portal fingerprint "), "{notified:?}");
    assert_eq!(changes(&world.path("config.toml"), &["--token-name", "jumpcloud"]), Vec::<String>::new());
}

#[test]
fn the_history_is_read_beside_the_daemon_as_table_and_as_json_with_filters() {
    let world = World::new(ACME);
    let mut daemon = world.run(&Configuration::acme(LIST));
    daemon.checks("acme", "permissions", 1);
    world.happens(Incident::GroupLoses {
        tenant: "acme".to_owned(),
        group: "Technicians".to_owned(),
        permission: "Tickets - List/Search".to_owned(),
    });
    daemon.alert("PermissionLost", "firing");
    let path = world.path("config.toml");
    let lines = history(&path, &["--tenant", "acme", "--since", "1h"]);
    let line = lines.iter().find(|line| line["kind"] == "permission").expect("the loss");
    assert_eq!((&line["subject"], &line["evidence"]), (&"Tickets - List/Search".into(), &"probe".into()));
    assert_eq!((&line["before"], &line["after"]), (&"granted".into(), &"missing".into()));
    assert!(line["since"].as_str() <= line["at"].as_str(), "{line}");
    assert_eq!(history(&path, &["--tenant", "other"]), Vec::<Value>::new());
    assert_eq!(history(&path, &["--since", "2999-01-01"]), Vec::<Value>::new());
    let table = text(&call(&["-c", path.to_str().unwrap(), "history"]).stdout);
    assert!(table.starts_with("WHEN\tTENANT\tTOKEN\tWHAT\tWHICH\tBEFORE\tAFTER\tEVIDENCE\n"), "{table}");
    assert!(
        table.contains("\tpermission\tTickets - List/Search\tgranted\tmissing\tGET /tickets answered 401\n"),
        "{table}"
    );
    let output = call(&["-c", path.to_str().unwrap(), "history", "--since", "yesterday"]);
    assert_eq!(output.status.code(), Some(64));
    assert!(text(&output.stderr).contains("expected a duration such as 7d"), "{}", text(&output.stderr));
}

#[test]
fn check_and_validate_never_touch_the_store_and_history_makes_none() {
    let world = World::new(ACME);
    let path = world.configure(&Configuration::acme(""));
    for command in ["check", "validate"] {
        assert_eq!(call(&["-c", path.to_str().unwrap(), command]).status.code(), Some(0), "{command}");
    }
    let output = call(&["-c", path.to_str().unwrap(), "history"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("it does not exist"), "{}", text(&output.stderr));
    let files = std::fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().file_name());
    let stored: Vec<_> = files.filter(|name| name.to_string_lossy().starts_with("state")).collect();
    assert!(stored.is_empty(), "{stored:?}");
}

#[test]
fn the_store_is_for_its_owner_alone_and_stands_in_the_state_directory() {
    let world = World::new(ACME);
    let path = world.configure(&Configuration::acme(""));
    let configured = std::fs::read_to_string(&path).unwrap();
    let line = configured.lines().find(|line| line.starts_with("path = ")).unwrap().to_owned();
    std::fs::write(&path, configured.replace(&line, "")).unwrap();
    let folder = world.path("state");
    std::fs::create_dir(&folder).unwrap();
    let mut command = program();
    command.env("STATE_DIRECTORY", &folder).arg("-c").arg(&path).args(["--log-format", "json", "run"]);
    let mut daemon = Daemon::spawn(command);
    let mode = std::fs::metadata(folder.join("state.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    stop(&mut daemon);
}

#[test]
fn a_store_that_cannot_be_used_ends_with_1_and_says_what_to_do() {
    let world = World::new(ACME);
    let path = world.configure(&Configuration::acme(""));
    let mut daemon = world.run(&Configuration::acme(""));
    daemon.checks("acme", "validity", 1);
    let (code, says) = fails(&path);
    assert_eq!(code, Some(1));
    assert!(says.contains("another syncro-token-monitor uses it"), "{says}");
    stop(&mut daemon);

    let store = world.path("state.db");
    let other = Connection::open(&store).unwrap();
    other.execute_batch("BEGIN EXCLUSIVE").unwrap();
    let (code, says) = fails(&path);
    assert_eq!((code, says.contains("another program holds it locked")), (Some(1), true), "{says}");
    other.execute_batch("ROLLBACK; PRAGMA user_version = 99").unwrap();
    let (code, says) = fails(&path);
    assert_eq!((code, says.contains("a newer version of this program wrote it")), (Some(1), true), "{says}");
    drop(other);

    std::fs::write(&store, "not a database, and long enough to look like one ".repeat(40)).unwrap();
    let (code, says) = fails(&path);
    assert_eq!((code, says.matches("it is damaged").count()), (Some(1), 1), "{says}");
    assert!(says.contains("move it away to begin anew"), "{says}");
}

/// A file system of a megabyte, for as long as it lives.
struct Disk(PathBuf);

impl Disk {
    /// None where this user may not mount one.
    fn mount(path: PathBuf) -> Option<Self> {
        std::fs::create_dir(&path).unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(&path).output().unwrap();
        mount.status.success().then_some(Self(path))
    }

    /// Fills it to the last byte.
    fn fill(&self) {
        let mut file = std::fs::File::create(self.0.join("filler")).unwrap();
        for block in [4096, 1] {
            while std::io::Write::write_all(&mut file, &vec![0; block]).is_ok() {}
        }
    }

    fn clear(&self) {
        std::fs::remove_file(self.0.join("filler")).unwrap();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("umount").arg("--lazy").arg(&self.0).status().ok();
    }
}

#[test]
fn on_a_full_disk_checks_and_alerts_go_on_and_memory_comes_back_with_the_room() {
    let world = World::new(ACME);
    let Some(disk) = Disk::mount(world.path("disk")) else {
        println!("skipped: a file system of one megabyte can be mounted by root only");
        return;
    };
    let path = world.configure(&Configuration::acme(""));
    let configured = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, configured.replace("/state.db", "/disk/state.db")).unwrap();
    disk.fill();
    let (code, says) = fails(&path);
    assert_eq!((code, says.contains("the disk is full")), (Some(1), true), "{says}");
    disk.clear();

    let mut daemon = Daemon::start(&path, &["--log-level", "info,syncro_token_monitor=debug"]);
    daemon.checks("acme", "validity", 2);
    assert_eq!(daemon.metric(UP), Some(1.0));
    disk.fill();
    let line = daemon.wait("the loss of memory", |line| line["event"] == "store_down");
    assert!(line["message"].as_str().unwrap().contains("the disk is full"), "{line}");
    assert_eq!(daemon.metric(UP), Some(0.0));
    world.happens(refused());
    daemon.alert("TokenRejected", "firing");
    daemon.checks("acme", "validity", 1);
    disk.clear();
    daemon.wait("memory", |line| line["event"] == "store_up");
    assert_eq!(daemon.metric(UP), Some(1.0));
    let downs = daemon.seen.iter().filter(|line| line["event"] == "store_down").count();
    assert_eq!(downs, 1, "said once");
    stop(&mut daemon);
    let mut daemon = Daemon::start(&path, &[]);
    stop(&mut daemon);
    assert_eq!(daemon.notified(), Vec::<String>::new(), "what was notified without memory is not notified again");
    assert_eq!(changes(&path, &[]), ["jumpcloud state rejected"]);
}
