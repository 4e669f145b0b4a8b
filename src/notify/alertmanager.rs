//! What an Alertmanager is sent: everything that fires, again and again, and what has ended since. Pure.
//!
//! An Alertmanager believes that an alert fires until its `endsAt`; one that is not sent again in time is over for it.
//! So it is sent the state, not the news: whatever was missed is made up for by the next request.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use crate::alert::{Alert, Firing, Message, Severity, Status, page, runbook};
use crate::belief::{Cause, Evidence};
use crate::config::Only;
use crate::model::Scope;
use crate::state::{Delivery, Snapshot, passes};

use super::text::{LONGEST_FIELD, LONGEST_MESSAGE, cut};

/// How often what fires is sent again: much more often than the five minutes of a default `resolve_timeout`.
pub(crate) const RESEND: Duration = Duration::from_mins(1);
/// How long an alert is believed to fire without being sent again: a restart of the machine is no all-clear.
const BELIEVED: TimeDelta = TimeDelta::minutes(15);
/// How long a test fires: longer than a usual `group_wait`, short enough for somebody to wait for its all-clear.
const TEST: TimeDelta = TimeDelta::minutes(2);
/// How many alerts one request holds: some 300 KB.
const ALERTS_PER_REQUEST: usize = 250;
/// How long an alert that was refused for good is left out.
const REFUSED_FOR: Duration = Duration::from_mins(15);

/// The labels that identify an alert for an Alertmanager.
pub(super) type Labels = BTreeMap<&'static str, String>;

/// The alerts that an Alertmanager has been sent as firing, and those of them that it has refused.
#[derive(Debug)]
pub(super) struct Board {
    sent: BTreeMap<Labels, Value>,
    /// The alerts that were refused for good while others were taken, and until when each is left out, as the time
    /// since the worker began.
    refused: BTreeMap<Labels, Duration>,
    /// How many alerts one request holds.
    pub(super) per_request: usize,
}

/// What is to be sent now.
#[derive(Debug)]
pub(super) struct Update {
    /// The alerts, those that fire first.
    pub(super) alerts: Vec<(Labels, Value)>,
    /// What will have been sent as firing once the update is taken.
    firing: BTreeMap<Labels, Value>,
}

/// The clocks by which an update is made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    /// The present by our clock.
    pub(super) now: DateTime<Utc>,
    /// The time since the worker began, which no clock that is set right can change.
    pub(super) elapsed: Duration,
    /// How far the Alertmanager's clock is ahead of ours; `None` before its first answer.
    pub(super) offset: Option<TimeDelta>,
}

impl Clocks {
    /// A clock that differs by no more is good enough for ends that lie minutes ahead.
    pub(super) const TOLERANCE: TimeDelta = TimeDelta::seconds(30);

    /// Whether our moments mean something else to the Alertmanager.
    pub(super) fn differ(offset: Option<TimeDelta>) -> bool {
        offset.is_some_and(|offset| offset.abs() > Self::TOLERANCE)
    }

    /// A moment that has come, as it is sent: never in the receiver's future, where an end would not be one yet and a
    /// beginning would lie behind the end. A moment that is sent too early does no harm.
    fn past(self, at: DateTime<Utc>) -> DateTime<Utc> {
        at.min(self.now) + self.offset.unwrap_or_default().min(TimeDelta::zero())
    }

    /// When an alert that fires is believed to be over unless it is sent again. Left to the Alertmanager's own
    /// `resolve_timeout` where the clocks differ: by its clock our end may have passed, and the alert would arrive as
    /// already over. Before its first answer they are taken to agree; if that answer shows otherwise, all is sent again
    /// at once.
    fn believed(self) -> Option<DateTime<Utc>> {
        (!Self::differ(self.offset)).then(|| self.now + BELIEVED)
    }
}

impl Board {
    /// What was sent as firing before the program ended: what does not fire any more, under the same labels, is ended
    /// by the first update.
    pub(super) fn recall(fired: &[(Scope, Firing)], only: &Only, external_url: &str) -> Self {
        let recall = |(of, firing): &(Scope, Firing)| {
            let labels = labels(of, firing.alert, firing.severity, &firing.message);
            let alert = alert(&labels, of, firing.alert, &firing.message, (firing.since, None), external_url);
            (labels, alert)
        };
        let sent = fired.iter().filter(|(of, firing)| is_wanted(only, of, firing)).map(recall).collect();
        Self { sent, refused: BTreeMap::new(), per_request: ALERTS_PER_REQUEST }
    }

    /// What is to be sent now: all that fires, what was sent as firing and does not fire any more, and what of the news
    /// has ended and was perhaps never sent.
    pub(super) fn update<'a>(
        &self,
        snapshot: &Snapshot,
        only: &Only,
        news: impl Iterator<Item = &'a Delivery>,
        external_url: &str,
        clocks: Clocks,
    ) -> Update {
        let mut firing = BTreeMap::new();
        for (of, one) in snapshot.firing().filter(|(of, firing)| is_wanted(only, of, firing)) {
            let labels = labels(&of, one.alert, one.severity, &one.message);
            let times = (clocks.past(one.since), clocks.believed());
            let alert = alert(&labels, &of, one.alert, &one.message, times, external_url);
            firing.insert(labels, alert);
        }
        let mut ended = BTreeMap::new();
        for (labels, sent) in self.sent.iter().filter(|(labels, _)| !firing.contains_key(*labels)) {
            let mut alert = sent.clone();
            let end = clocks.past(clocks.now);
            let began = alert["startsAt"].as_str().and_then(|began| began.parse::<DateTime<Utc>>().ok());
            alert["startsAt"] = moment(began.map_or(end, |began| began.min(end))).into();
            alert["endsAt"] = moment(end).into();
            ended.insert(labels.clone(), alert);
        }
        for Delivery { notification, queued_at, .. } in news.filter(|news| news.notification.status == Status::Resolved)
        {
            let labels =
                labels(&notification.key.of, notification.key.alert, notification.severity, &notification.message);
            if !firing.contains_key(&labels) {
                let end = clocks.past(*queued_at);
                let times = (clocks.past(notification.since).min(end), Some(end));
                let alert = alert(
                    &labels,
                    &notification.key.of,
                    notification.key.alert,
                    &notification.message,
                    times,
                    external_url,
                );
                ended.insert(labels, alert);
            }
        }
        let all = firing.iter().map(|(labels, alert)| (labels.clone(), alert.clone())).chain(ended);
        let alerts =
            all.filter(|(labels, _)| self.refused.get(labels).is_none_or(|until| *until <= clocks.elapsed)).collect();
        Update { alerts, firing }
    }

    /// Takes note that the update was taken, except for what was refused for good.
    pub(super) fn sent(&mut self, update: Update) {
        self.sent = update.firing;
        self.refused.retain(|labels, _| self.sent.contains_key(labels));
    }

    /// Leaves out for a while these alerts, which were refused for good while others were taken. Returns those that
    /// were not refused before.
    pub(super) fn leave_out(&mut self, refused: Vec<Labels>, elapsed: Duration) -> Vec<Labels> {
        let mut new = refused;
        new.retain(|labels| self.refused.insert(labels.clone(), elapsed + REFUSED_FOR).is_none());
        new
    }

    /// Whether this notification is about an alert that is left out because it was refused.
    pub(super) fn leaves_out(&self, delivery: &Delivery) -> bool {
        let notification = &delivery.notification;
        self.refused.contains_key(&labels(
            &notification.key.of,
            notification.key.alert,
            notification.severity,
            &notification.message,
        ))
    }
}

fn is_wanted(only: &Only, of: &Scope, firing: &Firing) -> bool {
    passes(only, of, firing.alert, firing.severity, &firing.message)
}

/// The body of a request.
pub(super) fn body(alerts: &[(Labels, Value)]) -> String {
    let alerts: Vec<_> = alerts.iter().map(|(_, alert)| alert).collect();
    json!(alerts).to_string()
}

/// The body of the request for one test notification. The end of the alert is put off: an alert that is over before
/// `group_wait` has passed is paged to nobody, and whether a page arrives is what a test is for.
pub(super) fn alone(delivery: &Delivery, external_url: &str, clocks: Clocks) -> String {
    let Delivery { notification, .. } = delivery;
    let labels = labels(&notification.key.of, notification.key.alert, notification.severity, &notification.message);
    let end = clocks.now + clocks.offset.unwrap_or_default() + TEST;
    let times = (clocks.past(notification.since).min(end), Some(end));
    json!([alert(&labels, &notification.key.of, notification.key.alert, &notification.message, times, external_url)])
        .to_string()
}

/// The labels of an alert. What identifies an alert must not change while it fires: the cause why a permission is
/// missing, say, is no label.
fn labels(of: &Scope, alert: Alert, severity: Severity, message: &Message) -> Labels {
    let mut labels = BTreeMap::from([
        ("alertname", alert.as_str().to_owned()),
        ("job", env!("CARGO_PKG_NAME").to_owned()),
        ("severity", severity.as_str().to_owned()),
    ]);
    let more = [
        ("tenant", of.tenant()),
        ("token_name", of.token_name()),
        ("profile", message.profile.as_deref()),
        ("permission", message.permission.as_deref()),
        ("right", message.right.as_deref()),
    ];
    // An empty label is the same as none.
    let stated = more.into_iter().filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)));
    labels.extend(stated.map(|(name, value)| (name, field(value))));
    labels
}

fn alert(
    labels: &Labels,
    of: &Scope,
    alert: Alert,
    message: &Message,
    (since, end): (DateTime<Utc>, Option<DateTime<Utc>>),
    external_url: &str,
) -> Value {
    let mut annotations = Map::new();
    let subject = message.permission.as_ref().or(message.right.as_ref());
    let about = [labels.get("tenant"), labels.get("token_name"), subject].into_iter().flatten().map(String::as_str);
    let about = about.collect::<Vec<_>>().join(" / ");
    let about = field(&about);
    let summary = if about.is_empty() { alert.as_str().to_owned() } else { format!("{}: {about}", alert.as_str()) };
    annotations.insert("summary".to_owned(), summary.into());
    annotations.insert("description".to_owned(), cut(&message.text, LONGEST_MESSAGE).into());
    annotations.insert("runbook_url".to_owned(), runbook(external_url, alert).into());
    let more = [
        ("security_group", message.security_group.as_deref()),
        ("cause", message.cause.map(Cause::as_str)),
        ("evidence", message.evidence.map(Evidence::as_str)),
        ("shown_by", message.shown_by.as_deref()),
        ("contact", message.contact.as_deref()),
        ("note", message.note.as_deref()),
    ];
    annotations.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), field(value?).into()))));
    let mut alert = json!({
        "labels": labels,
        "annotations": annotations,
        "startsAt": moment(since),
        "generatorURL": page(external_url, of),
    });
    if let Some(end) = end {
        alert["endsAt"] = moment(end).into();
    }
    alert
}

fn field(text: &str) -> String {
    cut(text, LONGEST_FIELD).into_owned()
}

fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
