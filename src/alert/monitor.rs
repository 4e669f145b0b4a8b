//! Alerts about the monitor itself: what keeps it from checking anything. Pure.

use std::borrow::Cow;

use crate::model::Scope;

use super::conditions::Condition;
use super::trouble::{Impaired, Throttled};
use super::{Alert, Firing, Notification, Rules, Severity, messages};

impl Alert {
    /// Whether it speaks of the monitor itself.
    pub(super) fn is_of_monitor(self) -> bool {
        matches!(self, Self::MonitorThrottled | Self::MonitorImpaired)
    }
}

/// Brings what fires about the monitor up to what keeps it from checking now; returns what is to be told. `flows` says
/// whether any request has been answered since the start: before that nothing shows that a pause is over.
#[must_use]
pub fn monitor_alerts(
    rules: Rules<'_>,
    throttled: Option<Throttled>,
    impaired: Option<Impaired>,
    flows: bool,
    firing: &mut Vec<Firing>,
) -> Vec<Notification> {
    let throttled = throttled.map(|known| {
        Condition::new(Alert::MonitorThrottled, Severity::Warning, known.since, messages::throttled(&known))
    });
    let impaired = impaired.map(|known| {
        Condition::new(Alert::MonitorImpaired, Severity::Critical, known.since, messages::impaired(&known))
    });
    let conditions = throttled.into_iter().chain(impaired).collect();
    let is_suppressed =
        |known: &Firing| !known.alert.is_of_monitor() || known.alert == Alert::MonitorThrottled && !flows;
    let why = |known: &Firing| match known.alert {
        Alert::MonitorThrottled => Cow::Borrowed("requests are answered again"),
        _ => Cow::Borrowed("checks of these tokens are no longer kept from saying anything by it"),
    };
    rules.reconcile(&Scope::Fleet, conditions, firing, is_suppressed, &why)
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
