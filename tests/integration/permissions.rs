//! Contract section 4, permissions: granted, missing or unverified, by which evidence, and who is short.

use serde_json::Value;
use simulator::Incident;

use crate::harness::{ACME, Configuration, Daemon, World};

const LIST: &str = "permissions = [\"Tickets - List/Search\"]";

fn group(loses: bool, permission: &str) -> Incident {
    let (tenant, group, permission) = ("acme".to_owned(), "Technicians".to_owned(), permission.to_owned());
    if loses {
        Incident::GroupLoses { tenant, group, permission }
    } else {
        Incident::GroupGains { tenant, group, permission }
    }
}

fn token(loses: bool, permission: &str) -> Incident {
    let (token, permission) = ("value-of-acme".to_owned(), permission.to_owned());
    if loses { Incident::TokenLoses { token, permission } } else { Incident::TokenGains { token, permission } }
}

fn granted(daemon: &Daemon, permission: &str) -> Option<f64> {
    daemon.metric(&format!(
        "syncro_token_permission_granted{{tenant=\"acme\",token_name=\"jumpcloud\",permission=\"{permission}\"}}"
    ))
}

fn count(daemon: &Daemon, state: &str) -> Option<f64> {
    daemon.metric(&format!("syncro_token_permissions{{tenant=\"acme\",token_name=\"jumpcloud\",state=\"{state}\"}}"))
}

fn field<'a>(line: &'a Value, name: &str) -> &'a str {
    line[name].as_str().or(line[name][0].as_str()).unwrap_or_default()
}

#[test]
fn a_permission_taken_from_the_group_is_lost_with_the_cause_and_the_clicks() {
    let world = World::new(ACME);
    let mut daemon = world.run(&Configuration::acme(LIST));
    daemon.checks("acme", "permissions", 1);
    assert_eq!(granted(&daemon, "Tickets - List/Search"), Some(1.0));
    assert_eq!(count(&daemon, "granted"), Some(1.0));
    world.happens(group(true, "Tickets - List/Search"));
    let line = daemon.alert("PermissionLost", "firing");
    let expected = [
        ("severity", "critical"),
        ("level", "ERROR"),
        ("tenant", "acme"),
        ("scope", "security_group"),
        ("token_names", "jumpcloud"),
        ("security_group", "Technicians"),
        ("rights", "ticket.read"),
        ("permissions", "Tickets - List/Search"),
        ("cause", "security_group"),
        ("evidence", "probe"),
    ];
    for (name, value) in expected {
        assert_eq!(field(&line, name), value, "{line}");
    }
    assert_eq!(field(&line, "runbook"), format!("{}/runbooks/PermissionLost", daemon.address));
    assert!(line["token_name"].is_null(), "it is about the group: {line}");
    let steps = line["steps"].to_string();
    assert!(steps.contains("Security Groups") && steps.contains("`Technicians`"), "{line}");
    assert!(steps.contains("`Tickets - List/Search`"), "{line}");
    assert_eq!(granted(&daemon, "Tickets - List/Search"), Some(0.0));
    assert_eq!(count(&daemon, "missing"), Some(1.0));
    world.happens(group(false, "Tickets - List/Search"));
    daemon.alert("PermissionLost", "resolved");
    assert_eq!(granted(&daemon, "Tickets - List/Search"), Some(1.0));
    assert_eq!(daemon.notified(), ["PermissionLost firing", "PermissionLost resolved"], "the right goes along");
}

#[test]
fn one_group_that_loses_a_permission_is_one_alert_that_names_every_token() {
    let scenario = ACME.replace(
        "tokens = [",
        "tokens = [{ value = \"value-of-portal\", user = 1, permissions = \"all\" },\
         { value = \"value-of-other\", user = 1, permissions = \"all\" }, ",
    );
    let world = World::new(&format!("requests_per_minute = 0\n{scenario}"));
    let mut configuration = Configuration::acme(LIST);
    configuration.requests_per_minute = 10_000;
    for (name, lines) in [("portal", "profile = \"n8n-syncrormm\""), ("other", "permissions = [\"Vendors - List\"]")] {
        let (value, lines) = (format!("value-of-{name}"), lines.to_owned());
        configuration.tenants[0].tokens.push(crate::harness::Token { name: name.to_owned(), value, lines });
    }
    let mut daemon = world.run(&configuration);
    for name in ["jumpcloud", "portal", "other"] {
        while !daemon.seen.iter().any(|line| line["check"] == "permissions" && line["token_name"] == name) {
            daemon.wait("a first check", |line| line["check"] == "permissions");
        }
    }
    let notified = |daemon: &Daemon, status: &str| {
        let notified = daemon.seen.iter().filter(|line| line["event"] == "alert" && line["status"] == status);
        notified.filter(|line| line["alert"] == "PermissionLost").cloned().collect::<Vec<_>>()
    };
    for _ in 0..2 {
        let before = (notified(&daemon, "firing").len(), notified(&daemon, "resolved").len());
        world.happens(group(true, "Tickets - List/Search"));
        let line = daemon.alert("PermissionLost", "firing");
        let message = field(&line, "message");
        let names = |name: &str| message.contains(&format!("`{name}`"));
        assert!(names("jumpcloud") && names("portal"), "{message}");
        assert_eq!(line["permissions"], serde_json::json!(["Tickets - List/Search"]), "{line}");
        daemon.checks("acme", "permissions", 6);
        let portal = "syncro_token_permission_granted{tenant=\"acme\",token_name=\"portal\",permission=\"Tickets - List/Search\"}";
        assert_eq!((granted(&daemon, "Tickets - List/Search"), daemon.metric(portal)), (Some(0.0), Some(0.0)));
        world.happens(group(false, "Tickets - List/Search"));
        daemon.alert("PermissionLost", "resolved");
        assert_eq!((granted(&daemon, "Tickets - List/Search"), daemon.metric(portal)), (Some(1.0), Some(1.0)));
        daemon.checks("acme", "permissions", 6);
        let after = (notified(&daemon, "firing").len(), notified(&daemon, "resolved").len());
        assert_eq!(after, (before.0 + 1, before.1 + 1), "one alert, one end: {:?}", daemon.notified());
    }
    world.happens(Incident::TokenLoses {
        token: "value-of-portal".to_owned(),
        permission: "Tickets - List/Search".to_owned(),
    });
    let line = daemon.alert("PermissionLost", "firing");
    assert_eq!(
        (field(&line, "token_name"), field(&line, "cause")),
        ("portal", "token"),
        "its own fault is its own alert"
    );
}

#[test]
fn a_permission_taken_from_the_token_is_notified_of_as_the_tokens_fault() {
    let world = World::new(ACME);
    // The user's right `payment.read` covers nothing else.
    let mut daemon = world.run(&Configuration::acme("permissions = [\"Payments - View List\"]"));
    daemon.checks("acme", "permissions", 1);
    world.happens(token(true, "Payments - View List"));
    let line = daemon.alert("PermissionLost", "firing");
    assert_eq!((field(&line, "cause"), field(&line, "evidence")), ("token", "probe"));
    assert_eq!(field(&line, "shown_by"), "GET /payments answered 401");
    assert!(field(&line, "message").contains("probably"), "the right only suggests it: {line}");
    world.happens(token(false, "Payments - View List"));
    daemon.alert("PermissionLost", "resolved");
    assert_eq!(daemon.notified(), ["PermissionLost firing", "PermissionLost resolved"]);
}

#[test]
fn without_a_matching_right_nobody_is_accused() {
    let world = World::new(ACME);
    let mut daemon = world.run(&Configuration::acme("permissions = [\"Vendors - List\"]"));
    daemon.checks("acme", "permissions", 1);
    world.happens(token(true, "Vendors - List"));
    let line = daemon.alert("PermissionLost", "firing");
    assert_eq!(field(&line, "cause"), "undetermined");
}

#[test]
fn a_permission_that_no_read_shows_is_unverified_until_its_right_is_gone() {
    let world = World::new(ACME);
    let mut daemon = world.run(&Configuration::acme("permissions = [\"Tickets - Edit\", \"Tickets - Merge\"]"));
    daemon.checks("acme", "permissions", 1);
    assert_eq!(granted(&daemon, "Tickets - Edit"), None, "absent while not known");
    assert_eq!(count(&daemon, "unverified"), Some(2.0));
    world.happens(group(true, "Tickets - Edit"));
    let line = daemon.alert("PermissionLost", "firing");
    let seen = ["permissions", "cause", "evidence", "severity"].map(|name| field(&line, name));
    assert_eq!(seen, ["Tickets - Edit", "security_group", "right", "critical"]);
    assert_eq!(granted(&daemon, "Tickets - Edit"), Some(0.0));
    assert_eq!((count(&daemon, "missing"), count(&daemon, "unverified")), (Some(1.0), Some(1.0)));
    world.happens(group(false, "Tickets - Edit"));
    daemon.alert("PermissionLost", "resolved");
    assert_eq!(granted(&daemon, "Tickets - Edit"), None);
}

#[test]
fn what_was_missing_from_the_start_is_missing_and_by_right_alone_only_a_warning() {
    let world = World::new(ACME);
    for permission in ["Tickets - List/Search", "Tickets - Edit"] {
        world.happens(group(true, permission));
    }
    let wants = "permissions = [\"Tickets - List/Search\", \"Tickets - Edit\", \"Vendors - List\"]";
    let mut daemon = world.run(&Configuration::acme(wants));
    let line = daemon.alert("PermissionMissing", "firing");
    assert_eq!(line["permissions"], serde_json::json!(["Tickets - Edit", "Tickets - List/Search"]), "{line}");
    assert_eq!(field(&line, "severity"), "critical");
    assert_eq!(daemon.notified(), ["PermissionMissing firing"]);
}

#[test]
fn a_recommended_permission_is_never_critical() {
    let world = World::new(ACME);
    let mut configuration = Configuration::acme("profile = \"jumpcloud\"");
    configuration.permissions = "10s";
    configuration.validity = "10s";
    let mut daemon = world.run(&configuration);
    daemon.checks("acme", "permissions", 1);
    world.happens(token(true, "Customers - Edit"));
    let line = daemon.alert("PermissionLost", "firing");
    let seen = ["permissions", "severity", "profiles"].map(|name| field(&line, name));
    assert_eq!(seen, ["Customers - Edit", "warning", "jumpcloud"]);
}

#[test]
fn permission_alerts_are_held_while_the_token_does_not_work() {
    let world = World::new(ACME);
    let mut daemon = world.run(&Configuration::acme(LIST).alerts("remind_every = \"1s\""));
    daemon.checks("acme", "permissions", 1);
    world.happens(token(true, "Tickets - List/Search"));
    daemon.alert("PermissionLost", "firing");
    world.happens(Incident::TokenRefused { token: "value-of-acme".to_owned() });
    daemon.alert("TokenRejected", "firing");
    let before = daemon.seen.len();
    daemon.alert("TokenRejected", "reminder");
    daemon.alert("TokenRejected", "reminder");
    let held = daemon.seen[before..].iter().filter(|line| line["alert"] == "PermissionLost");
    assert_eq!(held.count(), 0, "neither reminded nor resolved while held");
    world.happens(Incident::TokenWorks { token: "value-of-acme".to_owned() });
    daemon.alert("TokenRejected", "resolved");
    world.happens(token(false, "Tickets - List/Search"));
    daemon.alert("PermissionLost", "resolved");
    assert_eq!(daemon.notified().iter().filter(|notified| *notified == "PermissionLost firing").count(), 1);
}

#[test]
fn a_user_who_loses_global_admin_is_notified_of_for_one_reminder_interval() {
    let world = World::new(&ACME.replace("group = \"Technicians\" }]", "group = \"Technicians\", admin = true }]"));
    let mut daemon = world.run(&Configuration::acme("").alerts("remind_every = \"12s\""));
    daemon.checks("acme", "permissions", 1);
    let info = |daemon: &Daemon, admin: &str| {
        daemon.metric(&format!(
            "syncro_token_info{{tenant=\"acme\",token_name=\"jumpcloud\",subdomain=\"acme\",profile=\"\",\
             security_group=\"Technicians\",global_admin=\"{admin}\",fingerprint=\"52a1e0f65822\"}}"
        ))
    };
    assert_eq!(info(&daemon, "true"), Some(1.0));
    world.happens(Incident::UserAdmin { tenant: "acme".to_owned(), user: 1, admin: false });
    let line = daemon.alert("UserChanged", "firing");
    assert_eq!(field(&line, "severity"), "warning");
    assert_eq!(info(&daemon, "false"), Some(1.0));
    daemon.alert("UserChanged", "resolved");
    assert_eq!(daemon.notified(), ["UserChanged firing", "UserChanged resolved"], "after one reminder interval");
}

#[test]
fn what_a_token_is_meant_to_lack_is_shown_with_the_reason_and_not_notified_of() {
    let world = World::new(ACME);
    let ignore =
        "ignore = [{ permission = \"tickets - list/search\", reason = \"it only <writes>\", until = 2999-01-01 }]";
    let mut daemon = world.run(&Configuration::acme(&format!("{LIST}\n{ignore}")));
    daemon.checks("acme", "permissions", 1);
    world.happens(group(true, "Tickets - List/Search"));
    daemon.wait("the loss", |line| line["event"] == "transition" && line["kind"] == "permission");
    daemon.checks("acme", "permissions", 6);
    assert!(daemon.notified().is_empty(), "{:?}", daemon.notified());
    assert_eq!(granted(&daemon, "Tickets - List/Search"), Some(0.0), "what is so is not hidden");
    let (_, shown) = daemon.get("/api/v1/tokens/acme/jumpcloud");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["permissions"][0]["ignored"]["reason"], "it only <writes>", "{shown}");
    assert_eq!((&shown["health"], &shown["permissions"][0]["state"]), (&"well".into(), &"missing".into()));
    let (_, page) = daemon.get("/tenants/acme/tokens/jumpcloud");
    assert!(page.contains("meant to be so: it only &#60;writes&#62;, until 2999-01-01"), "{page}");
    // Without it, the same is notified.
    world.configure(&Configuration::acme(LIST));
    assert_eq!(daemon.post("/-/reload").0, 200);
    daemon.alert("PermissionLost", "firing");
    world.configure(&Configuration::acme(&format!("{LIST}\n{ignore}")));
    assert_eq!(daemon.post("/-/reload").0, 200);
    let line = daemon.alert("PermissionLost", "resolved");
    assert!(field(&line, "message").contains("the configuration says that it is meant to be missing"), "{line}");
}
