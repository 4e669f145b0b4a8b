//! When a heartbeat is sent and when it is withheld.

use std::path::PathBuf;

use super::*;
use crate::config::Heartbeat;
use crate::system::clock::Monotonic;

impl Bench {
    /// Running receivers with a heartbeat every minute, and a loop that has just turned.
    fn with_heartbeat(fake: &Fake, receivers: Vec<Arc<Receiver>>) -> Self {
        let bench = Self::new(fake, receivers.clone(), &[]);
        let heartbeat = Some(Heartbeat { url_file: PathBuf::from("url"), every: Duration::from_mins(1) });
        let targets = Targets { receivers, external_url: "http://here".to_owned(), heartbeat, ..Targets::default() };
        bench.receivers.send_replace(Arc::new(targets));
        bench.turns();
        bench
    }

    fn turns(&self) {
        let turned = Snapshot { beat: Some(Monotonic::now()), last_tick: Some(now()), ..Snapshot::default() };
        self.snapshots.send_replace(Arc::new(turned));
    }

    /// Lets so many minutes pass in which the loop turns.
    pub(super) async fn minutes(&self, minutes: u32) {
        for _ in 0..minutes * 12 {
            self.turns();
            sleep(Duration::from_secs(5)).await;
        }
    }
}

const WITHHELD: &str = "syncro_monitor_heartbeat_withheld";

#[tokio::test(start_paused = true)]
async fn a_heartbeat_is_sent_while_the_loop_turns() {
    let fake = Fake::new();
    let bench = Bench::with_heartbeat(&fake, Vec::new());
    bench.minutes(5).await;
    assert_eq!(fake.tried("heartbeat"), 5, "soon after the start, and every minute");
    assert_eq!((bench.metric("syncro_monitor_heartbeats_total"), bench.metric(WITHHELD)), (Some(5.0), Some(0.0)));
    sleep(Duration::from_secs(20)).await;
    let sent = fake.tried("heartbeat");
    sleep(Duration::from_mins(10)).await;
    assert_eq!(fake.tried("heartbeat"), sent, "the loop stalls");
    assert_eq!(bench.metric(WITHHELD), Some(1.0));
    bench.minutes(1).await;
    assert!(fake.tried("heartbeat") > sent, "soon after the loop turns again");
    assert!(bench.metric("syncro_monitor_heartbeat_last_success_timestamp_seconds") > Some(1e9));
}

#[tokio::test(start_paused = true)]
async fn an_hour_without_a_receiver_withholds_the_heartbeat() {
    let fake = Fake::new();
    let mut bench = Bench::with_heartbeat(&fake, vec![webhook("a", Format::Json), webhook("idle", Format::Json)]);
    fake.breaks("a", DeliveryFailure::Unavailable(Reason::Connect));
    bench.deliver("a", "x", Change::New).await;
    bench.minutes(59).await;
    assert_eq!((fake.tried("heartbeat"), bench.metric(WITHHELD)), (59, Some(0.0)), "within the hour");
    bench.minutes(10).await;
    let sent = fake.tried("heartbeat");
    assert!((60..=61).contains(&sent), "{sent}");
    assert_eq!(bench.metric(WITHHELD), Some(1.0));
    fake.fixes("a");
    bench.minutes(3).await;
    assert!(fake.tried("heartbeat") > sent, "it is reached again");
    // A receiver that is not configured any more cannot be unreachable.
    fake.breaks("a", DeliveryFailure::Refused);
    bench.deliver("a", "y", Change::New).await;
    bench.minutes(70).await;
    assert_eq!(bench.metric(WITHHELD), Some(1.0));
    let mut targets = (**bench.receivers.borrow()).clone();
    targets.receivers.remove(0);
    bench.receivers.send_replace(Arc::new(targets));
    bench.minutes(2).await;
    assert_eq!(bench.metric(WITHHELD), Some(0.0));
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_that_is_not_taken_is_sent_again_soon() {
    let fake = Fake::new();
    let bench = Bench::with_heartbeat(&fake, Vec::new());
    fake.breaks("heartbeat", DeliveryFailure::Refused);
    bench.minutes(1).await;
    assert!(fake.tried("heartbeat") >= 4, "{}", fake.tried("heartbeat"));
    assert!(bench.metric("syncro_monitor_heartbeat_failures_total{reason=\"http_4xx\"}") >= Some(4.0));
    bench.minutes(30).await;
    assert!(fake.tried("heartbeat") <= 60, "no storm: {}", fake.tried("heartbeat"));
    fake.fixes("heartbeat");
    bench.minutes(2).await;
    assert!(bench.metric("syncro_monitor_heartbeats_total") >= Some(1.0));
    bench.receivers.send_replace(Arc::default());
    bench.minutes(1).await;
    assert_eq!(bench.metric("syncro_monitor_heartbeats_total"), None, "none is configured");
}
