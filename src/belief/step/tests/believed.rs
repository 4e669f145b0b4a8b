//! When a state, a right and a permission are believed, and what is to be checked again then.

use super::*;
use crate::belief::{Confirmation, PermissionStatus};
use crate::testing::{me, permission};

/// The status after these observations.
fn after(token: &Token, observations: &[Observation]) -> TokenStatus {
    let mut status = TokenStatus::default();
    for observation in observations {
        let _ = step(&mut status, observation, policy(token));
    }
    status
}

#[test]
fn each_observation_that_counts_is_the_least_distance_after_the_one_before() {
    let token = token("t", &[]);
    let confirmation = Confirmation { times: 3, after: chrono::TimeDelta::seconds(30) };
    let state = |moments: &[i64]| {
        let mut status = TokenStatus::default();
        let refusals = moments.iter().map(|seconds| observed(*seconds, MeObservation::Refused));
        for observation in std::iter::once(observed(0, works(&[]))).chain(refusals) {
            let _ = step(&mut status, &observation, Policy { confirmation, ..policy(&token) });
        }
        status.state
    };
    assert_eq!(state(&[100, 130, 159]), TokenState::Valid);
    assert_eq!(state(&[100, 130, 160]), TokenState::Rejected);
}

#[test]
fn what_is_frozen_is_one_observation_short_of_being_believed() {
    let token = token("t", &[]);
    let mut status = after(&token, &[observed(0, works(&[]))]);
    for seconds in 1..5 {
        let _ =
            step(&mut status, &observed(seconds, MeObservation::Refused), Policy { frozen: true, ..policy(&token) });
    }
    assert_eq!(status.doubt.map(|doubt| doubt.times), Some(1));
}

#[test]
fn what_a_token_may_do_is_checked_again_once_it_works_again() {
    let token = token("t", &[LIST]);
    let (works, refused) =
        (|seconds| observed(seconds, works(&[])), |seconds| observed(seconds, MeObservation::Refused));
    let granted = || probed(1, &[(LIST, ProbeObservation::Granted(200))]);
    let rechecks = |observations: &[Observation]| after(&token, observations).recheck;
    assert!(!rechecks(&[works(0), granted()]));
    assert!(!rechecks(&[works(0), granted(), refused(2), refused(3)]), "it does not work");
    assert!(rechecks(&[works(0), granted(), refused(2), refused(3), works(4)]));
    assert!(!rechecks(&[refused(2), refused(3), works(4)]), "nothing was checked yet");
}

#[test]
fn a_value_is_new_until_it_works() {
    let token = token("t", &[]);
    assert!(!after(&token, &[observed(0, works(&[])), observed(1, MeObservation::Refused)]).is_value_new);
    let mut status = TokenStatus { is_value_new: true, ..after(&token, &[]) };
    let mut is_new = |seconds, observation| {
        let _ = step(&mut status, &observed(seconds, observation), policy(&token));
        status.is_value_new
    };
    assert!(is_new(1, MeObservation::Refused) && !is_new(2, works(&[])));
}

#[test]
fn what_was_refused_before_me_let_the_token_in_shows_the_order_of_the_tenant() {
    let token = token("t", &[LIST]);
    let shown = |next| {
        let mut status =
            after(&token, &[observed(0, works(&[])), probed(1, &[(LIST, ProbeObservation::Granted(200))])]);
        status.refused_record_zero(&[permission(LIST)]);
        let _ = step(&mut status, &observed(2, next), policy(&token));
        status.checked_first().count()
    };
    assert_eq!((shown(works(&[])), shown(MeObservation::Refused)), (1, 0));
}

#[test]
fn a_global_admin_who_is_none_any_more_is_checked_again_before_it_is_believed() {
    let token = token("t", &[]);
    let is_admin = |seconds, admin| observed(seconds, MeObservation::Works(Me { admin: Some(admin), ..me(&[]) }));
    let mut status = after(&token, &[is_admin(0, true)]);
    assert!(!status.recheck);
    let transitions = step(&mut status, &is_admin(1, false), policy(&token));
    assert_eq!((kinds(&transitions), status.recheck), (vec![], true));
    let transitions = step(&mut status, &is_admin(2, false), policy(&token));
    assert_eq!(kinds(&transitions), [(TransitionKind::GlobalAdmin, "held", "not_held")]);
}

#[test]
fn what_one_kind_of_evidence_showed_is_not_lost_by_the_other() {
    let see = |kinds: &[(bool, Evidence)]| {
        let mut entry = PermissionStatus::new(permission(LIST), Evidence::Probe);
        for (seconds, (granted, evidence)) in (0..).zip(kinds) {
            let observation =
                PermissionObservation { granted: *granted, evidence: *evidence, answer: None, of_record: false };
            entry.see(observation, at(seconds), crate::testing::confirmed(2));
        }
        (entry.belief.granted, entry.belief.lost)
    };
    let (probe, right) = (Evidence::Probe, Evidence::Right);
    assert_eq!(see(&[(true, right), (false, probe), (false, probe)]), (Some(false), false), "it was never shown");
    assert_eq!(see(&[(true, probe), (false, probe), (false, probe)]), (Some(false), true));
    assert_eq!(
        see(&[(false, right), (false, right), (false, probe)]),
        (Some(false), false),
        "it is missing all the same"
    );
}
