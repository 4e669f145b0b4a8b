//! What people and Prometheus see. Reads the picture that the engine publishes; changes nothing.

mod api;
mod exposition;
mod metrics;
mod runbook;
mod server;

pub use exposition::Exposition;
pub use metrics::{FAMILIES, Family};
pub use server::{ReloadRequest, Server, State};
