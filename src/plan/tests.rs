//! When checks are due: at once, at their slots, for a confirmation, after failures and at the declared expiry.

use proptest::prelude::*;

use super::*;
use crate::belief::step;
use crate::syncro::MeObservation;
use crate::testing::{at, config, failure, observed, policy, probed, token, works};

const LIST: &str = "Tickets - List/Search";

/// A token, and its status after these observations.
fn after(observations: &[crate::syncro::Observation]) -> (Token, TokenStatus) {
    let token = token("t", &[LIST]);
    let status = status_after(&token, observations);
    (token, status)
}

fn status_after(token: &Token, observations: &[crate::syncro::Observation]) -> TokenStatus {
    let mut status = TokenStatus::default();
    for observation in observations {
        let _ = step(&mut status, observation, policy(token));
    }
    status
}

fn planned(token: &Token, status: &TokenStatus, now: i64) -> Plan {
    plan(token, Phase::of(token), status, &config(Vec::new()), at(now))
}

#[test]
fn a_new_token_is_checked_at_once_and_in_full() {
    let (token, status) = after(&[]);
    let plan = planned(&token, &status, 7);
    assert_eq!(
        (plan.at(), plan.scope(at(7)), plan.lane(at(7))),
        (at(7), Some(PermissionScope::Full), CheckLane::Permissions)
    );
}

#[test]
fn a_bad_verdict_is_checked_again_after_confirm_after_and_before_all_others() {
    let (token, status) = after(&[observed(0, works(&[])), observed(300, MeObservation::Refused)]);
    let plan = planned(&token, &status, 301);
    assert_eq!(plan.validity, Due { at: at(330), urgent: true });
    assert_eq!(plan.permissions, None, "a doubtful token is not asked what it may do");
    assert_eq!(plan.lane(at(330)), CheckLane::Urgent);
}

#[test]
fn a_refused_permission_is_asked_again_alone() {
    let granted = probed(0, &[(LIST, crate::syncro::ProbeObservation::Granted(200))]);
    let missing = probed(3600, &[(LIST, crate::syncro::ProbeObservation::Missing)]);
    let (token, status) = after(&[observed(0, works(&[])), granted, observed(3600, works(&[])), missing]);
    let plan = planned(&token, &status, 3601);
    assert_eq!(plan.permissions.unwrap(), (Due { at: at(3630), urgent: true }, PermissionScope::Doubtful));
    assert!(!plan.validity.urgent, "`/me` shows nothing of it: {plan:?}");
}

#[test]
fn a_permission_that_nobody_could_look_at_holds_up_the_confirmation_of_no_other() {
    use crate::syncro::ProbeObservation::{Failed, Granted, Missing};
    const VIEW: &str = "Customers - View Detail";
    let token = token("t", &[LIST, VIEW]);
    let both = |seconds, list, view| [observed(seconds, works(&[])), probed(seconds, &[(LIST, list), (VIEW, view)])];
    let checks = [both(0, Granted(200), Granted(200)), both(3600, Missing, Failed(failure()))].concat();
    let (due, scope) = planned(&token, &status_after(&token, &checks), 3601).permissions.unwrap();
    assert_eq!((due, scope), (Due { at: at(3630), urgent: true }, PermissionScope::Doubtful));
}

#[test]
fn a_token_that_outlives_its_declared_expiry_is_asked_once_more_and_then_as_ever() {
    let mut token = token("t", &[LIST]);
    token.expires = Some(at(100));
    let mut checks = vec![observed(0, works(&[])), observed(200, works(&[]))];
    assert_eq!(planned(&token, &status_after(&token, &checks), 201).validity, Due { at: at(230), urgent: true });
    checks.push(observed(230, works(&[])));
    assert!(!planned(&token, &status_after(&token, &checks), 231).validity.urgent);
}

#[test]
fn a_confirmation_that_a_check_did_not_bring_is_tried_again_after_as_long() {
    let (token, status) = after(&[]);
    let config = config(Vec::new());
    let planner = Planner { token: &token, phase: Phase::of(&token), status: &status, config: &config, now: at(0) };
    let due = |moment: i64, last| (planner.urgent(at(moment), at(last)).at - at(0)).num_seconds();
    assert_eq!([due(11, 10), due(10, 10), due(5, 10)], [11, 40, 40]);
}

/// The seconds after which the next full check of permissions is due.
fn next_full(observations: &[crate::syncro::Observation]) -> i64 {
    let (token, status) = after(observations);
    (planned(&token, &status, 0).permissions.unwrap().0.at - at(0)).num_seconds()
}

#[test]
fn a_check_of_what_is_doubted_takes_the_place_of_no_full_one() {
    use crate::syncro::ProbeObservation::{Failed, Granted, Missing};
    let checked = |seconds, full, probe| {
        let mut permissions = probed(seconds, &[(LIST, probe)]);
        if let crate::syncro::Part::Permissions(observations) = &mut permissions.part {
            observations.full = full;
        }
        [observed(seconds, works(&[])), permissions]
    };
    let first = checked(0, true, Granted(200));
    let full = next_full(&first);
    let scope = |more: &[crate::syncro::Observation], now| {
        let (token, status) = after(&[&first[..], more].concat());
        let (due, scope) = planned(&token, &status, now).permissions.unwrap();
        ((due.at - at(0)).num_seconds(), due.urgent, scope)
    };
    let refused = checked(full - 20, false, Missing);
    assert_eq!(scope(&refused, full - 20), (full + 10, true, PermissionScope::Full), "one check serves both");
    let refused = checked(full - 30, false, Missing);
    assert_eq!(scope(&refused, full - 30), (full, true, PermissionScope::Full), "one check serves both");
    let refused = checked(full - 40, false, Missing);
    assert_eq!(scope(&refused, full - 40), (full - 10, true, PermissionScope::Doubtful), "it comes before");
    // Nothing could be learnt before the full check was due as well.
    let failed = checked(full - 600, false, Failed(failure()));
    assert_eq!(scope(&failed, full - 600).2, PermissionScope::Doubtful);
    assert_eq!(scope(&failed, full + 600).2, PermissionScope::Full);
    // It had begun before the full check was due, and was answered after that.
    assert_eq!(scope(&checked(full + 1, false, Granted(200)), full + 1), (full, false, PermissionScope::Full));
    assert!(scope(&checked(full + 1, true, Granted(200)), full + 1).0 > full + 1);
}

#[test]
fn frequent_validity_checks_never_put_off_permissions() {
    let right = |granted| works(&[("ticket.read", granted)]);
    let granted = probed(0, &[(LIST, crate::syncro::ProbeObservation::Granted(200))]);
    let (mut checks, mut config) = (vec![observed(0, right(false)), granted], config(Vec::new()));
    config.schedule.validity = Schedule::Every(Duration::from_secs(10));
    checks.push(observed(3600, right(true)));
    let (token, status) = after(&checks);
    assert!(status.recheck);
    let plan = plan(&token, Phase::of(&token), &status, &config, at(3601));
    let (due, scope) = plan.permissions.unwrap();
    assert!(due.urgent && scope == PermissionScope::Full);
    assert!(due.at <= plan.validity.at.max(at(3610)), "{plan:?}");
}

#[test]
fn while_checks_fail_attempts_become_rarer_up_to_the_interval_and_never_more_frequent() {
    let mut checks = vec![observed(0, works(&[]))];
    let mut pauses = Vec::new();
    let mut now = 600;
    for _ in 0..8 {
        checks.push(observed(now, MeObservation::Failed(failure())));
        let (token, status) = after(&checks);
        let plan = planned(&token, &status, now);
        let next = plan.at().timestamp() - at(0).timestamp();
        assert!(plan.permissions.is_none_or(|(due, _)| due.at >= plan.validity.at), "permissions wait for `/me`");
        pauses.push(next - now);
        now = next;
    }
    assert!(pauses[0] <= 30 && pauses.iter().all(|pause| (1..=300).contains(pause)), "{pauses:?}");
    assert!(pauses[5..].iter().all(|pause| *pause > 60), "{pauses:?}");
}

#[test]
fn a_permission_that_cannot_be_confirmed_is_no_retry_storm() {
    let refused = |seconds| probed(seconds, &[(LIST, crate::syncro::ProbeObservation::Missing)]);
    let failed = |seconds| probed(seconds, &[(LIST, crate::syncro::ProbeObservation::Failed(failure()))]);
    let mut checks = vec![observed(0, works(&[])), refused(0)];
    let mut now = 0;
    while now < 86_400 {
        let (token, status) = after(&checks);
        now = (planned(&token, &status, now).permissions.unwrap().0.at - at(0)).num_seconds();
        checks.extend([observed(now, works(&[])), failed(now)]);
    }
    // Every hour, and while the attempts become rarer.
    assert!((24..40).contains(&(checks.len() / 2)), "{} in a day", checks.len() / 2);
    let (_, status) = after(&checks);
    assert_eq!(status.permissions[0].belief.doubts(), 1, "the one refusal is not discarded");
}

#[test]
fn at_the_declared_expiry_a_check_is_due() {
    let (mut token, status) = after(&[observed(0, works(&[])), probed(0, &[])]);
    token.expires = Some(at(10) + TimeDelta::milliseconds(1));
    assert_eq!(planned(&token, &status, 1).validity, Due { at: at(11), urgent: true });
    token.expires = None;
    let slot = planned(&token, &status, 1).validity.at;
    token.expires = Some(slot);
    assert_eq!(planned(&token, &status, 1).validity, Due { at: slot, urgent: true }, "it would be made then anyway");
    token.expires = Some(slot + TimeDelta::seconds(10));
    let overdue = planned(&token, &status, (slot - at(0)).num_seconds() + 20).validity;
    assert_eq!(overdue, Due { at: slot + TimeDelta::seconds(10), urgent: true }, "before whatever else was missed");
    token.expires = Some(at(0));
    assert!(!planned(&token, &status, 1).validity.urgent, "an expiry at which the token was checked is past");
}

#[test]
fn in_the_last_hour_before_its_expiry_a_token_that_works_is_checked_every_minute() {
    let expiring = Token { expires: Some(at(7200)), ..token("t", &[LIST]) };
    let due = |observations: &[crate::syncro::Observation], now: i64| {
        let mut config = config(Vec::new());
        config.schedule.validity = Schedule::Every(Duration::from_hours(5));
        let status = status_after(&expiring, observations);
        plan(&expiring, Phase::of(&expiring), &status, &config, at(now)).validity
    };
    let urgent = |seconds| Due { at: at(seconds), urgent: true };
    assert_eq!(due(&[observed(0, works(&[]))], 1), urgent(3600), "however seldom it is else");
    assert_eq!(due(&[observed(3600, works(&[]))], 3601), urgent(3660));
    assert_eq!(due(&[observed(7139, works(&[]))], 7140), urgent(7199));
    assert_eq!(due(&[observed(7150, works(&[]))], 7151), urgent(7200), "then at the expiry");
    let refused = [(3600, works(&[])), (3660, MeObservation::Refused), (3700, MeObservation::Refused)];
    let refused = refused.map(|(at, me)| observed(at, me));
    assert!(due(&refused, 3701).at > at(3760), "one that does not work any more is past that");
    let failed = [observed(3600, works(&[])), observed(3660, MeObservation::Failed(failure()))];
    assert_eq!(due(&failed, 3661), Due { at: at(3690), urgent: false }, "what fails is tried again as ever");
    let often = status_after(&expiring, &[observed(3600, works(&[]))]);
    let slot = planned(&expiring, &often, 3601).validity;
    assert!(!slot.urgent && slot.at < at(3660), "its turn in an interval of five minutes comes sooner: {slot:?}");
}

#[test]
fn what_is_put_off_waits_no_longer_than_for_the_expiry() {
    let (token, status) = after(&[observed(0, works(&[])), probed(0, &[])]);
    let overdue = planned(&token, &status, 5000);
    assert!(overdue.permissions.is_some_and(|(due, _)| due.at <= at(5000)), "both checks are overdue");
    let put_off = |expires: Option<DateTime<Utc>>| {
        let mut plan = overdue;
        plan.put_off(at(5000), at(5200), expires);
        assert_eq!(plan.permissions.map(|(due, _)| due), Some(plan.validity), "both alike");
        plan.validity
    };
    let in_turn = Due { at: at(5200), urgent: false };
    assert_eq!(put_off(None), in_turn);
    assert_eq!(put_off(Some(at(5100))), Due { at: at(5100), urgent: true });
    assert_eq!(put_off(Some(at(5100) + TimeDelta::milliseconds(1))), Due { at: at(5101), urgent: true });
    assert_eq!(put_off(Some(at(5201))), in_turn, "the check comes before the expiry, and one more at it");
    assert_eq!(put_off(Some(at(5200))), in_turn, "the check in its turn comes at the expiry");
    assert_eq!(put_off(Some(at(5000))), in_turn, "an expiry at the start makes nothing urgent");
    assert_eq!(put_off(Some(at(4999))), in_turn, "an expiry before the start makes nothing urgent");
    let mut plan = overdue;
    plan.validity.urgent = true;
    plan.put_off(at(5000), at(5200), Some(at(5100)));
    assert_eq!(plan.validity, Due { urgent: true, ..overdue.validity }, "what is urgent is not put off");
}

#[test]
fn tokens_are_spread_over_the_interval() {
    let offsets: std::collections::BTreeSet<_> = (0..1000)
        .map(|number| Phase::of(&token(&format!("token-{number}"), &[])).offset(Duration::from_mins(5)))
        .collect();
    assert!(offsets.len() > 250, "{} of 300 seconds are used by 1000 tokens", offsets.len());
}

#[test]
fn every_permission_slot_is_a_validity_slot_where_the_intervals_allow_it() {
    let (validity, permissions) = (Duration::from_mins(5), Duration::from_hours(1));
    for number in 0..200 {
        let phase = Phase::of(&token(&format!("token-{number}"), &[]));
        let (short, long) = (phase.offset(validity), phase.offset(permissions));
        assert_eq!(long % 300, short, "{number}");
        assert!((0..3600).contains(&long), "{number}");
    }
    let offsets: std::collections::BTreeSet<_> =
        (0..1000).map(|number| Phase::of(&token(&format!("token-{number}"), &[])).offset(permissions)).collect();
    assert!(offsets.len() > 700, "{} of 3600 seconds are used by 1000 tokens", offsets.len());
}

#[test]
fn one_me_serves_both_checks_where_the_intervals_allow_it() {
    let mut config = config(Vec::new());
    let mut longest = 0;
    for number in 0..50 {
        let mut token = token("t", &[LIST]);
        token.name = format!("token-{number}");
        let granted = probed(0, &[(LIST, crate::syncro::ProbeObservation::Granted(200))]);
        let status = status_after(&token, &[observed(0, works(&[])), granted]);
        let mut between = |minutes| {
            config.schedule.permissions = Schedule::Every(Duration::from_mins(minutes));
            let plan = plan(&token, Phase::of(&token), &status, &config, at(1));
            (plan.permissions.unwrap().0.at - plan.validity.at).num_seconds()
        };
        assert_eq!(between(60) % 300, 0, "{number}");
        longest = longest.max(between(7));
    }
    // Where they do not, the permissions have a place of their own in the whole of their interval.
    assert!(longest > 120, "{longest}");
}

#[test]
fn the_group_of_a_user_is_asked_for_once_an_hour_or_when_it_may_have_changed() {
    let asked = |asked: Option<i64>, doubted: bool| {
        let (_, mut status) = after(&[observed(0, works(&[]))]);
        let user = status.user.as_mut().unwrap();
        (user.group_asked, user.doubted_at) = (asked.map(at), doubted.then(|| at(1)));
        status
    };
    assert!(wants_user(&TokenStatus::default(), at(0)) && wants_user(&asked(None, false), at(0)));
    assert!(!wants_user(&asked(Some(0), false), at(3539)) && wants_user(&asked(Some(0), false), at(3540)));
    assert!(wants_user(&asked(Some(0), true), at(10)));
}

#[test]
fn only_what_a_probe_can_settle_is_asked_again_before_a_full_check() {
    let status = |probes: &[_]| after(&[observed(0, works(&[])), probed(0, probes)]).1;
    let of = |unseen, evidence, doubts| {
        let granted = crate::syncro::ProbeObservation::Granted(200);
        let mut permission = status(&[(LIST, granted)]).permissions[0].clone();
        (permission.unseen, permission.evidence) = (unseen, evidence);
        if doubts {
            permission.belief.see(false, at(1), crate::testing::confirmed(2));
        }
        is_doubtful(&permission)
    };
    assert!(of(false, Evidence::Probe, true) && of(true, Evidence::Probe, false) && of(true, Evidence::Right, false));
    assert!(!of(false, Evidence::Probe, false) && !of(false, Evidence::Right, true));
}

#[test]
fn a_cron_schedule_is_followed() {
    let file = tempfile::tempdir().unwrap();
    let path = file.path().join("config.toml");
    std::fs::write(&path, "[schedule]\nvalidity = \"0 */10 * * * *\"\n").unwrap();
    let config = crate::config::load(&path).unwrap();
    let (token, status) = after(&[observed(1, works(&[])), probed(1, &[])]);
    // The fixed moment is 08:00:00 UTC.
    assert_eq!(plan(&token, Phase::of(&token), &status, &config, at(2)).validity.at, at(600));
}

proptest! {
    /// What is planned lies ahead of the last attempt, and within the interval.
    #[test]
    fn the_next_check_comes_after_the_last_and_within_the_interval(last in 0..1_000_000_i64, name in "[a-z]{1,12}") {
        let mut token = token(&name, &[LIST]);
        token.name = name;
        let granted = probed(last, &[(LIST, crate::syncro::ProbeObservation::Granted(200))]);
        let status = status_after(&token, &[observed(last, works(&[])), granted]);
        let plan = planned(&token, &status, last);
        prop_assert!(plan.validity.at > at(last) && plan.validity.at <= at(last + 300));
        let (due, _) = plan.permissions.unwrap();
        prop_assert!(due.at > at(last) && due.at <= at(last + 3600));
    }
}

#[test]
fn an_audit_comes_a_day_after_the_last_and_in_turn_where_all_at_once_would_hold_up_permissions() {
    let config = config(Vec::new());
    let from = |number: u32, audited: Option<i64>, sweep: Duration, now: i64| {
        audit_from(Phase::of(&token(&number.to_string(), &[])), audited.map(at), &config, sweep, at(now))
    };
    let (short, long) = (Duration::from_mins(59), Duration::from_hours(6));
    assert_eq!(from(0, None, short, 5), at(5), "a small fleet at its first check");
    assert_eq!(from(0, Some(5), long, 6), at(5 + 86_400), "a day after the last time");
    assert_eq!(from(0, Some(5), short, 90_000), at(5 + 86_400), "overdue");
    let turns: Vec<_> = (0..1000).map(|number| from(number, None, long, 0)).collect();
    assert!(turns.iter().all(|turn| *turn > at(0) && *turn <= at(6 * 3600)), "within as long as it takes");
    let early = turns.iter().filter(|turn| **turn <= at(3600)).count();
    assert!((100..250).contains(&early), "spread, not all at once: {early} of 1000 in the first hour");
}
