//! The metrics of the store about itself.

use prometheus::{IntCounter, IntGauge, Registry};

/// Whether state is being persisted, and how often it is written.
#[derive(Debug, Clone)]
pub struct Instruments {
    up: IntGauge,
    commits: IntCounter,
}

impl Instruments {
    /// Creates the metrics and registers them.
    ///
    /// # Errors
    /// When one of the names is taken in `registry`.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let up = IntGauge::new(
            "syncro_monitor_store_up",
            "Whether what happens is being persisted: 1, or 0 while the store cannot be written.",
        )?;
        let commits =
            IntCounter::new("syncro_monitor_store_commits_total", "Transactions that were written to the store.")?;
        registry.register(Box::new(up.clone()))?;
        registry.register(Box::new(commits.clone()))?;
        Ok(Self { up, commits })
    }

    pub(super) fn up(&self, up: bool) {
        self.up.set(i64::from(up));
    }

    pub(super) fn committed(&self) {
        self.commits.inc();
    }
}
