//! Alerts about the monitor itself: what prevents it from checking. Pure.

use std::borrow::Cow;

use crate::model::Scope;

use super::conditions::Condition;
use super::trouble::{Impaired, Throttled};
use super::{Alert, Firing, Notification, Rules, Severity, fleet_messages};

impl Alert {
    /// Whether the alert is about the monitor itself.
    pub(super) fn is_of_monitor(self) -> bool {
        matches!(self, Self::MonitorThrottled | Self::MonitorImpaired)
    }
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
        Condition::new(
            Alert::MonitorThrottled,
            Severity::Warning,
            throttled.since,
            fleet_messages::throttled(&throttled),
        )
    });
    let impaired = impaired.map(|impaired| {
        Condition::new(Alert::MonitorImpaired, Severity::Critical, impaired.since, fleet_messages::impaired(&impaired))
    });
    let conditions = throttled.into_iter().chain(impaired).collect();
    let is_suppressed =
        |firing: &Firing| !firing.alert.is_of_monitor() || firing.alert == Alert::MonitorThrottled && !flows;
    let why_ended = |firing: &Firing| match firing.alert {
        Alert::MonitorThrottled => Cow::Borrowed("requests are answered again"),
        _ => Cow::Borrowed("checks of these tokens are no longer prevented by it from giving a verdict"),
    };
    rules.reconcile(&Scope::Fleet, conditions, firing, is_suppressed, &why_ended)
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
            notifications
                .into_iter()
                .map(|notification| (notification.status.as_str(), notification.message.text))
                .collect::<Vec<_>>()
        };
        let fired = see(true, false);
        assert!(fired[0].0 == "firing" && fired[0].1.contains("tokens are not being checked"), "{fired:?}");
        assert_eq!(see(true, false), []);
        assert_eq!(see(false, false), [], "after a restart nothing shows yet that requests flow");
        assert_eq!(see(false, true)[0].0, "resolved");
    }
}
