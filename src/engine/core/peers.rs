//! The tokens of one tenant that may be affected by the same cause: what one of them shows is checked with the others. Pure.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::belief::{Check, PermissionStatus, TokenState, TokenStatus};
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
        let name = watch.token.name.clone();
        let (firing, _) = self.fleet.fires(&watch.token.tenant.name);
        let same: Vec<_> = firing.iter().filter(|firing| firing.concerns(&name)).collect();
        let check = |other: &Watch| {
            let is_listed = same.iter().any(|firing| firing.concerns(&other.token.name));
            is_listed.then_some(if other.status.works() { Check::Permissions } else { Check::Validity })
        };
        self.request_of_others((key, at), now, check, effects);
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
        let Some(seen) = self.fleet.get(key).map(|watch| Arc::clone(&watch.status)) else { return };
        // Where one observation is enough it is believed at once, and never in doubt.
        let doubted = seen.doubt.as_ref().filter(|doubt| doubt.first == at).map(|doubt| doubt.state);
        let state = doubted.or((seen.since == Some(at)).then_some(seen.state));
        let is_of_all = matches!(state, Some(TokenState::Blocked | TokenState::WrongAccount));
        let is_of_user = state == Some(TokenState::LockedOut);
        let is_right_lost = seen.rights.iter().any(|right| right.belief.refused_since() == Some(at));
        if !(is_of_all || is_of_user || is_right_lost) {
            return;
        }
        let check = |other: &Watch| {
            let may_be = is_of_all
                || (is_of_user || is_right_lost) && seen.is_of_same_user(&other.status)
                || is_right_lost && seen.may_share_side_with(&other.status);
            may_be.then_some(Check::Validity)
        };
        self.request_of_others((key, at), now, check, effects);
    }

    /// Makes a check of the other tokens of the tenant due: of those that were last checked before `at`, the one that `check`
    /// wants of each.
    fn request_of_others(
        &mut self,
        (key, at): (WatchKey, DateTime<Utc>),
        now: DateTime<Utc>,
        check: impl Fn(&Watch) -> Option<Check>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(watch) = self.fleet.get(key) else { return };
        let others = self.fleet.members(&watch.token.tenant.name).iter().copied().filter(|other| *other != key);
        let others = others.filter_map(|other| Some((other, self.fleet.get(other)?)));
        let outdated = others.filter(|(_, other)| other.status.validity.last_attempt < Some(at));
        let due: Vec<_> =
            outdated.filter_map(|(other, watch)| Some((other, check(watch)?))).take(MOST_AT_ONCE).collect();
        for (other, check) in due {
            if let Some(Watch { timing, .. }) = self.fleet.get_mut(other) {
                match check {
                    Check::Validity => timing.quick_check_at = Some(now),
                    Check::Permissions => timing.check_at = Some(now),
                }
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
