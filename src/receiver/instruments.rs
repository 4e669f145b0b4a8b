//! What is counted about receivers. Typed methods only: no call site passes a label.

use chrono::{DateTime, Utc};
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::post::Why;

/// Counters of the receivers.
#[derive(Debug, Clone)]
pub struct Instruments {
    told: IntCounterVec,
    failures: IntCounterVec,
    queued: IntGaugeVec,
    oldest: GaugeVec,
}

impl Instruments {
    /// Creates and registers them.
    ///
    /// # Errors
    /// When one of the names is taken in `registry`.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let told = IntCounterVec::new(
            Opts::new("syncro_monitor_notices_total", "Notices that a receiver has taken."),
            &["receiver"],
        )?;
        let failures = IntCounterVec::new(
            Opts::new(
                "syncro_monitor_notice_failures_total",
                "Attempts to tell a receiver that failed, by reason; what failed is tried again.",
            ),
            &["receiver", "reason"],
        )?;
        let queued = IntGaugeVec::new(
            Opts::new("syncro_monitor_notices_queued", "Notices that wait for a receiver."),
            &["receiver"],
        )?;
        let oldest = GaugeVec::new(
            Opts::new(
                "syncro_monitor_notices_oldest_timestamp_seconds",
                "When the oldest notice that waits for a receiver was queued, in seconds since the epoch; 0 if none waits.",
            ),
            &["receiver"],
        )?;
        registry.register(Box::new(told.clone()))?;
        registry.register(Box::new(failures.clone()))?;
        registry.register(Box::new(queued.clone()))?;
        registry.register(Box::new(oldest.clone()))?;
        Ok(Self { told, failures, queued, oldest })
    }

    /// Makes every series of a receiver appear.
    pub(super) fn appear(&self, receiver: &str) {
        self.told(receiver, 0);
        self.waits(receiver, 0, None);
        for why in Why::all() {
            if let Ok(counter) = self.failures.get_metric_with_label_values(&[receiver, why.as_str()]) {
                counter.inc_by(0);
            }
        }
    }

    /// Takes the series of a receiver away that is no longer configured.
    pub(super) fn disappear(&self, receiver: &str) {
        // What was never there need not go.
        self.told.remove_label_values(&[receiver]).ok();
        self.queued.remove_label_values(&[receiver]).ok();
        self.oldest.remove_label_values(&[receiver]).ok();
        for why in Why::all() {
            self.failures.remove_label_values(&[receiver, why.as_str()]).ok();
        }
    }

    pub(super) fn told(&self, receiver: &str, notices: usize) {
        if let Ok(counter) = self.told.get_metric_with_label_values(&[receiver]) {
            counter.inc_by(notices as u64);
        }
    }

    pub(super) fn failed(&self, receiver: &str, why: Why) {
        if let Ok(counter) = self.failures.get_metric_with_label_values(&[receiver, why.as_str()]) {
            counter.inc();
        }
    }

    pub(super) fn waits(&self, receiver: &str, notices: usize, oldest: Option<DateTime<Utc>>) {
        if let Ok(gauge) = self.queued.get_metric_with_label_values(&[receiver]) {
            gauge.set(i64::try_from(notices).unwrap_or(i64::MAX));
        }
        if let Ok(gauge) = self.oldest.get_metric_with_label_values(&[receiver]) {
            gauge.set(oldest.map_or(0.0, |at| at.timestamp_millis() as f64 / 1000.0));
        }
    }
}
