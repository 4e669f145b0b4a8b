//! The house rules that the compiler does not know: who may import whom, and what pure files may not name.

#![expect(clippy::panic, reason = "a test that cannot go on should say why")]

use std::fs;
use std::path::{Path, PathBuf};

/// Rooms by floor, as the picture in `src/lib.rs` has them.
const FLOORS: [(&str, u8); 26] = [
    ("catalog", 1),
    ("cli", 1),
    ("exit", 1),
    ("system", 1),
    ("model", 2),
    ("config", 3),
    ("syncro", 4),
    ("belief", 5),
    ("import", 5),
    ("rotation", 5),
    ("alert", 6),
    ("plan", 6),
    ("check", 7),
    ("state", 7),
    ("engine", 8),
    ("http_server", 8),
    ("metrics", 8),
    ("notify", 8),
    ("store", 8),
    ("rehearsal", 9),
    ("web", 9),
    ("daemon", 10),
    ("command", 11),
    ("main", 12),
    ("testing", 12),
    ("untrusted", 12),
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

/// Whether the first sentences of a file promise that it decides and touches nothing.
fn is_pure(file: &str) -> bool {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(file)).expect("readable");
    let head = text.lines().take_while(|line| line.starts_with("//!")).collect::<Vec<_>>().join(" ");
    head.contains("Pure") || head.contains("Values only")
}

#[test]
fn a_pure_file_names_nothing_that_touches_the_world() {
    let (mut wrong, mut pure) = (Vec::new(), 0);
    for (file, code) in sources().iter().filter(|(file, _)| is_pure(file)) {
        pure += 1;
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
    // What is decided about tokens is decided in pure files.
    for room in ["belief", "alert", "plan", "model", "engine/core"] {
        let files = sources().into_iter().map(|(file, _)| file).filter(|file| file.starts_with(room));
        let touching: Vec<_> = files.filter(|file| !is_pure(file)).collect();
        assert!(touching.is_empty(), "not pure: {touching:?}");
    }
    assert!(pure >= 60, "only {pure} files say that they are pure");
}

/// The module of a file: `engine/core/review.rs` is `engine::core::review`, `alert/mod.rs` is `alert`.
fn module(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

/// The modules that a module of the same room imports from, by the longest name that is one; neither those that contain it
/// nor those that it contains.
fn imports_within(here: &[String], code: &str, modules: &[Vec<String>]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for (at, prefix) in code.match_indices("super::").chain(code.match_indices("crate::")) {
        if code[..at].ends_with("super::") {
            continue;
        }
        let ups = if prefix == "crate::" { here.len() } else { depth(&code[at..]) };
        let base = &here[..here.len().saturating_sub(ups)];
        let rest = code[at..].trim_start_matches("super::").trim_start_matches("crate::");
        for name in names(rest) {
            let path: Vec<String> = base.iter().cloned().chain(name.split("::").map(str::to_owned)).collect();
            let known =
                (1..=path.len()).rev().map(|length| &path[..length]).find(|path| modules.iter().any(|m| m == path));
            let Some(known) = known else { continue };
            let related = here.starts_with(known) || known.starts_with(here);
            if known.first() == here.first() && !related {
                found.push(known.to_vec());
            }
        }
    }
    found
}

/// How often in a row a path begins with `super::`.
fn depth(path: &str) -> usize {
    (path.len() - path.trim_start_matches("super::").len()) / "super::".len()
}

/// The paths that begin with what was cut off before: one, or those of a list in braces, which may hold lists itself.
fn names(rest: &str) -> Vec<String> {
    let path = |text: &str| text.trim().chars().take_while(|c| c.is_alphanumeric() || "_:".contains(*c)).collect();
    let Some(list) = rest.strip_prefix('{') else { return vec![path(rest)] };
    let (mut depth, mut start, mut found) = (1_usize, 0, Vec::new());
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' if depth > 1 => depth -= 1,
            '}' => {
                found.push(path(&list[start..at]));
                break;
            }
            ',' if depth == 1 => {
                found.push(path(&list[start..at]));
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

#[test]
fn no_files_of_a_room_import_each_other_in_a_circle() {
    let sources = sources();
    let modules: Vec<_> = sources.iter().map(|(file, _)| module(file)).collect();
    let mut edges: Vec<(Vec<String>, Vec<Vec<String>>)> =
        sources.iter().map(|(file, code)| (module(file), imports_within(&module(file), code, &modules))).collect();
    // Whoever imports nothing that is left is in no circle.
    loop {
        let free: Vec<_> = edges.iter().filter(|(_, to)| to.is_empty()).map(|(from, _)| from.clone()).collect();
        if free.is_empty() {
            break;
        }
        edges.retain(|(from, _)| !free.contains(from));
        for (_, to) in &mut edges {
            to.retain(|module| !free.contains(module));
        }
    }
    let circles: Vec<_> = edges.iter().map(|(from, to)| format!("{} -> {to:?}", from.join("::"))).collect();
    assert!(circles.is_empty(), "{circles:#?}");
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
    assert_eq!(sorted(naming("expose_secret(")), ["notify/secret.rs", "syncro/token_value.rs"]);
    assert_eq!(naming("Secret::read("), ["notify/post.rs"]);
    assert_eq!(naming(".header()"), ["syncro/transport.rs"]);
}
