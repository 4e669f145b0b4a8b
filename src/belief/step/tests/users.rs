//! Another user behind a token, and rights that are not there any more.

use super::*;

#[test]
fn another_user_behind_a_token_begins_anew_and_has_lost_nothing() {
    let token = token("t", &[LIST]);
    let mut status = TokenStatus::default();
    let mut see = |observation: &Observation| kinds_of(&step(&mut status, observation, policy(&token)));
    let of_user = |seconds, id, right| {
        let MeObservation::Works(me) = works(&[("ticket.read", right)]) else { unreachable!() };
        observed(seconds, MeObservation::Works(Me { user_id: id, ..me }))
    };
    see(&of_user(0, 1, true));
    see(&probed(0, &[(LIST, ProbeObservation::Granted(200))]));
    assert_eq!(see(&of_user(10, 2, false)), [(TransitionKind::User, "1".to_owned(), "2".to_owned())]);
    for seconds in [10, 20] {
        see(&probed(seconds, &[(LIST, ProbeObservation::Missing)]));
    }
    let entry = status.of_permission(crate::testing::permission(LIST)).unwrap();
    assert_eq!((entry.state(), entry.belief.lost), (PermissionState::Missing, false));
    assert!(status.rights.iter().all(|right| !right.belief.lost));
}

#[test]
fn a_right_that_is_not_there_any_more_or_is_no_flag_changes_nothing() {
    let token = token("t", &[LIST]);
    let mut status = TokenStatus::default();
    for (seconds, rights) in [(0, &[("ticket.read", true)][..]), (10, &[]), (20, &[]), (30, &[("ticket.write", true)])]
    {
        let changes = step(&mut status, &observed(seconds, works(rights)), policy(&token));
        assert!(changes.is_empty(), "{changes:?}");
    }
    let read = status.rights.iter().find(|right| right.right.as_str() == "ticket.read").unwrap();
    assert_eq!((read.belief.granted, read.belief.lost), (Some(true), false));
}

fn kinds_of(transitions: &[Transition]) -> Vec<(TransitionKind, String, String)> {
    transitions.iter().map(|change| (change.kind, change.before.clone(), change.after.clone())).collect()
}
