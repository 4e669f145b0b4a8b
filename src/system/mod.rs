//! The machine around the program: its clock, its files, its signals, its service manager, and where its log lines are
//! written. Nothing here decides anything about tokens.

pub mod clock;
pub mod files;
pub mod http;
pub mod journal;
pub mod limits;
mod log_writer;
pub mod output;
mod read_error;
mod readers;
pub mod signal;
pub mod systemd;
pub mod telemetry;
pub mod trouble;
