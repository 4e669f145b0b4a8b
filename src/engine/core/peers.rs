//! The tokens of one tenant whose users are in one security group: what one of them shows is checked with the others. Pure.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::alert::Firing;
use crate::belief::{PermissionStatus, TokenStatus};
use crate::check::WatchKey;
use crate::engine::effect::Effect;
use crate::state::Record;

use super::Core;
use super::watch::Watch;

impl Core {
    /// What was learnt about a security group is checked with its other tokens too, where they believe otherwise.
    pub(super) fn check_peers(&mut self, key: WatchKey, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let Some(learnt) = self.fleet.get(key).map(|watch| Arc::clone(&watch.status)) else { return };
        let peers: Vec<_> = self.fleet.peers(key).into_iter().map(|(peer, _)| peer).collect();
        for peer in peers {
            let Some(watch) = self.fleet.get_mut(peer) else { continue };
            if learnt.differs_in_group(&watch.status) {
                watch.timing.check_at = Some(now);
            }
            self.review(peer, now, effects);
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
            if refused.permissions.iter().any(may_show)
                && let Some(watch) = self.fleet.get_mut(other)
            {
                watch.timing.check_at = Some(now);
                Arc::make_mut(&mut watch.status).doubt_group(now);
                self.review(other, now, effects);
            }
        }
    }

    /// A token that may come to represent a security group, now that these alerts of another token of the tenant have
    /// ended, is checked before.
    pub(super) fn hand_over(&mut self, tenant: &str, ended: &[Firing], now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let of_groups: Vec<&Firing> = ended.iter().filter(|firing| firing.represents_group).collect();
        if of_groups.is_empty() {
            return;
        }
        for key in self.fleet.members(tenant).to_vec() {
            let Some(watch) = self.fleet.get_mut(key) else { continue };
            let group = watch.status.restricting_group();
            let concerns = |ended: &&Firing| {
                ended.message.security_group.as_deref() == group
                    && watch.as_peer().is_affected(ended.alert, ended.subject.as_deref())
            };
            if of_groups.iter().any(concerns) {
                watch.timing.check_at = Some(now);
                self.review(key, now, effects);
            }
        }
    }
}
