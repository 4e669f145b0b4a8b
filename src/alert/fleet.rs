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
    fn a_pause_is_not_over_before_anything_was_answered() {
        let (config, mut firing) = (config(Vec::new()), Vec::new());
        let mut see = |throttled: bool, flows| {
            let rules = Rules::new(&config.alerts, at(400));
            let throttled = throttled.then(|| Throttled { since: at(0), host: "syncromsp.com".to_owned() });
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
