//! The metrics of the heartbeat, which are there only where one is configured: a rule about one that is missing must not fire
//! where nobody wants any. They have typed methods only: no call site passes a label.

use chrono::{DateTime, Utc};
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::answer::DeliveryFailure;

/// The label values where there is no label.
const NONE: &[&str] = &[];

/// The counters and gauges of the heartbeat.
#[derive(Debug, Clone)]
pub(super) struct HeartbeatInstruments {
    taken: IntCounterVec,
    failures: IntCounterVec,
    last_success: GaugeVec,
    withheld: IntGaugeVec,
}

impl HeartbeatInstruments {
    /// Creates the metrics and registers them.
    ///
    /// # Errors
    /// When one of the names is taken in `registry`.
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let taken =
            IntCounterVec::new(Opts::new("syncro_monitor_heartbeats_total", "Heartbeats that were taken."), NONE)?;
        let failures = IntCounterVec::new(
            Opts::new("syncro_monitor_heartbeat_failures_total", "Heartbeats that were not taken, by reason."),
            &["reason"],
        )?;
        let last_success = GaugeVec::new(
            Opts::new(
                "syncro_monitor_heartbeat_last_success_timestamp_seconds",
                "When a heartbeat was last taken, in seconds since the epoch; 0 before the first.",
            ),
            NONE,
        )?;
        let withheld = IntGaugeVec::new(
            Opts::new(
                "syncro_monitor_heartbeat_withheld",
                "Whether no heartbeat is sent because something is wrong, as the log says: 1 or 0.",
            ),
            NONE,
        )?;
        registry.register(Box::new(taken.clone()))?;
        registry.register(Box::new(failures.clone()))?;
        registry.register(Box::new(last_success.clone()))?;
        registry.register(Box::new(withheld.clone()))?;
        Ok(Self { taken, failures, last_success, withheld })
    }

    /// Makes every series appear, or takes them away.
    pub(super) fn configured(&self, is_there: bool) {
        if !is_there {
            self.taken.reset();
            self.failures.reset();
            self.last_success.reset();
            self.withheld.reset();
            return;
        }
        // They are made with the labels that they were declared with.
        self.taken.get_metric_with_label_values(NONE).map(|counter| counter.inc_by(0)).ok();
        self.last_success.get_metric_with_label_values(NONE).map(|gauge| gauge.add(0.0)).ok();
        self.withheld(false);
        let can_occur = |why: &DeliveryFailure| {
            !matches!(why, DeliveryFailure::Template | DeliveryFailure::Deferred | DeliveryFailure::Rejected)
        };
        for why in DeliveryFailure::all().filter(can_occur) {
            self.failures.get_metric_with_label_values(&[why.as_str()]).map(|counter| counter.inc_by(0)).ok();
        }
    }

    pub(super) fn taken(&self, now: DateTime<Utc>) {
        self.taken.get_metric_with_label_values(NONE).map(|counter| counter.inc()).ok();
        let seconds = now.timestamp_millis() as f64 / 1000.0;
        self.last_success.get_metric_with_label_values(NONE).map(|gauge| gauge.set(seconds)).ok();
    }

    pub(super) fn failed(&self, why: DeliveryFailure) {
        self.failures.get_metric_with_label_values(&[why.as_str()]).map(|counter| counter.inc()).ok();
    }

    pub(super) fn withheld(&self, is_withheld: bool) {
        self.withheld.get_metric_with_label_values(NONE).map(|gauge| gauge.set(i64::from(is_withheld))).ok();
    }
}
