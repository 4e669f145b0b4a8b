//! Which operations of a tenant check the permission before they search for the record, by a token of which nothing is ticked.

use serde_json::Value;

use crate::harness::{Configuration, World, program, text};

/// An account whose token has these permissions ticked.
fn account(ticked: &str, record_first: bool) -> World {
    World::new(&format!(
        "requests_per_minute = 0\n[[tenants]]\nsubdomain = \"acme\"\nrecord_first = {record_first}\n\
         groups = [{{ name = \"Technicians\", permissions = \"all\" }}]\nusers = [{{ id = 1, group = \"Technicians\" }}]\n\
         tokens = [{{ value = \"value-of-acme\", user = 1, permissions = [{ticked}] }}]\n"
    ))
}

/// Calibrates; the exit code, and what was printed.
fn calibrate(world: &World, more: &[&str]) -> (Option<i32>, String) {
    let mut configuration = Configuration::acme("");
    configuration.requests_per_minute = 10_000;
    let path = world.configure(&configuration);
    let file = world.write("empty-token", "value-of-acme");
    let arguments = ["--config", path.to_str().unwrap(), "calibrate", "--tenant", "acme", "--token-file"];
    let output = program().args(arguments).arg(file).args(more).output().unwrap();
    (output.status.code(), text(&output.stdout) + &text(&output.stderr))
}

#[test]
fn every_operation_says_which_it_checks_first() {
    for (record_first, meaning) in [(false, "permission_first"), (true, "record_first")] {
        let world = account("", record_first);
        let (code, out) = calibrate(&world, &["--output", "json"]);
        assert_eq!(code, Some(0), "{out}");
        let found: Value = serde_json::from_str(&out).unwrap();
        let operations = found.as_array().unwrap();
        assert!(operations.len() >= 8 && operations.iter().all(|one| one["meaning"] == meaning), "{found}");
        assert!(world.log().iter().all(|request| request.method == "GET"), "reads only");
        let (code, out) = calibrate(&world, &["--probes", "write-safe"]);
        assert_eq!((code, out.contains("PUT /customer_assets/{id}\t")), (Some(0), true), "{out}");
    }
}

#[test]
fn nothing_is_said_by_a_token_that_has_something_ticked_or_does_not_work() {
    let (code, out) = calibrate(&account("\"Tickets - List/Search\"", false), &[]);
    assert_eq!((code, out.contains("the token has `Tickets - List/Search`")), (Some(3), true), "{out}");
    let world = account("", false);
    world.happens(simulator::Incident::TokenRefused { token: "value-of-acme".to_owned() });
    let (code, out) = calibrate(&world, &[]);
    assert_eq!((code, out.contains("the token does not work")), (Some(3), true), "{out}");
}

#[test]
fn what_was_found_can_be_kept_in_the_configuration_and_decides_what_404_shows() {
    for (record_first, expected) in [(false, "granted (shown)"), (true, "unverified")] {
        let world = account("", record_first);
        let (_, out) = calibrate(&world, &[]);
        let (_, found) = out.split_once("in the configuration:\n\n").expect("it says how to keep it");
        let wide = World::new(&format!(
            "requests_per_minute = 0\n[[tenants]]\nsubdomain = \"acme\"\nrecord_first = {record_first}\n\
             groups = []\nusers = [{{ id = 1, admin = true }}]\n\
             tokens = [{{ value = \"value-of-acme\", user = 1, permissions = \"all\" }}]\n"
        ));
        let mut configuration = Configuration::acme("permissions = [\"Assets - View Details\"]");
        configuration.requests_per_minute = 10_000;
        configuration.tenants[0].more = found.to_owned();
        let path = wide.configure(&configuration);
        let output =
            program().args(["--config", path.to_str().unwrap(), "check", "--output", "json"]).output().unwrap();
        let checked: Value = serde_json::from_str(&text(&output.stdout)).unwrap();
        let permission = &checked["tokens"][0]["permissions"][0];
        let strength = permission["strength"].as_str().map_or_else(String::new, |strength| format!(" ({strength})"));
        assert_eq!(format!("{}{strength}", permission["state"].as_str().unwrap()), expected, "{checked}");
    }
}

#[test]
fn a_permission_that_is_ticked_is_not_mistaken_for_a_record_that_is_searched_for_first() {
    let (code, out) = calibrate(&account("\"Assets - View Details\"", false), &[]);
    assert_eq!((code, out.contains("or the token has one of these ticked")), (Some(3), true), "{out}");
    assert!(out.ends_with("record_first = [\n]\n"), "nothing is kept of it: {out}");
}
