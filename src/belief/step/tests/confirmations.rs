//! A bad observation is confirmed only by one that comes `confirm_after` later.

use chrono::TimeDelta;

use super::*;
use crate::testing::me;

/// A bad observation is believed when it came twice, thirty seconds apart.
const CONFIRMATION: Confirmation = Confirmation { times: 2, after: TimeDelta::seconds(30) };

/// Takes in the good observations, then the bad ones after each of these times in milliseconds; returns the kinds of
/// the transitions of each time.
fn bad_after(good: &[Observation], bad: &[Observation], millis: &[i64]) -> Vec<Vec<&'static str>> {
    let token = token("t", &[LIST, EDIT]);
    let policy = || Policy { confirmation: CONFIRMATION, ..policy(&token) };
    let mut status = TokenStatus::default();
    for observation in good {
        assert_eq!(step(&mut status, observation, policy()), []);
    }
    let mut see = |millis: &i64| {
        let at = at(300) + TimeDelta::milliseconds(*millis);
        let changes =
            bad.iter().flat_map(|observation| step(&mut status, &Observation { at, ..observation.clone() }, policy()));
        changes.map(|change| change.kind.as_str()).collect()
    };
    millis.iter().map(&mut see).collect()
}

#[test]
fn observations_count_only_confirm_after_apart() {
    let right = |granted| observed(0, works(&[("ticket.read", granted)]));
    let by_right = |granted| observed(0, works(&[("ticket.write", granted)]));
    let admin = |admin| observed(0, MeObservation::Works(Me { admin: Some(admin), ..me(&[]) }));
    let probe = |seen| probed(0, &[(LIST, seen)]);
    let granted = || [right(true), probe(ProbeObservation::Granted(200))];
    let cases = [
        (vec![right(true)], vec![observed(0, MeObservation::Refused)], vec!["state"]),
        (granted().to_vec(), vec![right(true), probe(ProbeObservation::Missing)], vec!["permission"]),
        (granted().to_vec(), vec![right(false), probe(ProbeObservation::Missing)], vec!["right", "permission"]),
        (vec![right(true)], vec![right(false)], vec!["right"]),
        (vec![by_right(true)], vec![by_right(false)], vec!["right", "permission"]),
        (vec![admin(true)], vec![admin(false)], vec!["global_admin"]),
    ];
    for (good, bad, expected) in cases {
        let none = Vec::new;
        assert_eq!(bad_after(&good, &bad, &[0, 20]), [none(), none()], "20 ms apart: {expected:?}");
        assert_eq!(bad_after(&good, &bad, &[0, 1000]), [none(), none()], "1 s apart: {expected:?}");
        assert_eq!(bad_after(&good, &bad, &[0, 20, 1000, 29_999]).concat(), none(), "many within 30 s: {expected:?}");
        assert_eq!(bad_after(&good, &bad, &[0, 20, 30_000]), [none(), none(), expected], "30 s apart");
    }
}
