//! What tokens are short of: permissions, and the rights of their users.

use super::facts::{Fact, was_known_good};
use super::{Bench, Found, Kind, SECOND};
use crate::ledger::Received;
use crate::listings::Listing;
use crate::spans::{Ms, Spans};

/// The alerts that list permissions.
pub(super) const PERMISSION: [&str; 3] = ["PermissionLost", "PermissionMissing", "UserChanged"];
/// The alerts that list rights.
pub(super) const RIGHT: [&str; 4] = ["PermissionLost", "PermissionMissing", "UserChanged", "SecurityGroupRightLost"];

impl Bench<'_> {
    pub(super) fn permissions(&mut self) {
        for token in 0..self.case.tokens.len() {
            for permission in self.case.tokens[token].wanted.clone() {
                let fact = Fact {
                    alerts: &PERMISSION,
                    seen: self.timeline.sees_permission(token, permission),
                    bad: self.short_of(token, permission),
                    interval: self.case.policy.permissions,
                    owed: &|_, _| true,
                    covered: &|_, _| false,
                    ..self.fact_of(token, self.case.permissions[permission].name)
                };
                let judged = self.fact(&fact, |received| self.may_be_replaced(token, received));
                self.take(judged);
                self.accused(token, permission);
            }
        }
    }

    /// When a token is short of a permission, as far as a probe or a right can show it.
    pub(super) fn short_of(&self, token: usize, permission: usize) -> Spans {
        self.world().without(&match self.case.permissions[permission].probe {
            Some(_) => self.timeline.has(token, permission),
            None => self.timeline.user_has(token, permission),
        })
    }

    fn fact_of<'f>(&self, token: usize, thing: &'f str) -> Fact<'f> {
        Fact {
            name: format!("{} / {thing}", self.token_name(token)),
            token,
            thing,
            alerts: &[],
            bad: Spans::default(),
            appears_bad: Spans::default(),
            seen: Spans::default(),
            free: self.timeline.answered(token).and(&self.timeline.works(token)),
            interval: 0,
            owed: &|_, _| true,
            covered: &|_, _| false,
        }
    }

    pub(super) fn rights(&mut self) {
        let policy = self.case.policy;
        for token in 0..self.case.tokens.len() {
            for permission in 0..self.case.permissions.len() {
                let Some(right) = self.case.permissions[permission].right else { continue };
                let bad = self.world().without(&self.timeline.user_has(token, permission));
                let seen = self.timeline.sees_permission(token, permission);
                let configured = self.timeline.configured(token);
                // What was never true has not gone from true to false.
                let owed = |onset: Ms, from: Ms| {
                    let here = configured.span_at(from).map_or(Spans::default(), |(from, to)| Spans::one(from, to));
                    was_known_good(&bad, &seen.and(&here), onset, self.patience(policy.permissions))
                };
                let covered = |onset: Ms, deadline: Ms| self.explained(token, permission, onset, deadline);
                let fact = Fact {
                    alerts: &RIGHT,
                    seen: seen.clone(),
                    bad: bad.clone(),
                    // What goes along with a permission may stay until that is checked.
                    interval: policy.validity.max(policy.permissions),
                    owed: &owed,
                    covered: &covered,
                    ..self.fact_of(token, right)
                };
                let judged = self.fact(&fact, |received| {
                    self.may_be_replaced(token, received) || self.others_show(token, permission, received)
                });
                self.take(judged);
            }
        }
    }

    /// Whether another token of the same user or group, which works, may have shown by its right that what ended was over.
    fn others_show(&self, token: usize, permission: usize, ended: &Received) -> bool {
        let since = self.decided_since(ended.at) - self.patience(self.case.policy.validity);
        let is_over = |token: usize| self.timeline.user_has(token, permission).touches(since, ended.at);
        let shows = |other: usize| {
            let works = self.timeline.works(other).and(self.timeline.configured(other));
            (self.case.same_user(other, token) || self.share_a_group(other, token, since, ended.at))
                && works.and(&self.timeline.user_has(other, permission)).touches(since, ended.at)
        };
        let tenant = self.case.tokens[token].tenant;
        is_over(token) && self.tokens_in(tenant).any(|other| other != token && shows(other))
    }

    /// Whether an alert that fires explains the loss of a right of this token's user without listing it: it names the right,
    /// or the permission that goes along with it, for the token, the user, or the user's security group.
    fn explained(&self, token: usize, permission: usize, onset: Ms, deadline: Ms) -> bool {
        let known = &self.case.permissions[permission];
        self.received.iter().any(|received| {
            let fits = received.at <= deadline
                && RIGHT.contains(&received.alert.as_str())
                && received.tenant == self.tenant_of(token);
            let about_it = |received: &Received| {
                received.rights.iter().any(|right| Some(right.as_str()) == known.right)
                    || received
                        .entries
                        .iter()
                        .any(|entry| entry.thing == known.name || Some(&*entry.thing) == known.right)
            };
            let concerns = |received: &Received| {
                let from = onset.min(received.at);
                self.tokens_of(received)
                    .into_iter()
                    .any(|other| self.case.same_user(other, token) || self.share_a_group(other, token, from, deadline))
            };
            let fires = || received.at >= onset || self.fires_at(deadline, |any| any.id == received.id);
            fits && about_it(received) && concerns(received) && fires()
        })
    }

    /// Whether the users of two tokens were in the same group at some time in between, each at its own.
    fn share_a_group(&self, one: usize, other: usize, from: Ms, to: Ms) -> bool {
        let within = |token: usize, group: usize| self.timeline.in_group(token, group).touches(from, to);
        (0..self.case.groups).any(|group| within(one, group) && within(other, group))
    }

    /// A group that is accused must be that of the user at the onset or later, and the user must be short of it.
    fn accused(&mut self, token: usize, permission: usize) {
        let known = &self.case.permissions[permission];
        let (tenant, name) = (self.tenant_of(token), &self.case.tokens[token].name);
        let listings = [Some(known.name), known.right].into_iter().flatten();
        let listings = listings.flat_map(|thing| self.listings.of_entry((tenant, name, thing)));
        let losses = self.world().without(&self.timeline.user_has(token, permission));
        let mut found: Found = Vec::new();
        for received in listings.map(Listing::begun) {
            let accuses = received.scope == "security_group" || received.cause == "security_group";
            if !accuses || !RIGHT.contains(&received.alert.as_str()) {
                continue;
            }
            let reach = self.case.policy.permissions + self.patience(self.case.policy.permissions);
            let since = self.decided_since(received.at) - reach;
            // Of several losses it is any that was there when it may have been decided, for what waits for its receiver may be
            // about the first.
            let begun = |by: Ms| losses.iter().map(|(from, _)| from).filter(move |from| *from <= by);
            let onset = begun(self.decided_since(received.at)).last().or_else(|| begun(received.at).next());
            let onset = onset.unwrap_or(since);
            let right_group = received.security_group.is_empty()
                || (0..self.case.groups).any(|group| {
                    received.security_group == format!("group-{group}")
                        && self.timeline.in_group(token, group).touches(onset.min(received.at), received.at)
                });
            let entry = format!("{} / {}", self.token_name(token), known.name);
            if !right_group {
                let what = format!("{} accuses a group that {entry} is not in", received.name());
                found.push((Kind::False, received.at, what));
            } else if !self.may_accuse(token, permission, received, since) {
                let what =
                    format!("{} lists {entry}, whose group has it while that of others has not", received.name());
                found.push((Kind::False, received.at, what));
            }
        }
        self.find_all(found);
    }

    /// Whether a group may be accused for a token: its user was short of the permission, or was in another group until lately,
    /// or nobody in the list was: then all of them appeared to have lost it together.
    fn may_accuse(&self, token: usize, permission: usize, received: &Received, since: Ms) -> bool {
        let lacks =
            |token: usize| self.world().without(&self.timeline.user_has(token, permission)).touches(since, received.at);
        // Who belongs to a group is read once an hour.
        let was_in_another = (0..self.case.groups).any(|group| {
            let edges = self.timeline.in_group(token, group);
            received.security_group == format!("group-{group}")
                && edges.iter().any(|(_, to)| (since - 3600 * SECOND..=received.at).contains(&to))
        });
        lacks(token) || was_in_another || !self.tokens_of(received).into_iter().any(lacks)
    }
}
