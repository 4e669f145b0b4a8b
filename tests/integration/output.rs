//! Log lines and output that nobody reads, or that cannot be written: they hold up nothing, and what is lost is said.

use std::fs::File;
use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};

use crate::harness::{ACME, Configuration, World, call, program, request, text, value};

/// A daemon whose log nobody reads, on a port that was free a moment ago.
struct Unheard {
    child: Child,
    address: String,
}

impl Drop for Unheard {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Unheard {
    /// Starts it; `shell` runs the program as `"$0" "$@"`, so that it can close what a child is given.
    fn start(world: &World, shell: &str, stderr: Stdio) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let mut configuration = Configuration::acme("");
        configuration.web = format!("listen = \"{address}\"");
        (configuration.validity, configuration.requests_per_minute) = ("1s", 100_000);
        for number in 0..20 {
            configuration = configuration.tenant(&format!("tenant-{number}"), "value-of-acme", "");
            configuration.tenants.last_mut().unwrap().base_url = Some(world.base_url("acme"));
        }
        let path = world.configure(&configuration);
        let program = program();
        let mut command = Command::new("sh");
        command.args(["-c", shell]).arg(program.get_program()).arg("-c").arg(path).args([
            "--log-level",
            "trace",
            "run",
        ]);
        command.env_remove("STATE_DIRECTORY").env_remove("HTTPS_PROXY").env_remove("https_proxy");
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr).spawn().unwrap();
        Self { child, address: format!("http://{address}") }
    }

    /// Waits until Syncro has been asked so often, which takes some turns of the loop.
    fn checks(&mut self, world: &World, requests: usize) {
        while world.log().len() < requests {
            assert_eq!(self.child.try_wait().unwrap(), None, "it has ended");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    fn is_ok(&self) -> bool {
        request("GET", &format!("{}/-/healthy", self.address)).0 == 200
    }

    fn dropped(&self) -> f64 {
        let (_, exposition) = request("GET", &format!("{}/metrics", self.address));
        value(&exposition, "syncro_monitor_log_lines_dropped_total").unwrap()
    }

    fn stop(&mut self) -> ExitStatus {
        let kill = format!("kill -TERM {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        self.child.wait().unwrap()
    }
}

/// Requests after which the log is far longer than a pipe holds.
const MANY: usize = 300;

#[test]
fn a_log_that_nobody_reads_stops_no_check_and_no_end() {
    let world = World::new(&format!("requests_per_minute = 0\n{ACME}"));
    let mut daemon = Unheard::start(&world, "exec \"$0\" \"$@\"", Stdio::piped());
    daemon.checks(&world, MANY);
    assert!(daemon.is_ok());
    assert!(daemon.stop().success());
    let mut pipe = daemon.child.stderr.take().unwrap();
    let mut full = Vec::new();
    pipe.read_to_end(&mut full).unwrap();
    assert!(full.len() >= 32 * 1024, "it was stuck: {} bytes", full.len());
}

#[test]
fn a_log_that_cannot_be_written_is_counted_and_stops_nothing() {
    let world = World::new(&format!("requests_per_minute = 0\n{ACME}"));
    let full = File::options().write(true).open("/dev/full").unwrap();
    let mut daemon = Unheard::start(&world, "exec \"$0\" \"$@\"", full.into());
    daemon.checks(&world, MANY);
    assert!(daemon.is_ok() && daemon.dropped() >= MANY as f64, "{}", daemon.dropped());
    assert!(daemon.stop().success());
}

#[test]
fn a_closed_standard_error_stops_nothing() {
    let world = World::new(&format!("requests_per_minute = 0\n{ACME}"));
    let mut daemon = Unheard::start(&world, "exec \"$0\" \"$@\" 2>&-", Stdio::null());
    daemon.checks(&world, MANY);
    assert!(daemon.is_ok());
    assert!(daemon.stop().success());
    // The reader of a pipe may go away too.
    let mut daemon = Unheard::start(&world, "exec \"$0\" \"$@\"", Stdio::piped());
    drop(daemon.child.stderr.take());
    daemon.checks(&world, world.log().len() + MANY);
    assert!(daemon.is_ok() && daemon.dropped() >= 1.0);
    assert!(daemon.stop().success());
}

#[test]
fn a_command_says_everything_before_it_ends() {
    const FAULTS: usize = 5000;
    let world = World::new(ACME);
    let faults: Vec<_> = (0..FAULTS).map(|number| format!("colour{number} = \"red\"\n")).collect();
    let path = world.write("config.toml", &faults.concat());
    for command in ["history", "health", "run"] {
        let output = call(&["-c", path.to_str().unwrap(), command]);
        let said = text(&output.stderr);
        assert_eq!((output.status.code(), said.lines().count()), (Some(78), FAULTS), "{command}");
    }
}

/// What each command that prints is called with.
const PRINTING: [&[&str]; 9] = [
    &["catalog", "permissions"],
    &["catalog", "profiles", "--output", "json"],
    &["man"],
    &["completions", "bash"],
    &["validate"],
    &["hash-password"],
    &["check", "--output", "json"],
    &["--help"],
    &["--version"],
];

#[test]
fn output_that_is_lost_is_a_failure_and_a_reader_that_left_is_none() {
    let world = World::new(ACME);
    let path = world.configure(&Configuration::acme(""));
    let password = world.write("password", "secret\n");
    for arguments in PRINTING {
        let ended = |stdout: Stdio| {
            let mut command = program();
            command.arg("-c").arg(&path).args(arguments).stdin(File::open(&password).unwrap()).stdout(stdout);
            let output = command.output().unwrap();
            (output.status.code(), text(&output.stderr))
        };
        let (code, said) = ended(File::options().write(true).open("/dev/full").unwrap().into());
        assert_eq!(code, Some(if arguments[0] == "check" { 3 } else { 1 }), "{arguments:?}: {said}");
        assert!(said.contains("failed to write to standard output: "), "{arguments:?}: {said}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        assert_eq!(ended(writer.into()), (Some(0), String::new()), "{arguments:?}");
    }
}
