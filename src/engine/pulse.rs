//! The beat of the loop: about once a second, whatever the wall clock does. The only file that names tokio-cron-scheduler.
//!
//! One cron job of that scheduler beats at whole seconds of the wall clock. It does nothing else, since its runs overlap
//! and can be lost, and it stands still until the wall clock catches up when that was set back. A monotonic timer beats in
//! its place wherever it is silent. What is due is decided by `plan`, so a lost beat costs a second.

use std::fmt;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::sleep;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// A scheduler that beats does so once a second; one that has not for so long is not waited for.
const SILENT: Duration = Duration::from_millis(1500);
/// A scheduler that was silent for so many beats waits for a time that may be years ahead; another one begins with the
/// clock as it is now.
const REPLACED_AFTER: u32 = 4;

/// Why there is no pulse.
#[derive(Debug, thiserror::Error)]
#[error("start the pulse: {0}")]
pub(crate) struct PulseError(#[from] JobSchedulerError);

/// The pulse, until it is stopped.
pub(crate) struct Pulse(JoinHandle<()>);

impl fmt::Debug for Pulse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pulse")
    }
}

impl Pulse {
    /// Starts beating. One beat at most waits to be taken.
    ///
    /// # Errors
    /// When the scheduler does not start.
    pub(crate) async fn start() -> Result<(Self, mpsc::Receiver<()>), PulseError> {
        let (beat, beats) = mpsc::channel(1);
        let scheduled = Scheduled::start().await?;
        Ok((Self(tokio::spawn(scheduled.forward(beat))), beats))
    }

    /// Stops beating.
    pub(crate) async fn stop(self) {
        self.0.abort();
        // An error says that it was aborted, which is what was wanted.
        self.0.await.ok();
    }
}

/// The scheduler and its beats.
struct Scheduled {
    scheduler: JobScheduler,
    beats: mpsc::Receiver<()>,
}

impl Scheduled {
    async fn start() -> Result<Self, JobSchedulerError> {
        let (beat, beats) = mpsc::channel(1);
        let scheduler = JobScheduler::new().await?;
        let every_second = Job::new("* * * * * *", move |_, _| {
            // Full means that the last one has not been taken yet: one is enough.
            beat.try_send(()).ok();
        })?;
        scheduler.add(every_second).await?;
        scheduler.start().await?;
        Ok(Self { scheduler, beats })
    }

    /// Hands on each beat, and beats where none comes, until nobody listens any more.
    async fn forward(mut self, beat: mpsc::Sender<()>) {
        let mut silent: u32 = 0;
        while !beat.is_closed() {
            tokio::select! {
                biased;
                Some(()) = self.beats.recv() => silent = 0,
                () = sleep(SILENT) => silent += 1,
            }
            beat.try_send(()).ok();
            if silent.is_multiple_of(REPLACED_AFTER) && silent > 0 {
                // One that does not start leaves the timer, which is enough.
                if let Ok(other) = Self::start().await {
                    let mut old = std::mem::replace(&mut self, other);
                    old.scheduler.shutdown().await.ok();
                }
            }
        }
        self.scheduler.shutdown().await.ok();
    }
}
