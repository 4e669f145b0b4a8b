//! A token gets its next value: it is proven first, one notification ends what fired, and whatever ends the program between two
//! steps, a whole value is in use.

use std::fs;
use std::path::Path;

use serde_json::Value;
use simulator::{Incident, Misbehaviour};

use crate::harness::{Configuration, Daemon, Tenant, Token, World, call, text};

/// The account `acme` with a token in use, one that may follow it, one of a weaker user, and one of another account.
const ACCOUNT: &str = r#"
[[tenants]]
subdomain = "acme"
groups = [{ name = "Technicians", permissions = "all" }, { name = "Guests", permissions = ["Customers - List/Search"] }]
users = [{ id = 1, group = "Technicians" }, { id = 2, group = "Technicians" }, { id = 3, group = "Guests" }]
tokens = [
  { value = "value-in-use", user = 1, permissions = "all" },
  { value = "value-next", user = 2, permissions = "all" },
  { value = "value-third", user = 1, permissions = "all" },
  { value = "value-weak", user = 3, permissions = "all" },
  { value = "value-lacking", user = 1, permissions = ["Customers - List/Search"] },
  { value = "value-elsewhere", user = 1, permissions = "all", subdomain = "other" },
]
"#;

const NEXT: &str = "next_token_file = \"next\"\n";
const PERMISSIONS: &str = "permissions = [\"Customers - List/Search\", \"Tickets - List/Search\"]\n";

fn configuration(lines: &str) -> Configuration {
    let lines = format!("{PERMISSIONS}{lines}");
    let token = Token { name: "jumpcloud".to_owned(), value: "value-in-use".to_owned(), lines };
    let tenant = Tenant { name: "acme".to_owned(), base_url: None, more: String::new(), tokens: vec![token] };
    Configuration { tenants: vec![tenant], ..Configuration::default() }
}

fn rotate(config: &Path, more: &[&str]) -> (Option<i32>, String) {
    let config = config.to_str().expect("text");
    let arguments = ["--config", config, "rotate", "--tenant", "acme", "--token-name", "jumpcloud"];
    let output = call(&[&arguments, more].concat());
    let said = text(&output.stdout) + &text(&output.stderr);
    assert!(!said.contains("value-"), "a value is nowhere: {said}");
    (output.status.code(), said)
}

fn read(world: &World, name: &str) -> Option<String> {
    fs::read_to_string(world.path(name)).ok().map(|text| text.trim().to_owned())
}

fn shown(daemon: &Daemon) -> Value {
    serde_json::from_str(&daemon.get("/api/v1/tokens/acme/jumpcloud").1).expect("JSON")
}

fn refused(value: &str) -> Incident {
    Incident::TokenRefused { token: value.to_owned() }
}

#[test]
fn the_command_switches_to_a_value_that_is_proven_and_says_what_is_left() {
    let world = World::new(ACCOUNT);
    world.write("next", "value-next\n");
    let config = world.configure(&configuration(&format!("{NEXT}expires = 2020-01-01\n")));
    let (code, said) = rotate(&config, &["--dry-run"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("\nanother user is behind it than behind the one in use\n"), "{said}");
    assert_eq!(read(&world, "acme-jumpcloud").as_deref(), Some("value-in-use"), "nothing was changed");
    let (code, said) = rotate(&config, &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.starts_with("proven: the next value of token `jumpcloud` of tenant `acme` works on this account"),
        "{said}"
    );
    for step in [
        "delete the former token in Syncro",
        "acme-jumpcloud.old`, which has the former value, once Syncro refuses",
        "set `expires`",
    ] {
        assert!(said.contains(step), "`{step}` is missing: {said}");
    }
    let files = ["acme-jumpcloud", "next", "acme-jumpcloud.old"].map(|name| read(&world, name).unwrap());
    assert_eq!(files, ["value-next", "value-next", "value-in-use"]);
    let arguments = ["--config", config.to_str().expect("text"), "check"];
    assert_eq!(call(&arguments).status.code(), Some(0), "the date of the former token is nothing to it");
    let (code, said) = rotate(&config, &[]);
    assert_eq!(code, Some(0), "a second time it says the same: {said}");
    assert!(said.contains("it was switched before\nleft to be done by hand:\n1. "), "{said}");
}

#[test]
fn nothing_is_switched_unless_the_next_value_may_do_what_the_one_in_use_was_shown_to_do() {
    let world = World::new(ACCOUNT);
    let config = world.configure(&configuration(NEXT));
    for (value, code, said) in [
        (None, 3, "nothing to be proven: the next value of token `jumpcloud` of tenant `acme` is missing: "),
        (Some(""), 3, " is empty in the file "),
        (Some("value-in-use"), 2, "is the one in use\nnothing was changed: put the value of a new token into"),
        (Some("value-lacking"), 2, "lacks `Tickets - List/Search`, which the one in use was shown to have"),
        (Some("value-weak"), 2, "lacks `Tickets - List/Search`, which the one in use was shown to have\nanother user"),
        (Some("value-elsewhere"), 2, "does not work here: it is wrong_account"),
        (Some("value-unknown"), 2, "does not work here: it is rejected"),
    ] {
        if let Some(value) = value {
            world.write("next", value);
        }
        let (exit, text) = rotate(&config, &[]);
        assert_eq!(exit, Some(code), "{value:?}: {text}");
        assert!(text.contains(said), "{value:?}: {text}");
        assert_eq!(read(&world, "acme-jumpcloud").as_deref(), Some("value-in-use"), "{value:?}");
        assert_eq!(read(&world, "acme-jumpcloud.old"), None, "{value:?}");
    }
    fs::remove_file(world.path("next")).expect("it was written");
    fs::create_dir(world.path("next")).expect("nothing is there");
    let (exit, text) = rotate(&config, &[]);
    assert_eq!(exit, Some(3), "{text}");
    assert!(
        text.starts_with("not known: the next value of token `jumpcloud` of tenant `acme` cannot be read"),
        "{text}"
    );
    fs::remove_dir(world.path("next")).expect("it is empty");
    world.write("next", "value-in-use");
    fs::create_dir(world.path("acme-jumpcloud.old")).expect("nothing is there");
    let (exit, text) = rotate(&config, &[]);
    assert_eq!(exit, Some(3), "{text}");
    assert!(text.contains("\nwhether it was switched before is not known: the token value cannot be read"), "{text}");
    fs::remove_dir(world.path("acme-jumpcloud.old")).expect("it is empty");
    world.write("next", "value-next");
    world.happens(Incident::Misbehaves { tenant: None, path: None, how: Misbehaviour::Status(502), seconds: 600 });
    let (exit, text) = rotate(&config, &[]);
    assert_eq!(exit, Some(3), "what could not be looked at is not proven: {text}");
    let without = world.configure(&configuration(""));
    let (exit, text) = rotate(&without, &[]);
    assert_eq!(exit, Some(3), "{text}");
    assert!(text.contains("has no next token: name the file of its value as `next_token_file`"), "{text}");
}

#[test]
fn the_daemon_proves_the_next_value_and_switches_and_checks_the_former_until_it_is_refused() {
    let world = World::new(ACCOUNT);
    let lines = format!("{NEXT}rotate_when = \"proven\"\nexpires = 2020-01-01\nnext_expires = 2035-01-01\n");
    let mut daemon = world.run(&configuration(&lines));
    daemon.wait("no value yet", |line| line["kind"] == "next_token" && line["after"] == "absent");
    daemon.alert("TokenExpiryOutdated", "firing");
    world.write("next", "value-lacking");
    daemon.wait("what it lacks", |line| line["kind"] == "next_token" && line["after"] == "lacking");
    assert_eq!(shown(&daemon)["next"]["lacks"], serde_json::json!(["Tickets - List/Search"]));
    world.write("next", "value-next");
    let rotated = daemon.wait("the switch", |line| line["event"] == "rotated");
    assert!(rotated["message"].as_str().unwrap().contains("left to be done: put the value in"), "{rotated}");
    daemon.wait("the former", |line| line["kind"] == "former_token" && line["after"] == "valid");
    if !daemon.notified().contains(&"TokenExpiryOutdated resolved".to_owned()) {
        daemon.alert("TokenExpiryOutdated", "resolved");
    }
    let token = shown(&daemon);
    assert_eq!(token["expires"], "2035-01-01T00:00:00Z", "that of the token whose value it is");
    assert_eq!((&token["next"]["proof"], &token["state"]), (&"in_use".into(), &"valid".into()));
    assert!(daemon.get("/tenants/acme/tokens/jumpcloud").1.contains("Syncro still lets it in"));
    world.happens(refused("value-in-use"));
    daemon.wait("the former", |line| line["kind"] == "former_token" && line["after"] == "rejected");
    assert!(daemon.get("/tenants/acme/tokens/jumpcloud").1.contains("Syncro refuses it, as it should"));
    assert_eq!(daemon.notified(), ["TokenExpiryOutdated firing", "TokenExpiryOutdated resolved"], "and nothing else");
    let files = ["acme-jumpcloud", "next", "acme-jumpcloud.old"].map(|name| read(&world, name).unwrap());
    assert_eq!(files, ["value-next", "value-next", "value-in-use"]);
}

#[test]
fn why_a_proven_value_could_not_be_put_in_place_is_said_until_it_is() {
    let world = World::new(ACCOUNT);
    world.write("next", "value-next");
    fs::create_dir(world.path("acme-jumpcloud.old")).expect("nothing is there");
    let mut daemon = world.run(&configuration(&format!("{NEXT}rotate_when = \"proven\"\n")));
    let failed = daemon.wait("the failure", |line| line["event"] == "rotation_failed");
    assert!(
        failed["message"].as_str().unwrap().contains("could not be put in place: the token value cannot be read"),
        "{failed}"
    );
    daemon.wait("another attempt", |line| line["event"] == "rotation_failed");
    let page = daemon.get("/tenants/acme/tokens/jumpcloud").1;
    assert!(page.contains("proven, but it could not be put in place: the token value cannot be read"), "{page}");
    assert!(shown(&daemon)["next"]["not_switched"].as_str().unwrap().contains("acme-jumpcloud.old"));
    fs::remove_dir(world.path("acme-jumpcloud.old")).expect("it is empty");
    daemon.wait("the switch", |line| line["event"] == "rotated");
    assert_eq!(daemon.notified(), Vec::<String>::new());
}

#[test]
fn an_alert_of_the_token_in_use_names_the_command_and_ends_with_the_switch() {
    let world = World::new(ACCOUNT);
    world.write("next", "value-next");
    let mut daemon = world.run(&configuration(NEXT));
    daemon.wait("the proof", |line| line["kind"] == "next_token" && line["after"] == "proven");
    world.happens(refused("value-in-use"));
    let fired = daemon.alert("TokenRejected", "firing");
    assert!(fired["steps"].to_string().contains("syncro-token-monitor rotate"), "{fired}");
    let (code, said) = rotate(&world.path("config.toml"), &[]);
    assert_eq!(code, Some(0), "what the one in use was shown to have is in the store: {said}");
    daemon.alert("TokenRejected", "resolved");
    assert_eq!(daemon.notified(), ["TokenRejected firing", "TokenRejected resolved"]);
}

#[test]
fn after_a_second_switch_it_is_the_last_value_that_is_to_be_refused() {
    let world = World::new(ACCOUNT);
    world.write("next", "value-next");
    let mut daemon = world.run(&configuration(NEXT));
    daemon.wait("the proof", |line| line["kind"] == "next_token" && line["after"] == "proven");
    let (code, said) = rotate(&world.path("config.toml"), &[]);
    assert_eq!(code, Some(0), "{said}");
    daemon.wait("the former", |line| line["kind"] == "former_token" && line["after"] == "valid");
    world.happens(refused("value-in-use"));
    daemon.wait("the former", |line| line["kind"] == "former_token" && line["after"] == "rejected");
    world.write("next", "value-third");
    let (code, said) = rotate(&world.path("config.toml"), &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("the token of the switch before this one is deleted too (fingerprint "), "{said}");
    daemon.wait("the former, anew", |line| line["kind"] == "former_token" && line["after"] == "valid");
    let token = shown(&daemon);
    assert_eq!(token["former"]["state"], "valid", "it is not taken for the one that is refused");
    assert_ne!(token["former"]["fingerprint"], token["fingerprint"]);
}

#[test]
fn a_kill_between_any_two_steps_leaves_a_whole_value_and_nobody_is_notified_twice() {
    std::thread::scope(|scope| {
        for steps in 0..=2 {
            scope.spawn(move || killed_after(steps));
        }
    });
}

/// A daemon is killed when so many steps of the switch are done, and another one goes on.
fn killed_after(steps: usize) {
    let world = World::new(ACCOUNT);
    let before = configuration(NEXT);
    let mut daemon = world.run(&before);
    world.write("next", "value-next");
    daemon.wait("the proof", |line| line["kind"] == "next_token" && line["after"] == "proven");
    world.happens(refused("value-in-use"));
    daemon.alert("TokenRejected", "firing");
    // It is persisted once it is delivered.
    daemon.checks("acme", "validity", 3);
    daemon.signal("KILL");
    daemon.ended();
    let config = world.configure(&configuration(&format!("{NEXT}rotate_when = \"proven\"\n")));
    if steps > 0 {
        world.write("acme-jumpcloud.old", "value-in-use\n");
    }
    if steps > 1 {
        world.write("acme-jumpcloud", "value-next\n");
    }
    world.write(".rotate-half", "value-");
    let mut again = Daemon::start(&config, &["--log-level", "info,syncro_token_monitor=debug"]);
    again.alert("TokenRejected", "resolved");
    again.wait("the former", |line| line["kind"] == "former_token" && line["after"] == "rejected");
    assert_eq!(again.notified(), ["TokenRejected resolved"], "after {steps} steps");
    let files = ["acme-jumpcloud", "next", "acme-jumpcloud.old"].map(|name| read(&world, name).unwrap());
    assert_eq!(files, ["value-next", "value-next", "value-in-use"], "after {steps} steps");
    assert_eq!(daemon.notified(), ["TokenRejected firing"]);
}
