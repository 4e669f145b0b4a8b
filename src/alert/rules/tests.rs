//! When alerts begin, change, are repeated and end, moment by moment.

use std::borrow::Borrow;

use crate::alert::Acknowledgement;
use crate::model::Scope;
use crate::testing::{at, config};

use super::*;

/// Those whom the alerts are about, as a test sets them up.
#[derive(Debug, Default)]
struct Fake {
    frozen: Vec<Affected>,
    is_whole_frozen: bool,
    is_pending: bool,
    line: String,
}

impl Subjects for Fake {
    fn is_behind(&self, _: &Firing) -> bool {
        false
    }

    fn is_frozen(&self, _: &Firing, affected: Option<&Affected>) -> bool {
        affected.map_or(self.is_whole_frozen, |affected| self.frozen.contains(affected))
    }

    fn is_pending(&self, _: &AlertKey, _: bool) -> bool {
        self.is_pending
    }

    fn message(&self, _: &Firing) -> Message {
        Message::from(self.line.clone())
    }

    fn ended(&self, firing: &Firing, _: Change) -> Message {
        Message::from(format!("over: {}", firing.message.line))
    }
}

/// Alerts that fire, from one moment to the next.
struct Bench {
    alerts: Alerts,
    fake: Fake,
    firing: Vec<Firing>,
    waiting: Waiting,
    outcome: Outcome,
}

impl Bench {
    fn new() -> Self {
        let (firing, waiting, outcome) = (Vec::new(), Waiting::default(), Outcome::default());
        Self { alerts: config(Vec::new()).alerts, fake: Fake::default(), firing, waiting, outcome }
    }

    /// What is notified of at a moment at which this is wrong: the alert and the change.
    fn at<F: Borrow<Finding>>(&mut self, seconds: i64, findings: &[F]) -> Vec<(&'static str, Change)> {
        let findings: Vec<_> = findings.iter().map(|finding| finding.borrow().clone()).collect();
        let rules = Rules::new(&self.alerts, at(seconds));
        self.outcome = rules.apply(&findings, &mut self.firing, &mut self.waiting, &self.fake);
        self.outcome.notifications.iter().map(|news| (news.key.alert.as_str(), news.change)).collect()
    }

    /// In how many seconds after the first moment something may change by time alone.
    fn next(&self) -> Option<i64> {
        self.outcome.next.map(|next| (next - at(0)).num_seconds())
    }

    fn acknowledge(&mut self, until: i64) {
        let (by, reason) = ("Pat".to_owned(), "on it".to_owned());
        self.firing[0].acknowledged = Some(Acknowledgement { by, reason, until: at(until), at: at(0) });
    }
}

const DAY: i64 = 86_400;

fn finding(alert: Alert, token_name: &str) -> Finding {
    of_severity(alert, token_name, Severity::Critical)
}

fn of_severity(alert: Alert, token_name: &str, severity: Severity) -> Finding {
    let scope = Scope::of_token("acme", token_name);
    Finding::new(alert, scope, severity, at(0)).affecting(Affected::token(token_name))
}

/// A permission of a token that the whole tenant is said to lack, so that one alert lists those of several tokens.
fn lost(token_name: &str, permission: &str) -> Finding {
    let scope = Scope::SecurityGroup { tenant: "acme".to_owned(), group: "Technicians".to_owned() };
    let affected = Affected::permission(token_name, permission);
    Finding::new(Alert::PermissionLost, scope, Severity::Critical, at(0)).affecting(affected)
}

#[test]
fn what_others_may_share_waits_for_their_checks_and_no_longer_than_they_take() {
    for (alert, name) in [(Alert::PermissionLost, "PermissionLost"), (Alert::UserLockedOut, "UserLockedOut")] {
        let mut bench = Bench::new();
        bench.fake.is_pending = true;
        assert_eq!((bench.at(0, &[finding(alert, "t")]), bench.next()), (vec![], Some(65)));
        assert_eq!((bench.at(64, &[finding(alert, "t")]), bench.next()), (vec![], Some(65)));
        assert_eq!(bench.at(65, &[finding(alert, "t")]), [(name, Change::New)]);
    }
    let mut bench = Bench::new();
    assert_eq!(
        bench.at(0, &[finding(Alert::PermissionLost, "t")]),
        [("PermissionLost", Change::New)],
        "nothing is due"
    );
    let mut bench = Bench::new();
    bench.fake.is_pending = true;
    assert_eq!(bench.at(0, &[finding(Alert::TokenExpired, "t")]), [("TokenExpired", Change::New)], "nobody shares it");
}

#[test]
fn what_lasts_is_repeated_unless_somebody_has_taken_it_on() {
    let rejected = [finding(Alert::TokenRejected, "t")];
    let mut bench = Bench::new();
    bench.at(0, &rejected);
    assert_eq!(bench.next(), Some(DAY));
    assert_eq!(bench.at(DAY - 1, &rejected), []);
    assert_eq!(bench.at(DAY, &rejected), [("TokenRejected", Change::Reminder)]);
    bench.acknowledge(3 * DAY);
    assert_eq!((bench.at(2 * DAY, &rejected), bench.next()), (vec![], Some(3 * DAY)));
    assert_eq!(bench.at(3 * DAY, &rejected), [("TokenRejected", Change::Reminder)]);
    assert!(bench.firing[0].acknowledged.is_none(), "the time has come");
    let mut expiring = finding(Alert::TokenExpiring, "t");
    expiring.notices = (1, at(0));
    let mut bench = Bench::new();
    bench.at(1, &[&expiring]);
    assert_eq!((bench.at(9 * DAY, &[expiring]), bench.next()), (vec![], None), "an expiry has notices of its own");
}

#[test]
fn a_notice_of_an_expiry_is_given_once_and_none_that_is_long_past() {
    let expiring = |notices, last: i64| Finding { notices: (notices, at(last)), ..finding(Alert::TokenExpiring, "t") };
    let mut bench = Bench::new();
    assert_eq!(bench.at(10, &[expiring(1, 10)]), [("TokenExpiring", Change::New)]);
    assert_eq!(bench.outcome.noticed, [("t".to_owned(), 1)]);
    assert_eq!(bench.at(11, &[expiring(1, 10)]), []);
    assert_eq!(bench.at(12, &[expiring(2, 10)]), [], "it was added only now");
    assert_eq!(bench.at(20, &[expiring(2, 20)]), [("TokenExpiring", Change::Reminder)]);
    assert_eq!(bench.outcome.noticed, [("t".to_owned(), 2)]);
    assert_eq!(bench.at(30, &[expiring(1, 10)]), [], "fewer, since the expiry was moved");
    assert_eq!(bench.at(40, &[expiring(2, 40)]), [("TokenExpiring", Change::Reminder)]);
}

#[test]
fn worse_is_said_at_once_and_milder_once_what_may_end_with_it_was_checked() {
    let of = |severity| [of_severity(Alert::UserChanged, "t", severity)];
    let mut bench = Bench::new();
    bench.at(0, &of(Severity::Warning));
    bench.acknowledge(DAY);
    bench.fake.is_pending = true;
    assert_eq!(bench.at(10, &of(Severity::Critical)), [("UserChanged", Change::Escalated)]);
    assert!(bench.firing[0].acknowledged.is_none(), "what was taken on was not as bad");
    assert_eq!((bench.at(20, &of(Severity::Warning)), bench.next()), (vec![], Some(85)));
    assert_eq!(bench.at(84, &of(Severity::Warning)), []);
    assert_eq!(bench.firing[0].severity, Severity::Critical);
    assert_eq!(bench.at(85, &of(Severity::Warning)), [("UserChanged", Change::Deescalated)]);
    bench.fake.is_pending = false;
    bench.at(90, &of(Severity::Critical));
    assert_eq!(bench.at(91, &of(Severity::Warning)), [("UserChanged", Change::Deescalated)], "all was checked");
}

#[test]
fn a_list_that_changes_is_said_once_it_has_settled() {
    let (one, two) = (lost("t", "Tickets - Edit"), lost("u", "Tickets - Edit"));
    let mut bench = Bench::new();
    bench.at(0, &[&one]);
    bench.fake.is_pending = true;
    assert_eq!(bench.at(10, &[&one, &two]), []);
    assert_eq!(bench.firing[0].affected.len(), 2);
    assert_eq!(bench.at(20, &[&one]), [], "it is as it was said");
    assert_eq!(bench.at(100, &[&one]), []);
    assert_eq!(bench.at(110, &[&one, &two]), []);
    assert_eq!(bench.at(175, &[&one, &two]), [("PermissionLost", Change::Updated)]);
    bench.fake.is_pending = false;
    assert_eq!(bench.at(180, &[one]), [("PermissionLost", Change::Updated)]);
}

#[test]
fn what_nothing_can_be_said_of_stays_and_its_message_follows_without_a_notification() {
    let one = lost("t", "Tickets - Edit");
    let mut bench = Bench::new();
    bench.at(0, &[&one]);
    bench.fake.frozen = one.affected.iter().cloned().collect();
    assert_eq!((bench.at::<Finding>(10, &[]), bench.firing.len()), (vec![], 1));
    bench.fake.frozen.clear();
    bench.fake.line = "it is otherwise".to_owned();
    assert_eq!(bench.at(20, &[one]), []);
    assert_eq!(bench.firing[0].message.line, "it is otherwise");
    assert_eq!(bench.at::<Finding>(30, &[]), [("PermissionLost", Change::Resolved)]);
    assert_eq!(bench.outcome.notifications[0].message.line, "over: ", "the end quotes what was said");
    let silent = Finding::new(Alert::TenantUnreachable, Scope::Tenant("acme".to_owned()), Severity::Critical, at(0));
    bench.at(40, &[silent]);
    bench.fake.is_whole_frozen = true;
    assert_eq!((bench.at::<Finding>(50, &[]), bench.firing.len()), (vec![], 1));
    bench.fake.is_whole_frozen = false;
    assert_eq!(bench.at::<Finding>(60, &[]), [("TenantUnreachable", Change::Resolved)]);
}

#[test]
fn milder_is_not_said_while_nothing_can_be_said_of_the_worse() {
    let severe = |name, severity| Finding { severity, ..lost(name, "Tickets - Edit") };
    let (critical, warning) = (severe("t", Severity::Critical), severe("u", Severity::Warning));
    let mut bench = Bench::new();
    bench.at(0, &[&critical, &warning]);
    bench.fake.frozen = critical.affected.iter().cloned().collect();
    assert_eq!(bench.at(10, &[&warning]), []);
    assert_eq!((bench.firing[0].severity, bench.firing[0].affected.len()), (Severity::Critical, 2));
    bench.fake.frozen.clear();
    assert_eq!(bench.at(20, &[warning]), [("PermissionLost", Change::Deescalated)]);
}

#[test]
fn whoever_loses_an_alert_to_another_has_that_one_first() {
    let expiring = Finding { notices: (1, at(0)), ..finding(Alert::TokenExpiring, "t") };
    let mut bench = Bench::new();
    bench.at(0, &[&expiring]);
    let id = bench.firing[0].id.clone();
    let changes = [("TokenExpired", Change::New), ("TokenExpiring", Change::Superseded)];
    assert_eq!(bench.at(10, &[finding(Alert::TokenExpired, "t")]), changes);
    assert_eq!(bench.firing[0].in_place_of, Some((Alert::TokenExpiring, id)));
    let mut bench = Bench::new();
    bench.at(0, &[&expiring]);
    let changes = [("TokenExpiring", Change::Resolved), ("TokenExpired", Change::New)];
    assert_eq!(bench.at(10, &[finding(Alert::TokenExpired, "u")]), changes, "another token");
    let mut bench = Bench::new();
    bench.at(0, &[expiring]);
    assert_eq!(bench.at(10, &[finding(Alert::PermissionLost, "t")])[0].1, Change::Resolved, "it is no state");
}

#[test]
fn a_right_that_goes_along_keeps_no_alert_up() {
    let right = Finding { affected: Some(Affected::right("t", "ticket.write")), ..lost("t", "") };
    let mut bench = Bench::new();
    bench.at(0, &[&lost("t", "Tickets - Edit"), &right]);
    assert_eq!(bench.firing.len(), 1);
    assert!(bench.at(10, &[right]).contains(&("PermissionLost", Change::Resolved)));
}

#[test]
fn a_changed_user_is_listed_by_what_the_token_lacks_where_it_lacks_something() {
    let changed = |affected| Finding { affected: Some(affected), ..finding(Alert::UserChanged, "t") };
    let mut bench = Bench::new();
    let lacks = Affected::permission("t", "Tickets - Edit");
    bench.at(0, &[changed(Affected::token("t")), changed(lacks.clone())]);
    assert_eq!(bench.firing[0].affected, [lacks]);
    let found = [finding(Alert::UserChanged, "t"), finding(Alert::UserChanged, "u")];
    let whole = listed(Alert::UserChanged, &found.iter().collect::<Vec<_>>(), vec![Affected::token("t")]);
    assert_eq!(whole, [Affected::token("t"), Affected::token("u")], "each once");
}
