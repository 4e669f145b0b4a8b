//! Each entry of a list is true, and leaves it when it is over.

use judge::{Change, Happening, Kind, Ms, Received, State};

use crate::world::{HOUR, MINUTE, accepts, case, fires, group_loses, objects, sent};

const SEEN: Ms = 10 * HOUR + 30 * MINUTE;
const OVER: Ms = 60 * HOUR + 30 * MINUTE;
const ALL: [&str; 3] = ["a / Tickets - List/Search", "b / Tickets - List/Search", "c / Tickets - List/Search"];

fn one(at: Ms, change: Change, affected: &[&str]) -> Received {
    sent(at, "g", change, "PermissionLost", affected)
}

/// An alert in time, its reminders, and other notifications of it in between.
fn with(others: Vec<Received>, last: &[&str]) -> Vec<Received> {
    let mut all = vec![one(SEEN, Change::New, &ALL)];
    all.extend([1, 2].map(|day| one(SEEN + day * 24 * HOUR, Change::Reminder, last)));
    all.extend(others);
    all.push(one(OVER, Change::Resolved, last));
    all
}

/// Token `c` is refused from the twentieth hour until the fortieth.
fn c_is_refused() -> Vec<(Ms, Happening)> {
    let state = |state| Happening::Token { token: 2, state };
    vec![(20 * HOUR, state(State::Refused)), (40 * HOUR, state(State::Works))]
}

fn refusal() -> Vec<Received> {
    fires(20 * HOUR + 30 * MINUTE, 40 * HOUR + 30 * MINUTE, "r", "TokenRejected", &["c"])
}

#[test]
fn an_entry_that_is_not_so_is_false() {
    let mut list = ALL.to_vec();
    list.push("d / Tickets - List/Search");
    let mut all = fires(SEEN, OVER, "g", "PermissionLost", &list);
    for received in &mut all {
        received.security_group = String::new();
    }
    let found = crate::world::findings(&case(group_loses(0)), all);
    let false_entry = found.iter().find(|finding| finding.kind == Kind::False);
    assert!(false_entry.is_some_and(|finding| finding.what.contains("acme/d / Tickets")), "{found:?}");
}

#[test]
fn a_group_that_the_token_is_not_in_is_accused_falsely() {
    let mut all = fires(SEEN, OVER, "g", "PermissionLost", &ALL);
    for received in &mut all {
        received.security_group = "group-1".to_owned();
    }
    objects(Kind::False, &["accuses a group", "(id g)"], &case(group_loses(0)), all);
}

#[test]
fn an_entry_that_leaves_while_it_is_so_ended_wrongly() {
    let shorter = one(20 * HOUR, Change::Updated, &ALL[..2]);
    let parts = ["acme/c / Tickets - List/Search is still so", "(id g)", "Updated"];
    objects(Kind::WronglyResolved, &parts, &case(group_loses(0)), with(vec![shorter], &ALL[..2]));
}

#[test]
fn an_entry_that_is_over_and_stays_is_found() {
    let mut all = fires(SEEN, OVER, "g", "PermissionLost", &ALL);
    all.pop();
    all.push(one(OVER + MINUTE, Change::Updated, &ALL[..1]));
    all.push(one(SEEN + 72 * HOUR, Change::Reminder, &ALL[..1]));
    let parts = ["acme/a / Tickets - List/Search is over", "stays in PermissionLost"];
    objects(Kind::WronglyResolved, &parts, &case(group_loses(0)), all);
}

#[test]
fn an_entry_that_another_alert_takes_over_did_not_end() {
    let mut all = with(vec![one(20 * HOUR, Change::Updated, &ALL[..2])], &ALL[..2]);
    all.extend(fires(20 * HOUR, OVER, "c", "PermissionLost", &ALL[2..]));
    accepts(&case(group_loses(0)), all);
}

#[test]
fn an_alert_that_nothing_takes_over_was_superseded_wrongly() {
    let all = vec![one(SEEN, Change::New, &ALL), one(20 * HOUR, Change::Superseded, &ALL)];
    let parts = ["acme/a / Tickets - List/Search is still so", "Superseded"];
    objects(Kind::WronglyResolved, &parts, &case(group_loses(0)), all);
}

#[test]
fn an_entry_of_two_alerts_is_twice() {
    let mut all = fires(SEEN, OVER, "g", "PermissionLost", &ALL);
    all.extend(fires(30 * HOUR, OVER, "h", "PermissionLost", &ALL[..1]));
    let parts = ["acme/a / Tickets - List/Search", "(id g)", "(id h)"];
    objects(Kind::Twice, &parts, &case(group_loses(0)), all);
}

#[test]
fn an_entry_stays_while_its_token_does_not_work() {
    let mut events = group_loses(0);
    events.splice(1..1, c_is_refused());
    let mut all = with(Vec::new(), &ALL);
    all.extend(refusal());
    accepts(&case(events.clone()), all);

    let mut all = with(vec![one(30 * HOUR, Change::Updated, &ALL[..2])], &ALL[..2]);
    all.extend(refusal());
    let found = crate::world::findings(&case(events), all);
    let ended = found.iter().find(|finding| finding.kind == Kind::WronglyResolved);
    assert!(ended.is_some_and(|finding| finding.what.contains("acme/c / Tickets")), "{found:?}");
}

#[test]
fn no_entry_ends_unseen_though_it_is_over_in_truth() {
    let mut events = group_loses(0);
    events[1].0 = 25 * HOUR;
    events.splice(1..1, c_is_refused());
    events.sort_by_key(|(at, _)| *at);
    let mut all = vec![
        one(SEEN, Change::New, &ALL),
        one(25 * HOUR + 30 * MINUTE, Change::Updated, &ALL[2..]),
        one(SEEN + 24 * HOUR, Change::Reminder, &ALL[2..]),
    ];
    all.extend(refusal());
    let mut seen = all.clone();
    seen.push(one(40 * HOUR + 30 * MINUTE, Change::Resolved, &ALL[2..]));
    accepts(&case(events.clone()), seen);
    all.push(one(30 * HOUR, Change::Resolved, &ALL[2..]));
    all.retain(|received| received.id != "g" || received.at <= 30 * HOUR);
    let parts = ["acme/c / Tickets - List/Search could not be seen", "Resolved"];
    objects(Kind::WronglyResolved, &parts, &case(events), all);
}

#[test]
fn no_entry_begins_while_its_token_does_not_work() {
    let mut events = group_loses(0);
    events.extend(c_is_refused());
    events.retain(|(at, _)| *at != 10 * HOUR);
    events.push((26 * HOUR, Happening::Group { tenant: 0, group: 0, permission: 0, has: false }));
    events.sort_by_key(|(at, _)| *at);
    let begun = 26 * HOUR + 30 * MINUTE;
    let mut all = fires(begun, OVER, "g", "PermissionLost", &ALL[..2]);
    all.extend(refusal());
    let mut early = all.clone();
    all.push(sent(40 * HOUR + 30 * MINUTE, "c", Change::New, "PermissionLost", &ALL[2..]));
    all.push(sent(OVER, "c", Change::Resolved, "PermissionLost", &ALL[2..]));
    accepts(&case(events.clone()), all);
    early.extend(fires(27 * HOUR, OVER, "c", "PermissionLost", &ALL[2..]));
    let parts = ["acme/c / Tickets - List/Search could not be seen", "(id c)"];
    objects(Kind::False, &parts, &case(events), early);
}

#[test]
fn a_list_without_room_for_all_may_have_any_entry() {
    let list = [ALL[0], "and 2 more"];
    accepts(&case(group_loses(0)), fires(SEEN, OVER, "g", "PermissionLost", &list));
}
