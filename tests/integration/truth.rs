//! No message and no page claims more than answers have shown: which side lacks a permission, and whether one is granted.

use serde_json::Value;
use simulator::Incident;

use crate::harness::{Configuration, Daemon, Token, World, program, text};

const CREATE: &str = "Tickets - Create";
const DETAILS: &str = "Tickets - View Details";

/// An account with these groups, a user in the first of them for each token that is watched, and all tokens tick all.
fn account(groups: &str, users: &[(u64, &str)], more: &str) -> String {
    let list = |parts: Vec<String>| parts.join(", ");
    let all_users =
        list(users.iter().map(|(id, group)| format!("{{ id = {id}, group = \"{group}\" }}")).collect::<Vec<_>>());
    let tokens = users
        .iter()
        .map(|(id, _)| format!("{{ value = \"value-{id}\", user = {id}, permissions = \"all\" }}"))
        .collect::<Vec<_>>();
    format!(
        "requests_per_minute = 0\n[[tenants]]\nsubdomain = \"acme\"\ngroups = [{groups}]\nusers = [{all_users}]\n\
         tokens = [{}]\n{more}\n",
        list(tokens)
    )
}

/// The tokens with these numbers are watched, each of which wants this.
fn watching(numbers: &[u64], wants: &str) -> Configuration {
    let mut configuration = Configuration::acme(wants);
    configuration.requests_per_minute = 10_000;
    let token = |number: &u64| Token {
        name: format!("token-{number}"),
        value: format!("value-{number}"),
        lines: wants.to_owned(),
    };
    configuration.tenants[0].tokens = numbers.iter().map(token).collect();
    configuration
}

/// Waits until the permissions of each token have been checked.
fn all_checked(daemon: &mut Daemon, numbers: &[u64]) {
    for number in numbers {
        let name = format!("token-{number}");
        while !daemon.seen.iter().any(|line| line["check"] == "permissions" && line["token_name"] == *name) {
            daemon.wait("a first check", |line| line["check"] == "permissions");
        }
    }
}

fn group_loses(group: &str, permission: &str) -> Incident {
    let (tenant, group, permission) = ("acme".to_owned(), group.to_owned(), permission.to_owned());
    Incident::GroupLoses { tenant, group, permission }
}

fn message(line: &Value) -> &str {
    line["message"].as_str().unwrap()
}

#[test]
fn what_a_whole_group_loses_is_not_said_to_be_the_tokens_fault_though_a_right_stays() {
    let numbers = [1, 2, 3];
    let users = numbers.map(|number| (number, "Technicians"));
    let world = World::new(&account("{ name = \"Technicians\", permissions = \"all\" }", &users, ""));
    let mut daemon = world.run(&watching(&numbers, &format!("permissions = [\"{CREATE}\"]")));
    all_checked(&mut daemon, &numbers);
    // Its right `ticket.write` stays: the group may still edit tickets.
    world.happens(group_loses("Technicians", CREATE));
    let line = daemon.alert("PermissionLost", "firing");
    assert_eq!((&line["cause"], &line["security_group"]), (&"security_group".into(), &"Technicians".into()), "{line}");
    assert!(!message(&line).contains("New Token"), "{line}");
    daemon.checks("acme", "permissions", 6);
    assert_eq!(daemon.notified(), ["PermissionLost firing"], "one group, one alert");
}

#[test]
fn what_one_token_loses_is_its_own_fault_when_another_of_the_same_user_still_has_it() {
    let scenario = account("{ name = \"Technicians\", permissions = \"all\" }", &[(1, "Technicians")], "");
    let second = "tokens = [{ value = \"value-2\", user = 1, permissions = \"all\" }, ";
    let world = World::new(&scenario.replace("tokens = [", second));
    let mut daemon = world.run(&watching(&[1, 2], "permissions = [\"Vendors - List\"]"));
    all_checked(&mut daemon, &[1, 2]);
    world.happens(Incident::TokenLoses { token: "value-1".to_owned(), permission: "Vendors - List".to_owned() });
    let line = daemon.alert("PermissionLost", "firing");
    assert_eq!((&line["token_name"], &line["cause"]), (&"token-1".into(), &"token".into()), "{line}");
    assert!(!message(&line).contains("probably"), "shown: {line}");
}

#[test]
fn a_user_who_is_moved_is_the_cause_and_neither_the_old_group_nor_its_other_tokens() {
    let groups = "{ name = \"Technicians\", permissions = \"all\" }, { name = \"Readers\", permissions = [] }";
    let world = World::new(&account(groups, &[(1, "Technicians"), (2, "Technicians")], ""));
    let mut daemon = world.run(&watching(&[1, 2], "permissions = [\"Tickets - List/Search\"]"));
    all_checked(&mut daemon, &[1, 2]);
    world.happens(Incident::UserMoved { tenant: "acme".to_owned(), user: 1, group: "Readers".to_owned() });
    let line = daemon.alert("UserChanged", "firing");
    assert_eq!(
        (&line["scope"], &line["user_id"], &line["cause"]),
        (&"user".into(), &1.into(), &"user".into()),
        "{line}"
    );
    assert_eq!(line["token_names"], serde_json::json!(["token-1"]), "{line}");
    let names = |name: &str| message(&line).contains(name);
    assert!(names("`Readers`") && names("`Technicians`") && !names("token-2"), "{line}");
    world.happens(Incident::UserMoved { tenant: "acme".to_owned(), user: 1, group: "Technicians".to_owned() });
    daemon.alert("UserChanged", "resolved");
    assert_eq!(daemon.notified(), ["UserChanged firing", "UserChanged resolved"]);
}

#[test]
fn a_tenant_that_follows_the_guide_to_the_letter_has_no_alert_and_no_warning() {
    let five = "\"Customers - List/Search\", \"Customers - View Detail\", \"Tickets - Create\", \"Tickets - Edit\", \
        \"Tickets - List/Search\"";
    let groups = format!("{{ name = \"Integrations\", permissions = [{five}] }}");
    let world = World::new(&account(&groups, &[(1, "Integrations")], ""));
    let mut configuration = watching(&[1], "profile = \"jumpcloud\"");
    let mut daemon = world.run(&configuration);
    daemon.checks("acme", "permissions", 3);
    assert_eq!(daemon.notified(), Vec::<String>::new());
    let (_, page) = daemon.get("/api/v1/tokens/acme/token-1");
    let token: Value = serde_json::from_str(&page).unwrap();
    assert_eq!((&token["health"], &token["alerts"]), (&"well".into(), &Value::Array(Vec::new())), "{token}");
    configuration.requests_per_minute = 10_000;
    let path = world.configure(&configuration);
    let output = program().args(["--config", path.to_str().unwrap(), "check"]).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn how_many_customers_a_token_sees_is_read_from_the_list_that_is_asked_for_anyway() {
    let groups = "{ name = \"Technicians\", permissions = \"all\" }";
    let world = World::new(&account(groups, &[(1, "Technicians")], "customers = 12"));
    let mut daemon = world.run(&watching(&[1], "permissions = [\"Customers - List/Search\"]"));
    daemon.checks("acme", "permissions", 1);
    let series = "syncro_token_customers_visible{tenant=\"acme\",token_name=\"token-1\"}";
    assert_eq!(daemon.metric(series), Some(12.0));
    assert!(daemon.get("/tenants/acme/tokens/token-1").1.contains("<dt>Customers it sees</dt><dd>12</dd>"));
    let asked: Vec<_> = world.log().iter().map(|request| request.path.clone()).collect();
    assert!(asked.iter().all(|path| !path.starts_with("/customers") || path == "/customers?per_page=1"), "{asked:?}");
}

#[test]
fn the_user_is_named_where_people_read_and_nowhere_if_that_is_not_wanted() {
    let world = World::new(&account("{ name = \"Technicians\", permissions = \"all\" }", &[(1, "Technicians")], ""));
    for (syncro, name) in [("", Value::from("Simulated User")), ("user_names = false", Value::Null)] {
        let mut configuration = watching(&[1], "permissions = [\"Tickets - List/Search\"]");
        configuration.syncro = syncro.to_owned();
        let mut daemon = world.run(&configuration);
        daemon.checks("acme", "permissions", 1);
        let token: Value = serde_json::from_str(&daemon.get("/api/v1/tokens/acme/token-1").1).unwrap();
        assert_eq!(token["user"], serde_json::json!({"id": 1, "name": name, "listed": token["user"]["listed"]}));
        world.happens(Incident::UserLockedOut { tenant: "acme".to_owned(), user: 1, locked_out: true });
        let line = daemon.alert("UserLockedOut", "firing");
        world.happens(Incident::UserLockedOut { tenant: "acme".to_owned(), user: 1, locked_out: false });
        assert_eq!(message(&line).contains("`Simulated User`"), syncro.is_empty(), "{line}");
        let (page, metrics) = (daemon.get("/tenants/acme/tokens/token-1").1, daemon.get("/metrics").1);
        assert_eq!(page.contains("Simulated User (number 1)"), syncro.is_empty());
        assert!(metrics.contains("syncro_token_user_info{tenant=\"acme\",token_name=\"token-1\",user_id=\"1\"} 1"));
        let everywhere = page + &metrics + &token.to_string() + &line.to_string();
        assert!(!everywhere.contains("simulated@example.com"));
        assert!(syncro.is_empty() || !everywhere.contains("Simulated User"), "{everywhere}");
        daemon.signal("TERM");
        daemon.ended();
    }
}

/// The state of a permission of the only token, by the API, after so many more checks.
fn state(daemon: &mut Daemon, permission: &str) -> Value {
    let (_, page) = daemon.get("/api/v1/tokens/acme/token-1");
    let token: Value = serde_json::from_str(&page).unwrap();
    let permissions = token["permissions"].as_array().unwrap();
    permissions.iter().find(|known| known["permission"] == permission).unwrap().clone()
}

const WANTS_BOTH: &str = "permissions = [\"Tickets - List/Search\", \"Tickets - View Details\", \
    \"Tickets - View 'Their Ticket' Details\"]";

#[test]
fn a_request_that_either_of_two_permissions_lets_through_shows_neither() {
    let groups = "{ name = \"Technicians\", permissions = [\"Tickets - List/Search\", \
        \"Tickets - View 'Their Ticket' Details (assigned to them)\"] }";
    let world = World::new(&account(groups, &[(1, "Technicians")], ""));
    let mut daemon = world.run(&watching(&[1], WANTS_BOTH));
    daemon.checks("acme", "permissions", 1);
    let details = state(&mut daemon, DETAILS);
    let seen = (&details["state"], &details["why_unverified"]);
    assert_eq!(seen, (&"unverified".into(), &"another_lets_it_through".into()), "{details}");
    let granted =
        format!("syncro_token_permission_granted{{tenant=\"acme\",token_name=\"token-1\",permission=\"{DETAILS}\"}}");
    assert_eq!(daemon.metric(&granted), None);
}

#[test]
fn a_ticket_that_is_not_the_users_own_tells_the_two_apart() {
    let theirs = "Tickets - View 'Their Ticket' Details (assigned to them)";
    let groups = "{ name = \"Technicians\", permissions = \"all\" }";
    let world = World::new(&account(groups, &[(1, "Technicians")], "tickets = [{ id = 7, user = 99 }]"));
    let mut daemon = world.run(&watching(&[1], WANTS_BOTH));
    daemon.checks("acme", "permissions", 1);
    let details = state(&mut daemon, DETAILS);
    let seen = (&details["state"], &details["strength"], &details["shown_by"]);
    assert_eq!(seen, (&"granted".into(), &"shown".into(), &"GET /tickets/{id} answered 200".into()), "{details}");
    assert_eq!(state(&mut daemon, theirs)["state"], "unverified", "whoever may view all need not have it");
    world.happens(group_loses("Technicians", DETAILS));
    let line = daemon.alert("PermissionLost", "firing");
    assert_eq!(
        (&line["permissions"][0], &line["shown_by"]),
        (&DETAILS.into(), &"GET /tickets/{id} answered 401".into()),
        "{line}"
    );
    let own = state(&mut daemon, theirs);
    assert_eq!((&own["state"], &own["shown_by"]), (&"granted".into(), &"GET /tickets/0 answered 404".into()), "{own}");
    assert_eq!(daemon.notified(), ["PermissionLost firing"]);
}

#[test]
fn that_record_0_is_not_there_shows_a_permission_once_it_was_refused_for_it() {
    const ASSETS: &str = "Assets - View Details";
    let groups = "{ name = \"Technicians\", permissions = \"all\" }";
    let world = World::new(&account(groups, &[(1, "Technicians"), (2, "Technicians")], ""));
    let mut daemon = world.run(&watching(&[1, 2], &format!("permissions = [\"{ASSETS}\"]")));
    all_checked(&mut daemon, &[1, 2]);
    assert_eq!(state(&mut daemon, ASSETS)["strength"], "indicated", "the record may be searched for first");
    // The other token of the tenant shows it, and it is known of both from then on, after a restart too.
    let (token, permission) = ("value-2".to_owned(), ASSETS.to_owned());
    world.happens(Incident::TokenLoses { token: token.clone(), permission: permission.clone() });
    daemon.alert("PermissionLost", "firing");
    world.happens(Incident::TokenGains { token, permission });
    daemon.alert("PermissionLost", "resolved");
    daemon.checks("acme", "permissions", 4);
    let strength = |daemon: &mut Daemon| state(daemon, ASSETS)["strength"].clone();
    assert_eq!(strength(&mut daemon), "shown");
    daemon.signal("TERM");
    daemon.ended();
    let mut daemon = world.run(&watching(&[1], &format!("permissions = [\"{ASSETS}\"]")));
    assert_eq!(strength(&mut daemon), "shown");
}
