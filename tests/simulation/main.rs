//! The deterministic simulation: the whole daemon but its sockets, through years of tokens in worlds that a seed makes, with
//! a judge that knows the truth (`crates/judge`). `docs/development/simulation.md` says how it is run and read.

mod daemon;
mod plan;
mod play;
mod syncro;

use std::env;

/// The first of the seeds that every run of the tests tries: among the worlds that follow are eleven that failed once, each
/// for a fault that has been corrected since.
const FIRST_SEED: u64 = 2000;
/// For so many years of tokens, unless `SIMULATION_TOKEN_YEARS` says otherwise.
const TOKEN_YEARS: f64 = 20.0;

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
    let first = wanted("SIMULATION_FIRST_SEED").unwrap_or(FIRST_SEED);
    play::many(first, years, wanted("SIMULATION_SHOWN"));
}
