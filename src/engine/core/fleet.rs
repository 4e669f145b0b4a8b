//! The tokens and tenants that are watched, who belongs to whom, and which tokens were watched before. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::alert::Firing;
use crate::belief::{TenantContact, TenantObservation, TokenStatus};
use crate::catalog::PermissionId;
use crate::check::WatchKey;
use crate::config::Config;
use crate::model::{Token, TokenId};
use crate::plan::{Phase, audit_from, plan};
use crate::state::{TenantSnapshot, TokenSnapshot};
use crate::syncro::{Fingerprint, Reason};

use super::watch::{Tenant, Timing, Watch};

/// Everything that is watched.
#[derive(Debug, Default)]
pub(super) struct Fleet {
    watches: BTreeMap<WatchKey, Watch>,
    tenants: BTreeMap<String, Tenant>,
    /// What fires for all tenants together.
    firing: Arc<Vec<Firing>>,
    /// Tokens that left the configuration, by their value.
    retired: HashMap<Fingerprint, (TokenId, Arc<TokenStatus>)>,
    /// Tokens that have never been checked.
    unchecked: HashSet<WatchKey>,
    next_key: u64,
}

/// What another configuration changed.
#[derive(Debug)]
pub(super) struct Reconfigured {
    /// Tokens that are watched on; whether anything about each changed.
    pub(super) remaining: Vec<(WatchKey, bool)>,
    /// Tokens that are watched from now on.
    pub(super) added: Vec<WatchKey>,
    /// Tokens that are watched no longer.
    pub(super) removed: Vec<(WatchKey, Watch)>,
    /// Tenants that have no token any more, with what fires for them.
    pub(super) removed_tenants: Vec<(String, Arc<Vec<Firing>>)>,
}

impl Fleet {
    /// Watches one more token, of which nothing is believed yet.
    pub(super) fn add(&mut self, token: Arc<Token>, config: &Config, sweep: Duration, now: DateTime<Utc>) -> WatchKey {
        let key = WatchKey(self.next_key);
        self.next_key += 1;
        let (phase, status) = (Phase::of(&token), Arc::new(TokenStatus::default()));
        let timing = Timing {
            plan: plan(&token, phase, &status, config, now),
            check_at: None,
            quick_check_at: None,
            catch_up: None,
            audit_from: audit_from(phase, None, config, sweep, now),
        };
        self.tenants.entry(token.tenant.name.clone()).or_default().members.push(key);
        let watch = Watch { token, phase, status, firing: Arc::default(), asked: Arc::default(), timing };
        self.watches.insert(key, watch);
        self.unchecked.insert(key);
        key
    }

    /// Takes over another configuration: its tokens, in its order.
    pub(super) fn reconfigure(&mut self, config: &Config, sweep: Duration, now: DateTime<Utc>) -> Reconfigured {
        let mut former: BTreeMap<TokenId, WatchKey> =
            self.watches.iter().map(|(key, watch)| (watch.token.id(), *key)).collect();
        let mut former_tenants = std::mem::take(&mut self.tenants);
        let (mut remaining, mut added) = (Vec::new(), Vec::new());
        for token in &config.tokens {
            let name = &token.tenant.name;
            if let Some(tenant) = former_tenants.remove(name) {
                self.tenants.insert(name.clone(), Tenant { members: Vec::new(), ..tenant });
            }
            let Some(key) = former.remove(&token.id()) else {
                added.push(self.add(Arc::clone(token), config, sweep, now));
                continue;
            };
            self.tenants.entry(name.clone()).or_default().members.push(key);
            if let Some(watch) = self.watches.get_mut(&key) {
                remaining.push((key, watch.token != *token));
                watch.token = Arc::clone(token);
            }
        }
        let removed = former.into_values().filter_map(|key| Some((key, self.watches.remove(&key)?)));
        let removed: Vec<_> = removed.collect();
        for (key, _) in &removed {
            self.unchecked.remove(key);
        }
        let removed_tenants = former_tenants.into_iter().map(|(name, tenant)| (name, tenant.firing)).collect();
        Reconfigured { remaining, added, removed, removed_tenants }
    }

    /// One token.
    pub(super) fn get(&self, key: WatchKey) -> Option<&Watch> {
        self.watches.get(&key)
    }

    /// One token, to be changed.
    pub(super) fn get_mut(&mut self, key: WatchKey) -> Option<&mut Watch> {
        self.watches.get_mut(&key)
    }

    /// Every token, in the order in which they came.
    pub(super) fn watches(&self) -> impl Iterator<Item = &Watch> {
        self.watches.values()
    }

    /// The keys of every token.
    pub(super) fn keys(&self) -> Vec<WatchKey> {
        self.watches.keys().copied().collect()
    }

    /// Every other token, beginning with the one after `key`.
    pub(super) fn others(&self, key: WatchKey) -> impl Iterator<Item = (WatchKey, &Watch)> {
        let others = self.watches.range(key..).chain(self.watches.range(..key));
        others.filter(move |(other, _)| **other != key).map(|(other, watch)| (*other, watch))
    }

    /// The token of this name.
    pub(super) fn find(&self, token: &TokenId) -> Option<WatchKey> {
        let is_named = |key: &WatchKey| self.get(*key).is_some_and(|watch| watch.token.name == token.token_name);
        self.members(&token.tenant).iter().copied().find(is_named)
    }

    /// How many tenants there are.
    pub(super) fn tenant_count(&self) -> usize {
        self.tenants.len()
    }

    /// The names of the tenants.
    pub(super) fn tenant_names(&self) -> impl Iterator<Item = &String> {
        self.tenants.keys()
    }

    /// What fires for a tenant as a whole, to be changed; none if it has no token.
    pub(super) fn tenant_firing(&mut self, name: &str) -> Option<&mut Arc<Vec<Firing>>> {
        Some(&mut self.tenants.get_mut(name)?.firing)
    }

    /// When a check that reads the list of a tenant's users was last started.
    pub(super) fn users_asked(&self, name: &str) -> Option<DateTime<Utc>> {
        self.tenants.get(name)?.users_asked
    }

    /// A user of the tenant of a token who is not the token's own, if the list of users has named one.
    pub(super) fn another_user(&self, key: WatchKey) -> Option<u64> {
        let watch = self.get(key)?;
        let own = watch.status.user.as_ref().map(|user| user.id);
        let users = &self.tenants.get(&watch.token.tenant.name)?.two_users;
        users.iter().copied().find(|user| Some(*user) != own)
    }

    /// Keeps two of the users of a tenant, so that what is asked of another user can be.
    pub(super) fn keep_two_users(&mut self, name: &str, listed: &BTreeSet<u64>) {
        if let Some(tenant) = self.tenants.get_mut(name) {
            tenant.two_users = listed.iter().copied().take(2).collect();
        }
    }

    /// Sets when a check that reads the list of a tenant's users was last started; `None` if it came to nothing.
    pub(super) fn set_users_asked(&mut self, name: &str, at: Option<DateTime<Utc>>) {
        if let Some(tenant) = self.tenants.get_mut(name) {
            tenant.users_asked = at;
        }
    }

    /// The clock was set back to `now`: nothing was asked after it.
    pub(super) fn set_back(&mut self, now: DateTime<Utc>) {
        for asked in self.tenants.values_mut().filter_map(|tenant| tenant.users_asked.as_mut()) {
            *asked = now.min(*asked);
        }
    }

    /// What fires for each tenant as a whole, to be changed.
    pub(super) fn tenants_firing(&mut self) -> impl Iterator<Item = (&String, &mut Arc<Vec<Firing>>)> {
        self.tenants.iter_mut().map(|(name, tenant)| (name, &mut tenant.firing))
    }

    /// What fires for all tenants together.
    pub(super) fn firing(&self) -> &Arc<Vec<Firing>> {
        &self.firing
    }

    /// What fires for all tenants together, to be changed.
    pub(super) fn firing_mut(&mut self) -> &mut Arc<Vec<Firing>> {
        &mut self.firing
    }

    /// The tokens of a tenant.
    pub(super) fn members(&self, name: &str) -> &[WatchKey] {
        self.tenants.get(name).map(|tenant| tenant.members.as_slice()).unwrap_or_default()
    }

    fn statuses<'a>(&'a self, tenant: &'a Tenant) -> impl Iterator<Item = &'a TokenStatus> + Clone {
        tenant.members.iter().filter_map(|key| self.watches.get(key)).map(|watch| &*watch.status)
    }

    fn observe(&self, tenant: &Tenant) -> Option<TenantObservation> {
        TenantObservation::of(self.statuses(tenant))
    }

    /// The other tokens of the tenant whose users are in the same security group.
    pub(super) fn peers(&self, key: WatchKey) -> Vec<(WatchKey, &Watch)> {
        let Some(watch) = self.get(key) else { return Vec::new() };
        let Some(group) = watch.status.restricting_group() else { return Vec::new() };
        let others = self.members(&watch.token.tenant.name).iter().filter(|other| **other != key);
        let others = others.filter_map(|other| Some((*other, self.get(*other)?)));
        others.filter(|(_, other)| other.status.restricting_group() == Some(group)).collect()
    }

    /// The statuses of the other tokens of the tenant for which `shares` holds, given this one's and theirs.
    pub(super) fn sharing_side(
        &self,
        key: WatchKey,
        shares: fn(&TokenStatus, &TokenStatus) -> bool,
    ) -> Vec<(WatchKey, Arc<TokenStatus>)> {
        let Some(watch) = self.get(key) else { return Vec::new() };
        let others = self.members(&watch.token.tenant.name).iter().filter(|other| **other != key);
        let others = others.filter_map(|other| Some((*other, Arc::clone(&self.get(*other)?.status))));
        others.filter(|(_, other)| shares(&watch.status, other)).collect()
    }

    /// The permissions that the tenant of a token is known to check before it searches for a record.
    pub(super) fn checked_first(&self, key: WatchKey) -> BTreeSet<PermissionId> {
        let Some(tenant) = self.get(key).map(|watch| &watch.token.tenant) else { return BTreeSet::new() };
        let shown = self.tenants.get(&tenant.name).map(|tenant| tenant.checked_first.iter().copied());
        shown.into_iter().flatten().chain(tenant.calibrated.checked_first()).collect()
    }

    /// Takes in what the status of a token shows of how its tenant answers.
    pub(super) fn note_checked_first(&mut self, key: WatchKey) {
        let Some(watch) = self.watches.get(&key) else { return };
        if let Some(tenant) = self.tenants.get_mut(&watch.token.tenant.name) {
            tenant.checked_first.extend(watch.status.checked_first());
        }
    }

    /// What is seen of a tenant; none if no token of it worked.
    pub(super) fn observation(&self, name: &str) -> Option<TenantObservation> {
        self.observe(self.tenants.get(name)?)
    }

    /// What is seen of every tenant of which a token worked.
    pub(super) fn observations(&self) -> Vec<TenantObservation> {
        self.tenants.values().filter_map(|tenant| self.observe(tenant)).collect()
    }

    /// Tenants of which a token that worked is refused in a way that is not believed yet.
    pub(super) fn turned(&self) -> BTreeSet<String> {
        let turned = |tenant: &Tenant| self.observe(tenant).is_some_and(|observation| observation.turned.is_some());
        self.tenants.iter().filter(|(_, tenant)| turned(tenant)).map(|(name, _)| name.clone()).collect()
    }

    /// Which tenants answer; `is_silent` says which of them may have fallen silent.
    pub(super) fn contacts(&self, is_silent: &dyn Fn(&str) -> bool) -> Vec<TenantContact> {
        let contact = |(name, tenant): (&String, &Tenant)| TenantContact {
            silent: is_silent(name).then(|| self.silence(name)).flatten().map(|(since, _)| since),
            answered: self.statuses(tenant).filter_map(TokenStatus::answered).max(),
        };
        self.tenants.iter().map(contact).collect()
    }

    /// Since when nothing could be learnt about any token of a tenant, and why not the last time.
    pub(super) fn silence(&self, name: &str) -> Option<(DateTime<Utc>, &'static str)> {
        // Without a usable value, or in trouble of our own, no request reaches the tenant.
        let checked = self.statuses(self.tenants.get(name)?).filter(|status| {
            let is_own = status.validity.reason.is_some_and(Reason::is_own);
            status.validity.last_attempt.is_some() && status.unreadable.is_none() && !is_own
        });
        silent(&checked)
    }

    /// When any token of a tenant was last checked.
    pub(super) fn last_check(&self, name: &str) -> Option<DateTime<Utc>> {
        self.statuses(self.tenants.get(name)?).filter_map(|status| status.validity.last_attempt).max()
    }

    /// Whether every check of a tenant's tokens failed for a reason of our own, which says nothing about the tenant.
    pub(super) fn is_own_trouble(&self, name: &str) -> bool {
        let reasons = self.tenants.get(name).into_iter().flat_map(|tenant| self.statuses(tenant));
        let reasons: Vec<_> = reasons.map(|status| status.validity.reason).collect();
        !reasons.is_empty() && reasons.iter().all(|reason| reason.is_some_and(Reason::is_own))
    }

    /// A token that is not watched any more is recognised by its value, should it come back.
    pub(super) fn retire(&mut self, token: TokenId, status: Arc<TokenStatus>) {
        if let Some(fingerprint) = status.fingerprint.clone() {
            self.retired.insert(fingerprint, (token, status));
        }
    }

    /// The token that had this value and is not watched any more.
    pub(super) fn recognise(&mut self, fingerprint: &Fingerprint) -> Option<(TokenId, Arc<TokenStatus>)> {
        self.retired.remove(fingerprint)
    }

    /// A token has been checked, now or before the program started.
    pub(super) fn mark_checked(&mut self, key: WatchKey) {
        self.unchecked.remove(&key);
    }

    /// Whether every token has been checked.
    pub(super) fn is_checked(&self) -> bool {
        self.unchecked.is_empty()
    }

    /// Every token and tenant, as the snapshot has them.
    pub(super) fn snapshot(&self) -> (Vec<TokenSnapshot>, Vec<TenantSnapshot>) {
        let token = |watch: &Watch| TokenSnapshot {
            token: Arc::clone(&watch.token),
            status: Arc::clone(&watch.status),
            firing: Arc::clone(&watch.firing),
            asked: Arc::clone(&watch.asked),
        };
        let tenant = |(name, tenant): (&String, &Tenant)| TenantSnapshot {
            name: name.clone(),
            firing: Arc::clone(&tenant.firing),
        };
        (self.watches.values().map(token).collect(), self.tenants.iter().map(tenant).collect())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::belief::{Policy, step};
    use crate::model::Probes;
    use crate::syncro::{MeObservation, Observation, Part, TokenObservation, Unreadable};
    use crate::testing::{at, config, confirmed, failure, observed, token};

    fn names(fleet: &Fleet) -> Vec<String> {
        fleet.watches().map(|watch| watch.token.name.clone()).collect()
    }

    fn fleet(names: &[&str]) -> Fleet {
        let config = config(names.iter().map(|name| token(name, &[])).collect());
        let mut fleet = Fleet::default();
        for token in &config.tokens {
            fleet.add(Arc::clone(token), &config, Duration::ZERO, at(0));
        }
        fleet
    }

    #[test]
    fn another_configuration_says_which_tokens_remain_are_added_and_are_removed() {
        let mut fleet = fleet(&["a", "b"]);
        let key = fleet.find(&TokenId { tenant: "acme".to_owned(), token_name: "b".to_owned() }).unwrap();
        let mut other = config(vec![token("c", &[]), token("b", &["Tickets - Edit"])]);
        let change = fleet.reconfigure(&other, Duration::ZERO, at(1));
        assert_eq!(change.remaining, [(key, true)], "what it needs has changed");
        assert_eq!((change.added.len(), change.removed.len(), change.removed_tenants.len()), (1, 1, 0));
        assert_eq!(names(&fleet), ["b", "c"]);
        assert_eq!(fleet.members("acme"), [change.added[0], key], "in the order of the configuration");
        other.tokens.clear();
        let change = fleet.reconfigure(&other, Duration::ZERO, at(2));
        assert_eq!((change.removed.len(), change.removed_tenants.len(), fleet.tenant_count()), (2, 1, 0));
        assert!(fleet.is_checked(), "nothing is left that could be checked");
    }

    /// Takes in what was observed of a token.
    fn observe(fleet: &mut Fleet, key: u64, observation: &Observation) {
        let watch = fleet.get_mut(WatchKey(key)).unwrap();
        let token = Arc::clone(&watch.token);
        let policy = Policy {
            user_names: true,
            token: &token,
            confirmation: confirmed(1),
            probes: Probes::ReadOnly,
            news_for: Duration::from_hours(24),
            frozen: false,
        };
        let _ = step(Arc::make_mut(&mut watch.status), observation, policy);
    }

    #[test]
    fn that_there_is_no_value_to_be_sent_is_no_answer_of_the_tenant() {
        let unreadable = |seconds| {
            let part = Part::Token(TokenObservation::Unreadable(Unreadable::Missing("a".to_owned())));
            Observation { at: at(seconds), part, asked: Vec::new() }
        };
        let silent = |seconds| observed(seconds, MeObservation::Failed(failure()));
        let mut fleet = fleet(&["a", "b"]);
        observe(&mut fleet, 0, &unreadable(5));
        assert_eq!(fleet.contacts(&|_| true), [TenantContact { silent: None, answered: None }]);
        observe(&mut fleet, 1, &silent(10));
        observe(&mut fleet, 0, &unreadable(305));
        observe(&mut fleet, 0, &silent(605));
        assert_eq!(fleet.silence("acme").map(|(since, _)| since), Some(at(10)));
        assert_eq!(fleet.contacts(&|_| true), [TenantContact { silent: Some(at(10)), answered: None }]);
    }

    #[test]
    fn the_others_begin_with_the_one_that_came_next() {
        let fleet = fleet(&["a", "b", "c"]);
        let others = |key| fleet.others(WatchKey(key)).map(|(other, _)| other.0).collect::<Vec<_>>();
        assert_eq!((others(0), others(1), others(2)), (vec![1, 2], vec![2, 0], vec![0, 1]));
    }
}
