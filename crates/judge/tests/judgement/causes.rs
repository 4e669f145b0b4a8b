//! One cause at one onset is one alert.

use judge::{Change, Fault, FaultKind, Happening, Kind, Ms, Received, Scope};

use crate::world::{
    EDIT, HOUR, LEADS, MINUTE, TICKETS, accepts, case, fires, group_loses, objects, sent, undetermined,
};

const SEEN: Ms = 10 * HOUR + 30 * MINUTE;
const OVER: Ms = 60 * HOUR + 30 * MINUTE;
const ALL: [&str; 6] = [
    "a / Tickets - List/Search",
    "b / Tickets - List/Search",
    "c / Tickets - List/Search",
    "a / ticket.read",
    "b / ticket.read",
    "c / ticket.read",
];

/// Each token in an alert of its own.
fn one_for_each(seen: Ms, over: Ms) -> Vec<Received> {
    let one = |token: &str| {
        let id = format!("id-{token}");
        let (permission, right) = (format!("{token} / {TICKETS}"), format!("{token} / ticket.read"));
        fires(seen, over, &id, "PermissionLost", &[&permission, &right])
    };
    ["a", "b", "c"].into_iter().flat_map(one).map(undetermined).collect()
}

#[test]
fn a_group_that_lost_a_permission_is_one_alert() {
    accepts(&case(group_loses(0)), fires(SEEN, OVER, "g", "PermissionLost", &ALL));
}

#[test]
fn the_right_need_not_be_listed_beside_its_permission() {
    accepts(&case(group_loses(0)), fires(SEEN, OVER, "g", "PermissionLost", &ALL[..3]));
}

#[test]
fn one_alert_for_each_token_of_a_group_is_split() {
    let parts = ["group-0 of acme", "3 alerts", "id-a", "id-b", "id-c", "a / Tickets - List/Search"];
    objects(Kind::Split, &parts, &case(group_loses(0)), one_for_each(SEEN, OVER));
}

#[test]
fn a_right_beside_the_alert_that_explains_it_is_split() {
    let mut all = fires(SEEN, OVER, "g", "PermissionLost", &ALL[..3]);
    all.extend(fires(SEEN, OVER, "r", "SecurityGroupRightLost", &ALL[3..]));
    objects(Kind::Split, &["(id g)", "(id r)"], &case(group_loses(0)), all);
}

#[test]
fn alerts_that_are_gathered_only_afterwards_are_split() {
    let gathered = SEEN + 5 * MINUTE;
    let mut all = one_for_each(SEEN, gathered);
    for received in &mut all {
        if received.change == Change::Resolved {
            received.change = Change::Superseded;
        }
    }
    all.extend(fires(gathered, OVER, "g", "PermissionLost", &ALL));
    objects(Kind::Split, &["one after the other", "id-a", "(id g)"], &case(group_loses(0)), all);
}

#[test]
fn one_alert_that_another_takes_over_is_not_split() {
    let gathered = SEEN + MINUTE;
    let mut all = vec![undetermined(sent(SEEN, "u", Change::New, "PermissionLost", &[ALL[0], ALL[3]]))];
    all.extend(fires(gathered, OVER, "g", "PermissionLost", &ALL));
    all.push(undetermined(sent(gathered, "u", Change::Superseded, "PermissionLost", &[ALL[0]])));
    accepts(&case(group_loses(0)), all);
}

#[test]
fn what_anything_else_came_near_is_not_split() {
    let endpoint = Fault { scope: Scope::Endpoint(0, 0), kind: FaultKind::Status(500), lasts: 10 * MINUTE };
    let others = [
        Happening::Down { lasts: MINUTE, killed: true },
        Happening::Reload { order: 1, without: None },
        Happening::Fault(endpoint),
        Happening::Admin { token: 3, admin: true },
        Happening::DeafReceiver { lasts: 1 },
    ];
    for what in others {
        let mut events = group_loses(0);
        events.insert(1, (10 * HOUR + 10 * MINUTE, what));
        accepts(&case(events), one_for_each(SEEN, OVER));
    }
}

#[test]
fn an_undetermined_cause_may_have_an_alert_for_each_token() {
    // Nothing shows the cause of a tick but the right, which may cover other permissions too.
    let tick = |token, has| Happening::Tick { token, permission: 1, has };
    let events = vec![(10 * HOUR, tick(0, false)), (10 * HOUR, tick(2, false)), (60 * HOUR, tick(0, true))];
    let mut all = fires(SEEN, OVER, "a", "PermissionLost", &["a / Leads - List/Search"]);
    all.extend(fires(SEEN, 200 * HOUR, "c", "PermissionLost", &["c / Leads - List/Search"]));
    all.retain(|received| received.at < 90 * HOUR);
    accepts(&case(events), all.into_iter().map(undetermined).collect());
}

#[test]
fn several_permissions_of_one_click_are_one_alert() {
    let mut events = group_loses(0);
    events.extend(group_loses(1));
    events.sort_by_key(|(at, _)| *at);
    let leads = ["a / Leads - List/Search", "b / Leads - List/Search", "c / Leads - List/Search"];
    let both: Vec<_> = ALL.into_iter().chain(leads).collect();
    accepts(&case(events.clone()), fires(SEEN, OVER, "g", "PermissionLost", &both));
    let mut apart = fires(SEEN, OVER, "t", "PermissionLost", &ALL);
    apart.extend(fires(SEEN, OVER, "l", "PermissionLost", &leads));
    objects(Kind::Split, &["2 alerts", "(id t)", "(id l)", LEADS], &case(events), apart);
}

#[test]
fn a_user_who_is_locked_out_is_one_alert_for_all_tokens() {
    let lock = |locked| Happening::LockedOut { token: 1, locked };
    let world = case(vec![(10 * HOUR, lock(true)), (60 * HOUR, lock(false))]);
    accepts(&world, fires(SEEN, OVER, "u", "UserLockedOut", &["a", "b"]));
    let missed = fires(SEEN, OVER, "u", "UserLockedOut", &["b"]);
    objects(Kind::Missed, &["acme/a LockedOut", "UserLockedOut"], &world, missed);
    let mut apart = fires(SEEN, OVER, "u", "UserLockedOut", &["a"]);
    apart.extend(fires(SEEN, OVER, "v", "UserLockedOut", &["b"]));
    let found = crate::world::findings(&world, apart);
    assert!(found.iter().any(|finding| finding.kind == Kind::Split), "{found:?}");
    assert!(found.iter().any(|finding| finding.kind == Kind::Twice), "{found:?}");
}

#[test]
fn a_tenant_that_was_renamed_is_one_alert() {
    let rename = |renamed| Happening::Renamed { tenant: 0, renamed };
    let world = case(vec![(10 * HOUR, rename(true)), (60 * HOUR, rename(false))]);
    accepts(&world, fires(SEEN, OVER, "t", "TenantRenamed", &["a", "b", "c", "d"]));
    let each =
        ["a", "b", "c", "d"].into_iter().flat_map(|token| fires(SEEN, OVER, token, "TokenWrongAccount", &[token]));
    objects(Kind::Split, &["acme, which was renamed", "4 alerts"], &world, each.collect());
}

#[test]
fn one_token_of_another_account_is_no_renamed_tenant() {
    let state = |state| Happening::Token { token: 3, state };
    let world = case(vec![(10 * HOUR, state(judge::State::WrongAccount)), (60 * HOUR, state(judge::State::Works))]);
    accepts(&world, fires(SEEN, OVER, "w", "TokenWrongAccount", &["d"]));
    let renamed = fires(SEEN, OVER, "t", "TenantRenamed", &["d"]);
    objects(Kind::False, &["TenantRenamed", "acme/a names the old subdomain"], &world, renamed);
}

#[test]
fn a_later_onset_is_not_added_to_an_alert_that_fires() {
    let mut events = group_loses(0);
    events.extend(group_loses(2).into_iter().map(|(at, what)| (at + 20 * HOUR, what)));
    events.retain(|(at, _)| *at < 80 * HOUR);
    events.sort_by_key(|(at, _)| *at);
    let later = SEEN + 20 * HOUR;
    let edit = ["a / Tickets - Edit", "b / Tickets - Edit", "a / ticket.write", "b / ticket.write", "c / ticket.write"];
    let mut two = fires(SEEN, OVER, "t", "PermissionLost", &ALL);
    two.extend(fires(later, 200 * HOUR, "e", "PermissionLost", &edit));
    two.retain(|received| received.at < 90 * HOUR);
    accepts(&case(events.clone()), two);

    let both: Vec<_> = ALL.into_iter().chain(edit).collect();
    let swallowed = vec![
        sent(SEEN, "t", Change::New, "PermissionLost", &ALL),
        sent(later, "t", Change::Updated, "PermissionLost", &both),
        sent(SEEN + 24 * HOUR, "t", Change::Reminder, "PermissionLost", &both),
        sent(SEEN + 48 * HOUR, "t", Change::Reminder, "PermissionLost", &both),
        sent(OVER, "t", Change::Updated, "PermissionLost", &edit),
        sent(SEEN + 72 * HOUR, "t", Change::Reminder, "PermissionLost", &edit),
    ];
    objects(Kind::Split, &["acme/a / Tickets - Edit was lost at 108000 s", "(id t)"], &case(events), swallowed);
}

#[test]
fn a_user_who_is_no_admin_any_more_is_one_alert() {
    let mut events = group_loses(0);
    events[0].0 = HOUR;
    let admin = |admin| Happening::Admin { token: 0, admin };
    events.extend([(MINUTE, admin(true)), (20 * HOUR, admin(false))]);
    events.sort_by_key(|(at, _)| *at);
    let group = [ALL[2], ALL[5]];
    let mut all = fires(HOUR + 30 * MINUTE, OVER, "g", "PermissionLost", &group);
    let without = all.clone();
    let user = [ALL[0], ALL[1], ALL[3], ALL[4]];
    all.extend(fires(20 * HOUR + 30 * MINUTE, OVER, "u", "UserChanged", &user));
    accepts(&case(events.clone()), all);

    let mut unsaid = without;
    unsaid.extend(fires(20 * HOUR + 30 * MINUTE, OVER, "p", "PermissionLost", &user));
    objects(Kind::Missed, &["the user of acme/a is no Global Admin"], &case(events), unsaid);
}

#[test]
fn what_is_missed_names_the_entry() {
    let mut some = ALL[..2].to_vec();
    some.extend(&ALL[3..]);
    let parts = ["acme/c / Tickets - List/Search", "PermissionLost"];
    objects(Kind::Missed, &parts, &case(group_loses(0)), fires(SEEN, OVER, "g", "PermissionLost", &some));
}

#[test]
fn a_right_that_nothing_explains_is_an_alert() {
    let rights = ["a / ticket.write", "b / ticket.write", "c / ticket.write"];
    let mut world = case(group_loses(2));
    for token in &mut world.tokens {
        token.wanted.retain(|number| world.permissions[*number].name != EDIT);
    }
    accepts(&world, fires(SEEN, OVER, "r", "SecurityGroupRightLost", &rights));
    objects(Kind::Missed, &["acme/a / ticket.write"], &world, Vec::new());
}
