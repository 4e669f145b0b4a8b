//! A simulated Syncro: a real HTTP server with tenants, users, security groups, tokens and incidents. Used by tests,
//! `simulate`, `demo` and benches; it knows nothing of the rest of the program, so that it cannot share its mistakes.
//!
//! The API of a tenant is at `/SUBDOMAIN/api/v1`; the first tenant's also at `/api/v1`. What was asked is at
//! `GET /simulator/requests`; `POST /simulator/incidents` makes one happen now.

mod answers;
mod misbehaviour;
mod operations;
mod scenario;
mod server;
mod world;

pub use answers::USER_TOKEN;
pub use misbehaviour::Misbehaviour;
pub use operations::{Operation, operations};
pub use scenario::{Event, Group, Incident, Permissions, Scenario, Tenant, Ticket, Token, User};
pub use server::{Logged, Simulator};

/// The demo's fleet and what happens to it.
pub const DEMO: &str = include_str!("demo.toml");
