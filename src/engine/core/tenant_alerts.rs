//! What fires for the tenants: each is judged once after an event that concerns it, and when time alone may change something.
//! Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::alert::{Rules, tenant_alerts};
use crate::engine::effect::Effect;
use crate::model::{Scope, TokenId};
use crate::state::Record;

use super::Core;
use super::firing::{notified, shared};

/// Which tenants are to be judged, and when.
#[derive(Debug, Default)]
pub(super) struct TenantReviews {
    /// Those that the event of now concerns.
    unsettled: BTreeSet<String>,
    /// The moments at which time alone may change something.
    due: BTreeSet<(DateTime<Utc>, String)>,
    /// The same by tenant.
    next: BTreeMap<String, DateTime<Utc>>,
}

impl TenantReviews {
    /// The event of now concerns a tenant.
    pub(super) fn note(&mut self, name: &str) {
        if !self.unsettled.contains(name) {
            self.unsettled.insert(name.to_owned());
        }
    }

    /// Takes in that time has passed.
    pub(super) fn tick(&mut self, now: DateTime<Utc>) {
        while let Some((_, name)) = self.due.first().filter(|(at, _)| *at <= now).cloned() {
            self.set(&name, None);
            self.unsettled.insert(name);
        }
    }

    /// Sets when a tenant is to be judged although nothing happens.
    fn set(&mut self, name: &str, next: Option<DateTime<Utc>>) {
        if self.next.get(name).copied() == next {
            return;
        }
        if let Some(before) = self.next.remove(name) {
            self.due.remove(&(before, name.to_owned()));
        }
        if let Some(next) = next {
            self.next.insert(name.to_owned(), next);
            self.due.insert((next, name.to_owned()));
        }
    }

    /// When the next tenant is to be judged although nothing happens.
    pub(super) fn next(&self) -> Option<DateTime<Utc>> {
        self.due.first().map(|(at, _)| *at)
    }
}

impl Core {
    /// Judges every tenant that the event of now concerns.
    pub(super) fn settle(&mut self, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        while let Some(name) = self.reviews.unsettled.pop_first() {
            self.settle_tenant(&name, now, effects);
        }
    }

    /// Brings what fires for a tenant up to what is believed of it and its tokens.
    fn settle_tenant(&mut self, name: &str, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let silence = self.fleet.silence(name);
        self.outages.set_silent(name, silence.is_some());
        let suppressed_until = self.config.suppressed_until(name, now);
        if suppressed_until.is_some() || self.outages.is_frozen() {
            // While alerts are suppressed nothing changes but that they no longer are.
            self.reviews.set(name, suppressed_until);
            return;
        }
        let waited_for = self.fleet.release_leavers(name, now);
        let outdated = self.fleet.outdated(name);
        for key in outdated.iter().copied() {
            // What another token has shown is checked again with this one, which nothing may have happened to.
            let is_requested = self.fleet.get(key).is_none_or(|watch| watch.timing.check_at.is_some());
            if !is_requested && !self.agenda.is_checking_permissions(key) {
                self.review(key, now, effects);
            }
        }
        let is_silence_suppressed =
            self.outages.is_one_of_many(self.fleet.last_check(name)) || self.fleet.is_own_trouble(name);
        let agenda = &self.agenda;
        let is_checking = |key| agenda.is_checking_permissions(key);
        let Some(mut tenancy) = self.fleet.tenancy(name, &outdated, is_checking, now) else { return };
        tenancy.silent = silence.filter(|_| !is_silence_suppressed);
        tenancy.is_silence_suppressed = is_silence_suppressed;
        tenancy.others_answer = self.outages.silent().count() < self.fleet.tenant_count();
        let (firing, mut waiting) = self.fleet.fires(name);
        let mut firing = firing.to_vec();
        let rules = Rules::new(&self.config.alerts, now);
        let outcome = tenant_alerts(rules, &tenancy, &mut firing, &mut waiting);
        self.reviews.set(name, outcome.next.into_iter().chain(waited_for).min());
        if let Some(tenant) = self.fleet.tenant_mut(name) {
            tenant.waiting = waiting;
            effects.extend(shared(|| Scope::Tenant(name.to_owned()), &mut tenant.firing, firing));
        }
        for (token_name, notices) in outcome.noticed {
            self.note_expiry_noticed(TokenId { tenant: name.to_owned(), token_name }, notices, effects);
        }
        effects.extend(notified(outcome.notifications));
    }

    /// Somebody is notified of the expiry of a token: the same notice is not given again.
    fn note_expiry_noticed(&mut self, token: TokenId, notices: usize, effects: &mut Vec<Effect>) {
        let watch = self.fleet.find(&token).and_then(|key| self.fleet.get_mut(key));
        if let Some((watch, expires)) = watch.and_then(|watch| watch.token.expires.map(|expires| (watch, expires))) {
            let status = Arc::make_mut(&mut watch.status);
            status.noticed = Some((expires, notices));
            effects.push(Effect::Record(Record::TokenStatus { token, status: Arc::clone(&watch.status) }));
        }
    }
}
