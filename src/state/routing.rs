//! Which receiver is notified of what: by its filter, and by what it has been notified of before. Pure.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::alert::{Alert, Message, Notification, Severity, Status};
use crate::config::{Audience, Concern, Only};
use crate::model::Scope;

use super::change::{Change, alert_id};

/// A receiver, as far as it matters to what is queued for it.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// The name of the receiver.
    pub name: Arc<str>,
    /// The alerts that it is notified of.
    pub(crate) only: Only,
    /// Who is behind it.
    pub(crate) audience: Audience,
}

/// The alerts that each receiver knows to fire, since it has been notified of them and not of their end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KnownAlerts(HashMap<Arc<str>, HashSet<String>>);

/// What one receiver is notified of.
#[derive(Debug)]
pub(crate) struct Routed {
    /// The name of the receiver.
    pub(crate) receiver: Arc<str>,
    /// The notification, as this receiver is to have it.
    pub(crate) notification: Arc<Notification>,
}

/// An alert that a receiver knows to fire from now on, or does not any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Learnt {
    /// The name of the receiver.
    pub(crate) receiver: Arc<str>,
    /// The id of the alert.
    pub(crate) alert: String,
    /// Whether it fires, as far as the receiver knows.
    pub(crate) fires: bool,
}

impl Subscription {
    /// A subscription to every alert.
    pub fn to_everything(name: &str) -> Self {
        Self { name: name.into(), only: Only::default(), audience: Audience::Programs }
    }

    /// What this receiver is notified of when `notification` is made, given whether it `knows` that the alert fires.
    fn route(&self, notification: &Arc<Notification>, knows: bool) -> Option<Arc<Notification>> {
        let Notification { key, severity, message, .. } = &**notification;
        let passes = passes(&self.only, &key.of, key.alert, *severity, message);
        if Change::of(notification).ends() {
            return (passes || knows).then(|| Arc::clone(notification));
        }
        match passes {
            // Where everything passes, nothing enters.
            true if knows || self.only.is_everything() => Some(Arc::clone(notification)),
            true => Some(entering(notification)),
            false => knows.then(|| leaving(notification)),
        }
    }

    /// Whether this receiver is notified of such a change. People get no all-clear for an alert whose place another one
    /// takes, and nobody is paged by what is no worse than before.
    fn takes(&self, change: Change) -> bool {
        match self.audience {
            Audience::Programs => true,
            Audience::People => change != Change::Superseded,
            Audience::Pager => !matches!(change, Change::Updated | Change::Deescalated),
        }
    }
}

impl KnownAlerts {
    /// Takes note of what a receiver learnt.
    pub(crate) fn learn(&mut self, Learnt { receiver, alert, fires }: Learnt) {
        let of_receiver = self.0.entry(receiver).or_default();
        if fires {
            of_receiver.insert(alert);
        } else {
            of_receiver.remove(&alert);
        }
    }

    /// Whether a receiver knows that this alert fires.
    pub(super) fn has(&self, receiver: &str, alert: &str) -> bool {
        self.0.get(receiver).is_some_and(|alerts| alerts.contains(alert))
    }

    /// What each receiver is notified of when `notification` is made, and what they learn by that.
    pub(crate) fn route(
        &mut self,
        notification: &Arc<Notification>,
        subscriptions: &[Subscription],
    ) -> (Vec<Routed>, Vec<Learnt>) {
        let (alert, ends) = (alert_id(notification), Change::of(notification).ends());
        let (mut routed, mut learnt) = (Vec::with_capacity(subscriptions.len()), Vec::new());
        for subscription in subscriptions {
            let receiver = &subscription.name;
            let knows = self.has(receiver, &alert);
            let Some(notification) = subscription.route(notification, knows) else { continue };
            let fires = !Change::of(&notification).ends();
            if fires != knows {
                learnt.push(Learnt { receiver: Arc::clone(receiver), alert: alert.clone(), fires });
            }
            if !subscription.takes(Change::of(&notification)) {
                continue;
            }
            routed.push(Routed { receiver: Arc::clone(receiver), notification });
        }
        if ends {
            // One that is not configured now may be configured again.
            let gone = self.0.iter().filter(|(receiver, alerts)| {
                alerts.contains(&alert) && !learnt.iter().any(|learnt| learnt.receiver == **receiver)
            });
            let gone: Vec<_> = gone.map(|(receiver, _)| Arc::clone(receiver)).collect();
            learnt.extend(gone.into_iter().map(|receiver| Learnt { receiver, alert: alert.clone(), fires: false }));
        }
        for learnt in &learnt {
            self.learn(learnt.clone());
        }
        (routed, learnt)
    }
}

/// Whether an alert passes a filter.
pub(crate) fn passes(only: &Only, of: &Scope, alert: Alert, severity: Severity, message: &Message) -> bool {
    let profiles: Vec<_> = message.profile.iter().map(String::as_str).collect();
    only.passes(Concern {
        alert: alert.as_str(),
        severity: severity.as_str(),
        tenant: of.tenant(),
        is_whole: of.token_name().is_none(),
        profiles: &profiles,
    })
}

/// A notification about an alert that enters a filter: it is new to that receiver.
fn entering(notification: &Arc<Notification>) -> Arc<Notification> {
    match notification.status {
        Status::Firing => Arc::clone(notification),
        Status::Reminder | Status::Resolved => {
            Arc::new(Notification { status: Status::Firing, ..(**notification).clone() })
        }
    }
}

/// A notification about an alert that leaves a filter: to that receiver it is over, and it says why.
fn leaving(notification: &Arc<Notification>) -> Arc<Notification> {
    let Message { text, cause, evidence, shown_by, permission, right, security_group, profile, contact, note, .. } =
        notification.message.clone();
    let mut message = Message::from(format!("this alert goes on, but it is not for this receiver any more: {text}"));
    (message.cause, message.evidence, message.shown_by) = (cause, evidence, shown_by);
    (message.permission, message.right, message.security_group) = (permission, right, security_group);
    (message.profile, message.contact, message.note) = (profile, contact, note);
    Arc::new(Notification { status: Status::Resolved, message, ..(**notification).clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::AlertKey;
    use crate::model::TokenId;
    use crate::testing::at;

    fn notification(status: Status, severity: Severity) -> Arc<Notification> {
        let of = TokenId { tenant: "acme".to_owned(), token_name: "t".to_owned() };
        let key = AlertKey { alert: Alert::TokenExpiring, of: of.into(), subject: None };
        Arc::new(Notification { key, status, severity, since: at(0), message: Message::from("it expires".to_owned()) })
    }

    /// What receivers are notified of, as `receiver change`, with what is known afterwards.
    fn routed(known: &mut KnownAlerts, to: &[Subscription], status: Status, severity: Severity) -> Vec<String> {
        let (routed, learnt) = known.route(&notification(status, severity), to);
        for Learnt { receiver, alert, fires } in learnt {
            assert_eq!(known.has(&receiver, &alert), fires);
        }
        let line =
            |Routed { receiver, notification }: &Routed| format!("{receiver} {}", Change::of(notification).as_str());
        routed.iter().map(line).collect()
    }

    fn receivers() -> [Subscription; 3] {
        let only = |severity| Only { severities: Some(vec![severity]), ..Only::default() };
        let filtered =
            |name: &str, severity| Subscription { only: only(severity), ..Subscription::to_everything(name) };
        [Subscription::to_everything("all"), filtered("pager", "critical"), filtered("chat", "warning")]
    }

    #[test]
    fn a_filter_can_name_every_alert() {
        assert_eq!(Alert::ALL.map(|(alert, _)| alert.as_str()), crate::config::ALERTS);
    }

    #[test]
    fn an_alert_enters_and_leaves_filters_as_its_severity_changes() {
        let (mut known, to) = (KnownAlerts::default(), receivers());
        let mut see = |status, severity| routed(&mut known, &to, status, severity);
        assert_eq!(see(Status::Firing, Severity::Warning), ["all new", "chat new"]);
        assert_eq!(see(Status::Reminder, Severity::Warning), ["all reminder", "chat reminder"]);
        assert_eq!(see(Status::Reminder, Severity::Critical), ["all reminder", "pager new", "chat resolved"]);
        assert_eq!(see(Status::Reminder, Severity::Critical), ["all reminder", "pager reminder"]);
        assert_eq!(see(Status::Resolved, Severity::Critical), ["all resolved", "pager resolved"]);
        assert_eq!(see(Status::Firing, Severity::Critical), ["all new", "pager new"]);
        assert_eq!(see(Status::Reminder, Severity::Warning), ["all reminder", "pager resolved", "chat new"]);
        assert_eq!(see(Status::Resolved, Severity::Critical), ["all resolved", "pager resolved", "chat resolved"]);
        assert!(known.0.values().all(HashSet::is_empty), "{known:?}");
    }

    #[test]
    fn nobody_gets_a_false_all_clear_or_a_page_for_an_update() {
        let takes = |audience| {
            let subscription = Subscription { audience, ..Subscription::to_everything("x") };
            let changes = [Change::New, Change::Escalated, Change::Deescalated, Change::Updated, Change::Reminder];
            let ends = [Change::Resolved, Change::Superseded];
            let taken = changes.into_iter().chain(ends).filter(|change| subscription.takes(*change));
            taken.map(Change::as_str).collect::<Vec<_>>()
        };
        assert_eq!(takes(Audience::Programs).len(), 7);
        assert_eq!(takes(Audience::People), ["new", "escalated", "deescalated", "updated", "reminder", "resolved"]);
        assert_eq!(takes(Audience::Pager), ["new", "escalated", "reminder", "resolved", "superseded"]);
    }

    #[test]
    fn what_leaves_a_filter_says_that_it_goes_on() {
        let left = leaving(&notification(Status::Reminder, Severity::Warning));
        assert_eq!(left.message.what(), "this alert goes on, but it is not for this receiver any more: it expires");
    }

    #[test]
    fn a_receiver_that_is_configured_again_knows_nothing_that_ended() {
        let (mut known, to) = (KnownAlerts::default(), receivers());
        routed(&mut known, &to, Status::Firing, Severity::Critical);
        routed(&mut known, &to[..1], Status::Resolved, Severity::Critical);
        assert!(known.0.values().all(HashSet::is_empty), "{known:?}");
    }
}
