//! What remembers and what tells, wired together: the store's keeper hands on what it has written, the receivers report
//! what has been told. Who is told, and how long is remembered, changes at a reload.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::config::Config;
use crate::memory::Batch;
use crate::receiver::{self, Post, Told};
use crate::snapshot::Snapshot;
use crate::store::{self, Blocking, Keeper, Store};

/// Notices on their way to the receivers, and back; what is more waits in the store's own queue.
const DELIVERIES: usize = 64;

/// What a reload changes.
#[derive(Debug)]
pub(super) struct Telling {
    told: watch::Sender<Arc<Told>>,
    names: watch::Sender<Arc<[Arc<str>]>>,
    keep: watch::Sender<Duration>,
}

/// What counts.
#[derive(Debug)]
pub(super) struct Instruments {
    pub(super) store: store::Instruments,
    pub(super) receiver: receiver::Instruments,
}

impl Telling {
    /// Starts both; they end in order when no more batches can come.
    pub(super) fn start<P: Post + Clone>(
        told: Told,
        keep: Duration,
        store: Store,
        instruments: Instruments,
        batches: mpsc::Receiver<Batch>,
        pictures: watch::Receiver<Arc<Snapshot>>,
        post: P,
    ) -> (Self, JoinHandle<Result<(), String>>) {
        let (receiver, deliveries) = mpsc::channel(DELIVERIES);
        let (done, reports) = mpsc::channel(DELIVERIES);
        let (names, receivers) = watch::channel(Arc::from(told.names()));
        let (told, telling) = watch::channel(Arc::new(told));
        let (keep, kept) = watch::channel(keep);
        let fired = store.fired().to_vec();
        let wires = receiver::Wires { deliveries, done, receivers: telling, pictures: pictures.clone(), fired };
        tokio::spawn(receiver::run(wires, post, instruments.receiver));
        let disk = Arc::new(Blocking);
        let wires = store::Wires { batches, receiver, receivers, done: reports, pictures, keep: kept, disk };
        let keeper = tokio::spawn(Keeper::new(store, instruments.store, wires).run());
        (Self { told, names, keep }, keeper)
    }

    /// Goes on as it is configured now.
    pub(super) fn configure(&self, told: Told, keep: Duration) {
        let names = told.names();
        // A receiver must be there before anything comes for it.
        self.told.send_replace(Arc::new(told));
        self.names.send_replace(Arc::from(names));
        self.keep.send_replace(keep);
    }
}

/// Who is told, as the configuration says.
pub(super) fn told(config: &Config, address: SocketAddr) -> Told {
    Told { receivers: config.alerts.receivers.clone(), external_url: config.web.url(address) }
}

#[cfg(test)]
mod tests {
    use prometheus::Registry;
    use tempfile::TempDir;
    use tokio::time::sleep;

    use super::*;
    use crate::alert::{Alert, AlertKey, Notice, Severity, Status, Words};
    use crate::config::{Format, Receiver, ReceiverKind, TokenId};
    use crate::memory::Keep;
    use crate::receiver::Why;
    use crate::syncro::Reason;
    use crate::testing::{Fake, at, receiver, webhook};

    fn notice(number: usize) -> Notice {
        let of = TokenId { tenant: "acme".to_owned(), token_name: format!("token-{number}") };
        let key = AlertKey { alert: Alert::TokenRejected, of, subject: None };
        let words = Words { message: format!("notice {number}."), ..Words::default() };
        Notice { key, status: Status::Firing, severity: Severity::Critical, since: at(0), words }
    }

    /// The program between two restarts.
    struct Life {
        batches: mpsc::Sender<Batch>,
        telling: Telling,
        keeper: JoinHandle<Result<(), String>>,
        _pictures: watch::Sender<Arc<Snapshot>>,
    }

    impl Life {
        fn begin(folder: &TempDir, fake: &Fake, receivers: Vec<Arc<Receiver>>) -> Self {
            let (store, _) = Store::open(&folder.path().join("state.db")).unwrap();
            let registry = Registry::new();
            let instruments = Instruments {
                store: store::Instruments::new(&registry).unwrap(),
                receiver: receiver::Instruments::new(&registry).unwrap(),
            };
            let (batches, remembered) = mpsc::channel(16);
            let (pictures, shown) = watch::channel(Arc::default());
            let told = Told { receivers, external_url: "http://here".to_owned() };
            let keep = Duration::from_hours(24);
            let (telling, keeper) = Telling::start(told, keep, store, instruments, remembered, shown, fake.clone());
            Self { batches, telling, keeper, _pictures: pictures }
        }

        async fn tell(&self, number: usize) {
            let mut batch = Batch::default();
            batch.add(Keep::Notice(notice(number)));
            self.batches.send(batch).await.unwrap();
        }

        async fn end(self) {
            drop(self.batches);
            self.keeper.await.unwrap().unwrap();
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
            fake.mends(name);
        }
        sleep(Duration::from_mins(3)).await;
        for name in ["hook", "slack"] {
            let told: Vec<_> = fake.taken(name).iter().map(ToString::to_string).collect();
            assert_eq!(told.len(), 61, "{name}");
            let in_order = told.iter().enumerate().all(|(number, body)| body.contains(&format!("notice {number}.")));
            assert!(in_order, "{name}: {told:?}");
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
        let told = Told { receivers: vec![webhook("hook", Format::Json)], ..Told::default() };
        life.telling.configure(told, Duration::from_hours(24));
        life.tell(2).await;
        life.end().await;
        let told: Vec<_> = fake.taken("hook").iter().map(|body| body["message"].clone()).collect();
        assert_eq!(told, ["notice 2."]);
    }
}
