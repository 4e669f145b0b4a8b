//! The fleet's part of `/metrics`: the families of series, and the text in which Prometheus reads them. Each room has
//! its own counters in its `instruments`; `web` puts those before this part.

mod compressed;
mod exposition;
mod families;
mod text;

pub use compressed::Compressed;
pub use exposition::{Exposition, Piece};
pub(crate) use families::alert_labels;
