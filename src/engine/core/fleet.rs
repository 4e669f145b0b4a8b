//! The tokens and tenants that are watched, who belongs to whom, and which tokens were watched before. Pure.

mod groups;
mod leavers;
mod shown;
mod silence;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::alert::{Firing, Member, Tenancy, Waiting};
use crate::belief::TokenStatus;
use crate::catalog::PermissionId;
use crate::check::WatchKey;
use crate::config::Config;
use crate::model::{Token, TokenId};
use crate::plan::{Phase, audit_from, plan};
use crate::syncro::Fingerprint;

use super::watch::{Tenant, Timing, Watch};
use shown::Shown;

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
    shown: Shown,
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
        let key = self.new_key();
        let (phase, status) = (Phase::of(&token), Arc::new(TokenStatus::default()));
        let timing = Timing {
            plan: plan(&token, phase, &status, config, now),
            check_at: None,
            quick_check_at: None,
            catch_up: None,
            audit_from: audit_from(phase, None, config, sweep, now),
        };
        self.tenants.entry(token.tenant.name.clone()).or_default().members.push(key);
        let configured = Arc::clone(&token);
        let watch = Watch { token, configured, phase, status, asked: Arc::default(), timing, is_behind: false };
        self.watches.insert(key, watch);
        self.unchecked.insert(key);
        self.shown.begin_anew();
        key
    }

    /// A key that nothing has.
    pub(super) fn new_key(&mut self) -> WatchKey {
        let key = WatchKey(self.next_key);
        self.next_key += 1;
        key
    }

    /// Takes over another configuration: its tokens, in its order.
    pub(super) fn reconfigure(&mut self, config: &Config, sweep: Duration, now: DateTime<Utc>) -> Reconfigured {
        self.shown.begin_anew();
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
                remaining.push((key, watch.configured != *token));
                (watch.token, watch.configured) = (Arc::clone(token), Arc::clone(token));
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
        self.shown.touch(key);
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

    /// A tenant, to be changed; none if it has no token.
    pub(super) fn tenant_mut(&mut self, name: &str) -> Option<&mut Tenant> {
        self.shown.touch_tenant(name);
        self.tenants.get_mut(name)
    }

    /// What fires for a tenant, and what could and waits.
    pub(super) fn fires(&self, name: &str) -> (Arc<Vec<Firing>>, Waiting) {
        let tenant = self.tenants.get(name);
        tenant.map(|tenant| (Arc::clone(&tenant.firing), tenant.waiting.clone())).unwrap_or_default()
    }

    /// A tenant with its tokens, as alerts depend on them; `outdated` are those of which another one shows that what they
    /// believe of their group is no longer so, and `is_checking` says whether the permissions of a token are being asked.
    pub(super) fn tenancy(
        &self,
        name: &str,
        outdated: &HashSet<WatchKey>,
        is_checking: impl Fn(WatchKey) -> bool,
        now: DateTime<Utc>,
    ) -> Option<Tenancy<'_>> {
        let (name, tenant) = self.tenants.get_key_value(name)?;
        let groups = self.groups_of_users(tenant);
        let member = |key: &WatchKey| {
            let watch = self.get(*key)?;
            let is_requested = watch.timing.requested_at().is_some_and(|at| at <= now);
            let was_checked = watch.status.validity.last_attempt.is_some();
            let is_pending = is_requested || !was_checked || is_checking(*key) || watch.status.is_doubtful();
            let (token, status, is_outdated) = (&*watch.token, &*watch.status, outdated.contains(key));
            let of_others = || {
                let user = status.user.as_ref()?;
                groups.get(&user.id).filter(|(read_at, _)| Some(*read_at) >= user.doubted_at).map(|(_, group)| *group)
            };
            let group = status.current_group().or_else(of_others);
            Some((
                token.name.as_str(),
                Member { token, status, group, is_pending, is_behind: watch.is_behind, is_outdated },
            ))
        };
        Some(Tenancy {
            name,
            members: tenant.members.iter().filter_map(member).collect(),
            leavers: tenant.leavers.iter().map(|(name, _)| name.as_str()).collect(),
            ..Tenancy::default()
        })
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

    /// What fires for each tenant, to be changed.
    pub(super) fn tenants_firing(&mut self) -> impl Iterator<Item = (&String, &mut Arc<Vec<Firing>>)> {
        let shown = &mut self.shown;
        self.tenants.iter_mut().map(|(name, tenant)| {
            shown.touch_tenant(name);
            (name, &mut tenant.firing)
        })
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

    /// How many tokens have never been checked.
    pub(super) fn unchecked(&self) -> usize {
        self.unchecked.len()
    }

    /// Whether every token has been checked.
    pub(super) fn is_checked(&self) -> bool {
        self.unchecked.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::belief::{Policy, TenantContact, step};
    use crate::syncro::{MeObservation, Observation, Part, TokenObservation, Unreadable};
    use crate::testing::{at, config, confirmed, failure, observed, policy, token};

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
        let policy = Policy { confirmation: confirmed(1), ..policy(&token) };
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
