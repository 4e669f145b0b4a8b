//! A token value planted as a canary appears nowhere.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::Stdio;

use crate::harness::{ACME, Configuration, Daemon, PAGES, World, call, program, text};
use crate::real::until;

const CANARY: &str = "T0ca9a51de-canary-51ng5-0123456789abcdef";

fn clean(what: &str, output: &str) {
    assert!(!output.contains(CANARY) && !output.contains("canary-51ng5"), "{what}: {output}");
}

#[test]
fn a_canary_appears_in_no_log_line_at_trace_no_metric_no_page_and_no_finding() {
    let world = World::new(&ACME.replace("value-of-acme", CANARY));
    // One tenant that works, one whose host does not, one that is refused: every path that handles the value.
    let mut configuration = Configuration::default()
        .tenant("acme", CANARY, "profile = \"jumpcloud\"")
        .tenant("broken", CANARY, "")
        .tenant("odd", &format!("{CANARY}\n{CANARY}"), "");
    configuration.tenants[1].base_url = Some("https://no-such-host.invalid/api/v1".to_owned());
    configuration.permissions = "20s";
    configuration.validity = "4s";
    let path = world.configure(&configuration);
    let mut daemon = Daemon::start(&path, &["--log-level", "trace"]);
    daemon.checks("acme", "permissions", 1);
    while !daemon.notified().contains(&"TokenUnreadable firing".to_owned()) {
        daemon.wait("an alert", |line| line["event"] == "alert");
    }
    let others = ["/tenants/odd/tokens/jumpcloud", "/-/ready", "/-/healthy", "/nowhere"];
    for page in PAGES.into_iter().chain(others) {
        clean(page, &daemon.get(page).1);
    }
    clean("/-/reload", &daemon.post("/-/reload").1);
    let history = call(&["-c", path.to_str().unwrap(), "history"]);
    clean("the history", &text(&history.stdout));
    daemon.signal("TERM");
    daemon.ended();
    assert!(daemon.seen.iter().any(|line| line["level"] == "TRACE"), "trace says more than that");
    clean("the log", &daemon.raw.join("\n"));
    for suffix in ["", "-wal"] {
        let store = std::fs::read(world.path(&format!("state.db{suffix}"))).unwrap_or_default();
        clean("the store", &String::from_utf8_lossy(&store));
    }
    assert!(!world.log().is_empty());
    clean("the URLs", &format!("{:?}", world.log()));
    let config = path.to_str().unwrap();
    for arguments in [vec!["check"], vec!["check", "--output", "json"], vec!["validate"]] {
        let output = call(&[&["-c", config, "--log-level", "trace"], arguments.as_slice()].concat());
        clean(&format!("{arguments:?}"), &(text(&output.stdout) + &text(&output.stderr)));
    }
}

/// Which of the texts are in what a daemon has allocated; `None` where this user may not look.
fn in_memory(daemon: &Daemon, wanted: [&'static str; 2]) -> Option<Vec<&'static str>> {
    let folder = PathBuf::from(format!("/proc/{}", daemon.process()));
    let memory = File::open(folder.join("mem")).ok()?;
    let maps = std::fs::read_to_string(folder.join("maps")).ok()?;
    let mut found = Vec::new();
    for line in maps.lines() {
        // 7f00-7f21 rw-p 00000000 00:00 0 [heap]
        let mut words = line.split_whitespace();
        let (range, mode, place) = (words.next()?, words.next()?, words.nth(3).unwrap_or("[heap]"));
        if !mode.starts_with("rw") || place.starts_with('/') {
            continue;
        }
        let (from, to) = range.split_once('-')?;
        let (from, to) = (u64::from_str_radix(from, 16).ok()?, u64::from_str_radix(to, 16).ok()?);
        let mut bytes = vec![0; usize::try_from(to - from).ok()?];
        // What has been given back meanwhile has nothing in it.
        if memory.read_exact_at(&mut bytes, from).is_ok() {
            let has = |text: &&str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
            found.extend(wanted.into_iter().filter(has));
        }
    }
    Some(found)
}

#[test]
fn no_copy_of_a_value_is_left_in_memory_after_a_check() {
    let world = World::new(&ACME.replace("value-of-acme", CANARY));
    let mut configuration = Configuration::default().tenant("acme", CANARY, "profile = \"jumpcloud\"");
    (configuration.validity, configuration.permissions) = ("1d", "1d");
    let mut daemon = world.run(&configuration);
    daemon.checks("acme", "permissions", 1);
    let left = || in_memory(&daemon, [CANARY, simulator::USER_TOKEN]);
    if left().is_none() {
        println!("skipped: only root may read the memory of a process that is not dumpable");
        return;
    }
    // The connections that are kept for the next check are closed after ten seconds, and have buffers until then.
    until("no copy is left", || left().filter(Vec::is_empty));
}

#[test]
fn a_token_value_put_into_a_wrong_place_of_the_configuration_is_not_shown() {
    let value = "T3746f72b98524d1a-84e9eedb5c50abcd3746f72b98524d1a";
    let world = World::new(ACME);
    let lines = [
        format!("[[tenants]]\nname = \"{value}\"\nsubdomain = \"{value}\""),
        format!(
            "[[tenants]]\nname = \"a\"\nsubdomain = \"a\"\n[[tenants.tokens]]\nname = \"b\"\ntoken = \"{value}\"\ntoken_file = \"{value}\"\ntoken_env = \"{value}\"\ntoken_credential = \"{value}\"\nprofile = \"{value}\"\npermissions = [\"{value}\"]\nexpires = \"{value}\"\n{value} = 1"
        ),
        format!(
            "[schedule]\nvalidity = \"{value}\"\ntime_zone = \"{value}\"\npermissions = \"{value} {value}\"\n[syncro]\nprobes = \"{value}\"\ntimeout = \"{value}\"\n[web]\nlisten = \"{value}\""
        ),
        format!("[[tenants]]\ntoken = \"{value}\" oops"),
        format!("token = {value}"),
        format!("[[tenants]]\nname = \"a\"\nbase_url = \"https://{value}@example.com/?api_key={value}\""),
    ];
    for text_ in lines {
        let path = world.write("config.toml", &text_);
        let output = program().arg("-c").arg(path).arg("validate").stderr(Stdio::piped()).output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{text_}");
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(!said.contains("3746f72b") && !said.contains("84e9eedb"), "{text_}\n{said}");
    }
}

#[test]
fn no_debug_output_shows_a_canary() {
    use syncro_token_monitor::config;
    use syncro_token_monitor::syncro::TokenValue;
    use syncro_token_monitor::system::files::Deadline;
    let world = World::new(ACME);
    let path = world.configure(&Configuration::default().tenant("acme", CANARY, ""));
    let config = config::load(&path).unwrap();
    let value = TokenValue::read_blocking(&config.tokens[0].source, Deadline::default()).unwrap();
    clean("debug", &format!("{config:?} {:#?} {value:?} {value:#?} {:?}", config.tokens, value.fingerprint()));
}
