//! The canary goes the way of all alerts, and its absence stops the heartbeat.

use serde_json::json;

use super::*;
use crate::config::Canary;

impl Bench {
    /// Running receivers of which one is sent a canary every hour.
    fn with_canary(fake: &Fake, receivers: Vec<Arc<Receiver>>, through: &str) -> Self {
        let bench = Self::new(fake, receivers.clone(), &[]);
        let canary = Some(Canary { receiver: through.to_owned(), every: Duration::from_hours(1) });
        let targets = Targets { receivers, external_url: "http://here".to_owned(), canary, ..Targets::default() };
        bench.receivers.send_replace(Arc::new(targets));
        bench
    }

    fn counts(&self) -> (Option<f64>, Option<f64>) {
        (self.metric("syncro_monitor_canaries_total"), self.metric("syncro_monitor_canary_failures_total"))
    }
}

#[tokio::test(start_paused = true)]
async fn a_canary_through_a_webhook_arrives_and_resolves() {
    let fake = Fake::new();
    let mut bench = Bench::with_canary(&fake, vec![webhook("a", Format::Json), webhook("b", Format::Json)], "a");
    sleep(Duration::from_secs(30)).await;
    let taken = fake.taken("a");
    let fields: Vec<_> = taken.iter().map(|body| (body["alert"].clone(), body["change"].clone())).collect();
    assert_eq!(fields, [("TestAlert".into(), "new".into()), ("TestAlert".into(), "resolved".into())]);
    assert!(taken[0]["message"].as_str().unwrap().contains("(canary "), "{taken:?}");
    assert_eq!((bench.counts(), fake.tried("b")), ((Some(1.0), Some(0.0)), 0));
    assert!(bench.metric("syncro_monitor_canary_delay_seconds") < Some(1.0));
    let settled = bench.settled();
    assert!(matches!(settled.as_slice(), [Settled::Recurred { name, .. }] if name == "canary"), "{settled:?}");
    sleep(Duration::from_hours(3)).await;
    assert_eq!((fake.taken("a").len(), bench.counts()), (8, (Some(4.0), Some(0.0))));
}

#[tokio::test(start_paused = true)]
async fn a_canary_is_read_back_from_an_alertmanager() {
    let fake = Fake::new();
    let bench = Bench::with_canary(&fake, vec![alertmanager("am")], "am");
    sleep(Duration::from_mins(5)).await;
    assert_eq!(bench.counts(), (Some(1.0), Some(0.0)));
    let taken = fake.taken("am");
    let labels = json!({
        "alertname": "TestAlert", "job": "syncro-token-monitor", "severity": "warning", "tenant": "test", "scope": "tenant",
        "incident": "test", "instance": "test", "service": "test",
    });
    assert!(taken.iter().all(|body| body[0]["labels"] == labels), "{taken:?}");
    let ends_at = |body: &Value| body[0]["endsAt"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap();
    assert!(ends_at(&taken[0]) > now() && ends_at(taken.last().unwrap()) <= now(), "it fires, and is over: {taken:?}");
    // An Alertmanager that takes alerts and has none of them is worse than one that is away.
    *fake.loses.lock().unwrap() = true;
    sleep(Duration::from_mins(58)).await;
    assert_eq!(bench.counts(), (Some(1.0), Some(0.0)), "not yet");
    sleep(Duration::from_mins(10)).await;
    assert_eq!(bench.counts(), (Some(1.0), Some(1.0)));
    *fake.loses.lock().unwrap() = false;
    sleep(Duration::from_mins(3)).await;
    assert_eq!(bench.counts(), (Some(2.0), Some(1.0)), "late is better than never");
    let sent = fake.taken("am").len();
    sleep(Duration::from_mins(30)).await;
    assert!(fake.taken("am").len() <= sent + 1, "it is over and not sent any more");
    // Where none is configured any more, one that fires ends.
    *fake.loses.lock().unwrap() = true;
    sleep(Duration::from_mins(30)).await;
    let mut targets = (**bench.receivers.borrow()).clone();
    targets.canary = None;
    bench.receivers.send_replace(Arc::new(targets));
    sleep(Duration::from_mins(3)).await;
    assert!(ends_at(fake.taken("am").last().unwrap()) <= now());
    assert_eq!(bench.counts(), (None, None));
}

#[tokio::test(start_paused = true)]
async fn a_canary_that_is_missing_stops_the_heartbeat() {
    let fake = Fake::new();
    let bench = Bench::with_canary(&fake, vec![webhook("a", Format::Json), webhook("b", Format::Json)], "a");
    let mut targets = (**bench.receivers.borrow()).clone();
    targets.heartbeat = Some(crate::config::Heartbeat { url_file: "url".into(), every: Duration::from_mins(1) });
    bench.receivers.send_replace(Arc::new(targets));
    fake.breaks("a", DeliveryFailure::Unavailable(Reason::Timeout));
    bench.minutes(5).await;
    assert_eq!(bench.metric("syncro_monitor_heartbeat_withheld"), Some(0.0));
    bench.minutes(6).await;
    assert_eq!((bench.counts().1, bench.metric("syncro_monitor_heartbeat_withheld")), (Some(1.0), Some(1.0)));
    fake.fixes("a");
    bench.minutes(3).await;
    assert_eq!((bench.counts().0, bench.metric("syncro_monitor_heartbeat_withheld")), (Some(1.0), Some(0.0)));
    assert!(bench.metric("syncro_monitor_canary_delay_seconds") > Some(600.0));
    // One that is refused for good is missing at once, and nobody is notified of that as of an alert.
    fake.refuses("a", "canary");
    let mut bench = bench;
    bench.minutes(50).await;
    bench.deliver("a", "x", Change::New).await;
    bench.minutes(5).await;
    assert_eq!(bench.counts().1, Some(2.0));
    assert!(bench.settled().iter().all(|settled| !matches!(settled, Settled::SetAside(_))));
    fake.fixes("a");
    bench.minutes(61).await;
    assert_eq!(bench.metric("syncro_monitor_heartbeat_withheld"), Some(0.0), "another one is sent within the hour");
}
