//! Who exists in the simulation and what they may do now. Answers requests as Syncro's API document says; pure.

use std::time::Duration;

use serde_json::{Value, json};

use crate::misbehaviour::Misbehaviour;
use crate::operations::{Operation, find};
use crate::scenario::{Event, Incident, Scenario, Tenant, Ticket, Token, User};

/// The sentence of Syncro's documented 401 (`/contacts`).
const NOT_AUTHORIZED: &str = "Not authorized. Please ask account admin to update your group permissions.";

/// Rights of `/me.permissions` and the permissions that give them.
const RIGHTS: [(&str, &str, &str); 19] = [
    ("asset", "read", "Assets - List/Search"),
    ("asset", "write", "Assets - Edit"),
    ("asset", "delete", "Assets - Delete"),
    ("customer", "read", "Customers - List/Search"),
    ("customer", "write", "Customers - Edit"),
    ("customer", "delete", "Customers - Delete"),
    ("ticket", "read", "Tickets - List/Search"),
    ("ticket", "write", "Tickets - Edit"),
    ("ticket", "delete", "Tickets - Delete"),
    ("invoice", "read", "Invoices - List/Search"),
    ("invoice", "write", "Invoices - Edit"),
    ("invoice", "delete", "Invoices - Delete"),
    ("payment", "read", "Payments - View List"),
    ("payment", "write", "Payments - Create"),
    ("payment", "delete", "Payments - Delete"),
    ("worksheet", "add", "Ticket Worksheets - Add"),
    ("worksheet", "manage", "Ticket Worksheets - Manage"),
    ("worksheet", "delete", "Ticket Worksheets - Delete"),
    ("script", "execute", "Scripts - Execute"),
];

/// An answer: a status and a JSON body.
pub(super) type Answer = (u16, Value);

/// What a request says, below its tenant and its method.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// Below the tenant's API.
    pub(super) path: &'a str,
    /// The header.
    pub(super) authorization: &'a str,
    /// The key of its body, if that is JSON with one key.
    pub(super) sole_key: Option<String>,
}

/// What is to be done with a request.
#[derive(Debug)]
pub(super) enum Reaction {
    /// Answer it.
    Answer(Answer),
    /// Fail in some way.
    Misbehave(Misbehaviour),
}

/// The simulated Syncro.
#[derive(Debug)]
pub(super) struct World {
    tenants: Vec<Tenant>,
    /// What is still to happen, soonest first.
    events: Vec<Event>,
    faults: Vec<Fault>,
}

/// A misbehaviour that lasts.
#[derive(Debug)]
struct Fault {
    tenant: Option<String>,
    path: Option<String>,
    how: Misbehaviour,
    until: Duration,
}

impl World {
    pub(super) fn new(scenario: Scenario) -> Self {
        let mut events = scenario.events;
        events.sort_by_key(Event::at);
        Self { tenants: scenario.tenants, events, faults: Vec::new() }
    }

    /// Lets everything happen that is due.
    pub(super) fn advance(&mut self, elapsed: Duration) {
        let due = self.events.partition_point(|event| event.at() <= elapsed);
        for event in self.events.drain(..due).collect::<Vec<_>>() {
            let at = event.at();
            self.apply(event.incident, at);
        }
        self.faults.retain(|fault| fault.until > elapsed);
    }

    /// When the next thing happens.
    pub(super) fn next(&self) -> Option<(Duration, Incident)> {
        self.events.first().map(|event| (event.at(), event.incident.clone()))
    }

    pub(super) fn apply(&mut self, incident: Incident, elapsed: Duration) {
        match incident {
            Incident::GroupLoses { tenant, group, permission } => self.group(&tenant, &group, &permission, false),
            Incident::GroupGains { tenant, group, permission } => self.group(&tenant, &group, &permission, true),
            Incident::TokenLoses { token, permission } => {
                self.token(&token, |token| token.permissions.set(&permission, false));
            }
            Incident::TokenGains { token, permission } => {
                self.token(&token, |token| token.permissions.set(&permission, true));
            }
            Incident::TokenRefused { token } => self.token(&token, |token| token.refused = true),
            Incident::TokenRestricted { token } => self.token(&token, |token| token.restricted = true),
            Incident::TokenWorks { token } => {
                self.token(&token, |token| {
                    token.refused = false;
                    token.restricted = false;
                });
            }
            Incident::UserLockedOut { tenant, user, locked_out } => {
                self.user(&tenant, user, |user| user.locked_out = locked_out);
            }
            Incident::UserMoved { tenant, user, group } => self.user(&tenant, user, |user| user.group = Some(group)),
            Incident::UserAdmin { tenant, user, admin } => self.user(&tenant, user, |user| user.admin = admin),
            Incident::Misbehaves { tenant, path, how, seconds } => {
                let until = elapsed + Duration::from_secs(seconds);
                self.faults.push(Fault { tenant, path, how, until });
            }
            Incident::Behaves => self.faults.clear(),
        }
    }

    fn group(&mut self, tenant: &str, group: &str, permission: &str, held: bool) {
        let groups =
            self.tenants.iter_mut().filter(|known| known.subdomain == tenant).flat_map(|known| &mut known.groups);
        groups.filter(|known| known.name == group).for_each(|known| known.permissions.set(permission, held));
    }

    fn token(&mut self, value: &str, change: impl FnOnce(&mut Token)) {
        let mut tokens = self.tenants.iter_mut().flat_map(|tenant| &mut tenant.tokens);
        if let Some(token) = tokens.find(|token| token.value == value) {
            change(token);
        }
    }

    fn user(&mut self, tenant: &str, id: u64, change: impl FnOnce(&mut User)) {
        let mut users =
            self.tenants.iter_mut().filter(|known| known.subdomain == tenant).flat_map(|known| &mut known.users);
        if let Some(user) = users.find(|user| user.id == id) {
            change(user);
        }
    }

    /// The first tenant's subdomain, for requests that name none.
    pub(super) fn first(&self) -> Option<&str> {
        self.tenants.first().map(|tenant| tenant.subdomain.as_str())
    }

    /// Reacts to one request below a tenant's API.
    pub(super) fn react(&self, subdomain: &str, method: &str, asked: &Asked<'_>) -> Reaction {
        let hit = |fault: &&Fault| {
            fault.tenant.as_ref().is_none_or(|tenant| tenant == subdomain)
                && fault.path.as_ref().is_none_or(|prefix| asked.path.starts_with(prefix.as_str()))
        };
        if let Some(fault) = self.faults.iter().rev().find(hit) {
            return Reaction::Misbehave(fault.how.clone());
        }
        let Some(tenant) = self.tenants.iter().find(|tenant| tenant.subdomain == subdomain) else {
            return Reaction::Misbehave(Misbehaviour::Page(404));
        };
        Reaction::Answer(answer(tenant, method, asked))
    }
}

fn answer(tenant: &Tenant, method: &str, asked: &Asked<'_>) -> Answer {
    let path = asked.path;
    let value = asked.authorization.strip_prefix("Bearer ").unwrap_or(asked.authorization);
    let token = tenant.tokens.iter().find(|token| token.value == value && !token.refused);
    let user = token.and_then(|token| tenant.users.iter().find(|user| user.id == token.user));
    let (Some(token), Some(user)) = (token, user) else {
        return (401, json!({"error": "Invalid token"}));
    };
    if token.restricted {
        return (401, json!({"error": NOT_AUTHORIZED}));
    }
    let Some(operation) = find(method, path, asked.sole_key.as_deref()) else {
        return (404, json!({"message": "Not found"}));
    };
    if tenant.record_first && path.split('/').any(|part| part == "0") {
        return (404, json!({"message": "Not found"}));
    }
    let by_group = |permission: &str| {
        user.admin || group_of(tenant, user).is_some_and(|group| group.permissions.holds(permission))
    };
    let may = |permission: &String| {
        if permission == "Global Admin" {
            user.admin
        } else {
            token.permissions.holds(permission) && by_group(permission)
        }
    };
    if !operation.requires.iter().all(|group| group.iter().any(may)) {
        return (401, json!({"error": NOT_AUTHORIZED}));
    }
    match (operation.path.as_str(), path) {
        ("/me", _) => (200, me(tenant, token, user, by_group)),
        ("/users", _) => {
            (200, json!({"users": tenant.users.iter().map(|user| json!([user.id, "Simulated"])).collect::<Vec<_>>()}))
        }
        ("/users/{id}", _) => path
            .rsplit('/')
            .next()
            .and_then(|id| tenant.users.iter().find(|user| user.id.to_string() == id))
            .map_or_else(|| (404, json!({"message": "Not found"})), |user| (200, who(user))),
        ("/customers", _) if method == "GET" => {
            let meta = json!({"total_pages": 1, "total_entries": tenant.customers, "per_page": 25, "page": 1});
            (200, json!({"customers": [], "meta": meta}))
        }
        ("/tickets", _) if method == "GET" => (200, tickets(tenant)),
        ("/tickets/{id}", _) if method == "GET" => {
            let id = path.rsplit('/').next().unwrap_or_default();
            match tenant.tickets.iter().find(|ticket| ticket.id.to_string() == id) {
                // Who may only view the tickets that are assigned to them is refused the others.
                Some(ticket) if ticket.user != Some(user.id) && !may(&"Tickets - View Details".to_owned()) => {
                    (401, json!({"error": NOT_AUTHORIZED}))
                }
                Some(ticket) => (200, json!({"ticket": {"id": ticket.id, "user_id": ticket.user}})),
                None => (404, json!({"message": "Not found"})),
            }
        }
        _ => record(operation, path),
    }
}

fn group_of<'a>(tenant: &'a Tenant, user: &User) -> Option<&'a crate::scenario::Group> {
    tenant.groups.iter().find(|group| Some(&group.name) == user.group.as_ref())
}

fn me(tenant: &Tenant, token: &Token, user: &User, by_group: impl Fn(&str) -> bool) -> Value {
    let mut permissions = serde_json::Map::new();
    for (group, right, permission) in RIGHTS {
        let rights = permissions.entry(group).or_insert_with(|| json!({}));
        rights[right] = json!(by_group(permission));
    }
    json!({
        "user_token": "00000000-0000-0000-0000-000000000000",
        "user_email": "simulated@example.com",
        "user_name": "Simulated User",
        "user_id": user.id,
        "admin": user.admin,
        "can_use_app": !user.locked_out,
        "two_factor_required": false,
        "subdomain": token.subdomain.as_ref().unwrap_or(&tenant.subdomain),
        "default_location": null,
        "enable_multi_locations": false,
        "locations_allowed": [],
        "permissions": permissions,
    })
}

fn tickets(tenant: &Tenant) -> Value {
    let one = |ticket: &Ticket| json!({"id": ticket.id, "number": ticket.id, "user_id": ticket.user});
    let total = tenant.tickets.len();
    json!({
        "tickets": tenant.tickets.iter().map(one).collect::<Vec<_>>(),
        "meta": {"total_pages": 1, "total_entries": total, "per_page": 25, "page": 1},
    })
}

fn who(user: &User) -> Value {
    json!({"user": {
        "id": user.id,
        "email": "simulated@example.com",
        "full_name": "Simulated User",
        "created_at": "2026-01-01T00:00:00.000Z",
        "updated_at": "2026-01-01T00:00:00.000Z",
        "group": user.group,
        "admin": user.admin,
        "color": "55b932",
    }})
}

/// Lists are empty, record 0 does not exist, and no write is ever good enough.
fn record(operation: &Operation, path: &str) -> Answer {
    if path.split('/').any(|part| part == "0") {
        return (404, json!({"message": "Not found"}));
    }
    if operation.method != "GET" {
        return (422, json!({"success": false, "message": ["simulated: nothing is ever written"]}));
    }
    if operation.path.contains('{') || operation.path == "/customers/latest" {
        return (200, json!({}));
    }
    let name = operation.path.rsplit('/').next().unwrap_or_default();
    let mut list = json!({"meta": {"total_pages": 1, "page": 1}});
    list[name] = json!([]);
    (200, list)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCENARIO: &str = r#"
        [[tenants]]
        subdomain = "acme"
        groups = [{ name = "Technicians", permissions = "all" }, { name = "Narrow", permissions = ["Tickets - List/Search"] }]
        users = [{ id = 1, group = "Technicians" }, { id = 2, group = "Narrow" }]
        tokens = [
            { value = "wide", user = 1, permissions = "all" },
            { value = "ticked", user = 1, permissions = ["Tickets - List/Search"] },
            { value = "narrow", user = 2, permissions = "all" },
        ]
        [[events]]
        at = 20
        incident = { what = "group_loses", tenant = "acme", group = "Technicians", permission = "Tickets - Create" }
    "#;

    fn status(world: &World, token: &str, method: &str, path: &str) -> u16 {
        match world.react("acme", method, &Asked { path, authorization: &format!("Bearer {token}"), sole_key: None }) {
            Reaction::Answer((status, _)) => status,
            Reaction::Misbehave(how) => panic!("{how:?}"),
        }
    }

    #[test]
    fn a_call_needs_the_tokens_tick_and_the_users_group() {
        let world = World::new(Scenario::parse(SCENARIO).expect("valid"));
        let cases = [
            ("wide", "GET", "/tickets", 200),
            ("ticked", "GET", "/tickets", 200),
            ("narrow", "GET", "/tickets", 200),
            ("wide", "GET", "/customers", 200),
            ("ticked", "GET", "/customers", 401),
            ("narrow", "GET", "/customers", 401),
            ("narrow", "GET", "/me", 200),
            ("nobody", "GET", "/me", 401),
            ("wide", "GET", "/tickets/0", 404),
            ("wide", "POST", "/tickets", 422),
            ("wide", "GET", "/appointment_types", 401),
            ("wide", "GET", "/nowhere", 404),
            ("wide", "GET", "/users/2", 200),
            ("wide", "GET", "/users/3", 404),
        ];
        for (token, method, path, expected) in cases {
            assert_eq!(status(&world, token, method, path), expected, "{token} {method} {path}");
        }
    }

    #[test]
    fn what_happens_happens_at_its_time() {
        let mut world = World::new(Scenario::parse(SCENARIO).expect("valid"));
        world.advance(Duration::from_secs(19));
        assert_eq!(status(&world, "wide", "GET", "/new_ticket_forms/0"), 404);
        world.advance(Duration::from_secs(20));
        assert_eq!(status(&world, "wide", "GET", "/new_ticket_forms/0"), 401);
    }
}
