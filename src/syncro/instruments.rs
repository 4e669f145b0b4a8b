//! The metrics about the daemon's requests. They have typed methods only: no call site passes a label.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use prometheus::{Gauge, GaugeVec, Histogram, HistogramOpts, IntCounter, IntCounterVec, Opts, Registry};

use crate::catalog::Method;

use super::SourceAddress;

/// The buckets in seconds, from a fast answer to the longest configurable time-out.
const REQUEST_SECONDS: [f64; 11] = [0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 120.0];
/// The buckets in seconds, from no wait to a sweep that takes an hour.
const WAIT_SECONDS: [f64; 10] = [0.001, 0.01, 0.1, 0.5, 1.0, 5.0, 30.0, 60.0, 600.0, 3600.0];

/// The metrics of the Syncro client; clones share them.
#[derive(Debug, Clone)]
pub struct Instruments {
    requests: IntCounterVec,
    request_seconds: Histogram,
    budget: GaugeVec,
    sent: IntCounterVec,
    failing: GaugeVec,
    wait_seconds: Histogram,
    throttled: IntCounter,
    paused_until: Gauge,
    clock_offset: Gauge,
}

impl Instruments {
    /// Creates the metrics and registers them.
    ///
    /// # Errors
    /// When one of the names is taken in `registry`.
    pub fn new(registry: &Registry) -> prometheus::Result<Self> {
        let requests = IntCounterVec::new(
            Opts::new(
                "syncro_api_requests_total",
                "Requests sent to Syncro, by method and status code; code is none where no answer came.",
            ),
            &["method", "code"],
        )?;
        let request_seconds = Histogram::with_opts(
            HistogramOpts::new(
                "syncro_api_request_duration_seconds",
                "How long requests to Syncro took, from leaving the budget to the end of the answer.",
            )
            .buckets(REQUEST_SECONDS.to_vec()),
        )?;
        let budget = GaugeVec::new(
            Opts::new(
                "syncro_api_budget_requests_per_minute",
                "Configured request budget of each source address, requests a minute; the label is empty where the system \
                 chooses the address.",
            ),
            &["source_address"],
        )?;
        let sent = IntCounterVec::new(
            Opts::new("syncro_api_source_address_requests_total", "Requests sent to Syncro from each source address."),
            &["source_address"],
        )?;
        let failing = GaugeVec::new(
            Opts::new(
                "syncro_api_source_address_failing",
                "1 while requests from a source address are not answered that are from another one.",
            ),
            &["source_address"],
        )?;
        let wait_seconds = Histogram::with_opts(
            HistogramOpts::new("syncro_api_budget_wait_seconds", "How long requests waited for the budget.")
                .buckets(WAIT_SECONDS.to_vec()),
        )?;
        let throttled =
            IntCounter::new("syncro_api_throttled_total", "Answers of Syncro that said to send fewer requests.")?;
        let paused_until = Gauge::new(
            "syncro_api_paused_until_timestamp_seconds",
            "When the last pause ends, or ended, that Syncro asked for, in seconds since the epoch; 0 if it has not.",
        )?;
        let clock_offset = Gauge::new(
            "syncro_monitor_clock_offset_seconds",
            "How far Syncro's clock is ahead of ours, as its last answer shows; 0 before one does.",
        )?;
        registry.register(Box::new(clock_offset.clone()))?;
        registry.register(Box::new(paused_until.clone()))?;
        registry.register(Box::new(requests.clone()))?;
        registry.register(Box::new(request_seconds.clone()))?;
        registry.register(Box::new(budget.clone()))?;
        registry.register(Box::new(sent.clone()))?;
        registry.register(Box::new(failing.clone()))?;
        registry.register(Box::new(wait_seconds.clone()))?;
        registry.register(Box::new(throttled.clone()))?;
        let instruments = Self {
            requests,
            request_seconds,
            budget,
            sent,
            failing,
            wait_seconds,
            throttled,
            paused_until,
            clock_offset,
        };
        instruments.requested(Method::Get, Some(200), None);
        Ok(instruments)
    }

    /// Counts one request that ended with a status, or without an answer. `took` is `None` only to make the series
    /// appear.
    pub(super) fn requested(&self, method: Method, status: Option<u16>, took: Option<Duration>) {
        let code = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        if let Ok(counter) = self.requests.get_metric_with_label_values(&[method.as_str(), &code]) {
            counter.inc_by(u64::from(took.is_some()));
        }
        if let Some(took) = took {
            self.request_seconds.observe(took.as_secs_f64());
        }
    }

    /// Shows the source addresses, with the budget of each. An address that is not there any more has no series.
    pub(crate) fn sources(&self, sources: &[Arc<SourceAddress>], requests_per_minute: NonZeroU32) {
        self.budget.reset();
        self.failing.reset();
        for source in sources {
            let label = label(source.address());
            if let Ok(gauge) = self.budget.get_metric_with_label_values(&[&label]) {
                gauge.set(f64::from(requests_per_minute.get()));
            }
            self.source(source, 0);
        }
    }

    /// Counts requests that left from a source address, and shows whether it fails.
    pub(super) fn source(&self, source: &SourceAddress, requests: u64) {
        let label = label(source.address());
        if let Ok(counter) = self.sent.get_metric_with_label_values(&[&label]) {
            counter.inc_by(requests);
        }
        if let Ok(gauge) = self.failing.get_metric_with_label_values(&[&label]) {
            gauge.set(f64::from(u8::from(source.failing().is_some())));
        }
    }

    pub(super) fn waited(&self, time: Duration) {
        self.wait_seconds.observe(time.as_secs_f64());
    }

    /// Sets by how many seconds Syncro's clock is ahead of ours.
    pub(super) fn clock_offset(&self, seconds: i64) {
        self.clock_offset.set(seconds as f64);
    }

    /// Counts that Syncro asked for a pause, which ends at `until`.
    pub(super) fn throttled(&self, until: DateTime<Utc>) {
        self.throttled.inc();
        let until = until.timestamp_millis() as f64 / 1000.0;
        self.paused_until.set(self.paused_until.get().max(until));
    }
}

/// The value of the label `source_address`: empty where the system chooses the address.
fn label(address: Option<IpAddr>) -> String {
    address.map_or_else(String::new, |address| address.to_string())
}
