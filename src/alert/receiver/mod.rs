//! Where notices go. A receiver delivers; it never chooses what to tell.

mod log;

pub use log::tell;
