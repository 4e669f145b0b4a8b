//! What the answers of an account show of a permission, whichever way that account behaves: in its bodies, in its coarse
//! rights, with modules that are off, and by its list of users.

use serde_json::Value;
use simulator::Incident;

use crate::harness::{ACME, Configuration, Daemon, World, program, text};

const CANNED: &str = "Ticket Canned Responses - Manage";
const APPOINTMENTS: &str = "Appointments - View All (see-own never restricted)";
const TIMELOGS: &str = "Timelogs - Manage";

/// An account that narrows its answers, and has an appointment of another user.
const OTHERS: &str = "narrows = true\nappointments = [{ id = 1, user = 2 }]";

/// An account with two users, of whom the token's is in this group.
fn account(group: &str, more: &str) -> World {
    World::new(&format!(
        "requests_per_minute = 0\n[[tenants]]\nsubdomain = \"acme\"\n\
         groups = [{{ name = \"Technicians\", permissions = {group} }}, {{ name = \"All\", permissions = \"all\" }}]\n\
         users = [{{ id = 1, group = \"Technicians\" }}, {{ id = 2, group = \"Technicians\" }}]\n\
         tokens = [{{ value = \"value-of-acme\", user = 1, permissions = \"all\" }}]\n{more}\n"
    ))
}

/// What `check` says of the token: all of it, and its exit code.
fn check(world: &World, lines: &str) -> (Value, Option<i32>) {
    let mut configuration = Configuration::acme(lines);
    configuration.requests_per_minute = 10_000;
    let path = world.configure(&configuration);
    let output = program().args(["--config", path.to_str().unwrap(), "check", "--output", "json"]).output().unwrap();
    let found: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
    (found["tokens"][0].clone(), output.status.code())
}

/// The state of the one permission that is wanted, and how strong the evidence is.
fn state(world: &World, permission: &str) -> String {
    let (token, _) = check(world, &format!("permissions = [\"{permission}\"]"));
    let known = &token["permissions"][0];
    let strength = known["strength"].as_str().map_or_else(String::new, |strength| format!(" ({strength})"));
    format!("{}{strength}", known["state"].as_str().unwrap())
}

#[test]
fn a_body_shows_what_its_status_leaves_open() {
    let with = |permission: &str| account(&format!("[\"{permission}\"]"), OTHERS);
    let without = account("[]", OTHERS);
    for permission in [CANNED, APPOINTMENTS, TIMELOGS] {
        assert_eq!(state(&with(permission), permission), "granted (shown)", "{permission}");
    }
    assert_eq!(state(&without, CANNED), "missing (indicated)");
    assert_eq!(state(&without, TIMELOGS), "missing (indicated)");
    assert_eq!(state(&without, APPOINTMENTS), "unverified", "there may be none of others");
    let own = account("\"all\"", "appointments = [{ id = 1, user = 1 }]");
    assert_eq!(state(&own, APPOINTMENTS), "unverified");
    let refusing = account("[]", "appointments = [{ id = 1, user = 2 }]");
    assert_eq!(
        (state(&refusing, CANNED), state(&refusing, APPOINTMENTS)),
        ("missing (shown)".into(), "missing (shown)".into())
    );
    let (token, code) = check(&without, &format!("permissions = [\"{CANNED}\"]"));
    assert_eq!((&token["alerts"][0]["severity"], code), (&"warning".into(), Some(1)), "only indicated: {token}");
}

#[test]
fn a_module_that_is_off_shows_nothing_against_a_permission() {
    let off = account("\"all\"", "modules_off = [\"/invoices\", \"/schedules\", \"/customer_assets\"]");
    assert_eq!(state(&off, "Invoices - List/Search"), "unverified");
    assert_eq!(state(&off, "Recurring Invoices - List"), "unverified");
    assert_eq!(state(&off, "Assets - View Details"), "granted (indicated)", "as record 0 that is not found: no more");
    let (token, code) = check(&off, "permissions = [\"Invoices - List/Search\"]");
    assert_eq!((&token["alerts"], code), (&Value::Array(Vec::new()), Some(0)), "{token}");
}

#[test]
fn a_long_list_shows_the_permission_all_the_same() {
    assert_eq!(state(&account("\"all\"", "padding = 1600000"), "Vendors - List"), "granted (shown)");
    assert_eq!(state(&account("[]", "padding = 1600000"), "Vendors - List"), "missing (shown)");
}

/// A right that covers several permissions is there with any of them, or only with the one that it is named for.
#[test]
fn a_right_says_no_more_than_holds_whichever_way_syncro_makes_rights() {
    for coarse in [false, true] {
        let world = account("[\"Tickets - Create\"]", &format!("coarse_rights = {coarse}"));
        let (token, _) = check(&world, "permissions = [\"Tickets - Edit\", \"Tickets - Create\"]");
        let states: Vec<_> = token["permissions"].as_array().unwrap().iter().map(|known| &known["state"]).collect();
        // The user lacks `ticket.write` where it is exact; where it is coarse, it shows nothing of editing.
        let edit = if coarse { "unverified" } else { "missing" };
        assert_eq!(states, [edit, "granted"], "coarse: {coarse}, {token}");
    }
}

/// Nothing names the second group of a user: what it allows is seen, and the named group is not accused for certain.
#[test]
fn a_user_in_several_groups_has_what_any_of_them_allows() {
    let world = World::new(&ACME.replace(
        "{ id = 1, group = \"Technicians\" }",
        "{ id = 1, group = \"None\", more_groups = [\"Technicians\"] }",
    ));
    let (token, code) = check(&world, "permissions = [\"Tickets - List/Search\"]");
    assert_eq!((&token["permissions"][0]["state"], code), (&"granted".into(), Some(0)), "{token}");
    assert_eq!(token["security_group"], "None");
}

#[test]
fn an_account_that_was_renamed_is_told_apart_from_a_value_of_another_account() {
    let watching = || {
        let mut configuration = Configuration::acme("");
        configuration.requests_per_minute = 10_000;
        configuration
    };
    let message = |line: &Value| line["message"].as_str().unwrap().to_owned();
    let mut renamed = {
        let world = World::new(ACME);
        let mut daemon = world.run(&watching());
        daemon.checks("acme", "validity", 1);
        world.happens(Incident::TenantRenamed { tenant: "acme".to_owned(), subdomain: "acme-new".to_owned() });
        let line = daemon.alert("TenantRenamed", "firing");
        (daemon, line)
    };
    let line = &renamed.1;
    let said = message(line);
    assert!(said.contains("`acme-new`") && said.contains("`acme`"), "{said}");
    assert_eq!((&line["scope"], &line["token_name"]), (&"tenant".into(), &Value::Null), "{line}");
    assert!(line["steps"].to_string().contains("subdomain = \\\"acme-new\\\""), "{line}");
    renamed.0.signal("TERM");
    renamed.0.ended();
    let swapped = "tokens = [{ value = \"other\", user = 2, subdomain = \"globex\", permissions = \"all\" }, ";
    let world = World::new(&ACME.replacen("tokens = [", swapped, 1).replacen("users = [", "users = [{ id = 2 }, ", 1));
    let mut daemon = world.run(&watching());
    daemon.checks("acme", "validity", 1);
    world.write("acme-jumpcloud", "other");
    let said = message(&daemon.alert("TokenWrongAccount", "firing"));
    assert!(said.contains("`globex`") && said.contains("probably"), "{said}");
}

#[test]
fn the_users_are_read_after_the_first_check_and_not_shown_to_be_gone_by_one_list() {
    let world = account("\"all\"", "users_per_page = 1");
    let mut configuration = Configuration::acme("permissions = [\"Vendors - List\"]");
    configuration.requests_per_minute = 10_000;
    let mut daemon: Daemon = world.run(&configuration);
    daemon.checks("acme", "permissions", 4);
    let asked: Vec<_> =
        world.log().into_iter().map(|request| request.path).filter(|path| path.starts_with("/users")).collect();
    // The token's own user is on the first page, so the second one is not read.
    assert_eq!(asked, ["/users/1", "/users"]);
    let token: Value = serde_json::from_str(&daemon.get("/api/v1/tokens/acme/jumpcloud").1).unwrap();
    assert_eq!(token["user"]["listed"], true, "{token}");
}

#[test]
fn what_is_asked_of_another_user_is_asked_with_every_check_and_a_denial_says_what_shows_it() {
    let world = account("\"all\"", "");
    let mut configuration = Configuration::acme(&format!("permissions = [\"{TIMELOGS}\"]"));
    configuration.requests_per_minute = 10_000;
    let mut daemon = world.run(&configuration);
    daemon.checks("acme", "permissions", 2);
    let (token, permission) = ("value-of-acme".to_owned(), TIMELOGS.to_owned());
    world.happens(Incident::TokenLoses { token, permission });
    let line = daemon.alert("PermissionLost", "firing");
    let expected = "GET /timelogs/last answered 200, but about the token's own user and not the one who was asked for";
    assert_eq!(line["shown_by"], expected, "{line}");
    assert!(line["message"].as_str().unwrap().contains("probably lost `Timelogs - Manage`"), "{line}");
    let asked = world.log().into_iter().filter(|request| request.path.starts_with("/users"));
    assert!(asked.filter(|request| request.path == "/users").count() <= 2, "the list is not read with every check");
}
