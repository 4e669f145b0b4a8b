//! What a scrape of a large fleet costs, as ratios in one run: per series, over fleet sizes, and against the encoder
//! of the `prometheus` crate for as many series; and what gzip adds.

use std::fs;
use std::hint::black_box;
use std::sync::Arc;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use prometheus::{Encoder, IntGaugeVec, Opts, Registry, TextEncoder};
use serde_json::json;
use syncro_token_monitor::belief::TokenStatus;
use syncro_token_monitor::catalog::catalog;
use syncro_token_monitor::config;
use syncro_token_monitor::metrics::Exposition;
use syncro_token_monitor::model::{Tenant, Token, TokenSource, Wanted};
use syncro_token_monitor::state::{Snapshot, TokenSnapshot};
use syncro_token_monitor::system::clock;

/// A fleet of one token for each tenant, five permissions each, all well.
fn fleet(tokens: usize) -> Arc<Snapshot> {
    let wanted: Vec<Wanted> = catalog()
        .profile("jumpcloud")
        .expect("known")
        .required
        .iter()
        .map(|permission| Wanted { permission: *permission, required: true })
        .collect();
    let status = Arc::new(status(&wanted));
    let template = tenant();
    let snapshot_of = |number: usize| {
        let name = format!("tenant-{number}");
        let tenant = Tenant { subdomain: Some(name.clone()), name, ..template.clone() };
        let token = Token {
            tenant: Arc::new(tenant),
            name: "jumpcloud".to_owned(),
            source: TokenSource::Environment("X".to_owned()),
            next: None,
            auto_rotated: false,
            ignored: Vec::new(),
            contact: None,
            note: None,
            expires: chrono::DateTime::from_timestamp(1_900_000_000, 0),
            profile: catalog().profile("jumpcloud").cloned(),
            wanted: wanted.clone(),
        };
        TokenSnapshot { token: Arc::new(token), status: Arc::clone(&status), is_affected: false, asked: Arc::default() }
    };
    Arc::new(Snapshot { tokens: (0..tokens).map(snapshot_of).collect(), ..Snapshot::default() })
}

/// A tenant as the configuration makes one.
fn tenant() -> Tenant {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("value"), "value").expect("a folder");
    let path = folder.path().join("config.toml");
    let text =
        "[[tenants]]\nname = \"a\"\nsubdomain = \"a\"\n[[tenants.tokens]]\nname = \"t\"\ntoken_file = \"value\"\n";
    fs::write(&path, text).expect("a folder");
    let config = config::load(&path).expect("a valid configuration");
    config.tokens.first().map(|token| (*token.tenant).clone()).expect("one token")
}

/// A status as it would be stored.
fn status(wanted: &[Wanted]) -> TokenStatus {
    let belief = |held| json!({"held": held, "since": "2026-11-23T10:00:00Z", "lost": false, "doubts": 0, "doubted_at": "2026-11-23T10:00:00Z"});
    let rights = ["asset", "customer", "invoice", "payment", "ticket"].into_iter().flat_map(|group| {
        ["delete", "read", "write"].map(|right| json!({"right": format!("{group}.{right}"), "belief": belief(true)}))
    });
    let mut permissions: Vec<_> = wanted.iter().map(|wanted| wanted.permission).collect();
    permissions.sort();
    let permission = |id: &syncro_token_monitor::catalog::PermissionId| json!({"permission": id.name(), "belief": belief(true), "evidence": "probe", "cause": "token", "unseen": false});
    let attempts = json!({"last_attempt": "2026-11-23T10:00:00.123Z", "last_success": "2026-11-23T10:00:00.123Z",
        "failures": 0, "failing_since": null, "reason": null});
    serde_json::from_value(json!({
        "state": "valid", "since": "2026-11-23T10:00:00Z", "doubt": null, "worked_after_expiry": 0,
        "unreadable": null, "fingerprint": "ba7816bf8f01", "validity": attempts, "permission_checks": attempts,
        "look_again": false, "rights": rights.collect::<Vec<_>>(),
        "user": {"id": 1, "admin": belief(false), "group": "Technicians", "group_asked": null, "group_change": null},
        "permissions": permissions.iter().map(permission).collect::<Vec<_>>(),
    }))
    .expect("a status")
}

/// The parts of a scrape as it is.
fn plain(exposition: &Exposition, snapshot: &Snapshot) -> impl Iterator<Item = bytes::Bytes> + use<> {
    exposition.scrape("", snapshot, clock::now()).plain().map(|part| part.expect("text"))
}

fn series(snapshot: &Snapshot) -> usize {
    let text = plain(&Exposition::default(), snapshot).collect::<Vec<_>>().concat();
    text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && line[0] != b'#').count()
}

fn scrape(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scrape");
    group.sample_size(10);
    for tokens in [500, 5_000, 50_000] {
        let snapshot = fleet(tokens);
        group.throughput(Throughput::Elements(series(&snapshot) as u64));
        group.bench_with_input(BenchmarkId::new("first", tokens), &snapshot, |bencher, snapshot| {
            bencher.iter(|| size(plain(&Exposition::default(), snapshot)));
        });
        let exposition = Exposition::default();
        group.bench_with_input(BenchmarkId::new("nothing has changed", tokens), &snapshot, |bencher, snapshot| {
            bencher.iter(|| size(plain(&exposition, snapshot)));
        });
    }
    let count = series(&fleet(500));
    let registry = Registry::new();
    let gauges =
        IntGaugeVec::new(Opts::new("syncro_token_state", "x"), &["tenant", "token_name", "state"]).expect("new");
    for number in 0..count {
        let tenant = format!("tenant-{number}");
        gauges.get_metric_with_label_values(&[&tenant, "jumpcloud", "valid"]).expect("three labels").set(1);
    }
    registry.register(Box::new(gauges)).expect("new");
    group.throughput(Throughput::Elements(count as u64));
    group.bench_function("prometheus crate, as many series as 500 tokens", |bencher| {
        bencher.iter(|| {
            let mut text = Vec::new();
            TextEncoder::new().encode(&registry.gather(), &mut text).expect("memory");
            black_box(text).len()
        });
    });
    group.finish();
}

/// What a scrape costs by what has changed since the last, as it is and for whoever takes gzip.
#[expect(clippy::print_stderr, reason = "the sizes belong to the times")]
fn changed(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("scrape of 5,000 tokens");
    group.sample_size(10);
    let snapshot = fleet(5_000);
    // A fifth of the tokens is checked between two scrapes, once a minute at an interval of five.
    let mut later = (*snapshot).clone();
    for index in (0..later.tokens.len()).step_by(5) {
        let mut token = later.tokens[index].clone();
        let status = Arc::make_mut(&mut token.status);
        status.validity.last_attempt = status.validity.last_attempt.map(|at| at + chrono::TimeDelta::minutes(5));
        status.validity.last_success = status.validity.last_attempt;
        later.tokens.replace(index, token);
    }
    let scrapes = [snapshot, Arc::new(later)];
    let exposition = Exposition::default();
    let gzip = |snapshot: &Snapshot| exposition.scrape("", snapshot, clock::now()).gzip();
    let (as_it_is, small) = (size(plain(&exposition, &scrapes[0])), size(gzip(&scrapes[0])));
    eprintln!("{as_it_is} bytes, {small} compressed: {:.1} %", 100.0 * small as f64 / as_it_is as f64);
    let mut in_turn = scrapes.iter().cycle();
    let mut turn = || in_turn.next().expect("endless");
    group.bench_function("plain, nothing has changed", |bencher| {
        bencher.iter(|| size(plain(&exposition, &scrapes[0])));
    });
    group.bench_function("plain, a fifth was checked", |bencher| bencher.iter(|| size(plain(&exposition, turn()))));
    group.bench_function("gzip, nothing has changed", |bencher| bencher.iter(|| size(gzip(&scrapes[0]))));
    group.bench_function("gzip, a fifth was checked", |bencher| bencher.iter(|| size(gzip(turn()))));
    group.finish();
}

/// How long all parts are together.
fn size(parts: impl Iterator<Item = bytes::Bytes>) -> usize {
    parts.map(|part| black_box(part).len()).sum()
}

criterion_group!(benches, scrape, changed);
criterion_main!(benches);
