//! An alert that somebody has taken on is repeated to nobody, until that ends; a crash loses none of it.

use super::machine::{Machine, fleet};
use super::*;
use crate::alert::{Acknowledged, Acknowledgement, AcknowledgementOrder};

/// In seconds.
const REMIND_EVERY: i64 = 2400;

fn config() -> Config {
    let mut config = fleet(&["a"]);
    config.alerts.remind_every = Duration::from_secs(REMIND_EVERY as u64);
    config
}

/// A token that is refused, of which everybody was notified.
fn refused() -> Machine {
    let mut machine = Machine::new(config());
    machine.seconds(10);
    machine.answer("a", MeObservation::Refused, ProbeObservation::Granted(200));
    while machine.notified().is_empty() {
        machine.seconds(1);
    }
    machine
}

fn id(machine: &Machine) -> String {
    machine.store.notified.first().map(|notification| notification.id.clone()).unwrap()
}

/// The order to acknowledge the alert for so many seconds; `None` takes that back.
fn order(machine: &Machine, seconds: Option<i64>) -> AcknowledgementOrder {
    let made = |seconds| Acknowledgement {
        by: "Pat".to_owned(),
        reason: "the vendor is on it".to_owned(),
        until: at(machine.now + seconds),
        at: at(machine.now),
    };
    AcknowledgementOrder { number: 1, alert: id(machine), acknowledgement: seconds.map(made) }
}

/// Carries an order out, without a commit.
fn carry_out(machine: &mut Machine, order: AcknowledgementOrder) -> Acknowledged {
    let effects = machine.core.handle(Event::Acknowledge(order), at(machine.now));
    let outcome = effects.iter().find_map(|effect| match effect {
        Effect::Acknowledged { outcome, .. } => Some(*outcome),
        _ => None,
    });
    for effect in effects {
        if let Effect::Record(record) = effect {
            machine.pending.add(record);
        }
    }
    outcome.unwrap()
}

#[test]
fn what_is_taken_on_is_reminded_of_only_once_that_has_ended() {
    let mut machine = refused();
    let order = order(&machine, Some(3 * REMIND_EVERY));
    assert_eq!(carry_out(&mut machine, order), Acknowledged::Done);
    assert_eq!(machine.pending.carried_out, [1], "it is forgotten together with what it changed");
    machine.seconds(3 * REMIND_EVERY - 5);
    assert_eq!(machine.notified().len(), 1, "{:?}", machine.notified());
    machine.seconds(10);
    assert_eq!(machine.notified()[1..], ["TokenRejected/acme/a reminder"]);
    assert_eq!(machine.store.notified[1].acknowledged, None);
}

#[test]
fn what_is_given_back_is_reminded_of_again() {
    let mut machine = refused();
    for seconds in [Some(10 * REMIND_EVERY), None] {
        let order = order(&machine, seconds);
        assert_eq!(carry_out(&mut machine, order), Acknowledged::Done);
    }
    machine.seconds(REMIND_EVERY + 5);
    assert_eq!(machine.notified()[1..], ["TokenRejected/acme/a reminder"]);
}

#[test]
fn a_crash_before_the_commit_leaves_the_order_and_one_after_it_the_result() {
    let mut machine = refused();
    let again = order(&machine, Some(10 * REMIND_EVERY));
    carry_out(&mut machine, again.clone());
    machine.crash(config(), 5);
    // The store has the order still, and the daemon finds it there.
    assert_eq!(carry_out(&mut machine, again), Acknowledged::Done);
    machine.commit();
    machine.crash(config(), 5);
    machine.seconds(2 * REMIND_EVERY);
    assert_eq!(machine.notified().len(), 1, "{:?}", machine.notified());
}

#[test]
fn a_start_reminds_nobody_of_what_was_taken_on_just_before_a_crash() {
    let mut machine = refused();
    machine.seconds(REMIND_EVERY - 20);
    let order = order(&machine, Some(10 * REMIND_EVERY));
    // The reminder was due while nobody ran.
    let mut state = machine.store.state();
    state.orders = vec![order];
    let (mut core, mut effects) = Core::start(Arc::new(config()), state, at(machine.now + 60));
    effects.extend(core.handle(Event::Tick, at(machine.now + 61)));
    assert_eq!(notified(&effects), Vec::<String>::new());
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Record(Record::CarriedOut(1)))));
}

#[test]
fn an_order_that_comes_too_late_says_why_it_changes_nothing() {
    let mut machine = refused();
    let late = order(&machine, Some(0));
    assert_eq!(carry_out(&mut machine, late), Acknowledged::TooLate);
    let known = order(&machine, Some(10 * REMIND_EVERY));
    let unknown = AcknowledgementOrder { alert: "nobody".to_owned(), ..known.clone() };
    assert_eq!(carry_out(&mut machine, unknown), Acknowledged::Unknown);
    machine.holds("a");
    machine.seconds(4000);
    assert_eq!(machine.notified().last().map(String::as_str), Some("TokenRejected/acme/a resolved"));
    assert_eq!(carry_out(&mut machine, known), Acknowledged::Ended);
    assert!(machine.pending.firing.is_empty(), "{:?}", machine.pending);
}

#[test]
fn an_alert_that_becomes_worse_is_nobodys_any_more() {
    let mut machine = Machine::new(config());
    let expires = |machine: &mut Machine, notices: &[u64]| {
        let mut config = config();
        config.alerts.expiry_notice = notices.iter().map(|seconds| Duration::from_secs(*seconds)).collect();
        Arc::make_mut(&mut config.tokens[0]).expires = Some(at(20_000));
        machine.reload(config);
    };
    expires(&mut machine, &[18_000, 10_000]);
    machine.seconds(2500);
    assert_eq!(machine.notified(), ["TokenExpiring/acme/a new"]);
    let order = order(&machine, Some(19_000));
    assert_eq!(carry_out(&mut machine, order), Acknowledged::Done);
    machine.seconds(8000);
    assert_eq!(machine.notified()[1..], ["TokenExpiring/acme/a escalated"]);
    assert_eq!(machine.store.notified[1].acknowledged, None);
}
