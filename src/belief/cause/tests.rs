//! The deduction against a reference world, of which everything is known: nothing that is said to be shown is wrong, and
//! what the rules can show is found. All small worlds are tried, and random ones.

use chrono::TimeDelta;

use super::*;
use crate::belief::User;
use crate::belief::confirmed::{Belief, Confirmation};
use crate::belief::permissions::{PermissionObservation, RightStatus};
use crate::belief::user::GroupChange;
use crate::syncro::Right;
use crate::testing::{at, permission};

/// Two that one right covers, and one that no right covers.
const PERMISSIONS: [&str; 3] = ["Tickets - Create", "Tickets - Edit", "Vendors - List"];
/// The right that covers the first two, and is named for the second.
const RIGHT: &str = "ticket.write";

/// An account: what the groups allow, the users with their groups and flags, the tokens with their users and ticks.
#[derive(Debug, Clone)]
struct World {
    groups: Vec<u8>,
    users: Vec<(Vec<usize>, bool)>,
    tokens: Vec<(usize, u8)>,
    /// Whether the right is there with any of the permissions that it covers, or only with the one it is named for.
    right_is_coarse: bool,
}

impl World {
    fn user_may(&self, user: usize, permission: usize) -> bool {
        let (groups, admin) = &self.users[user];
        *admin || groups.iter().any(|group| self.groups[*group] & (1 << permission) != 0)
    }

    fn goes_through(&self, token: usize, permission: usize) -> bool {
        let (user, ticks) = self.tokens[token];
        ticks & (1 << permission) != 0 && self.user_may(user, permission)
    }

    fn has_right(&self, user: usize) -> bool {
        self.user_may(user, 1) || self.right_is_coarse && self.user_may(user, 0)
    }

    /// Each token is checked three times, one after the other, and after each check the causes are deduced, as by the engine.
    fn statuses(&self) -> Vec<TokenStatus> {
        let mut statuses = vec![TokenStatus::default(); self.tokens.len()];
        for round in 0..3 {
            for token in 0..statuses.len() {
                let mut status = std::mem::take(&mut statuses[token]);
                self.check(token, &mut status, at(round * 100 + i64::try_from(token).unwrap()));
                statuses[token] = status;
                for token in 0..statuses.len() {
                    let mut status = statuses[token].clone();
                    let others = statuses.iter().enumerate().filter(|(other, _)| *other != token);
                    let others: Vec<_> =
                        others.map(|(_, theirs)| theirs).filter(|theirs| status.shares_side_with(theirs)).collect();
                    let causes = status.deduced_causes(&others);
                    status.take_causes(causes);
                    statuses[token] = status;
                }
            }
        }
        statuses
    }

    fn check(&self, token: usize, status: &mut TokenStatus, now: DateTime<Utc>) {
        let user = self.tokens[token].0;
        let (groups, admin) = &self.users[user];
        let once = Confirmation { times: 1, after: TimeDelta::zero() };
        let believed = status.user.get_or_insert_with(|| User::new(user as u64));
        believed.group = groups.first().map(|group| format!("group-{group}"));
        believed.see_admin(*admin, now, once);
        let right = Belief::first(self.has_right(user), now);
        status.rights = vec![RightStatus { right: Right::new(RIGHT), belief: right }];
        for (index, name) in PERMISSIONS.iter().enumerate() {
            let id = permission(name);
            let granted = self.goes_through(token, index);
            let answer = Some(if granted { 200 } else { 401 });
            let seen = PermissionObservation { granted, evidence: Evidence::Probe, answer, of_record: false };
            let place = status.permissions.iter().position(|entry| entry.permission == id).unwrap_or_else(|| {
                status.permissions.push(PermissionStatus::new(id, Evidence::Probe));
                status.permissions.len() - 1
            });
            status.permissions[place].see(seen, now, once);
        }
        status.permissions.sort_by_key(|entry| entry.permission);
    }

    /// What is said of each refusal, against what is so.
    fn judge(&self, tally: &mut Tally) {
        let statuses = self.statuses();
        for (token, status) in statuses.iter().enumerate() {
            let user = self.tokens[token].0;
            for (index, name) in PERMISSIONS.iter().enumerate().filter(|(index, _)| !self.goes_through(token, *index)) {
                let entry = status.of_permission(permission(name)).unwrap();
                let is_so = match entry.cause {
                    Cause::Undetermined => {
                        tally.undetermined += 1;
                        assert!(!self.is_determined(token, index), "{name} of {token} in {self:?}");
                        continue;
                    }
                    Cause::Token => self.user_may(user, index),
                    Cause::SecurityGroup | Cause::User => !self.user_may(user, index),
                };
                let strength = entry.ground.expect("a cause rests on something").strength;
                assert!(is_so || strength < Strength::Shown, "{name} of {token} is {:?} in {self:?}", entry.cause);
                match strength {
                    Strength::Shown => tally.shown += 1,
                    Strength::Indicated if is_so => tally.indicated += 1,
                    Strength::Indicated => tally.indicated_wrongly += 1,
                }
            }
        }
    }

    /// Whether the answers leave only one possibility: the user is a Global Admin, or another token of the user got through.
    fn is_determined(&self, token: usize, permission: usize) -> bool {
        let user = self.tokens[token].0;
        let same_user = |other: usize| other != token && self.tokens[other].0 == user;
        self.users[user].1
            || (0..self.tokens.len()).any(|other| same_user(other) && self.goes_through(other, permission))
    }
}

#[derive(Debug, Default)]
struct Tally {
    shown: u32,
    indicated: u32,
    indicated_wrongly: u32,
    undetermined: u32,
}

#[test]
fn what_is_refused_anew_has_no_cause_of_before() {
    let everything = |ticks| World {
        groups: vec![0b111],
        users: vec![(vec![0], false), (vec![0], false)],
        tokens: vec![(0, ticks), (1, 0b111)],
        right_is_coarse: true,
    };
    let all_may = everything(0b111);
    let group_may_not = World { groups: vec![0b011], ..everything(0b111) };
    let one_may_not = everything(0b011);
    let mut statuses = [TokenStatus::default(), TokenStatus::default()];
    let mut causes = Vec::new();
    for (seconds, world) in [&all_may, &group_may_not, &all_may, &one_may_not].into_iter().enumerate() {
        for (token, status) in statuses.iter_mut().enumerate() {
            world.check(token, status, at(i64::try_from(seconds * 100 + token).unwrap()));
        }
        let [first, second] = &mut statuses;
        // As in the engine: where nothing is refused, nothing is deduced.
        if first.of_permission(permission("Vendors - List")).unwrap().belief.refused_since().is_some() {
            let causes = first.deduced_causes(&[second]);
            first.take_causes(causes);
        }
        causes.push(first.of_permission(permission("Vendors - List")).unwrap().cause);
    }
    // The last time the other one got through after the only refusal: this one has to be refused once more.
    assert_eq!(causes, [Cause::Undetermined, Cause::SecurityGroup, Cause::Undetermined, Cause::Undetermined]);
}

/// Up to three tokens of two users in two groups, with three permissions: by symmetry the ticks of the third token are all.
#[test]
fn in_no_small_world_is_anything_shown_that_is_not_so_and_what_is_determined_is_found() {
    let mut tally = Tally::default();
    let memberships: [&[usize]; 3] = [&[0], &[1], &[0, 1]];
    for groups in 0..64_u8 {
        for users in 0..36_usize {
            let user = |number: usize| (memberships[number % 3].to_vec(), number / 3 % 2 == 1);
            let users = vec![user(users % 6), user(users / 6)];
            for tokens in 0..256_usize {
                let ticks = |number: usize| u8::try_from(number % 8).unwrap();
                let first = (tokens / 64 % 2, ticks(tokens));
                let second = (tokens / 128 % 2, ticks(tokens / 8));
                let world = World {
                    groups: vec![groups % 8, groups / 8],
                    users: users.clone(),
                    tokens: vec![first, second, (usize::from(groups % 2 == 0), 0b111)],
                    right_is_coarse: tokens % 2 == 0,
                };
                world.judge(&mut tally);
            }
        }
    }
    assert!(tally.shown > 0 && tally.indicated > 0 && tally.undetermined > 0, "{tally:?}");
}

#[test]
#[expect(clippy::print_stdout, reason = "how often what is said")]
fn in_no_random_world_is_anything_shown_that_is_not_so() {
    let mut random = fastrand::Rng::with_seed(7);
    let mut tally = Tally::default();
    for _ in 0..1000 {
        let groups = random.usize(1..4);
        let users = random.usize(1..5);
        let world = World {
            groups: (0..groups).map(|_| random.u8(0..8)).collect(),
            users: (0..users)
                .map(|_| (vec![random.usize(0..groups), random.usize(0..groups)], random.u32(0..6) == 0))
                .collect(),
            tokens: (0..random.usize(1..8)).map(|_| (random.usize(0..users), random.u8(0..8))).collect(),
            right_is_coarse: random.bool(),
        };
        world.judge(&mut tally);
    }
    println!("1,000 random worlds: {tally:?}");
    assert!(tally.shown > 0 && tally.indicated > 0 && tally.undetermined > 0, "{tally:?}");
}

#[test]
fn an_answer_that_comes_a_moment_later_takes_nothing_from_what_was_shown_before() {
    let world = World {
        groups: vec![0b111],
        users: vec![(vec![0], false)],
        tokens: vec![(0, 0b111), (0, 0b111)],
        right_is_coarse: true,
    };
    let after = World { tokens: vec![(0, 0b011), (0, 0b111)], ..world.clone() };
    let mut statuses = [TokenStatus::default(), TokenStatus::default()];
    for (token, status) in statuses.iter_mut().enumerate() {
        world.check(token, status, at(0));
    }
    // The other one gets through between both refusals, and once more at the moment of the second.
    for (token, seconds) in [(0, 100), (1, 101), (1, 131), (0, 130)] {
        after.check(token, &mut statuses[token], at(seconds));
    }
    let causes = statuses[0].deduced_causes(&[&statuses[1]]);
    assert_eq!(causes.into_iter().map(|(_, (cause, _))| cause).collect::<Vec<_>>(), [Cause::Token]);
}

#[test]
fn two_names_of_one_value_are_one_token_and_show_nothing_of_each_other() {
    let world = World {
        groups: vec![0b111],
        users: vec![(vec![0], false)],
        tokens: vec![(0, 0b111), (0, 0b111)],
        right_is_coarse: true,
    };
    let after = World { tokens: vec![(0, 0b000), (0, 0b000)], ..world.clone() };
    let causes = |same_value: bool| {
        let mut statuses = [TokenStatus::default(), TokenStatus::default()];
        for (token, status) in statuses.iter_mut().enumerate() {
            let value = if same_value { "one" } else { ["one", "another"][token] };
            status.fingerprint = Some(crate::syncro::TokenValue::for_test(value).fingerprint());
            world.check(token, status, at(0));
            after.check(token, status, at(100));
        }
        let vendors = permission("Vendors - List");
        let index = statuses[0].permissions.iter().position(|entry| entry.permission == vendors);
        let deduced = statuses[0].deduced_causes(&[&statuses[1]]);
        deduced.into_iter().find(|(one, _)| Some(*one) == index).map(|(_, (cause, _))| cause)
    };
    assert_eq!(causes(false), Some(Cause::SecurityGroup), "both lost it together");
    assert_eq!(causes(true), None, "undetermined, as before");
}

#[test]
fn a_user_who_came_from_another_group_is_the_cause_unless_the_group_may_have_been_renamed() {
    let world = World {
        groups: vec![0b111],
        users: vec![(vec![0], false), (vec![0], false)],
        tokens: vec![(0, 0b111), (1, 0b111)],
        right_is_coarse: false,
    };
    let narrow = World { groups: vec![0b101], ..world.clone() };
    let cause_after = |came: &[usize]| {
        let mut statuses = [TokenStatus::default(), TokenStatus::default()];
        for (round, world) in [(0, &world), (1, &narrow)] {
            for (token, status) in statuses.iter_mut().enumerate() {
                world.check(token, status, at(round * 100));
            }
        }
        for token in came {
            let change = GroupChange { from: "Technicians".to_owned(), at: at(90) };
            statuses[*token].user.as_mut().unwrap().group_change = Some(change);
        }
        let deduced = statuses[0].deduced_causes(&[&statuses[1]]);
        let edit = statuses[0].permissions.iter().position(|entry| entry.permission == permission(PERMISSIONS[1]));
        deduced.into_iter().find(|(index, _)| Some(*index) == edit).map(|(_, (cause, _))| cause)
    };
    assert_eq!(cause_after(&[]), Some(Cause::SecurityGroup));
    assert_eq!(cause_after(&[0]), Some(Cause::User));
    assert_eq!(cause_after(&[0, 1]), Some(Cause::SecurityGroup), "both have another group: it may have been renamed");
}
