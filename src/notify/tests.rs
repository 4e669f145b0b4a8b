//! What waits for receivers is delivered in order and once, whatever one of them does, and how it is written.

mod canaries;
mod digests;
mod formats;
mod groups;
mod heartbeat;
mod refusals;
mod states;

use std::time::Duration;

use chrono::{DateTime, Utc};
use prometheus::{Registry, TextEncoder};
use serde_json::Value;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::*;
use crate::alert::{Acknowledgement, Affected, Change, Firing, Message, Notification, Severity};
use crate::config::{Format, ReceiverKind, Webhook};
use crate::model::Scope;
use crate::state::TenantSnapshot;
use crate::syncro::Reason;
use crate::testing::{self, Fake, at, webhook};

fn alertmanager(name: &str) -> Arc<Receiver> {
    crate::testing::receiver(name, ReceiverKind::Alertmanager)
}

fn notification(token_name: &str, change: Change) -> Notification {
    let message = Message::new(format!("token `{token_name}` & <more>"), vec!["Open it".to_owned(), "Save".to_owned()]);
    let of = Scope::of_token("acme", token_name);
    Notification { since: since(), message, ..testing::notification(of, change, Severity::Critical) }
}

/// Long ago by the real clock.
fn since() -> DateTime<Utc> {
    at(-100_000_000)
}

/// What fires as the notification about this token says.
fn firing(token_name: &str) -> Firing {
    let Notification { id, key, severity, since, affected, message, .. } = notification(token_name, Change::New);
    let mut firing = testing::firing(key.alert, key.of, severity, affected);
    (firing.id, firing.since, firing.message) = (id, since, message);
    firing
}

/// A snapshot in which alerts about these tokens fire.
fn snapshot(names: &[&str]) -> Arc<Snapshot> {
    let firing = Arc::new(names.iter().map(|name| firing(name)).collect());
    let tenant = TenantSnapshot { name: "acme".to_owned(), firing };
    Arc::new(Snapshot { tenants: [tenant].into_iter().collect(), ..Snapshot::default() })
}

/// Running receivers, and the other ends of their channels.
struct Bench {
    deliveries: mpsc::Sender<Delivery>,
    done: mpsc::Receiver<Settled>,
    receivers: watch::Sender<Arc<Targets>>,
    snapshots: watch::Sender<Arc<Snapshot>>,
    registry: Registry,
    task: JoinHandle<()>,
    next_id: i64,
}

impl Bench {
    fn new(fake: &Fake, receivers: Vec<Arc<Receiver>>, firing: &[&str]) -> Self {
        Self::after(fake, receivers, firing, Vec::new())
    }

    /// The same after a restart, where the process before ended while `fired` fired.
    fn after(fake: &Fake, receivers: Vec<Arc<Receiver>>, firing: &[&str], fired: Vec<Firing>) -> Self {
        Self::with(fake, receivers, firing, fired, FirstSweep::default())
    }

    fn with(
        fake: &Fake,
        receivers: Vec<Arc<Receiver>>,
        firing: &[&str],
        fired: Vec<Firing>,
        first_sweep: FirstSweep,
    ) -> Self {
        let registry = Registry::new();
        let (deliveries, to_deliver) = mpsc::channel(64);
        let (report, done) = mpsc::channel(10_000);
        let targets = Targets { receivers, external_url: "http://here".to_owned(), ..Targets::default() };
        let (receivers, configured) = watch::channel(Arc::new(targets));
        let (snapshots, shown) = watch::channel(snapshot(firing));
        let handles = Handles {
            deliveries: to_deliver,
            done: report,
            receivers: configured,
            snapshots: shown,
            fired,
            recurring: HashMap::new(),
            first_sweep,
        };
        let task = tokio::spawn(run(handles, fake.clone(), Instruments::new(&registry).unwrap()));
        Self { deliveries, done, receivers, snapshots, registry, task, next_id: 1 }
    }

    async fn deliver(&mut self, receiver: &str, token_name: &str, change: Change) -> i64 {
        self.notify(receiver, notification(token_name, change)).await
    }

    async fn notify(&mut self, receiver: &str, notification: Notification) -> i64 {
        let id = self.next_id;
        self.next_id += 1;
        let (receiver, notification) = (Arc::from(receiver), Arc::new(notification));
        self.deliveries.send(Delivery { id, receiver, queued_at: now(), notification }).await.unwrap();
        id
    }

    fn settled(&mut self) -> Vec<Settled> {
        std::iter::from_fn(|| self.done.try_recv().ok()).collect()
    }

    fn delivered(&mut self) -> Vec<i64> {
        let id = |settled| match settled {
            Settled::Delivered(id) => id,
            other => panic!("{other:?}"),
        };
        self.settled().into_iter().map(id).collect()
    }

    fn metric(&self, series: &str) -> Option<f64> {
        let text = TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let mut lines = text.lines().filter_map(|line| line.rsplit_once(' '));
        lines.find(|(name, _)| *name == series).map(|(_, value)| value.parse().unwrap())
    }
}

fn now() -> DateTime<Utc> {
    crate::system::clock::now()
}

#[tokio::test(start_paused = true)]
async fn an_hour_without_any_receiver_loses_and_repeats_nothing() {
    let fake = Fake::new();
    let hooks = ["a", "b"];
    let receivers = vec![webhook("a", Format::Json), webhook("b", Format::Json), alertmanager("am")];
    let mut bench = Bench::new(&fake, receivers, &[]);
    let all = ["a", "b", "am"];
    let troubles = [
        DeliveryFailure::Unavailable(Reason::Connect),
        DeliveryFailure::Refused,
        DeliveryFailure::Unavailable(Reason::Timeout),
    ];
    for (name, why) in all.into_iter().zip(troubles) {
        fake.breaks(name, why);
    }
    let mut expected = Vec::new();
    for minute in 0..60 {
        let token_name = format!("token-{minute}");
        bench.snapshots.send_replace(snapshot(&[token_name.as_str()]));
        for name in all {
            expected.push(bench.deliver(name, &token_name, Change::New).await);
        }
        sleep(Duration::from_mins(1)).await;
        for name in all {
            expected.push(bench.deliver(name, &token_name, Change::Resolved).await);
        }
    }
    bench.snapshots.send_replace(snapshot(&["last"]));
    sleep(Duration::from_millis(1)).await;
    assert_eq!(bench.delivered(), Vec::<i64>::new(), "nothing was taken");
    assert_eq!(bench.metric("syncro_monitor_notices_queued{receiver=\"a\"}"), Some(120.0));
    for name in all {
        let attempts = fake.tried(name);
        assert!((60..=90).contains(&attempts), "{attempts} attempts in an hour: neither idle nor a storm");
    }
    for name in all {
        fake.fixes(name);
    }
    sleep(Duration::from_mins(2)).await;
    let mut delivered = bench.delivered();
    delivered.sort_unstable();
    expected.sort_unstable();
    assert_eq!(delivered, expected, "each once");
    for name in hooks {
        let taken = fake.taken(name);
        assert_eq!(taken.len(), 120, "{name}");
        for (index, body) in taken.iter().enumerate() {
            let text = body.to_string();
            assert!(text.contains(&format!("token-{}`", index / 2)), "{name}: in order, {index} is {text}");
            assert!(text.contains(if index % 2 == 0 { "firing" } else { "resolved" }), "{name}: {index} is {text}");
        }
    }
    let first = fake.taken("am").remove(0);
    let alerts = first.as_array().unwrap();
    let names: Vec<_> = alerts.iter().map(|alert| alert["labels"]["token_name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), 61, "what fires, and what has ended: {names:?}");
    assert_eq!(names.iter().filter(|name| **name == "last").count(), 1);
    assert_eq!(bench.metric("syncro_monitor_notices_queued{receiver=\"am\"}"), Some(0.0));
    assert_eq!(bench.metric("syncro_monitor_notices_oldest_timestamp_seconds{receiver=\"am\"}"), Some(0.0));
    assert_eq!(bench.metric("syncro_monitor_notices_total{receiver=\"a\"}"), Some(120.0));
    assert!(bench.metric("syncro_monitor_notice_failures_total{reason=\"http_4xx\",receiver=\"b\"}").unwrap() >= 60.0);
}

#[tokio::test(start_paused = true)]
async fn one_dead_receiver_delays_no_other() {
    let fake = Fake::new();
    let mut bench = Bench::new(&fake, vec![webhook("dead", Format::Json), webhook("works", Format::Json)], &[]);
    fake.breaks("dead", DeliveryFailure::Unavailable(Reason::Timeout));
    let mut expected = Vec::new();
    for number in 0..200 {
        bench.deliver("dead", &number.to_string(), Change::New).await;
        expected.push(bench.deliver("works", &number.to_string(), Change::New).await);
        expected.push(bench.deliver(LOG, &number.to_string(), Change::New).await);
    }
    sleep(Duration::from_millis(1)).await;
    let mut delivered = bench.delivered();
    delivered.sort_unstable();
    assert_eq!(delivered, expected);
}

#[tokio::test(start_paused = true)]
async fn an_alertmanager_is_sent_again_what_fires_and_once_what_has_ended() {
    let fake = Fake::new();
    let bench = Bench::new(&fake, vec![alertmanager("am")], &["a", "b"]);
    sleep(Duration::from_mins(5)).await;
    let taken = fake.taken("am");
    assert!((5..=6).contains(&taken.len()), "at once and every minute: {}", taken.len());
    let alert = &taken[0][0];
    let labels = serde_json::json!({
        "alertname": "TokenRejected", "job": "syncro-token-monitor", "severity": "critical", "tenant": "acme",
        "scope": "token", "incident": "acme-a", "token_name": "a", "instance": "acme/a", "service": "acme/a",
    });
    assert_eq!(alert["labels"], labels);
    assert_eq!(alert["annotations"]["summary"], "TokenRejected: acme / a");
    assert_eq!(alert["annotations"]["steps"], "1. Open it\n2. Save");
    assert_eq!(alert["annotations"]["runbook_url"], "http://here/runbooks/TokenRejected");
    assert_eq!(alert["startsAt"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap(), since());
    let ends_at = |alert: &Value| alert["endsAt"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert!(ends_at(alert) > now() + chrono::TimeDelta::minutes(10), "{alert}");
    bench.snapshots.send_replace(snapshot(&["b"]));
    sleep(Duration::from_mins(3)).await;
    let later = fake.taken("am").split_off(taken.len());
    let of_a: Vec<_> =
        later.iter().flat_map(|body| body.as_array().unwrap()).filter(|alert| alert["labels"] == labels).collect();
    assert_eq!(of_a.len(), 1, "its end is sent once: {later:?}");
    assert!(ends_at(of_a[0]) <= now(), "{of_a:?}");
}

#[tokio::test(start_paused = true)]
async fn an_alertmanager_with_nothing_to_receive_is_left_alone() {
    let fake = Fake::new();
    let _bench = Bench::new(&fake, vec![alertmanager("am")], &[]);
    sleep(Duration::from_hours(1)).await;
    assert_eq!(fake.attempts.lock().unwrap().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_retry_after_of_a_receiver_is_respected() {
    let fake = Fake::new();
    let mut bench = Bench::new(&fake, vec![webhook("a", Format::Json)], &[]);
    let trouble = Trouble::new(DeliveryFailure::Unavailable(Reason::Throttled), "it answered 429");
    let trouble = Trouble { retry_after: Some(Duration::from_secs(90)), ..trouble };
    fake.broken.lock().unwrap().insert("a".to_owned(), trouble);
    bench.deliver("a", "x", Change::New).await;
    sleep(Duration::from_secs(181)).await;
    let attempts: Vec<_> = fake.attempts.lock().unwrap().iter().map(|(_, at)| at.as_secs()).collect();
    assert_eq!(attempts, [0, 90, 180]);
}

#[tokio::test(start_paused = true)]
async fn a_stop_tries_what_waits_once_more_and_does_not_wait_for_the_dead() {
    let fake = Fake::new();
    let mut bench = Bench::new(&fake, vec![webhook("dead", Format::Json), webhook("fixed", Format::Json)], &[]);
    for name in ["dead", "fixed"] {
        fake.breaks(name, DeliveryFailure::Unavailable(Reason::Connect));
        bench.deliver(name, "x", Change::New).await;
    }
    sleep(Duration::from_mins(10)).await;
    fake.fixes("fixed");
    let stop = Instant::now();
    let last = bench.deliver("fixed", "y", Change::New).await;
    drop(bench.deliveries);
    bench.task.await.unwrap();
    assert!(stop.elapsed() < Duration::from_secs(1), "{:?}", stop.elapsed());
    let mut reports: Vec<_> = std::iter::from_fn(|| bench.done.try_recv().ok()).collect();
    reports.sort_unstable_by_key(|settled| format!("{settled:?}"));
    assert_eq!(reports, [2, last].map(Settled::Delivered), "what is for the dead one stays in the outbox");
}

#[tokio::test(start_paused = true)]
async fn a_reload_gives_up_receivers_that_are_gone_and_tries_at_once_what_waits_for_those_that_stay() {
    let fake = Fake::new();
    let mut bench = Bench::new(&fake, vec![webhook("gone", Format::Json), webhook("stays", Format::Json)], &[]);
    let mut ids = Vec::new();
    for name in ["gone", "stays"] {
        fake.breaks(name, DeliveryFailure::Refused);
        ids.push(bench.deliver(name, "x", Change::New).await);
    }
    sleep(Duration::from_mins(10)).await;
    assert_eq!(bench.delivered(), Vec::<i64>::new());
    fake.fixes("stays");
    let targets = Targets {
        receivers: vec![webhook("stays", Format::Slack), webhook("new", Format::Json)],
        ..Targets::default()
    };
    bench.receivers.send_replace(Arc::new(targets));
    ids.push(bench.deliver("new", "y", Change::New).await);
    ids.push(bench.deliver("gone", "z", Change::New).await);
    sleep(Duration::from_millis(1)).await;
    let mut reports = bench.delivered();
    reports.sort_unstable();
    assert_eq!(reports, ids, "given up is settled too");
    assert_eq!(fake.taken("gone"), Vec::<Value>::new());
    assert!(fake.taken("stays")[0].get("attachments").is_some(), "as it is configured now");
    assert_eq!(fake.taken("new").len(), 1);
    assert_eq!(bench.metric("syncro_monitor_notices_queued{receiver=\"gone\"}"), None);
}

#[test]
fn a_webhook_is_sent_one_flat_object_and_slack_what_it_reads() {
    let delivery = Delivery {
        id: 7,
        receiver: "x".into(),
        queued_at: at(60),
        notification: Arc::new(notification("a", Change::New)),
    };
    let hook = |format| {
        let headers = vec![("X-Team".into(), "ops".into())];
        ReceiverKind::Webhook(Webhook { format, put: true, headers, secret_file: None })
    };
    let delivery = std::slice::from_ref(&delivery);
    let ours = super::request::request(&hook(Format::Json), delivery, "http://here").unwrap();
    assert!(ours.verb == Verb::Put && ours.headers.contains(&("X-Team".into(), "ops".into())));
    assert!(ours.headers.contains(&("Idempotency-Key".into(), "7".into())), "the same at each attempt");
    let body: Value = serde_json::from_str(&ours.body).unwrap();
    assert!(ours.body.starts_with("{\"version\":2,\"delivery\":7,\"at\":"), "in order: {}", ours.body);
    let expected = [
        ("version", 2.into()),
        ("delivery", 7.into()),
        ("id", "acme-a".into()),
        ("at", "2027-01-15T08:01:00.000Z".into()),
        ("since", "2023-11-14T22:13:20.000Z".into()),
        ("alert", "TokenRejected".into()),
        ("status", "firing".into()),
        ("change", "new".into()),
        ("severity", "critical".into()),
        ("scope", "token".into()),
        ("user_id", Value::Null),
        ("token_names", serde_json::json!(["a"])),
        ("permissions", serde_json::json!([])),
        ("affected", serde_json::json!(["a"])),
        ("message", "token `a` & <more>".into()),
        ("steps", serde_json::json!(["Open it", "Save"])),
        ("acknowledged", Value::Null),
        ("runbook", "http://here/runbooks/TokenRejected".into()),
    ];
    for (key, value) in expected {
        assert_eq!(body[key], value, "{key}");
    }
    let slack: Value =
        serde_json::from_str(&super::request::request(&hook(Format::Slack), delivery, "http://here").unwrap().body)
            .unwrap();
    assert!(slack["text"].as_str().unwrap().ends_with("firing critical: *TokenRejected* `acme / a`"), "{slack}");
    let text = slack["attachments"][0]["text"].as_str().unwrap();
    assert!(
        text.starts_with(
            "token `a` &amp; &lt;more&gt;\n1. Open it\n2. Save\nAlert acme-a · <http://here/runbooks/TokenRejected|"
        ),
        "{text}"
    );
}

#[test]
fn every_text_for_a_receiver_has_a_bound() {
    let long = "<&> security group `of` many ".repeat(1000);
    let mut notification = notification("a", Change::New);
    notification.key.of = Scope::of_token(&"<tenant>".repeat(100), &"töken & ".repeat(100));
    notification.affected = (0..200).map(|number| Affected::permission(&format!("{number} {long}"), &long)).collect();
    let message = &mut notification.message;
    message.line.clone_from(&long);
    message.steps = vec![long.clone(); 100];
    message.profiles = vec![long.clone()];
    for text in [&mut message.security_group, &mut message.contact, &mut message.shown_by, &mut message.note] {
        *text = Some(long.clone());
    }
    let delivery = Delivery { id: 7, receiver: "x".into(), queued_at: at(60), notification: Arc::new(notification) };
    let hook = |format| ReceiverKind::Webhook(Webhook { format, put: false, headers: Vec::new(), secret_file: None });
    let sent =
        |format| super::request::request(&hook(format), std::slice::from_ref(&delivery), "http://here").unwrap().body;
    let clocks = super::alertmanager::Clocks { now: at(60), elapsed: Duration::ZERO, offset: None };
    let alert = super::alertmanager::alone(&delivery, "http://here", clocks);
    let slack: Value = serde_json::from_str(&sent(Format::Slack)).unwrap();
    let length = |text: &Value| text.as_str().unwrap().chars().count();
    assert!(length(&slack["text"]) < 1000 && length(&slack["attachments"][0]["fallback"]) <= 2000);
    let text = &slack["attachments"][0]["text"];
    assert!((1900..=3000).contains(&length(text)), "{text}");
    assert!(text.as_str().unwrap().ends_with("|What to do>"), "the links are whole: {text}");
    assert!(text.as_str().unwrap().contains('…'), "{text}");
    let json: Value = serde_json::from_str(&sent(Format::Json)).unwrap();
    let alert: Value = serde_json::from_str(&alert).unwrap();
    for (value, most) in [(&json, 5000), (&alert[0]["labels"], 500), (&alert[0]["annotations"], 4000)] {
        for (key, text) in value.as_object().unwrap().iter().filter(|(_, value)| value.is_string()) {
            assert!(length(text) <= most, "{key}: {} characters", length(text));
        }
    }
    assert!(length(&json["message"]) <= 2000 && length(&json["security_group"]) <= 500, "{json}");
    let longest = |list: &str| json[list].as_array().unwrap().iter().map(length).max();
    assert_eq!((longest("steps"), longest("affected"), longest("profiles")), (Some(999), Some(500), Some(500)));
}
