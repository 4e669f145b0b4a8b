//! The beat of the loop: one cron job of tokio-cron-scheduler that knocks once a second. The only file that names it.
//!
//! Its body does nothing else, since runs of that scheduler overlap and can be lost: what is due is decided by `plan`,
//! so a lost knock costs a second.

use std::fmt;

use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};

/// Why there is no pulse.
#[derive(Debug, thiserror::Error)]
#[error("start the pulse: {0}")]
pub struct PulseError(#[from] JobSchedulerError);

/// The pulse, until it is stopped.
pub struct Pulse(JobScheduler);

impl fmt::Debug for Pulse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Pulse")
    }
}

impl Pulse {
    /// Starts beating. One knock at most waits to be heard.
    ///
    /// # Errors
    /// When the scheduler does not start.
    pub async fn start() -> Result<(Self, mpsc::Receiver<()>), PulseError> {
        let (knock, knocks) = mpsc::channel(1);
        let scheduler = JobScheduler::new().await?;
        let every_second = Job::new("* * * * * *", move |_, _| {
            // Full means that the loop has not heard the last one yet: one is enough.
            knock.try_send(()).ok();
        })?;
        scheduler.add(every_second).await?;
        scheduler.start().await?;
        Ok((Self(scheduler), knocks))
    }

    /// Stops beating.
    pub async fn stop(mut self) {
        // Nothing depends on its end: the loop has gone already.
        self.0.shutdown().await.ok();
    }
}
