//! What the other receivers are notified of when one has refused a notification for good. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::{Change, Notification};
use crate::config::{Audience, LOG};

use super::routing::{KnownAlerts, Routed, Subscription};

/// The others are notified of refusals by one receiver at most this often: where it refuses a kind of alert, it refuses
/// many, and the log and the metric have each.
const APART: TimeDelta = TimeDelta::hours(1);
/// How many deliveries about refusals are remembered, so that nobody is notified of a refusal of one of them in turn.
const MOST_REMEMBERED: usize = 1000;

/// A notification that its receiver refuses for good while it takes others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The number of the delivery.
    pub id: i64,
    /// The name of the receiver.
    pub receiver: Arc<str>,
    /// What it refused.
    pub notification: Arc<Notification>,
    /// What it answered, as a fragment of a sentence.
    pub answer: String,
}

/// When the others were last notified of refusals by each receiver.
#[derive(Debug, Default)]
pub(crate) struct RefusalNotices {
    last: HashMap<Arc<str>, DateTime<Utc>>,
    /// The numbers of the deliveries that are about refusals.
    deliveries: Vec<i64>,
}

impl RefusalNotices {
    /// What the other receivers are to be notified of: those that know the alert, and if there are none, all people.
    pub(crate) fn route(
        &mut self,
        refusal: &Refusal,
        subscriptions: &[Subscription],
        known: &KnownAlerts,
        now: DateTime<Utc>,
    ) -> Vec<Routed> {
        let Refusal { id, receiver, notification, .. } = refusal;
        let is_too_soon = self.last.get(receiver).is_some_and(|last| now - *last < APART && now >= *last);
        if is_too_soon || self.deliveries.contains(id) {
            return Vec::new();
        }
        let others = || subscriptions.iter().filter(|other| other.name != *receiver && &*other.name != LOG);
        let mut chosen: Vec<_> = others().filter(|other| known.has(&other.name, &notification.id)).collect();
        if chosen.is_empty() {
            chosen = others().filter(|other| other.audience == Audience::People).collect();
        }
        if !chosen.is_empty() {
            self.last.insert(Arc::clone(receiver), now);
        }
        let notification = Arc::new(notice(refusal));
        let routed = |other: &Subscription| Routed {
            receiver: Arc::clone(&other.name),
            notification: Arc::clone(&notification),
        };
        chosen.into_iter().map(routed).collect()
    }

    /// Takes note that the delivery with this number is about a refusal.
    pub(crate) fn queued(&mut self, id: i64) {
        if self.deliveries.len() >= MOST_REMEMBERED {
            self.deliveries.remove(0);
        }
        self.deliveries.push(id);
    }
}

/// A notification about the same alert, which says that a receiver was not notified of it.
fn notice(refusal: &Refusal) -> Notification {
    let Refusal { id, receiver, notification, answer } = refusal;
    let ends = notification.change.ends();
    let what = if ends { "the end of this alert" } else { "this alert" };
    let message = notification.message.reworded(format!(
        "receiver `{receiver}` could not be notified of {what}, since it refuses notification {id} for good ({answer}). \
         Once that is fixed, `syncro-token-monitor redeliver {id}` sends it again. It said: {}",
        notification.message.line
    ));
    let change = if ends { Change::Resolved } else { Change::Reminder };
    Notification { change, message, ..(**notification).clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::Severity;
    use crate::model::Scope;
    use crate::state::Learnt;
    use crate::testing::{at, notification};

    fn refusal(id: i64) -> Refusal {
        let notification = notification(Scope::Tenant("acme".to_owned()), Change::New, Severity::Critical);
        let notification = Arc::new(notification);
        Refusal { id, receiver: "hook".into(), notification, answer: "it answered 400".to_owned() }
    }

    #[test]
    fn the_others_learn_of_a_refusal_once_an_hour() {
        let to = ["log", "hook", "knows", "chat"].map(|name| {
            let audience = if name == "chat" { Audience::People } else { Audience::Programs };
            Subscription { audience, ..Subscription::to_everything(name) }
        });
        let (mut notices, mut known) = (RefusalNotices::default(), KnownAlerts::default());
        let routed = |notices: &mut RefusalNotices, known: &KnownAlerts, id, now| {
            let routed = notices.route(&refusal(id), &to, known, at(now));
            routed.iter().map(|routed| routed.receiver.to_string()).collect::<Vec<_>>()
        };
        assert_eq!(routed(&mut notices, &known, 1, 0), ["chat"], "people, if nobody else knows of it");
        let alert = refusal(1).notification.id.clone();
        known.learn(Learnt { receiver: "knows".into(), alert, fires: true });
        assert_eq!(routed(&mut notices, &known, 2, 3599), Vec::<String>::new());
        assert_eq!(routed(&mut notices, &known, 3, 3600), ["knows"]);
        notices.queued(9);
        assert_eq!(
            routed(&mut notices, &known, 9, 9000),
            Vec::<String>::new(),
            "nobody is notified of a refusal of this"
        );
        let text = notice(&refusal(1)).message.line;
        assert!(
            text.starts_with("receiver `hook` could not be notified of this alert, since it refuses notification 1")
        );
    }
}
