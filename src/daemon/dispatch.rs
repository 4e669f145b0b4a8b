//! The writer of the store and the receivers of notifications, connected: the writer delivers what it has written, the
//! receivers report what they have delivered. The receivers and the retention change at a reload.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::alert::Firing;
use crate::config::Config;
use crate::notify::{self, FirstSweep, Post, Targets};
use crate::state::{Batch, Snapshot, Subscription};
use crate::store::{self, Blocking, Store, Writer};

use super::supervisor::Supervisor;

/// How many deliveries may be on their way to the receivers, and reports on their way back; what is more waits in the
/// queue of the writer.
const DELIVERIES: usize = 64;

/// What a reload changes of the writer and the receivers.
#[derive(Debug)]
pub(super) struct NotificationDispatch {
    targets: watch::Sender<Arc<Targets>>,
    subscriptions: watch::Sender<Arc<[Subscription]>>,
    keep: watch::Sender<Duration>,
}

/// The metrics of both.
#[derive(Debug)]
pub(super) struct Instruments {
    pub(super) store: store::Instruments,
    pub(super) notify: notify::Instruments,
}

/// What both are connected to.
#[derive(Debug)]
pub(super) struct Wiring {
    /// The store that is written.
    pub(super) store: Store,
    pub(super) instruments: Instruments,
    /// What is to be persisted. When nothing more can come, the receivers and the writer end in order.
    pub(super) batches: mpsc::Receiver<Batch>,
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    /// How long after a check what it found is confirmed.
    pub(super) confirmed_after: Duration,
    /// What fired when the program last ended, as far as this daemon watches it.
    pub(super) fired: Vec<Firing>,
}

impl NotificationDispatch {
    /// Starts the receivers and the writer of the store as parts of the daemon. `keep` is how long history is retained.
    pub(super) fn start<P: Post + Clone>(
        targets: Targets,
        keep: Duration,
        wiring: Wiring,
        post: P,
        supervisor: &mut Supervisor,
    ) -> Self {
        let Wiring { store, instruments, batches, snapshots, confirmed_after, fired } = wiring;
        let (to_deliver, deliveries) = mpsc::channel(DELIVERIES);
        let (done, reports) = mpsc::channel(DELIVERIES);
        let (subscriptions, subscribed) = watch::channel(Arc::from(targets.subscriptions()));
        let (targets, configured_targets) = watch::channel(Arc::new(targets));
        let (keep, configured_keep) = watch::channel(keep);
        let receivers = notify::Handles {
            deliveries,
            done,
            receivers: configured_targets,
            snapshots: snapshots.clone(),
            fired,
            recurring: store.recurring().clone(),
            first_sweep: FirstSweep { is_first_start: store.is_new(), confirmed_after },
        };
        supervisor.start("the part that notifies receivers", async {
            notify::run(receivers, post, instruments.notify).await;
            Ok(())
        });
        let handles = store::Handles {
            batches,
            deliveries: to_deliver,
            receivers: subscribed,
            done: reports,
            snapshots,
            keep: configured_keep,
            disk: Arc::new(Blocking),
        };
        supervisor.start("the store's writer", Writer::new(store, instruments.store, handles).run());
        Self { targets, subscriptions, keep }
    }

    /// Changes the receivers, and how long history is retained.
    pub(super) fn configure(&self, targets: Targets, keep: Duration) {
        let subscriptions = targets.subscriptions();
        // A receiver must be running before anything is sent to it.
        self.targets.send_replace(Arc::new(targets));
        self.subscriptions.send_replace(Arc::from(subscriptions));
        self.keep.send_replace(keep);
    }
}

/// The receivers that `config` names, and the URL at which people reach the daemon that listens on `address`.
pub(super) fn targets(config: &Config, address: SocketAddr) -> Targets {
    Targets {
        receivers: config.alerts.receivers.clone(),
        external_url: config.web.url(address),
        heartbeat: config.alerts.heartbeat.clone(),
        canary: config.alerts.canary.clone(),
    }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;
    use tempfile::TempDir;
    use tokio::time::sleep;

    use super::*;
    use crate::alert::{Change, Notification, Severity};
    use crate::config::{Format, Only, Receiver, ReceiverKind};
    use crate::model::Scope;
    use crate::notify::DeliveryFailure;
    use crate::state::Record;
    use crate::syncro::Reason;
    use crate::testing::{Fake, receiver, webhook};

    fn notification(number: usize) -> Notification {
        let of = Scope::of_token("acme", &format!("token-{number}"));
        let mut notification = crate::testing::notification(of, Change::New, Severity::Critical);
        notification.message.line = format!("notification {number}.");
        notification
    }

    /// The program between two restarts.
    struct Run {
        batches: mpsc::Sender<Batch>,
        dispatch: NotificationDispatch,
        supervisor: Supervisor,
        _snapshots: watch::Sender<Arc<Snapshot>>,
    }

    impl Run {
        fn begin(folder: &TempDir, fake: &Fake, receivers: Vec<Arc<Receiver>>) -> Self {
            let (store, _) = Store::open(&folder.path().join("state.db")).unwrap();
            let registry = Registry::new();
            let instruments = Instruments {
                store: store::Instruments::new(&registry).unwrap(),
                notify: notify::Instruments::new(&registry).unwrap(),
            };
            let (batches, to_persist) = mpsc::channel(16);
            let (snapshots, shown) = watch::channel(Arc::default());
            let targets = Targets { receivers, external_url: "http://here".to_owned(), ..Targets::default() };
            let keep = Duration::from_hours(24);
            let (fake, mut supervisor) = (fake.clone(), Supervisor::default());
            let (confirmed_after, fired) = (Duration::ZERO, store.fired().to_vec());
            let wiring = Wiring { store, instruments, batches: to_persist, snapshots: shown, confirmed_after, fired };
            let dispatch = NotificationDispatch::start(targets, keep, wiring, fake, &mut supervisor);
            Self { batches, dispatch, supervisor, _snapshots: snapshots }
        }

        async fn notify(&self, number: usize) {
            let mut batch = Batch::default();
            batch.add(Record::Notification(Box::new(notification(number))));
            self.batches.send(batch).await.unwrap();
        }

        async fn end(self) {
            drop(self.batches);
            self.supervisor.join().await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_hour_without_any_receiver_and_a_restart_within_it_lose_and_repeat_nothing() {
        let (folder, fake) = (tempfile::tempdir().unwrap(), Fake::new());
        let all = || {
            let am = receiver("am", ReceiverKind::Alertmanager);
            vec![webhook("hook", Format::Json), webhook("second", Format::Json), am]
        };
        let names = ["hook", "second", "am"];
        let mut run = Run::begin(&folder, &fake, all());
        run.notify(0).await;
        sleep(Duration::from_secs(5)).await;
        assert_eq!(fake.taken("hook").len(), 1);
        for name in names {
            fake.breaks(name, DeliveryFailure::Unavailable(Reason::Connect));
        }
        for number in 1..=60 {
            run.notify(number).await;
            sleep(Duration::from_mins(1)).await;
            if number == 30 {
                run.end().await;
                run = Run::begin(&folder, &fake, all());
            }
        }
        for name in names {
            fake.fixes(name);
        }
        sleep(Duration::from_mins(3)).await;
        for name in ["hook", "second"] {
            let taken: Vec<_> = fake.taken(name).iter().map(ToString::to_string).collect();
            assert_eq!(taken.len(), 61, "{name}");
            let holds = |(number, body): (usize, &String)| body.contains(&format!("notification {number}."));
            assert!(taken.iter().enumerate().all(holds), "{name}, in order: {taken:?}");
        }
        run.end().await;
        let run = Run::begin(&folder, &fake, all());
        sleep(Duration::from_mins(3)).await;
        assert_eq!(fake.taken("hook").len(), 61, "nothing is delivered again after another restart");
        run.end().await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_leaves_a_filter_after_a_restart_is_over_there() {
        let (folder, fake) = (tempfile::tempdir().unwrap(), Fake::new());
        let only = Only { severities: Some(vec!["critical"]), ..Only::default() };
        let filtered = || {
            let (hook, am) = (webhook("hook", Format::Json), receiver("am", ReceiverKind::Alertmanager));
            [hook, am].map(|receiver| Arc::new(Receiver { only: only.clone(), ..(*receiver).clone() })).to_vec()
        };
        let run = Run::begin(&folder, &fake, filtered());
        run.notify(1).await;
        run.end().await;
        let run = Run::begin(&folder, &fake, filtered());
        for number in [1, 2] {
            let milder = Notification { severity: Severity::Warning, change: Change::Reminder, ..notification(number) };
            let mut batch = Batch::default();
            batch.add(Record::Notification(Box::new(milder)));
            run.batches.send(batch).await.unwrap();
        }
        run.end().await;
        let changes: Vec<_> = fake.taken("hook").iter().map(|body| body["change"].clone()).collect();
        assert_eq!(changes, ["new", "resolved"], "and nothing about the other one");
    }

    #[tokio::test(start_paused = true)]
    async fn a_receiver_that_a_reload_configures_is_notified_from_then_on() {
        let (folder, fake) = (tempfile::tempdir().unwrap(), Fake::new());
        let run = Run::begin(&folder, &fake, Vec::new());
        run.notify(1).await;
        sleep(Duration::from_secs(3)).await;
        let targets = Targets { receivers: vec![webhook("hook", Format::Json)], ..Targets::default() };
        run.dispatch.configure(targets, Duration::from_hours(24));
        run.notify(2).await;
        run.end().await;
        let taken: Vec<_> = fake.taken("hook").iter().map(|body| body["message"].clone()).collect();
        assert_eq!(taken, ["notification 2."]);
    }
}
