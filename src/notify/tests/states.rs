//! An Alertmanager receives the state of every alert each minute, whatever it refuses and whatever its clock says.

use chrono::TimeDelta;

use super::*;
use crate::config::Only;

fn names(prefix: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{prefix}{number:03}")).collect()
}

fn shown(names: &[String]) -> Vec<&str> {
    names.iter().map(String::as_str).collect()
}

/// The alerts in the requests that were taken, from the request with this index on.
fn alerts(fake: &Fake, from: usize) -> Vec<Value> {
    fake.taken("am").split_off(from).iter().flat_map(|body| body.as_array().unwrap().clone()).collect()
}

fn token_names(alerts: &[Value]) -> std::collections::BTreeSet<String> {
    alerts.iter().map(|alert| alert["labels"]["token_name"].as_str().unwrap().to_owned()).collect()
}

fn moment(alert: &Value, key: &str) -> Option<DateTime<Utc>> {
    alert[key].as_str().map(|text| text.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn one_alert_that_is_refused_blocks_no_other_on_its_way_to_an_alertmanager() {
    let fake = Fake::new();
    let mut fires = names("t", 600);
    fires.push("bad".to_owned());
    fake.refuses("am", "token `bad`");
    let mut bench = Bench::new(&fake, vec![alertmanager("am")], &shown(&fires));
    let refused = bench.deliver("am", "bad", Change::New).await;
    let taken = bench.deliver("am", "t000", Change::New).await;
    sleep(Duration::from_secs(50)).await;
    assert_eq!(token_names(&alerts(&fake, 0)).len(), 600, "at once");
    let mut settled = bench.settled();
    settled.sort_by_key(|settled| matches!(settled, Settled::Delivered(_)));
    assert!(
        matches!(settled[..], [Settled::SetAside(ref refusal), Settled::Delivered(_)] if refusal.id == refused),
        "{settled:?}"
    );
    assert_eq!(settled[1], Settled::Delivered(taken));
    let (requests, tried) = (fake.taken("am").len(), fake.tried("am"));
    assert!(tried < 40, "{tried} requests to find it");
    sleep(Duration::from_mins(5)).await;
    assert_eq!(fake.taken("am").len() - requests, 15, "three requests a minute");
    assert_eq!(fake.tried("am") - tried, 15, "what is refused is left out");
    fake.fixes("am");
    sleep(Duration::from_mins(11)).await;
    assert!(token_names(&alerts(&fake, requests)).contains("bad"), "it is tried again");
    assert_eq!(bench.metric("syncro_monitor_notifications_set_aside_total{receiver=\"am\"}"), Some(1.0));
}

#[tokio::test(start_paused = true)]
async fn scattered_and_gathered_refusals_are_found() {
    for (case, prefix, count) in [("gathered", "a", 60), ("scattered", "t", 0)] {
        let fake = Fake::new();
        let mut fires = names("t", 200);
        fires.extend(names(prefix, count));
        fake.refuses("am", "token `a");
        if count == 0 {
            (0..10).for_each(|digit| fake.refuses("am", &format!("{digit}3`")));
        }
        let _bench = Bench::new(&fake, vec![alertmanager("am")], &shown(&fires));
        sleep(Duration::from_mins(1)).await;
        let refused = if count == 0 { 20 } else { 0 };
        assert_eq!(token_names(&alerts(&fake, 0)).len(), 200 - refused, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_alertmanager_that_refuses_everything_is_not_flooded() {
    let fake = Fake::new();
    let fires = names("t", 300);
    fake.refuses("am", "");
    let mut bench = Bench::new(&fake, vec![alertmanager("am")], &shown(&fires));
    let id = bench.deliver("am", "t000", Change::New).await;
    sleep(Duration::from_mins(20)).await;
    assert_eq!(bench.settled(), []);
    assert!(fake.tried("am") < 400, "{}", fake.tried("am"));
    assert_eq!(bench.metric("syncro_monitor_notifications_set_aside_total{receiver=\"am\"}"), Some(0.0));
    fake.fixes("am");
    sleep(Duration::from_mins(1)).await;
    assert_eq!((token_names(&alerts(&fake, 0)).len(), bench.delivered()), (300, vec![id]));
}

#[tokio::test(start_paused = true)]
async fn where_only_short_bodies_are_taken_short_ones_are_sent() {
    let fake = Fake::new();
    let fires = names("t", 250);
    *fake.longest.lock().unwrap() = Some(40_000);
    let _bench = Bench::new(&fake, vec![alertmanager("am")], &shown(&fires));
    sleep(Duration::from_mins(5)).await;
    assert_eq!(token_names(&alerts(&fake, 0)).len(), 250);
    let (tried, taken) = (fake.tried("am"), fake.taken("am").len());
    sleep(Duration::from_mins(5)).await;
    assert_eq!(fake.tried("am") - tried, fake.taken("am").len() - taken, "nothing is refused any more");
}

#[tokio::test(start_paused = true)]
async fn an_alertmanager_that_asks_for_a_pause_is_sent_states_each_minute() {
    let fake = Fake::new();
    let trouble = Trouble::new(DeliveryFailure::Unavailable(Reason::Throttled), "it answered 429");
    let trouble = Trouble { retry_after: Some(Duration::from_mins(15)), ..trouble };
    let (am, hook) = (alertmanager("am"), webhook("hook", Format::Json));
    for name in ["am", "hook"] {
        fake.broken.lock().unwrap().insert(name.to_owned(), trouble.clone());
    }
    let mut bench = Bench::new(&fake, vec![am, hook], &["a"]);
    bench.deliver("hook", "a", Change::New).await;
    sleep(Duration::from_mins(10) + Duration::from_secs(1)).await;
    assert_eq!((fake.tried("am"), fake.tried("hook")), (11, 3), "and others every five minutes");
}

#[tokio::test(start_paused = true)]
async fn while_the_clocks_differ_what_fires_has_no_end_of_ours() {
    for minutes in [20, -20] {
        let fake = Fake::new();
        let offset = TimeDelta::minutes(minutes);
        *fake.clock.lock().unwrap() = offset;
        let mut bench = Bench::new(&fake, vec![alertmanager("am")], &["a"]);
        sleep(Duration::from_millis(1)).await;
        assert_eq!(alerts(&fake, 0).len(), 2, "the answer to the first shows the clock, so it is sent again at once");
        sleep(Duration::from_mins(2)).await;
        let sent = alerts(&fake, 0);
        assert!(sent.len() >= 4 && sent[1..].iter().all(|alert| alert["endsAt"] == Value::Null), "{minutes}: {sent:?}");
        let series = "syncro_monitor_receiver_clock_offset_seconds{receiver=\"am\"}";
        assert_eq!(bench.metric(series), Some(offset.num_seconds() as f64));
        // It begins and ends now, by our clock.
        let mut fires = notification("b", Change::Resolved);
        fires.since = now();
        bench.notify("am", fires).await;
        bench.snapshots.send_replace(snapshot(&[]));
        sleep(Duration::from_secs(1)).await;
        let ended = alerts(&fake, sent.len());
        assert_eq!(token_names(&ended).len(), 2, "{ended:?}");
        let theirs = now() + offset;
        for alert in &ended {
            let (began, end) = (moment(alert, "startsAt").unwrap(), moment(alert, "endsAt").unwrap());
            assert!(began <= end && end <= theirs, "over by its clock, {theirs}: {alert}");
        }
        *fake.clock.lock().unwrap() = TimeDelta::zero();
        bench.snapshots.send_replace(snapshot(&["c"]));
        let before = alerts(&fake, 0).len();
        sleep(Duration::from_mins(3)).await;
        let later = alerts(&fake, before);
        assert!(moment(later.last().unwrap(), "endsAt") > Some(now() + TimeDelta::minutes(10)), "{later:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_that_the_first_answer_shows_to_lie_ahead_is_sent_anew() {
    let fake = Fake::new();
    *fake.clock.lock().unwrap() = TimeDelta::minutes(-20);
    let mut bench = Bench::new(&fake, vec![alertmanager("am")], &[]);
    bench.deliver("am", "a", Change::Resolved).await;
    sleep(Duration::from_millis(1)).await;
    let sent = alerts(&fake, 0);
    let ends: Vec<_> = sent.iter().map(|alert| moment(alert, "endsAt").unwrap()).collect();
    let theirs = now() - TimeDelta::minutes(20);
    assert!(ends.len() == 2 && ends[0] > theirs && ends[1] <= theirs, "{sent:?}");
    assert_eq!(bench.delivered(), [1]);
}

#[tokio::test(start_paused = true)]
async fn what_fired_before_a_restart_under_other_labels_is_ended() {
    let fake = Fake::new();
    let fired = |name: &str, severity: Severity| {
        let mut firing = firing(name);
        firing.severity = severity;
        firing
    };
    let fired = vec![fired("same", Severity::Critical), fired("worse", Severity::Warning)];
    let bench = Bench::after(&fake, vec![alertmanager("am")], &["same", "worse"], fired);
    sleep(Duration::from_mins(3)).await;
    let sent = alerts(&fake, 0);
    let ended: Vec<_> = sent.iter().filter(|alert| moment(alert, "endsAt").is_some_and(|end| end <= now())).collect();
    assert_eq!(ended.len(), 1, "{ended:?}");
    let labels = &ended[0]["labels"];
    assert_eq!((&labels["token_name"], &labels["severity"]), (&"worse".into(), &"warning".into()), "its old label set");
    assert!(sent.iter().filter(|alert| alert["labels"]["severity"] == "critical").count() >= 6);
    // An Alertmanager that is configured later was sent nothing before.
    let receivers = vec![alertmanager("am"), alertmanager("new")];
    bench.receivers.send_replace(Arc::new(Targets {
        receivers,
        external_url: "http://here".to_owned(),
        ..Targets::default()
    }));
    sleep(Duration::from_secs(1)).await;
    assert_eq!(fake.taken("new")[0].as_array().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_alertmanager_is_sent_only_what_passes_its_filter() {
    let fake = Fake::new();
    let only = Only { tenants: Some(vec!["other".to_owned()]), ..Only::default() };
    let filtered = Arc::new(Receiver { only, ..(*alertmanager("am")).clone() });
    let bench = Bench::new(&fake, vec![filtered], &["a"]);
    sleep(Duration::from_mins(3)).await;
    assert_eq!(fake.tried("am"), 0);
    let targets = Targets { receivers: vec![alertmanager("am")], ..Targets::default() };
    bench.receivers.send_replace(Arc::new(targets));
    sleep(Duration::from_mins(3)).await;
    assert_eq!(fake.taken("am")[0][0]["labels"]["token_name"], "a");
}

#[tokio::test(start_paused = true)]
async fn that_one_integration_is_left_of_several_makes_an_alert_no_other() {
    let fake = Fake::new();
    let of = |profiles: &[&str]| {
        let mut firing = firing("a");
        firing.scope = Scope::SecurityGroup { tenant: "acme".to_owned(), group: "Technicians".to_owned() };
        firing.message.profiles = profiles.iter().map(|name| (*name).to_owned()).collect();
        let tenant = TenantSnapshot { name: "acme".to_owned(), firing: Arc::new(vec![firing]) };
        Arc::new(Snapshot { tenants: [tenant].into_iter().collect(), ..Snapshot::default() })
    };
    let bench = Bench::new(&fake, vec![alertmanager("am")], &[]);
    for profiles in [&["backup", "jumpcloud"][..], &["jumpcloud"]] {
        bench.snapshots.send_replace(of(profiles));
        sleep(Duration::from_mins(2)).await;
    }
    let sent = alerts(&fake, 0);
    assert!(sent.len() >= 3 && sent.iter().all(|alert| alert["labels"] == sent[0]["labels"]), "{sent:?}");
    let labels = &sent[0]["labels"];
    assert_eq!((&labels["profile"], &labels["instance"]), (&Value::Null, &"acme/Technicians".into()));
    assert_eq!(sent.last().unwrap()["annotations"]["profiles"], "jumpcloud");
}
