//! One security group behind several tokens: what is one alert, what is another, and which group an alert names.

use super::machine::{Machine, fleet};
use super::*;
use crate::alert::{Alert, Message};
use crate::model::Scope;
use crate::syncro::UserObservation;

/// Permissions are checked every hour: after so many seconds every change has been seen and confirmed.
const A_WHILE: i64 = 4000;

/// What these tokens of one group lost, as one alert lists it.
fn list(tokens: &[&str]) -> String {
    let mut tokens = tokens.to_vec();
    tokens.sort_unstable();
    let lost = |token: &&str| format!("{token}:ticket.read+{token}:Tickets - List/Search");
    tokens.iter().map(lost).collect::<Vec<_>>().join("+")
}

fn lost(tokens: &[&str], change: &str) -> String {
    format!("PermissionLost/acme/{} {change}", list(tokens))
}

/// What has been notified of after so many notifications.
fn since(machine: &Machine, count: usize) -> Vec<String> {
    machine.notified().split_off(count)
}

#[test]
fn a_peer_that_lacked_it_from_the_start_swallows_no_loss() {
    let mut machine = Machine::grouped(&["a", "b"]);
    machine.lacks("a");
    machine.seconds(A_WHILE);
    assert_eq!(machine.notified(), ["PermissionMissing/acme/a:Tickets - List/Search new"]);
    machine.lacks("b");
    machine.seconds(A_WHILE);
    assert_eq!(since(&machine, 1), [lost(&["b"], "new")]);
    machine.holds("a");
    machine.holds("b");
    machine.seconds(A_WHILE);
    let ended = since(&machine, 2);
    assert!(ended.len() == 2 && ended.iter().all(|notified| notified.ends_with("resolved")), "{ended:?}");
}

/// A group lost what these tokens need.
fn all_lost(names: &[&str]) -> Machine {
    let mut machine = Machine::grouped(names);
    machine.seconds(A_WHILE);
    for name in names {
        machine.lacks(name);
    }
    machine.seconds(A_WHILE);
    assert_eq!(machine.notified(), [lost(names, "new")], "one cause, one alert");
    machine
}

#[test]
fn what_a_group_lost_is_one_alert_and_one_end() {
    let names = ["a", "b", "c", "d", "e"];
    let mut machine = all_lost(&names);
    let scope = machine.store.notified[0].key.of.clone();
    assert_eq!(scope, Scope::SecurityGroup { tenant: "acme".to_owned(), group: "Technicians".to_owned() });
    for name in names {
        machine.holds(name);
    }
    machine.seconds(A_WHILE);
    let ended = since(&machine, 1);
    assert!(ended.len() == 1 && ended[0].ends_with("resolved"), "{ended:?}");
}

#[test]
fn an_end_quotes_what_was_said_last_although_it_ended_bit_by_bit() {
    let mut machine = all_lost(&["a", "b"]);
    let first = machine.store.notified[0].clone();
    machine.holds("a");
    machine.holds("b");
    machine.check("a");
    machine.seconds(A_WHILE);
    assert_eq!(since(&machine, 1), [lost(&["a", "b"], "resolved")]);
    let ended = machine.store.notified.last().unwrap();
    assert_eq!(ended.affected, first.affected);
    assert!(ended.message.line.contains("affected: `a` and `b`"), "{}", ended.message.line);
}

#[test]
fn one_token_of_a_group_alone_is_not_the_group() {
    let mut machine = Machine::grouped(&["a", "b"]);
    machine.seconds(A_WHILE);
    machine.is_narrow("a");
    machine.seconds(A_WHILE);
    assert_eq!(machine.notified(), ["PermissionLost/acme/a:Tickets - List/Search new"]);
    assert_eq!(machine.store.notified[0].key.of.token_name(), Some("a"));
}

#[test]
fn a_later_loss_is_an_alert_of_its_own() {
    let mut machine = all_lost(&["a", "b"]);
    machine.holds("b");
    machine.seconds(A_WHILE);
    assert_eq!(since(&machine, 1), [lost(&["a"], "updated")]);
    machine.lacks("b");
    machine.seconds(A_WHILE);
    assert_eq!(since(&machine, 2), [lost(&["b"], "new")]);
    let ids: Vec<_> = machine.store.notified.iter().map(|notification| notification.id.as_str()).collect();
    assert!(ids[0] == ids[1] && ids[0] != ids[2], "{ids:?}");
}

#[test]
fn who_comes_later_and_lacks_the_same_joins() {
    let mut machine = all_lost(&["a", "b"]);
    machine.lacks("late");
    machine.reload(fleet(&["a", "b", "late"]));
    machine.seconds(A_WHILE);
    let joined = format!("PermissionLost/acme/{}+late:Tickets - List/Search updated", list(&["a", "b"]));
    assert_eq!(since(&machine, 1), [joined]);
}

#[test]
fn a_token_that_leaves_takes_its_entries_along() {
    let mut machine = all_lost(&["a", "b"]);
    machine.reload(fleet(&["b"]));
    machine.seconds(A_WHILE);
    assert_eq!(since(&machine, 1), [lost(&["b"], "updated")]);
    machine.reload(fleet(&[]));
    machine.seconds(10);
    let ended = since(&machine, 2);
    assert!(ended.len() == 1 && ended[0].ends_with("resolved"), "{ended:?}");
}

#[test]
fn a_token_that_does_not_work_keeps_its_entries_and_is_not_added() {
    let mut machine = Machine::grouped(&["a", "b", "c"]);
    machine.seconds(A_WHILE);
    machine.answer("c", MeObservation::Refused, ProbeObservation::Missing);
    machine.seconds(A_WHILE);
    machine.lacks("a");
    machine.lacks("b");
    machine.seconds(A_WHILE);
    assert_eq!(since(&machine, 1), [lost(&["a", "b"], "new")]);
    machine.answer("b", MeObservation::Refused, ProbeObservation::Missing);
    machine.seconds(A_WHILE);
    assert_eq!(since(&machine, 2), ["TokenRejected/acme/b new"]);
    machine.holds("a");
    machine.seconds(A_WHILE);
    assert_eq!(since(&machine, 3), [lost(&["b"], "updated")], "of `b` nothing is known");
}

/// The messages of the firing alerts about something that is missing.
fn losses(machine: &mut Machine) -> Vec<Message> {
    let snapshot = machine.core.snapshot();
    let firing = snapshot.tenants.iter().flat_map(|tenant| tenant.firing.iter().cloned());
    let of_loss = [Alert::PermissionLost, Alert::PermissionMissing, Alert::SecurityGroupRightLost, Alert::UserChanged];
    firing.filter(|firing| of_loss.contains(&firing.alert)).map(|firing| firing.message).collect()
}

/// The user of `a` is moved out of the group of the users of `b` and `c`, which the answer about it says or does not say.
fn moved(answer: UserObservation, restarts: bool) -> Machine {
    let names = ["a", "b", "c"];
    let mut machine = Machine::grouped(&names);
    // The group was read at the start, and is read every hour.
    machine.seconds(600);
    machine.groups.insert("a".to_owned(), answer);
    machine.lacks("a");
    // Nothing shows that the others still have what it lost.
    for other in ["b", "c"] {
        machine.answer(other, works(&[("ticket.read", true)]), ProbeObservation::Failed(failure()));
    }
    for _ in 0..A_WHILE {
        let doubted = |token: &crate::state::TokenSnapshot| {
            token.status.user.as_ref().is_some_and(|user| user.doubted_at.is_some())
        };
        let before = machine.core.snapshot().tokens.iter().any(doubted);
        machine.second();
        if restarts && !before && machine.core.snapshot().tokens.iter().any(doubted) {
            machine.commit();
            machine.crash(fleet(&names), 5);
        }
        for message in losses(&mut machine) {
            // It may say from where the user was moved, but not that the permission is to be ticked there.
            let names_others =
                ["Security Groups > `Technicians`", "`b`", "`c`"].iter().any(|name| message.line.contains(name));
            assert!(!names_others, "after {}: {}", machine.now, message.line);
        }
    }
    machine.commit();
    machine
}

#[test]
fn a_move_and_what_it_took_are_one_alert_that_names_both_groups() {
    for restarts in [false, true] {
        let narrow = UserObservation::Group(Some("Narrow".to_owned()));
        let mut machine = moved(narrow, restarts);
        assert_eq!(machine.notified(), [format!("UserChanged/acme/{} new", list(&["a"]))], "restarts: {restarts}");
        for message in losses(&mut machine) {
            assert!(message.line.contains("`Narrow`") && message.line.contains("`Technicians`"), "{}", message.line);
        }
        machine.groups.clear();
        machine.holds("a");
        machine.seconds(A_WHILE);
        assert_eq!(machine.notified().len(), 2, "{:?}", machine.notified());
        assert!(machine.notified()[1].ends_with("resolved"), "{:?}", machine.notified());
    }
}

#[test]
fn while_the_new_group_cannot_be_read_none_is_named() {
    let mut machine = moved(UserObservation::Failed(failure()), false);
    assert_eq!(machine.notified(), [lost(&["a"], "new")], "it is notified of all the same");
    assert!(machine.store.notified.iter().all(|notification| notification.message.security_group.is_none()));
    machine.groups.insert("a".to_owned(), UserObservation::Group(Some("Narrow".to_owned())));
    machine.seconds(A_WHILE);
    assert!(losses(&mut machine).iter().all(|message| message.line.contains("`Narrow`")));
}

#[test]
fn no_peer_fires_when_the_group_is_fixed_for_all_but_one() {
    for names in [["a2", "b2", "c2"], ["a3", "b3", "c3"], ["x", "y", "z"], ["p1", "p2", "p3"]] {
        let mut machine = all_lost(&names);
        machine.is_narrow(names[1]);
        machine.holds(names[0]);
        machine.holds(names[2]);
        let before = machine.notified().len();
        machine.seconds(A_WHILE);
        let after = since(&machine, before);
        let of_one = format!("PermissionLost/acme/{}:Tickets - List/Search", names[1]);
        assert!(after.iter().all(|line| line.starts_with(&of_one) || line.contains("superseded")), "{after:?}");
        assert!(!after.iter().any(|line| line.ends_with("resolved")), "{after:?}");
    }
}

#[test]
fn a_peer_whose_group_cannot_be_read_swallows_no_loss() {
    for names in [["a", "b"], ["b", "a"], ["first", "second"], ["x1", "x2"]] {
        let mut machine = Machine::grouped(&names);
        machine.seconds(A_WHILE);
        machine.groups.insert(names[0].to_owned(), UserObservation::Failed(failure()));
        for name in names {
            machine.lacks(name);
        }
        machine.seconds(2 * A_WHILE);
        let lost: Vec<_> = machine.notified().into_iter().filter(|line| line.starts_with("PermissionLost")).collect();
        let is_named = |name: &str| lost.iter().any(|line| line.contains(&format!("{name}:Tickets")));
        assert!(names.into_iter().all(is_named), "{:?}", machine.notified());
    }
}

#[test]
fn a_loss_is_notified_of_although_the_next_check_is_due_before_the_last_one_ends() {
    let mut config = fleet(&["a"]);
    config.schedule.validity = crate::config::Schedule::Every(std::time::Duration::from_secs(10));
    config.schedule.permissions = crate::config::Schedule::Every(std::time::Duration::from_secs(30));
    let mut machine = Machine { grouped: true, probes_take: 35, ..Machine::new(config) };
    machine.holds("a");
    machine.seconds(300);
    machine.lacks("a");
    machine.seconds(300);
    assert_eq!(machine.notified(), [lost(&["a"], "new")]);
}

/// Nothing in `/me` shows that users came to another group with the same rights; it is read when something is lost.
#[test]
fn a_group_is_read_again_before_it_is_named_though_nothing_else_showed_a_move() {
    let names = ["a", "b"];
    let mut machine = Machine::grouped(&names);
    machine.seconds(600);
    for name in names {
        machine.groups.insert(name.to_owned(), UserObservation::Group(Some("Others".to_owned())));
        machine.is_narrow(name);
    }
    machine.seconds(2 * 3600);
    let lost = losses(&mut machine);
    assert!(!lost.is_empty());
    for message in lost {
        assert!(!message.line.contains("`Technicians` >"), "{}", message.line);
        assert_eq!(message.security_group.as_deref(), Some("Others"), "{}", message.line);
    }
}
