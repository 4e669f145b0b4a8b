//! Drives the real program against the simulator. A file for each group of promises; no fixed ports, no sleeping.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on should say where"
)]

mod alerts;
mod bad_input;
mod browser;
mod catalog;
mod commands;
mod configuration;
mod harness;
mod kills;
mod lifecycle;
mod locks;
mod machine;
mod memory;
mod metrics;
mod pages;
mod permissions;
mod preflight;
mod probes;
mod prometheus;
mod real;
mod receivers;
mod refusals;
mod requests;
mod secrets;
mod sink;
mod states;
mod systemd;
mod tls;
