//! The metrics of the daemon about itself as a whole.

use chrono::{DateTime, Utc};
use prometheus::process_collector::ProcessCollector;
use prometheus::{Gauge, IntGauge, IntGaugeVec, Opts, Registry};

use crate::config::{Config, ZoneSource};
use crate::system::telemetry;

/// The commit that the program was built from, if the environment of the build names it.
const REVISION: Option<&str> = option_env!("SYNCRO_TOKEN_MONITOR_REVISION");

/// The gauges of the daemon.
#[derive(Debug, Clone)]
pub(super) struct Instruments {
    successful: IntGauge,
    success_timestamp: Gauge,
    receivers: IntGauge,
    zones: IntGaugeVec,
    shard: IntGaugeVec,
}

impl Instruments {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let successful = IntGauge::new(
            "syncro_monitor_config_last_reload_successful",
            "Whether the last attempt to load the configuration succeeded: 1 or 0.",
        )?;
        let success_timestamp = Gauge::new(
            "syncro_monitor_config_last_reload_success_timestamp_seconds",
            "When the configuration was last loaded, in seconds since the epoch.",
        )?;
        let receivers = IntGauge::new(
            "syncro_monitor_receivers",
            "Configured receivers of alerts besides the log. Rules that say the same stay silent while there are any.",
        )?;
        let build = IntGaugeVec::new(
            Opts::new("syncro_monitor_build_info", "Which build this is; the value is always 1."),
            &["version", "revision"],
        )?;
        build.get_metric_with_label_values(&[env!("CARGO_PKG_VERSION"), REVISION.unwrap_or("unknown")])?.set(1);
        let zones = IntGaugeVec::new(
            Opts::new(
                "syncro_monitor_time_zone_info",
                "Where the data on time zones come from that the configuration needs; the value is always 1.",
            ),
            &["source", "version"],
        )?;
        let shard = IntGaugeVec::new(
            Opts::new("syncro_monitor_shard_info", "Which of several daemons this one is; the value is always 1."),
            &["index", "count"],
        )?;
        registry.register(Box::new(shard.clone()))?;
        registry.register(Box::new(zones.clone()))?;
        registry.register(Box::new(successful.clone()))?;
        registry.register(Box::new(success_timestamp.clone()))?;
        registry.register(Box::new(receivers.clone()))?;
        registry.register(Box::new(build))?;
        registry.register(Box::new(ProcessCollector::for_self()))?;
        if let Some(dropped) = telemetry::dropped() {
            registry.register(Box::new(dropped))?;
        }
        Ok(Self { successful, success_timestamp, receivers, zones, shard })
    }

    /// Shows what is configured: the receivers besides the log, where the data on time zones came from, and which daemon this
    /// one is.
    pub(super) fn configured(&self, config: &Config) {
        self.receivers.set(i64::try_from(config.alerts.receivers.len()).unwrap_or(i64::MAX));
        self.zones(&config.zones);
        self.shard.reset();
        let [index, count] = [config.shard.index, config.shard.count].map(|number| number.to_string());
        self.shard.get_metric_with_label_values(&[&index, &count]).map(|shard| shard.set(1)).ok();
    }

    fn zones(&self, sources: &[ZoneSource]) {
        self.zones.reset();
        for source in sources {
            // Two labels, as they were named.
            self.zones.get_metric_with_label_values(&[source.as_str(), &source.version]).map(|zone| zone.set(1)).ok();
        }
    }

    pub(super) fn reloaded(&self, successful: bool, now: DateTime<Utc>) {
        self.successful.set(i64::from(successful));
        if successful {
            self.success_timestamp.set(now.timestamp_millis() as f64 / 1000.0);
        }
    }
}
