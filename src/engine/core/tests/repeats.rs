//! What is notified of once is not notified of again: a reload, a restart or a new cause begins, ends and repeats
//! nothing, and refusals in quick succession confirm nothing.

use super::machine::{Machine, fleet};
use super::*;

/// Permissions are checked every hour: after so many seconds every change has been seen and confirmed.
const A_WHILE: i64 = 4000;

/// The same tokens, as a configuration may list them.
const ORDERS: [[&str; 3]; 4] = [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"], ["c", "a", "b"]];

/// A group loses what three tokens need; the one alert lists all.
fn lost(config: Config) -> Machine {
    let mut machine = Machine { grouped: true, ..Machine::new(config) };
    for name in ORDERS[0] {
        machine.holds(name);
    }
    machine.seconds(A_WHILE);
    for name in ORDERS[0] {
        machine.lacks(name);
    }
    while machine.notified().is_empty() {
        machine.seconds(1);
    }
    machine
}

#[test]
fn a_reload_in_any_order_notifies_of_nothing_again() {
    let mut machine = lost(fleet(&ORDERS[0]));
    for order in ORDERS.into_iter().chain(ORDERS) {
        machine.reload(fleet(&order));
        machine.seconds(400);
        assert_eq!(machine.notified().len(), 1, "{order:?}: {:?}", machine.notified());
    }
    for order in ORDERS {
        machine.crash(fleet(&order), 5);
        machine.seconds(400);
        assert_eq!(machine.notified().len(), 1, "a restart with {order:?}: {:?}", machine.notified());
    }
    machine.seconds(A_WHILE);
    assert_eq!(machine.notified().len(), 1, "{:?}", machine.notified());
}

/// In seconds.
const REMIND_EVERY: i64 = 2400;

/// A fleet in which all need the list but one, to which it is recommended.
fn recommended_to(recommended: &str, order: &[&str]) -> Config {
    let mut config = fleet(order);
    config.alerts.remind_every = Duration::from_secs(REMIND_EVERY as u64);
    for token in config.tokens.iter_mut().filter(|token| token.name == recommended) {
        for wanted in &mut Arc::make_mut(token).wanted {
            wanted.required = false;
        }
    }
    config
}

#[test]
fn a_reload_soon_after_an_alert_reminds_of_nothing() {
    for recommended in ORDERS[0] {
        let mut machine = lost(recommended_to(recommended, &ORDERS[0]));
        let fired = machine.now;
        for order in ORDERS {
            machine.seconds(20);
            machine.reload(recommended_to(recommended, &order));
        }
        machine.seconds(900);
        machine.crash(recommended_to(recommended, &ORDERS[1]), 20);
        machine.seconds(400);
        assert_eq!(machine.notified().len(), 1, "{recommended}: {:?}", machine.notified());
        machine.seconds(fired + REMIND_EVERY - machine.now);
        let reminded = machine.notified().split_off(1);
        assert!(reminded.len() == 1 && reminded.iter().all(|notified| notified.ends_with("reminder")), "{reminded:?}");
    }
}

#[test]
fn a_cause_that_becomes_known_moves_the_alert_and_one_that_is_forgotten_does_not() {
    let mut machine = Machine::grouped(&["t"]);
    machine.seconds(A_WHILE);
    for narrows in [Machine::is_narrow, Machine::lacks, Machine::is_narrow] {
        narrows(&mut machine, "t");
        machine.seconds(A_WHILE);
    }
    let permission = "PermissionLost/acme/t:Tickets - List/Search";
    let both = "PermissionLost/acme/t:ticket.read+t:Tickets - List/Search";
    let expected = [
        format!("{permission} new"),
        format!("{both} new"),
        format!("{permission} superseded"),
        format!("{permission} updated"),
    ];
    assert_eq!(machine.notified(), expected);
    let scopes: Vec<_> = machine.store.notified.iter().map(|notification| notification.key.of.kind()).collect();
    assert_eq!(scopes, ["token", "security_group", "token", "security_group"]);
}

#[test]
fn refusals_in_quick_succession_confirm_nothing() {
    let granted = |granted| works(&[("ticket.read", granted)]);
    let cases = [
        ("TokenRejected/acme/t", MeObservation::Refused, ProbeObservation::Missing),
        ("PermissionLost/acme/t:Tickets - List/Search", granted(true), ProbeObservation::Missing),
        ("SecurityGroupRightLost/acme/t:ticket.read", granted(false), ProbeObservation::Granted(200)),
    ];
    for (alert, me, list) in cases {
        let mut machine = Machine::new(fleet(&["t"]));
        machine.holds("t");
        machine.seconds(10);
        machine.answer("t", me, list);
        // The least distance of two checks that confirm each other is 30 seconds; here is one each second, or two.
        let checks: usize = (0..29).map(|_| machine.check("t") + machine.second()).sum();
        machine.commit();
        assert!(checks >= 29, "{checks}");
        assert_eq!(machine.notified(), Vec::<String>::new(), "{alert}");
        machine.second();
        machine.check("t");
        machine.commit();
        assert_eq!(machine.notified(), [format!("{alert} new")]);
    }
}

#[test]
fn a_token_that_comes_back_is_notified_of_only_after_a_check() {
    let mut machine = Machine::new(fleet(&["a", "b"]));
    machine.seconds(A_WHILE);
    machine.answer("b", MeObservation::Refused, ProbeObservation::Granted(200));
    machine.seconds(A_WHILE);
    machine.reload(fleet(&["a"]));
    machine.seconds(60);
    machine.answer("b", MeObservation::Failed(failure()), ProbeObservation::Failed(failure()));
    machine.reload(fleet(&["a", "b"]));
    machine.seconds(60);
    machine.crash(fleet(&["a", "b"]), 5);
    machine.seconds(60);
    assert_eq!(machine.notified(), ["TokenRejected/acme/b new", "TokenRejected/acme/b resolved"]);
    machine.holds("b");
    machine.seconds(A_WHILE);
    assert_eq!(machine.notified().len(), 2, "it works again: {:?}", machine.notified());
}

#[test]
fn what_a_token_lacked_before_it_left_is_in_no_alert_until_it_works_again() {
    let mut machine = lost(fleet(&ORDERS[0]));
    machine.reload(fleet(&["a", "b"]));
    machine.seconds(A_WHILE);
    let before = machine.notified().len();
    machine.answer("c", MeObservation::Refused, ProbeObservation::Missing);
    machine.reload(fleet(&ORDERS[0]));
    machine.seconds(A_WHILE);
    assert_eq!(machine.notified().split_off(before), ["TokenRejected/acme/c new"], "it was only refused");
    machine.holds("c");
    machine.seconds(A_WHILE);
    assert_eq!(machine.notified().split_off(before + 1), ["TokenRejected/acme/c resolved"]);
}

#[test]
fn a_clock_set_back_by_years_makes_no_old_news_new() {
    let mut machine = Machine::new(fleet(&["a"]));
    let admin = |admin| {
        let MeObservation::Works(mut me) = works(&[("ticket.read", true)]) else { unreachable!() };
        me.admin = Some(admin);
        MeObservation::Works(me)
    };
    machine.answer("a", admin(true), ProbeObservation::Granted(200));
    machine.seconds(A_WHILE);
    machine.answer("a", admin(false), ProbeObservation::Granted(200));
    machine.seconds(30 * 3600);
    assert_eq!(machine.notified(), ["UserChanged/acme/a new", "UserChanged/acme/a resolved"]);
    machine.now -= 3 * 365 * 24 * 3600;
    machine.seconds(A_WHILE);
    assert_eq!(machine.notified().len(), 2, "{:?}", machine.notified());
}

#[test]
fn a_full_check_that_is_requested_while_another_is_under_way_comes_after_it() {
    let mut machine = Machine { probes_take: 5, ..Machine::new(fleet(&["a"])) };
    machine.seconds(1);
    let begun: Vec<_> = machine.probing.iter().map(|(at, _)| *at).collect();
    assert_eq!(begun.len(), 1, "its probes are under way");
    assert_eq!(machine.check("a"), 0, "a check of `/me` alone is not what was requested");
    machine.seconds(5);
    let later: Vec<_> = machine.probing.iter().map(|(at, _)| *at).collect();
    assert!(later.len() == 1 && later > begun, "{begun:?}, {later:?}");
}
