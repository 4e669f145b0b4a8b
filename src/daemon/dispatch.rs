//! What remembers and what tells, wired together: the store's keeper hands on what it has written, the receivers report
//! what has been told. Who is told, and how long is remembered, changes at a reload.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::notify::{self, Post, Targets};
use crate::state::Batch;
use crate::state::Snapshot;
use crate::store::{self, Blocking, Store, Writer};

/// Notices on their way to the receivers, and back; what is more waits in the store's own queue.
const DELIVERIES: usize = 64;

/// What a reload changes.
#[derive(Debug)]
pub(super) struct NotificationDispatch {
    targets: watch::Sender<Arc<Targets>>,
    names: watch::Sender<Arc<[Arc<str>]>>,
    keep: watch::Sender<Duration>,
}

/// What counts.
#[derive(Debug)]
pub(super) struct Instruments {
    pub(super) store: store::Instruments,
    pub(super) receiver: notify::Instruments,
}

impl NotificationDispatch {
    /// Starts both; they end in order when no more batches can come.
    pub(super) fn start<P: Post + Clone>(
        targets: Targets,
        keep: Duration,
        store: Store,
        instruments: Instruments,
        batches: mpsc::Receiver<Batch>,
        snapshots: watch::Receiver<Arc<Snapshot>>,
        post: P,
    ) -> (Self, JoinHandle<Result<(), String>>) {
        let (receiver, deliveries) = mpsc::channel(DELIVERIES);
        let (done, reports) = mpsc::channel(DELIVERIES);
        let (names, receivers) = watch::channel(Arc::from(targets.names()));
        let (targets, dispatch) = watch::channel(Arc::new(targets));
        let (keep, kept) = watch::channel(keep);
        let fired = store.fired().to_vec();
        let handles = notify::Handles { deliveries, done, receivers: dispatch, snapshots: snapshots.clone(), fired };
        tokio::spawn(notify::run(handles, post, instruments.receiver));
        let disk = Arc::new(Blocking);
        let handles = store::Handles { batches, receiver, receivers, done: reports, snapshots, keep: kept, disk };
        let writer = tokio::spawn(Writer::new(store, instruments.store, handles).run());
        (Self { targets, names, keep }, writer)
    }

    /// Goes on as it is configured now.
    pub(super) fn configure(&self, targets: Targets, keep: Duration) {
        let names = targets.names();
        // A receiver must be there before anything comes for it.
        self.targets.send_replace(Arc::new(targets));
        self.names.send_replace(Arc::from(names));
        self.keep.send_replace(keep);
    }
}

/// Who is told, as the configuration says.
pub(super) fn targets(config: &Config, address: SocketAddr) -> Targets {
    Targets { receivers: config.alerts.receivers.clone(), external_url: config.web.url(address) }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;
    use tempfile::TempDir;
    use tokio::time::sleep;

    use super::*;
    use crate::alert::{Alert, AlertKey, Message, Notification, Severity, Status};
    use crate::config::{Format, Receiver, ReceiverKind};
    use crate::model::TokenId;
    use crate::notify::Why;
    use crate::state::Record;
    use crate::syncro::Reason;
    use crate::testing::{Fake, at, receiver, webhook};

    fn notification(number: usize) -> Notification {
        let of = TokenId { tenant: "acme".to_owned(), token_name: format!("token-{number}") };
        let key = AlertKey { alert: Alert::TokenRejected, of: of.into(), subject: None };
        let message = Message { text: format!("notice {number}."), ..Message::default() };
        Notification { key, status: Status::Firing, severity: Severity::Critical, since: at(0), message }
    }

    /// The program between two restarts.
    struct Life {
        batches: mpsc::Sender<Batch>,
        dispatch: NotificationDispatch,
        writer: JoinHandle<Result<(), String>>,
        _pictures: watch::Sender<Arc<Snapshot>>,
    }

    impl Life {
        fn begin(folder: &TempDir, fake: &Fake, receivers: Vec<Arc<Receiver>>) -> Self {
            let (store, _) = Store::open(&folder.path().join("state.db")).unwrap();
            let registry = Registry::new();
            let instruments = Instruments {
                store: store::Instruments::new(&registry).unwrap(),
                receiver: notify::Instruments::new(&registry).unwrap(),
            };
            let (batches, remembered) = mpsc::channel(16);
            let (snapshots, shown) = watch::channel(Arc::default());
            let targets = Targets { receivers, external_url: "http://here".to_owned() };
            let keep = Duration::from_hours(24);
            let (dispatch, writer) =
                NotificationDispatch::start(targets, keep, store, instruments, remembered, shown, fake.clone());
            Self { batches, dispatch, writer, _pictures: snapshots }
        }

        async fn tell(&self, number: usize) {
            let mut batch = Batch::default();
            batch.add(Record::Notification(notification(number)));
            self.batches.send(batch).await.unwrap();
        }

        async fn end(self) {
            drop(self.batches);
            self.writer.await.unwrap().unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_hour_without_any_receiver_and_a_restart_within_it_lose_and_repeat_nothing() {
        let (folder, fake) = (tempfile::tempdir().unwrap(), Fake::new());
        let all = || {
            let am = receiver("am", ReceiverKind::Alertmanager);
            vec![webhook("hook", Format::Json), webhook("slack", Format::Slack), am]
        };
        let names = ["hook", "slack", "am"];
        let mut life = Life::begin(&folder, &fake, all());
        life.tell(0).await;
        sleep(Duration::from_secs(5)).await;
        assert_eq!(fake.taken("hook").len(), 1);
        for name in names {
            fake.breaks(name, Why::NoAnswer(Reason::Connect));
        }
        for number in 1..=60 {
            life.tell(number).await;
            sleep(Duration::from_mins(1)).await;
            if number == 30 {
                life.end().await;
                life = Life::begin(&folder, &fake, all());
            }
        }
        for name in names {
            fake.fixes(name);
        }
        sleep(Duration::from_mins(3)).await;
        for name in ["hook", "slack"] {
            let targets: Vec<_> = fake.taken(name).iter().map(ToString::to_string).collect();
            assert_eq!(targets.len(), 61, "{name}");
            let in_order = targets.iter().enumerate().all(|(number, body)| body.contains(&format!("notice {number}.")));
            assert!(in_order, "{name}: {targets:?}");
        }
        life.end().await;
        let life = Life::begin(&folder, &fake, all());
        sleep(Duration::from_mins(3)).await;
        assert_eq!(fake.taken("hook").len(), 61, "nothing is told again after another restart");
        life.end().await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_configured_by_a_reload_is_told_from_then_on() {
        let (folder, fake) = (tempfile::tempdir().unwrap(), Fake::new());
        let life = Life::begin(&folder, &fake, Vec::new());
        life.tell(1).await;
        sleep(Duration::from_secs(3)).await;
        let targets = Targets { receivers: vec![webhook("hook", Format::Json)], ..Targets::default() };
        life.dispatch.configure(targets, Duration::from_hours(24));
        life.tell(2).await;
        life.end().await;
        let targets: Vec<_> = fake.taken("hook").iter().map(|body| body["message"].clone()).collect();
        assert_eq!(targets, ["notice 2."]);
    }
}
