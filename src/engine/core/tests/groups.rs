//! One security group behind several tokens: whose alert represents whom, and which group an alert names.

use super::machine::{Machine, fleet};
use super::*;
use crate::alert::{Alert, Message};
use crate::syncro::UserObservation;

/// Permissions are checked every hour: after so many seconds every change has been seen and confirmed.
const A_WHILE: i64 = 4000;

fn lost(token: &str) -> [String; 2] {
    [
        format!("PermissionLost/acme/{token}/Tickets - List/Search firing"),
        format!("SecurityGroupRightLost/acme/{token}/ticket.read firing"),
    ]
}

/// What has been notified of after so many notifications, sorted.
fn since(machine: &Machine, count: usize) -> Vec<String> {
    let mut notified = machine.notified().split_off(count);
    notified.sort();
    notified
}

#[test]
fn a_peer_that_lacked_it_from_the_start_swallows_no_loss() {
    let mut machine = Machine::grouped(&["a", "b"]);
    machine.lacks("a");
    machine.seconds(A_WHILE);
    assert_eq!(machine.notified(), ["PermissionMissing/acme/a/Tickets - List/Search firing"]);
    machine.lacks("b");
    machine.seconds(A_WHILE);
    assert_eq!(since(&machine, 1), lost("b"));
    machine.holds("a");
    machine.holds("b");
    machine.seconds(A_WHILE);
    let ended = since(&machine, 3);
    assert!(ended.len() == 3 && ended.iter().all(|notified| notified.ends_with("resolved")), "{ended:?}");
}

/// A group lost what these tokens need: with the one that represents all.
fn all_lost<'n>(names: &[&'n str]) -> (Machine, &'n str) {
    let mut machine = Machine::grouped(names);
    machine.seconds(A_WHILE);
    for name in names {
        machine.lacks(name);
    }
    machine.seconds(A_WHILE);
    let first = machine.notified()[0].clone();
    let speaker = names.iter().find(|name| first.contains(&format!("/{name}/"))).expect("one of them does");
    (machine, speaker)
}

/// A group lost what two tokens need: with the one that represents both, and the other.
fn both_lost() -> (Machine, &'static str, &'static str) {
    let (machine, speaker) = all_lost(&["a", "b"]);
    assert_eq!(since(&machine, 0), lost(speaker), "one alert of each kind for the group");
    (machine, speaker, if speaker == "a" { "b" } else { "a" })
}

#[test]
fn a_peer_whose_loss_is_older_swallows_no_later_loss() {
    let (mut machine, _, other) = both_lost();
    machine.holds(other);
    machine.seconds(A_WHILE);
    assert_eq!(machine.notified().len(), 2, "{:?}", machine.notified());
    machine.lacks(other);
    machine.seconds(A_WHILE);
    assert_eq!(since(&machine, 2), lost(other));
}

#[test]
fn who_comes_to_speak_for_a_group_is_checked_before() {
    let (mut machine, speaker, other) = both_lost();
    // What the group allows no longer says anything about this user, and then it allows it again.
    let mut me = crate::testing::me(&[("ticket.read", true)]);
    me.admin = Some(true);
    machine.answer(speaker, MeObservation::Works(me), ProbeObservation::Granted(200));
    machine.holds(other);
    machine.check(speaker);
    machine.seconds(A_WHILE);
    let ended = since(&machine, 2);
    assert!(ended.iter().all(|notified| notified.ends_with("resolved")), "{ended:?}");
    machine.lacks(other);
    machine.seconds(A_WHILE);
    assert_eq!(since(&machine, 4), lost(other), "what is lost after that is an alert of its own");
}

#[test]
fn who_comes_to_speak_for_a_group_after_a_reload_is_checked_before() {
    let (mut machine, speaker, other) = both_lost();
    machine.holds(other);
    machine.reload(fleet(&[other]));
    machine.seconds(A_WHILE);
    let ended = since(&machine, 2);
    let all_of_speaker =
        ended.iter().all(|notified| notified.contains(&format!("/{speaker}/")) && notified.ends_with("resolved"));
    assert!(ended.len() == 2 && all_of_speaker, "{ended:?}");
}

#[test]
fn a_token_that_does_not_work_is_not_said_to_be_affected() {
    let mut machine = Machine::grouped(&["a", "b"]);
    machine.seconds(A_WHILE);
    machine.answer("b", MeObservation::Refused, ProbeObservation::Missing);
    machine.seconds(A_WHILE);
    machine.lacks("a");
    machine.seconds(A_WHILE);
    let messages = losses(&mut machine);
    assert_eq!(messages.len(), 2);
    assert!(messages.iter().all(|message| !message.text.contains("`b`")), "{}", messages[0].text);
}

/// What the firing alerts say that name a security group as the cause of a loss.
fn losses(machine: &mut Machine) -> Vec<Message> {
    let snapshot = machine.core.snapshot();
    let firing = snapshot.tokens.iter().flat_map(|token| token.firing.iter().cloned());
    let of_loss = [Alert::PermissionLost, Alert::PermissionMissing, Alert::SecurityGroupRightLost];
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
        let doubted = |token: &TokenSnapshot| token.status.user.as_ref().is_some_and(|user| user.doubted_at.is_some());
        let before = machine.core.snapshot().tokens.iter().any(doubted);
        machine.second();
        if restarts && !before && machine.core.snapshot().tokens.iter().any(doubted) {
            machine.commit();
            machine.crash(fleet(&names), 5);
        }
        for message in losses(&mut machine) {
            // It may say from where the user was moved, but not that the permission is to be ticked there.
            let names_others =
                ["Security Groups > `Technicians`", "`b`", "`c`"].iter().any(|name| message.text.contains(name));
            assert!(!names_others, "after {}: {}", machine.now, message.text);
        }
    }
    machine.commit();
    machine
}

#[test]
fn after_a_move_an_alert_names_the_new_group_alone() {
    for restarts in [false, true] {
        let narrow = UserObservation::Group(Some("Narrow".to_owned()));
        let mut machine = moved(narrow, restarts);
        let [permission, right] = lost("a");
        let changed = "SecurityGroupChanged/acme/a firing".to_owned();
        assert_eq!(since(&machine, 0), [permission, changed, right], "each once");
        for message in losses(&mut machine) {
            assert!(message.text.contains("`Narrow`"), "{}", message.text);
            assert_eq!(message.security_group.as_deref(), Some("Narrow"));
        }
        let notifications =
            machine.store.notified.iter().filter(|notification| notification.key.alert != Alert::SecurityGroupChanged);
        for notification in notifications {
            assert_eq!(notification.message.security_group.as_deref(), Some("Narrow"), "{}", notification.message.text);
        }
    }
}

#[test]
fn while_the_new_group_cannot_be_read_none_is_named() {
    let mut machine = moved(UserObservation::Failed(failure()), false);
    assert_eq!(since(&machine, 0), lost("a"), "it is notified of all the same");
    assert!(machine.store.notified.iter().all(|notification| notification.message.security_group.is_none()));
    machine.groups.insert("a".to_owned(), UserObservation::Group(Some("Narrow".to_owned())));
    machine.seconds(A_WHILE);
    assert!(losses(&mut machine).iter().all(|message| message.text.contains("`Narrow`")));
}

#[test]
fn a_speaker_whose_cause_changes_makes_no_peer_fire() {
    let (mut machine, speaker, other) = both_lost();
    // The group allows it again, and now it is the token of the speaker that is too narrow.
    machine.is_narrow(speaker);
    machine.holds(other);
    machine.seconds(A_WHILE);
    assert_eq!(since(&machine, 2), [format!("SecurityGroupRightLost/acme/{speaker}/ticket.read resolved")]);
}

#[test]
fn no_peer_fires_before_its_check_when_the_speaker_is_outdated() {
    for names in [["a2", "b2", "c2"], ["a3", "b3", "c3"], ["x", "y", "z"], ["p1", "p2", "p3"]] {
        let (mut machine, speaker) = all_lost(&names);
        machine.is_narrow(speaker);
        for name in names.into_iter().filter(|name| *name != speaker) {
            machine.holds(name);
        }
        let before = machine.notified().len();
        machine.seconds(A_WHILE);
        let fired = since(&machine, before).into_iter().filter(|line| line.ends_with("firing")).collect::<Vec<_>>();
        assert_eq!(fired, Vec::<String>::new(), "{names:?}: nobody lost anything");
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
        let notifications =
            machine.store.notified.iter().filter(|notification| notification.key.alert == Alert::PermissionLost);
        let is_named = |name: &str| {
            let in_words = format!("`{name}`");
            notifications.clone().any(|notification| {
                notification.key.of.token_name() == Some(name) || notification.message.text.contains(&in_words)
            })
        };
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
    assert_eq!(since(&machine, 0), lost("a"));
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
        assert!(!message.text.contains("`Technicians` >"), "{}", message.text);
        assert_eq!(message.security_group.as_deref(), Some("Others"), "{}", message.text);
    }
}
