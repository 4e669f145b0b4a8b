//! The notifications about one token over many observations and times: each alert fires once, and is resolved once.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::belief::{Policy, step};
use crate::model::Probes;
use crate::syncro::{MeObservation, Observation, Part, PermissionObservations, ProbeObservation, UserObservation};
use crate::testing::{at, config, failure, observed, probed, token, works};

const LIST: &str = "Tickets - List/Search";
const EDIT: &str = "Tickets - Edit";
const DAY: i64 = 24 * 3600;

struct Watched {
    token: Token,
    status: TokenStatus,
    firing: Vec<Firing>,
    alerts: Alerts,
}

impl Watched {
    fn new() -> Self {
        let (status, firing, alerts) = (TokenStatus::default(), Vec::new(), config(Vec::new()).alerts);
        Self { token: token("t", &[LIST, EDIT]), status, firing, alerts }
    }

    fn see(&mut self, observation: &Observation) -> Vec<Notification> {
        let policy = Policy {
            user_names: true,
            token: &self.token,
            confirmation: crate::testing::confirmed(2),
            probes: Probes::ReadOnly,
            news_for: std::time::Duration::from_hours(24),
            frozen: false,
        };
        let _ = step(&mut self.status, observation, policy);
        self.notify(observation.at)
    }

    fn notify(&mut self, now: DateTime<Utc>) -> Vec<Notification> {
        token_alerts(Rules::new(&self.alerts, now), &self.token, &self.status, &[], &mut self.firing)
    }
}

fn summaries(notifications: &[Notification]) -> Vec<String> {
    let summary = |notification: &Notification| {
        format!(
            "{} {} {}",
            notification.key.alert.as_str(),
            notification.status.as_str(),
            notification.severity.as_str()
        )
    };
    notifications.iter().map(summary).collect()
}

#[test]
fn a_token_that_expired_is_not_said_to_have_expired_at_a_date_that_is_still_ahead() {
    let mut watched = Watched::new();
    watched.token.expires = Some(at(100));
    watched.see(&observed(0, works(&[])));
    watched.see(&observed(110, MeObservation::Refused));
    let fired = watched.see(&observed(150, MeObservation::Refused));
    assert!(fired[0].message.text.contains("expired (declared expiry 2027"), "{}", fired[0].message.text);
    // Somebody made a new token and declared its expiry, and the value is not seen to work yet.
    watched.token.expires = Some(at(400 * DAY));
    watched.notify(at(160));
    let resolved = watched.see(&observed(200, works(&[])));
    assert!(
        resolved[0].message.text.starts_with("over, the token works again; it was: "),
        "{}",
        resolved[0].message.text
    );
    assert!(!resolved[0].message.text.contains("declared expiry"), "{}", resolved[0].message.text);
}

#[test]
fn each_expiry_notice_is_dispatched_once_and_the_last_is_critical() {
    let mut watched = Watched::new();
    watched.token.expires = Some(at(40 * DAY));
    let mut received = Vec::new();
    for hour in 0..41 * 24 {
        let notifications = watched.notify(at(hour * 3600));
        received.extend(summaries(&notifications).into_iter().map(|summary| (hour / 24, summary)));
    }
    let expected = [
        (10, "TokenExpiring firing warning"),
        (26, "TokenExpiring reminder warning"),
        (33, "TokenExpiring reminder warning"),
        (39, "TokenExpiring reminder critical"),
    ];
    assert_eq!(received, expected.map(|(day, summary)| (day, summary.to_owned())));
    watched.token.expires = Some(at(400 * DAY));
    assert_eq!(summaries(&watched.notify(at(41 * DAY))), ["TokenExpiring resolved critical"]);
}

#[test]
fn a_token_added_between_expiry_notices_is_notified_once_and_not_for_each_that_passed() {
    let mut watched = Watched::new();
    watched.token.expires = Some(at(5 * DAY));
    assert_eq!(summaries(&watched.notify(at(0))), ["TokenExpiring firing warning"]);
    assert_eq!(watched.notify(at(1)), []);
}

#[test]
fn next_change_is_when_a_notification_is_due_without_a_check() {
    let mut watched = Watched::new();
    watched.token.expires = Some(at(40 * DAY));
    let next = |watched: &Watched, now| {
        let rules = Rules::new(&watched.alerts, at(now));
        next_change(rules, &watched.token, &watched.status, &watched.firing)
    };
    assert_eq!(next(&watched, 0), Some(at(10 * DAY)));
    let _ = watched.see(&observed(0, MeObservation::Refused));
    let _ = watched.see(&observed(30, MeObservation::Refused));
    assert_eq!(next(&watched, 30), Some(at(30 + DAY)), "the reminder");
    assert_eq!(summaries(&watched.notify(at(30 + DAY))), ["TokenRejected reminder critical"]);
}

#[test]
fn one_bad_state_after_another_replaces_its_alert() {
    let mut watched = Watched::new();
    watched.token.expires = Some(at(100));
    let _ = watched.notify(at(0));
    let mut received = Vec::new();
    for seconds in [0, 30, 100, 130] {
        received.extend(watched.see(&observed(seconds, MeObservation::Refused)));
    }
    assert_eq!(
        summaries(&received),
        ["TokenRejected firing critical", "TokenRejected resolved critical", "TokenExpired firing critical"]
    );
    assert!(received[1].message.text.contains("the token is expired now"), "{}", received[1].message.text);
}

#[test]
fn a_changed_group_is_news_for_one_reminder_interval_or_until_it_is_changed_back() {
    let group = |seconds, name: &str| {
        let user = Some(UserObservation::Group(Some(name.to_owned())));
        Observation {
            at: at(seconds),
            part: Part::Permissions(PermissionObservations { full: true, user, ..PermissionObservations::default() }),
            asked: Vec::new(),
        }
    };
    let mut watched = Watched::new();
    let _ = watched.see(&observed(0, works(&[])));
    assert_eq!(watched.see(&group(0, "Technicians")), [], "the first name is no change");
    let fired = watched.see(&group(3600, "Others"));
    assert_eq!(summaries(&fired), ["SecurityGroupChanged firing warning"]);
    assert!(fired[0].message.text.contains("`Others` now, before it was `Technicians`"), "{}", fired[0].message.text);
    assert_eq!(watched.see(&group(7200, "Others")), []);
    assert_eq!(summaries(&watched.notify(at(3600 + DAY))), ["SecurityGroupChanged resolved warning"]);
    let back = watched.see(&group(3600 + 2 * DAY, "Technicians"));
    assert_eq!(summaries(&back), ["SecurityGroupChanged firing warning"], "a day later it is a change of its own");
    assert_eq!(summaries(&watched.see(&group(7200 + 2 * DAY, "Others"))), ["SecurityGroupChanged resolved warning"]);
}

#[test]
fn every_alert_has_a_severity_a_runbook_and_a_key_that_names_it() {
    let alerts = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/alerts.md")).unwrap();
    for (alert, severities) in Alert::ALL {
        assert!(!severities.is_empty());
        assert!(
            alerts.contains(&format!("### {}\n", alert.as_str())),
            "{} has no section in docs/alerts.md",
            alert.as_str()
        );
    }
    let of = crate::model::TokenId { tenant: "acme".to_owned(), token_name: "t".to_owned() }.into();
    let key = AlertKey { alert: Alert::PermissionLost, of, subject: Some(EDIT.to_owned()) };
    assert_eq!(key.to_string(), "PermissionLost/acme/t/Tickets - Edit");
}

#[derive(Debug, Clone)]
enum Happening {
    Saw(MeObservation),
    Probed(ProbeObservation),
    Passed(i64),
}

fn any_happening() -> impl Strategy<Value = Happening> {
    prop_oneof![
        3 => (any::<bool>(), any::<bool>())
            .prop_map(|(write, read)| Happening::Saw(works(&[("ticket.write", write), ("ticket.read", read)]))),
        2 => Just(Happening::Saw(MeObservation::Refused)),
        1 => Just(Happening::Saw(MeObservation::Blocked)),
        2 => Just(Happening::Saw(MeObservation::Failed(failure()))),
        2 => Just(Happening::Probed(ProbeObservation::Granted(200))),
        2 => Just(Happening::Probed(ProbeObservation::Missing)),
        1 => Just(Happening::Probed(ProbeObservation::Failed(failure()))),
        2 => (1..200_000_i64).prop_map(Happening::Passed),
    ]
}

proptest! {
    /// Over any history: nothing fires twice without being resolved in between, only what fires is resolved or reminded
    /// of, and nobody is notified at the moment of a check that failed.
    #[test]
    fn every_firing_is_paired_with_one_resolve(happenings in proptest::collection::vec(any_happening(), 0..120)) {
        let mut watched = Watched::new();
        watched.token.expires = Some(at(20 * DAY));
        let mut now = 0;
        // What the date alone shows is notified before the first check.
        prop_assert!(watched.notify(at(now))[0].key.alert == Alert::TokenExpiring);
        let expiring = AlertKey { alert: Alert::TokenExpiring, of: watched.token.id().into(), subject: None };
        let mut fires: HashMap<AlertKey, bool> = HashMap::from([(expiring, true)]);
        for happening in happenings {
            let (notifications, failed) = match happening {
                Happening::Passed(seconds) => {
                    now += seconds;
                    (watched.notify(at(now)), false)
                }
                Happening::Saw(me) => {
                    let observation = observed(now, me);
                    (watched.see(&observation), observation.failure().is_some())
                }
                Happening::Probed(probe) => {
                    let observation = probed(now, &[(LIST, probe)]);
                    (watched.see(&observation), observation.failure().is_some())
                }
            };
            let dispatched = summaries(&notifications);
            prop_assert!(!failed || dispatched.is_empty(), "notified because a check failed: {dispatched:?}");
            for Notification { key, status, .. } in notifications {
                let firing = fires.entry(key.clone()).or_default();
                match status {
                    Status::Firing => prop_assert!(!std::mem::replace(firing, true), "{key} fired twice"),
                    Status::Reminder => prop_assert!(*firing, "{key} was reminded of while it did not fire"),
                    Status::Resolved => prop_assert!(std::mem::replace(firing, false), "{key} resolved twice"),
                }
            }
        }
        let of = watched.token.id().into();
        for notification in retire(&of, &mut watched.firing) {
            prop_assert_eq!(fires.insert(notification.key, false), Some(true));
        }
        prop_assert!(fires.values().all(|firing| !firing));
    }
}
