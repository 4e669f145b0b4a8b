//! Every permission that a request can show: taken from the group and given back, then from the token and given back.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;
use simulator::Incident;
use syncro_token_monitor::catalog::{Permission, catalog};

use crate::harness::{ACME, Configuration, Daemon, World, value};

/// The permissions that the simulated `/me` shows as a right of the user, exactly; others it shows coarsely or not at all.
const SHOWN_AS_RIGHT: [&str; 11] = [
    "Assets - List/Search",
    "Assets - Edit",
    "Customers - List/Search",
    "Customers - Edit",
    "Customers - Delete",
    "Tickets - List/Search",
    "Tickets - Edit",
    "Tickets - Delete",
    "Invoices - List/Search",
    "Invoices - Edit",
    "Payments - View List",
];

/// A flag of the user rather than something to tick.
const GLOBAL_ADMIN: &str = "Global Admin";

/// A permission with a probe, and the tenant in which it alone is watched.
struct Case {
    tenant: String,
    permission: &'static Permission,
}

impl Case {
    /// The cause as far as anybody can see: a right that is gone says that the group lacks what the right is named for, and
    /// a right that covers nothing else says that the user may.
    fn cause(&self, of_group: bool) -> &'static str {
        let Some(right) = &self.permission.right else { return "undetermined" };
        let covered = catalog().permissions().filter(|(_, other)| other.right.as_ref() == Some(right)).count();
        match of_group {
            true if SHOWN_AS_RIGHT.contains(&self.permission.name.as_str()) => "security_group",
            false if covered == 1 => "token",
            _ => "undetermined",
        }
    }
}

/// What any of several permissions lets through shows none of them; `truth.rs` tries these.
/// `Timelogs - Manage` is not among them: it is asked once a day, of another user; `evidence.rs` tries it.
fn cases() -> Vec<Case> {
    let probe = |known: &Permission| known.probe.as_ref().or(known.write_probe.as_ref()).cloned();
    let grants = |known: &Permission| {
        probe(known).is_some_and(|probe| probe.satisfied_by_any_of.is_empty() && probe.template() != "/timelogs/last")
    };
    let probed = catalog().permissions().filter(|(_, known)| grants(known));
    probed.zip(0..).map(|((_, permission), number)| Case { tenant: format!("p{number}"), permission }).collect()
}

/// Waits until each tenant's permission alert has this status; returns the lines.
fn all(daemon: &mut Daemon, cases: &[Case], status: &str) -> BTreeMap<String, Value> {
    let mut lines = BTreeMap::new();
    while lines.len() < cases.len() {
        let line = daemon
            .wait(&format!("{status} number {} of {}", lines.len() + 1, cases.len()), |line| line["event"] == "alert");
        // Who is no Global Admin any more was changed.
        let is_admin = line["permissions"][0] == GLOBAL_ADMIN;
        let alert = if is_admin { "UserChanged" } else { "PermissionLost" };
        assert_eq!((&line["status"], &line["alert"]), (&status.into(), &alert.into()), "{line}");
        lines.insert(line["tenant"].as_str().unwrap().to_owned(), line);
    }
    lines
}

#[test]
fn every_permission_with_a_probe_is_lost_and_found_in_the_group_and_in_the_token() {
    let cases = cases();
    assert!(cases.len() > 50, "{}", cases.len());
    let mut scenario = "requests_per_minute = 0\n".to_owned();
    let mut configuration = Configuration {
        requests_per_minute: 100_000,
        syncro: "probes = \"write-safe\"".to_owned(),
        validity: "4s",
        permissions: "4s",
        // A busy machine takes seconds to ask all that is asked here.
        confirm_after: "5s",
        ..Configuration::default()
    };
    for Case { tenant, permission } in &cases {
        write!(
            scenario,
            "[[tenants]]\nsubdomain = \"{tenant}\"\ngroups = [{{ name = \"Technicians\", permissions = \"all\" }}]\n\
             users = [{{ id = 1, group = \"Technicians\", admin = {} }}]\n\
             tokens = [{{ value = \"value-of-{tenant}\", user = 1, permissions = \"all\" }}]\n\
             appointments = [{{ id = 1, user = 2 }}]\n",
            permission.name == GLOBAL_ADMIN
        )
        .unwrap();
        let wants = format!("permissions = [\"{}\"]", permission.name);
        configuration = configuration.tenant(tenant, &format!("value-of-{tenant}"), &wants);
    }
    let world = World::new(&scenario);
    let mut daemon = world.run(&configuration);
    let granted = |daemon: &Daemon, wanted: f64| {
        let (_, exposition) = daemon.get("/metrics");
        for case in &cases {
            let (tenant, name) = (&case.tenant, &case.permission.name);
            let series = format!(
                "syncro_token_permission_granted{{tenant=\"{tenant}\",token_name=\"jumpcloud\",permission=\"{name}\"}}"
            );
            assert_eq!(value(&exposition, &series), Some(wanted), "{name}");
        }
    };
    for case in &cases {
        while !daemon.seen.iter().any(|line| line["check"] == "permissions" && line["tenant"] == *case.tenant) {
            daemon.wait("a first check", |line| line["check"] == "permissions");
        }
    }
    granted(&daemon, 1.0);
    for of_group in [true, false] {
        let change = |loses: bool| {
            for case in &cases {
                let permission = case.permission.name.clone();
                let (tenant, group) = (case.tenant.clone(), "Technicians".to_owned());
                let token = format!("value-of-{tenant}");
                if permission == GLOBAL_ADMIN {
                    world.happens(Incident::UserAdmin { tenant, user: 1, admin: !loses });
                    continue;
                }
                world.happens(match (of_group, loses) {
                    (true, true) => Incident::GroupLoses { tenant, group, permission },
                    (true, false) => Incident::GroupGains { tenant, group, permission },
                    (false, true) => Incident::TokenLoses { token, permission },
                    (false, false) => Incident::TokenGains { token, permission },
                });
            }
        };
        change(true);
        let lines = all(&mut daemon, &cases, "firing");
        granted(&daemon, 0.0);
        for case in &cases {
            let line = &lines[&case.tenant];
            assert_eq!(line["permissions"][0], *case.permission.name, "{line}");
            assert_eq!((&line["cause"], &line["evidence"]), (&case.cause(of_group).into(), &"probe".into()), "{line}");
        }
        change(false);
        all(&mut daemon, &cases, "resolved");
        granted(&daemon, 1.0);
    }
}

#[test]
fn a_permission_whose_probe_can_only_be_refused_is_missing_until_the_request_is_let_through() {
    const VIEW_ALL: &str = "Appointments - View All (see-own never restricted)";
    let world = World::new(ACME);
    let mut daemon = world.run(&Configuration::acme(&format!("permissions = [\"{VIEW_ALL}\"]")));
    daemon.checks("acme", "permissions", 1);
    let granted = format!(
        "syncro_token_permission_granted{{tenant=\"acme\",token_name=\"jumpcloud\",permission=\"{VIEW_ALL}\"}}"
    );
    let (tenant, group) = ("acme".to_owned(), "Technicians".to_owned());
    let (token, permission) = ("value-of-acme".to_owned(), VIEW_ALL.to_owned());
    let of_group = (
        Incident::GroupLoses { tenant: tenant.clone(), group: group.clone(), permission: permission.clone() },
        Incident::GroupGains { tenant, group, permission: permission.clone() },
    );
    let of_token = (
        Incident::TokenLoses { token: token.clone(), permission: permission.clone() },
        Incident::TokenGains { token, permission },
    );
    for (loses, gains) in [of_group, of_token] {
        assert_eq!(daemon.metric(&granted), None, "its own appointments may be all there is");
        world.happens(loses);
        let line = daemon.alert("PermissionMissing", "firing");
        assert_eq!((&line["permissions"][0], &line["cause"]), (&VIEW_ALL.into(), &"undetermined".into()), "{line}");
        assert_eq!(line["shown_by"], "GET /appointments answered 401");
        assert_eq!(daemon.metric(&granted), Some(0.0));
        world.happens(gains);
        daemon.alert("PermissionMissing", "resolved");
    }
}
