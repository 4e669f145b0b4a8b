//! Where notices go. A receiver delivers and says what it has delivered; it never chooses what to tell.

mod log;

use std::sync::Arc;

use tokio::sync::mpsc;

use super::Notice;

/// One notice on its way to a receiver.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Its number, never used twice: what a receiver hears again under the same number, it has heard.
    pub id: i64,
    /// What to tell.
    pub notice: Arc<Notice>,
}

/// The name of the log among receivers.
pub const LOG: &str = "log";

/// Writes each notice to the log until no more can come, and reports its number when it is written.
pub async fn log(mut deliveries: mpsc::Receiver<Delivery>, done: mpsc::Sender<i64>) {
    while let Some(Delivery { id, notice }) = deliveries.recv().await {
        log::tell(&notice);
        if done.send(id).await.is_err() {
            break;
        }
    }
}
