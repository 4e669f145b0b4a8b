//! What a fleet costs in memory: the loop's state with every status filled in, and one scrape of it. Prints kilobytes
//! for fleets of several sizes, so that the ratio between them can be seen; asserts nothing.

#[path = "../tests/counts/filled.rs"]
mod filled;

use std::fs;

use syncro_token_monitor::engine::Event;
use syncro_token_monitor::metrics::Exposition;
use syncro_token_monitor::system::clock;

use filled::{Fleet, configuration};

fn resident_kilobytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
}

fn main() {
    let folder = tempfile::tempdir().expect("a folder");
    for tokens in [20, 500, 5_000, 50_000] {
        let before = resident_kilobytes();
        let mut fleet = Fleet::new(configuration(folder.path(), tokens));
        let effects = fleet.core.handle(Event::Tick, clock::now());
        let checks = fleet.answer(effects);
        let filled = resident_kilobytes();
        let snapshot = fleet.core.snapshot();
        let exposition = Exposition::default();
        let scrape = exposition.scrape("", &snapshot, clock::now());
        let bytes: usize = scrape.plain().map(|part| part.expect("text").len()).sum();
        let scraped = resident_kilobytes();
        let line = format!(
            "{tokens} tokens, {checks} checks: {} kB more with all statuses, {} kB more after a scrape of {} kB",
            filled.saturating_sub(before),
            scraped.saturating_sub(filled),
            bytes / 1024
        );
        // The only thing that this program is for.
        std::io::Write::write_all(&mut std::io::stdout(), format!("{line}\n").as_bytes()).expect("standard output");
    }
}
