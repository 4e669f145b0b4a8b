//! How many instructions the hot paths take, counted by callgrind, which no other program on the machine disturbs. What takes a
//! tenth more than `tests/counts/counts.txt` says fails; `COUNTS=write` says there what it takes now.
//!
//! Another compiler makes other instructions, so nothing is counted unless `COUNTS` is set, as `.ci/run` does.

mod filled;

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use syncro_token_monitor::engine::Event;
use syncro_token_monitor::metrics::Exposition;
use syncro_token_monitor::system::clock;

use filled::{Fleet, configuration};

/// What is counted.
const PATHS: [&str; 5] = ["check", "plan", "scrape_first", "scrape_plain", "scrape_gzip"];
const TOKENS: usize = 200;
/// How much more is too much, in hundredths.
const TOLERATED: u64 = 10;

fn main() -> ExitCode {
    let asked = std::env::args().nth(1).filter(|argument| PATHS.contains(&argument.as_str()));
    match (asked, std::env::var("COUNTS")) {
        (Some(path), _) => walk(&path),
        (None, Ok(how)) => return compare(how == "write"),
        (None, Err(_)) => say("skipped: COUNTS is not set"),
    }
    ExitCode::SUCCESS
}

/// Has every path counted, and compares or writes down the counts.
fn compare(writes: bool) -> ExitCode {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/counts/counts.txt");
    let counts = PATHS.map(|path| (path, count(path)));
    if writes {
        let lines: String = counts.iter().fold(String::new(), |text, (path, count)| format!("{text}{path} {count}\n"));
        std::fs::write(&file, lines).expect("the checkout can be written");
        return ExitCode::SUCCESS;
    }
    let known = std::fs::read_to_string(&file).expect("it is committed");
    let known: BTreeMap<_, u64> = known
        .lines()
        .filter_map(|line| line.split_once(' '))
        .map(|(path, count)| (path, count.parse().expect("a number")))
        .collect();
    let mut exit = ExitCode::SUCCESS;
    for (path, count) in counts {
        let before = known[path];
        let is_more = count * 100 > before * (100 + TOLERATED);
        let verdict = if is_more { "TOO MUCH" } else { "ok" };
        say(&format!("{path}: {count} instructions, {:.3} of {before}: {verdict}", count as f64 / before as f64));
        if is_more {
            exit = ExitCode::FAILURE;
        }
    }
    exit
}

/// How many instructions a path takes.
fn count(path: &str) -> u64 {
    let program = std::env::current_exe().expect("it runs");
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*counted*"])
        .arg(program)
        .arg(path);
    // The library's routines are chosen by the processor.
    command.env("GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-ERMS,-FSRM");
    let output = command.output().expect("valgrind is installed");
    let said = String::from_utf8_lossy(&output.stderr);
    let line = said.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, count)| count.trim());
    let count = line.and_then(|count| count.parse().ok());
    assert!(output.status.success() && count > Some(0), "{path}: {said}");
    count.expect("asserted")
}

/// What is counted of a path.
#[inline(never)]
fn counted(work: &mut dyn FnMut()) {
    work();
}

/// Goes a path once, and counts only what it is about.
fn walk(path: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let config = configuration(folder.path(), TOKENS);
    let mut fleet = Fleet::new(Arc::clone(&config));
    let mut effects = fleet.core.handle(Event::Tick, clock::now());
    if path == "check" {
        return counted(&mut || assert!(fleet.answer(std::mem::take(&mut effects)) >= TOKENS));
    }
    fleet.answer(effects);
    if path == "plan" {
        return counted(&mut || drop(fleet.core.handle(Event::Reload(Arc::clone(&config)), clock::now())));
    }
    let (exposition, snapshot) = (Exposition::default(), fleet.core.snapshot());
    let scrape = || exposition.scrape("", &snapshot, clock::now());
    if path == "scrape_first" {
        return counted(&mut || drop(scrape()));
    }
    drop(scrape());
    match path {
        "scrape_plain" => counted(&mut || assert!(scrape().plain().all(|part| part.is_ok()))),
        _ => counted(&mut || assert!(scrape().gzip().all(|part| !part.is_empty()))),
    }
}

fn say(line: &str) {
    writeln!(std::io::stdout(), "{line}").expect("standard output");
}
