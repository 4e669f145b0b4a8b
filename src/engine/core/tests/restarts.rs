//! What a restart, a crash or a changed configuration may not do to what is believed and notified of.

use std::time::Duration;

use chrono::TimeDelta;
use proptest::prelude::*;
use proptest::sample::select;

use super::machine::{Answer, Machine, fleet, granted, line};
use super::*;
use crate::alert::{Change, Notification};
use crate::belief::{TokenState, TransitionKind};
use crate::state::Entry;

fn refused() -> MeObservation {
    MeObservation::Refused
}

#[test]
fn a_restart_believes_what_was_persisted_and_notifies_of_nothing_twice() {
    let mut machine = Machine::new(fleet(&["t", "p"]));
    machine.seconds(10);
    machine.answer("t", refused(), ProbeObservation::Missing);
    machine.answer("p", works(&[]), ProbeObservation::Missing);
    machine.seconds(4000);
    let notified = ["TokenRejected/acme/t new", "PermissionLost/acme/p:Tickets - List/Search new"];
    let mut received = machine.notified();
    received.sort();
    assert_eq!(received, [notified[1], notified[0]]);
    machine.crash(fleet(&["t", "p"]), 60);
    let snapshot = machine.core.snapshot();
    assert!(snapshot.first_sweep_done, "every token has been checked, if not by this process");
    let token_status = |index: usize| &snapshot.tokens[index].status;
    assert_eq!((token_status(0).state, token_status(1).state), (TokenState::Rejected, TokenState::Valid));
    assert!(token_status(0).validity.last_attempt < Some(at(machine.now - 59)), "with its old timestamp");
    assert_eq!(snapshot.tenants[0].firing.len(), 2);
    machine.seconds(4000);
    assert_eq!(machine.notified().len(), 2, "{:?}", machine.notified());
    machine.answers.clear();
    machine.seconds(4000);
    assert_eq!(machine.notified().len(), 4, "{:?}", machine.notified());
}

#[test]
fn what_ended_while_nobody_watched_is_not_reminded_of_before_it_is_checked() {
    for (me, list) in [(refused(), granted().list), (works(&[]), ProbeObservation::Missing)] {
        let mut machine = Machine::new(fleet(&["t"]));
        machine.probes_take = 3;
        machine.seconds(10);
        machine.answer("t", me, list);
        machine.seconds(4000);
        assert_eq!(machine.notified().len(), 1, "{:?}", machine.notified());
        machine.answers.clear();
        machine.crash(fleet(&["t"]), 3 * 24 * 3600);
        machine.seconds(4000);
        let changes: Vec<_> = machine.store.notified.iter().map(|notification| notification.change).collect();
        assert_eq!(changes, [Change::New, Change::Resolved]);
    }
    let mut machine = Machine::new(fleet(&["t"]));
    machine.seconds(10);
    machine.answer("t", refused(), granted().list);
    machine.seconds(4000);
    machine.crash(fleet(&["t"]), 3 * 24 * 3600);
    machine.seconds(4000);
    let last = machine.store.notified.last().map(|notification| notification.change);
    assert_eq!(last, Some(Change::Reminder), "what lasts is reminded of once it was checked");
    assert_eq!(machine.notified().len(), 2);
}

#[test]
fn overdue_checks_are_spread_over_an_interval_and_none_is_left_out() {
    let names: Vec<String> = (0..60).map(|number| format!("t{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut machine = Machine::new(fleet(&names));
    machine.seconds(10);
    machine.crash(fleet(&names), 7 * 24 * 3600);
    let checks: Vec<usize> = (0..300).map(|_| machine.second()).collect();
    assert!(checks.iter().all(|checks| *checks <= 4), "no burst: {checks:?}");
    assert_eq!(checks.iter().sum::<usize>(), 60, "each once, one `/me` for both checks");
    assert!(checks[..150].iter().sum::<usize>() > 15 && checks[150..].iter().sum::<usize>() > 15, "{checks:?}");
}

#[test]
fn an_expiry_that_passed_while_nobody_watched_is_noticed_at_once() {
    let expiring = || {
        let mut token = token("t", &[]);
        token.expires = Some(at(1000));
        config(vec![token])
    };
    let mut machine = Machine::new(expiring());
    machine.seconds(10);
    machine.answer("t", refused(), ProbeObservation::Missing);
    machine.crash(expiring(), 5000);
    assert_eq!(machine.second(), 1);
    machine.seconds(31);
    let notified = ["TokenExpired/acme/t new", "TokenExpiring/acme/t superseded"];
    assert_eq!(machine.notified()[machine.notified().len() - 2..], notified);
}

#[test]
fn a_bad_verdict_that_waits_for_its_confirmation_does_so_over_a_restart() {
    let mut machine = Machine::new(fleet(&["t"]));
    machine.seconds(10);
    machine.answer("t", refused(), ProbeObservation::Missing);
    while machine.second() == 0 {}
    machine.commit();
    machine.crash(fleet(&["t"]), 30);
    machine.seconds(1);
    assert_eq!(machine.notified(), ["TokenRejected/acme/t new"]);
}

#[test]
fn what_left_the_configuration_while_nobody_watched_is_resolved_and_keeps_its_history() {
    let mut machine = Machine::new(fleet(&["t", "other"]));
    machine.answer("t", refused(), ProbeObservation::Missing);
    machine.seconds(100);
    machine.crash(fleet(&["other"]), 60);
    machine.seconds(1);
    assert_eq!(machine.notified(), ["TokenRejected/acme/t new", "TokenRejected/acme/t resolved"]);
    assert!(machine.store.notified[1].message.line.contains("no longer in the configuration"));
    machine.crash(fleet(&["other"]), 60);
    machine.seconds(1000);
    assert_eq!(machine.notified().len(), 2);
    assert_eq!(machine.store.kinds(), [TransitionKind::State]);
}

#[test]
fn a_renamed_token_is_known_again_by_its_value() {
    let renamings: [fn(&mut Machine, Config); 2] = [
        |machine, config| machine.crash(config, 60),
        |machine, config| drop(machine.handle(Event::Reload(Arc::new(config)))),
    ];
    for rename in renamings {
        let mut machine = Machine { one_user: true, ..Machine::new(fleet(&["old"])) };
        machine.seconds(10);
        machine.answer("old", works(&[]), ProbeObservation::Missing);
        machine.seconds(4000);
        rename(&mut machine, fleet(&["new"]));
        machine.answer("new", works(&[]), ProbeObservation::Missing);
        machine.seconds(100);
        let lost = "PermissionLost/acme/old:Tickets - List/Search new";
        assert_eq!(machine.notified(), [lost], "its alert goes along, and that is no news");
        let snapshot = machine.core.snapshot();
        let [firing] = &snapshot.tenants[0].firing[..] else { unreachable!("{:?}", snapshot.tenants) };
        assert_eq!(firing.id, machine.store.notified[0].id);
        assert_eq!(firing.affected[0].token_name, "new");
        assert_eq!(machine.store.kinds(), [TransitionKind::Permission, TransitionKind::Name]);
        let moved = Entry::Renamed {
            from: TokenId { tenant: "acme".to_owned(), token_name: "old".to_owned() },
            to: TokenId { tenant: "acme".to_owned(), token_name: "new".to_owned() },
        };
        assert!(machine.store.history.contains(&moved), "and its history follows it");
    }
}

#[test]
fn a_value_that_was_rotated_while_nobody_watched_is_a_transition() {
    let mut machine = Machine::new(fleet(&["t"]));
    machine.seconds(10);
    machine.answers.insert("t".to_owned(), Answer { value: "another".to_owned(), ..granted() });
    machine.crash(fleet(&["t"]), 60);
    machine.seconds(301);
    assert_eq!(machine.store.kinds(), [TransitionKind::Fingerprint]);
    assert_eq!(machine.notified(), Vec::<String>::new());
}

#[test]
fn a_permission_that_is_wanted_since_the_restart_is_asked_for_in_turn() {
    let mut machine = Machine::new(config(vec![token("t", &["Customers - List/Search"])]));
    machine.seconds(10);
    machine.answer("t", works(&[]), ProbeObservation::Missing);
    machine.crash(fleet(&["t"]), 10);
    machine.seconds(400);
    assert_eq!(machine.notified(), ["PermissionMissing/acme/t:Tickets - List/Search new"]);
}

#[derive(Clone, Debug)]
enum Happens {
    Time(i64),
    Answers(&'static str, MeObservation, ProbeObservation),
    Reload(&'static [&'static str]),
    Commit,
    Crash(&'static [&'static str], i64),
}

const FLEETS: [&[&str]; 3] = [&["a", "b"], &["a"], &["b", "c"]];

fn me() -> impl Strategy<Value = MeObservation> {
    prop_oneof![
        4 => any::<bool>().prop_map(|granted| works(&[("ticket.read", granted)])),
        2 => Just(MeObservation::Refused),
        1 => Just(MeObservation::Blocked),
        2 => Just(MeObservation::Failed(failure())),
    ]
}

fn happens() -> impl Strategy<Value = Happens> {
    let list = || {
        select(vec![
            ProbeObservation::Granted(200),
            ProbeObservation::Missing,
            ProbeObservation::Inconclusive(418),
            ProbeObservation::Failed(failure()),
        ])
    };
    prop_oneof![
        6 => (1..400_i64).prop_map(Happens::Time),
        6 => (select(vec!["a", "b", "c"]), me(), list()).prop_map(|(token, me, list)| Happens::Answers(token, me, list)),
        1 => select(FLEETS.to_vec()).prop_map(Happens::Reload),
        3 => Just(Happens::Commit),
        2 => (select(FLEETS.to_vec()), 0..5000_i64).prop_map(|(fleet, after)| Happens::Crash(fleet, after)),
    ]
}

fn play(machine: &mut Machine, happens: Happens) {
    match happens {
        Happens::Time(count) => {
            for _ in 0..count {
                machine.second();
            }
        }
        Happens::Answers(token, me, list) => {
            let value = format!("value of {token}");
            machine.answers.insert(token.to_owned(), Answer { value, me, list });
        }
        Happens::Reload(names) => drop(machine.handle(Event::Reload(Arc::new(quick(names))))),
        Happens::Commit => machine.commit(),
        Happens::Crash(names, after) => machine.crash(quick(names), after),
    }
}

/// A fleet whose checks come often enough for short histories to be rich.
fn quick(names: &[&str]) -> Config {
    let mut config = fleet(names);
    config.schedule.permissions = crate::config::Schedule::Every(Duration::from_mins(10));
    config.alerts.remind_every = Duration::from_mins(20);
    config
}

/// By alert, in the order of the notifications.
fn by_id(notified: &[Notification]) -> BTreeMap<String, Vec<&Notification>> {
    let mut alerts: BTreeMap<String, Vec<&Notification>> = BTreeMap::new();
    for notification in notified {
        alerts.entry(notification.id.clone()).or_default().push(notification);
    }
    alerts
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// Whatever is answered, reloaded and killed: an alert fires, is reminded of, resolves, and only then fires again.
    #[test]
    fn each_firing_has_one_resolve(
        history in proptest::collection::vec(happens(), 1..60),
        grouped in any::<bool>(),
    ) {
        let mut machine = Machine { grouped, ..Machine::new(quick(FLEETS[0])) };
        for happened in history {
            play(&mut machine, happened);
        }
        // In the end everything works, and then nothing is configured any more.
        machine.answers.clear();
        machine.seconds(3000);
        machine.handle(Event::Reload(Arc::new(quick(&[]))));
        machine.commit();
        for notifications in by_id(&machine.store.notified).into_values() {
            let changes = || notifications.iter().map(|notification| line(notification)).collect::<Vec<_>>();
            let mut fires = false;
            for notification in &notifications {
                let expected = notification.change != Change::New;
                prop_assert_eq!(fires, expected, "{:?}", changes());
                fires = !notification.change.ends();
            }
            let ends = notifications.iter().filter(|notification| notification.change.ends()).count();
            prop_assert!(!fires && ends == 1, "it ends once: {:?}", changes());
        }
        prop_assert!(machine.store.firing.values().all(Vec::is_empty));
    }

    /// From the moment at which nothing can be checked any more, no alert about a token begins or ends, restarts or
    /// not, but by the configuration.
    #[test]
    fn a_check_that_failed_shows_nothing_of_a_token(
        before in proptest::collection::vec(happens(), 0..30),
        after in proptest::collection::vec(happens(), 1..30),
        grouped in any::<bool>(),
    ) {
        let mut machine = Machine { grouped, ..Machine::new(quick(FLEETS[0])) };
        for happened in before {
            play(&mut machine, happened);
        }
        for token in ["a", "b", "c"] {
            machine.answer(token, MeObservation::Failed(failure()), ProbeObservation::Failed(failure()));
        }
        // What was seen before waits no longer than this for the security group to be read, and then names none; and a token
        // that left is waited for no longer, should it come back under another name.
        machine.seconds(720);
        machine.commit();
        let notified = machine.store.notified.len();
        let may_happen = |happened: &Happens| !matches!(happened, Happens::Answers(..) | Happens::Reload(_));
        let names: Vec<String> = machine.core.config.tokens.iter().map(|token| token.name.clone()).collect();
        for happened in after.into_iter().filter(may_happen) {
            match happened {
                Happens::Crash(_, after) => {
                    let names: Vec<&str> = names.iter().map(String::as_str).collect();
                    machine.crash(quick(&names), after);
                }
                other => play(&mut machine, other),
            }
        }
        machine.seconds(1);
        for notification in &machine.store.notified[notified..] {
            let of_tenant = notification.key.of.is_whole() && notification.affected.is_empty();
            let by_configuration = notification.message.line.contains("no longer in the configuration");
            let may_be = of_tenant || by_configuration || notification.change == Change::Reminder;
            prop_assert!(may_be, "{}", line(notification));
        }
    }
}

#[test]
fn what_a_group_lost_is_not_repeated_by_a_restart_nor_by_one_that_leaves() {
    let mut machine = Machine::grouped(&["a", "b"]);
    machine.seconds(10);
    machine.lacks("a");
    machine.lacks("b");
    machine.seconds(4000);
    machine.crash(fleet(&["a", "b"]), 60);
    machine.seconds(4000);
    assert_eq!(machine.notified().len(), 1, "{:?}", machine.notified());
    machine.crash(fleet(&["b"]), 60);
    machine.seconds(4000);
    let changes: Vec<_> = machine.store.notified.iter().map(|notification| notification.change).collect();
    assert_eq!(changes, [Change::New, Change::Updated]);
}

#[test]
fn the_clock_may_be_set_back_while_nobody_watches() {
    let mut machine = Machine::new(fleet(&["t"]));
    machine.seconds(10);
    machine.crash(fleet(&["t"]), -TimeDelta::days(1).num_seconds());
    let checks: usize = (0..301).map(|_| machine.second()).sum();
    assert!(checks >= 1);
}
