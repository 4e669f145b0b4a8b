//! The house rules that the compiler does not know: who may import whom, and what pure files may not name.

#![expect(clippy::panic, reason = "a test that cannot go on should say why")]

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms by floor, as the picture in `src/lib.rs` has them.
const FLOORS: [(&str, u8); 18] = [
    ("catalog", 1),
    ("cli", 1),
    ("exit", 1),
    ("system", 1),
    ("config", 2),
    ("syncro", 3),
    ("standing", 4),
    ("alert", 5),
    ("plan", 5),
    ("snapshot", 6),
    ("memory", 7),
    ("engine", 8),
    ("expose", 8),
    ("receiver", 8),
    ("store", 8),
    ("daemon", 9),
    ("command", 10),
    ("main", 11),
];

/// What a thing means is decided in these.
const PURE: [&str; 57] = [
    "catalog/mod.rs",
    "catalog/permission.rs",
    "catalog/profile.rs",
    "cli.rs",
    "exit.rs",
    "config/mod.rs",
    "config/cost.rs",
    "config/fault.rs",
    "config/fleet.rs",
    "config/maintenance.rs",
    "config/password.rs",
    "config/preflight.rs",
    "config/profiles.rs",
    "config/raw.rs",
    "config/receivers.rs",
    "config/schedule.rs",
    "config/shrunk.rs",
    "config/validate.rs",
    "config/value.rs",
    "config/web.rs",
    "config/zone.rs",
    "syncro/challenge.rs",
    "syncro/classify.rs",
    "syncro/coding.rs",
    "syncro/json.rs",
    "syncro/look.rs",
    "standing/",
    "plan.rs",
    "alert/mod.rs",
    "alert/conditions.rs",
    "alert/monitor.rs",
    "alert/neighbours.rs",
    "alert/rules.rs",
    "alert/words.rs",
    "daemon/status.rs",
    "engine/core.rs",
    "engine/dispatch.rs",
    "engine/effect.rs",
    "engine/monitor.rs",
    "engine/outage.rs",
    "engine/peers.rs",
    "engine/reload.rs",
    "engine/review.rs",
    "expose/calendar.rs",
    "expose/exposition.rs",
    "expose/metrics.rs",
    "expose/page/",
    "expose/runbook.rs",
    "memory.rs",
    "memory/",
    "receiver/alertmanager.rs",
    "receiver/answer.rs",
    "receiver/backoff.rs",
    "receiver/queue.rs",
    "receiver/text.rs",
    "receiver/webhook.rs",
    "snapshot.rs",
];

/// What touches the world.
const WORLD: [&str; 10] =
    ["tokio", "reqwest", "rusqlite", "axum", "std::fs", "SystemTime", "Instant", "std::env", "clock::now", "tracing"];

fn sources() -> Vec<(String, String)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("src is readable") {
            let path = entry.expect("src is readable").path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    walk(&root, &mut found);
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(&root).expect("below src").to_string_lossy().into_owned();
            let text = fs::read_to_string(&path).expect("src is readable");
            // Tests may name what they test with; comments may name anything.
            let code = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
            let code = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
            (name, code)
        })
        .filter(|(name, _)| !name.ends_with("tests.rs") && !name.contains("/tests/") && name != "testing.rs")
        .collect()
}

fn floor(room: &str) -> u8 {
    FLOORS.iter().find(|(name, _)| *name == room).unwrap_or_else(|| panic!("`{room}` has no floor")).1
}

fn room(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap_or_default()
}

/// The rooms that a file names with `crate::`, in `use` or inline.
fn imports(code: &str) -> Vec<String> {
    let library = code.replace("syncro_token_monitor::", "crate::");
    let mut rooms: Vec<String> = Vec::new();
    for rest in library.split("crate::").skip(1) {
        let names: Vec<&str> = match rest.strip_prefix('{') {
            Some(list) => list.split('}').next().unwrap_or_default().split(',').map(str::trim).collect(),
            None => vec![rest],
        };
        for name in names {
            rooms.push(name.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    rooms
}

#[test]
fn a_room_imports_only_from_floors_below_it() {
    let mut wrong = Vec::new();
    for (file, code) in sources().iter().filter(|(file, _)| file != "lib.rs") {
        let here = room(file);
        for other in imports(code).iter().filter(|other| *other != here) {
            if floor(other) >= floor(here) {
                wrong.push(format!("{file} imports {other}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_pure_file_names_nothing_that_touches_the_world() {
    let mut wrong = Vec::new();
    for (file, code) in sources().iter().filter(|(file, _)| PURE.iter().any(|pure| file.starts_with(pure))) {
        for word in WORLD {
            let named = code.match_indices(word).any(|(at, _)| {
                let before = code[..at].chars().next_back().unwrap_or(' ');
                let after = code[at + word.len()..].chars().next().unwrap_or(' ');
                !before.is_alphanumeric() && before != '_' && !after.is_alphanumeric() && after != '_'
            });
            if named {
                wrong.push(format!("{file} names {word}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_file_says_first_what_lives_there_and_none_is_crowded() {
    const LONGEST: usize = 300;
    for (file, code) in sources() {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(&file)).expect("readable");
        assert!(text.starts_with("//!"), "{file} does not say what lives there");
        // Comments are left out already, blank lines count.
        assert!(code.lines().count() <= LONGEST, "{file} has {} lines of code", code.lines().count());
    }
}

#[test]
fn the_scheduler_is_named_in_one_file_and_the_token_value_leaves_through_one_call() {
    let naming = |word: &str| {
        let files = sources().into_iter().filter(|(_, code)| code.contains(word)).map(|(file, _)| file);
        files.collect::<Vec<_>>()
    };
    let sorted = |mut files: Vec<String>| {
        files.sort();
        files
    };
    assert_eq!(naming("tokio_cron_scheduler::"), ["engine/pulse.rs"]);
    assert_eq!(sorted(naming("expose_secret(")), ["receiver/secret.rs", "syncro/token_value.rs"]);
    assert_eq!(naming("Secret::read("), ["receiver/post.rs"]);
    assert_eq!(naming(".header()"), ["syncro/transport.rs"]);
}
