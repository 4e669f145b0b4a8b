//! How observations change a status, one after another, and what no observation may change.

mod believed;
mod confirmations;
mod users;

use proptest::prelude::*;

use super::*;
use crate::belief::{Cause, PermissionState};
use crate::syncro::{ProbeObservation, Unreadable, UserObservation};
use crate::testing::{at, failure, observed, policy, probed, token, works};

const LIST: &str = "Tickets - List/Search";
const EDIT: &str = "Tickets - Edit";

fn kinds(transitions: &[Transition]) -> Vec<(TransitionKind, &str, &str)> {
    transitions.iter().map(|change| (change.kind, change.before.as_str(), change.after.as_str())).collect()
}

#[test]
fn a_bad_state_is_believed_when_seen_twice_in_a_row_and_a_good_one_at_once() {
    let token = token("t", &[]);
    let mut status = TokenStatus::default();
    let mut see = |seconds, observation| {
        let transitions = step(&mut status, &observed(seconds, observation), policy(&token));
        let changes = kinds(&transitions)
            .into_iter()
            .map(|(_, before, after)| format!("{before}>{after}"))
            .collect::<Vec<_>>()
            .concat();
        (status.state.as_str(), changes)
    };
    assert_eq!(see(0, works(&[])), ("valid", String::new()), "the first good observation is no news");
    assert_eq!(see(1, MeObservation::Refused), ("valid", String::new()));
    assert_eq!(see(2, works(&[])), ("valid", String::new()), "a flap");
    assert_eq!(see(3, MeObservation::Refused), ("valid", String::new()));
    assert_eq!(see(4, MeObservation::Failed(failure())), ("valid", String::new()), "the check failed");
    assert_eq!(see(5, MeObservation::Blocked), ("valid", String::new()), "another bad state counts anew");
    assert_eq!(see(6, MeObservation::Refused), ("valid", String::new()));
    assert_eq!(see(7, MeObservation::Refused), ("rejected", "valid>rejected".to_owned()));
    assert_eq!(see(8, works(&[])), ("valid", "rejected>valid".to_owned()));
}

#[test]
fn a_value_is_new_since_it_was_first_used() {
    let token = token("t", &[]);
    let mut status = TokenStatus::default();
    let mut see = |seconds, value| {
        let fingerprint = crate::syncro::TokenValue::for_test(value).fingerprint();
        let part = Part::Token(TokenObservation::Me { fingerprint, observation: works(&[]) });
        let _ = step(&mut status, &Observation { at: at(seconds), part, asked: Vec::new() }, policy(&token));
        status.value_since
    };
    assert_eq!(see(0, "first"), None, "nothing is known of the time before");
    assert_eq!(see(10, "second"), Some(at(10)));
    assert_eq!(see(20, "second"), Some(at(10)));
    status.set_back(at(20), at(5));
    assert_eq!(status.value_since, Some(at(-5)));
}

#[test]
fn since_is_when_it_was_first_seen() {
    let token = token("t", &[]);
    let mut status = TokenStatus::default();
    for (seconds, observation) in [(0, works(&[])), (10, MeObservation::Refused), (40, MeObservation::Refused)] {
        let _ = step(&mut status, &observed(seconds, observation), policy(&token));
    }
    assert_eq!(status.since, Some(at(10)));
}

#[test]
fn a_token_is_known_since_its_first_verdict() {
    let token = token("t", &[]);
    let mut status = TokenStatus::default();
    for (seconds, observation) in [(0, MeObservation::Failed(failure())), (10, works(&[])), (20, works(&[]))] {
        let _ = step(&mut status, &observed(seconds, observation), policy(&token));
    }
    assert_eq!(status.known_since, Some(at(10)));
}

#[test]
fn a_permission_is_lost_when_refused_twice_and_the_refusals_of_a_dead_token_do_not_count() {
    let token = token("t", &[LIST]);
    let mut status = TokenStatus::default();
    let _ = step(&mut status, &observed(0, works(&[("ticket.read", true)])), policy(&token));
    let _ = step(&mut status, &probed(0, &[(LIST, ProbeObservation::Granted(200))]), policy(&token));
    let missing = |seconds| probed(seconds, &[(LIST, ProbeObservation::Missing)]);
    assert_eq!(step(&mut status, &missing(1), policy(&token)), []);
    let failed = probed(2, &[(LIST, ProbeObservation::Failed(failure()))]);
    assert_eq!(step(&mut status, &failed, policy(&token)), []);
    let _ = step(&mut status, &observed(3, MeObservation::Refused), policy(&token));
    assert_eq!(step(&mut status, &missing(3), policy(&token)), [], "the token stopped working in between");
    for seconds in [4, 5] {
        let _ = step(&mut status, &observed(seconds, works(&[("ticket.read", true)])), policy(&token));
        let transitions = step(&mut status, &missing(seconds), policy(&token));
        let expected = [(TransitionKind::Permission, "granted", "missing")];
        assert_eq!(kinds(&transitions), expected[..usize::from(seconds == 5)], "counted anew");
    }
    let belief = &status.permissions[0].belief;
    assert_eq!((belief.lost, belief.since), (true, at(4)));
}

#[test]
fn a_refusal_just_before_the_token_was_seen_dead_is_no_doubt_about_a_permission() {
    let token = token("t", &[LIST]);
    let mut status = TokenStatus::default();
    let _ = step(&mut status, &observed(0, works(&[])), policy(&token));
    let _ = step(&mut status, &probed(0, &[(LIST, ProbeObservation::Granted(200))]), policy(&token));
    // Each time it dies between `/me` and the probe, and works again later.
    for round in [10, 20, 30] {
        let refused = probed(round, &[(LIST, ProbeObservation::Missing)]);
        assert_eq!(step(&mut status, &refused, policy(&token)), [], "round {round}");
        let _ = step(&mut status, &observed(round + 1, MeObservation::Refused), policy(&token));
        let _ = step(&mut status, &observed(round + 2, works(&[])), policy(&token));
    }
    assert_eq!(status.permissions[0].state(), PermissionState::Granted);
}

#[test]
fn a_refusal_says_nothing_where_something_else_that_the_request_needs_is_missing() {
    const CREATE: &str = "Invoices - Create";
    const ESTIMATES: &str = "Estimates - View Details";
    let token = token("t", &[CREATE]);
    let policy = || Policy { probes: Probes::WriteSafe, ..policy(&token) };
    let asked: Vec<_> = token.probes(Probes::WriteSafe).into_iter().flat_map(|(_, shown)| shown).collect();
    assert_eq!(asked, [CREATE, ESTIMATES].map(crate::testing::permission), "both are asked");
    let mut status = TokenStatus::default();
    let _ = step(&mut status, &observed(0, works(&[])), policy());
    let mut see = |seconds, create: ProbeObservation, estimates: ProbeObservation| {
        let _ = step(&mut status, &probed(seconds, &[(CREATE, create), (ESTIMATES, estimates)]), policy());
        assert_eq!(status.permissions.len(), 1, "only what is wanted is believed");
        status.permissions[0].state()
    };
    let (granted, missing) = (ProbeObservation::Granted(200), ProbeObservation::Missing);
    assert_eq!(see(1, granted.clone(), granted.clone()), PermissionState::Granted);
    for seconds in 2..5 {
        assert_eq!(see(seconds, missing.clone(), missing.clone()), PermissionState::Granted);
    }
    see(5, missing.clone(), granted.clone());
    assert_eq!(see(6, missing, granted), PermissionState::Missing);
}

#[test]
fn a_refusal_is_asked_again_where_what_it_needs_was_not_seen() {
    let (create, estimates) = ("Invoices - Create", "Estimates - View Details");
    let token = token("t", &[create]);
    let policy = || Policy { probes: Probes::WriteSafe, ..policy(&token) };
    let mut status = TokenStatus::default();
    let _ = step(&mut status, &observed(0, works(&[])), policy());
    let failed = ProbeObservation::Failed(failure());
    for (needed, unseen) in [(failed.clone(), true), (ProbeObservation::Missing, false), (failed, true)] {
        let observation = probed(1, &[(create, ProbeObservation::Missing), (estimates, needed)]);
        let _ = step(&mut status, &observation, policy());
        assert_eq!((status.permissions[0].unseen, status.permissions[0].belief.doubts()), (unseen, 0));
    }
}

#[test]
fn one_permission_that_cannot_be_seen_hides_no_other_and_no_group() {
    let token = token("t", &[LIST, EDIT, "Customers - List/Search"]);
    let mut status = TokenStatus::default();
    let _ = step(&mut status, &observed(0, works(&[])), policy(&token));
    let customers = "Customers - List/Search";
    for seconds in [1, 2] {
        let failed = ProbeObservation::Failed(failure());
        let mut observation = probed(seconds, &[(customers, failed), (LIST, ProbeObservation::Missing)]);
        if let Part::Permissions(observations) = &mut observation.part {
            observations.user = Some(UserObservation::Failed(failure()));
        }
        let _ = step(&mut status, &observation, policy(&token));
        assert_eq!(observation.failure().map(|failure| failure.reason), Some(failure().reason));
    }
    assert_eq!(status.permission_state(crate::testing::permission(LIST)), PermissionState::Missing);
    assert!(status.group_problem().is_some(), "that the group is not known is said all the same");
    let checks = &status.permission_checks;
    assert_eq!((checks.failures, checks.last_success), (2, None), "not all was seen");
}

#[test]
fn trouble_of_our_machine_in_reading_a_value_is_no_verdict() {
    let token = token("t", &[]);
    let mut status = TokenStatus::default();
    let machine = Unreadable::Machine { place: "the file `t`".to_owned(), error: "Too many open files".to_owned() };
    let unreadable = |seconds, why: &Unreadable| Observation {
        at: at(seconds),
        part: Part::Token(TokenObservation::Unreadable(why.clone())),
        asked: Vec::new(),
    };
    for observation in [works(&[]), MeObservation::Refused, MeObservation::Refused] {
        let _ = step(&mut status, &observed(0, observation), policy(&token));
    }
    for seconds in 1..9 {
        assert_eq!(
            step(&mut status, &unreadable(seconds, &machine), policy(&token)),
            [],
            "a revoked token stays revoked"
        );
    }
    assert_eq!((status.state, status.validity.failures), (TokenState::Rejected, 8));
    assert_eq!(status.validity.reason, Some(crate::syncro::Reason::Monitor));
    assert!(unreadable(9, &machine).failure().is_some_and(|failure| failure.detail.contains("Too many open files")));
    let missing = Unreadable::Missing("the file `t`".to_owned());
    for seconds in [10, 11] {
        let _ = step(&mut status, &unreadable(seconds, &missing), policy(&token));
    }
    assert_eq!(status.state, TokenState::Unreadable, "a file that is gone is the token's own");
}

#[test]
fn a_belief_names_the_answer_it_rests_on() {
    const CREATE: &str = "Tickets - Create";
    let token = token("t", &[CREATE, EDIT]);
    let mut status = TokenStatus::default();
    let shown_by = |status: &TokenStatus, name: &str| {
        let permission = status.permissions.iter().find(|status| status.permission.name() == name);
        permission.and_then(|status| status.shown_by(&token.tenant)).unwrap_or_default()
    };
    let checks = [
        (observed(0, works(&[("ticket.write", true)])), "", "its user has the right ticket.write"),
        (
            probed(0, &[(CREATE, ProbeObservation::Granted(404))]),
            "GET /new_ticket_forms/0 answered 404",
            "its user has the right ticket.write",
        ),
        (
            probed(1, &[(CREATE, ProbeObservation::Missing)]),
            "GET /new_ticket_forms/0 answered 404",
            "its user has the right ticket.write",
        ),
        (
            probed(2, &[(CREATE, ProbeObservation::Missing)]),
            "GET /new_ticket_forms/0 answered 401",
            "its user has the right ticket.write",
        ),
    ];
    let mut recorded = Vec::new();
    for (number, (observation, create, edit)) in checks.into_iter().enumerate() {
        let transitions = step(&mut status, &observation, policy(&token));
        recorded.extend(transitions.into_iter().filter_map(|change| change.shown_by));
        assert_eq!((shown_by(&status, CREATE).as_str(), shown_by(&status, EDIT).as_str()), (create, edit), "{number}");
    }
    assert_eq!(recorded, ["GET /new_ticket_forms/0 answered 401"], "the history says it too");
}

#[test]
fn a_group_that_shrinks_between_me_and_the_probe_is_blamed_and_not_the_token() {
    let token = token("t", &[LIST]);
    let mut status = TokenStatus::default();
    let granted = |seconds, granted| observed(seconds, works(&[("ticket.read", granted)]));
    let missing = |seconds| probed(seconds, &[(LIST, ProbeObservation::Missing)]);
    let shown = probed(0, &[(LIST, ProbeObservation::Granted(200))]);
    let checks = [granted(0, true), shown, granted(10, true), missing(10), granted(11, false), missing(11)];
    for observation in &checks {
        let _ = step(&mut status, observation, policy(&token));
    }
    let causes = status.deduced_causes(&[]);
    status.take_causes(causes);
    let permission = &status.permissions[0];
    assert_eq!((permission.state(), permission.cause), (PermissionState::Missing, Cause::SecurityGroup));
}

#[test]
fn what_is_let_through_is_not_missing_even_where_that_shows_no_grant() {
    let token = token("t", &[LIST]);
    let mut status = TokenStatus::default();
    let _ = step(&mut status, &observed(0, works(&[])), policy(&token));
    let mut see = |seconds, seen| kinds_and_state(&mut status, &probed(seconds, &[(LIST, seen)]), policy(&token));
    assert_eq!(see(1, ProbeObservation::LetThrough(200)), (None, PermissionState::Unverified));
    see(2, ProbeObservation::Missing);
    assert_eq!(see(3, ProbeObservation::Missing), (Some("unknown>missing".to_owned()), PermissionState::Missing));
    assert_eq!(see(4, ProbeObservation::Inconclusive(418)), (None, PermissionState::Missing), "odd, and no more");
    let through = see(5, ProbeObservation::LetThrough(200));
    assert_eq!(through, (Some("missing>unverified".to_owned()), PermissionState::Unverified));
}

fn kinds_and_state(
    status: &mut TokenStatus,
    observation: &Observation,
    policy: Policy<'_>,
) -> (Option<String>, PermissionState) {
    let transitions = step(status, observation, policy);
    let change = transitions.first().map(|change| format!("{}>{}", change.before, change.after));
    (change, status.permissions[0].state())
}

#[test]
fn by_right_alone_a_permission_is_unverified_or_missing_never_granted() {
    let token = token("t", &[EDIT]);
    let mut status = TokenStatus::default();
    let state = |status: &TokenStatus| status.permissions[0].state();
    let _ = step(&mut status, &observed(0, works(&[("ticket.write", true)])), policy(&token));
    assert_eq!(state(&status), PermissionState::Unverified);
    let _ = step(&mut status, &observed(1, works(&[("ticket.write", false)])), policy(&token));
    assert_eq!(state(&status), PermissionState::Unverified, "once is not enough");
    assert!(status.recheck, "but reason enough to check all permissions soon");
    let transitions = step(&mut status, &observed(2, works(&[("ticket.write", false)])), policy(&token));
    assert_eq!(
        kinds(&transitions),
        [(TransitionKind::Right, "held", "not_held"), (TransitionKind::Permission, "unverified", "missing")]
    );
    assert_eq!((state(&status), status.permissions[0].belief.lost), (PermissionState::Missing, true));
}

#[test]
fn a_right_that_was_never_granted_is_not_lost() {
    let token = token("t", &[EDIT]);
    let mut status = TokenStatus::default();
    for seconds in 0..3 {
        let _ = step(&mut status, &observed(seconds, works(&[("ticket.write", false)])), policy(&token));
    }
    assert!(!status.rights[0].belief.lost && !status.permissions[0].belief.lost);
    assert_eq!(status.permissions[0].state(), PermissionState::Missing);
}

#[test]
fn another_user_behind_a_rotated_token_loses_nothing() {
    let token = token("t", &[]);
    let mut status = TokenStatus::default();
    let _ = step(&mut status, &observed(0, works(&[("ticket.write", true)])), policy(&token));
    let other = Me { user_id: 2, ..crate::testing::me(&[("ticket.write", false)]) };
    for seconds in 1..4 {
        let transitions = step(&mut status, &observed(seconds, MeObservation::Works(other.clone())), policy(&token));
        let expected = if seconds == 1 { vec![(TransitionKind::User, "1", "2")] } else { Vec::new() };
        assert_eq!(kinds(&transitions), expected);
    }
}

#[test]
fn rights_whose_names_change_from_answer_to_answer_do_not_pile_up() {
    let token = token("t", &[]);
    let mut status = TokenStatus::default();
    for number in 0..1000 {
        let _ = step(&mut status, &observed(number, works(&[(&format!("odd.{number}"), true)])), policy(&token));
    }
    assert_eq!(status.rights.len(), MOST_RIGHTS);
}

#[test]
fn a_token_status_can_be_stored_and_read_again() {
    let token = token("t", &[LIST, EDIT]);
    let mut status = TokenStatus::default();
    let _ = step(&mut status, &observed(0, works(&[("ticket.write", true), ("moon.land", false)])), policy(&token));
    let _ = step(&mut status, &probed(0, &[(LIST, ProbeObservation::Missing)]), policy(&token));
    let stored = serde_json::to_string(&status).unwrap();
    assert_eq!(serde_json::from_str::<TokenStatus>(&stored).unwrap(), status, "{stored}");
}

fn any_me() -> impl Strategy<Value = MeObservation> {
    prop_oneof![
        3 => proptest::collection::vec(any::<bool>(), 2)
            .prop_map(|granted| works(&[("ticket.write", granted[0]), ("ticket.read", granted[1])])),
        2 => Just(MeObservation::Refused),
        1 => Just(MeObservation::Blocked),
        2 => Just(MeObservation::Failed(failure())),
    ]
}

fn any_check() -> impl Strategy<Value = Observation> {
    let probe = prop_oneof![
        Just(ProbeObservation::Granted(200)),
        Just(ProbeObservation::Missing),
        Just(ProbeObservation::Inconclusive(404)),
        Just(ProbeObservation::Failed(failure())),
    ];
    prop_oneof![any_me().prop_map(|me| observed(0, me)), probe.prop_map(|probe| probed(0, &[(LIST, probe)])),]
}

proptest! {
    /// Leaving out every check that failed leads to the same beliefs: failed checks change nothing.
    #[test]
    fn a_failed_check_never_changes_what_is_believed(checks in proptest::collection::vec(any_check(), 0..60)) {
        let token = token("t", &[LIST, EDIT]);
        let believed = |checks: &[Observation]| {
            let mut status = TokenStatus::default();
            let changes = |check| step(&mut status, check, policy(&token));
            let transitions: Vec<_> = checks.iter().flat_map(changes).collect();
            let permissions: Vec<_> = status
                .permissions
                .iter()
                .filter(|status| status.belief.granted.is_some())
                .map(|status| (status.permission, status.state()))
                .collect();
            (status.state, status.rights, permissions, transitions)
        };
        let seen: Vec<_> = checks.iter().filter(|check| check.failure().is_none()).cloned().collect();
        prop_assert_eq!(believed(&checks), believed(&seen));
    }

    /// Transitions of one thing are a chain: each begins where the one before ended.
    #[test]
    fn transitions_are_a_chain(checks in proptest::collection::vec(any_check(), 0..60)) {
        let token = token("t", &[LIST, EDIT]);
        let mut status = TokenStatus::default();
        let mut last = std::collections::HashMap::new();
        for check in &checks {
            for transition in step(&mut status, check, policy(&token)) {
                prop_assert_ne!(&transition.before, &transition.after);
                let key = (transition.kind.as_str(), transition.subject.clone());
                if let Some(before) = last.insert(key, transition.after.clone()) {
                    // From `missing` by right to `unverified` and on by probe is no gap: only one evidence applies.
                    prop_assert_eq!(before, transition.before);
                }
            }
        }
    }
}
