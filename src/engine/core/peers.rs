//! The tokens of one tenant whose users are in one security group: what one of them shows is checked with the others. Pure.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::alert::Firing;
use crate::check::WatchKey;
use crate::engine::effect::Effect;

use super::Core;

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
