//! Is a new token ready for an integration? Each permission with its evidence, the clicks that fix it, never the value.

use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::Value;
use simulator::Incident;

use crate::harness::{ACME, World, program, text};

const VALUE: &str = "value-of-acme";

/// Runs it with a value on standard input, against the simulated account `acme`.
fn preflight(world: &World, value: &str, more: &[&str]) -> (Option<i32>, String, String) {
    let base_url = world.base_url("acme");
    let mut arguments = vec!["--config", "no-such-file", "preflight", "--base-url", &base_url];
    arguments.extend(more);
    if !more.contains(&"--subdomain") {
        arguments.extend(["--subdomain", "acme"]);
    }
    if !more.contains(&"--profile") {
        arguments.extend(["--profile", "jumpcloud"]);
    }
    let mut command = program();
    command.args(arguments).current_dir(world.path(""));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may have ended before it read anything.
    child.stdin.take().unwrap().write_all(value.as_bytes()).ok();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let (out, err) = (text(&stdout), text(&stderr));
    assert!(value.trim().is_empty() || !(out.clone() + &err).contains(value), "the value is nowhere: {out}{err}");
    (status.code(), out, err)
}

fn token_loses(permission: &str) -> Incident {
    Incident::TokenLoses { token: VALUE.to_owned(), permission: permission.to_owned() }
}

fn group_loses(permission: &str) -> Incident {
    let (tenant, group) = ("acme".to_owned(), "Technicians".to_owned());
    Incident::GroupLoses { tenant, group, permission: permission.to_owned() }
}

#[test]
fn a_token_with_everything_is_ready_and_what_cannot_be_seen_is_named() {
    let world = World::new(ACME);
    let (code, out, err) = preflight(&world, "value-of-acme\n", &[]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("its user: security group `Technicians`, Global Admin: no\n"), "{out}");
    assert!(out.contains("Tickets - List/Search\trequired\theld\tGET /tickets answered 200\n"), "{out}");
    let seen = "Tickets - Edit\trequired\tcould not be told\tits user has the right ticket.write; nothing shows the token's own tick\n";
    assert!(out.contains(seen), "{out}");
    assert!(out.contains("Tickets - Merge\trecommended\tcould not be told\t"), "{out}");
    assert!(
        out.ends_with("ready; not seen, so see in Syncro whether the token has it ticked: Tickets - Edit\n"),
        "{out}"
    );
    let files: Vec<_> = std::fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(files.is_empty(), "nothing is stored: {files:?}");
}

#[test]
fn what_is_missing_is_reported_with_its_cause_and_the_clicks_that_fix_it() {
    let world = World::new(ACME);
    world.happens(token_loses("Customers - List/Search"));
    world.happens(group_loses("Tickets - List/Search"));
    let (code, out, err) = preflight(&world, VALUE, &[]);
    assert_eq!(code, Some(2), "{out}{err}");
    let line = |permission: &str| {
        let about = |line: &&str| line.starts_with("- ") && line.contains(&format!("lacks `{permission}`"));
        out.lines().find(about).unwrap_or_else(|| panic!("{permission}: {out}")).to_owned()
    };
    assert!(line("Customers - List/Search").contains("New Token > Custom Permissions with `Customers - List/Search`"));
    assert!(line("Tickets - List/Search").contains("Security Groups > `Technicians` > tick `Tickets - List/Search`"));
    assert!(out.contains("not ready: missing Customers - List/Search, Tickets - List/Search"), "{out}");
}

#[test]
fn a_missing_recommended_permission_is_reported_but_the_token_is_ready() {
    let world = World::new(ACME);
    world.happens(token_loses("Recurring Invoices - List"));
    let (code, out, _) = preflight(&world, VALUE, &[]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("Recurring Invoices - List\trecommended\tmissing\tGET /schedules answered 401\n"), "{out}");
}

#[test]
fn a_dead_token_is_not_ready_and_of_an_account_that_does_not_answer_nothing_is_said() {
    let world = World::new(ACME);
    let (code, out, _) = preflight(&world, "no-such-value", &[]);
    assert_eq!(code, Some(2), "{out}");
    assert!(out.contains("not ready: the token is rejected\n"), "{out}");
    let how = simulator::Misbehaviour::Status(502);
    world.happens(Incident::Misbehaves { tenant: None, path: None, how, seconds: 600 });
    let (code, out, _) = preflight(&world, VALUE, &[]);
    assert_eq!(code, Some(3), "{out}");
    assert!(
        out.contains("not everything could be checked") && out.contains("could not tell whether it is ready"),
        "{out}"
    );
}

#[test]
fn a_permission_that_nothing_shows_leaves_it_open_whether_a_token_is_ready() {
    let world = World::new(ACME);
    let path = world.write("own.toml", "[profiles.mine]\nrequired = [\"Tickets - Merge\"]\n");
    let (code, out, err) = preflight(&world, VALUE, &["--profile", "mine", "--config", path.to_str().unwrap()]);
    assert_eq!(code, Some(3), "{out}{err}");
    assert!(out.contains("Tickets - Merge\trequired\tcould not be told\tnothing shows it\n"), "{out}");
    let (code, _, err) = preflight(&world, VALUE, &["--profile", "mine"]);
    assert_eq!(code, Some(3), "without its configuration it is unknown: {err}");
}

#[test]
fn the_value_may_stand_in_a_file() {
    let world = World::new(ACME);
    let file = world.write("value", VALUE);
    let (code, out, err) = preflight(&world, "", &["--token-file", file.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(!out.contains(VALUE), "{out}");
    let (code, _, err) = preflight(&world, VALUE, &["--token-file", "no-such-file"]);
    assert_eq!((code, err.contains("the token value is missing: the file `no-such-file`")), (Some(3), true), "{err}");
}

#[test]
fn wrong_arguments_are_reported_with_what_is_allowed() {
    let world = World::new(ACME);
    for (arguments, says) in [
        (["--profile", "jumpclod"], "`jumpclod` is not a known profile; allowed: did you mean `jumpcloud`?"),
        (["--subdomain", "acme.syncromsp.com"], "the part before `.syncromsp.com`"),
    ] {
        let (code, _, err) = preflight(&world, VALUE, &arguments);
        assert_eq!(code, Some(3), "{err}");
        assert!(err.contains(says), "{err}");
    }
    let (code, _, err) = preflight(&world, "\n", &[]);
    assert_eq!((code, err.contains("the token value is empty in standard input")), (Some(3), true), "{err}");
    assert!(world.log().is_empty(), "nothing was asked");
}

#[test]
fn the_findings_as_json() {
    let world = World::new(ACME);
    world.happens(group_loses("Tickets - List/Search"));
    let (code, out, _) = preflight(&world, VALUE, &["--output", "json"]);
    assert_eq!(code, Some(2));
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&found["verdict"], &found["state"]), (&"not_ready".into(), &"valid".into()));
    let permissions = found["permissions"].as_array().unwrap();
    let one = |name: &str| permissions.iter().find(|known| known["permission"] == name).unwrap();
    let missing = one("Tickets - List/Search");
    assert_eq!((&missing["state"], &missing["cause"]), (&"missing".into(), &"security_group".into()));
    assert!(missing["mend"].as_str().unwrap().contains("Security Groups > `Technicians`"), "{missing}");
    assert_eq!(one("Customers - List/Search")["state"], "held");
    assert_eq!(one("Tickets - Edit")["state"], "could_not_be_told");
}
