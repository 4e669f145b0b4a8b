//! What snapshots show of the fleet. It is kept from one to the next, and only what was touched meanwhile is read again. Pure.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use crate::check::WatchKey;
use crate::engine::core::watch::{Tenant, Watch};
use crate::state::{Pieces, TenantSnapshot, TokenSnapshot};

use super::Fleet;

/// Every token and tenant as the last snapshot had them, and what may have changed since.
#[derive(Debug, Default)]
pub(super) struct Shown {
    tokens: Pieces<TokenSnapshot>,
    tenants: Pieces<TenantSnapshot>,
    /// The keys of the tokens, in their order.
    keys: Vec<WatchKey>,
    /// The names of the tokens that alerts list, by tenant.
    affected: HashMap<String, HashSet<String>>,
    touched: BTreeSet<WatchKey>,
    touched_tenants: BTreeSet<String>,
    /// Whether other tokens or tenants are watched since.
    is_of_others: bool,
}

impl Shown {
    /// A token may change.
    pub(super) fn touch(&mut self, key: WatchKey) {
        self.touched.insert(key);
    }

    /// What fires for a tenant may change.
    pub(super) fn touch_tenant(&mut self, name: &str) {
        if !self.touched_tenants.contains(name) {
            self.touched_tenants.insert(name.to_owned());
        }
    }

    /// Other tokens are watched from now on.
    pub(super) fn begin_anew(&mut self) {
        self.is_of_others = true;
    }
}

impl Fleet {
    /// Every token and tenant, as the snapshot has them.
    pub(in crate::engine::core) fn snapshot(&mut self) -> (Pieces<TokenSnapshot>, Pieces<TenantSnapshot>) {
        let mut shown = std::mem::take(&mut self.shown);
        if shown.is_of_others {
            shown = self.whole();
        }
        for name in std::mem::take(&mut shown.touched_tenants) {
            let Some(tenant) = self.tenants.get(&name) else { continue };
            let found = shown.tenants.find_by_name(&name, |tenant| &tenant.name);
            if let Some((index, _)) = found.filter(|(_, before)| !Arc::ptr_eq(&before.firing, &tenant.firing)) {
                shown.tenants.replace(index, show_tenant(&name, tenant));
                shown.affected.insert(name, affected(tenant));
                shown.touched.extend(&tenant.members);
            }
        }
        for key in std::mem::take(&mut shown.touched) {
            let (Ok(index), Some(watch)) = (shown.keys.binary_search(&key), self.get(key)) else { continue };
            let now = show(watch, &shown.affected);
            if !is_same(&shown.tokens[index], &now) {
                shown.tokens.replace(index, now);
            }
        }
        self.shown = shown;
        #[cfg(test)]
        assert!(self.is_shown_as_it_is(), "a change is not in the snapshot");
        (self.shown.tokens.clone(), self.shown.tenants.clone())
    }

    fn whole(&self) -> Shown {
        let with_alerts = self.tenants.iter().filter(|(_, tenant)| !tenant.firing.is_empty());
        let affected = with_alerts.map(|(name, tenant)| (name.clone(), affected(tenant))).collect();
        Shown {
            tokens: self.watches.values().map(|watch| show(watch, &affected)).collect(),
            tenants: self.tenants.iter().map(|(name, tenant)| show_tenant(name, tenant)).collect(),
            keys: self.keys(),
            affected,
            ..Shown::default()
        }
    }

    /// Whether what is kept is what would be read now.
    #[cfg(test)]
    fn is_shown_as_it_is(&self) -> bool {
        let (whole, Shown { tokens, tenants, .. }) = (self.whole(), &self.shown);
        let is_same_tenant = |(one, other): (&TenantSnapshot, &TenantSnapshot)| {
            one.name == other.name && Arc::ptr_eq(&one.firing, &other.firing)
        };
        (whole.tokens.len(), whole.tenants.len()) == (tokens.len(), tenants.len())
            && whole.tokens.iter().zip(tokens.iter()).all(|(one, other)| is_same(one, other))
            && whole.tenants.iter().zip(tenants.iter()).all(is_same_tenant)
    }
}

fn affected(tenant: &Tenant) -> HashSet<String> {
    tenant.firing.iter().flat_map(|firing| &firing.affected).map(|affected| affected.token_name.clone()).collect()
}

fn show(watch: &Watch, affected: &HashMap<String, HashSet<String>>) -> TokenSnapshot {
    let token = &watch.token;
    TokenSnapshot {
        token: Arc::clone(token),
        status: Arc::clone(&watch.status),
        is_affected: affected.get(&token.tenant.name).is_some_and(|names| names.contains(&token.name)),
        asked: Arc::clone(&watch.asked),
    }
}

fn show_tenant(name: &str, tenant: &Tenant) -> TenantSnapshot {
    TenantSnapshot { name: name.to_owned(), firing: Arc::clone(&tenant.firing) }
}

/// Whether two are the same, without a look at what they share.
fn is_same(one: &TokenSnapshot, other: &TokenSnapshot) -> bool {
    one.is_affected == other.is_affected
        && Arc::ptr_eq(&one.token, &other.token)
        && Arc::ptr_eq(&one.status, &other.status)
        && Arc::ptr_eq(&one.asked, &other.asked)
}
