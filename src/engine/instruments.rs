//! What the loop counts about itself. Typed methods only: no call site passes a label.

use std::time::Duration;

use chrono::{DateTime, Utc};
use prometheus::{Gauge, GaugeVec, HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry};

use crate::belief::{Check, TransitionKind};
use crate::state::Snapshot;
use crate::syncro::{Observation, Reason};

use super::effect::{Checked, Outcome, checked_by};

/// In seconds: from one quick answer to a check that waited for its turn in a full budget.
const CHECK_SECONDS: [f64; 10] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0, 120.0, 600.0];

/// Counters of the loop.
#[derive(Debug, Clone)]
pub struct Instruments {
    checks: IntCounterVec,
    failures: IntCounterVec,
    seconds: HistogramVec,
    transitions: IntCounterVec,
    due: IntGauge,
    last_tick: Gauge,
    intervals: GaugeVec,
}

impl Instruments {
    /// Creates the counters with all their series and registers them.
    ///
    /// # Errors
    /// When one of the names is taken in `registry`.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let counter = |name: &str, help: &str, labels: &[&str]| IntCounterVec::new(Opts::new(name, help), labels);
        let checks = counter("syncro_checks_total", "Checks made, by check.", &["check"])?;
        let failures = counter(
            "syncro_check_failures_total",
            "Checks that gave no verdict because they could not be made, by check and reason.",
            &["check", "reason"],
        )?;
        let seconds = HistogramVec::new(
            HistogramOpts::new(
                "syncro_check_duration_seconds",
                "How long this check took, waiting for the request budget included.",
            )
            .buckets(CHECK_SECONDS.to_vec()),
            &["check"],
        )?;
        let transitions = counter("syncro_transitions_total", "Changes of the status of a token, by kind.", &["kind"])?;
        let due = IntGauge::new("syncro_monitor_checks_due", "Checks that should have begun and wait for their turn.")?;
        let last_tick = Gauge::new(
            "syncro_monitor_last_tick_timestamp_seconds",
            "When the scheduler last beat, in seconds since the epoch.",
        )?;
        let intervals = GaugeVec::new(
            Opts::new(
                "syncro_monitor_interval_seconds",
                "How often each token is checked, by check: as configured, or as often as the budget allows.",
            ),
            &["check"],
        )?;
        registry.register(Box::new(intervals.clone()))?;
        registry.register(Box::new(checks.clone()))?;
        registry.register(Box::new(failures.clone()))?;
        registry.register(Box::new(seconds.clone()))?;
        registry.register(Box::new(transitions.clone()))?;
        registry.register(Box::new(due.clone()))?;
        registry.register(Box::new(last_tick.clone()))?;
        for check in Check::ALL.iter().copied() {
            checks.get_metric_with_label_values(&[check.as_str()])?;
            seconds.get_metric_with_label_values(&[check.as_str()])?;
            intervals.get_metric_with_label_values(&[check.as_str()])?;
            for reason in Reason::ALL.iter().copied() {
                failures.get_metric_with_label_values(&[check.as_str(), reason.as_str()])?;
            }
        }
        for kind in TransitionKind::ALL.iter().copied() {
            transitions.get_metric_with_label_values(&[kind.as_str()])?;
        }
        Ok(Self { checks, failures, seconds, transitions, due, last_tick, intervals })
    }

    pub(super) fn checked(&self, checked: &Checked) {
        let check = checked.check.as_str();
        if let Ok(counter) = self.checks.get_metric_with_label_values(&[check]) {
            counter.inc();
        }
        if let Outcome::Failed { failure, .. } = &checked.outcome
            && let Ok(counter) = self.failures.get_metric_with_label_values(&[check, failure.reason.as_str()])
        {
            counter.inc();
        }
    }

    pub(super) fn took(&self, observed: &Observation, took: Duration) {
        let check = checked_by(observed);
        if let Ok(histogram) = self.seconds.get_metric_with_label_values(&[check.as_str()]) {
            histogram.observe(took.as_secs_f64());
        }
    }

    pub(super) fn changed(&self, kind: TransitionKind) {
        if let Ok(counter) = self.transitions.get_metric_with_label_values(&[kind.as_str()]) {
            counter.inc();
        }
    }

    /// The loop has turned.
    pub(super) fn turned(&self, snapshot: &Snapshot, now: DateTime<Utc>) {
        self.due.set(i64::try_from(snapshot.checks_due).unwrap_or(i64::MAX));
        let beat = snapshot.last_tick.unwrap_or(now);
        self.last_tick.set(beat.timestamp_millis() as f64 / 1000.0);
        let Some(intervals) = snapshot.intervals else { return };
        for (check, interval) in [(Check::Validity, intervals.validity), (Check::Permissions, intervals.permissions)] {
            if let Ok(gauge) = self.intervals.get_metric_with_label_values(&[check.as_str()]) {
                gauge.set(interval.holds.as_secs_f64());
            }
        }
    }
}
