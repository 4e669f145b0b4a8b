//! What an Alertmanager is sent: everything that fires, again and again, and what has ended since. Pure.
//!
//! Alertmanager believes that an alert fires until its `endsAt`; one that is not sent again in time is over for it. So it
//! is sent the state, not the news: whatever was missed is made up for by the next request.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use crate::alert::{Alert, Severity, Status, Words, page, runbook};
use crate::config::TokenId;
use crate::memory::Delivery;
use crate::snapshot::Snapshot;
use crate::standing::{Cause, Evidence};

/// How often what fires is sent again: well inside the five minutes of a default `resolve_timeout`.
pub const RESEND: Duration = Duration::from_mins(1);
/// How long an alert is believed to fire without being sent again: a restart of the machine is no all-clear.
const BELIEVED: TimeDelta = TimeDelta::minutes(15);
/// How long a test fires: longer than a usual `group_wait`, short enough for somebody to wait for its all-clear.
const TEST: TimeDelta = TimeDelta::minutes(2);
/// Alerts in one request: some 300 KB.
const ALERTS_PER_REQUEST: usize = 250;

/// The labels that identify an alert for Alertmanager.
type Labels = BTreeMap<&'static str, String>;

/// What this Alertmanager has been sent as firing.
#[derive(Debug, Default)]
pub(super) struct Board {
    sent: BTreeMap<Labels, Value>,
}

/// What is to be sent now.
#[derive(Debug)]
pub(super) struct Update {
    /// The bodies of the requests.
    pub(super) bodies: Vec<String>,
    /// What will have been sent as firing then.
    firing: BTreeMap<Labels, Value>,
}

impl Board {
    /// What is to be sent now: all that fires, what was sent as firing and does not fire any more, and what of the news
    /// has ended and was perhaps never sent.
    pub(super) fn update<'a>(
        &self,
        snapshot: &Snapshot,
        news: impl Iterator<Item = &'a Delivery>,
        external_url: &str,
        now: DateTime<Utc>,
    ) -> Update {
        let mut firing = BTreeMap::new();
        for (tenant, token_name, known) in snapshot.firing() {
            let of = TokenId { tenant: tenant.to_owned(), token_name: token_name.to_owned() };
            let labels = labels(&of, known.alert, known.severity, &known.words);
            let alert = alert(&labels, &of, known.alert, &known.words, (known.since, now + BELIEVED), external_url);
            firing.insert(labels, alert);
        }
        let mut ended = BTreeMap::new();
        for (labels, sent) in self.sent.iter().filter(|(labels, _)| !firing.contains_key(*labels)) {
            let mut alert = sent.clone();
            alert["endsAt"] = moment(now).into();
            ended.insert(labels.clone(), alert);
        }
        for Delivery { notice, queued_at, .. } in news.filter(|news| news.notice.status == Status::Resolved) {
            let labels = labels(&notice.key.of, notice.key.alert, notice.severity, &notice.words);
            if !firing.contains_key(&labels) {
                let end = (*queued_at).min(now);
                let alert =
                    alert(&labels, &notice.key.of, notice.key.alert, &notice.words, (notice.since, end), external_url);
                ended.insert(labels, alert);
            }
        }
        let all: Vec<_> = firing.values().chain(ended.values()).collect();
        let bodies = all.chunks(ALERTS_PER_REQUEST).map(|chunk| json!(chunk).to_string()).collect();
        Update { bodies, firing }
    }

    /// All of it was taken.
    pub(super) fn sent(&mut self, update: Update) {
        self.sent = update.firing;
    }
}

/// A test. Its end is put off: an alert that is over before `group_wait` has passed is paged to nobody, and whether a page
/// arrives is what a test is for.
pub(super) fn alone(delivery: &Delivery, external_url: &str, now: DateTime<Utc>) -> String {
    let Delivery { notice, .. } = delivery;
    let labels = labels(&notice.key.of, notice.key.alert, notice.severity, &notice.words);
    json!([alert(&labels, &notice.key.of, notice.key.alert, &notice.words, (notice.since, now + TEST), external_url)])
        .to_string()
}

/// What identifies an alert must not change while it fires: who is short of a permission, say, is no label.
fn labels(of: &TokenId, alert: Alert, severity: Severity, words: &Words) -> Labels {
    let mut labels = BTreeMap::from([
        ("alertname", alert.as_str().to_owned()),
        ("job", env!("CARGO_PKG_NAME").to_owned()),
        ("severity", severity.as_str().to_owned()),
    ]);
    let more = [
        ("tenant", Some(of.tenant.as_str())),
        ("token_name", Some(of.token_name.as_str())),
        ("profile", words.profile.as_deref()),
        ("permission", words.permission.as_deref()),
        ("right", words.right.as_deref()),
    ];
    // An empty label is the same as none.
    labels.extend(
        more.into_iter()
            .filter_map(|(name, value)| value.filter(|value| !value.is_empty()).map(|value| (name, value.to_owned()))),
    );
    labels
}

fn alert(
    labels: &Labels,
    of: &TokenId,
    alert: Alert,
    words: &Words,
    (since, end): (DateTime<Utc>, DateTime<Utc>),
    external_url: &str,
) -> Value {
    let mut annotations = Map::new();
    let subject = words.permission.as_ref().or(words.right.as_ref());
    let about = [labels.get("tenant"), labels.get("token_name"), subject].into_iter().flatten().map(String::as_str);
    let about = about.collect::<Vec<_>>().join(" / ");
    let summary = if about.is_empty() { alert.as_str().to_owned() } else { format!("{}: {about}", alert.as_str()) };
    annotations.insert("summary".to_owned(), summary.into());
    annotations.insert("description".to_owned(), words.message.clone().into());
    annotations.insert("runbook_url".to_owned(), runbook(external_url, alert).into());
    let more = [
        ("security_group", words.security_group.as_deref()),
        ("cause", words.cause.map(Cause::as_str)),
        ("evidence", words.evidence.map(Evidence::as_str)),
        ("shown_by", words.shown_by.as_deref()),
    ];
    annotations.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.into()))));
    json!({
        "labels": labels,
        "annotations": annotations,
        // What began must have begun before it ended.
        "startsAt": moment(since.min(end)),
        "endsAt": moment(end),
        "generatorURL": page(external_url, of),
    })
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
