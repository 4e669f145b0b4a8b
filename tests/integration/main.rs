//! Drives the real program against the simulator. A file for each group of promises; no fixed ports, no sleeping.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that cannot go on should say where"
)]

mod acknowledgements;
mod alerts;
mod answers;
mod bad_input;
mod browser;
mod budget;
mod calibrate;
mod canary;
mod catalog;
mod causes;
mod clocks;
mod commands;
mod configuration;
mod digests;
mod docs;
mod document;
mod emails;
mod evidence;
mod files;
mod fleet;
mod flood;
mod guesses;
mod harness;
mod heartbeat;
mod impaired;
mod import;
mod inhibition;
mod init;
mod kills;
mod lifecycle;
mod locks;
mod machine;
mod memory;
mod metrics;
mod output;
mod pages;
mod permissions;
mod plateau;
mod preflight;
mod probes;
mod prometheus;
mod raw;
mod real;
mod receivers;
mod refusals;
mod rehearse;
mod report;
mod requests;
mod rotate;
mod secrets;
mod shards;
mod sink;
mod slow_readers;
mod smtp;
mod source_addresses;
mod states;
mod status;
mod systemd;
mod tls;
mod truth;
mod zones;
