//! Tokens that left the configuration while others came: one of these may be the same under another name, and then takes its
//! alerts along. Pure.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::TokenId;

use super::Fleet;

/// For so long at most the first check of those that came is waited for.
const LONGEST: TimeDelta = TimeDelta::minutes(10);

impl Fleet {
    /// A token left the configuration: its alerts stay for a while, should it have come back under another name.
    pub(in crate::engine::core) fn leave(&mut self, token: &TokenId, now: DateTime<Utc>) {
        if let Some(tenant) = self.tenants.get_mut(&token.tenant) {
            tenant.leavers.push((token.token_name.clone(), now + LONGEST));
        }
    }

    /// A token of a tenant has another name from now on.
    pub(in crate::engine::core) fn rename(&mut self, from: &TokenId, to: &TokenId) -> bool {
        let Some(tenant) = self.tenants.get_mut(&to.tenant).filter(|_| from.tenant == to.tenant) else { return false };
        tenant.leavers.retain(|(name, _)| *name != from.token_name);
        let is_concerned = tenant.firing.iter().any(|firing| firing.concerns(&from.token_name));
        if is_concerned {
            let firing = Arc::make_mut(&mut tenant.firing);
            for alert in firing {
                alert.rename(&from.token_name, &to.token_name);
            }
        }
        is_concerned
    }

    /// Lets go of tokens that did not come back: every other one has been checked, or it took too long. Returns until when
    /// the others are waited for.
    pub(in crate::engine::core) fn release_leavers(&mut self, name: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let unchecked = &self.unchecked;
        let tenant = self.tenants.get_mut(name)?;
        let is_checked = !tenant.members.iter().any(|member| unchecked.contains(member));
        tenant.leavers.retain(|(_, until)| !is_checked && *until > now);
        tenant.leavers.iter().map(|(_, until)| *until).min()
    }
}
