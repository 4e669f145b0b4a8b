//! The list of a tenant's users: how often it is read, and what follows of who is in it.

use super::machine::{Machine, fleet, user_of};
use crate::belief::{TransitionKind, User};
use crate::syncro::UsersObservation;

const NAMES: [&str; 2] = ["a", "b"];
const DAY: i64 = 24 * 3600;

fn listed(names: &[&str], is_whole: bool) -> UsersObservation {
    UsersObservation::Listed { listed: names.iter().map(|name| user_of(name)).chain([1]).collect(), is_whole }
}

/// A daemon, after the list has been read once.
fn after_a_first_list(first: UsersObservation) -> Machine {
    let mut machine = Machine::new(fleet(&NAMES));
    machine.users.0 = first;
    machine.seconds(2 * 3600 + 60);
    assert_eq!(machine.users.1, 1, "once, though two tokens were checked twice");
    machine
}

/// The tokens whose user is not in the list any more.
fn unlisted(machine: &mut Machine) -> Vec<String> {
    let snapshot = machine.core.snapshot();
    let tokens = snapshot.tokens.iter();
    let gone = tokens.filter(|token| token.status.user.as_ref().and_then(User::unlisted_since).is_some());
    gone.map(|token| token.token.name.clone()).collect()
}

#[test]
fn the_list_is_read_once_a_day_and_not_before_every_token_was_checked() {
    let mut machine = Machine::new(fleet(&NAMES));
    machine.users.0 = listed(&NAMES, true);
    machine.seconds(30);
    let first = machine.users.1;
    machine.seconds(3 * DAY);
    assert_eq!((first, machine.users.1), (0, 3));
    let restarted = machine.now;
    machine.crash(fleet(&NAMES), 5);
    machine.seconds(DAY / 2);
    assert!(machine.users.1 <= 4, "a restart after {restarted} s reads nothing anew");
}

#[test]
fn a_user_who_was_in_the_list_and_is_not_any_more_is_said_to_be_so_when_seen_twice() {
    let mut machine = after_a_first_list(listed(&NAMES, true));
    machine.users.0 = listed(&["b"], true);
    machine.seconds(DAY);
    let read = machine.users.1;
    assert!(read >= 2);
    machine.seconds(2 * 3600);
    assert_eq!(
        (unlisted(&mut machine), machine.users.1),
        (vec!["a".to_owned()], 3),
        "confirmed by the next full check"
    );
    machine.commit();
    machine.crash(fleet(&NAMES), 5);
    assert_eq!(unlisted(&mut machine), ["a"]);
    machine.users.0 = listed(&NAMES, true);
    machine.seconds(DAY + 3600);
    assert_eq!(unlisted(&mut machine), Vec::<String>::new());
    let changes = machine.store.kinds().into_iter().filter(|kind| *kind == TransitionKind::UserListed);
    assert_eq!(changes.count(), 2);
    let notified = ["UserDisabled/acme/a new", "UserDisabled/acme/a reminder", "UserDisabled/acme/a resolved"];
    assert_eq!(machine.notified(), notified);
}

#[test]
fn what_a_list_cannot_show_is_not_said() {
    // Who has never been in it may be left out of it for another reason.
    let mut machine = after_a_first_list(listed(&["b"], true));
    machine.seconds(2 * DAY);
    assert_eq!(unlisted(&mut machine), Vec::<String>::new());
    let unclear = [listed(&["b"], false), UsersObservation::Failed(crate::testing::failure())];
    for then in unclear {
        let mut machine = after_a_first_list(listed(&NAMES, true));
        machine.users.0 = then;
        machine.seconds(2 * DAY);
        assert_eq!(unlisted(&mut machine), Vec::<String>::new());
        assert_eq!(machine.users.1, 3, "a list that could not be read is not asked for all the time");
    }
}
