//! What an answer says, however it is written, and what it does not say: each probe stands for itself, a page in Syncro's
//! place is no verdict, and a wish for a pause is obeyed for minutes, not for hours.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use flate2::Compression;
use flate2::write::GzEncoder;

use crate::harness::{Configuration, Daemon, World};
use crate::raw::{HTML, JSON, Raw, Reply, json, me};

const LIST: &str = "permissions = [\"Tickets - List/Search\"]";
/// Two that come first and fail, and one that is lost meanwhile.
const THREE: &str = "permissions = [\"Customers - List/Search\", \"Contacts - Import\", \"Tickets - List/Search\"]";

fn granted(tenant: &str, permission: &str) -> String {
    format!(
        "syncro_token_permission_granted{{tenant=\"{tenant}\",token_name=\"jumpcloud\",permission=\"{permission}\"}}"
    )
}

fn state(tenant: &str, state: &str) -> String {
    format!("syncro_token_state{{tenant=\"{tenant}\",token_name=\"jumpcloud\",state=\"{state}\"}}")
}

/// Runs a daemon that asks a raw Syncro for tenants of these names.
fn run<'a>(world: &World, raw: &Raw, tenants: impl Iterator<Item = &'a str>, lines: &str) -> Daemon {
    let configuration = tenants.fold(Configuration::default(), |known, tenant| raw.add(known, tenant, lines));
    world.run(&Configuration { requests_per_minute: 6000, ..configuration })
}

/// Whatever `/me` is answered in these ways, the token is seen to work.
fn is_read(cases: BTreeMap<&'static str, Arc<dyn Fn() -> Reply + Send + Sync>>) {
    let (world, names) = (World::new(crate::harness::ACME), cases.keys().copied().collect::<Vec<_>>());
    let raw = Raw::new(move |tenant, path| match path {
        "/me" => cases[tenant](),
        _ => Reply::Usual,
    });
    let mut daemon = run(&world, &raw, names.iter().copied(), LIST);
    for name in names {
        let line = daemon.seen.iter().find(|line| line["event"] == "check" && line["tenant"] == name).cloned();
        let line = line.unwrap_or_else(|| daemon.checks(name, "validity", 1).remove(0));
        assert_eq!(
            (&line["level"], daemon.metric(&state(name, "valid"))),
            (&"DEBUG".into(), Some(1.0)),
            "{name}: {line}"
        );
    }
    assert_eq!(daemon.notified(), Vec::<String>::new());
}

macro_rules! cases {
    ($($name:literal: $reply:expr,)*) => {
        BTreeMap::from([$(($name, Arc::new(move || $reply) as Arc<dyn Fn() -> Reply + Send + Sync>)),*])
    };
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn packed(coding: &str, body: Vec<u8>) -> Reply {
    Reply::Answer(200, format!("{JSON}Content-Encoding: {coding}\r\n"), body)
}

#[test]
fn every_spelling_of_gzip_is_read() {
    let members = |tenant: &str| [gzip(&me(tenant)[..50]), gzip(&me(tenant)[50..])].concat();
    is_read(cases! {
        "lower": packed("gzip", gzip(&me("lower"))),
        "upper": packed("GZIP", gzip(&me("upper"))),
        "x-gzip": packed("x-gzip", gzip(&me("x-gzip"))),
        "members": packed("gzip", members("members")),
        "identity": packed("Identity, gzip", gzip(&me("identity"))),
        "plain": packed("gzip", me("plain").into_bytes()),
    });
}

#[test]
fn odd_json_in_a_field_that_nobody_needs_is_read() {
    let with = |tenant: &str, odd: &str| json(me(tenant).replace("\"Pat\"", odd));
    is_read(cases! {
        "first-half": with("first-half", r#""Pat \ud83d""#),
        "second-half": with("second-half", r#""Pat \udc00""#),
        "mark": json(format!("\u{feff}{}", me("mark"))),
        "deep": with("deep", &format!("{}{}", "[".repeat(5000), "]".repeat(5000))),
        "exponent": with("exponent", "1e999"),
        "digits": with("digits", &"9".repeat(400)),
        "twice": with("twice", "1, \"user_id\": 8, \"user_id\": 9"),
        "text": json(me("text").replace("7,", "\"7\",")),
        "key": with("key", r#"1, "\ud83d": 2"#),
    });
}

#[test]
fn an_unknown_coding_is_no_verdict() {
    let raw = Raw::new(|tenant, _| packed("br", me(tenant).into_bytes()));
    let world = World::new(crate::harness::ACME);
    let mut daemon = run(&world, &raw, ["acme"].into_iter(), LIST);
    daemon.wait("malformed", |line| line["reason"] == "malformed");
    daemon.checks("acme", "validity", 2);
    assert_eq!((daemon.metric(&state("acme", "unknown")), daemon.notified()), (Some(1.0), Vec::new()));
}

/// A raw Syncro that does as usual until it is asked to do as the rule says.
fn later(rule: impl Fn(&str, &str) -> Reply + Send + Sync + 'static) -> (Raw, Arc<AtomicBool>) {
    let begun = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&begun);
    let raw = Raw::new(move |tenant, path| if now.load(Ordering::SeqCst) { rule(tenant, path) } else { Reply::Usual });
    (raw, begun)
}

#[test]
fn a_challenge_page_is_no_verdict_about_a_token() {
    const MARK: &str = "cf-mitigated: challenge\r\n";
    let (page, cloudflare) = ("<title>Just a moment...</title>", format!("{HTML}Server: cloudflare\r\n"));
    let marked = format!("{cloudflare}{MARK}");
    let answers = [
        (403, marked.clone(), page),
        (401, marked.clone(), page),
        (503, marked.clone(), page),
        (200, marked.clone(), page),
        (403, marked, ""),
        (403, cloudflare.clone(), "<h1>Access denied</h1>"),
        (401, cloudflare, "<h1>Access denied</h1>"),
        (403, format!("{JSON}x-amzn-waf-action: captcha\r\n"), "{}"),
        (403, HTML.to_owned(), "<p>Please consult with your administrator. Your support ID is: 1"),
    ];
    let names: Vec<_> = (0..answers.len()).map(|number| format!("t{number}")).collect();
    let (raw, begun) = later(move |tenant, _| {
        let (status, head, body) = &answers[tenant[1..].parse::<usize>().unwrap()];
        Reply::Answer(*status, head.clone(), body.as_bytes().to_vec())
    });
    let world = World::new(crate::harness::ACME);
    let others = raw.add(Configuration::default(), "other", "");
    let configuration = names.iter().fold(others, |known, name| raw.add(known, name, LIST));
    let mut daemon = world.run(&Configuration { requests_per_minute: 6000, ..configuration });
    let mut left = names.clone();
    while !left.is_empty() {
        let line = daemon.wait("a permission check", |line| line["check"] == "permissions");
        left.retain(|name| line["tenant"] != **name);
    }
    begun.store(true, Ordering::SeqCst);
    let mut failed: BTreeMap<String, usize> = BTreeMap::new();
    while failed.values().filter(|count| **count >= 3).count() < names.len() {
        let line = daemon.wait("not_syncro", |line| line["event"] == "check" && line["reason"] == "not_syncro");
        assert!(line["message"].as_str().unwrap().contains("a challenge page of "), "{line}");
        *failed.entry(line["tenant"].as_str().unwrap().to_owned()).or_default() += 1;
    }
    for name in &names {
        assert_eq!(daemon.metric(&state(name, "valid")), Some(1.0), "{name}");
    }
    assert!(daemon.notified().iter().all(|notified| notified.starts_with("SyncroOutage")), "{:?}", daemon.notified());
}

/// `/customers` and, where `both`, `/contacts` fail in this way while `Tickets - List/Search` is lost.
fn is_lost_all_the_same(both: bool, how: impl Fn() -> Reply + Send + Sync + 'static) {
    let (raw, begun) = later(move |_, path| match path {
        _ if path.starts_with("/customers") || both && path.starts_with("/contacts") => how(),
        "/tickets?per_page=1" => Reply::Answer(401, JSON.to_owned(), b"{\"error\":\"Not authorized.\"}".to_vec()),
        _ => Reply::Usual,
    });
    let world = World::new(crate::harness::ACME);
    let configuration = raw.add(Configuration::default(), "acme", THREE);
    let mut daemon = world.run(&Configuration { requests_per_minute: 6000, ..configuration });
    daemon.checks("acme", "permissions", 1);
    begun.store(true, Ordering::SeqCst);
    let line = daemon.alert("PermissionLost", "firing");
    assert_eq!(line["permissions"][0], "Tickets - List/Search");
    assert_eq!(
        daemon.metric(&granted("acme", "Customers - List/Search")),
        Some(1.0),
        "what cannot be seen is as it was"
    );
    assert_eq!(daemon.notified(), ["PermissionLost firing"]);
}

#[test]
fn an_endpoint_with_500_hides_no_lost_permission() {
    is_lost_all_the_same(true, || Reply::Answer(500, JSON.to_owned(), b"{}".to_vec()));
}

#[test]
fn an_endpoint_that_answers_a_page_hides_no_lost_permission() {
    is_lost_all_the_same(true, || Reply::Answer(200, HTML.to_owned(), b"<html>".to_vec()));
}

#[test]
fn an_endpoint_that_closes_hides_no_lost_permission() {
    is_lost_all_the_same(false, || Reply::Close);
}

#[test]
fn two_endpoints_that_hang_hide_no_lost_permission() {
    is_lost_all_the_same(true, || Reply::Hang);
}

#[test]
fn a_body_that_never_comes_hides_no_lost_permission() {
    // Its status has come, and shows that the permission is there.
    is_lost_all_the_same(true, || Reply::Endless(200));
}

#[test]
fn a_503_that_asks_for_patience_hides_no_lost_permission() {
    is_lost_all_the_same(false, || Reply::Answer(503, format!("{JSON}Retry-After: 1\r\n"), b"{}".to_vec()));
}

#[test]
fn a_host_where_everything_hangs_is_not_asked_everything() {
    let (raw, begun) = later(|_, path| if path == "/me" { Reply::Usual } else { Reply::Hang });
    let world = World::new(crate::harness::ACME);
    let path = world.configure(&raw.add(Configuration::default(), "acme", "profile = \"jumpcloud\""));
    begun.store(true, Ordering::SeqCst);
    let output = crate::harness::call(&["-c", path.to_str().unwrap(), "check"]);
    assert_eq!(output.status.code(), Some(3), "{}", crate::harness::text(&output.stdout));
    assert_eq!(raw.seen().len(), 3, "`/me`, and two that took for ever: {:?}", raw.seen());
}

#[test]
fn a_list_longer_than_is_read_is_granted() {
    let list = format!("{{\"tickets\":[{}1]}}", "1, ".repeat(600_000));
    let raw = Raw::new(move |_, path| match path {
        "/tickets?per_page=1" => json(list.clone()),
        _ => Reply::Usual,
    });
    let world = World::new(crate::harness::ACME);
    let mut daemon = run(&world, &raw, ["acme"].into_iter(), LIST);
    let line = daemon.checks("acme", "permissions", 1).remove(0);
    assert_eq!(
        (&line["level"], daemon.metric(&granted("acme", "Tickets - List/Search"))),
        (&"DEBUG".into(), Some(1.0))
    );
}

/// For how long one 429 with this header pauses requests, in seconds.
fn pause(retry_after: &str) -> u64 {
    let (asked, header) = (AtomicUsize::new(0), retry_after.to_owned());
    let raw = Raw::new(move |_, _| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::Answer(429, format!("Content-Type: text/plain\r\n{header}"), b"Retry later".to_vec()),
        _ => Reply::Usual,
    });
    let world = World::new(crate::harness::ACME);
    let mut daemon = run(&world, &raw, ["acme"].into_iter(), "");
    daemon.wait("throttled", |line| line["event"] == "throttled")["pause_seconds"].as_u64().unwrap()
}

#[test]
fn every_form_of_retry_after_is_obeyed_for_minutes_at_most() {
    const SERVER: &str = "Date: Thu, 01 Jan 2026 00:00:00 GMT\r\n";
    for (header, expected) in [
        ("Retry-After: 90\r\n".to_owned(), 90),
        (format!("{SERVER}Retry-After: Thu, 01 Jan 2026 00:01:30 GMT\r\n"), 90),
        (format!("{SERVER}Retry-After: Thursday, 01-Jan-26 00:01:30 GMT\r\n"), 90),
        (format!("{SERVER}Retry-After: Thu Jan  1 00:01:30 2026\r\n"), 90),
        ("Retry-After: 3600\r\n".to_owned(), 240),
        (format!("Retry-After: {}\r\n", "9".repeat(30)), 240),
        ("Retry-After: Fri, 31 Dec 9999 23:59:59 GMT\r\n".to_owned(), 240),
        ("Retry-After: 0\r\n".to_owned(), 1),
        ("Retry-After: soon\r\n".to_owned(), 30),
    ] {
        assert_eq!(pause(&header), expected, "{header}");
    }
}

#[test]
fn a_paused_host_holds_up_no_other_and_its_checks_are_due() {
    let throttles = Raw::new(|_, _| {
        Reply::Answer(429, "Content-Type: text/plain\r\nRetry-After: 3600\r\n".to_owned(), b"Retry later".to_vec())
    });
    let (raw, world) = (Raw::new(|_, _| Reply::Usual), World::new(crate::harness::ACME));
    // More tokens than may be asked at once.
    let names: Vec<_> = (0..70).map(|number| format!("t{number}")).collect();
    let others = raw.add(Configuration::default(), "other", LIST);
    let configuration = names.iter().fold(others, |known, name| throttles.add(known, name, LIST));
    let mut daemon = world.run(&Configuration { requests_per_minute: 6000, ..configuration });
    daemon.wait("throttled", |line| line["event"] == "throttled");
    daemon.checks("other", "validity", 4);
    daemon.checks("other", "permissions", 2);
    let asked = throttles.seen().len();
    daemon.checks("other", "validity", 4);
    assert_eq!(throttles.seen().len(), asked, "nothing leaves to a host that is paused");
    assert!(daemon.metric("syncro_monitor_checks_due").unwrap() >= 6.0, "more than wait in a moment");
    let failures = "syncro_check_failures_total{check=\"validity\",reason=\"throttled\"}";
    assert!(daemon.metric(failures).unwrap() >= 1.0);
    let until = daemon.metric("syncro_api_paused_until_timestamp_seconds").unwrap();
    assert!(until > crate::harness::now() as f64, "{until}");
    assert_eq!(daemon.metric(&state("t0", "unknown")), Some(1.0));
    assert_eq!(daemon.notified(), Vec::<String>::new());
    assert!(daemon.seen.iter().filter(|line| line["reason"] == "throttled").all(|line| line["level"] == "DEBUG"));
}
