//! Watches the API tokens that integrations use against Syncro PSA accounts.
//!
//! A room imports only from floors below it (`tests/rooms.rs` holds this):
//!
//! ```text
//! 12  main.rs
//! 11  command      one file for each subcommand
//! 10  daemon       builds everything, reloads with rollback, drains with a deadline
//!  9  rehearsal    a simulated year: what the receivers would be sent
//!     web          pages, API, calendar, runbooks, health: views of one snapshot
//!  8  engine       the loop; `engine/core` decides, purely
//!     store        SQLite: statuses, firing alerts, the history, the outbox
//!     notify       receivers: the log, Alertmanagers, webhooks
//!     metrics      the fleet as Prometheus reads it
//!     http_server  listeners, TLS, authentication, limits; knows nothing of tokens
//!  7  state        what passes between the rooms above: records, the history, deliveries, the snapshot
//!     check        one check of one token, for the loop and the commands alike
//!  6  alert        what fires and what it says
//!     plan         when each check is due
//!  5  belief       evidence becomes what is believed of a token
//!     import       a CSV file becomes fragments of the configuration and files with token values
//!     rotation     the files of a switch to the next value of a token
//!  4  syncro       the client, the request budget, what an answer shows
//!  3  config       text becomes a valid configuration, or every fault of it
//!  2  model        tenants, tokens, whom an alert is about
//!  1  catalog      permissions, probes and profiles as data
//!     system       clock, signals, systemd, journal, files
//!     cli  exit    arguments and exit codes
//! ```
//!
//! `crates/simulator` is a simulated Syncro for `simulate`, `demo` and the tests, `crates/judge` the judge of the simulation of
//! the whole daemon; neither knows anything of this crate.
//!
//! What a thing means is decided by pure functions that take values and `now`; what touches the world decides nothing.

pub mod alert;
pub mod belief;
pub mod catalog;
pub mod check;
pub mod cli;
pub mod command;
pub mod config;
mod daemon;
pub mod engine;
pub mod exit;
mod http_server;
mod import;
pub mod metrics;
pub mod model;
pub mod notify;
mod plan;
mod rehearsal;
mod rotation;
pub mod state;
pub mod store;
pub mod syncro;
pub mod system;
#[cfg(any(test, fuzzing))]
pub mod untrusted;
mod web;

#[cfg(test)]
mod testing;
