//! The tests of Prometheus rules that follow from a rehearsal: each alert fires under its own name, with its severity, from when
//! the daemon says so until it is over. `promtool test rules` reads them, as JSON. Pure.
//!
//! A rehearsal lasts for a year, and a test that waits as long takes long. So each stage of an alert takes ten minutes there, and
//! the name of the test says when it comes.

use indexmap::IndexMap;
use serde_json::{Value, json};

use crate::alert::{Change, Notification, Severity};
use crate::config::LOG;
use crate::metrics::alert_labels;

use super::{Sent, What};

/// How long each stage takes in a test, in minutes; whether it holds is seen after half of that.
const STAGE: usize = 10;

/// What scrapes are known by.
const SCRAPED: &str = r#"job="syncro-token-monitor", instance="monitor:9760""#;

/// A notification after which an alert fires with a severity, or does not fire.
struct Stage<'a> {
    when: String,
    severity: Option<Severity>,
    notification: &'a Notification,
}

/// The tests of a file of rules. `shown` is a moment for people.
pub(crate) fn rule_tests(rules: &str, sent: &[Sent], shown: impl Fn(&Sent) -> String) -> Value {
    let mut alerts: IndexMap<&str, Vec<Stage<'_>>> = IndexMap::new();
    for one in sent {
        // The log has everything, as what the daemon exports has.
        let What::Notification(notification) = &one.what else { continue };
        if one.receivers.iter().all(|name| **name != *LOG) {
            continue;
        }
        let severity = match notification.change {
            Change::New | Change::Escalated | Change::Deescalated => Some(notification.severity),
            change if change.ends() => None,
            _ => continue,
        };
        alerts.entry(&notification.id).or_default().push(Stage { when: shown(one), severity, notification });
    }
    json!({
        "rule_files": [rules],
        "evaluation_interval": "1m",
        // What is recorded comes before what is alerted from it.
        "group_eval_order": ["syncro-recording", "syncro-causes", "syncro-monitor"],
        "tests": alerts.values().map(|stages| test(stages)).collect::<Vec<_>>(),
    })
}

/// The test of one alert.
fn test(stages: &[Stage<'_>]) -> Value {
    let fires = |(place, stage): (usize, &Stage<'_>)| {
        let series = series(stage)?;
        // A stage that ends is followed by another one, or by nothing.
        let values = format!("_x{} 1x{} stale", (place + 1) * STAGE, STAGE - 1);
        Some(json!({ "series": series, "values": values }))
    };
    let receivers = json!({
        "series": format!("syncro_monitor_receivers{{{SCRAPED}}}"),
        "values": format!("0x{}", (stages.len() + 1) * STAGE),
    });
    let series = stages.iter().enumerate().filter_map(fires).chain([receivers]);
    let before = expected(None, stages[0].notification, 0);
    let then = stages.iter().enumerate().map(|(place, stage)| expected(stage.severity, stage.notification, place + 1));
    json!({
        "name": name(stages),
        "interval": "1m",
        "input_series": series.collect::<Vec<_>>(),
        "promql_expr_test": std::iter::once(before).chain(then).collect::<Vec<_>>(),
    })
}

/// What the daemon exports in a stage.
fn series(stage: &Stage<'_>) -> Option<String> {
    let Notification { id, key, .. } = stage.notification;
    let labels = alert_labels((id, key.alert, stage.severity?), &key.of, false);
    let labels = labels.iter().map(|(name, value)| format!("{name}={}", quoted(value))).collect::<Vec<_>>();
    Some(format!("syncro_alert{{{SCRAPED}, {}}}", labels.join(", ")))
}

/// How many alerts fire in a stage under the name and about whom it is, by severity. What labels and annotations a rule adds
/// is not compared.
fn expected(severity: Option<Severity>, of: &Notification, place: usize) -> Value {
    let labels = alert_labels((&of.id, of.key.alert, of.severity), &of.key.of, false);
    let about =
        labels.iter().filter(|(name, _)| matches!(*name, "tenant" | "token_name" | "security_group" | "user_id"));
    let about = about.map(|(name, value)| format!("{name}={}", quoted(value)));
    let fires = [format!("alertname={}", quoted(of.key.alert.as_str())), "alertstate=\"firing\"".to_owned()];
    let matchers = fires.into_iter().chain(about).collect::<Vec<_>>().join(", ");
    let samples = severity.map(|severity| {
        let labels = format!("{{severity={}}}", quoted(severity.as_str()));
        json!({ "labels": labels, "value": 1 })
    });
    json!({
        "expr": format!("count by (severity) (ALERTS{{{matchers}}})"),
        "eval_time": format!("{}m", place * STAGE + STAGE / 2),
        "exp_samples": samples.into_iter().collect::<Vec<_>>(),
    })
}

/// What the test is about, and when each of its stages comes.
fn name(stages: &[Stage<'_>]) -> String {
    let Notification { key, .. } = stages[0].notification;
    let whom =
        [key.of.tenant(), key.of.token_name(), key.of.security_group()].into_iter().flatten().collect::<Vec<_>>();
    let stages = stages.iter().map(|stage| match stage.severity {
        Some(severity) => format!("{} {}", severity.as_str(), stage.when),
        None => format!("over {}", stage.when),
    });
    let of = if whom.is_empty() { String::new() } else { format!(" of {}", whom.join("/")) };
    format!("{}{of}: {}", key.alert.as_str(), stages.collect::<Vec<_>>().join(", "))
}

/// A text as PromQL quotes it.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
