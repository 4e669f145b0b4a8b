//! The fleet's part of `/metrics`: the families of series, and the text in which Prometheus reads them. Each room has
//! its own counters in its `instruments`; `web` puts those before this part.

mod chunk;
mod exposition;
mod families;
mod piece;
mod scrape;
mod sink;
mod text;
mod writer;

pub use exposition::Exposition;
pub(crate) use families::alert_labels;
pub use scrape::Scrape;
