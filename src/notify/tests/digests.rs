//! What digests say, when they are sent, and that each service takes them.

use boon::{Compiler, Schemas};
use chrono::{NaiveTime, TimeDelta, Timelike};
use lettre::message::Mailbox;

use super::formats::{HOSTILE, SLACK, TEAMS, harmless, texts};
use super::*;
use crate::config::{DIGEST_EXAMPLE, DigestSchedule, Email, Encryption, Only, Template};
use crate::model::{Tenant, Token};
use crate::notify::once::digest_preview;
use crate::state::TokenSnapshot;
use crate::testing::{token, token_snapshot};

/// A receiver like this one that is sent a digest in so many seconds, and at that time of every day.
fn with_digest(receiver: &Receiver, seconds: i64) -> Receiver {
    let due = (now() + TimeDelta::seconds(seconds)).time();
    let due = NaiveTime::from_num_seconds_from_midnight_opt(due.num_seconds_from_midnight(), 0).unwrap();
    Receiver { digest: Some(DigestSchedule::daily(due)), ..receiver.clone() }
}

/// A token of a tenant that lacks nothing, wants one permission of which nothing is known, and expires in so many days.
fn token_of(tenant: &str, name: &str, days: Option<i64>) -> TokenSnapshot {
    let plain = token(name, &["Tickets - Edit"]);
    let expires = days.map(|days| now() + TimeDelta::days(days) + TimeDelta::hours(1));
    let tenant = Arc::new(Tenant { name: tenant.to_owned(), ..(*plain.tenant).clone() });
    token_snapshot(Token { tenant, expires, ..plain }, crate::belief::TokenStatus::default())
}

fn swept(tokens: Vec<TokenSnapshot>) -> Snapshot {
    Snapshot { tokens: tokens.into_iter().collect(), first_sweep_done: true, ..Snapshot::default() }
}

/// The same, in which these alerts fire.
fn broken(tokens: Vec<TokenSnapshot>, firing: Vec<Firing>) -> Snapshot {
    let tenant = TenantSnapshot { name: "acme".to_owned(), firing: Arc::new(firing) };
    Snapshot { tenants: [tenant].into_iter().collect(), ..swept(tokens) }
}

/// What programs are sent of this snapshot where they are notified of `only`.
fn body(snapshot: &Snapshot, only: Only) -> Value {
    let receiver = Receiver { only, ..with_digest(&webhook("x", Format::Json), 60) };
    let text = digest_preview(&receiver, snapshot, "http://here").unwrap();
    serde_json::from_str(text.rsplit("\n\n").next().unwrap()).unwrap()
}

#[test]
fn a_digest_of_a_quiet_week_says_that_nothing_is_broken() {
    let quiet = body(&swept(vec![token_of("acme", "a", None), token_of("globex", "b", Some(400))]), Only::default());
    assert_eq!((&quiet["digest"], &quiet["title"]), (&true.into(), &"Token digest: nothing is broken".into()));
    assert_eq!((&quiet["alerts"], &quiet["tokens"], &quiet["tenants"]), (&0.into(), &2.into(), &2.into()));
    assert_eq!((&quiet["tokens_expiring"], &quiet["tokens_without_expiry"]), (&0.into(), &1.into()));
    assert_eq!(
        quiet["unverified"],
        serde_json::json!(["`acme`: 1 permission of 1 token", "`globex`: 1 permission of 1 token"])
    );
    assert!(
        quiet["message"].as_str().unwrap().ends_with("Watching 2 tokens of 2 tenants; times are in UTC"),
        "{quiet}"
    );
}

#[test]
fn a_digest_lists_what_its_receiver_is_notified_of() {
    let tokens =
        vec![token_of("acme", "a", Some(30)), token_of("globex", "b", Some(10)), token_of("acme", "c", Some(-1))];
    let mut acknowledged = Firing { id: "c".to_owned(), ..firing("c") };
    let until = now() + TimeDelta::days(1);
    acknowledged.acknowledged =
        Some(Acknowledgement { by: "Pat".to_owned(), reason: "on it".to_owned(), until, at: now() });
    let firing = vec![firing("a"), Firing { severity: Severity::Warning, ..firing("a") }, acknowledged];
    let snapshot = broken(tokens, firing);
    let all = body(&snapshot, Only::default());
    assert_eq!(all["broken"].as_array().unwrap().len(), 2);
    let taken_on = all["acknowledged"][0].as_str().unwrap();
    assert!(
        taken_on.starts_with("TokenRejected: `acme / c`: by Pat until ") && taken_on.ends_with(": on it"),
        "{taken_on}"
    );
    let first = all["broken"][0].as_str().unwrap();
    assert!(first.starts_with("critical: TokenRejected: `acme / a`: token `a` & <more> (since "), "{first}");
    let title = "Token digest: 2 alerts fire: 1 critical, 1 warning, 2 tokens expire within 90 days";
    assert_eq!(all["title"], title);
    let expiring: Vec<_> = all["expiring"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert!(expiring[0].starts_with("`globex / b`: ") && expiring[0].ends_with(" (in 10 days)"), "{expiring:?}");
    let only = Only { tenants: Some(vec!["globex".to_owned()]), ..Only::default() };
    let of_globex = body(&snapshot, only);
    assert_eq!((&of_globex["alerts"], &of_globex["tokens"]), (&0.into(), &1.into()));
    assert_eq!(of_globex["expiring"].as_array().unwrap().len(), 1);
    // That nothing is broken would say more than such a receiver is notified of.
    assert!(of_globex["title"].as_str().unwrap().starts_with("Token digest: nothing fires of what"), "{of_globex}");
    let only = Only { severities: Some(vec!["warning"]), ..Only::default() };
    assert_eq!(body(&snapshot, only)["critical"], 0);
}

/// A snapshot in which a great many tokens with odd names are broken, expire and are unverified.
fn crowded() -> Snapshot {
    let token = |number: i64| {
        let name = format!("{} <{number}> & *t* \u{1f534}", "töken ".repeat(12));
        token_of(&format!("{} {}", "ten<ant>".repeat(8), number % 60), &name, Some(number % 80 + 1))
    };
    let firing = |number: i32| {
        let message = Message::from("<&> *of* _many_ [words](x) \u{1f534} ".repeat(100));
        Firing { message, id: number.to_string(), ..firing("a") }
    };
    broken((0..124).map(token).collect(), (0..124).map(firing).collect())
}

#[test]
fn a_digest_is_bounded_and_says_how_many_more_there_are() {
    let crowded = body(&crowded(), Only::default());
    for list in ["broken", "expiring", "unverified"] {
        assert_eq!(crowded[list].as_array().unwrap().len(), 51, "{list}");
    }
    assert_eq!((&crowded["broken"][50], &crowded["unverified"][50]), (&"and 74 more".into(), &"and 10 more".into()));
    assert!(crowded["message"].as_str().unwrap().chars().count() <= 2000);
    assert_eq!((&crowded["alerts"], &crowded["permissions_unverified"]), (&124.into(), &124.into()));
}

#[test]
fn every_digest_is_valid_by_the_schema_of_its_service() {
    for (format, schema, longest) in [(Format::Slack, SLACK, 16_000), (Format::Teams, TEAMS, 28_000)] {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        compiler.add_resource("schema.json", serde_json::from_str(schema).unwrap()).unwrap();
        let schema = compiler.compile("schema.json", &mut schemas).unwrap();
        for snapshot in [swept(Vec::new()), swept(vec![token_of("acme", "a", Some(3))]), crowded()] {
            let receiver = with_digest(&webhook("x", format.clone()), 60);
            let text = digest_preview(&receiver, &snapshot, "http://here").unwrap();
            let body = text.rsplit("\n\n").next().unwrap();
            assert!(body.len() <= longest, "{format:?}: {} bytes", body.len());
            let value: Value = serde_json::from_str(body).unwrap();
            schemas.validate(&value, schema).unwrap_or_else(|error| panic!("{format:?}: {error}\n{value:#}"));
            assert!(body.contains("http://here/") && body.contains("times are in UTC"), "{body}");
        }
    }
}

#[test]
fn a_name_in_a_digest_addresses_nobody_and_leads_nowhere_in_chats_with_a_markup() {
    let of = |id: &str| {
        let message = Message::from(format!("token `{}`", HOSTILE.replace('`', "'")));
        Firing { scope: Scope::of_token(HOSTILE, HOSTILE), message, id: id.to_owned(), ..firing("a") }
    };
    let mut acknowledged = of("c");
    let (by, reason, until) = (HOSTILE.to_owned(), HOSTILE.to_owned(), now() + TimeDelta::days(1));
    acknowledged.acknowledged = Some(Acknowledgement { by, reason, until, at: now() });
    let snapshot = broken(vec![token_of(HOSTILE, HOSTILE, Some(3))], vec![of("a"), of("b"), acknowledged]);
    let text = digest_preview(&with_digest(&webhook("x", Format::Slack), 60), &snapshot, "http://here").unwrap();
    for text in texts(&serde_json::from_str(text.rsplit("\n\n").next().unwrap()).unwrap()) {
        harmless(&text);
    }
}

#[test]
fn an_email_with_a_digest_has_both_parts_and_is_bounded() {
    let mailbox = |text: &str| text.parse::<Mailbox>().unwrap();
    let (from, to) = (mailbox("Monitor <monitor@example.com>"), vec![mailbox("ops@example.com")]);
    let kind = ReceiverKind::Email(Email { from, to, encryption: Encryption::IfOffered });
    let receiver = with_digest(&crate::testing::receiver("mail", kind), 60);
    let quiet = digest_preview(&receiver, &swept(Vec::new()), "http://here").unwrap();
    assert!(quiet.contains("Subject: Token digest: nothing is broken"), "{quiet}");
    assert!(quiet.contains("text/plain") && quiet.contains("text/html") && quiet.contains("Message-ID: <digest."));
    let all = digest_preview(&receiver, &crowded(), "http://here").unwrap();
    assert!(all.is_ascii() && all.len() < 1_000_000 && all.lines().all(|line| line.len() <= 998), "{}", all.len());
}

#[test]
fn a_template_may_name_what_a_digest_has() {
    let source = "{\"t\": {% if digest %}{{ title }}{% else %}{{ alert }}{% endif %}, \"s\": {{ status }}, \"n\": {{ tokens or 0 if digest else 1 }}}";
    let template = Template::new(std::path::Path::new("t.json"), source).unwrap();
    let receiver = with_digest(&webhook("x", Format::Template(template)), 60);
    let text = digest_preview(&receiver, &swept(Vec::new()), "http://here").unwrap();
    assert!(text.ends_with("{\"t\": \"Token digest: nothing is broken\", \"s\": \"resolved\", \"n\": 0}"), "{text}");
    let (example, real) = (serde_json::from_str::<Value>(DIGEST_EXAMPLE).unwrap(), body(&crowded(), Only::default()));
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&example), keys(&real));
}

impl Bench {
    /// Running receivers on a snapshot of one token.
    fn with_digests(fake: &Fake, receivers: &[Receiver]) -> Self {
        let bench = Self::new(fake, receivers.iter().cloned().map(Arc::new).collect(), &[]);
        bench.snapshots.send_replace(Arc::new(swept(vec![token_of("acme", "a", None)])));
        bench
    }
}

/// The wall clock runs with the paused one, until this is dropped.
fn clock() -> crate::system::clock::Replaced {
    let start = Instant::now();
    crate::system::clock::replace(move || at(0) + TimeDelta::from_std(start.elapsed()).unwrap())
}

/// How many digests each of these moments has been reported as settled.
fn recurred(bench: &mut Bench) -> Vec<DateTime<Utc>> {
    let settled = bench.settled().into_iter();
    let of_digests = settled.filter_map(|settled| match settled {
        Settled::Recurred { name, at } => Some(at).filter(|_| name.starts_with("digest ")),
        _ => None,
    });
    of_digests.collect()
}

#[tokio::test(start_paused = true)]
async fn a_digest_is_sent_once_for_each_moment_and_delays_no_alert() {
    let _clock = clock();
    let fake = Fake::new();
    let receivers = [with_digest(&webhook("a", Format::Json), 600), with_digest(&webhook("b", Format::Json), 600)];
    let mut bench = Bench::with_digests(&fake, &receivers);
    sleep(Duration::from_secs(599)).await;
    assert_eq!((fake.tried("a"), recurred(&mut bench)), (0, vec![at(0), at(0)]), "nothing from before");
    fake.refuses("a", "digest");
    sleep(Duration::from_mins(1)).await;
    assert_eq!((fake.taken("a").len(), fake.taken("b").len()), (0, 1));
    assert_eq!(recurred(&mut bench), [at(600)]);
    let id = bench.deliver("a", "x", Change::New).await;
    sleep(Duration::from_secs(1)).await;
    assert_eq!(bench.settled(), [Settled::Delivered(id)], "whatever becomes of the digest");
    fake.fixes("a");
    sleep(Duration::from_hours(2)).await;
    let taken = fake.taken("a");
    assert_eq!((taken.len(), &taken[1]["digest"]), (2, &true.into()));
    assert_eq!(bench.metric("syncro_monitor_digests_total{receiver=\"a\"}"), Some(1.0));
    sleep(Duration::from_hours(7 * 24)).await;
    assert_eq!((fake.taken("a").len(), fake.taken("b").len()), (9, 8), "every day");
    assert_eq!(recurred(&mut bench).len(), 15);
}

#[tokio::test(start_paused = true)]
async fn a_digest_that_nobody_takes_for_a_day_is_left_out() {
    let _clock = clock();
    let fake = Fake::new();
    fake.breaks("a", DeliveryFailure::Unavailable(Reason::Connect));
    let bench = Bench::with_digests(&fake, &[with_digest(&webhook("a", Format::Json), 600)]);
    sleep(Duration::from_hours(36)).await;
    let tries = fake.tried("a");
    assert!((100..=600).contains(&tries), "{tries}");
    fake.fixes("a");
    sleep(Duration::from_hours(1)).await;
    let taken = fake.taken("a");
    assert_eq!(taken.len(), 1, "the newer one alone");
    assert_eq!(taken[0]["due"], crate::notify::fields::moment(at(600 + 86_400)));
    drop(bench);
}
