//! `/metrics`: the families of series about the fleet, and the text in which Prometheus reads them.

mod exposition;
mod families;
mod text;

pub use exposition::Exposition;
