//! An event of PagerDuty's Events API v2. The routing key is a secret, so it is added where the event is sent. Pure.

use serde_json::{Value, json};

use crate::model::cut;
use crate::notify::fields::{Fields, moment};

/// The longest summary and the longest source, in characters (its page "PD-CEF").
const LONGEST_SUMMARY: usize = 1024;
/// The source where all tenants together are meant.
const FLEET: &str = "syncro";

/// The event for one notification. All events of an alert have its id as `dedup_key`, so that they are one incident.
pub(in crate::notify) fn pagerduty(fields: &Fields) -> Value {
    if fields.is_resolved() {
        return json!({ "event_action": "resolve", "dedup_key": fields.id });
    }
    let about = fields.about();
    let source = if about.is_empty() { FLEET } else { &about };
    let group = fields.tenant.as_deref().unwrap_or(FLEET);
    let mut event = json!({
        "event_action": "trigger",
        "dedup_key": fields.id,
        "client": env!("CARGO_PKG_NAME"),
        "client_url": fields.url,
        "links": [
            { "href": fields.runbook, "text": "What to do" },
            { "href": fields.url, "text": "Details" },
        ],
        "payload": {
            "summary": cut(&fields.message, LONGEST_SUMMARY),
            "source": cut(source, LONGEST_SUMMARY),
            "severity": fields.severity.as_str(),
            "timestamp": moment(fields.since),
            "group": cut(group, LONGEST_SUMMARY),
            "class": fields.alert,
            "custom_details": fields,
        },
    });
    if let Some(profile) = fields.profiles.first() {
        event["payload"]["component"] = profile.as_str().into();
    }
    event
}
