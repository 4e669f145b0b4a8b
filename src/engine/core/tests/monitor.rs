//! What is not the tokens' fault in virtual time: pauses, and trouble of our own machine.

use super::machine::{Machine, granted};
use super::*;
use crate::model::Scope;
use crate::syncro::{Failure, Pause, Reason};

/// A daemon that watches one token of each of six tenants, all of which work.
fn machine() -> Machine {
    let mut machine = Machine::new(six());
    machine.seconds(3700);
    assert_eq!(machine.notified(), Vec::<String>::new());
    machine
}

fn six() -> Config {
    let tokens = (0..6).map(|number| {
        let mut token = token(&format!("t{number}"), &[LIST]);
        Arc::make_mut(&mut token.tenant).name = format!("tenant-{number}");
        token
    });
    config(tokens.collect())
}

/// All answer so from now on.
fn all(machine: &mut Machine, reason: Option<Reason>) {
    let me = reason.map_or(granted().me, |reason| MeObservation::Failed(Failure::new(reason, "as the test wants it")));
    for number in 0..6 {
        machine.answer(&format!("t{number}"), me.clone(), ProbeObservation::Granted(200));
    }
}

fn pause(since: i64, until: i64) -> Pause {
    let (host, reason, answered) = ("127.0.0.1:1".to_owned(), Reason::Throttled, false);
    Pause { host, source_address: None, reason, since: at(since), until: at(until), answered }
}

#[test]
fn trouble_of_our_machine_is_one_alert_and_nobody_elses() {
    let mut machine = machine();
    all(&mut machine, Some(Reason::Monitor));
    machine.seconds(3600);
    assert_eq!(machine.notified(), ["MonitorImpaired// new"]);
    let firing = &machine.store.firing[&Scope::Fleet];
    assert!(firing[0].message.line.contains("6 tokens"), "{}", firing[0].message.line);
    all(&mut machine, None);
    machine.seconds(1000);
    assert_eq!(machine.notified(), ["MonitorImpaired// new", "MonitorImpaired// resolved"]);
}

#[test]
fn a_clock_set_back_is_remembered_for_what_fires_for_the_fleet() {
    let mut machine = machine();
    all(&mut machine, Some(Reason::Monitor));
    machine.seconds(3600);
    machine.now -= 30 * 24 * 3600;
    machine.seconds(1);
    let firing = &machine.store.firing[&Scope::Fleet];
    assert!(
        firing.iter().all(|alert| alert.notified_at <= at(machine.now)),
        "a restart would remind of nothing for a month"
    );
}

#[test]
fn trouble_that_is_over_at_the_next_attempt_is_no_alert() {
    let mut machine = machine();
    all(&mut machine, Some(Reason::Monitor));
    while machine.second() == 0 {}
    all(&mut machine, None);
    machine.seconds(3600);
    assert_eq!(machine.notified(), Vec::<String>::new());
}

#[test]
fn one_token_in_trouble_does_not_flap_among_others_that_are_ok() {
    let mut machine = machine();
    let failed = MeObservation::Failed(Failure::new(Reason::Monitor, "Input/output error"));
    machine.answer("t3", failed, ProbeObservation::Granted(200));
    machine.seconds(7200);
    assert_eq!(machine.notified(), ["MonitorImpaired// new"]);
    machine.handle(Event::Reload(Arc::new(config(Vec::new()))));
    machine.seconds(2);
    assert_eq!(
        machine.notified(),
        ["MonitorImpaired// new", "MonitorImpaired// resolved"],
        "who is gone is in no trouble"
    );
}

#[test]
fn what_was_unreachable_is_not_over_because_we_are_in_trouble() {
    let mut machine = machine();
    machine.answer("t0", MeObservation::Failed(failure()), ProbeObservation::Granted(200));
    machine.seconds(1500);
    assert_eq!(machine.notified(), ["TenantUnreachable/tenant-0/ new"]);
    all(&mut machine, Some(Reason::Monitor));
    machine.seconds(3600);
    assert_eq!(machine.notified()[1..], ["MonitorImpaired// new"]);
    all(&mut machine, Some(Reason::Connect));
    machine.seconds(1500);
    assert_eq!(machine.notified()[2..], ["MonitorImpaired// resolved", "SyncroOutage// new"]);
    all(&mut machine, Some(Reason::Monitor));
    machine.seconds(1500);
    assert_eq!(machine.notified()[4..], ["MonitorImpaired// new"], "nothing shows that the outage is over");
}

#[test]
fn silence_counts_from_when_the_other_side_was_first_seen_silent() {
    let mut machine = machine();
    all(&mut machine, Some(Reason::Monitor));
    machine.seconds(3600);
    all(&mut machine, None);
    machine.answer("t0", MeObservation::Failed(failure()), ProbeObservation::Granted(200));
    let silent_since = |machine: &Machine| machine.core.fleet.silence("tenant-0").map(|(since, _)| since);
    while silent_since(&machine).is_none() {
        machine.second();
    }
    assert_eq!(silent_since(&machine), Some(at(machine.now)), "our own trouble said nothing of the tenant");
    machine.seconds(890);
    assert!(!machine.notified().contains(&"TenantUnreachable/tenant-0/ new".to_owned()), "{:?}", machine.notified());
    machine.seconds(20);
    assert!(machine.notified().contains(&"TenantUnreachable/tenant-0/ new".to_owned()), "{:?}", machine.notified());
}

#[test]
fn a_restart_while_impaired_repeats_and_ends_nothing() {
    let mut machine = machine();
    all(&mut machine, Some(Reason::Monitor));
    machine.seconds(1000);
    machine.crash(six(), 5);
    machine.seconds(1000);
    assert_eq!(machine.notified(), ["MonitorImpaired// new"]);
    all(&mut machine, None);
    machine.seconds(1000);
    assert_eq!(machine.notified()[1..], ["MonitorImpaired// resolved"]);
}

#[test]
fn long_pauses_are_notified_of_once_and_checks_wait_for_their_end() {
    let mut machine = machine();
    machine.core.take_in_sources(vec![pause(3700, 3940)], Vec::new());
    let checks: usize = (0..239).map(|_| machine.second()).sum();
    let due = machine.core.snapshot().checks_due;
    assert!(checks == 0 && due > 0, "{checks} {due}");
    machine.core.take_in_sources(vec![pause(3700, 4200)], Vec::new());
    machine.seconds(61);
    assert_eq!(machine.notified(), Vec::<String>::new(), "not for longer than five minutes");
    machine.seconds(1);
    assert_eq!(machine.notified(), ["MonitorThrottled// new"]);
    machine.seconds(198);
    assert_eq!((machine.core.snapshot().checks_due, machine.notified().len()), (6, 1), "who waits is due");
    machine.core.take_in_sources(vec![Pause { answered: true, ..pause(3700, 4200) }], Vec::new());
    assert!((0..5).map(|_| machine.second()).sum::<usize>() >= 6, "all that waited");
    machine.commit();
    assert_eq!(machine.notified().len(), 1, "a single answer is no flow");
    machine.core.take_in_sources(Vec::new(), Vec::new());
    machine.seconds(1);
    assert_eq!(machine.notified(), ["MonitorThrottled// new", "MonitorThrottled// resolved"]);
}

#[test]
fn a_pause_of_another_host_holds_up_nobody() {
    let mut machine = machine();
    machine.core.take_in_sources(vec![Pause { host: "syncromsp.com".to_owned(), ..pause(3700, 9000) }], Vec::new());
    let checks: usize = (0..300).map(|_| machine.second()).sum();
    machine.seconds(300);
    assert!(checks >= 6 && machine.notified().is_empty(), "nobody asks that host any more");
}

#[test]
fn a_single_pause_is_over_before_anybody_is_notified_of_it() {
    let mut machine = machine();
    machine.core.take_in_sources(vec![pause(3700, 3940)], Vec::new());
    machine.seconds(241);
    machine.core.take_in_sources(vec![Pause { answered: true, ..pause(3700, 3940) }], Vec::new());
    machine.seconds(120);
    assert_eq!(machine.notified(), Vec::<String>::new());
}
