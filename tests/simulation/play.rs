//! Plays worlds: one again, or many until enough years of tokens have passed; shrinks those that failed.

#![expect(clippy::print_stderr, reason = "what was played is shown to whoever replays it")]

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use judge::{Finding, Kind, Received, Verdict, judge};

use crate::daemon;
use crate::plan::Plan;

/// So many worlds that failed are shrunk and shown, unless `SIMULATION_SHOWN` says otherwise.
const SHOWN: usize = 3;

/// What one world came to.
struct Outcome {
    verdict: Verdict,
    received: Vec<Received>,
    history: usize,
}

/// A folder in memory where there is one: a real file system, without the wait for a real disk.
fn folder() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    let parent = if memory.is_dir() { PathBuf::from(memory) } else { std::env::temp_dir() };
    tempfile::tempdir_in(parent).expect("a folder")
}

fn play(plan: &Plan) -> Outcome {
    let folder = folder();
    fastrand::seed(plan.seed);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().expect("a runtime");
    let played = catch_unwind(AssertUnwindSafe(|| runtime.block_on(daemon::run(plan, folder.path()))));
    let case = plan.case();
    match played {
        Ok(record) => {
            let mut verdict = judge(&case, &record.received, &record.requests);
            let lost = record.lost.iter().map(|at| Finding {
                kind: Kind::Forgotten,
                at: *at,
                what: "history became shorter".to_owned(),
            });
            verdict.findings.extend(lost);
            Outcome { verdict, received: record.received, history: record.history }
        }
        Err(panic) => {
            let what = panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic".to_owned());
            let finding = Finding { kind: Kind::Missed, at: 0, what: format!("the daemon died: {what}") };
            let verdict = Verdict { findings: vec![finding], ..Verdict::default() };
            Outcome { verdict, received: Vec::new(), history: 0 }
        }
    }
}

/// Plays one world again, with all of its incidents or only those named, and shows what was received.
pub(crate) fn replay(seed: u64, keep: Option<&str>) {
    let mut plan = Plan::of(seed);
    plan.kept = keep.map(|keep| keep.split(',').filter_map(|number| number.trim().parse().ok()).collect());
    let outcome = play(&plan);
    show(&plan, &outcome);
    assert!(outcome.verdict.findings.is_empty(), "seed {seed} fails");
}

fn show(plan: &Plan, outcome: &Outcome) {
    let case = plan.case();
    eprintln!("seed {}: {:?}, {} s, {:?}", plan.seed, plan.pace, case.end / 1000, case.policy);
    for (number, token) in case.tokens.iter().enumerate() {
        eprintln!("  token {number}: {token:?}");
    }
    for event in &case.events {
        eprintln!("  {:>12.3} {:?}", event.at as f64 / 1000.0, event.what);
    }
    for received in &outcome.received {
        let at = received.at as f64 / 1000.0;
        let Received { id, alert, change, severity, tenant, scope, cause, entries, .. } = received;
        let about: Vec<_> =
            [&received.security_group, &received.token_name].into_iter().filter(|name| !name.is_empty()).collect();
        let user = received.user_id.map(|user| format!("user {user}")).unwrap_or_default();
        let entries: Vec<_> = entries.iter().map(|entry| format!("{} / {}", entry.token, entry.thing)).collect();
        eprintln!(
            "  {at:>12.3} received #{} {id} {change:?} {severity:?} {alert} {tenant} {scope} {about:?} {user} {cause} {entries:?}{}",
            received.delivery,
            if received.more { " and more" } else { "" }
        );
    }
    for finding in &outcome.verdict.findings {
        eprintln!("  {finding}");
    }
}

/// What is summed up over all worlds.
#[derive(Default)]
struct Sum {
    worlds: u64,
    years: f64,
    incidents: u64,
    duties: u64,
    received: u64,
    history: u64,
    delays: Vec<i64>,
    kinds: BTreeMap<Kind, u64>,
    failed: Vec<(u64, Vec<Finding>)>,
    first_seed: Option<u64>,
}

/// Plays the worlds of `seeds`, on every core, until there are no more or `years` years of tokens have passed.
#[expect(clippy::disallowed_methods, reason = "how long the simulation takes is measured outside of its own time")]
pub(crate) fn many(seeds: impl Iterator<Item = u64> + Send, years: f64, shown: Option<usize>) {
    let begun = std::time::Instant::now();
    let (seeds, sum) = (Mutex::new(seeds), Mutex::new(Sum::default()));
    let next = || sum.lock().is_ok_and(|sum| sum.years < years).then(|| seeds.lock().ok()?.next()).flatten();
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(seed) = next() {
                    let plan = Plan::of(seed);
                    let outcome = play(&plan);
                    sum.lock().expect("no panic").add(&plan, outcome);
                }
            });
        }
    });
    let mut sum = sum.into_inner().expect("no panic");
    sum.report(begun.elapsed());
    sum.failed.sort_by_key(|(seed, _)| *seed);
    for (seed, findings) in &sum.failed {
        eprintln!("seed {seed}: {} findings, the first: {}", findings.len(), findings[0]);
    }
    for (seed, findings) in sum.failed.iter().take(shown.unwrap_or(SHOWN)) {
        let plan = shrunk(Plan::of(*seed), findings[0].kind);
        show(&plan, &play(&plan));
        let kept = plan.kept.iter().flatten().map(ToString::to_string).collect::<Vec<_>>().join(",");
        eprintln!("again: SIMULATION_SEED={seed} SIMULATION_KEEP={kept} cargo test --test simulation");
    }
    assert!(sum.failed.is_empty(), "{} worlds failed", sum.failed.len());
}

impl Sum {
    fn add(&mut self, plan: &Plan, outcome: Outcome) {
        self.worlds += 1;
        self.first_seed = Some(self.first_seed.map_or(plan.seed, |first| first.min(plan.seed)));
        self.years += plan.token_years();
        self.incidents += plan.incidents.len() as u64;
        self.duties += outcome.verdict.duties;
        self.received += outcome.verdict.received;
        self.history += outcome.history as u64;
        self.delays.extend(outcome.verdict.delays);
        for finding in &outcome.verdict.findings {
            *self.kinds.entry(finding.kind).or_default() += 1;
        }
        if !outcome.verdict.findings.is_empty() {
            self.failed.push((plan.seed, outcome.verdict.findings));
        }
    }

    fn report(&mut self, took: Duration) {
        self.delays.sort_unstable();
        let at = |share: f64| self.delays.get((self.delays.len() as f64 * share) as usize).copied().unwrap_or(0);
        let found: Vec<_> =
            Kind::ALL.iter().map(|kind| format!("{kind:?} {}", self.kinds.get(kind).unwrap_or(&0))).collect();
        eprintln!(
            "simulation: worlds {} from seed {}, token-years {:.1}, incidents {}, duties {}, notifications {}, \
             lines of history {}, notified after p50 {} s p99 {} s, worlds that failed {}, took {} s; {}",
            self.worlds,
            self.first_seed.unwrap_or_default(),
            self.years,
            self.incidents,
            self.duties,
            self.received,
            self.history,
            at(0.5) / 1000,
            at(0.99) / 1000,
            self.failed.len(),
            took.as_secs(),
            found.join(", ")
        );
    }
}

/// Fewer incidents that still end in a finding of the same kind.
fn shrunk(mut plan: Plan, kind: Kind) -> Plan {
    let fails = |plan: &Plan| play(plan).verdict.findings.iter().any(|finding| finding.kind == kind);
    let mut kept: BTreeSet<usize> = (0..plan.incidents.len()).collect();
    let mut piece = kept.len().div_ceil(2);
    while piece > 0 {
        let mut numbers: Vec<_> = kept.iter().copied().collect();
        while !numbers.is_empty() {
            let tail = numbers.split_off(numbers.len().saturating_sub(piece));
            let fewer: BTreeSet<_> = kept.iter().copied().filter(|number| !tail.contains(number)).collect();
            plan.kept = Some(fewer.clone());
            if fails(&plan) {
                kept = fewer;
            }
        }
        piece /= 2;
    }
    plan.kept = Some(kept);
    plan
}
