//! What people and Prometheus see: reads the picture that the engine publishes; changes nothing. `server` has the sockets,
//! `door` and `gate` the locks, `lane` the threads on which answers are made, `routes` and `api` say what is answered where,
//! `page` writes it for people.

mod accept;
mod api;
mod bounds;
mod calendar;
mod connections;
mod door;
mod exposition;
mod gate;
mod lane;
mod metrics;
mod page;
mod places;
mod refusal;
mod routes;
mod runbook;
mod server;

pub use door::Door;
pub use exposition::Exposition;
pub use lane::Lanes;
pub use metrics::{FAMILIES, Family};
pub use routes::{History, ReloadRequest, State, all, health};
pub use server::{Listener, Server};
