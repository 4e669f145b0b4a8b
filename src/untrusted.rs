//! What comes from outside, and what must hold whatever comes: one function for each way in, which panics where it does
//! not hold. The fuzz targets in `fuzz/` call them with whatever a fuzzer finds, and the tests below with the seeds in
//! `fuzz/corpus/` and with what a few edits make of these.

/// An answer of a server that claims to be Syncro.
///
/// # Panics
/// Where a promise is broken.
pub fn answer(bytes: &[u8]) {
    crate::syncro::untrusted::answer(bytes);
}

/// A configuration file.
///
/// # Panics
/// Where a promise is broken.
pub fn configuration(bytes: &[u8]) {
    with_text(bytes, crate::config::untrusted::configuration);
}

/// A cron expression.
///
/// # Panics
/// Where a promise is broken.
pub fn cron(bytes: &[u8]) {
    with_text(bytes, crate::config::untrusted::cron);
}

/// A spreadsheet of tokens.
///
/// # Panics
/// Where a promise is broken.
pub fn csv(bytes: &[u8]) {
    with_text(bytes, crate::import::untrusted::csv);
}

/// The query of an HTTP request.
///
/// # Panics
/// Where a promise is broken.
pub fn query(bytes: &[u8]) {
    with_text(bytes, crate::web::untrusted::query);
}

/// A scenario of the simulator.
///
/// # Panics
/// Where a promise is broken.
pub fn scenario(bytes: &[u8]) {
    with_text(bytes, |text| match simulator::Scenario::parse(text) {
        Ok(scenario) => drop(simulator::Simulator::new(scenario)),
        Err(why) => assert!(!why.is_empty(), "refused for no reason"),
    });
}

fn with_text(bytes: &[u8], promise: impl Fn(&str)) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        promise(text);
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;

    fn seeds(of: &str) -> Vec<Vec<u8>> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(of);
        let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths.iter().map(|path| fs::read(path).unwrap()).collect()
    }

    /// What takes the place of a few bytes: nothing, one byte, or a piece of a seed.
    type Edit = (Index, u8, Option<u8>, Option<(Index, Index, u8)>);

    /// A seed with a few edits.
    fn edited(seeds: &[Vec<u8>], seed: Index, edits: &[Edit]) -> Vec<u8> {
        let mut bytes = seed.get(seeds).clone();
        for (place, length, byte, piece) in edits {
            let from = place.index(bytes.len() + 1);
            let to = bytes.len().min(from + usize::from(*length % 8));
            let mut new: Vec<u8> = byte.iter().copied().collect();
            if let Some((other, start, length)) = piece {
                let other = other.get(seeds);
                let start = start.index(other.len() + 1);
                new.extend_from_slice(&other[start..other.len().min(start + usize::from(*length))]);
            }
            bytes.splice(from..to, new);
        }
        bytes
    }

    /// Calls `promise` with every seed of `of`, and with what edits make of them.
    fn holds(of: &str, promise: fn(&[u8])) {
        let seeds = seeds(of);
        assert!(seeds.len() > 2, "`{of}` has no seeds");
        for seed in &seeds {
            promise(seed);
        }
        let edits = prop::collection::vec(any::<Edit>(), 1..6);
        let many = ProptestConfig::with_cases(2000);
        proptest!(many, |(seed: Index, edits in edits)| promise(&edited(&seeds, seed, &edits)));
    }

    #[test]
    fn whatever_answers_is_read_as_what_it_shows() {
        holds("answer", answer);
    }

    #[test]
    fn whatever_is_configured_is_valid_or_has_faults_that_can_be_read() {
        holds("configuration", configuration);
    }

    #[test]
    fn whatever_is_a_schedule_comes() {
        holds("cron", cron);
    }

    #[test]
    fn whatever_a_spreadsheet_holds_is_rows_or_has_faults_that_can_be_read() {
        holds("csv", csv);
    }

    #[test]
    fn whatever_is_asked_for_is_bounded_and_no_markup() {
        holds("query", query);
    }

    #[test]
    fn whatever_is_a_scenario_can_be_simulated() {
        holds("scenario", scenario);
    }
}
