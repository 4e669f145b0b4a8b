//! What an Alertmanager is sent: everything that fires, again and again, and what has ended since. Pure.
//!
//! An Alertmanager believes that an alert fires until its `endsAt`; one that is not sent again in time is over for it.
//! So it is sent the state, not the news: whatever was missed is made up for by the next request.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Map, Value, json};

use crate::alert::{Alert, Change, Firing, Notification};
use crate::config::Only;
use crate::model::cut;
use crate::state::{Delivery, Snapshot, passes};

use super::fields::Fields;
use super::text::LONGEST_FIELD;

/// How often what fires is sent again: much more often than the five minutes of a default `resolve_timeout`.
pub(crate) const RESEND: Duration = Duration::from_mins(1);
/// How long an alert is believed to fire without being sent again: a restart of the machine is no all-clear.
const BELIEVED: TimeDelta = TimeDelta::minutes(15);
/// How long a test fires: longer than a usual `group_wait`, short enough for somebody to wait for its all-clear.
const TEST: TimeDelta = TimeDelta::minutes(2);
/// How many alerts one request holds: some 500 KB.
const ALERTS_PER_REQUEST: usize = 250;
/// How long an alert that was refused for good is left out.
const REFUSED_FOR: Duration = Duration::from_mins(15);

/// The label with the id of the alert.
pub(super) const INCIDENT: &str = "incident";
/// The label with the profile of the integration that is affected, where it is only one.
const PROFILE: &str = "profile";
/// What stands for all tenants together in `instance` and `service`.
const FLEET: &str = "syncro";
/// The longest annotation, in characters: a list of many names, or all steps.
const LONGEST_ANNOTATION: usize = 4_000;

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
    pub(super) fn recall(fired: &[Firing], only: &Only, external_url: &str) -> Self {
        let sent = fired.iter().map(state).filter(|state| passes(only, state)).map(|state| {
            let labels = labels(&state);
            let alert = alert(&labels, &state, (state.since, None), external_url);
            (labels, alert)
        });
        Self { sent: sent.collect(), refused: BTreeMap::new(), per_request: ALERTS_PER_REQUEST }
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
        let (mut firing, former) = (BTreeMap::new(), self.former());
        for state in snapshot.firing().map(state).filter(|state| passes(only, state)) {
            let labels = as_before(labels(&state), &former);
            let times = (clocks.past(state.since), clocks.believed());
            let alert = alert(&labels, &state, times, external_url);
            firing.insert(labels, alert);
        }
        let news: Vec<_> = news.collect();
        let test = news.iter().filter(|news| news.notification.key.alert == Alert::TestAlert);
        let test = test.max_by_key(|news| news.queued_at).map(|news| &news.notification);
        if let Some(test) = test.filter(|test| !test.change.ends()) {
            // No filter holds for a canary, which is for this receiver by its name.
            let labels = labels(test);
            let times = (clocks.past(test.since), clocks.believed());
            let alert = alert(&labels, test, times, external_url);
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
        for Delivery { notification, queued_at, .. } in news.into_iter().filter(|news| news.ends()) {
            let labels = as_before(labels(notification), &former);
            if !firing.contains_key(&labels) {
                let end = clocks.past(*queued_at);
                let times = (clocks.past(notification.since).min(end), Some(end));
                let alert = alert(&labels, notification, times, external_url);
                ended.insert(labels, alert);
            }
        }
        let all = firing.iter().map(|(labels, alert)| (labels.clone(), alert.clone())).chain(ended);
        let alerts =
            all.filter(|(labels, _)| self.refused.get(labels).is_none_or(|until| *until <= clocks.elapsed)).collect();
        Update { alerts, firing }
    }

    /// The labels under which each alert was last sent, by its id.
    fn former(&self) -> HashMap<&str, &Labels> {
        self.sent.keys().filter_map(|labels| Some((labels.get(INCIDENT)?.as_str(), labels))).collect()
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
        self.refused.contains_key(&as_before(labels(&delivery.notification), &self.former()))
    }
}

/// What fires, as a notification of it would say it.
pub(super) fn state(firing: &Firing) -> Notification {
    Notification::of(firing, Change::New)
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
    let labels = labels(notification);
    let end = clocks.now + clocks.offset.unwrap_or_default() + TEST;
    let times = (clocks.past(notification.since).min(end), Some(end));
    json!([alert(&labels, notification, times, external_url)]).to_string()
}

/// The labels of an alert. What identifies an alert must not change while it fires: what it affects, say, is no label.
/// `instance` and `service` are there for the rules that are shipped with Alertmanagers, by which a critical alert silences
/// the warnings that have them in common.
fn labels(notification: &Notification) -> Labels {
    let Notification { id, key, severity, message, .. } = notification;
    let user_id = key.of.user_id().map(|user| user.to_string());
    let profile = if let [profile] = message.profiles.as_slice() { Some(profile.as_str()) } else { None };
    let names = [key.of.tenant().map(str::to_owned), key.of.subject()];
    let instance = names.into_iter().flatten().collect::<Vec<_>>().join("/");
    let instance = if instance.is_empty() { FLEET } else { &instance };
    let all = [
        ("alertname", Some(key.alert.as_str())),
        ("job", Some(env!("CARGO_PKG_NAME"))),
        ("severity", Some(severity.as_str())),
        ("scope", Some(key.of.kind())),
        (INCIDENT, Some(id.as_str())),
        ("instance", Some(instance)),
        ("service", Some(instance)),
        ("tenant", key.of.tenant()),
        ("token_name", key.of.token_name()),
        ("security_group", key.of.security_group()),
        ("user_id", user_id.as_deref()),
        (PROFILE, profile),
    ];
    // An empty label is the same as none.
    let stated = all.into_iter().filter_map(|(name, value)| Some((name, value.filter(|value| !value.is_empty())?)));
    stated.map(|(name, value)| (name, cut(value, LONGEST_FIELD).into_owned())).collect()
}

/// The labels with the profile under which the alert was sent before: that only one integration is left of several makes it
/// no other alert.
fn as_before(mut labels: Labels, former: &HashMap<&str, &Labels>) -> Labels {
    if let Some(former) = labels.get(INCIDENT).and_then(|incident| former.get(incident.as_str())) {
        labels.remove(PROFILE);
        labels.extend(former.get(PROFILE).map(|profile| (PROFILE, profile.clone())));
    }
    labels
}

fn alert(
    labels: &Labels,
    notification: &Notification,
    (since, end): (DateTime<Utc>, Option<DateTime<Utc>>),
    external_url: &str,
) -> Value {
    let fields = Fields::of_notification(notification, external_url);
    let about = fields.about();
    let summary = if about.is_empty() { fields.alert.to_owned() } else { format!("{}: {about}", fields.alert) };
    let list = |members: &[String]| (!members.is_empty()).then(|| members.join(", "));
    let steps = fields.numbered_steps().collect::<Vec<_>>().join("\n");
    let annotations = [
        ("summary", Some(cut(&summary, LONGEST_FIELD).into_owned())),
        ("steps", (!steps.is_empty()).then_some(steps)),
        ("token_names", list(&fields.token_names)),
        ("permissions", list(&fields.permissions)),
        ("rights", list(&fields.rights)),
        ("profiles", list(&fields.profiles)),
        ("affected", list(&fields.affected)),
        ("security_group", fields.security_group.clone()),
        ("cause", fields.cause.map(|cause| cause.as_str().to_owned())),
        ("strength", fields.strength.map(|strength| <&str>::from(strength).to_owned())),
        ("evidence", fields.evidence.map(|evidence| evidence.as_str().to_owned())),
        ("shown_by", fields.shown_by.clone()),
        ("contact", fields.contact.clone()),
        ("note", fields.note.clone()),
        ("description", Some(fields.message)),
        ("runbook_url", Some(fields.runbook)),
    ];
    let stated = annotations.into_iter().filter_map(|(name, text)| Some((name.to_owned(), text?)));
    let annotations: Map<_, _> = stated.map(|(name, text)| (name, cut(&text, LONGEST_ANNOTATION).into())).collect();
    let mut alert = json!({
        "labels": labels,
        "annotations": annotations,
        "startsAt": moment(since),
        "generatorURL": fields.url,
    });
    if let Some(end) = end {
        alert["endsAt"] = moment(end).into();
    }
    alert
}

pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
