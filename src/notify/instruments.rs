//! The metrics of the receivers. They have typed methods only: no call site passes a label.

use chrono::{DateTime, TimeDelta, Utc};
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry};

use super::answer::DeliveryFailure;
use super::canary_instruments::CanaryInstruments;
use super::heartbeat_instruments::HeartbeatInstruments;

/// The counters and gauges of the receivers.
#[derive(Debug, Clone)]
pub struct Instruments {
    notified: IntCounterVec,
    failures: IntCounterVec,
    queued: IntGaugeVec,
    oldest: GaugeVec,
    set_aside: IntCounterVec,
    superseded: IntCounterVec,
    clock: GaugeVec,
    digests: IntCounterVec,
    pub(super) heartbeat: HeartbeatInstruments,
    pub(super) canary: CanaryInstruments,
}

impl Instruments {
    /// Creates the metrics and registers them.
    ///
    /// # Errors
    /// When one of the names is taken in `registry`.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let notified = IntCounterVec::new(
            Opts::new("syncro_monitor_notices_total", "Notifications that a receiver has taken."),
            &["receiver"],
        )?;
        let failures = IntCounterVec::new(
            Opts::new(
                "syncro_monitor_notice_failures_total",
                "Attempts to notify a receiver that failed, by reason; what failed is tried again.",
            ),
            &["receiver", "reason"],
        )?;
        let queued = IntGaugeVec::new(
            Opts::new("syncro_monitor_notices_queued", "Notifications that wait for a receiver."),
            &["receiver"],
        )?;
        let oldest = GaugeVec::new(
            Opts::new(
                "syncro_monitor_notices_oldest_timestamp_seconds",
                "When the oldest notification that waits for a receiver was queued, in seconds since the epoch; 0 if \
                 none waits.",
            ),
            &["receiver"],
        )?;
        let set_aside = IntCounterVec::new(
            Opts::new(
                "syncro_monitor_notifications_set_aside_total",
                "Notifications that a receiver refused for good while it took others; they are not sent again by \
                 themselves.",
            ),
            &["receiver"],
        )?;
        let superseded = IntCounterVec::new(
            Opts::new(
                "syncro_monitor_notifications_superseded_total",
                "Notifications that were left out because their alert came and went again while they waited.",
            ),
            &["receiver"],
        )?;
        let clock = GaugeVec::new(
            Opts::new(
                "syncro_monitor_receiver_clock_offset_seconds",
                "How far a receiver's clock is ahead of ours, as its last answer shows; absent until one does.",
            ),
            &["receiver"],
        )?;
        let digests = IntCounterVec::new(
            Opts::new("syncro_monitor_digests_total", "Digests that a receiver has taken."),
            &["receiver"],
        )?;
        let counters =
            [&notified, &failures, &set_aside, &superseded, &digests].map(|counter| Box::new(counter.clone()));
        counters.into_iter().try_for_each(|counter| registry.register(counter))?;
        registry.register(Box::new(queued.clone()))?;
        registry.register(Box::new(oldest.clone()))?;
        registry.register(Box::new(clock.clone()))?;
        let (heartbeat, canary) = (HeartbeatInstruments::new(registry)?, CanaryInstruments::new(registry)?);
        Ok(Self { notified, failures, queued, oldest, set_aside, superseded, clock, digests, heartbeat, canary })
    }

    /// Makes every series of a receiver appear.
    pub(super) fn appear(&self, receiver: &str) {
        self.notified(receiver, 0);
        self.set_aside(receiver, 0);
        self.superseded(receiver, 0);
        self.waits(receiver, 0, None);
        for why in DeliveryFailure::all() {
            if let Ok(counter) = self.failures.get_metric_with_label_values(&[receiver, why.as_str()]) {
                counter.inc_by(0);
            }
        }
    }

    /// Takes the series of a receiver away that is no longer configured.
    pub(super) fn disappear(&self, receiver: &str) {
        // A series that was never there need not be removed.
        self.notified.remove_label_values(&[receiver]).ok();
        self.queued.remove_label_values(&[receiver]).ok();
        self.oldest.remove_label_values(&[receiver]).ok();
        self.set_aside.remove_label_values(&[receiver]).ok();
        self.superseded.remove_label_values(&[receiver]).ok();
        self.clock.remove_label_values(&[receiver]).ok();
        for why in DeliveryFailure::all() {
            self.failures.remove_label_values(&[receiver, why.as_str()]).ok();
        }
    }

    pub(super) fn notified(&self, receiver: &str, notifications: usize) {
        if let Ok(counter) = self.notified.get_metric_with_label_values(&[receiver]) {
            counter.inc_by(notifications as u64);
        }
    }

    pub(super) fn digested(&self, receiver: &str, digests: u64) {
        if let Ok(counter) = self.digests.get_metric_with_label_values(&[receiver]) {
            counter.inc_by(digests);
        }
    }

    /// Takes the series of the digests of a receiver away that wants none any more.
    pub(super) fn digests_disappear(&self, receiver: &str) {
        // A series that was never there need not be removed.
        self.digests.remove_label_values(&[receiver]).ok();
    }

    pub(super) fn set_aside(&self, receiver: &str, notifications: usize) {
        if let Ok(counter) = self.set_aside.get_metric_with_label_values(&[receiver]) {
            counter.inc_by(notifications as u64);
        }
    }

    pub(super) fn superseded(&self, receiver: &str, notifications: usize) {
        if let Ok(counter) = self.superseded.get_metric_with_label_values(&[receiver]) {
            counter.inc_by(notifications as u64);
        }
    }

    pub(super) fn clock(&self, receiver: &str, offset: TimeDelta) {
        if let Ok(gauge) = self.clock.get_metric_with_label_values(&[receiver]) {
            gauge.set(offset.num_seconds() as f64);
        }
    }

    pub(super) fn failed(&self, receiver: &str, why: DeliveryFailure) {
        if let Ok(counter) = self.failures.get_metric_with_label_values(&[receiver, why.as_str()]) {
            counter.inc();
        }
    }

    pub(super) fn waits(&self, receiver: &str, notifications: usize, oldest: Option<DateTime<Utc>>) {
        if let Ok(gauge) = self.queued.get_metric_with_label_values(&[receiver]) {
            gauge.set(i64::try_from(notifications).unwrap_or(i64::MAX));
        }
        if let Ok(gauge) = self.oldest.get_metric_with_label_values(&[receiver]) {
            gauge.set(oldest.map_or(0.0, |at| at.timestamp_millis() as f64 / 1000.0));
        }
    }
}
