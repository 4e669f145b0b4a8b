//! The tokens of one tenant that may be affected by the same cause: what one of them shows is checked with the others. Pure.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::belief::{PermissionStatus, RightStatus, TokenState, TokenStatus};
use crate::check::WatchKey;
use crate::engine::effect::Effect;
use crate::state::Record;

use super::Core;
use super::watch::Watch;

/// How many others are checked at once at most, so that a large tenant does not use up the budget of the others; the rest
/// follow in their time.
const MOST_AT_ONCE: usize = 64;

impl Core {
    /// What was learnt about a user or a security group is checked with its other tokens too, where they believe otherwise.
    pub(super) fn check_peers(&mut self, key: WatchKey, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let Some(learnt) = self.fleet.get(key).map(|watch| Arc::clone(&watch.status)) else { return };
        for (peer, status) in self.fleet.sharing_side(key, TokenStatus::may_share_side_with) {
            if learnt.differs_in_group(&status)
                && let Some(watch) = self.fleet.get_mut(peer)
            {
                watch.timing.check_at = Some(now);
            }
            self.review(peer, now, effects);
        }
    }

    /// What changed with a token that an alert lists is checked with the others that it lists, so that the alert changes, or
    /// ends, once.
    pub(super) fn check_same_alerts(
        &mut self,
        key: WatchKey,
        at: DateTime<Utc>,
        now: DateTime<Utc>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(watch) = self.fleet.get(key) else { return };
        let (name, tenant) = (&watch.token.name, &watch.token.tenant.name);
        let (firing, _) = self.fleet.fires(tenant);
        let same = firing.iter().filter(|firing| firing.concerns(name));
        let is_outdated = |watch: &Watch| watch.status.validity.last_attempt < Some(at);
        let members = self.fleet.members(tenant).iter().copied().filter(|other| *other != key);
        let members: Vec<_> = members
            .filter_map(|other| Some((other, self.fleet.get(other)?)))
            .filter(|(_, other)| is_outdated(other) && same.clone().any(|firing| firing.concerns(&other.token.name)))
            .map(|(other, watch)| (other, watch.status.works()))
            .take(MOST_AT_ONCE)
            .collect();
        for (other, works) in members {
            if let Some(watch) = self.fleet.get_mut(other) {
                let timing = &mut watch.timing;
                *(if works { &mut timing.check_at } else { &mut timing.quick_check_at }) = Some(now);
            }
            self.review(other, now, effects);
        }
    }

    /// What `/me` showed at `at` for the first time, and may be so with other tokens of the same user, group or tenant, is
    /// checked with them at once.
    pub(super) fn check_kin(
        &mut self,
        key: WatchKey,
        at: DateTime<Utc>,
        now: DateTime<Utc>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(watch) = self.fleet.get(key) else { return };
        let seen = Arc::clone(&watch.status);
        let is_of_all = match seen.doubt.as_ref().filter(|doubt| doubt.first == at).map(|doubt| doubt.state) {
            Some(TokenState::Blocked | TokenState::WrongAccount) => true,
            Some(TokenState::LockedOut) => false,
            _ if seen.rights.iter().any(|right| right.belief.refused_since() == Some(at)) => false,
            _ => return,
        };
        let is_lost = |right: &RightStatus| right.belief.refused_since() == Some(at);
        let may_be = |other: &TokenStatus| {
            is_of_all
                || seen.doubt.is_some() && seen.is_of_same_user(other)
                || seen.rights.iter().any(is_lost) && seen.may_share_side_with(other)
        };
        let members = self.fleet.members(&watch.token.tenant.name).iter().copied().filter(|other| *other != key);
        let kin: Vec<_> = members
            .filter(|other| {
                let other = self.fleet.get(*other);
                other.is_some_and(|other| other.status.validity.last_attempt < Some(at) && may_be(&other.status))
            })
            .take(MOST_AT_ONCE)
            .collect();
        for other in kin {
            if let Some(watch) = self.fleet.get_mut(other) {
                watch.timing.quick_check_at = Some(now);
            }
            self.review(other, now, effects);
        }
    }

    /// Deduces why a token was refused what it was refused, by what its tenant's other tokens show of its user.
    pub(super) fn deduce_causes(&mut self, key: WatchKey, effects: &mut Vec<Effect>) {
        let was_refused =
            |watch: &Watch| watch.status.permissions.iter().any(|one| one.belief.refused_since().is_some());
        if !self.fleet.get(key).is_some_and(was_refused) {
            return;
        }
        let others = self.fleet.sharing_side(key, TokenStatus::shares_side_with);
        let others: Vec<_> = others.iter().map(|(_, status)| &**status).collect();
        let Some(watch) = self.fleet.get_mut(key) else { return };
        let deduced = watch.status.deduced_causes(&others);
        if !deduced.is_empty() {
            Arc::make_mut(&mut watch.status).take_causes(deduced);
            let record = Record::TokenStatus { token: watch.token.id(), status: Arc::clone(&watch.status) };
            effects.push(Effect::Record(record));
        }
    }

    /// What a token was refused at `at` for the first time is asked at once with the others that may show why, unless they
    /// have lost it too. Their security groups are read again as well, since what they show counts for one group only.
    pub(super) fn ask_others(
        &mut self,
        key: WatchKey,
        at: DateTime<Utc>,
        now: DateTime<Utc>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(refused) = self.fleet.get(key).map(|watch| Arc::clone(&watch.status)) else { return };
        for (other, status) in self.fleet.sharing_side(key, TokenStatus::may_share_side_with) {
            let may_show = |one: &PermissionStatus| {
                let theirs = status.of_permission(one.permission).map(|theirs| &theirs.belief);
                one.is_refused_since(at) && theirs.is_some_and(|theirs| theirs.last_seen() == Some(true))
            };
            // One that has been checked since shows what it shows already.
            let is_outdated =
                status.validity.last_attempt < Some(at) || status.permission_checks.last_attempt < Some(at);
            if is_outdated
                && refused.permissions.iter().any(may_show)
                && let Some(watch) = self.fleet.get_mut(other)
            {
                watch.timing.check_at = Some(now);
                Arc::make_mut(&mut watch.status).doubt_group(now);
                self.review(other, now, effects);
            }
        }
    }
}
