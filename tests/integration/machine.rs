//! The package on a machine with a systemd of its own: a container that boots, in which the simulated Syncro of the host is
//! reached over the shared loopback. `SYNCRO_MACHINE` names a tree with Debian in it, `SYNCRO_PACKAGES` a folder with
//! `old.deb` and `new.deb`, as `.ci/run` makes them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use simulator::Incident;

use crate::harness::{World, request, text};
use crate::real::{free_port, have, project, until, until_or};

const UNIT: &str = "syncro-token-monitor.service";
const INSTANCE: &str = "syncro-token-monitor@second.service";
const CONFIG: &str = "/etc/syncro-token-monitor/config.toml";

/// A machine, until it is dropped.
struct Machine {
    container: Child,
    leader: String,
}

impl Drop for Machine {
    fn drop(&mut self) {
        // SIGTERM lets it power off in order; what it wrote is gone either way.
        Command::new("kill").arg(self.container.id().to_string()).status().ok();
        self.container.wait().ok();
    }
}

impl Machine {
    fn boot(tree: &Path, packages: &Path) -> Self {
        let container = Command::new("systemd-nspawn")
            .args(["--boot", "--register=no", "--keep-unit", "--volatile=overlay", "--console=passive"])
            .args(["--link-journal=no", "-D"])
            .arg(tree)
            .arg(format!("--bind-ro={}:/packages", packages.display()))
            .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let children = format!("/proc/{0}/task/{0}/children", container.id());
        let mut machine = Self { container, leader: String::new() };
        until("the machine to be up", || {
            // Its first child only sets up the one that stays.
            let pids = std::fs::read_to_string(&children).ok()?;
            pids.split_whitespace().last()?.clone_into(&mut machine.leader);
            let state = machine.run("systemctl is-system-running 2>/dev/null");
            matches!(text(&state.stdout).trim(), "running" | "degraded").then_some(())
        });
        machine
    }

    fn run(&self, script: &str) -> Output {
        let enter = ["-t", &self.leader, "-m", "-p", "-u", "-i", "-C", "-r", "-w", "sh", "-c", script];
        Command::new("nsenter").args(enter).stdin(Stdio::null()).output().unwrap()
    }

    /// Runs a script that must succeed; returns what it printed.
    fn sh(&self, script: &str) -> String {
        let output = self.run(script);
        let printed = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.success(), "{script}\n{printed}\n{}", self.journal());
        printed
    }

    fn journal(&self) -> String {
        text(&self.run(&format!("journalctl -u {UNIT} --no-pager -o short")).stdout)
    }

    fn property(&self, name: &str) -> String {
        self.sh(&format!("systemctl show {UNIT} -p {name} --value")).trim().to_owned()
    }

    /// Entries of the journal that carry all of these fields, in the order of time.
    fn entries(&self, fields: &str) -> Vec<Value> {
        let lines = text(&self.run(&format!("journalctl --no-pager -o json {fields}")).stdout);
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits for an entry; returns the last one.
    fn entry(&self, fields: &str) -> Value {
        until(&format!("an entry with {fields}"), || self.entries(fields).pop())
    }

    fn is(&self, state: &str) {
        until(&format!("the service to be {state}; it is {}", self.property("ActiveState")), || {
            (self.property("ActiveState") == state).then_some(())
        });
    }

    fn configure(&self, text: &str) {
        self.sh(&format!("cat > {CONFIG} <<'END'\n{text}\nEND"));
    }

    fn drop_in(&self, text: &str) {
        let folder = format!("/run/systemd/system/{UNIT}.d");
        self.sh(&format!("mkdir -p {folder}; printf '{text}' > {folder}/test.conf; systemctl daemon-reload"));
    }
}

/// What is needed, or `None` where tests may be skipped.
fn ready() -> Option<(PathBuf, PathBuf)> {
    let named = |name| std::env::var_os(name).map(PathBuf::from);
    let (Some(tree), Some(packages)) = (named("SYNCRO_MACHINE"), named("SYNCRO_PACKAGES")) else {
        assert!(std::env::var_os("SYNCRO_REQUIRE_REAL").is_none(), "SYNCRO_MACHINE and SYNCRO_PACKAGES are not set");
        println!("skipped: SYNCRO_MACHINE and SYNCRO_PACKAGES name no machine and no packages");
        return None;
    };
    have(&["systemd-nspawn", "nsenter"]).then_some((tree, packages))
}

const ACME: &str = r#"
[[tenants]]
subdomain = "acme"
groups = [{ name = "Technicians", permissions = "all" }]
users = [{ id = 1, group = "Technicians" }]
tokens = [
    { value = "value-of-acme", user = 1, permissions = "all" },
    { value = "value-of-other", user = 1, permissions = "all" },
]
"#;

fn configuration(world: &World, port: u16, more: &str) -> String {
    format!(
        "[web]\nlisten = \"127.0.0.1:{port}\"\n[schedule]\nvalidity = \"2s\"\npermissions = \"1h\"\n\
         [syncro]\nrequests_per_minute = 170\n[alerts]\nconfirm_after = \"1s\"\n\
         [[tenants]]\nname = \"acme\"\nsubdomain = \"acme\"\nbase_url = \"{}\"\n\
         [[tenants.tokens]]\nname = \"jumpcloud\"\ntoken_credential = \"tokens_acme-jumpcloud\"\n{more}",
        world.base_url("acme")
    )
}

/// One story, since a machine is booted for it: from the first installation to the last trace.
#[test]
fn the_package_lives_on_a_machine_from_its_installation_to_its_purge() {
    let Some((tree, packages)) = ready() else { return };
    let world = World::new(ACME);
    let machine = Machine::boot(&tree, &packages);
    let port = free_port();
    let url = |path: &str| format!("http://127.0.0.1:{port}{path}");
    let valid = || {
        let state = "syncro_token_state{tenant=\"acme\",token_name=\"jumpcloud\",state=\"valid\"}";
        until("a scrape that shows a valid token", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
            let (_, exposition) = request("GET", &url("/metrics"));
            (crate::harness::value(&exposition, state) == Some(1.0)).then_some(())
        });
    };
    installs(&machine);
    follows_the_document(&machine, &world, port);
    valid();
    units_are_sound(&machine);
    runs_as_nobody(&machine);
    logs_to_the_journal(&machine, &world);
    valid();
    reloads(&machine, &world, port, &url);
    survives_crashes_and_starvation(&machine);
    valid();
    says_what_is_wrong(&machine, &world, port);
    valid();
    instances(&machine, &world);
    takes_over_a_socket(&machine, port);
    valid();
    upgrades(&machine);
    valid();
    leaves_nothing_behind(&machine);
}

/// The document about installation, word by word but for the port.
fn follows_the_document(machine: &Machine, world: &World, port: u16) {
    let document = std::fs::read_to_string(project("docs/installation.md")).unwrap();
    let section = document.split("\n## Under systemd\n").nth(1).unwrap();
    let steps =
        section.split("```sh\n").nth(1).unwrap().split("```").next().unwrap().replace("9760", &port.to_string());
    machine.sh("mkdir /root/here; cp /packages/old.deb /root/here/syncro-token-monitor_0.1.0-1_amd64.deb");
    // The editor does what is shown below the steps, and points the tenant at the simulator.
    let edited = configuration(world, port, "");
    machine.sh(&format!("cat > /root/edited <<'END'\n{edited}\nEND"));
    machine.sh("printf '#!/bin/sh\\ncp /root/edited \"$1\"\\n' > /root/editor; chmod +x /root/editor");
    machine.sh(&format!("cat > /root/steps <<'END'\n{steps}\nEND"));
    let printed = machine.sh("cd /root/here; printf 'value-of-acme\\n' | EDITOR=/root/editor sh -eu /root/steps");
    assert!(printed.contains("Active: active (running)"), "{printed}");
    assert!(
        printed.contains("syncro_token_state{tenant=\"acme\",token_name=\"jumpcloud\",state=\"valid\"}"),
        "{printed}"
    );
    assert_eq!(machine.property("UnitFileState"), "enabled");
}

fn installs(machine: &Machine) {
    machine.sh("apt-get install -y --no-install-recommends /packages/old.deb");
    assert_eq!(machine.property("ActiveState"), "inactive", "nothing is watched before somebody has said what");
    assert_eq!(machine.property("UnitFileState"), "disabled");
    machine.sh("syncro-token-monitor validate");
    for file in [
        "/usr/share/man/man8/syncro-token-monitor.8.gz",
        "/usr/share/bash-completion/completions/syncro-token-monitor",
        "/usr/share/doc/syncro-token-monitor/README.md",
        "/usr/share/doc/syncro-token-monitor/docs/alerts.md",
        "/usr/share/doc/syncro-token-monitor/docs/installation.md",
        "/usr/share/doc/syncro-token-monitor/docs/images/status-page-light.webp",
        "/usr/share/doc/syncro-token-monitor/prometheus/syncro-token-monitor.rules.yml",
        "/usr/share/doc/syncro-token-monitor/grafana/syncro-token-monitor.json",
        "/usr/share/doc/syncro-token-monitor/grafana/syncro-token-monitor-itself.json",
    ] {
        machine.sh(&format!("test -s {file}"));
    }
    has_a_bill_of_materials(machine);
    machine.sh("apt-get purge -y syncro-token-monitor");
}

/// The bill of materials in the package names every crate that is linked into the program, and no path of the builder.
fn has_a_bill_of_materials(machine: &Machine) {
    let text = machine.sh("cat /usr/share/doc/syncro-token-monitor/sbom.cdx.json");
    let bill: Value = serde_json::from_str(&text).unwrap();
    let named: BTreeSet<_> = bill["components"].as_array().unwrap().iter().map(name_and_version).collect();
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--locked", "--offline", "--edges=normal", "--prefix=none", "--package=syncro-token-monitor"]);
    let tree = String::from_utf8(tree.output().unwrap().stdout).unwrap();
    let linked: BTreeSet<_> = tree.lines().skip(1).filter_map(|line| line.split_once(" v")).collect();
    let linked: BTreeSet<_> =
        linked.iter().map(|(name, rest)| format!("{name} {}", rest.split(' ').next().unwrap())).collect();
    assert!(linked.len() > 100, "{tree}");
    assert_eq!(linked.difference(&named).collect::<Vec<_>>(), Vec::<&String>::new());
    assert!(!text.contains("file:///"), "where it was built concerns nobody");
    assert_eq!(bill["metadata"]["component"]["version"], env!("CARGO_PKG_VERSION"));
}

fn name_and_version(component: &Value) -> String {
    format!("{} {}", component["name"].as_str().unwrap(), component["version"].as_str().unwrap())
}

fn units_are_sound(machine: &Machine) {
    for unit in [UNIT, "syncro-token-monitor@x.service", "syncro-token-monitor.socket"] {
        // It ends with 0 on unknown keys, so nothing may be said either.
        assert_eq!(machine.sh(&format!("systemd-analyze verify --man=no {unit}")), "", "{unit}");
    }
    for unit in [UNIT, "syncro-token-monitor@.service"] {
        machine.sh(&format!("systemd-analyze security --offline=true --threshold=15 /lib/systemd/system/{unit}"));
    }
}

fn runs_as_nobody(machine: &Machine) {
    let as_it_is = || {
        let properties = ["ActiveState", "StatusText"].map(|name| machine.property(name));
        format!("a status that people read: {properties:?}, {}", machine.journal())
    };
    until_or(as_it_is, || machine.property("StatusText").starts_with("watching 1 token; ").then_some(()));
    let main = machine.property("MainPID");
    let user = machine.sh(&format!("stat -c %u /proc/{main}"));
    assert_ne!(user.trim(), "0", "it is not root");
    // Of what cannot be dumped only root may read the memory, and not the user that it runs as.
    assert_eq!(machine.sh(&format!("stat -c %u /proc/{main}/mem")).trim(), "0", "its memory is root's");
    let limits = machine.sh(&format!("cat /proc/{main}/limits"));
    assert!(
        limits.lines().any(|line| line.split_whitespace().eq("Max core file size 0 0 bytes".split(' '))),
        "{limits}"
    );
    let ways_out = [
        "cat /etc/syncro-token-monitor/tokens/acme-jumpcloud",
        "cat /run/credentials/syncro-token-monitor.service/tokens_acme-jumpcloud",
        "cat /var/lib/private/syncro-token-monitor/state.db",
    ];
    for way in ways_out {
        let tried = machine.run(&format!("setpriv --reuid=65534 --clear-groups {way}"));
        assert!(!tried.status.success(), "others may not: {way}");
    }
}

fn logs_to_the_journal(machine: &Machine, world: &World) {
    let started = machine.entry("SYNCRO_EVENT=started");
    assert_eq!((&started["PRIORITY"], &started["_SYSTEMD_UNIT"]), (&"6".into(), &UNIT.into()), "{started}");
    world.happens(Incident::TokenRefused { token: "value-of-acme".to_owned() });
    let alert = machine.entry("SYNCRO_ALERT=TokenRejected SYNCRO_TENANT=acme SYNCRO_STATUS=firing");
    assert_eq!((&alert["PRIORITY"], &alert["SYNCRO_TOKEN_NAME"]), (&"3".into(), &"jumpcloud".into()), "{alert}");
    let errors = machine.sh(&format!("journalctl -u {UNIT} -p err --no-pager"));
    assert!(errors.contains("is refused"), "{errors}");
    let explained =
        machine.sh(&format!("journalctl -x --no-pager MESSAGE_ID={}", alert["MESSAGE_ID"].as_str().unwrap()));
    assert!(explained.contains("Subject: A Syncro token is refused: jumpcloud of acme (firing)"), "{explained}");
    until("a status that names it", || machine.property("StatusText").contains("1 rejected").then_some(()));
    world.happens(Incident::TokenWorks { token: "value-of-acme".to_owned() });
    machine.entry("SYNCRO_ALERT=TokenRejected SYNCRO_STATUS=resolved");
}

fn reloads(machine: &Machine, world: &World, port: u16, url: &dyn Fn(&str) -> String) {
    let more = "[[tenants.tokens]]\nname = \"second\"\ntoken_credential = \"tokens_acme-jumpcloud\"";
    machine.configure(&configuration(world, port, more));
    machine.sh("systemctl reload syncro-token-monitor");
    until("the second token", || request("GET", &url("/metrics")).1.contains("token_name=\"second\"").then_some(()));
    assert_eq!(machine.property("ActiveState"), "active");
    machine.configure(&configuration(world, port, "colour = \"blue\""));
    let reload = machine.run("systemctl reload syncro-token-monitor");
    assert!(!reload.status.success(), "a faulty configuration fails the reload");
    assert_eq!(machine.property("ActiveState"), "active");
    assert!(machine.journal().contains("tenants[0].tokens[0].colour: unknown key"), "{}", machine.journal());
    assert!(request("GET", &url("/metrics")).1.contains("token_name=\"second\""), "the running one stays");
    machine.configure(&configuration(world, port, ""));
    machine.sh("systemctl reload syncro-token-monitor");
    // By signal alone, as `Type=notify-reload` does: the protocol is obeyed, or the unit would stay in `reloading`.
    machine.sh(&format!("systemctl kill -s HUP {UNIT}"));
    machine.is("active");
}

fn survives_crashes_and_starvation(machine: &Machine) {
    let restarts = || machine.property("NRestarts").parse::<u32>().unwrap();
    let before = restarts();
    machine.sh(&format!("systemctl kill -s KILL {UNIT}"));
    until("a restart after a crash", || (restarts() > before).then_some(()));
    machine.is("active");
    machine.drop_in("[Service]\\nWatchdogSec=4s\\nTimeoutAbortSec=1s\\n");
    machine.sh("systemctl restart syncro-token-monitor");
    let before = restarts();
    // It runs longer than that by far: only a loop that stands still starves the watchdog.
    machine.sh("sleep 9");
    assert_eq!((restarts(), machine.property("ActiveState").as_str()), (before, "active"));
    machine.sh(&format!("systemctl kill -s STOP --kill-whom=main {UNIT}"));
    until("a restart by the watchdog", || (restarts() > before).then_some(()));
    assert!(machine.journal().contains("Watchdog timeout"), "{}", machine.journal());
    machine.drop_in("");
    machine.sh("systemctl restart syncro-token-monitor");
    machine.is("active");
    let firing = machine.entries("SYNCRO_ALERT=TokenRejected SYNCRO_STATUS=firing");
    assert_eq!(firing.len(), 1, "no restart notifies of anything twice");
}

fn says_what_is_wrong(machine: &Machine, world: &World, port: u16) {
    let lines =
        |since: &str| text(&machine.run(&format!("journalctl -u {UNIT} --no-pager -o cat --since @{since}")).stdout);
    let now = || machine.sh("date +%s.%N").trim().to_owned();
    // As an upgrade might break it: it fails once, and is not started over and over.
    let since = now();
    machine.configure("[web]\nlisten = \"nowhere\"");
    assert!(!machine.run("systemctl restart syncro-token-monitor").status.success());
    machine.is("failed");
    assert_eq!(machine.property("ExecMainStatus"), "78");
    assert!(lines(&since).contains("web.listen: `nowhere` is not an address with a port"), "{}", lines(&since));
    // What time may fix is tried again.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let since = now();
    machine.configure(&configuration(world, taken.local_addr().unwrap().port(), ""));
    assert!(!machine.run("systemctl restart syncro-token-monitor").status.success());
    assert_eq!(machine.property("SubState"), "auto-restart");
    let printed = lines(&since);
    assert!(
        printed.contains("failed to listen on 127.0.0.1") && printed.contains("web.listen chooses another"),
        "{printed}"
    );
    drop(taken);
    machine.is("active");
    machine.configure(&configuration(world, port, ""));
    let since = now();
    machine.drop_in("[Service]\\nLoadCredential=gone:/nowhere/gone\\n");
    assert!(!machine.run("systemctl restart syncro-token-monitor").status.success());
    assert!(lines(&since).contains("redentials"), "{}", lines(&since));
    machine.drop_in("");
    // One that the configuration names and nobody loaded is a fault of that token alone.
    machine.configure(&configuration(world, port, "[[tenants.tokens]]\nname = \"x\"\ntoken_credential = \"nobody\""));
    machine.sh("systemctl restart syncro-token-monitor");
    let alert = machine.entry("SYNCRO_ALERT=TokenUnreadable SYNCRO_TOKEN_NAME=x");
    assert!(alert["MESSAGE"].as_str().unwrap().contains("the credential `nobody`"), "{alert}");
    machine.configure(&configuration(world, port, ""));
    let since = now();
    machine.sh("systemctl stop syncro-token-monitor; cd /var/lib/private/syncro-token-monitor; mv state.db kept; mkdir state.db");
    assert!(!machine.run("systemctl start syncro-token-monitor").status.success());
    assert!(lines(&since).contains("state.db`: it is a folder; move that away"), "{}", lines(&since));
    machine.sh("systemctl stop syncro-token-monitor; cd /var/lib/private/syncro-token-monitor; rmdir state.db; mv kept state.db");
    let since = now();
    machine.drop_in("[Service]\\nReadOnlyPaths=/var/lib/private/syncro-token-monitor\\n");
    assert!(!machine.run("systemctl start syncro-token-monitor").status.success());
    assert!(lines(&since).contains("must be able to write there"), "{}", lines(&since));
    machine.sh("systemctl stop syncro-token-monitor");
    machine.drop_in("");
    machine.sh("systemctl reset-failed syncro-token-monitor; systemctl start syncro-token-monitor");
}

/// Another daemon beside it, as the unit with an `@` has it. It stays.
fn instances(machine: &Machine, world: &World) {
    let port = free_port();
    machine.sh("mkdir -p /etc/syncro-token-monitor/second; cp -a /etc/syncro-token-monitor/tokens /etc/syncro-token-monitor/second/");
    let text = configuration(world, port, "");
    machine.sh(&format!("cat > /etc/syncro-token-monitor/second/config.toml <<'END'\n{text}\nEND"));
    machine.sh(&format!("systemctl enable --now {INSTANCE}; systemctl is-active {INSTANCE}"));
    assert_eq!(request("GET", &format!("http://127.0.0.1:{port}/metrics")).0, 200);
    machine.sh("test -s /var/lib/private/syncro-token-monitor-second/state.db");
    machine.is("active");
}

fn takes_over_a_socket(machine: &Machine, port: u16) {
    machine.sh("systemctl stop syncro-token-monitor");
    let folder = "/run/systemd/system/syncro-token-monitor.socket.d";
    machine.sh(&format!(
        "mkdir -p {folder}; printf '[Socket]\\nListenStream=\\nListenStream=127.0.0.1:{port}\\n' > {folder}/test.conf; \
         systemctl daemon-reload; systemctl start syncro-token-monitor.socket"
    ));
    assert_eq!(machine.property("ActiveState"), "inactive");
    // The first request starts it, and waits for it.
    let (status, _) = request("GET", &format!("http://127.0.0.1:{port}/-/healthy"));
    assert!(status == 200 || status == 503, "{status}");
    machine.is("active");
    machine.sh("systemctl stop syncro-token-monitor.socket syncro-token-monitor; systemctl start syncro-token-monitor");
}

fn upgrades(machine: &Machine) {
    let programs = || [UNIT, INSTANCE].map(|unit| machine.sh(&format!("systemctl show {unit} -p MainPID --value")));
    let old = programs();
    let history = || {
        machine.sh(
            "cd /tmp; STATE_DIRECTORY=/var/lib/private/syncro-token-monitor syncro-token-monitor history --output json",
        )
    };
    let before = history();
    assert!(before.contains("rejected"), "{before}");
    machine.sh("apt-get install -y --no-install-recommends /packages/new.deb");
    machine.is("active");
    for (new, old) in programs().into_iter().zip(old) {
        assert!(new != old && new.trim() != "0", "the new program runs: {new}{old}");
    }
    assert!(history().contains("rejected"), "what was remembered is kept");
    assert!(machine.sh(&format!("cat {CONFIG}")).contains("tokens_acme-jumpcloud"), "and so is what was configured");
    assert_eq!(machine.property("UnitFileState"), "enabled");
}

fn leaves_nothing_behind(machine: &Machine) {
    machine.sh("apt-get remove -y syncro-token-monitor");
    assert!(machine.sh("pgrep syncro-token || echo gone").contains("gone"));
    machine.sh(&format!("test -s {CONFIG}; test -s /var/lib/private/syncro-token-monitor/state.db"));
    machine.sh("apt-get purge -y syncro-token-monitor");
    let left = machine.sh("find / -xdev -name '*syncro-token*' -not -path '/proc/*' -not -path '/packages/*' -not -path '/root/here/*' -not -path '/var/log/*' -not -path '/run/systemd/*' 2>/dev/null; true");
    assert_eq!(left, "", "nothing is left");
}
