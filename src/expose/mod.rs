//! What people and Prometheus see: reads the picture that the engine publishes; changes nothing. `server` has the sockets,
//! `door` and `gate` the locks, `routes` and `api` say what is answered where, `page` writes it for people.

mod api;
mod calendar;
mod connections;
mod door;
mod exposition;
mod gate;
mod metrics;
mod page;
mod routes;
mod runbook;
mod server;

pub use door::Door;
pub use exposition::Exposition;
pub use metrics::{FAMILIES, Family};
pub use routes::{History, ReloadRequest, State, all, health};
pub use server::{Listener, Server};
