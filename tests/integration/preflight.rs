//! Is a new token ready for an integration? Each permission with its evidence, the clicks that fix it, never the value.

use std::io::Write as _;
use std::process::{Output, Stdio};

use serde_json::Value;
use simulator::Incident;

use crate::harness::{ACME, Configuration, World, program, text};

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
fn a_token_is_ready_only_when_a_request_has_shown_every_required_permission() {
    let world = World::new(ACME);
    let (code, out, err) = preflight(&world, "value-of-acme\n", &[]);
    assert_eq!(code, Some(3), "that its user may edit tickets says nothing about the token: {out}{err}");
    assert!(out.starts_with("not known whether it is ready; not shown: Tickets - Edit\n"), "{out}");
    assert!(out.contains("its user: security group `Technicians`, Global Admin: no\n"), "{out}");
    let how = "- `Tickets - Edit` is not shown (only a write shows it: `probes = \"write-safe\"`; its user has the right \
        ticket.write): add `--probes write-safe`, or see in Syncro whether the token has it ticked";
    assert!(out.contains(how), "{out}");
    assert!(out.contains("Tickets - List/Search\trequired\tgranted\tGET /tickets answered 200\n"), "{out}");
    assert!(out.contains("Tickets - Merge\trecommended\tunverified\tnothing shows it\n"), "{out}");
    let files: Vec<_> = std::fs::read_dir(world.path("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(files.is_empty(), "nothing is stored: {files:?}");
}

#[test]
fn a_write_to_a_record_that_does_not_exist_shows_the_rest() {
    let world = World::new(ACME);
    let (code, out, err) = preflight(&world, VALUE, &["--probes", "write-safe"]);
    assert_eq!(code, Some(0), "{out}{err}");
    let suggested =
        "ready; only suggested, by what a record that does not exist answered: Tickets - Create, Tickets - Edit\n";
    assert!(out.starts_with(suggested), "{out}");
    assert!(
        out.contains("Tickets - Edit\trequired\tgranted\tindicated: POST /tickets/0/remove_line_item answered 404\n"),
        "{out}"
    );
    world.happens(token_loses("Tickets - Edit"));
    let (code, out, _) = preflight(&world, VALUE, &["--probes", "write-safe"]);
    assert_eq!(code, Some(2), "{out}");
    assert!(out.starts_with("not ready: missing Tickets - Edit\n"), "{out}");
}

#[test]
fn whoever_accepts_what_is_not_shown_is_ready_without_it_but_never_without_what_is_missing() {
    let world = World::new(ACME);
    let (code, out, err) = preflight(&world, VALUE, &["--accept-unverified"]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.starts_with("ready; not shown: Tickets - Edit"), "{out}");
    world.happens(token_loses("Tickets - List/Search"));
    let (code, out, _) = preflight(&world, VALUE, &["--accept-unverified"]);
    assert_eq!(code, Some(2), "{out}");
    assert!(out.starts_with("not ready: missing Tickets - List/Search; not shown: Tickets - Edit\n"), "{out}");
}

#[test]
fn every_token_of_a_configuration_is_judged_and_the_worst_counts() {
    let world = World::new(ACME);
    let wants = "permissions = [\"Tickets - List/Search\"]";
    let configuration = Configuration::acme(wants);
    let path = world.configure(&configuration);
    let all = |more: &[&str]| {
        let output =
            program().args(["--config", path.to_str().unwrap(), "preflight", "--all"]).args(more).output().unwrap();
        (output.status.code(), text(&output.stdout) + &text(&output.stderr))
    };
    let (code, out) = all(&[]);
    assert_eq!(
        (code, out.starts_with("ready\ntoken for jumpcloud on the account `acme`: valid\n")),
        (Some(0), true),
        "{out}"
    );
    world.happens(token_loses("Tickets - List/Search"));
    let (code, out) = all(&["--output", "json"]);
    assert_eq!(code, Some(2), "{out}");
    let found: Value = serde_json::from_str(&out).unwrap();
    assert!(found.as_array().unwrap().iter().all(|one| one["verdict"] == "not_ready"), "{found}");
    assert_eq!(all(&["--profile", "jumpcloud"]).0, Some(3), "not together with one that is not configured");
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
    let either = line("Customers - List/Search");
    assert!(either.contains("either the security group `Technicians` lacks it"), "the right covers several: {either}");
    let steps = |permission: &str| {
        let lines = out.lines().skip_while(|line| !line.contains(&format!("lacks `{permission}`"))).skip(1);
        lines.take_while(|line| line.starts_with("  ")).collect::<String>()
    };
    let either = steps("Customers - List/Search");
    assert!(either.contains("Security Groups > `Technicians`") && either.contains("make a new token at"), "{either}");
    let group = steps("Tickets - List/Search");
    assert!(group.contains("Security Groups > `Technicians`, tick `Tickets - List/Search`"), "{group}");
    assert!(out.starts_with("not ready: missing Customers - List/Search, Tickets - List/Search"), "{out}");
}

#[test]
fn a_missing_recommended_permission_is_reported_but_the_token_is_ready() {
    let world = World::new(ACME);
    world.happens(token_loses("Recurring Invoices - List"));
    let (code, out, _) = preflight(&world, VALUE, &["--probes", "write-safe"]);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("Recurring Invoices - List\trecommended\tmissing\tGET /schedules answered 401\n"), "{out}");
}

#[test]
fn a_dead_token_is_not_ready_and_of_an_account_that_does_not_answer_nothing_is_said() {
    let world = World::new(ACME);
    let (code, out, _) = preflight(&world, "no-such-value", &[]);
    assert_eq!(code, Some(2), "{out}");
    assert!(out.starts_with("not ready: the token is rejected\n"), "{out}");
    let how = simulator::Misbehaviour::Status(502);
    world.happens(Incident::Misbehaves { tenant: None, path: None, how, seconds: 600 });
    let (code, out, _) = preflight(&world, VALUE, &[]);
    assert_eq!(code, Some(3), "{out}");
    let unknown =
        "not known whether it is ready: the token could not be checked (the server answered 502 (http_5xx))\n";
    assert!(out.starts_with(unknown), "{out}");
}

#[test]
fn a_permission_that_nothing_shows_leaves_it_open_whether_a_token_is_ready() {
    let world = World::new(ACME);
    let path = world.write("own.toml", "[profiles.mine]\nrequired = [\"Tickets - Merge\"]\n");
    let (code, out, err) = preflight(&world, VALUE, &["--profile", "mine", "--config", path.to_str().unwrap()]);
    assert_eq!(code, Some(3), "{out}{err}");
    assert!(out.contains("Tickets - Merge\trequired\tunverified\tnothing shows it\n"), "{out}");
    let (code, _, err) = preflight(&world, VALUE, &["--profile", "mine"]);
    assert_eq!(code, Some(3), "without its configuration it is unknown: {err}");
}

#[test]
fn the_value_may_stand_in_a_file() {
    let world = World::new(ACME);
    let file = world.write("value", VALUE);
    let (code, out, err) = preflight(&world, "", &["--token-file", file.to_str().unwrap(), "--accept-unverified"]);
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
    assert!(missing["fix"].as_str().unwrap().contains("Security Groups > `Technicians`"), "{missing}");
    assert_eq!(one("Customers - List/Search")["state"], "granted");
    let edit = one("Tickets - Edit");
    assert_eq!((&edit["state"], &edit["why_unverified"]), (&"unverified".into(), &"only_a_write_shows_it".into()));
    assert_eq!((&edit["evidence"], &edit["strength"]), (&"right".into(), &"indicated".into()));
}
