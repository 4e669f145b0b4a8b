//! What operators want of alerts, from the web server and from commands: both leave it in the store, where it outlives
//! whatever happens, and the loop carries it out from there.

use std::collections::HashSet;
use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::alert::{Acknowledged, AcknowledgementOrder};
use crate::engine::Order;
use crate::store;
use crate::system::trouble::on_a_thread;
use crate::web::{AcknowledgementRequest, NotKept};

/// How often it is asked whether a command has left anything.
const EVERY: Duration = Duration::from_secs(1);

/// Takes what operators want from requests and from the store to the loop.
#[derive(Debug)]
pub(super) struct Acknowledgements {
    pub(super) path: PathBuf,
    pub(super) requests: mpsc::Receiver<AcknowledgementRequest>,
    pub(super) orders: mpsc::Sender<Order>,
    /// The orders that the loop has, until the store has forgotten them.
    pub(super) carried_out: HashSet<i64>,
}

impl Acknowledgements {
    /// Runs until `stop`. What has not been carried out by then is after the next start.
    pub(super) async fn run(mut self, stop: CancellationToken) -> Result<(), String> {
        let mut ticks = interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let turns = async {
            loop {
                tokio::select! {
                    Some(request) = self.requests.recv() => self.keep(request).await,
                    _ = ticks.tick() => drop(self.carry_out(None).await),
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = turns => {}
        }
        Ok(())
    }

    /// Keeps what is requested, has it carried out, and answers.
    async fn keep(&mut self, AcknowledgementRequest { alert, acknowledgement, answer }: AcknowledgementRequest) {
        let path = self.path.clone();
        let kept = blocking(move || store::order_acknowledgement(&path, &alert, acknowledgement.as_ref())).await;
        let outcome = match kept {
            Ok(number) => self.carry_out(Some(number)).await,
            Err(why) => Err(why),
        };
        // Whoever wanted it may have gone away.
        answer.send(outcome).ok();
    }

    /// Has everything carried out that the store has, in order; returns what became of the order with this number.
    async fn carry_out(&mut self, number: Option<i64>) -> Result<Acknowledged, NotKept> {
        let path = self.path.clone();
        let orders = blocking(move || store::acknowledgement_orders(&path)).await?;
        self.carried_out.retain(|number| orders.iter().any(|order| order.number == *number));
        let mut outcome = Err(NotKept::Stopping);
        for order in orders.into_iter().filter(|order| !self.carried_out.contains(&order.number)).collect::<Vec<_>>() {
            let this = order.number;
            let became = self.order(order).await?;
            self.carried_out.insert(this);
            if number == Some(this) {
                outcome = Ok(became);
            }
        }
        outcome
    }

    async fn order(&self, order: AcknowledgementOrder) -> Result<Acknowledged, NotKept> {
        let (answer, answered) = oneshot::channel();
        self.orders.send(Order::Acknowledge { order, answer }).await.map_err(|_| NotKept::Stopping)?;
        answered.await.map_err(|_| NotKept::Stopping)
    }
}

/// Does what may block on a thread of its own.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, store::StoreError> + Send + 'static,
) -> Result<T, NotKept> {
    let begun = on_a_thread(|| spawn_blocking(work)).map_err(NotKept::Store)?;
    let done = begun.await.map_err(|error| NotKept::Store(error.to_string()))?;
    done.map_err(|error| {
        tracing::debug!(event = "acknowledgements_unread", "failed to {error}");
        NotKept::Store(error.to_string())
    })
}
