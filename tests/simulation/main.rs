//! The deterministic simulation: the whole daemon but its sockets, through years of tokens in worlds that a seed makes, with
//! a judge that knows the truth (`crates/judge`). `docs/development/simulation.md` says how it is run and read.

mod daemon;
mod plan;
mod play;
mod syncro;

use std::env;

/// Worlds that failed once, each for a fault of the monitor, or of the judge, that has been corrected since. What a seed
/// means changes with `plan.rs`; those that a change made harmless may go.
const FAILED_ONCE: [u64; 0] = [];
/// New worlds are played for so many years of tokens, unless `SIMULATION_TOKEN_YEARS` says otherwise.
const TOKEN_YEARS: f64 = 100.0;

fn wanted<T: std::str::FromStr>(name: &str) -> Option<T> {
    env::var(name).ok()?.parse().ok()
}

#[test]
fn nothing_is_missed_false_or_twice_in_years_of_tokens() {
    if let Some(seed) = wanted("SIMULATION_SEED") {
        let keep = env::var("SIMULATION_KEEP").ok();
        play::replay(seed, keep.as_deref());
        return;
    }
    let years = wanted("SIMULATION_TOKEN_YEARS").unwrap_or(TOKEN_YEARS);
    // Other worlds each time: what these do not show, the next ones may.
    let first = wanted("SIMULATION_FIRST_SEED").unwrap_or_else(|| fastrand::u64(1_000_000..1_000_000_000));
    play::many(first.., years, wanted("SIMULATION_SHOWN"));
}

#[test]
fn worlds_that_failed_once_do_not_fail_again() {
    play::many(FAILED_ONCE.into_iter(), f64::INFINITY, None);
}
