//! Access to the file of a shared budget from a task: on another thread, with a deadline, and one at a time, so that a
//! disk that hangs delays no request.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::system::trouble::on_a_thread;

use super::budget_file::{BudgetFile, Unshared};
use super::ledger::{Entry, Found, Party};

/// How long one access may take. It takes some microseconds, or a tenth of a second while somebody has the lock.
const LONGEST_ACCESS: Duration = Duration::from_secs(1);

/// How a budget is shared.
#[derive(Debug)]
pub(super) struct Sharing {
    file: BudgetFile,
    pub(super) party: Party,
    /// Locked by the access that runs, even if nobody waits for it any more.
    access: Arc<Mutex<()>>,
    /// Whether the last access failed.
    is_failing: AtomicBool,
}

impl Sharing {
    pub(super) fn new(file: BudgetFile, party: Party) -> Self {
        Self { file, party, access: Arc::default(), is_failing: AtomicBool::new(false) }
    }

    /// Does what [`BudgetFile::update`] does, and logs once that it fails, and that it succeeds again.
    pub(super) async fn update<T: Send + 'static>(
        &self,
        change: impl FnOnce(Found) -> (T, Option<Entry>) + Send + 'static,
    ) -> Result<T, Unshared> {
        let outcome = self.try_update(change).await;
        let was_failing = self.is_failing.swap(outcome.is_err(), Ordering::Relaxed);
        let path = self.file.path().display();
        match &outcome {
            Err(why) if !was_failing => tracing::warn!(
                event = "budget_not_shared",
                "the request budget cannot be shared through `{path}`: {why}; the daemon and commands such as `check` do not \
                 count each other's requests until it can"
            ),
            Ok(_) if was_failing => {
                tracing::info!(event = "budget_shared", "the request budget is shared through `{path}` again");
            }
            _ => {}
        }
        outcome
    }

    async fn try_update<T: Send + 'static>(
        &self,
        change: impl FnOnce(Found) -> (T, Option<Entry>) + Send + 'static,
    ) -> Result<T, Unshared> {
        let access = Arc::clone(&self.access);
        let access = if self.is_failing.load(Ordering::Relaxed) {
            // Nobody waits a second time for an access that hangs.
            access.try_lock_owned().map_err(|_| Unshared::Unfinished)?
        } else {
            timeout(LONGEST_ACCESS, access.lock_owned()).await.map_err(|_| Unshared::Unfinished)?
        };
        let file = self.file.clone();
        let update = move || {
            let _access = access;
            file.update(change)
        };
        let running = on_a_thread(|| spawn_blocking(update)).map_err(Unshared::NoThread)?;
        match timeout(LONGEST_ACCESS, running).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Err(Unshared::NoThread(error.to_string())),
            Err(_) => Err(Unshared::Unfinished),
        }
    }
}
