//! What a token is meant to lack: nobody is notified of it until that ends.

use super::machine::{Machine, fleet};
use super::*;
use crate::model::Ignored;

/// Permissions are checked every hour: after so many seconds every change has been seen and confirmed.
const A_WHILE: i64 = 4000;
/// When the permission is not meant to be missing any more.
const UNTIL: i64 = 20_000;

/// A fleet in which one token is meant to lack the list.
fn ignoring(names: &[&str], ignoring: &str) -> Config {
    let mut config = fleet(names);
    for token in config.tokens.iter_mut().filter(|token| token.name == ignoring) {
        let reason = "it only reads customers".to_owned();
        Arc::make_mut(token).ignored = vec![Ignored { permission: permission(LIST), reason, until: Some(at(UNTIL)) }];
    }
    config
}

#[test]
fn what_is_meant_to_be_missing_is_notified_of_once_that_ends() {
    let mut machine = Machine::new(ignoring(&["a"], "a"));
    machine.holds("a");
    machine.seconds(A_WHILE);
    machine.lacks("a");
    machine.seconds(UNTIL - A_WHILE - 1);
    assert!(machine.notified().is_empty(), "{:?}", machine.notified());
    machine.seconds(2);
    let notified = machine.notified();
    assert!(
        matches!(notified.as_slice(), [one] if one.starts_with("PermissionLost") && one.ends_with("new")),
        "{notified:?}"
    );
}

#[test]
fn a_reload_that_says_it_is_meant_to_be_missing_ends_the_alert_and_says_so() {
    let mut machine = Machine::new(fleet(&["a"]));
    machine.holds("a");
    machine.seconds(A_WHILE);
    machine.lacks("a");
    machine.seconds(A_WHILE);
    assert_eq!(machine.notified().len(), 1);
    machine.reload(ignoring(&["a"], "a"));
    machine.seconds(1);
    machine.commit();
    let ended = machine.store.notified.last().unwrap();
    assert!(ended.message.line.contains("the configuration says that it is meant to be missing"), "{ended:?}");
    assert!(machine.notified().last().unwrap().ends_with("resolved"));
}

#[test]
fn the_alert_of_a_group_lists_only_those_that_are_not_meant_to_lack_it() {
    let mut machine = Machine { grouped: true, ..Machine::new(ignoring(&["a", "b"], "b")) };
    for name in ["a", "b"] {
        machine.holds(name);
    }
    machine.seconds(A_WHILE);
    for name in ["a", "b"] {
        machine.lacks(name);
    }
    machine.seconds(A_WHILE);
    let notified = machine.notified();
    assert!(matches!(notified.as_slice(), [one] if one.contains("a:") && !one.contains("b:")), "{notified:?}");
    machine.seconds(UNTIL);
    assert!(machine.notified()[1..].iter().all(|one| one.contains("b:")), "{:?}", machine.notified());
    assert_eq!(machine.notified().len(), 2, "it joins what explains it");
}
