//! Contract section 3: every fault in one run, with key path, problem and what is allowed, and never a source line.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use syncro_token_monitor::config::{self};
use syncro_token_monitor::model::Probes;

use crate::harness::{ACME, Configuration, Daemon, World, call, program, text};

const BROKEN: &str = r#"
colour = "blue"

[web]
listen = "everywhere"
hosts = ["127.0.0.1", "monitor:9760", "fine.example", 3]
external_url = "gopher://x"
lissten = "127.0.0.1:1"
health_listen = "unix"
insecure = "no"

[web.tls]
certificate_file = "web.pem"

[web.auth]
users = { "al:ice" = "$2b$12$K0KIVI31r9wTCnXKzoI1M.OSRdsXPhj7C1k0eyG8W9gXjn4fwaLnC", bob = "secret-of-bob" }
bearer_token_files = ["prometheus-token", { file = "a" }, { file = "a", only = "write" }, 3]

[syncro]
requests_per_minute = -5
timeout = "soon"
probes = "write-all"
audit_excess = 1

[schedule]
validity = "*/5 * * * *"
permissions = "1 fortnight"
time_zone = "Europe/Berlln"

[alerts]
confirmations = 0
confirm_after = 30
expiry_notice = ["30d", "a week"]
confirmation = 2

[[alerts.alertmanagers]]
url = "ftp://alerts.example"

[[alerts.alertmanagers]]
url = "http://am.example:9093"
username = "ops"
certificate_file = "c"
timeout = "1h"

[[alerts.alertmanagers]]
url = "http://am.example:9093"
bearer_token_file = "b"
username = "ops"
password_file = "p"

[[alerts.webhooks]]
name = "log"
url = "https://hooks.example/?key=secret"
url_file = "u"
format = "discord"
method = "GET"
headers = { Authorization = "Bearer x", "X Y" = "z", X-Number = 3 }
only = { tenants = ["acme", "acmme"], severities = ["fatal"], alerts = ["TokenExpird"], profiles = [], tokens = ["t"] }

[[alerts.webhooks]]
name = "templated"
url = "https://hooks.example/"
format = "template"
template_file = "broken.json"
routing_key_file = "key"

[[alerts.webhooks]]
name = "paged"
format = "pagerduty"
template_file = "missing.json"

[[alerts.webhooks]]
url = "https://hooks.example/T4f2a9c81d0b34e7a95c1f2e3d4b5a697"

[[alerts.emails]]
name = "mail"
smtp = "http://mail.example"
to = []

[alerts.heartbeat]
url_file = "nowhere"
every = "2d"

[alerts.canary]
receiver = "templatd"
every = "1m"

[storage]
path = ""
keep = "1h"

[[maintenance]]
tenants = ["acmee"]
weekdays = ["sunday", "someday"]
times = "22-23"

[[maintenance]]
weekdays = ["sat"]
from = 2027-01-01

[[maintenance]]
from = 2027-01-02
to = 2027-01-01T12:00:00Z

[[maintenance]]

[profiles]
strange = 3

[profiles.jumpcloud]
required = []

[profiles.own]
required = ["Tickets - Edit", "Tikets - Edit", "Tickets - Create"]
recommended = ["tickets - create", "Tickets - Merge", "Tickets - Merge"]
needed = []

[profiles.empty]

[[tenants]]
name = "acme"
subdomain = "acme.syncromsp.com"

[[tenants.tokens]]
name = "jumpcloud"
token_file = "a"
token_env = "B"
expires = "2027-03-31"
profile = "jumpclod"
permissions = ["Tickets - Edti", "Tickets - Edit", "tickets – edit", 3]
ignore = [
    { permission = "Tickets - Edti", until = "soon" },
    { permission = "Tickets - Edit", reason = "one" },
    { permission = "Tickets - Edit", reason = "another", note = 3 },
    7,
]

[[tenants.tokens]]
name = "jumpcloud"
auto_rotated = "yes"
token = "secret"

[[tenants]]
name = "acme"
probe_records = { ticket = 0, tikcet = 3, asset = "7" }
calibrated = { permission_first = ["GET /tickets/{id}", "GET /ticket/{id}"], record_first = ["GET /tickets/{id}", 7] }
base_url = "http://acme.example/api/v1"
tokens = "none"

[[tenants]]
subdomain = "-"
"#;

fn faults(world: &World, text_: &str) -> String {
    let path = world.write("config.toml", text_);
    let output = call(&["-c", path.to_str().unwrap(), "validate"]);
    assert_eq!(output.status.code(), Some(78), "{}", text(&output.stdout));
    text(&output.stderr).replace(world.path("").to_str().unwrap(), "")
}

#[test]
fn every_fault_is_reported_in_one_run_with_its_path_and_what_is_allowed() {
    let world = World::new(ACME);
    world.write(
        "conf.d/more.toml",
        "[web]\nlisten = \"127.0.0.1:1\"\n[[tenants]]\nname = \"acme\"\nsubdomain = \"acme\"\n",
    );
    world.write("broken.json", "{\n \"a\": {{ alert }\n}");
    world.write("conf.d/worse.toml", "[[tenants]\n");
    insta::assert_snapshot!(faults(&world, BROKEN));
}

#[test]
fn a_plan_that_exceeds_the_budget_stretches_its_intervals_and_says_so() {
    let world = World::new(ACME);
    let configuration = Configuration {
        requests_per_minute: 30,
        validity: "1s",
        permissions: "1s",
        ..Configuration::acme("profile = \"jumpcloud\"")
    };
    let path = world.configure(&configuration);
    let output = call(&["-c", path.to_str().unwrap(), "validate"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    let holds = "validity: every 21s, instead of 1s\npermissions: every 21s, instead of 1s\n";
    let remedy = "the targets need a budget of 601 requests a minute, more than the 180 that Syncro allows one address";
    assert!(said.contains(holds) && said.contains(remedy), "{said}");
    let daemon = Daemon::start(&path, &[]);
    let line = daemon.seen.iter().find(|line| line["event"] == "intervals_stretched").expect("a line about it");
    assert_eq!((&line["validity_seconds"], &line["level"]), (&21.into(), &"WARN".into()), "{line}");
    assert_eq!(daemon.metric("syncro_monitor_interval_seconds{check=\"validity\"}"), Some(21.0));
    assert_eq!(daemon.metric("syncro_monitor_interval_seconds{check=\"permissions\"}"), Some(21.0));
    let (_, page) = daemon.get("/");
    assert!(page.contains("a validity check every 21s instead of 1s") && page.contains(remedy), "{page}");
}

#[test]
fn a_plan_that_nothing_can_stretch_far_enough_is_a_fault() {
    let world = World::new(ACME);
    world.write("token", "value");
    let tenant = "[[tenants]]\nname = \"a\"\nsubdomain = \"a\"\n";
    let token = |number: u32| format!("[[tenants.tokens]]\nname = \"{number}\"\ntoken_file = \"token\"\n");
    let tokens: String = (0..60).map(token).collect();
    let said = |schedule: &str| {
        faults(&world, &format!("[schedule]\n{schedule}\n[syncro]\nrequests_per_minute = 1\n{tenant}{tokens}"))
    };
    let too_much =
        "schedule.at_most: a validity check of every token each 30m needs 2.2 requests a minute, the budget is 1";
    assert!(said("at_most = \"30m\"").contains(too_much), "{}", said("at_most = \"30m\""));
    let shorter = said("validity = \"2h\"\nat_most = \"1h\"");
    assert!(shorter.contains("schedule.at_most: `1h` is out of bounds") && shorter.contains("from 2h to"), "{shorter}");
}

#[test]
fn malformed_toml_is_reported_with_its_place_but_not_its_text() {
    let world = World::new(ACME);
    let said = faults(&world, "[web]\nlisten = \"127.0.0.1:1\"\ntoken = \"planted-canary\" planted-canary\n");
    assert!(said.contains("not TOML at line 3"), "{said}");
    assert!(!said.contains("canary"), "{said}");
    assert!(faults(&world, "\u{0}").contains("not TOML at line 1"));
    std::fs::write(world.path("config.toml"), [0xff, 0xfe]).unwrap();
    let output = program().arg("-c").arg(world.path("config.toml")).arg("validate").output().unwrap();
    assert!(text(&output.stderr).contains("not UTF-8"));
    let output = program().arg("-c").arg(world.path("nowhere.toml")).arg("validate").output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(
        text(&output.stderr).contains("nowhere.toml: failed to read the file: No such file"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn the_example_says_what_holds_if_it_says_nothing() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/config.toml");
    let written = config::load(&example).unwrap();
    let world = World::new(ACME);
    let text_ = std::fs::read_to_string(&example).unwrap();
    let tenants = text_.find("[[tenants]]").unwrap();
    let silent = config::load(&world.write("config.toml", &text_[tenants..])).unwrap();
    assert_eq!((&written.web, &written.syncro, &written.schedule), (&silent.web, &silent.syncro, &silent.schedule));
    assert_eq!((&written.alerts, written.storage.keep), (&silent.alerts, silent.storage.keep));
    let beside = |config: &Path| config.with_file_name("state.db");
    assert_eq!(written.storage.path, beside(&example));
    assert_eq!(silent.storage.path, beside(&world.path("config.toml")));
    assert_eq!(written.syncro.probes, Probes::ReadOnly);
    assert_eq!(written.web.listen.to_string(), "127.0.0.1:9760");
    let token = &written.tokens[0];
    assert_eq!(token.tenant.base_url, "https://acme-msp.syncromsp.com/api/v1");
    assert_eq!(token.expires.unwrap().to_rfc3339(), "2027-03-31T04:00:00+00:00", "the start of the day in New York");
    assert_eq!(
        token.wanted.iter().filter(|wanted| wanted.required).count(),
        6,
        "five of the profile and one of its own"
    );
}

#[test]
fn conf_d_holds_more_tenants_and_paths_are_relative_to_the_configuration_file() {
    let world = World::new(ACME);
    let tenant = |name: &str| {
        format!(
            "[[tenants]]\nname = \"{name}\"\nsubdomain = \"{name}\"\n[[tenants.tokens]]\nname = \"t\"\ntoken_file = \"tokens/{name}\"\n"
        )
    };
    let path = world.write("config.toml", &tenant("a"));
    world.write("conf.d/c.toml", &tenant("c"));
    world.write("conf.d/b.toml", &tenant("b"));
    world.write("conf.d/not.txt", "nonsense");
    for name in ["a", "b", "c"] {
        world.write(&format!("tokens/{name}"), "value");
    }
    let config = config::load(&path).unwrap();
    let names: Vec<_> = config.tokens.iter().map(|token| token.tenant.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    let output = call(&["-c", path.to_str().unwrap(), "validate"]);
    assert!(!text(&output.stdout).contains("warning"), "{}", text(&output.stdout));
}

#[test]
fn to_ignore_what_a_token_does_not_need_is_a_warning() {
    let world = World::new(ACME);
    let lines =
        "permissions = [\"Tickets - Edit\"]\nignore = [{ permission = \"Tickets - Merge\", reason = \"by hand\" }]";
    let path = world.configure(&Configuration::acme(lines));
    let output = call(&["-c", path.to_str().unwrap(), "validate"]);
    let (shown, code) = (text(&output.stdout), output.status.code());
    let expected = "tenants[0].tokens[0].ignore[0].permission: `Tickets - Merge` is not needed by this token";
    assert!(code == Some(0) && shown.contains("warning: ") && shown.contains(expected), "{code:?} {shown}");
}

#[test]
fn a_file_with_a_secret_that_everyone_may_read_is_a_warning() {
    let world = World::new(ACME);
    let path = world.write(
        "config.toml",
        "[[tenants]]\nname = \"a\"\nsubdomain = \"a\"\n[[tenants.tokens]]\nname = \"t\"\ntoken_file = \"open\"\n\
         next_token_file = \"next\"\n[[alerts.webhooks]]\nname = \"chat\"\nurl_file = \"url\"\n",
    );
    for name in ["open", "next", "open.old", "url"] {
        let file = world.write(name, "value");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    }
    let output = call(&["-c", path.to_str().unwrap(), "validate"]);
    assert_eq!(output.status.code(), Some(0));
    let out = text(&output.stdout);
    let token = "token `t` of tenant `a`";
    for (of, name) in [(token, "open"), (token, "next"), (token, "open.old"), ("receiver `chat`", "url")] {
        let warning = format!("{of}: everyone on this machine can read the file `{}`;", world.path(name).display());
        assert!(out.contains(&warning), "{warning}: {out}");
    }
}

#[test]
fn a_value_comes_from_a_variable_or_a_credential_as_well() {
    let world = World::new(ACME);
    let base_url = world.base_url("acme");
    let tenant = format!("[[tenants]]\nname = \"acme\"\nsubdomain = \"acme\"\nbase_url = \"{base_url}\"\n");
    let tokens = "[[tenants.tokens]]\nname = \"e\"\ntoken_env = \"ACME_TOKEN\"\n[[tenants.tokens]]\nname = \"c\"\ntoken_credential = \"acme\"\n";
    let path = world.write("config.toml", &(tenant + tokens));
    world.write("credentials/acme", "value-of-acme\n");
    let run = |with: bool| {
        let mut command = program();
        if with {
            command.env("ACME_TOKEN", "value-of-acme").env("CREDENTIALS_DIRECTORY", world.path("credentials"));
        }
        let output = command.arg("-c").arg(&path).arg("check").output().unwrap();
        (output.status.code(), text(&output.stdout))
    };
    assert_eq!(run(true).0, Some(0), "{}", run(true).1);
    let (code, said) = run(false);
    assert_eq!(code, Some(2));
    assert!(said.contains("`ACME_TOKEN`") && said.contains("LoadCredential="), "{said}");
}
