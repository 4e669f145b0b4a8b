//! Contract section 4: what `/me` answered, what it means, and which alert follows.

use simulator::{Incident, Misbehaviour};

use crate::harness::{ACME, Configuration, World, now};

fn state(tenant: &str, state: &str) -> String {
    format!("syncro_token_state{{tenant=\"{tenant}\",token_name=\"jumpcloud\",state=\"{state}\"}}")
}

fn misbehaves(path: Option<&str>, how: Misbehaviour) -> Incident {
    Incident::Misbehaves { tenant: None, path: path.map(str::to_owned), how, seconds: 600 }
}

#[test]
fn each_bad_answer_of_me_becomes_its_state_and_its_alert_and_ends_with_it() {
    let token = || "value-of-acme".to_owned();
    let works = || Incident::TokenWorks { token: token() };
    let locked = |locked_out| Incident::UserLockedOut { tenant: "acme".to_owned(), user: 1, locked_out };
    let cases = [
        ("rejected", "TokenRejected", "", Incident::TokenRefused { token: token() }, works()),
        ("expired", "TokenExpired", "expires = 2020-01-01", Incident::TokenRefused { token: token() }, works()),
        ("restricted", "TokenRestricted", "", Incident::TokenRestricted { token: token() }, works()),
        ("expired", "TokenExpired", "expires = 2020-01-01", Incident::TokenRestricted { token: token() }, works()),
        ("locked_out", "UserLockedOut", "", locked(true), locked(false)),
        ("blocked", "TenantBlocked", "", misbehaves(None, Misbehaviour::Status(403)), Incident::Behaves),
        ("blocked", "TenantBlocked", "", misbehaves(None, Misbehaviour::Page(401)), Incident::Behaves),
    ];
    std::thread::scope(|scope| {
        for (name, alert, lines, breaks, fixes) in cases {
            scope.spawn(move || {
                let world = World::new(ACME);
                let mut daemon = world.run(&Configuration::acme(lines));
                daemon.checks("acme", "validity", 1);
                assert_eq!(daemon.metric(&state("acme", "valid")), Some(1.0), "{name}");
                world.happens(breaks);
                let line = daemon.alert(alert, "firing");
                assert_eq!((&line["severity"], &line["level"]), (&"critical".into(), &"ERROR".into()), "{name}");
                assert_eq!(daemon.metric(&state("acme", name)), Some(1.0), "{name}");
                assert_eq!(daemon.metric(&state("acme", "valid")), Some(0.0), "{name}");
                world.happens(fixes);
                let line = daemon.alert(alert, "resolved");
                assert_eq!(line["level"], "INFO", "{name}");
                assert_eq!(daemon.metric(&state("acme", "valid")), Some(1.0), "{name}");
            });
        }
    });
}

#[test]
fn a_token_of_another_account_is_not_mistaken_for_a_good_one() {
    let world = World::new(&ACME.replace("user = 1, permissions", "user = 1, subdomain = \"other\", permissions"));
    let mut daemon = world.run(&Configuration::acme(""));
    let line = daemon.alert("TokenWrongAccount", "firing");
    assert!(line["message"].as_str().unwrap().contains("acme"));
    assert_eq!(daemon.metric(&state("acme", "wrong_account")), Some(1.0));
}

#[test]
fn a_token_file_that_vanishes_is_unreadable_and_a_rotated_one_needs_no_restart() {
    let world =
        World::new(&ACME.replace("tokens = [", "tokens = [{ value = \"new\", user = 1, permissions = \"all\" }, "));
    let mut daemon = world.run(&Configuration::acme(""));
    daemon.checks("acme", "validity", 1);
    std::fs::remove_file(world.path("acme-jumpcloud")).unwrap();
    let line = daemon.alert("TokenUnreadable", "firing");
    assert!(line["message"].as_str().unwrap().contains("acme-jumpcloud"), "{line}");
    assert_eq!(daemon.metric(&state("acme", "unreadable")), Some(1.0));
    world.write("acme-jumpcloud", "new\n");
    daemon.alert("TokenUnreadable", "resolved");
    let rotated = daemon.seen.iter().find(|line| line["kind"] == "fingerprint").expect("a transition");
    assert_eq!((&rotated["before"], &rotated["after"]), (&"52a1e0f65822".into(), &"11507a0e2f5e".into()));
}

#[test]
fn at_the_declared_expiry_a_check_is_due_at_once() {
    let world = World::new(ACME);
    let expires = chrono::DateTime::from_timestamp(now() + 4, 0).unwrap();
    let mut configuration = Configuration::acme(&format!("expires = {}", expires.to_rfc3339()));
    configuration.validity = "10m";
    configuration.permissions = "10m";
    let mut daemon = world.run(&configuration);
    daemon.checks("acme", "validity", 1);
    world.happens(Incident::TokenRefused { token: "value-of-acme".to_owned() });
    let line = daemon.alert("TokenExpired", "firing");
    let notified = chrono::DateTime::parse_from_rfc3339(line["timestamp"].as_str().unwrap()).unwrap();
    assert!((notified.to_utc() - expires).num_seconds() <= 4, "notified at {notified}, expired at {expires}");
}

#[test]
fn a_token_that_outlives_its_declared_expiry_is_valid_and_its_date_is_called_wrong() {
    let world = World::new(ACME);
    let mut daemon = world.run(&Configuration::acme("expires = 2020-01-01"));
    let line = daemon.alert("TokenExpiryOutdated", "firing");
    assert_eq!(line["severity"], "warning");
    assert_eq!(daemon.metric(&state("acme", "valid")), Some(1.0));
    world.configure(&Configuration::acme(""));
    daemon.signal("HUP");
    let line = daemon.alert("TokenExpiryOutdated", "resolved");
    assert!(line["message"].as_str().unwrap().contains("corrected"), "{line}");
    assert!(!daemon.notified().contains(&"TokenExpiring firing".to_owned()), "an expiry long past is not news");
}
