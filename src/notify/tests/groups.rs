//! What people are sent gathers for a while, and no message of theirs holds up another.

use super::*;

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
        expected.push(bench.deliver("chat", name, Change::New).await);
        bench.deliver("hook", name, Change::New).await;
        sleep(Duration::from_secs(9)).await;
    }
    assert_eq!((fake.tried("chat"), fake.tried("hook")), (0, 3), "programs do not wait");
    sleep(Duration::from_secs(4)).await;
    assert_eq!(texts(&fake), ["\u{1f534} 3 alerts: 3 critical (TokenRejected)"]);
    let lines = fake.taken("chat")[0]["attachments"][0]["text"].as_str().unwrap().to_owned();
    let first = "\u{1f534} firing critical: TokenRejected `acme / a`: token `a` &amp; &lt;more&gt;";
    assert_eq!(lines.lines().next(), Some(first));
    assert_eq!(lines.lines().count(), 4, "a line each, and a link: {lines}");
    let of_chat = bench.delivered().into_iter().filter(|id| expected.contains(id)).collect::<Vec<_>>();
    assert_eq!(of_chat, expected);
    bench.deliver("chat", "b", Change::Resolved).await;
    sleep(Duration::from_secs(31)).await;
    assert_eq!(texts(&fake)[1], "\u{2705} resolved critical: *TokenRejected* `acme / b`", "alone it is as before");
}

#[tokio::test(start_paused = true)]
async fn a_reminder_that_waits_is_not_sent_once_the_alert_is_taken_on_or_over() {
    let fake = Fake::new();
    let mut bench = Bench::new(&fake, vec![slack(WAIT)], &["a", "b", "c"]);
    for name in ["a", "b", "c"] {
        bench.deliver("chat", name, Change::Reminder).await;
    }
    sleep(Duration::from_secs(5)).await;
    let until = now() + chrono::TimeDelta::days(1);
    let acknowledged = Acknowledgement { by: "Pat".to_owned(), reason: "later".to_owned(), until, at: at(0) };
    let mut alerts = ["a", "b", "c"].map(firing);
    alerts[0].acknowledged = Some(acknowledged);
    let tenant = TenantSnapshot { name: "acme".to_owned(), firing: Arc::new(alerts.into()) };
    bench.snapshots.send_replace(Arc::new(Snapshot { tenants: [tenant].into_iter().collect(), ..Snapshot::default() }));
    bench.deliver("chat", "b", Change::Resolved).await;
    sleep(WAIT).await;
    let expected = [
        "\u{1f534} still firing critical: *TokenRejected* `acme / c`",
        "\u{2705} resolved critical: *TokenRejected* `acme / b`",
    ];
    assert_eq!(texts(&fake), expected);
}

#[tokio::test(start_paused = true)]
async fn thirty_faults_of_the_first_sweep_are_one_message() {
    let fake = Fake::new();
    let sweep = FirstSweep { is_first_start: true, confirmed_after: Duration::from_mins(1) };
    let mut bench = Bench::with(&fake, vec![slack(WAIT)], &[], Vec::new(), sweep);
    for number in 0..30 {
        bench.deliver("chat", &format!("t{number}"), Change::New).await;
        sleep(Duration::from_secs(3)).await;
        // The snapshot changes with every tick.
        bench.snapshots.send_replace(Arc::new(Snapshot { first_sweep_done: number == 25, ..Snapshot::default() }));
    }
    assert_eq!(fake.tried("chat"), 0);
    sleep(Duration::from_mins(3)).await;
    assert_eq!(texts(&fake), ["\u{1f534} 30 alerts: 30 critical (TokenRejected)"]);
    let text = fake.taken("chat")[0]["attachments"][0]["text"].as_str().unwrap().to_owned();
    assert!(text.chars().count() <= 3000 && text.ends_with("<http://here/|Details>"), "{text}");
    bench.deliver("chat", "later", Change::New).await;
    sleep(Duration::from_secs(31)).await;
    assert_eq!(texts(&fake).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_does_not_end_delays_a_message_by_five_minutes() {
    let fake = Fake::new();
    let sweep = FirstSweep { is_first_start: true, confirmed_after: Duration::from_mins(1) };
    let mut bench = Bench::with(&fake, vec![slack(WAIT)], &[], Vec::new(), sweep);
    bench.deliver("chat", "a", Change::New).await;
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
    let bad = bench.deliver("chat", "bad", Change::New).await;
    for name in ["a", "b", "c"] {
        bench.deliver("chat", name, Change::New).await;
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
        bench.deliver("chat", name, Change::New).await;
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
        bench.notify("chat", Notification { severity, ..notification(&number.to_string(), Change::New) }).await;
    }
    sleep(Duration::from_mins(5)).await;
    fake.fixes("chat");
    sleep(Duration::from_mins(2)).await;
    let texts = texts(&fake);
    assert_eq!((texts.len(), texts[0].as_str()), (20, "\u{1f534} 500 alerts: 1 critical, 499 warning (TokenRejected)"));
    assert_eq!(bench.delivered().len(), 10_000);
}

#[tokio::test(start_paused = true)]
async fn people_get_no_all_clear_for_an_alert_whose_place_another_takes() {
    let fake = Fake::new();
    let mut bench = Bench::new(&fake, vec![slack(WAIT), webhook("hook", Format::Json)], &[]);
    let group = || {
        let of = Scope::SecurityGroup { tenant: "acme".to_owned(), group: "Technicians".to_owned() };
        testing::notification(of, Change::New, Severity::Critical)
    };
    for receiver in ["chat", "hook"] {
        bench.deliver(receiver, "known", Change::New).await;
    }
    sleep(Duration::from_mins(1)).await;
    for receiver in ["chat", "hook"] {
        bench.deliver(receiver, "known", Change::Superseded).await;
        bench.deliver(receiver, "short", Change::New).await;
        bench.deliver(receiver, "short", Change::Superseded).await;
        bench.notify(receiver, group()).await;
    }
    sleep(Duration::from_mins(1)).await;
    let (new, known) = ("\u{1f534} firing critical: *TokenRejected*", "`acme / known`");
    assert_eq!(
        texts(&fake),
        [format!("{new} {known}"), format!("{new} `acme / Technicians`")],
        "no more than the news"
    );
    assert_eq!(fake.taken("hook").len(), 5, "programs are notified of everything");
    assert_eq!(bench.settled().len(), 10, "each is settled");
}

#[tokio::test(start_paused = true)]
async fn an_update_that_is_held_back_delays_no_other_alert_of_its_group() {
    let fake = Fake::new();
    let mut bench = Bench::new(&fake, vec![slack(WAIT)], &[]);
    let of = |id: &str, change| Notification { id: id.to_owned(), ..notification("a", change) };
    bench.notify("chat", of("first", Change::New)).await;
    sleep(Duration::from_mins(1)).await;
    bench.notify("chat", of("first", Change::Updated)).await;
    sleep(Duration::from_mins(1)).await;
    bench.notify("chat", of("first", Change::Updated)).await;
    bench.notify("chat", of("second", Change::New)).await;
    sleep(Duration::from_mins(1)).await;
    let first_word = |text: String| text.split_whitespace().nth(1).unwrap().to_owned();
    let words = |fake: &Fake| texts(fake).into_iter().map(first_word).collect::<Vec<_>>();
    assert_eq!(words(&fake), ["firing", "changed,", "firing"]);
    sleep(Duration::from_mins(15)).await;
    assert_eq!(words(&fake), ["firing", "changed,", "firing", "changed,"]);
}
