//! The machine around the program: its clock, its signals, where its log lines go. Nothing here decides anything.

pub mod clock;
pub mod http;
pub mod signal;
pub mod telemetry;
