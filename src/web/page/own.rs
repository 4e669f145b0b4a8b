//! What the monitor says of itself at the head of every page: whether it watches, and what of its own is in trouble. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use prometheus::proto::{Metric, MetricFamily};

use crate::state::Snapshot;
use crate::syncro::FailingAddress;

use super::when::{When, span};

/// A notification that has waited for so long waits for the receiver, and not to be gathered with others.
const WAITS: TimeDelta = TimeDelta::minutes(5);

/// The state of the monitor itself.
#[derive(Debug, Default)]
pub(in super::super) struct Own {
    /// How many tokens are watched, and when the loop last ticked; `None` before it has begun.
    pub(super) pulse: Option<(usize, When)>,
    /// What is in trouble, one sentence each without its full stop.
    pub(super) troubles: Vec<String>,
    /// What holds instead of the intervals that are configured, and what would restore those, two sentences without their
    /// full stops; `None` where they hold.
    pub(super) stretched: Option<[String; 2]>,
    /// How many alerts fire.
    pub(super) alerts: usize,
}

impl Own {
    /// What a snapshot and the daemon's own metrics say, and why the loop does not turn, if it does not.
    pub(in super::super) fn new(
        snapshot: &Snapshot,
        stalled: Option<String>,
        metrics: &[MetricFamily],
        now: DateTime<Utc>,
    ) -> Self {
        let is_zero = |name: &str| of(metrics, name).any(|metric| metric.get_gauge().get_value() == 0.0);
        let mut troubles: Vec<_> = stalled.map(|why| format!("No check is being made: {why}")).into_iter().collect();
        if is_zero("syncro_monitor_config_last_reload_successful") {
            troubles.push("The last reload was refused: the configuration before it is in force".to_owned());
        }
        if is_zero("syncro_monitor_store_up") {
            troubles.push("The store cannot be written: a restart forgets what happens now".to_owned());
        }
        troubles.extend(of(metrics, "syncro_monitor_notices_oldest_timestamp_seconds").filter_map(|metric| {
            let queued = DateTime::from_timestamp(metric.get_gauge().get_value() as i64, 0)?;
            let waits = Some(now - queued).filter(|waits| queued > DateTime::UNIX_EPOCH && *waits > WAITS)?;
            let receiver = metric.get_label().iter().find(|label| label.name() == "receiver")?.value();
            Some(format!("Notifications have waited for the receiver {receiver} for {}", span(waits)))
        }));
        troubles.extend(snapshot.clock_difference.map(|ahead| {
            let side = if ahead > TimeDelta::zero() { "behind" } else { "ahead of" };
            let by = span(ahead.abs());
            format!("The clock of this machine is {by} {side} Syncro's: a refused token may be called expired wrongly")
        }));
        troubles.extend(snapshot.failing_addresses.iter().map(|FailingAddress { address, since }| {
            let lasting = span(now - *since);
            format!("No answer has come to the source address {address} for {lasting}: its tenants are asked from the others")
        }));
        Self {
            pulse: snapshot.last_tick.map(|tick| (snapshot.tokens.len(), When::new(tick, now))),
            troubles,
            stretched: snapshot.intervals.and_then(|intervals| Some([intervals.stretched()?, intervals.remedy()])),
            alerts: snapshot.firing().count(),
        }
    }
}

/// The metrics of a family.
fn of<'a>(metrics: &'a [MetricFamily], name: &str) -> impl Iterator<Item = &'a Metric> {
    metrics.iter().filter(move |family| family.name() == name).flat_map(MetricFamily::get_metric)
}

#[cfg(test)]
mod tests {
    use prometheus::{Gauge, GaugeVec, Opts, Registry};

    use super::*;
    use crate::testing::at;

    #[test]
    fn the_monitor_says_what_of_its_own_is_in_trouble() {
        let registry = Registry::new();
        let gauge = |name: &str| {
            let gauge = Gauge::new(name, "help").unwrap();
            registry.register(Box::new(gauge.clone())).unwrap();
            gauge
        };
        let [reload, store] = ["syncro_monitor_config_last_reload_successful", "syncro_monitor_store_up"].map(gauge);
        let oldest = Opts::new("syncro_monitor_notices_oldest_timestamp_seconds", "help");
        let oldest = GaugeVec::new(oldest, &["receiver"]).unwrap();
        registry.register(Box::new(oldest.clone())).unwrap();
        let waits_since = |receiver: &str, at: f64| oldest.with_label_values(&[receiver]).set(at);
        let said = |snapshot: &Snapshot, stalled: Option<&str>| {
            Own::new(snapshot, stalled.map(str::to_owned), &registry.gather(), at(0)).troubles.join(" | ")
        };
        let fine = Snapshot { last_tick: Some(at(-2)), ..Snapshot::default() };
        let set = |value: f64| {
            reload.set(value);
            store.set(value);
        };
        set(1.0);
        waits_since("idle", 0.0);
        waits_since("gathers", (at(-60).timestamp()) as f64);
        assert_eq!(said(&fine, None), "");
        assert_eq!(said(&Snapshot::default(), None), "", "it is starting");
        set(0.0);
        waits_since("chat", (at(-720).timestamp()) as f64);
        let failing = FailingAddress { address: [203, 0, 113, 4].into(), since: at(-300) };
        let (clock_difference, failing_addresses) = (Some(TimeDelta::minutes(3)), vec![failing]);
        let behind = Snapshot { clock_difference, failing_addresses, ..fine };
        let said = said(&behind, Some("the loop has not turned for 40 s"));
        for part in [
            "has not turned for 40 s",
            "reload was refused",
            "store cannot",
            "receiver chat for 12 min",
            "3 min behind",
            "203.0.113.4 for 5 min",
        ] {
            assert!(said.contains(part), "`{part}` is missing: {said}");
        }
        assert_eq!(said.matches('|').count(), 5, "{said}");
    }
}
