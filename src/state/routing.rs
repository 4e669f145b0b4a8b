//! Which receiver is notified of what: by its filter, and by what it has been notified of before. Pure.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::alert::{Change, Notification};
use crate::config::{Audience, Concern, Only};

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
        let passes = passes(&self.only, notification);
        if notification.change.ends() {
            return (passes || knows).then(|| Arc::clone(notification));
        }
        match passes {
            // Where everything passes, nothing enters.
            true if knows || self.only.is_everything() => Some(Arc::clone(notification)),
            true => Some(entering(notification)),
            false => knows.then(|| leaving(notification)),
        }
    }

    /// Whether this receiver is notified of such a change: nobody is paged by what is no worse than before, and while
    /// somebody has taken the alert on, people are notified of its end alone. That another alert takes the place of one is
    /// queued for people too, so that what waits about the former is not sent any more; they get no all-clear for it.
    fn takes(&self, change: Change, is_acknowledged: bool) -> bool {
        let is_quiet = is_acknowledged && !change.ends();
        match self.audience {
            Audience::Programs => true,
            Audience::People => !is_quiet,
            Audience::Pager => !is_quiet && !matches!(change, Change::Updated | Change::Deescalated),
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
        let (alert, ends) = (&notification.id, notification.change.ends());
        let (mut routed, mut learnt) = (Vec::with_capacity(subscriptions.len()), Vec::new());
        for subscription in subscriptions {
            let receiver = &subscription.name;
            let knows = self.has(receiver, alert);
            let Some(notification) = subscription.route(notification, knows) else { continue };
            let fires = !notification.change.ends();
            if fires != knows {
                learnt.push(Learnt { receiver: Arc::clone(receiver), alert: alert.clone(), fires });
            }
            if !subscription.takes(notification.change, notification.acknowledged.is_some()) {
                continue;
            }
            routed.push(Routed { receiver: Arc::clone(receiver), notification });
        }
        if ends {
            // One that is not configured now may be configured again.
            let gone = self.0.iter().filter(|(receiver, alerts)| {
                alerts.contains(alert) && !learnt.iter().any(|learnt| learnt.receiver == **receiver)
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

/// Whether an alert passes a filter. One of several tokens passes that of profiles if one of theirs is named.
pub(crate) fn passes(only: &Only, notification: &Notification) -> bool {
    let Notification { key, severity, message, .. } = notification;
    let profiles: Vec<_> = message.profiles.iter().map(String::as_str).collect();
    only.passes(Concern {
        alert: key.alert.as_str(),
        severity: severity.as_str(),
        tenant: key.of.tenant(),
        is_whole: key.of.is_whole(),
        profiles: &profiles,
    })
}

/// A notification about an alert that enters a filter: it is new to that receiver.
fn entering(notification: &Arc<Notification>) -> Arc<Notification> {
    if notification.change == Change::New {
        return Arc::clone(notification);
    }
    Arc::new(Notification { change: Change::New, ..(**notification).clone() })
}

/// A notification about an alert that leaves a filter: to that receiver it is over, and it says why.
fn leaving(notification: &Arc<Notification>) -> Arc<Notification> {
    let line = format!("this alert goes on, but it is not for this receiver any more: {}", notification.message.line);
    let message = notification.message.reworded(line);
    Arc::new(Notification { change: Change::Resolved, message, ..(**notification).clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alert::{Alert, Severity};
    use crate::model::Scope;

    fn notification(change: Change, severity: Severity) -> Arc<Notification> {
        let mut notification = crate::testing::notification(Scope::of_token("acme", "t"), change, severity);
        notification.message.line = "it expires".to_owned();
        Arc::new(notification)
    }

    /// What receivers are notified of, as `receiver change`, with what is known afterwards.
    fn routed(known: &mut KnownAlerts, to: &[Subscription], change: Change, severity: Severity) -> Vec<String> {
        let (routed, learnt) = known.route(&notification(change, severity), to);
        for Learnt { receiver, alert, fires } in learnt {
            assert_eq!(known.has(&receiver, &alert), fires);
        }
        let line = |Routed { receiver, notification }: &Routed| format!("{receiver} {}", notification.change.as_str());
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
        let mut see = |change, severity| routed(&mut known, &to, change, severity);
        assert_eq!(see(Change::New, Severity::Warning), ["all new", "chat new"]);
        assert_eq!(see(Change::Reminder, Severity::Warning), ["all reminder", "chat reminder"]);
        assert_eq!(see(Change::Reminder, Severity::Critical), ["all reminder", "pager new", "chat resolved"]);
        assert_eq!(see(Change::Reminder, Severity::Critical), ["all reminder", "pager reminder"]);
        assert_eq!(see(Change::Resolved, Severity::Critical), ["all resolved", "pager resolved"]);
        assert_eq!(see(Change::New, Severity::Critical), ["all new", "pager new"]);
        assert_eq!(see(Change::Reminder, Severity::Warning), ["all reminder", "pager resolved", "chat new"]);
        assert_eq!(see(Change::Resolved, Severity::Critical), ["all resolved", "pager resolved", "chat resolved"]);
        assert!(known.0.values().all(HashSet::is_empty), "{known:?}");
    }

    #[test]
    fn nobody_is_paged_for_an_update() {
        let takes = |audience, is_acknowledged| {
            let subscription = Subscription { audience, ..Subscription::to_everything("x") };
            let changes = [Change::New, Change::Escalated, Change::Deescalated, Change::Updated, Change::Reminder];
            let ends = [Change::Resolved, Change::Superseded];
            let taken = changes.into_iter().chain(ends).filter(|change| subscription.takes(*change, is_acknowledged));
            taken.map(Change::as_str).collect::<Vec<_>>()
        };
        assert_eq!((takes(Audience::Programs, false).len(), takes(Audience::People, false).len()), (7, 7));
        assert_eq!(takes(Audience::Pager, false), ["new", "escalated", "reminder", "resolved", "superseded"]);
        assert_eq!(takes(Audience::Programs, true).len(), 7);
        for audience in [Audience::People, Audience::Pager] {
            assert_eq!(takes(audience, true), ["resolved", "superseded"], "somebody has taken it on");
        }
    }

    #[test]
    fn what_leaves_a_filter_says_that_it_goes_on() {
        let left = leaving(&notification(Change::Reminder, Severity::Warning));
        assert_eq!(left.message.line, "this alert goes on, but it is not for this receiver any more: it expires");
    }

    #[test]
    fn an_alert_of_several_tokens_passes_if_one_of_their_profiles_is_named() {
        let only = Only { profiles: Some(vec!["jumpcloud".to_owned()]), ..Only::default() };
        let passes = |of: Scope, profiles: &[&str]| {
            let mut notification = crate::testing::notification(of, Change::New, Severity::Critical);
            notification.message.profiles = profiles.iter().map(|name| (*name).to_owned()).collect();
            passes(&only, &notification)
        };
        let group = || Scope::SecurityGroup { tenant: "acme".to_owned(), group: "Technicians".to_owned() };
        assert!(passes(group(), &["backup", "jumpcloud"]) && !passes(group(), &["backup"]));
        assert!(!passes(group(), &[]), "its tokens belong to none of the profiles that are named");
        assert!(passes(Scope::Tenant("acme".to_owned()), &[]), "it may affect every integration");
    }

    #[test]
    fn a_receiver_that_is_configured_again_knows_nothing_that_ended() {
        let (mut known, to) = (KnownAlerts::default(), receivers());
        routed(&mut known, &to, Change::New, Severity::Critical);
        routed(&mut known, &to[..1], Change::Resolved, Severity::Critical);
        assert!(known.0.values().all(HashSet::is_empty), "{known:?}");
    }
}
