//! Watches the API tokens that integrations use against Syncro PSA accounts.
//!
//! A room imports only from floors below it (`tests/rooms.rs` holds this):
//!
//! ```text
//! 11  main.rs
//! 10  command     one file for each subcommand
//!  9  daemon      builds everything, reloads with rollback, drains with a deadline
//!  8  engine      expose        store         receiver     the loop | what people see | what is remembered | who is told
//!  7  memory                    what is to be remembered, from the engine to the store and back
//!  6  snapshot                  one picture of the fleet, from the engine to whoever shows it
//!  5  alert       plan          what is told | when to look next
//!  4  standing                  what we believe about each token
//!  3  syncro                    how Syncro is asked, and what an answer says
//!  2  config                    what the operator wants
//!  1  catalog     system        cli           exit
//! ```
//!
//! `crates/simulator` is a simulated Syncro for `simulate`, `demo` and the tests, `crates/judge` the judge of the simulation of
//! the whole daemon; neither knows anything of this crate.
//!
//! What a thing means is decided by pure functions that take values and `now`; what touches the world decides nothing.

pub mod alert;
pub mod catalog;
pub mod cli;
pub mod command;
pub mod config;
pub mod daemon;
pub mod engine;
pub mod exit;
pub mod expose;
pub mod memory;
pub mod plan;
pub mod receiver;
pub mod snapshot;
pub mod standing;
pub mod store;
pub mod syncro;
pub mod system;

#[cfg(test)]
mod testing;
