//! Declared expiries in virtual time: one that was outlived, and one that comes while a restart catches up.

use std::time::Duration;

use super::machine::{Machine, fleet};
use super::*;

/// Tokens that all expire then, without notices before.
fn expiring(names: &[&str], expires: i64) -> Config {
    let mut config = fleet(names);
    for token in &mut config.tokens {
        Arc::make_mut(token).expires = Some(at(expires));
    }
    config.alerts.expiry_notice = Arc::default();
    // Nothing but the expiry itself makes a check urgent.
    config.schedule.near_expiry = Duration::from_hours(1);
    config
}

#[test]
fn a_date_that_is_outlived_stays_so_over_one_bad_check() {
    let outlived = "TokenExpiryOutdated/acme/t new";
    for observation in [MeObservation::Refused, MeObservation::Blocked, MeObservation::Failed(failure())] {
        let mut machine = Machine::new(expiring(&["t"], 1000));
        machine.seconds(2000);
        assert_eq!(machine.notified(), [outlived]);
        for restarts in [false, true] {
            machine.answer("t", observation.clone(), ProbeObservation::Missing);
            while machine.second() == 0 {}
            machine.answers.clear();
            machine.commit();
            if restarts {
                machine.crash(expiring(&["t"], 1000), 5);
            }
            machine.seconds(2000);
            assert_eq!(machine.notified(), [outlived], "{observation:?}");
        }
        machine.answer("t", MeObservation::Refused, ProbeObservation::Missing);
        machine.seconds(2000);
        let after = ["TokenExpiryOutdated/acme/t resolved", "TokenExpired/acme/t new"];
        assert_eq!(machine.notified()[1..], after, "two bad checks are no flap");
    }
}

#[test]
fn a_restart_just_before_an_expiry_checks_at_the_expiry() {
    let names: Vec<String> = (0..40).map(|number| format!("t{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut machine = Machine::new(expiring(&names, 2000));
    machine.seconds(10);
    for name in &names {
        machine.answer(name, MeObservation::Refused, ProbeObservation::Missing);
    }
    // All checks are overdue, and are made up for within five minutes.
    machine.crash(expiring(&names, 2000), 1970);
    while machine.now < 1999 {
        machine.second();
    }
    let attempts = |machine: &mut Machine| {
        let snapshot = machine.core.snapshot();
        snapshot.tokens.iter().map(|token| token.status.validity.last_attempt).collect::<Vec<_>>()
    };
    let early = attempts(&mut machine).iter().filter(|last| **last > Some(at(1980))).count();
    assert!(early < 20, "{early} of 40 were checked already");
    machine.second();
    assert!(attempts(&mut machine).iter().all(|last| *last == Some(at(2000))), "every token at its expiry");
    machine.seconds(31);
    let expired = machine.notified().iter().filter(|notified| notified.starts_with("TokenExpired/")).count();
    assert_eq!((expired, machine.notified().len()), (40, 40), "{:?}", machine.notified());
}
