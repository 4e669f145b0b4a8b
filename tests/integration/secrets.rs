//! A token value planted as a canary appears nowhere.

use std::process::Stdio;

use crate::harness::{ACME, Configuration, Daemon, PAGES, World, call, program, text};

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
