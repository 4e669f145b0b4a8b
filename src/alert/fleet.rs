//! The alerts about all tenants together: an outage of Syncro, and what hinders the monitor. Pure.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::belief::{LONGEST_TURNED_BAD, Outage};
use crate::model::Scope;

use super::finding::Finding;
use super::firing::{Affected, Firing};
use super::kind::{Alert, Severity};
use super::message::Message;
use super::messages;
use super::notification::{AlertKey, Change, Notification};
use super::rules::{Rules, Subjects, Waiting};
use super::trouble::{Impaired, Throttled};

/// Updates the alerts that fire for all tenants together, and returns the notifications to dispatch. `before` is the
/// outage that was assumed until now.
#[must_use]
pub(crate) fn fleet_alerts(
    rules: Rules<'_>,
    outage: Option<&Outage>,
    before: Option<&Outage>,
    firing: &mut Vec<Firing>,
) -> Vec<Notification> {
    let outage = outage.filter(|outage| outage.is_certain());
    let condition =
        outage.map(|outage| (Alert::SyncroOutage, Severity::Critical, outage.since(), messages::outage(outage)));
    let overruled = before.is_some_and(|before| before.freezes() && rules.now - before.since() >= LONGEST_TURNED_BAD);
    let why = if overruled { "ten minutes of checks show that it is the tokens" } else { "it has passed" };
    let is_of_others = |firing: &Firing| firing.alert.is_of_monitor();
    reconcile(rules, condition.as_slice(), firing, &is_of_others, &|_| why)
}

/// Updates the alerts that fire about the monitor to what prevents it from checking now, and returns the notifications
/// to dispatch. `flows` says whether any request has been answered since the start: before that nothing shows that a
/// pause is over.
#[must_use]
pub(crate) fn monitor_alerts(
    rules: Rules<'_>,
    throttled: Option<Throttled>,
    impaired: Option<Impaired>,
    flows: bool,
    firing: &mut Vec<Firing>,
) -> Vec<Notification> {
    let throttled = throttled.map(|throttled| {
        (Alert::MonitorThrottled, Severity::Warning, throttled.since, messages::throttled(&throttled))
    });
    let impaired = impaired
        .map(|impaired| (Alert::MonitorImpaired, Severity::Critical, impaired.since, messages::impaired(&impaired)));
    let conditions: Vec<_> = throttled.into_iter().chain(impaired).collect();
    let is_of_others =
        |firing: &Firing| !firing.alert.is_of_monitor() || firing.alert == Alert::MonitorThrottled && !flows;
    let why = |firing: &Firing| match firing.alert {
        Alert::MonitorThrottled => "requests are answered again",
        _ => "checks of these tokens are no longer prevented by it from giving a verdict",
    };
    reconcile(rules, &conditions, firing, &is_of_others, &why)
}

/// What is wrong: of which alert, how bad, since when, and what a human is to read.
type Condition = (Alert, Severity, DateTime<Utc>, Message);

fn reconcile(
    rules: Rules<'_>,
    conditions: &[Condition],
    firing: &mut Vec<Firing>,
    is_of_others: &dyn Fn(&Firing) -> bool,
    why: &dyn Fn(&Firing) -> &'static str,
) -> Vec<Notification> {
    let finding = |(alert, severity, since, _): &Condition| Finding::new(*alert, Scope::Fleet, *severity, *since);
    let findings: Vec<_> = conditions.iter().map(finding).collect();
    let everything = Everything { conditions, is_of_others, why };
    rules.apply(&findings, firing, &mut Waiting::default(), &everything).notifications
}

/// All tenants together, as the rules see them.
struct Everything<'a> {
    conditions: &'a [Condition],
    is_of_others: &'a dyn Fn(&Firing) -> bool,
    why: &'a dyn Fn(&Firing) -> &'static str,
}

impl Subjects for Everything<'_> {
    fn is_frozen(&self, firing: &Firing, _: Option<&Affected>) -> bool {
        (self.is_of_others)(firing)
    }

    fn is_behind(&self, _: &Firing) -> bool {
        false
    }

    fn is_pending(&self, _: &AlertKey, _: bool) -> bool {
        false
    }

    fn message(&self, firing: &Firing) -> Message {
        let of = self.conditions.iter().find(|(alert, ..)| *alert == firing.alert);
        of.map_or_else(|| firing.message.clone(), |(.., message)| message.clone())
    }

    fn ended(&self, firing: &Firing, _: Change) -> Message {
        let shown = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        messages::ended(firing, (self.why)(firing), shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{at, config};

    #[test]
    fn an_outage_is_notified_when_it_is_certain_and_its_end_says_why() {
        let config = config(Vec::new());
        let outage = |certain| {
            let (state, since) = (crate::belief::TokenState::Rejected, at(0));
            Outage::TurnedBad { state, since, tenants: 3, of: 4, certain }
        };
        let mut firing = Vec::new();
        let mut see = |outage: Option<&Outage>, before: Option<&Outage>, seconds| {
            let notifications = fleet_alerts(Rules::new(&config.alerts, at(seconds)), outage, before, &mut firing);
            let said = |one: Notification| format!("{:?} {}", one.change, one.message.line);
            notifications.into_iter().map(said).collect::<Vec<_>>().join("\n")
        };
        assert_eq!(see(Some(&outage(false)), None, 5), "", "it is only suspected");
        let begun = see(Some(&outage(true)), Some(&outage(false)), 9);
        assert!(begun.starts_with("New ") && begun.contains("3 of"), "{begun}");
        assert_eq!(see(Some(&outage(true)), Some(&outage(true)), 99), "");
        let reminded = see(Some(&outage(true)), Some(&outage(true)), 9 + 24 * 3600);
        assert!(reminded.starts_with("Reminder "), "{reminded}");
        let over = see(None, Some(&outage(true)), 599);
        assert!(over.starts_with("Resolved ") && over.contains("it has passed"), "{over}");
        see(Some(&outage(true)), Some(&outage(false)), 9);
        let overruled = see(None, Some(&outage(true)), 600);
        assert!(overruled.contains("ten minutes of checks show that it is the tokens"), "{overruled}");
        see(Some(&outage(true)), Some(&outage(false)), 9);
        let silent = Outage::Unreachable { since: at(0), tenants: 3, of: 4, certain: true };
        let over = see(None, Some(&silent), 5000);
        assert!(over.contains("it has passed"), "silence has no such end: {over}");
    }

    #[test]
    fn what_hinders_the_monitor_is_over_for_a_reason_of_its_own() {
        let config = config(Vec::new());
        let rules = |seconds| Rules::new(&config.alerts, at(seconds));
        let mut firing = Vec::new();
        let throttled = Throttled { since: at(0), host: "syncromsp.com".to_owned(), source_address: None };
        let _ = monitor_alerts(rules(400), Some(throttled), None, true, &mut firing);
        let over = monitor_alerts(rules(500), None, None, true, &mut firing);
        assert!(over[0].message.line.contains("requests are answered again"), "{}", over[0].message.line);
        let impaired = Impaired { since: at(500), tokens: 1, detail: String::new() };
        let _ = monitor_alerts(rules(600), None, Some(impaired), true, &mut firing);
        let over = monitor_alerts(rules(700), None, None, true, &mut firing);
        assert!(over[0].message.line.contains("no longer prevented"), "{}", over[0].message.line);
    }

    #[test]
    fn a_pause_is_not_over_before_anything_was_answered() {
        let (config, mut firing) = (config(Vec::new()), Vec::new());
        let mut see = |throttled: bool, flows| {
            let rules = Rules::new(&config.alerts, at(400));
            let throttled =
                throttled.then(|| Throttled { since: at(0), host: "syncromsp.com".to_owned(), source_address: None });
            let notifications = monitor_alerts(rules, throttled, None, flows, &mut firing);
            let of = |notification: Notification| (notification.change, notification.message.line);
            notifications.into_iter().map(of).collect::<Vec<_>>()
        };
        let fired = see(true, false);
        assert!(fired[0].0 == Change::New && fired[0].1.contains("tokens are not being checked"), "{fired:?}");
        assert_eq!(see(true, false), []);
        assert_eq!(see(false, false), [], "after a restart nothing shows yet that requests flow");
        assert_eq!(see(false, true)[0].0, Change::Resolved);
    }
}
