//! The life of an alert, whatever it is about.

use judge::{Change, Happening, Kind, Ms, Received, Severity, State};

use crate::world::{HOUR, MINUTE, accepts, case, fires, group_loses, objects, sent};

const SEEN: Ms = 10 * HOUR + 30 * MINUTE;
const OVER: Ms = 60 * HOUR + 30 * MINUTE;
const ALL: [&str; 3] = ["a / Tickets - List/Search", "b / Tickets - List/Search", "c / Tickets - List/Search"];

fn of(at: Ms, change: Change) -> Received {
    sent(at, "g", change, "PermissionLost", &ALL)
}

/// What is right, and something besides.
fn and(more: impl IntoIterator<Item = Received>) -> Vec<Received> {
    let mut all = fires(SEEN, OVER, "g", "PermissionLost", &ALL);
    all.extend(more);
    all
}

#[test]
fn an_id_begins_once_and_never_comes_again() {
    let world = case(group_loses(0));
    objects(Kind::Twice, &["(id g) began while it fired"], &world, and([of(SEEN + MINUTE, Change::New)]));
    let again = of(OVER + HOUR, Change::Resolved);
    objects(Kind::Twice, &["(id g) was Resolved after it was Resolved"], &world, and([again]));
    let never = sent(70 * HOUR, "n", Change::Resolved, "PermissionLost", &ALL);
    objects(Kind::Twice, &["(id n) was Resolved and had never begun"], &world, and([never]));
    let nameless = sent(70 * HOUR, "", Change::Resolved, "PermissionLost", &ALL);
    objects(Kind::Change, &["has no id"], &world, and([nameless]));
}

#[test]
fn what_is_delivered_again_counts_once() {
    let world = case(group_loses(0));
    let mut again = of(SEEN, Change::New);
    again.at += MINUTE;
    accepts(&world, and([again]));
}

#[test]
fn a_change_is_what_it_says() {
    let world = case(group_loses(0));
    let same = "updated, and lists what it did before";
    objects(Kind::Change, &["(id g)", same], &world, and([of(20 * HOUR, Change::Updated)]));
    let higher = "escalated from Critical to Critical";
    objects(Kind::Change, &[higher], &world, and([of(20 * HOUR, Change::Escalated)]));
    let lower = "deescalated from Critical to Critical";
    objects(Kind::Change, &[lower], &world, and([of(20 * HOUR, Change::Deescalated)]));
    let mut all = and([]);
    all[0].severity = Severity::Warning;
    objects(Kind::Change, &["Reminder, and went from Warning to Critical"], &world, all.clone());
    all.push(of(20 * HOUR, Change::Escalated));
    accepts(&world, all);
}

#[test]
fn reminders_come_at_their_interval() {
    let world = case(group_loses(0));
    objects(Kind::Reminder, &["(id g) was reminded of after"], &world, and([of(20 * HOUR, Change::Reminder)]));
    let mut never = and([]);
    never.retain(|received| received.change != Change::Reminder);
    objects(Kind::Reminder, &["(id g) fired on for 50 h"], &world, never);
}

#[test]
fn an_alert_keeps_its_name_and_its_scope() {
    let world = case(group_loses(0));
    let mut all = and([]);
    all[1].scope = "user".to_owned();
    all[1].entries.truncate(2);
    all[2].entries.truncate(2);
    let found = crate::world::findings(&world, all);
    assert!(found.iter().any(|finding| finding.what.contains("with the scope security_group")), "{found:?}");
}

#[test]
fn parts_that_do_not_fit_together_are_found() {
    let world = case(group_loses(0));
    let one = |alert: &str, affected: &[&str]| {
        let mut received = sent(20 * HOUR, "x", Change::Superseded, alert, affected);
        received.delivery = 1;
        received
    };
    let scoped = |mut received: Received, scope: &str| {
        received.scope = scope.to_owned();
        received
    };
    let misfits = [
        (one("GlobalAdminLost", &["a"]), "is no alert of the contract"),
        (scoped(one("UserLockedOut", &["a"]), "token"), "has the scope \"token\", not user"),
        (
            scoped(one("PermissionLost", &["a / Tickets - Edit", "c / Leads - List/Search"]), "user"),
            "tokens of several",
        ),
        (scoped(one("PermissionLost", &["z / Tickets - Edit"]), "user"), "no token of that tenant"),
        (one("PermissionLost", &["c / Tickets - Edit"]), "nothing that the token needs"),
        (one("PermissionLost", &["c"]), "nothing that the token needs"),
        (one("TokenRejected", &["c / Tickets - Edit"]), "tokens that do not work"),
        (one("TokenRejected", &[]), "names none"),
    ];
    for (received, fault) in misfits {
        let found = crate::world::findings(&world, vec![received]);
        let is_found = found.iter().any(|finding| finding.kind == Kind::Change && finding.what.contains(fault));
        assert!(is_found, "{fault}: {found:?}");
    }
}

#[test]
fn alerts_of_what_this_world_has_not_are_false() {
    let world = case(Vec::new());
    for (alert, scope) in [("UserDisabled", "user"), ("CustomersHidden", "token"), ("MonitorThrottled", "fleet")] {
        let mut received = sent(20 * HOUR, "x", Change::New, alert, &["a"]);
        received.scope = scope.to_owned();
        if scope == "fleet" {
            received.tenant = String::new();
            received.entries = Vec::new();
        }
        let mut over = received.clone();
        (over.at, over.delivery, over.change) = (21 * HOUR, 2, Change::Resolved);
        objects(Kind::False, &[alert, "nothing of the kind"], &world, vec![received, over]);
    }
}

#[test]
fn nothing_follows_from_the_expiry_of_a_dead_token() {
    let mut world = case(vec![(10 * HOUR, Happening::Token { token: 3, state: State::Refused })]);
    world.tokens[3].expires = Some(10 * HOUR);
    let expiring = |at, change| sent(at, "n", change, "TokenExpiring", &["d"]);
    let seen = 10 * HOUR + MINUTE;
    let mut all = fires(seen, 200 * HOUR, "e", "TokenExpired", &["d"]);
    all.retain(|received| received.at < 90 * HOUR);
    all.push(expiring(MINUTE, Change::New));
    objects(Kind::WronglyResolved, &["TokenExpiring/acme/d (id n) still fires", "(id e)"], &world, all.clone());
    for end in [Change::Resolved, Change::Superseded] {
        let mut all = all.clone();
        all.push(expiring(seen, end));
        accepts(&world, all);
    }
}

#[test]
fn what_is_superseded_has_a_successor() {
    let state = |state| Happening::Token { token: 3, state };
    let world = case(vec![(10 * HOUR, state(State::Refused)), (20 * HOUR, state(State::Unreadable))]);
    let next = 20 * HOUR + 30 * MINUTE;
    let mut all = fires(SEEN, next, "r", "TokenRejected", &["d"]);
    all[1].change = Change::Superseded;
    let mut world_that_works = world.clone();
    world_that_works.events[1].what = state(State::Works);
    objects(Kind::WronglyResolved, &["(id r) was superseded, and no alert"], &world_that_works, all.clone());
    all.extend(fires(next, 200 * HOUR, "f", "TokenUnreadable", &["d"]));
    all.retain(|received| received.at < 90 * HOUR);
    accepts(&world, all);
}

#[test]
fn the_last_notice_is_critical() {
    let mut world = case(Vec::new());
    world.tokens[3].expires = Some(100 * HOUR);
    let notice = |at, change, severity| {
        let mut received = sent(at, "n", change, "TokenExpiring", &["d"]);
        received.severity = severity;
        received
    };
    let first = notice(MINUTE, Change::New, Severity::Warning);
    let last = 76 * HOUR + MINUTE;
    let escalated = notice(last, Change::Escalated, Severity::Critical);
    accepts(&world, vec![first.clone(), escalated]);
    let again = notice(last, Change::Reminder, Severity::Warning);
    objects(Kind::Change, &["(id n) is the last notice"], &world, vec![first.clone(), again]);
    objects(Kind::Missed, &["acme/d: 1 days left"], &world, vec![first]);
}
