//! What the tokens of one user or one security group show of each other. Pure.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use crate::check::WatchKey;
use crate::engine::core::watch::{Tenant, Watch};

use super::Fleet;

impl Fleet {
    /// The security group of each user of a tenant, as it was read last with any token of the user, and when.
    pub(super) fn groups_of_users(&self, tenant: &Tenant) -> HashMap<u64, (DateTime<Utc>, &str)> {
        let mut groups = HashMap::new();
        for watch in tenant.members.iter().filter_map(|key| self.get(*key)) {
            let Some(user) = &watch.status.user else { continue };
            if let (Some(group), Some(read_at)) = (watch.status.current_group(), user.group_asked) {
                let newest = groups.entry(user.id).or_insert((read_at, group));
                *newest = (*newest).max((read_at, group));
            }
        }
        groups
    }

    /// Whether another token of the same security group shows that what is believed of the group, and nobody has been notified
    /// of, is no longer so.
    pub(in crate::engine::core) fn is_outdated(&self, key: WatchKey) -> bool {
        let Some(watch) = self.get(key).filter(|watch| watch.status.lacks_anything()) else { return false };
        let Some(tenant) = self.tenants.get(&watch.token.tenant.name) else { return false };
        self.peers(key).iter().any(|(_, peer)| watch.is_outdated_by(peer, &tenant.firing))
    }

    /// The tokens of a tenant of which another one shows that.
    pub(in crate::engine::core) fn outdated(&self, name: &str) -> HashSet<WatchKey> {
        self.members(name).iter().copied().filter(|key| self.is_outdated(*key)).collect()
    }

    /// The other tokens of the tenant whose users are in the same security group.
    pub(in crate::engine::core) fn peers(&self, key: WatchKey) -> Vec<(WatchKey, &Watch)> {
        let Some(watch) = self.get(key) else { return Vec::new() };
        let Some(group) = watch.status.restricting_group() else { return Vec::new() };
        let others = self.members(&watch.token.tenant.name).iter().filter(|other| **other != key);
        let others = others.filter_map(|other| Some((*other, self.get(*other)?)));
        others.filter(|(_, other)| other.status.restricting_group() == Some(group)).collect()
    }
}
