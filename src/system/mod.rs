//! The machine around the program: its clock, its files, its signals, its service manager, and where its log lines are
//! written. Nothing here decides anything about tokens.

pub mod clock;
pub mod files;
pub(crate) mod http;
pub(crate) mod journal;
mod json_lines;
pub(crate) mod limits;
mod log_writer;
pub(crate) mod output;
mod read_error;
mod readers;
pub(crate) mod secrecy;
pub(crate) mod shared_file;
pub(crate) mod signal;
pub(crate) mod systemd;
pub(crate) mod telemetry;
pub(crate) mod trouble;
