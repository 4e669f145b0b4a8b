//! The deterministic simulation: the whole daemon but its sockets, through years of tokens in worlds that a seed makes, with
//! a judge that knows the truth (`crates/judge`). `docs/development/simulation.md` says how it is run and read.

mod daemon;
mod incidents;
mod plan;
mod play;
mod syncro;

use std::env;

/// Worlds that failed once, each for a fault of the monitor, or of the judge, that has been corrected since. What a seed
/// means changes with `plan.rs`; those that a change made harmless may go.
const FAILED_ONCE: [u64; 75] = [
    15_150_023,
    15_160_065,
    2_001,
    2_003,
    2_007,
    2_013,
    2_029,
    2_034,
    2_040,
    2_041,
    500_000,
    500_009,
    500_036,
    500_121,
    700_014,
    700_029,
    700_047,
    700_060,
    700_090,
    700_114,
    700_122,
    700_137,
    800_021,
    800_052,
    800_198,
    800_224,
    900_153,
    900_185,
    900_228,
    900_297,
    900_322,
    900_347,
    900_405,
    2_000_049,
    2_000_097,
    3_000_083,
    3_000_091,
    3_000_270,
    3_257_761_070,
    70_266,
    1_578_313_169,
    1_578_313_315,
    1_578_313_322,
    20_260_391,
    20_260_520,
    20_260_730,
    20_260_926,
    821_179_834,
    2_118_310_105,
    2_118_310_150,
    77_001_002,
    909_643,
    1_166_288_496,
    6_660_260,
    8_880_265,
    3_089_034_662,
    2_091_803_501,
    2_091_803_513,
    2_091_803_514,
    2_091_803_515,
    2_091_803_518,
    2_091_803_521,
    3_010_347_328,
    31_000_021,
    31_000_078,
    540_632_505,
    2_980_842_862,
    1_094_166_670,
    649_966_571,
    1_360_220_632,
    1_698_360_197,
    4_218_635_250,
    2_637_072_772,
    2_101_524_740,
    1_237_572_661,
];
/// The first of the other worlds, unless `SIMULATION_FIRST_SEED` says otherwise. Whoever tries out a change compares it with
/// what was before, so these are the same in every run; `.ci/run` tries others for each state of the sources.
const FIRST_SEED: u64 = 4_000_000;
/// They are played for so many years of tokens, unless `SIMULATION_TOKEN_YEARS` says otherwise.
const TOKEN_YEARS: f64 = 30.0;

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
    play::many(first.., years, wanted("SIMULATION_SHOWN"));
}

#[test]
fn worlds_that_failed_once_do_not_fail_again() {
    play::many(FAILED_ONCE.into_iter(), f64::INFINITY, None);
}
