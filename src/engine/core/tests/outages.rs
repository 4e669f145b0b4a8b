//! A fleet of tenants in virtual time: what is notified of when many, few or one of them turn bad.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::model::Scope;
use crate::syncro::{Me, MeObservation};
use crate::testing::me;

/// A fleet whose answers come at once.
struct Fleet {
    core: Core,
    now: i64,
    answers: BTreeMap<String, MeObservation>,
    notified: Vec<(i64, String)>,
    /// Requests for `/me`.
    asked: usize,
}

impl Fleet {
    /// So many tenants with a token each, all working, each checked twice.
    fn new(tenants: usize) -> Self {
        let tokens = (0..tenants).map(|number| {
            let mut token = token("jumpcloud", &[]);
            let tenant = Arc::make_mut(&mut token.tenant);
            tenant.name = format!("tenant-{number:03}");
            token
        });
        let core = new(Arc::new(config(tokens.collect())), at(0));
        let mut fleet = Self { core, now: 0, answers: BTreeMap::new(), notified: Vec::new(), asked: 0 };
        fleet.run(601);
        assert_eq!(fleet.notified, []);
        fleet
    }

    /// The answer for these tenants from now on.
    fn answer(&mut self, tenants: std::ops::Range<usize>, observation: &MeObservation) {
        self.answers.extend(tenants.map(|number| (format!("tenant-{number:03}"), observation.clone())));
    }

    fn run(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.now += 1;
            self.happens(Event::Tick);
        }
    }

    fn happens(&mut self, event: Event) {
        let mut effects = self.core.handle(event, at(self.now));
        while !effects.is_empty() {
            let mut more = Vec::new();
            for effect in effects {
                match effect {
                    Effect::Start(job) => more.extend(self.carry_out(&job)),
                    Effect::Record(Record::Notification(notification)) => {
                        let (alert, status) = (notification.key.alert.as_str(), notification.change.as_str());
                        self.notified.push((self.now, format!("{alert} {status}")));
                    }
                    _ => {}
                }
            }
            effects = more;
        }
    }

    fn carry_out(&mut self, job: &crate::check::Job) -> Vec<Effect> {
        self.asked += 1;
        let observation = self.answers.get(&job.token.tenant.name).cloned();
        let observation = observation.unwrap_or_else(|| MeObservation::Works(Me { subdomain: None, ..me(&[]) }));
        let wants = job.permissions.is_some() && matches!(observation, MeObservation::Works(_));
        let observed = Box::new(observed(self.now, observation));
        let ended_now = (!wants).then(|| ended(job));
        let mut effects = self.core.handle(Event::Observed { key: job.key, observed, ended: ended_now }, at(self.now));
        if wants {
            let observed = Box::new(probed(self.now, &[]));
            let end = Some(ended(job));
            effects.extend(self.core.handle(Event::Observed { key: job.key, observed, ended: end }, at(self.now)));
        }
        effects
    }

    /// What was notified of, each once, in order of its first time.
    fn notified(&self) -> Vec<&str> {
        let mut seen = BTreeSet::new();
        self.notified.iter().map(|(_, notified)| notified.as_str()).filter(|notified| seen.insert(*notified)).collect()
    }

    fn count(&self, notified: &str) -> usize {
        self.notified.iter().filter(|(_, one)| one == notified).count()
    }
}

#[test]
fn a_glitch_that_refuses_every_token_for_minutes_is_one_message_whatever_the_size_of_the_fleet() {
    for tenants in [4, 5, 20, 200] {
        for observation in [MeObservation::Refused, MeObservation::Blocked] {
            let mut fleet = Fleet::new(tenants);
            fleet.answer(0..tenants, &observation);
            fleet.run(400);
            assert_eq!(fleet.notified(), ["SyncroOutage new"], "{tenants} tenants");
            fleet.answers.clear();
            fleet.run(600);
            assert_eq!(fleet.notified(), ["SyncroOutage new", "SyncroOutage resolved"], "{tenants} tenants");
            assert_eq!(fleet.notified.len(), 2, "{tenants} tenants: {:?}", fleet.notified);
        }
    }
}

#[test]
fn after_ten_minutes_it_is_the_tokens() {
    let mut fleet = Fleet::new(20);
    fleet.answer(0..20, &MeObservation::Refused);
    fleet.run(590);
    assert_eq!(fleet.notified(), ["SyncroOutage new"]);
    let began = fleet.notified[0].0;
    fleet.run(400);
    assert_eq!(fleet.notified(), ["SyncroOutage new", "SyncroOutage resolved", "TokenRejected new"]);
    assert_eq!((fleet.count("TokenRejected new"), fleet.count("SyncroOutage new")), (20, 1));
    let resolved = fleet.notified.iter().find(|(_, notified)| notified == "SyncroOutage resolved").unwrap().0;
    assert!((resolved - began - 600).abs() < 60, "{began} {resolved}");
}

#[test]
fn a_few_that_turn_bad_are_notified_of_at_once_as_ever() {
    for (tenants, bad) in [(3, 3), (4, 2), (20, 1), (20, 2), (12, 6), (20, 10), (30, 15)] {
        let mut fleet = Fleet::new(tenants);
        fleet.answer(0..bad, &MeObservation::Refused);
        fleet.run(300 + 30 + 30);
        assert_eq!(fleet.notified(), ["TokenRejected new"], "{bad} of {tenants}");
        assert_eq!(fleet.count("TokenRejected new"), bad, "{bad} of {tenants}");
    }
}

#[test]
fn those_that_stay_bad_when_an_outage_has_passed_are_notified_of() {
    let mut fleet = Fleet::new(10);
    fleet.answer(0..10, &MeObservation::Refused);
    fleet.run(400);
    fleet.answers.retain(|tenant, _| tenant == "tenant-003");
    fleet.run(400);
    assert_eq!(fleet.notified(), ["SyncroOutage new", "SyncroOutage resolved", "TokenRejected new"]);
    assert_eq!(fleet.count("TokenRejected new"), 1);
}

#[test]
fn one_token_that_dies_costs_a_check_of_four_others_and_no_more() {
    let mut fleet = Fleet::new(200);
    let quiet = fleet.asked;
    fleet.run(300);
    let usual = fleet.asked - quiet;
    fleet.answer(7..8, &MeObservation::Refused);
    let before = fleet.asked;
    fleet.run(300);
    // Once more to confirm it, four of others.
    let more = fleet.asked - before;
    assert!((usual..=usual + 5).contains(&more), "{more} against {usual}");
    assert_eq!(fleet.count("TokenRejected new"), 1);
}

#[test]
fn a_fleet_of_which_nothing_can_be_learnt_is_one_message() {
    let mut fleet = Fleet::new(20);
    fleet.answer(0..20, &MeObservation::Failed(failure()));
    fleet.run(3600);
    assert_eq!(fleet.notified(), ["SyncroOutage new"]);
    assert_eq!(fleet.notified.len(), 1, "{:?}", fleet.notified);
    let (began, _) = fleet.notified[0];
    assert!((601 + 900..=601 + 900 + 300).contains(&began), "after unreachable_after: {began}");
    fleet.answers.retain(|tenant, _| tenant < &"tenant-002".to_owned());
    fleet.run(1000);
    let notified = fleet.notified();
    assert_eq!(notified, ["SyncroOutage new", "SyncroOutage resolved", "TenantUnreachable new"]);
    assert_eq!(fleet.count("TenantUnreachable new"), 2, "those who stay silent");
}

#[test]
fn tokens_that_are_all_refused_as_syncro_comes_back_are_an_outage_too() {
    for (tenants, minutes) in [(7, 60), (20, 60), (4, 5), (7, 5), (20, 5), (200, 5)] {
        let mut fleet = Fleet::new(tenants);
        let mut config = (*fleet.core.config).clone();
        config.schedule.validity = crate::config::Schedule::Every(std::time::Duration::from_mins(minutes));
        fleet.happens(Event::Reload(Arc::new(config)));
        fleet.answer(0..tenants, &MeObservation::Failed(failure()));
        fleet.run(5 * 3600);
        let case = format!("{tenants} tenants, every {minutes} minutes");
        assert_eq!(fleet.notified(), ["SyncroOutage new"], "{case}");
        fleet.answer(0..tenants, &MeObservation::Refused);
        fleet.run(500);
        assert_eq!(fleet.count("TokenRejected new"), 0, "{case}: {:?}", fleet.notified);
        fleet.answers.clear();
        fleet.run(7200);
        assert_eq!(fleet.notified(), ["SyncroOutage new", "SyncroOutage resolved"], "{case}");
    }
}

#[test]
fn tokens_that_expire_on_one_day_are_notified_of_each() {
    let mut fleet = Fleet::new(10);
    let mut config = (*fleet.core.config).clone();
    for token in &mut config.tokens {
        Arc::make_mut(token).expires = Some(at(1000));
    }
    config.alerts.expiry_notice = Arc::default();
    fleet.happens(Event::Reload(Arc::new(config)));
    fleet.run(1000 - fleet.now - 1);
    fleet.notified.clear();
    fleet.answer(0..10, &MeObservation::Refused);
    fleet.run(60);
    assert_eq!(fleet.notified(), ["TokenExpired new"]);
    assert_eq!(fleet.count("TokenExpired new"), 10);
}

#[test]
fn an_outage_lasts_over_a_restart_and_over_a_reload() {
    let mut fleet = Fleet::new(10);
    fleet.answer(0..10, &MeObservation::Refused);
    fleet.run(400);
    let snapshot = fleet.core.snapshot();
    let batch = crate::state::Batch::of(&snapshot);
    let mut state = PersistedState::default();
    for (id, token_status) in batch.statuses {
        let status = (*token_status.unwrap()).clone();
        state.tokens.insert(id, crate::state::PersistedToken { status, firing: Vec::new() });
    }
    state.fleet = batch.firing[&Scope::Fleet].to_vec();
    let config = Arc::clone(&fleet.core.config);
    (fleet.core, _) = Core::start(Arc::clone(&config), state, at(fleet.now));
    fleet.run(60);
    fleet.happens(Event::Reload(config));
    fleet.run(60);
    assert_eq!(fleet.notified.len(), 1, "{:?}", fleet.notified);
    fleet.answers.clear();
    fleet.run(400);
    assert_eq!(fleet.notified(), ["SyncroOutage new", "SyncroOutage resolved"]);
}

#[test]
fn a_suspicion_that_comes_to_nothing_delays_nobodys_notices() {
    const MARK: i64 = 10;
    let mut fleet = Fleet::new(12);
    let mut config = (*fleet.core.config).clone();
    for token in &mut config.tokens {
        Arc::make_mut(token).expires = Some(at(3000));
    }
    // An expiry notice for every token at every tenth second from 1000 on.
    config.alerts.expiry_notice =
        (1..=200).rev().map(|mark| std::time::Duration::from_secs(mark * MARK as u64)).collect();
    fleet.happens(Event::Reload(Arc::new(config)));
    fleet.run(1100 - fleet.now);
    fleet.notified.clear();
    fleet.answer(0..6, &MeObservation::Refused);
    fleet.run(400);
    assert_eq!((fleet.count("TokenRejected new"), fleet.count("SyncroOutage new")), (6, 0));
    for mark in (1100 + MARK..1500).step_by(MARK as usize) {
        let notified = |one: &&(i64, String)| one.0 == mark && one.1 == "TokenExpiring reminder";
        let notified = fleet.notified.iter().filter(notified).count();
        // The alert of a token that is refused takes the place of its expiry notices.
        let refused = fleet.notified.iter().filter(|(at, line)| *at <= mark && line == "TokenRejected new").count();
        assert_eq!(notified, 12 - refused, "at {mark}");
    }
}

#[test]
fn a_tenant_whose_token_is_refused_already_falls_silent_with_the_others() {
    for dead in 0..4 {
        let mut fleet = Fleet::new(4);
        let mut config = (*fleet.core.config).clone();
        config.schedule.validity = crate::config::Schedule::Every(std::time::Duration::from_hours(1));
        fleet.answer(dead..dead + 1, &MeObservation::Refused);
        fleet.run(1000);
        assert_eq!(fleet.notified(), ["TokenRejected new"]);
        fleet.happens(Event::Reload(Arc::new(config)));
        fleet.run(4000);
        fleet.notified.clear();
        fleet.answer(0..4, &MeObservation::Failed(failure()));
        fleet.run(2 * 3600);
        assert_eq!(fleet.notified(), ["SyncroOutage new"], "tenant {dead}");
    }
}

#[test]
fn a_token_that_is_bad_already_is_not_said_to_be_bad_in_another_way_because_of_an_outage() {
    let locked_out = crate::syncro::Me { can_use_app: Some(false), ..crate::testing::me(&[]) };
    for bad in 0..4 {
        let mut fleet = Fleet::new(4);
        let mut config = (*fleet.core.config).clone();
        config.schedule.validity = crate::config::Schedule::Every(std::time::Duration::from_hours(1));
        fleet.answer(bad..bad + 1, &MeObservation::Works(locked_out.clone()));
        fleet.run(1000);
        assert_eq!(fleet.notified(), ["UserLockedOut new"]);
        fleet.happens(Event::Reload(Arc::new(config)));
        fleet.run(4000);
        fleet.notified.clear();
        fleet.answer(0..4, &MeObservation::Refused);
        while fleet.notified().is_empty() {
            fleet.run(1);
        }
        assert_eq!(fleet.notified(), ["SyncroOutage new"], "tenant {bad}");
    }
}
