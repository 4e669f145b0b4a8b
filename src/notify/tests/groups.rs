//! What people are sent gathers for a while, and no message of theirs holds up another.

use super::*;
use crate::alert::AlertKey;

fn slack(group_wait: Duration) -> Arc<Receiver> {
    Arc::new(Receiver { group_wait, ..(*webhook("chat", Format::Slack)).clone() })
}

fn texts(fake: &Fake) -> Vec<String> {
    fake.taken("chat").iter().map(|body| body["text"].as_str().unwrap().to_owned()).collect()
}

const WAIT: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn what_begins_within_the_wait_is_one_message() {
    let fake = Fake::new();
    let mut bench = Bench::new(&fake, vec![slack(WAIT), webhook("hook", Format::Json)], &[]);
    let mut expected = Vec::new();
    for name in ["a", "b", "c"] {
        expected.push(bench.deliver("chat", name, Status::Firing).await);
        bench.deliver("hook", name, Status::Firing).await;
        sleep(Duration::from_secs(9)).await;
    }
    assert_eq!((fake.tried("chat"), fake.tried("hook")), (0, 3), "programs do not wait");
    sleep(Duration::from_secs(4)).await;
    assert_eq!(texts(&fake), ["\u{1f534} 3 alerts: 3 critical (TokenRejected)"]);
    let lines = fake.taken("chat")[0]["attachments"][0]["text"].as_str().unwrap().to_owned();
    let first = "\u{1f534} firing critical: TokenRejected acme / a: token `a` &amp; &lt;more&gt;";
    assert_eq!(lines.lines().next(), Some(first));
    assert_eq!(lines.lines().count(), 4, "a line each, and a link: {lines}");
    let of_chat = bench.delivered().into_iter().filter(|id| expected.contains(id)).collect::<Vec<_>>();
    assert_eq!(of_chat, expected);
    bench.deliver("chat", "b", Status::Resolved).await;
    sleep(Duration::from_secs(31)).await;
    assert_eq!(texts(&fake)[1], "\u{2705} resolved critical: *TokenRejected* acme / b", "alone it is as before");
}

#[tokio::test(start_paused = true)]
async fn thirty_faults_of_the_first_sweep_are_one_message() {
    let fake = Fake::new();
    let sweep = FirstSweep { is_first_start: true, confirmed_after: Duration::from_mins(1) };
    let mut bench = Bench::with(&fake, vec![slack(WAIT)], &[], Vec::new(), sweep);
    for number in 0..30 {
        bench.deliver("chat", &format!("t{number}"), Status::Firing).await;
        sleep(Duration::from_secs(3)).await;
        // The snapshot changes with every tick.
        bench.snapshots.send_replace(Arc::new(Snapshot { first_sweep_done: number == 25, ..Snapshot::default() }));
    }
    assert_eq!(fake.tried("chat"), 0);
    sleep(Duration::from_mins(3)).await;
    assert_eq!(texts(&fake), ["\u{1f534} 30 alerts: 30 critical (TokenRejected)"]);
    let text = fake.taken("chat")[0]["attachments"][0]["text"].as_str().unwrap().to_owned();
    assert!(text.chars().count() <= 3000 && text.ends_with("<http://here/|Details>"), "{text}");
    bench.deliver("chat", "later", Status::Firing).await;
    sleep(Duration::from_secs(31)).await;
    assert_eq!(texts(&fake).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_does_not_end_delays_a_message_by_five_minutes() {
    let fake = Fake::new();
    let sweep = FirstSweep { is_first_start: true, confirmed_after: Duration::from_mins(1) };
    let mut bench = Bench::with(&fake, vec![slack(WAIT)], &[], Vec::new(), sweep);
    bench.deliver("chat", "a", Status::Firing).await;
    sleep(Duration::from_secs(299)).await;
    assert_eq!(fake.tried("chat"), 0);
    sleep(Duration::from_secs(2)).await;
    assert_eq!(fake.tried("chat"), 1);
}

#[tokio::test(start_paused = true)]
async fn one_refused_among_many_is_set_aside_and_the_others_arrive() {
    let fake = Fake::new();
    let mut bench = Bench::new(&fake, vec![slack(WAIT)], &[]);
    fake.refuses("chat", "token `bad`");
    let bad = bench.deliver("chat", "bad", Status::Firing).await;
    for name in ["a", "b", "c"] {
        bench.deliver("chat", name, Status::Firing).await;
    }
    sleep(Duration::from_mins(2)).await;
    let settled = bench.settled();
    assert_eq!(settled.len(), 4, "{settled:?}");
    assert!(matches!(&settled[3], Settled::SetAside(refusal) if refusal.id == bad), "{settled:?}");
    assert_eq!(texts(&fake).len(), 3, "one by one: {:?}", texts(&fake));
}

#[tokio::test(start_paused = true)]
async fn a_stop_sends_what_has_gathered() {
    let fake = Fake::new();
    let mut bench = Bench::new(&fake, vec![slack(WAIT)], &[]);
    for name in ["a", "b"] {
        bench.deliver("chat", name, Status::Firing).await;
    }
    drop(bench.deliveries);
    bench.task.await.unwrap();
    assert_eq!(texts(&fake), ["\u{1f534} 2 alerts: 2 critical (TokenRejected)"]);
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_that_waited_are_a_few_messages_the_worst_first() {
    let fake = Fake::new();
    let mut bench = Bench::new(&fake, vec![slack(WAIT)], &[]);
    fake.breaks("chat", DeliveryFailure::Unavailable(Reason::Connect));
    for number in 0..10_000 {
        let severity = if number == 9_999 { Severity::Critical } else { Severity::Warning };
        let key = AlertKey { subject: Some(number.to_string()), ..notification("a", Status::Firing).key };
        bench.notify("chat", Notification { key, severity, ..notification("a", Status::Firing) }).await;
    }
    sleep(Duration::from_mins(5)).await;
    fake.fixes("chat");
    sleep(Duration::from_mins(2)).await;
    let texts = texts(&fake);
    assert_eq!((texts.len(), texts[0].as_str()), (20, "\u{1f534} 500 alerts: 1 critical, 499 warning (TokenRejected)"));
    assert_eq!(bench.delivered().len(), 10_000);
}
