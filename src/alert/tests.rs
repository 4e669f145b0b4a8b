//! The words of alerts, and what each kind of them means for others.

use super::*;
use crate::model::Scope;
use crate::testing::{at, firing};

#[test]
fn labels_are_words() {
    assert_eq!([Severity::Warning, Severity::Critical].map(Severity::as_str), ["warning", "critical"]);
    let changes = [Change::New, Change::Escalated, Change::Deescalated, Change::Updated, Change::Reminder];
    assert_eq!(changes.map(Change::as_str), ["new", "escalated", "deescalated", "updated", "reminder"]);
    assert!(changes.iter().all(|change| change.status() == "firing" && !change.ends()));
    assert!([Change::Resolved, Change::Superseded].iter().all(|change| change.status() == "resolved" && change.ends()));
    let repeated: Vec<_> = changes.into_iter().filter(|change| change.is_repetition()).collect();
    assert_eq!(repeated, [Change::Updated, Change::Reminder]);
    assert_eq!(Alert::TokenExpired.as_str(), "TokenExpired");
    assert_eq!(Alert::TokenExpired.message_id(), "103bd63c22665ebdb74a41db8ea632b7");
    assert_eq!(Acknowledged::Unknown.problem(), Some("no alert of that id fires"));
    assert_eq!(Acknowledged::Done.problem(), None);
}

#[test]
fn kinds_of_alerts_differ_in_when_they_are_suppressed_and_repeated() {
    let of = |is: fn(Alert) -> bool| -> Vec<_> {
        Alert::ALL.iter().map(|(alert, _)| *alert).filter(|alert| is(*alert)).map(Alert::as_str).collect()
    };
    let suppressed = [
        "UserDisabled",
        "UserChanged",
        "PermissionLost",
        "PermissionMissing",
        "SecurityGroupRightLost",
        "CustomersHidden",
    ];
    assert_eq!(of(Alert::is_suppressed_while_not_valid), suppressed);
    assert_eq!(of(|alert| !alert.is_reminded()), ["TokenExpiring"]);
    assert_eq!(of(Alert::is_of_monitor), ["MonitorThrottled", "MonitorImpaired"]);
}

#[test]
fn an_alert_quotes_what_was_said_of_it_last() {
    let (one, two) = (Affected::token("t"), Affected::right("u", "ticket.read"));
    let mut alert = firing(Alert::TokenRejected, Scope::of_token("acme", "t"), Severity::Critical, vec![one.clone()]);
    alert.notified(at(5));
    assert_eq!((alert.notified_at, alert.lists(Some(&one)), alert.lists(Some(&two))), (at(5), true, false));
    assert_eq!((one.thing(), two.thing()), (None, Some("ticket.read")));
    let said = alert.message.line.clone();
    alert.set_message(Message::from("it is otherwise".to_owned()));
    alert.set_affected(vec![one.clone(), two.clone()], at(6));
    assert_eq!((alert.changed_at, alert.lists(Some(&two))), (Some(at(6)), true));
    let mut ended = alert.clone();
    ended.restore_said();
    assert_eq!((ended.message.line, ended.affected), (said, vec![one]));
    alert.notified(at(7));
    alert.restore_said();
    assert_eq!((alert.message.line.as_str(), alert.changed_at), ("it is otherwise", None));
}

#[test]
fn an_acknowledgement_ends_at_its_moment() {
    let mut alert = firing(Alert::TokenRejected, Scope::of_token("acme", "t"), Severity::Critical, Vec::new());
    assert!(!alert.is_acknowledged(at(0)));
    let (by, reason) = ("Pat".to_owned(), "on it".to_owned());
    alert.acknowledged = Some(Acknowledgement { by, reason, until: at(10), at: at(0) });
    assert!(alert.is_acknowledged(at(9)) && !alert.is_acknowledged(at(10)));
}

#[test]
fn no_moment_of_an_alert_lies_ahead_of_a_clock_that_was_set_back() {
    let mut alert = firing(Alert::TokenRejected, Scope::of_token("acme", "t"), Severity::Critical, Vec::new());
    alert.notified(at(100));
    (alert.since, alert.began_at, alert.changed_at) = (at(100), at(100), Some(at(100)));
    alert.set_back(at(50));
    assert_eq!(
        (alert.since, alert.began_at, alert.notified_at, alert.changed_at),
        (at(50), at(50), at(50), Some(at(50)))
    );
}

#[test]
fn a_renamed_token_is_the_same_in_what_was_said() {
    let names = ["a", "b"].map(Affected::token).to_vec();
    let mut alert = firing(Alert::TokenRejected, Scope::of_token("acme", "a"), Severity::Critical, names);
    alert.notified(at(0));
    alert.rename("a", "z");
    assert_eq!(alert.affected, ["b", "z"].map(Affected::token));
    assert_eq!(alert.scope, Scope::of_token("acme", "z"));
    let affected = alert.affected.clone();
    alert.set_affected(affected, at(1));
    assert_eq!(alert.changed_at, None);
    alert.rename("b", "c");
    assert_eq!(alert.scope, Scope::of_token("acme", "z"), "another token");
}
