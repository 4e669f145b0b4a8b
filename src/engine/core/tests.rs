//! The loop in virtual time: slots, pulses, reloads, checks on demand. The rest has files of its own.

mod acknowledgements;
mod expiries;
mod groups;
mod ignored;
mod machine;
mod monitor;
mod outages;
mod repeats;
mod restarts;
mod rotation;
mod users;

use std::collections::{BTreeMap, HashMap, HashSet};

use super::agenda::SLOTS;
use super::*;
use crate::alert::Firing;
use crate::belief::TokenStatus;
use crate::state::Record;
use crate::syncro::Asked;
use crate::syncro::{MeObservation, ProbeObservation};
use crate::testing::{at, config, failure, observed, permission, probed, token, works};

const LIST: &str = "Tickets - List/Search";

/// A loop without persisted state.
fn new(config: Arc<Config>, now: DateTime<Utc>) -> Core {
    Core::start(config, PersistedState::default(), now).0
}

fn jobs(effects: &[Effect]) -> Vec<crate::check::Job> {
    let job = |effect: &Effect| if let Effect::Start(job) = effect { Some(job.clone()) } else { None };
    effects.iter().filter_map(job).collect()
}

fn notified(effects: &[Effect]) -> Vec<String> {
    let notified = |effect: &Effect| match effect {
        Effect::Record(Record::Notification(notification)) => {
            Some(format!("{} {}", notification.key.alert.as_str(), notification.change.as_str()))
        }
        _ => None,
    };
    effects.iter().filter_map(notified).collect()
}

fn ended(job: &crate::check::Job) -> Ended {
    Ended { lane: job.lane, permissions: job.permissions.is_some() }
}

/// Answers every job that was started at `now`, with this observation.
fn answer(core: &mut Core, effects: &[Effect], now: i64, observation: &MeObservation) -> Vec<Effect> {
    let mut all = Vec::new();
    for job in jobs(effects) {
        let wants = job.permissions.is_some() && matches!(observation, MeObservation::Works(_));
        let (key, observed) = (job.key, Box::new(observed(now, observation.clone())));
        all.extend(core.handle(Event::Observed { key, observed, ended: (!wants).then(|| ended(&job)) }, at(now)));
        if wants {
            let observed = Box::new(probed(now, &[(LIST, ProbeObservation::Granted(200))]));
            all.extend(core.handle(Event::Observed { key, observed, ended: Some(ended(&job)) }, at(now)));
        }
    }
    all
}

#[test]
fn never_more_checks_than_slots_and_each_token_once() {
    let tokens = (0..200).map(|number| token(&format!("t{number}"), &[LIST])).collect();
    let mut core = new(Arc::new(config(tokens)), at(0));
    let mut seen = HashSet::new();
    let mut effects = core.handle(Event::Tick, at(0));
    assert_eq!(jobs(&effects).len(), SLOTS[2], "one `/me` serves both checks");
    effects.extend(core.handle(Event::Tick, at(61)));
    assert_eq!(jobs(&effects).len(), SLOTS[1] + SLOTS[2], "validity comes first for tokens that waited long");
    assert_eq!(core.snapshot().checks_due, 200 - jobs(&effects).len());
    while !jobs(&effects).is_empty() {
        seen.extend(jobs(&effects).iter().map(|job| job.key));
        effects = answer(&mut core, &effects, 61, &works(&[]));
        assert!(core.agenda.free().iter().zip(SLOTS).all(|(free, slots)| *free <= slots));
    }
    assert_eq!(seen.len(), 200);
    assert!(core.snapshot().first_sweep_done);
    assert_eq!((core.agenda.free(), core.snapshot().checks_due), (SLOTS, 0), "every slot came back");
}

#[test]
fn a_lost_pulse_costs_seconds_not_checks() {
    let mut core = new(Arc::new(config(vec![token("t", &[])])), at(0));
    let effects = core.handle(Event::Tick, at(0));
    answer(&mut core, &effects, 0, &works(&[]));
    // Nothing beats for an hour, as when the machine sleeps.
    let effects = core.handle(Event::Tick, at(3600));
    assert_eq!(jobs(&effects).len(), 1, "one check, not one for each that was missed");
}

#[test]
fn a_clock_set_back_by_hours_does_not_stop_the_checks() {
    let mut core = new(Arc::new(config(vec![token("t", &[])])), at(100_000));
    let effects = core.handle(Event::Tick, at(100_000));
    answer(&mut core, &effects, 100_000, &works(&[]));
    let mut started = jobs(&core.handle(Event::Tick, at(0))).len();
    for second in 1..=301 {
        started += jobs(&core.handle(Event::Tick, at(second))).len();
    }
    assert!(started >= 1);
}

#[test]
fn a_long_permission_check_holds_up_no_validity_check() {
    let mut config = config(vec![token("t", &[LIST])]);
    config.schedule.validity = crate::config::Schedule::Every(std::time::Duration::from_secs(10));
    let mut core = new(Arc::new(config), at(0));
    let effects = core.handle(Event::Tick, at(0));
    let [job] = jobs(&effects).try_into().unwrap();
    assert!(job.permissions.is_some());
    let _ =
        core.handle(Event::Observed { key: job.key, observed: Box::new(observed(0, works(&[]))), ended: None }, at(0));
    let later: Vec<_> = (1..=10).flat_map(|second| jobs(&core.handle(Event::Tick, at(second)))).collect();
    assert_eq!(later.iter().map(|job| job.permissions.is_some()).collect::<Vec<_>>(), [false], "validity alone");
}

#[test]
fn a_tenant_that_is_silent_for_long_is_notified_of_when_its_time_has_come() {
    let mut core = new(Arc::new(config(vec![token("a", &[]), token("b", &[])])), at(0));
    let mut received = Vec::new();
    for second in 0..=1000 {
        let mut effects = core.handle(Event::Tick, at(second));
        effects.extend(answer(&mut core, &effects.clone(), second, &MeObservation::Failed(failure())));
        received.extend(notified(&effects).into_iter().map(|notified| (second, notified)));
    }
    assert_eq!(received, [(900, "TenantUnreachable new".to_owned())]);
    let mut effects = Vec::new();
    for second in 1001..=1310 {
        let now = core.handle(Event::Tick, at(second));
        effects.extend(answer(&mut core, &now, second, &works(&[])));
    }
    assert_eq!(notified(&effects), ["TenantUnreachable resolved"]);
}

#[test]
fn a_reload_while_a_check_is_under_way_loses_no_slot() {
    let mut core = new(Arc::new(config(vec![token("gone", &[LIST])])), at(0));
    let effects = core.handle(Event::Tick, at(0));
    let _ = core.handle(Event::Reload(Arc::new(config(vec![token("new", &[LIST])]))), at(1));
    answer(&mut core, &effects, 2, &works(&[]));
    let effects = core.handle(Event::Tick, at(3));
    answer(&mut core, &effects, 3, &works(&[]));
    assert_eq!(core.agenda.free(), SLOTS);
    let names: Vec<_> = core.snapshot().tokens.iter().map(|token| token.token.name.clone()).collect();
    assert_eq!(names, ["new"]);
}

#[test]
fn a_changed_token_is_checked_at_once_after_a_reload() {
    let mut core = new(Arc::new(config(vec![token("t", &[LIST])])), at(0));
    let effects = core.handle(Event::Tick, at(0));
    answer(&mut core, &effects, 0, &works(&[]));
    let same = core.handle(Event::Reload(Arc::new(config(vec![token("t", &[LIST])]))), at(10));
    assert_eq!(jobs(&same), []);
    let changed =
        core.handle(Event::Reload(Arc::new(config(vec![token("t", &[LIST, "Customers - List/Search"])]))), at(11));
    let [job] = jobs(&changed).try_into().unwrap();
    let asked: Vec<_> = job.permissions.unwrap().probes.into_iter().flat_map(|(_, shown)| shown).collect();
    assert_eq!(asked, [permission(LIST), permission("Customers - List/Search")]);
}

#[test]
fn a_requested_check_is_one_full_check_of_that_token_alone() {
    let mut core = new(Arc::new(config(vec![token("t", &[LIST]), token("other", &[LIST])])), at(0));
    let effects = core.handle(Event::Tick, at(0));
    answer(&mut core, &effects, 0, &works(&[]));
    let query = |name: &str| Event::Check(TokenId { tenant: "acme".to_owned(), token_name: name.to_owned() });
    assert_eq!(core.handle(query("nobody"), at(9)), []);
    let mut effects = core.handle(query("t"), at(10));
    effects.extend(core.handle(query("t"), at(10)));
    effects.extend(core.handle(Event::Tick, at(11)));
    let [job] = jobs(&effects).try_into().expect("one job");
    assert_eq!(job.token.name, "t");
    assert!(job.permissions.is_some_and(|permissions| permissions.full));
}

#[test]
fn what_a_token_was_last_asked_is_shown_each_question_once() {
    let mut core = new(Arc::new(config(vec![token("t", &[LIST])])), at(0));
    let asked = |second: i64, path: &'static str| Asked {
        method: crate::catalog::Method::Get,
        path: path.into(),
        at: at(second),
        status: Some(200),
        reason: None,
        took: Duration::from_millis(5),
    };
    let check = |core: &mut Core, mut observed: Observation, paths: &[&'static str], second| {
        observed.asked = paths.iter().map(|path| asked(second, path)).collect();
        let _ =
            core.handle(Event::Observed { key: WatchKey(0), observed: Box::new(observed), ended: None }, at(second));
        let shown = core.snapshot().tokens[0].asked.clone();
        shown.iter().map(|asked| (asked.path.to_string(), (asked.at - at(0)).num_seconds())).collect::<Vec<_>>()
    };
    let full = |second| probed(second, &[(LIST, ProbeObservation::Granted(200))]);
    check(&mut core, observed(0, works(&[])), &["/me"], 0);
    let shown = check(&mut core, full(1), &["/users/1", "/tickets", "/leads"], 1);
    assert_eq!(shown, [("/me", 0), ("/users/1", 1), ("/tickets", 1), ("/leads", 1)].map(|(p, s)| (p.to_owned(), s)));
    let shown = check(&mut core, observed(2, works(&[])), &["/me"], 2);
    assert_eq!(shown.first(), Some(&("/me".to_owned(), 2)));
    assert_eq!(shown.len(), 4);
    let shown = check(&mut core, full(3), &["/tickets"], 3);
    assert_eq!(shown, [("/me", 2), ("/tickets", 3)].map(|(p, s)| (p.to_owned(), s)), "what is no longer asked is gone");
}
