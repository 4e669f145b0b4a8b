//! The metrics of the canary, which are there only where one is configured. They have typed methods only: no call site
//! passes a label.

use std::time::Duration;

use chrono::{DateTime, Utc};
use prometheus::{GaugeVec, IntCounterVec, Opts, Registry};

/// The label values where there is no label.
const NONE: &[&str] = &[];

/// The counters and gauges of the canary.
#[derive(Debug, Clone)]
pub(super) struct CanaryInstruments {
    arrived: IntCounterVec,
    missing: IntCounterVec,
    delay: GaugeVec,
    last_success: GaugeVec,
}

impl CanaryInstruments {
    /// Creates the metrics and registers them.
    ///
    /// # Errors
    /// When one of the names is taken in `registry`.
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str| IntCounterVec::new(Opts::new(name, help), NONE);
        let gauge = |name: &str, help: &str| GaugeVec::new(Opts::new(name, help), NONE);
        let arrived = counter("syncro_monitor_canaries_total", "Canaries that arrived.")?;
        let missing = counter(
            "syncro_monitor_canary_failures_total",
            "Canaries that did not arrive within some minutes, or were refused.",
        )?;
        let delay = gauge(
            "syncro_monitor_canary_delay_seconds",
            "How long the last canary that arrived took through its receiver; absent before the first.",
        )?;
        let last_success = gauge(
            "syncro_monitor_canary_last_success_timestamp_seconds",
            "When a canary last arrived, in seconds since the epoch; 0 before the first.",
        )?;
        registry.register(Box::new(arrived.clone()))?;
        registry.register(Box::new(missing.clone()))?;
        registry.register(Box::new(delay.clone()))?;
        registry.register(Box::new(last_success.clone()))?;
        Ok(Self { arrived, missing, delay, last_success })
    }

    /// Makes every series appear, or takes them away.
    pub(super) fn configured(&self, is_there: bool) {
        if !is_there {
            self.arrived.reset();
            self.missing.reset();
            self.delay.reset();
            self.last_success.reset();
            return;
        }
        // They are made with the labels that they were declared with.
        self.arrived.get_metric_with_label_values(NONE).map(|counter| counter.inc_by(0)).ok();
        self.missing.get_metric_with_label_values(NONE).map(|counter| counter.inc_by(0)).ok();
        self.last_success.get_metric_with_label_values(NONE).map(|gauge| gauge.add(0.0)).ok();
    }

    pub(super) fn arrived(&self, delay: Duration, now: DateTime<Utc>) {
        self.arrived.get_metric_with_label_values(NONE).map(|counter| counter.inc()).ok();
        self.delay.get_metric_with_label_values(NONE).map(|gauge| gauge.set(delay.as_secs_f64())).ok();
        let seconds = now.timestamp_millis() as f64 / 1000.0;
        self.last_success.get_metric_with_label_values(NONE).map(|gauge| gauge.set(seconds)).ok();
    }

    pub(super) fn missing(&self) {
        self.missing.get_metric_with_label_values(NONE).map(|counter| counter.inc()).ok();
    }
}
