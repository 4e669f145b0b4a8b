//! What is seen of whole tenants: whether they answer, and whether their tokens turned bad. Pure.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::belief::{TenantContact, TenantObservation, TokenStatus};
use crate::syncro::Reason;

use super::super::watch::Tenant;
use super::Fleet;

impl Fleet {
    fn statuses<'a>(&'a self, tenant: &'a Tenant) -> impl Iterator<Item = &'a TokenStatus> + Clone {
        tenant.members.iter().filter_map(|key| self.watches.get(key)).map(|watch| &*watch.status)
    }

    fn observe(&self, tenant: &Tenant) -> Option<TenantObservation> {
        TenantObservation::of(self.statuses(tenant))
    }

    /// What is seen of a tenant; none if no token of it worked.
    pub(in crate::engine::core) fn observation(&self, name: &str) -> Option<TenantObservation> {
        self.observe(self.tenants.get(name)?)
    }

    /// What is seen of every tenant of which a token worked.
    pub(in crate::engine::core) fn observations(&self) -> Vec<TenantObservation> {
        self.tenants.values().filter_map(|tenant| self.observe(tenant)).collect()
    }

    /// Tenants of which a token that worked is refused in a way that is not believed yet.
    pub(in crate::engine::core) fn turned(&self) -> BTreeSet<String> {
        let turned = |tenant: &Tenant| self.observe(tenant).is_some_and(|observation| observation.turned.is_some());
        self.tenants.iter().filter(|(_, tenant)| turned(tenant)).map(|(name, _)| name.clone()).collect()
    }

    /// Which tenants answer; `is_silent` says which of them may have fallen silent.
    pub(in crate::engine::core) fn contacts(&self, is_silent: &dyn Fn(&str) -> bool) -> Vec<TenantContact> {
        let contact = |(name, tenant): (&String, &Tenant)| TenantContact {
            silent: is_silent(name).then(|| self.silence(name)).flatten().map(|(since, _)| since),
            answered: self.statuses(tenant).filter_map(TokenStatus::answered).max(),
        };
        self.tenants.iter().map(contact).collect()
    }

    /// Since when nothing could be learnt about any token of a tenant, and why not the last time.
    pub(in crate::engine::core) fn silence(&self, name: &str) -> Option<(DateTime<Utc>, &'static str)> {
        // Without a usable value, or in trouble of our own, no request reaches the tenant.
        let checked = self.statuses(self.tenants.get(name)?).filter(|status| {
            let is_own = status.validity.reason.is_some_and(Reason::is_own);
            status.validity.last_attempt.is_some() && status.unreadable.is_none() && !is_own
        });
        silent(&checked)
    }

    /// When any token of a tenant was last checked.
    pub(in crate::engine::core) fn last_check(&self, name: &str) -> Option<DateTime<Utc>> {
        self.statuses(self.tenants.get(name)?).filter_map(|status| status.validity.last_attempt).max()
    }

    /// Whether every check of a tenant's tokens failed for a reason of our own, which says nothing about the tenant.
    pub(in crate::engine::core) fn is_own_trouble(&self, name: &str) -> bool {
        let reasons = self.tenants.get(name).into_iter().flat_map(|tenant| self.statuses(tenant));
        let reasons: Vec<_> = reasons.map(|status| status.validity.reason).collect();
        !reasons.is_empty() && reasons.iter().all(|reason| reason.is_some_and(Reason::is_own))
    }
}

/// Since when nothing could be learnt about any of these tokens, and why not the last time: since the first failure after
/// the last verdict about any of them. A token that failed before that verdict already says nothing of when.
fn silent<'a>(checked: &(impl Iterator<Item = &'a TokenStatus> + Clone)) -> Option<(DateTime<Utc>, &'static str)> {
    let answered = checked.clone().filter_map(TokenStatus::answered).max();
    let failing = checked.clone().map(|status| &status.validity).filter(|attempts| attempts.silent_since > answered);
    let since = failing.clone().filter_map(|attempts| attempts.silent_since).min()?;
    let last = failing.max_by_key(|attempts| attempts.last_attempt)?;
    Some((since, last.reason.map_or("unknown", |reason| reason.as_str())))
}
