//! Who exists in the simulation, and what happens to them. Pure.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::Value;

use crate::answers::answer;
use crate::misbehaviour::Misbehaviour;
use crate::scenario::{Event, Incident, Scenario, Tenant, Token, User};

/// An answer: a status and a JSON body.
pub(super) type Answer = (u16, Value);

/// What a request says, below its tenant and its method.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    /// Below the tenant's API.
    pub(super) path: &'a str,
    /// The query, without its question mark.
    pub(super) query: &'a str,
    /// The header.
    pub(super) authorization: &'a str,
    /// The key of its body, if that is JSON with one key.
    pub(super) sole_key: Option<String>,
    /// The address from which it comes.
    pub(super) from: IpAddr,
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
    /// The addresses from which requests get no answer.
    unheard: BTreeSet<IpAddr>,
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
        Self { tenants: scenario.tenants, events, faults: Vec::new(), unheard: BTreeSet::new() }
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
            Incident::UserDisabled { tenant, user, disabled } => {
                self.user(&tenant, user, |user| user.disabled = disabled);
            }
            Incident::AddressUnheard { address, unheard } => {
                if unheard {
                    self.unheard.insert(address);
                } else {
                    self.unheard.remove(&address);
                }
            }
            Incident::TenantRenamed { tenant, subdomain } => {
                let tenants = self.tenants.iter_mut().filter(|known| known.subdomain == tenant);
                for token in tenants.flat_map(|known| &mut known.tokens) {
                    token.subdomain = Some(subdomain.clone());
                }
            }
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
        if self.unheard.contains(&asked.from) {
            return Reaction::Misbehave(Misbehaviour::Hang);
        }
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
        match world.react(
            "acme",
            method,
            &Asked {
                path,
                query: "",
                authorization: &format!("Bearer {token}"),
                sole_key: None,
                from: [127, 0, 0, 1].into(),
            },
        ) {
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
