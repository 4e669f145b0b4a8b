//! The tokens of one tenant whose users are in one security group: what one of them shows is checked with the others. Pure.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::alert::Firing;

use super::{Core, Watch};
use crate::check::WatchKey;
use crate::engine::effect::Effect;

impl Core {
    /// The other tokens of the tenant whose users are in the same security group.
    pub(super) fn peers(&self, key: WatchKey) -> Vec<(WatchKey, &Watch)> {
        let Some(watch) = self.watches.get(&key) else { return Vec::new() };
        let Some(tenant) = self.tenants.get(&watch.token.tenant.name).filter(|tenant| tenant.members.len() > 1) else {
            return Vec::new();
        };
        let Some(group) = watch.status.restricting_group() else { return Vec::new() };
        let others = tenant.members.iter().filter(|other| **other != key);
        let others = others.filter_map(|other| Some((*other, self.watches.get(other)?)));
        others.filter(|(_, other)| other.status.restricting_group() == Some(group)).collect()
    }

    /// What was learnt about a security group is checked with its other tokens too, where they believe otherwise.
    pub(super) fn check_peers(&mut self, key: WatchKey, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let Some(learnt) = self.watches.get(&key).map(|watch| Arc::clone(&watch.status)) else { return };
        let peers: Vec<_> = self.peers(key).into_iter().map(|(other, _)| other).collect();
        for other in peers {
            let Some(watch) = self.watches.get_mut(&other) else { continue };
            if learnt.differs_in_group(&watch.status) {
                watch.check_at = Some(now);
            }
            self.review(other, now, effects);
        }
    }

    /// Whoever may come to speak for a security group, now that these alerts of another token of the tenant have ended, is
    /// checked before.
    pub(super) fn hand_over(&mut self, tenant: &str, ended: &[Firing], now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let of_groups: Vec<&Firing> = ended.iter().filter(|known| known.represents_group).collect();
        if of_groups.is_empty() {
            return;
        }
        let members = self.tenants.get(tenant).into_iter().flat_map(|tenant| &tenant.members).copied();
        for key in members.collect::<Vec<_>>() {
            let Some(watch) = self.watches.get_mut(&key) else { continue };
            let group = watch.status.restricting_group();
            let concerns = |ended: &&Firing| {
                ended.message.security_group.as_deref() == group
                    && watch.seen().is_affected(ended.alert, ended.subject.as_deref())
            };
            if of_groups.iter().any(concerns) {
                watch.check_at = Some(now);
                self.review(key, now, effects);
            }
        }
    }
}
