//! A notification that a receiver does not take delays no other, is never lost, and is sent no more often than it need
//! be.

use super::*;
use crate::state::Refusal;
use crate::testing::webhook;

fn of_tenant(tenant: &str, severity: Severity) -> Notification {
    testing::notification(Scope::of_token(tenant, "token"), Change::New, severity)
}

/// That the notification about this token was set aside.
fn set_aside(id: i64, token_name: &str, change: Change) -> Settled {
    let (receiver, notification) = ("hook".into(), Arc::new(notification(token_name, change)));
    Settled::SetAside(Refusal { id, receiver, notification, answer: "it answered 400".to_owned() })
}

/// The names of the tokens in the notifications that a webhook has taken, each with the status of the notification.
fn received(fake: &Fake, receiver: &str) -> Vec<String> {
    let word = |body: &Value, key: &str| body[key].as_str().unwrap().to_owned();
    fake.taken(receiver).iter().map(|body| format!("{} {}", word(body, "token_name"), word(body, "status"))).collect()
}

#[tokio::test(start_paused = true)]
async fn a_refused_notification_is_set_aside_and_blocks_no_other() {
    let fake = Fake::new();
    let mut bench = Bench::new(&fake, vec![webhook("hook", Format::Json)], &[]);
    fake.refuses("hook", "token `bad`");
    let refused = bench.deliver("hook", "bad", Change::New).await;
    sleep(Duration::from_mins(10)).await;
    assert_eq!(bench.settled(), [], "nothing shows that it takes anything");
    let other = bench.deliver("hook", "good", Change::New).await;
    sleep(Duration::from_secs(6)).await;
    let settled = [Settled::Delivered(other), set_aside(refused, "bad", Change::New)];
    assert_eq!(bench.settled(), settled, "within seconds, although the receiver was left alone for a minute");
    let end = bench.deliver("hook", "bad", Change::Resolved).await;
    let better = bench.deliver("hook", "good", Change::Resolved).await;
    sleep(Duration::from_mins(1)).await;
    let series = |name: &str| format!("syncro_monitor_notifications_{name}_total{{receiver=\"hook\"}}");
    assert_eq!(bench.metric(&series("set_aside")), Some(2.0), "its end holds the same text");
    assert_eq!(bench.metric("syncro_monitor_notices_queued{receiver=\"hook\"}"), Some(0.0));
    sleep(Duration::from_hours(3)).await;
    assert_eq!(bench.settled(), [Settled::Delivered(better), set_aside(end, "bad", Change::Resolved)], "each once");
    assert_eq!(received(&fake, "hook"), ["good firing", "good resolved"]);
    assert!(fake.tried("hook") < 40, "{}", fake.tried("hook"));
}

#[tokio::test(start_paused = true)]
async fn an_address_that_refuses_everything_costs_no_notification() {
    let fake = Fake::new();
    let mut bench = Bench::new(&fake, vec![webhook("hook", Format::Json)], &[]);
    fake.refuses("hook", "");
    let mut expected = Vec::new();
    for number in 0..300 {
        expected.push(bench.deliver("hook", &format!("t{number:03}"), Change::New).await);
    }
    sleep(Duration::from_hours(6)).await;
    assert_eq!(bench.settled(), []);
    let tried = fake.tried("hook");
    assert!((300..3600).contains(&tried), "{tried} attempts in six hours: each was tried, and it is no storm");
    fake.fixes("hook");
    sleep(Duration::from_mins(2)).await;
    assert_eq!(bench.delivered(), expected, "in order, each once");
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_alone_is_set_aside_once_its_end_is_taken() {
    let fake = Fake::new();
    let mut bench = Bench::new(&fake, vec![webhook("hook", Format::Json)], &[]);
    fake.refuses("hook", "\"firing\"");
    let refused = bench.deliver("hook", "a", Change::New).await;
    sleep(Duration::from_mins(5)).await;
    let end = bench.deliver("hook", "a", Change::Resolved).await;
    sleep(Duration::from_mins(2)).await;
    assert_eq!(bench.settled(), [set_aside(refused, "a", Change::New), Settled::Delivered(end)]);
}

#[tokio::test(start_paused = true)]
async fn many_refused_ones_bury_none_that_is_taken() {
    let fake = Fake::new();
    let mut bench = Bench::new(&fake, vec![webhook("hook", Format::Json)], &[]);
    fake.refuses("hook", "token `bad");
    for number in 0..100 {
        bench.deliver("hook", &format!("bad{number}"), Change::New).await;
    }
    bench.deliver("hook", "good", Change::New).await;
    sleep(Duration::from_mins(3)).await;
    assert_eq!(received(&fake, "hook"), ["good firing"]);
    sleep(Duration::from_mins(30)).await;
    assert_eq!(bench.metric("syncro_monitor_notifications_set_aside_total{receiver=\"hook\"}"), Some(100.0));
}

#[tokio::test(start_paused = true)]
async fn a_body_over_which_a_server_stumbles_waits_by_itself() {
    let fake = Fake::new();
    let mut bench = Bench::new(&fake, vec![webhook("hook", Format::Json)], &[]);
    fake.stumbles("hook", "token `bad`");
    bench.deliver("hook", "bad", Change::New).await;
    for number in 0..100 {
        bench.deliver("hook", &format!("t{number}"), Change::New).await;
    }
    sleep(Duration::from_mins(1)).await;
    assert_eq!(received(&fake, "hook").len(), 100);
    bench.deliver("hook", "later", Change::New).await;
    sleep(Duration::from_millis(1)).await;
    assert_eq!(received(&fake, "hook").len(), 101, "at once: the receiver works");
    let tried = fake.tried("hook");
    sleep(Duration::from_hours(1)).await;
    assert!((10..20).contains(&(fake.tried("hook") - tried)), "every few minutes");
    assert_eq!(bench.metric("syncro_monitor_notifications_set_aside_total{receiver=\"hook\"}"), Some(0.0));
    fake.fixes("hook");
    sleep(Duration::from_mins(6)).await;
    assert_eq!(received(&fake, "hook").last().map(String::as_str), Some("bad firing"));
    assert_eq!(bench.delivered().len(), 102);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_warnings_do_not_bury_a_critical_alert() {
    let fake = Fake::new();
    let mut bench = Bench::new(&fake, vec![webhook("hook", Format::Json)], &[]);
    fake.breaks("hook", DeliveryFailure::Unavailable(Reason::Connect));
    for number in 0..10_000 {
        bench.notify("hook", of_tenant(&format!("flaps{number}"), Severity::Warning)).await;
    }
    bench.notify("hook", of_tenant("other", Severity::Critical)).await;
    sleep(Duration::from_mins(5)).await;
    assert_eq!(bench.metric("syncro_monitor_notices_queued{receiver=\"hook\"}"), Some(10_001.0));
    fake.fixes("hook");
    sleep(Duration::from_mins(2)).await;
    assert_eq!(fake.taken("hook")[0]["tenant"], "other");
    assert_eq!(fake.taken("hook").len(), 10_001);
}

#[tokio::test(start_paused = true)]
async fn what_flaps_while_nobody_listens_is_delivered_in_a_few_notifications() {
    let fake = Fake::new();
    let mut bench = Bench::new(&fake, vec![webhook("hook", Format::Json)], &[]);
    fake.breaks("hook", DeliveryFailure::Unavailable(Reason::Timeout));
    let mut all = Vec::new();
    for _ in 0..2500 {
        all.push(bench.deliver("hook", "flaps", Change::New).await);
        all.push(bench.deliver("hook", "flaps", Change::Resolved).await);
    }
    all.push(bench.deliver("hook", "flaps", Change::New).await);
    sleep(Duration::from_mins(2)).await;
    let queued = bench.metric("syncro_monitor_notices_queued{receiver=\"hook\"}").unwrap();
    assert!(queued <= 5.0, "{queued}");
    fake.fixes("hook");
    sleep(Duration::from_mins(2)).await;
    let received = received(&fake, "hook");
    assert!(received.len() <= 5 && received.first() == received.last(), "{received:?}");
    assert!(received.windows(2).all(|pair| pair[0] != pair[1]), "no alarm and no all-clear twice: {received:?}");
    let settled = bench.settled();
    let superseded = settled.iter().filter(|settled| matches!(settled, Settled::Superseded(_))).count();
    assert_eq!((settled.len(), superseded), (all.len(), all.len() - received.len()), "each is settled once");
    let series = "syncro_monitor_notifications_superseded_total{receiver=\"hook\"}";
    assert_eq!(bench.metric(series), Some(superseded as f64));
}

#[tokio::test(start_paused = true)]
async fn a_stop_tries_the_others_although_one_is_refused() {
    let fake = Fake::new();
    let mut bench = Bench::new(&fake, vec![webhook("hook", Format::Json)], &[]);
    fake.breaks("hook", DeliveryFailure::Unavailable(Reason::Connect));
    let names = ["bad", "worse", "bad-too", "worst", "bad-again", "bad-still", "good"];
    for name in names {
        bench.deliver("hook", name, Change::New).await;
    }
    sleep(Duration::from_mins(1)).await;
    fake.fixes("hook");
    fake.refuses("hook", "token `bad");
    fake.refuses("hook", "token `wors");
    drop(bench.deliveries);
    bench.task.await.unwrap();
    assert_eq!(received(&fake, "hook"), ["good firing"]);
}
