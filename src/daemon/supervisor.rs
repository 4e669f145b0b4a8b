//! The tasks that run as long as the daemon does: none should end by itself, and at the end all are joined.

use std::collections::HashMap;

use tokio::task::{Id, JoinError, JoinSet};

/// The parts of the daemon, each a task.
#[derive(Debug, Default)]
pub(super) struct Supervisor {
    tasks: JoinSet<Result<(), String>>,
    /// What each task is, as the subject of a sentence.
    names: HashMap<Id, &'static str>,
}

impl Supervisor {
    /// Starts a part.
    pub(super) fn start(
        &mut self,
        name: &'static str,
        part: impl Future<Output = Result<(), String>> + Send + 'static,
    ) {
        let id = self.tasks.spawn(part).id();
        self.names.insert(id, name);
    }

    /// Waits until a part has ended, which none should by itself, and says which and why. Cancel-safe.
    pub(super) async fn ended(&mut self) -> String {
        let Some(ended) = self.tasks.join_next_with_id().await else { return std::future::pending().await };
        match self.outcome(ended) {
            (name, Ok(())) => format!("{name} ended by itself"),
            (name, Err(why)) => format!("{name} ended by itself: {why}"),
        }
    }

    /// Waits for the end of every part.
    ///
    /// # Errors
    /// Which parts failed, and why; a panic is logged where it happens, too.
    pub(super) async fn join(mut self) -> Result<(), String> {
        let mut failed = Vec::new();
        while let Some(ended) = self.tasks.join_next_with_id().await {
            if let (name, Err(why)) = self.outcome(ended) {
                failed.push(format!("{name}: {why}"));
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
    }

    /// Which part has ended, and how.
    fn outcome(&self, ended: Result<(Id, Result<(), String>), JoinError>) -> (&'static str, Result<(), String>) {
        let (id, outcome) = match ended {
            Ok(ended) => ended,
            Err(error) => (error.id(), Err(error.to_string())),
        };
        (self.names.get(&id).copied().unwrap_or("a part of the daemon"), outcome)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_ends_is_named_with_its_reason() {
        let mut supervisor = Supervisor::default();
        supervisor.start("the loop", async { Err("no ticks".to_owned()) });
        assert_eq!(supervisor.ended().await, "the loop ended by itself: no ticks");
        supervisor.start("the receivers", async { Ok(()) });
        assert_eq!(supervisor.ended().await, "the receivers ended by itself");
        supervisor.start("the writer", async { panic!("expected by this test") });
        assert!(supervisor.ended().await.starts_with("the writer ended by itself: "));
    }

    #[tokio::test]
    async fn the_end_waits_for_every_part() {
        let (send, receive) = tokio::sync::oneshot::channel();
        let mut supervisor = Supervisor::default();
        supervisor.start("first", async { Ok(()) });
        supervisor.start("second", async {
            tokio::task::yield_now().await;
            send.send(()).map_err(|()| "nobody listens".to_owned())
        });
        assert_eq!((supervisor.join().await, receive.await), (Ok(()), Ok(())));
    }
}
