//! How the core finds out that many turned bad alike, what it holds meanwhile, and how it goes on afterwards. Pure.
//!
//! Checks are spread over minutes, confirmations come after seconds: when a token that worked is refused, a few tokens of
//! other tenants are looked at too, so that an outage is known before the first of its victims is told of.

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::{Alert, Rules, fleet_alerts};
use crate::belief::{
    FEWEST, LONGEST_OUTAGE, Outage, SAMPLE, TenantContact, TenantObservation, TokenState, turned_bad, unreachable,
};
use crate::model::Scope;

use super::firing::{notified, shared};
use super::{Core, Tenant, Watch};
use crate::check::WatchKey;
use crate::engine::effect::Effect;

impl Core {
    /// What a look at a token says of its tenant; when that turned bad just now, others are looked at.
    pub(super) fn note_tenant(&mut self, key: WatchKey, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let Some(name) = self.watches.get(&key).map(|watch| watch.token.tenant.name.clone()) else { return };
        let turned =
            self.tenants.get(&name).and_then(|tenant| self.sight(tenant)).is_some_and(|sight| sight.turned.is_some());
        let silence = self.silence(&name).map(|(since, _)| since);
        let fell_silent = silence.is_some() && !self.silent.contains(&name);
        if let Some(since) = silence.filter(|_| fell_silent) {
            self.check_members(&name, since, now, effects);
        }
        if !turned {
            self.turned.remove(&name);
        }
        if (turned && self.turned.insert(name) || fell_silent) && self.outage.is_none() {
            self.check_others(key, FEWEST, now, now, effects);
        }
        let certain = self.outage.is_some_and(|outage| outage.is_certain());
        if !certain && (self.turned.len() > FEWEST / 2 || self.silent.len() > FEWEST / 2) {
            self.judge_outage(now, effects);
            if let Some(
                Outage::TurnedBad { since, of, certain: false, .. }
                | Outage::Unreachable { since, of, certain: false, .. },
            ) = self.outage
            {
                self.check_others(key, SAMPLE.saturating_sub(of), since, now, effects);
            } else if self.outage.is_none() && fell_silent {
                self.check_others(key, SAMPLE, now, now, effects);
            }
        }
    }

    /// Tenants that turned bad before the program ended.
    pub(super) fn recall_tenants(&mut self) {
        let turned = |tenant: &Tenant| self.sight(tenant).is_some_and(|sight| sight.turned.is_some());
        self.turned = self.tenants.iter().filter(|(_, tenant)| turned(tenant)).map(|(name, _)| name.clone()).collect();
    }

    fn sight(&self, tenant: &Tenant) -> Option<TenantObservation> {
        TenantObservation::of(tenant.members.iter().filter_map(|key| self.watches.get(key)).map(|watch| &*watch.status))
    }

    /// Checks at once a few tokens of a tenant that have not been checked since one of them failed: whether it is the
    /// tenant of which nothing can be learnt, or that token.
    fn check_members(&mut self, name: &str, since: DateTime<Utc>, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let members = self.tenants.get(name).into_iter().flat_map(|tenant| &tenant.members).copied();
        let is_unasked = |key: &WatchKey| {
            let watch = self.watches.get(key);
            let unasked = watch.is_some_and(|watch| watch.status.validity.last_attempt < Some(since));
            unasked && !self.asked_token.contains(key)
        };
        for key in members.filter(is_unasked).take(FEWEST).collect::<Vec<_>>() {
            if let Some(watch) = self.watches.get_mut(&key) {
                watch.quick_check_at = Some(now);
            }
            self.review(key, now, effects);
        }
    }

    /// Checks at once a token that works of each of a few tenants that come next, have not turned and have not been
    /// checked since then. Whoever was checked in vain is not asked again: its own next attempt will do.
    fn check_others(
        &mut self,
        key: WatchKey,
        most: usize,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
        effects: &mut Vec<Effect>,
    ) {
        if self.tenants.len() < FEWEST || most == 0 {
            return;
        }
        let mut peeks: Vec<(&str, WatchKey)> = Vec::with_capacity(most);
        let others = self.watches.range(key..).chain(self.watches.range(..key));
        for (other, watch) in others {
            let tenant = watch.token.tenant.name.as_str();
            let is_new = !self.turned.contains(tenant) && peeks.iter().all(|(known, _)| *known != tenant);
            if is_new && works(watch) && watch.status.validity.last_attempt < Some(since) {
                // Whose answer is under way will be heard of without being asked.
                peeks.push((tenant, *other));
            }
            if peeks.len() == most {
                break;
            }
        }
        for other in peeks.into_iter().map(|(_, other)| other).collect::<Vec<_>>() {
            if let Some(watch) = self.watches.get_mut(&other).filter(|_| !self.asked_token.contains(&other)) {
                watch.quick_check_at = Some(now);
                self.review(other, now, effects);
            }
        }
    }

    /// Judges whether there is an outage now, tells of it, and goes on with everybody when it has passed.
    pub(super) fn judge_outage(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let patience = chrono::TimeDelta::from_std(self.config.alerts.unreachable_after).unwrap_or(TimeDelta::MAX);
        let outage = if self.turned.len() > FEWEST / 2 && self.overruled_until.is_none_or(|until| until <= now) {
            let tenants_seen: Vec<_> = self.tenants.values().filter_map(|tenant| self.sight(tenant)).collect();
            turned_bad(&tenants_seen, self.tenants.len(), now)
        } else {
            None
        };
        let outage = outage.or_else(|| {
            let contacts = if self.silent.len() > FEWEST / 2 { self.contacts() } else { Vec::new() };
            let fires = self.fleet_firing.iter().any(|known| known.alert == Alert::SyncroOutage);
            unreachable(&contacts, patience, fires, now)
        });
        // While we see nothing for our own sake, nothing shows that an outage is over.
        let goes_on = |known: &Outage| matches!(known, Outage::Unreachable { .. }) && self.monitor.is_blind(now);
        let outage = outage.or_else(|| self.outage.filter(goes_on));
        let before = std::mem::replace(&mut self.outage, outage);
        match (before, outage) {
            (Some(Outage::TurnedBad { since, .. }), None) if now - since >= LONGEST_OUTAGE => {
                self.overruled_until = Some(now + LONGEST_OUTAGE);
            }
            (Some(Outage::Unreachable { .. }), None) => self.reachable_since = Some(now),
            _ => {}
        }
        if before.is_none() && outage.is_none() && self.fleet_firing.is_empty() {
            return;
        }
        let mut firing = self.fleet_firing.to_vec();
        let rules = Rules::new(&self.config.alerts, now);
        let notifications = fleet_alerts(rules, outage.as_ref(), before.as_ref(), &mut firing);
        effects.extend(shared(|| Scope::Fleet, &mut self.fleet_firing, firing));
        effects.extend(notified(notifications));
        if before.is_some_and(|before| before.freezes()) && !self.is_frozen() {
            for key in self.watches.keys().copied().collect::<Vec<_>>() {
                self.review(key, now, effects);
            }
        }
    }

    fn contacts(&self) -> Vec<TenantContact> {
        let answered = |tenant: &Tenant| {
            let members = tenant.members.iter().filter_map(|key| self.watches.get(key));
            members.filter_map(|watch| watch.status.validity.last_success).max()
        };
        let contact = |(name, tenant): (&String, &Tenant)| TenantContact {
            silent: self.silent.contains(name).then(|| self.silence(name)).flatten().map(|(since, _)| since),
            answered: answered(tenant),
        };
        self.tenants.iter().map(contact).collect()
    }

    /// Whether what is seen of tokens now is not to be believed.
    pub(super) fn is_frozen(&self) -> bool {
        self.outage.is_some_and(|outage| outage.freezes())
    }

    /// Whether it is not told of this tenant alone that nothing can be learnt about it: it is so with most, perhaps not for
    /// long, or was when it was last looked at.
    pub(super) fn is_one_of_many(&self, name: &str) -> bool {
        let looked_at = |since| {
            let members = self.tenants.get(name).into_iter().flat_map(|tenant| &tenant.members);
            let mut attempts = members.filter_map(|key| self.watches.get(key)?.status.validity.last_attempt);
            attempts.any(|at| at >= since)
        };
        matches!(self.outage, Some(Outage::Unreachable { .. }))
            || self.reachable_since.is_some_and(|since| !looked_at(since))
    }
}

fn works(watch: &Watch) -> bool {
    watch.status.state == TokenState::Valid && watch.status.doubt.is_none()
}
