//! What a status says of the token, of its user and of its permissions, and what one token shows of another.

use chrono::TimeDelta;

use super::permission_first::PermissionFirst;
use super::*;
use crate::syncro::{Failure, MeObservation, ProbeObservation, UserObservation};
use crate::testing::{at, confirmed, failure, observed, permission, policy, probed, token, works};

const LIST: &str = "Tickets - List/Search";
const VIEW: &str = "Customers - View Detail";

/// A valid token of a user of this group, with these permissions, each granted or missing by a probe.
fn status(group: &str, permissions: &[(&str, bool)]) -> TokenStatus {
    let names: Vec<_> = permissions.iter().map(|(name, _)| *name).collect();
    let token = token("t", &names);
    let mut status = TokenStatus::default();
    let seen = |granted| if granted { ProbeObservation::Granted(200) } else { ProbeObservation::Missing };
    let probes: Vec<_> = permissions.iter().map(|(name, granted)| (*name, seen(*granted))).collect();
    for observation in [observed(0, works(&[])), probed(0, &probes), probed(60, &probes)] {
        let _ = step(&mut status, &observation, policy(&token));
    }
    status.user.as_mut().unwrap().group = Some(group.to_owned());
    status
}

/// An audit at this moment that found nothing.
fn audited(now: DateTime<Utc>) -> Audit {
    let mut audit = Audit::default();
    audit.at = now;
    audit
}

fn caused(mut status: TokenStatus, cause: Cause) -> TokenStatus {
    status.permissions.iter_mut().for_each(|permission| permission.cause = cause);
    status
}

#[test]
fn labels_are_words() {
    assert_eq!(Check::ALL.iter().map(|check| check.as_str()).collect::<Vec<_>>(), ["validity", "permissions"]);
    assert_eq!([Evidence::Probe.as_str(), Evidence::Right.as_str()], ["probe", "right"]);
    let causes = [Cause::Token, Cause::User, Cause::SecurityGroup, Cause::Undetermined];
    assert_eq!(causes.map(Cause::as_str), ["token", "user", "security_group", "undetermined"]);
}

#[test]
fn a_group_is_named_while_nothing_puts_it_in_doubt_and_restricts_no_global_admin() {
    let mut status = status("Techs", &[]);
    let groups = |status: &TokenStatus| {
        [status.security_group(), status.current_group(), status.restricting_group()]
            .map(|group| group == Some("Techs"))
    };
    assert_eq!(groups(&status), [true; 3]);
    status.doubt_group(at(5));
    assert_eq!(groups(&status), [true, false, true]);
    assert_eq!(status.user.as_ref().unwrap().doubted_at, Some(at(5)));
    status.user.as_mut().unwrap().admin = Belief::first(true, at(0));
    assert_eq!(groups(&status), [true, false, false]);
    let mut nobody = TokenStatus::default();
    nobody.doubt_group(at(5));
    assert_eq!((nobody.security_group(), nobody.group_problem()), (None, None));
}

#[test]
fn a_group_that_is_not_known_has_a_reason() {
    let user = |seen: UserObservation| {
        let mut user = User::new(1);
        user.record_group_problem(&seen);
        TokenStatus { user: Some(user), ..TokenStatus::default() }.group_problem().map(str::to_owned)
    };
    assert_eq!(user(UserObservation::Group(Some("Techs".to_owned()))), None);
    assert_eq!(user(UserObservation::Group(None)).as_deref(), Some("Syncro names none"));
    let reason = user(UserObservation::Failed(Failure::new(Reason::Timeout, "no answer in time")));
    assert!(reason.unwrap().starts_with("no answer in time"));
}

#[test]
fn a_change_of_the_group_is_news_until_it_changes_back_or_is_old() {
    let mut user = User::new(1);
    let mut see = |seconds, group: &str| {
        let seen = UserObservation::Group(Some(group.to_owned()));
        let change = user.see_group(&seen, at(seconds), TimeDelta::seconds(100));
        (change, user.group_change.clone().map(|change| (change.from, change.at)), user.group_asked)
    };
    let change = |before: &str, after: &str| Some((before.to_owned(), after.to_owned()));
    let news = |from: &str, seconds| Some((from.to_owned(), at(seconds)));
    assert_eq!(see(0, "A"), (None, None, Some(at(0))));
    assert_eq!(see(1, "A"), (None, None, Some(at(1))));
    assert_eq!(see(2, "B"), (change("A", "B"), news("A", 2), Some(at(2))));
    assert_eq!(see(3, "C"), (change("B", "C"), news("A", 2), Some(at(3))), "what it was at first is remembered");
    assert_eq!(see(4, "A"), (change("C", "A"), None, Some(at(4))), "it is as it was");
    assert_eq!(see(5, "B").1, news("A", 5));
    assert_eq!(see(105, "C"), (change("B", "C"), news("B", 105), Some(at(105))), "old news");
    assert_eq!(user.see_group(&UserObservation::Group(None), at(106), TimeDelta::MAX), None);
    assert_eq!((user.group.as_deref(), user.group_asked), (Some("C"), Some(at(106))));
}

#[test]
fn a_user_who_is_not_listed_any_more_was_listed_before() {
    let listed = |seen: &[bool]| {
        let mut status = status("Techs", &[]);
        let mut changes = Vec::new();
        for (seconds, is_listed) in (0..).zip(seen) {
            changes.extend(see_listed(&mut status, *is_listed, at(seconds), confirmed(2)));
        }
        let words: Vec<_> = changes.into_iter().map(|change| format!("{}>{}", change.before, change.after)).collect();
        (words, status.user.unwrap().unlisted_since())
    };
    assert_eq!(listed(&[false, false, false]), (vec![], None), "perhaps nobody lists them");
    assert_eq!(listed(&[true, false]), (vec![], None));
    assert_eq!(listed(&[true, false, false]), (vec!["listed>not_listed".to_owned()], Some(at(1))));
    assert_eq!(listed(&[true, false, false, true]).0[1], "not_listed>listed");
    assert_eq!(see_listed(&mut TokenStatus::default(), true, at(0), confirmed(2)), None);
    let kept = |belief| serde_json::to_value(User { listed: belief, ..User::new(1) }).unwrap().get("listed").is_some();
    assert!(kept(Belief::first(true, at(0))) && !kept(Belief::default()), "what nobody knows takes no room");
}

#[test]
fn permissions_are_outdated_when_they_are_older_than_the_state() {
    let checked = |last: Option<i64>, since: i64| {
        let mut status = TokenStatus { since: Some(at(since)), ..TokenStatus::default() };
        status.permission_checks.last_attempt = last.map(at);
        status.permissions_are_outdated()
    };
    assert_eq!(
        [checked(Some(4), 5), checked(Some(5), 5), checked(Some(6), 5), checked(None, 5)],
        [true, false, false, false]
    );
}

#[test]
fn what_a_token_lacks_by_itself_is_no_difference_of_the_group() {
    let (has, lacks) = (status("Techs", &[(LIST, true)]), status("Techs", &[(LIST, false)]));
    let of_group = caused(lacks.clone(), Cause::SecurityGroup);
    let of_token = caused(lacks, Cause::Token);
    assert!(has.differs_in_group(&of_group) && of_group.differs_in_group(&has));
    assert!(!has.differs_in_group(&of_token) && !of_token.differs_in_group(&has));
    assert!(!has.differs_in_group(&has) && !has.differs_in_group(&status("Techs", &[(VIEW, true)])));
    assert!(has.lacks_anything() != of_group.lacks_anything() && of_group.lacks_anything());
}

#[test]
fn what_a_group_is_believed_to_lack_is_outdated_by_a_token_that_shows_otherwise_later() {
    let ours = caused(status("Techs", &[(LIST, false)]), Cause::SecurityGroup);
    let outdated = |mut other: TokenStatus, permissions: i64, validity: i64| {
        other.permission_checks.last_success = Some(at(permissions));
        other.validity.last_success = Some(at(validity));
        ours.outdated_by(&other).count() == 1
    };
    let has = status("Techs", &[(LIST, true)]);
    assert!(outdated(has.clone(), 61, 0) && !outdated(has.clone(), 60, 100) && !outdated(has, 59, 100));
    let lacks = status("Techs", &[(LIST, false)]);
    assert!(outdated(caused(lacks.clone(), Cause::Token), 0, 61));
    assert!(!outdated(caused(lacks.clone(), Cause::Token), 100, 60));
    assert!(!outdated(caused(lacks.clone(), Cause::SecurityGroup), 100, 100));
    assert!(!outdated(caused(lacks, Cause::Undetermined), 100, 100), "what nobody knows the cause of shows nothing");
    let of_token = caused(status("Techs", &[(LIST, false)]), Cause::Token);
    assert_eq!(of_token.outdated_by(&status("Techs", &[(LIST, true)])).count(), 0, "it is not the group's");
    let has = status("Techs", &[(LIST, true)]);
    assert_eq!(has.outdated_by(&status("Techs", &[(LIST, true)])).count(), 0, "nothing is lacking");
}

#[test]
fn a_status_is_doubtful_while_anything_is_to_be_seen_again() {
    let plain = status("Techs", &[(LIST, true)]);
    assert!(!plain.is_doubtful());
    assert!(TokenStatus { recheck: true, ..plain.clone() }.is_doubtful());
    let doubt = Doubt { state: TokenState::Rejected, times: 1, first: at(0), last: at(0) };
    assert!(TokenStatus { doubt: Some(doubt), ..plain.clone() }.is_doubtful());
    let mut by_permission = plain.clone();
    by_permission.permissions[0].belief.see(false, at(100), confirmed(2));
    assert!(by_permission.is_doubtful());
    let mut by_right = plain;
    let mut right = RightStatus { right: crate::syncro::Right::new("ticket.read"), belief: Belief::first(true, at(0)) };
    right.belief.see(false, at(100), confirmed(2));
    by_right.rights.push(right);
    assert!(by_right.is_doubtful());
}

#[test]
fn a_status_says_what_was_answered_audited_and_seen_last() {
    let mut status = TokenStatus { state: TokenState::Valid, ..TokenStatus::default() };
    status.validity.last_success = Some(at(3));
    assert_eq!(status.answered(), Some(at(3)), "as an older program wrote it");
    assert_eq!(TokenStatus { state: TokenState::Unreadable, ..status.clone() }.answered(), None);
    assert_eq!(TokenStatus { answered_at: Some(at(4)), ..status.clone() }.answered(), Some(at(4)));
    assert_eq!((status.audited(), status.customers_highest(), status.customers_hidden_since()), (None, None, None));
    status.audit = Some(Box::new(audited(at(7))));
    for (seconds, visible) in [(0, 40), (60, 10), (120, 12)] {
        status.customers.see(visible, at(seconds), confirmed(2));
    }
    assert_eq!((status.audited(), status.customers_highest()), (Some(at(7)), Some(40)));
    assert_eq!(status.customers_hidden_since(), Some(at(60)));
    let kept = |status: &TokenStatus| serde_json::to_value(status).unwrap().get("customers").is_some();
    assert!(kept(&status) && !kept(&TokenStatus::default()), "what nobody knows takes no room");
}

#[test]
fn no_moment_of_a_status_lies_ahead_of_a_clock_that_was_set_back() {
    let mut set_back = full();
    assert!(serde_json::to_string(&set_back).unwrap().matches("2027-01-15T08:01:40").count() >= 30, "they do before");
    set_back.set_back(at(200), at(50));
    let text = serde_json::to_string(&set_back).unwrap();
    assert!(set_back.next.is_some() && set_back.former.is_some());
    assert!(!text.contains("2027-01-15T08:01:40") && text.contains("2027-01-15T07:59:10"), "{text}");
}

/// A fleet has them by the thousand: with one byte more for each right of each token, 5,000 tokens take 100 kB more.
#[test]
#[cfg(target_pointer_width = "64")]
fn what_a_fleet_has_by_the_thousand_takes_no_more_than_it_did() {
    let sizes =
        [size_of::<Belief>(), size_of::<RightStatus>(), size_of::<PermissionStatus>(), size_of::<TokenStatus>()];
    assert_eq!(sizes, [48, 72, 64, 808]);
}

/// A status in which every moment that there can be is the hundredth second.
fn full() -> TokenStatus {
    let now = at(100);
    let mut status = status("Techs", &[(LIST, true)]);
    let moments = |attempts: &mut Attempts| {
        (attempts.last_attempt, attempts.last_success) = (Some(now), Some(now));
        (attempts.failing_since, attempts.silent_since) = (Some(now), Some(now));
    };
    moments(&mut status.validity);
    moments(&mut status.permission_checks);
    (status.full_check, status.answered_at, status.known_since) = (Some(now), Some(now), Some(now));
    (status.since, status.users_asked, status.value_since) = (Some(now), Some(now), Some(now));
    status.doubt = Some(Doubt { state: TokenState::Rejected, times: 1, first: now, last: now });
    let mut belief = Belief::first(true, now);
    for granted in [false, true, true] {
        belief.see(granted, now, confirmed(2));
    }
    let user = status.user.as_mut().unwrap();
    (user.group_asked, user.doubted_at) = (Some(now), Some(now));
    user.group_change = Some(super::user::GroupChange { from: "Others".to_owned(), at: now });
    (user.admin, user.listed) = (belief.clone(), belief.clone());
    status.rights.push(RightStatus { right: crate::syncro::Right::new("ticket.read"), belief: belief.clone() });
    status.permissions[0].belief = belief;
    status.audit = Some(Box::new(audited(now)));
    status.customers.see(10, now, confirmed(2));
    let beside = Box::new(status.clone());
    (status.next, status.former) = (Some(beside.clone()), Some(beside));
    status
}

#[test]
fn how_strong_evidence_is_depends_on_the_answer_and_on_what_is_known_of_the_tenant() {
    let strength = |granted, evidence, answer, permission_first| {
        let mut status = status("Techs", &[(LIST, granted)]).permissions.remove(0);
        (status.evidence, status.answer, status.permission_first) = (evidence, answer, permission_first);
        status.strength().unwrap()
    };
    let (probe, first) = (Evidence::Probe, Some(PermissionFirst::Shown));
    assert_eq!(strength(true, Evidence::Right, Some(200), first), Strength::Indicated);
    assert_eq!(strength(true, probe, Some(200), None), Strength::Shown);
    assert_eq!(strength(true, probe, Some(404), None), Strength::Indicated);
    assert_eq!(strength(true, probe, Some(404), Some(PermissionFirst::RefusedOnce)), Strength::Indicated);
    assert_eq!(strength(true, probe, Some(404), first), Strength::Shown);
    assert_eq!(strength(false, probe, Some(401), None), Strength::Shown);
    assert_eq!(strength(false, probe, Some(200), None), Strength::Indicated, "a narrower answer");
}

#[test]
fn what_is_only_recommended_matters_if_it_was_lost_or_the_token_lacks_it() {
    let matters = |lost, cause, required| {
        let mut status = status("Techs", &[(LIST, false)]).permissions.remove(0);
        (status.belief.lost, status.cause) = (lost, cause);
        status.matters(required)
    };
    assert!(
        matters(false, Cause::User, true) && matters(true, Cause::User, false) && matters(false, Cause::Token, false)
    );
    assert!(!matters(false, Cause::User, false));
}

#[test]
fn a_refusal_is_new_at_the_moment_at_which_it_began() {
    let lost = status("Techs", &[(LIST, false)]).permissions.remove(0);
    assert!(lost.is_refused_since(at(0)) && !lost.is_refused_since(at(60)));
    let by_right = PermissionStatus { evidence: Evidence::Right, ..lost };
    assert!(!by_right.is_refused_since(at(0)));
}

#[test]
fn a_tenant_checks_permissions_first_once_a_token_that_works_was_refused_record_zero() {
    let mut status = status("Techs", &[(LIST, true), (VIEW, true)]);
    status.refused_record_zero(&[permission(VIEW)]);
    assert_eq!(status.checked_first().count(), 0, "the token may have been revoked just then");
    let mut revoked = status.clone();
    revoked.let_in(false);
    assert_eq!((revoked.checked_first().count(), revoked.permissions[0].permission_first), (0, None));
    status.let_in(true);
    assert_eq!(status.checked_first().collect::<Vec<_>>(), [permission(VIEW)]);
    status.let_in(false);
    assert_eq!(status.checked_first().count(), 1, "what was shown stays");
    let view = status.permissions.iter_mut().find(|entry| entry.permission == permission(VIEW)).unwrap();
    view.begin_anew();
    assert_eq!(view.permission_first, Some(PermissionFirst::Shown), "it is the tenant's, not the user's");
    let mut other = self::status("Techs", &[(LIST, true), (VIEW, true)]);
    other.take_checked_first(&status.checked_first().collect());
    assert_eq!(other.checked_first().collect::<Vec<_>>(), [permission(VIEW)]);
}

#[test]
fn a_permission_that_the_catalogue_does_not_have_is_discarded_by_name() {
    let entry = |name: &str| serde_json::json!({ "permission": name });
    let mut stored = serde_json::json!({
        "permissions": [entry(LIST), entry("Moon - Land")], "audit": {"held": [entry("Mars - Land"), entry(VIEW)]},
    });
    assert_eq!(discard_unknown_permissions(&mut stored), ["Moon - Land", "Mars - Land"]);
    assert_eq!(stored, serde_json::json!({"permissions": [entry(LIST)], "audit": {"held": [entry(VIEW)]}}));
}

#[test]
fn a_token_of_another_user_is_of_the_same_token_only_by_number_and_an_old_value() {
    let token = token("t", &[]);
    let me = |user_id, subdomain: &str| {
        MeObservation::Works(crate::syncro::Me {
            user_id,
            subdomain: Some(subdomain.to_owned()),
            ..crate::testing::me(&[])
        })
    };
    let elsewhere = |user_id, is_value_new| {
        let mut status = TokenStatus::default();
        let _ = step(&mut status, &observed(0, me(1, "acme")), policy(&token));
        status.is_value_new = is_value_new;
        let _ = step(&mut status, &observed(60, me(user_id, "globex")), policy(&token));
        status.elsewhere
    };
    let of = |is_same_token| Some(Elsewhere { subdomain: "globex".to_owned(), is_same_token: Some(is_same_token) });
    assert_eq!([elsewhere(1, false), elsewhere(2, false), elsewhere(1, true)], [of(true), of(false), of(false)]);
    let mut status = TokenStatus::default();
    let _ = step(&mut status, &observed(0, me(1, "acme")), policy(&token));
    assert_eq!(status.elsewhere, None);
    let _ = step(&mut status, &observed(60, MeObservation::Failed(failure())), policy(&token));
    assert_eq!((status.is_value_new, status.state), (false, TokenState::Valid));
}

#[test]
fn evidence_names_the_request_and_what_it_was_answered() {
    let token = token("t", &[]);
    let shown = |name: &str, granted, answer, of_record| {
        let mut entry = PermissionStatus::new(permission(name), Evidence::Probe);
        (entry.belief, entry.answer, entry.of_record) = (Belief::first(granted, at(0)), Some(answer), of_record);
        entry.shown_by(&token.tenant).unwrap()
    };
    assert_eq!(shown(LIST, true, 200, false), "GET /tickets answered 200");
    assert_eq!(shown("Tickets - View Details", false, 401, false), "GET /tickets/0 answered 401");
    assert_eq!(shown("Tickets - View Details", false, 401, true), "GET /tickets/{id} answered 401");
    let all = "Appointments - View All";
    assert!(shown(all, false, 200, false).contains(" answered 200, "));
    assert!(!shown(all, true, 200, false).contains(", ") && !shown(all, false, 401, false).contains(", "));
}
