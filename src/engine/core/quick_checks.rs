//! Which other tokens are checked at once when one turns bad or a tenant falls silent. Pure.
//!
//! Checks are spread over minutes, confirmations come after seconds: when a token that worked is refused, a few tokens of
//! other tenants are checked too, so that an outage is found before anybody is notified of its first victims.

use chrono::{DateTime, Utc};

use crate::belief::{FEWEST, Outage, SAMPLE, TokenStatus};
use crate::check::WatchKey;
use crate::engine::effect::Effect;

use super::Core;

/// What other tokens are checked for.
#[derive(Debug, Clone, Copy)]
enum Sought {
    /// Whether tokens that worked are refused.
    Refusals,
    /// Whether tenants do not answer.
    Silence,
}

impl Sought {
    /// Whether a check of a token can show it. A token that is refused says whether its tenant answers as well as one that
    /// works.
    fn is_shown_by(self, status: &TokenStatus) -> bool {
        match self {
            Self::Refusals => status.works(),
            Self::Silence => status.unreadable.is_none(),
        }
    }
}

impl Core {
    /// What a check of a token shows of its tenant; when that turned bad just now, others are checked.
    pub(super) fn note_tenant(&mut self, key: WatchKey, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let Some(name) = self.fleet.get(key).map(|watch| watch.token.tenant.name.clone()) else { return };
        let is_turned = self.fleet.observation(&name).is_some_and(|observation| observation.turned.is_some());
        let silence = self.fleet.silence(&name).map(|(since, _)| since);
        let change = self.outages.note(&name, is_turned, silence.is_some());
        if let Some(since) = silence.filter(|_| change.fell_silent) {
            self.check_members(&name, since, now, effects);
        }
        // Tenants of which nothing could be learnt may be those whose tokens are refused when they answer again.
        let turned = change.turned && !self.outages.is_frozen();
        if turned {
            self.check_others(key, Sought::Refusals, FEWEST, now, now, effects);
        } else if change.fell_silent && self.outages.outage().is_none() {
            self.check_others(key, Sought::Silence, FEWEST, now, now, effects);
        }
        if self.outages.is_worth_judging() {
            self.judge_outage(now, effects);
            match self.outages.outage() {
                Some(Outage::TurnedBad { since, of, certain: false, .. }) => {
                    self.check_others(key, Sought::Refusals, SAMPLE.saturating_sub(of), since, now, effects);
                }
                Some(Outage::Unreachable { since, of, certain: false, .. }) => {
                    self.check_others(key, Sought::Silence, SAMPLE.saturating_sub(of), since, now, effects);
                }
                None if change.fell_silent => self.check_others(key, Sought::Silence, SAMPLE, now, now, effects),
                _ => {}
            }
        }
    }

    /// Checks at once a few tokens of a tenant that have not been checked since one of them failed: whether it is the
    /// tenant of which nothing can be learnt, or that token.
    fn check_members(&mut self, name: &str, since: DateTime<Utc>, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        let is_unchecked = |key: &WatchKey| {
            let watch = self.fleet.get(*key);
            let unchecked = watch.is_some_and(|watch| watch.status.validity.last_attempt < Some(since));
            unchecked && !self.agenda.is_checking_token(*key)
        };
        let members = self.fleet.members(name).iter().copied().filter(is_unchecked);
        for key in members.take(FEWEST).collect::<Vec<_>>() {
            self.check_quickly(key, now, effects);
        }
    }

    /// Checks at once a token that can show what is sought of each of a few tenants that come next, have not turned and have
    /// not been checked since then. A token that was checked in vain is not asked again: its own next attempt will do.
    fn check_others(
        &mut self,
        key: WatchKey,
        sought: Sought,
        most: usize,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
        effects: &mut Vec<Effect>,
    ) {
        if self.fleet.tenant_count() < FEWEST || most == 0 {
            return;
        }
        let own = self.fleet.get(key).map(|watch| watch.token.tenant.name.as_str());
        let mut chosen: Vec<(&str, WatchKey)> = Vec::with_capacity(most);
        for (other, watch) in self.fleet.others(key) {
            let tenant = watch.token.tenant.name.as_str();
            let is_known = own == Some(tenant) || chosen.iter().any(|(name, _)| *name == tenant);
            let is_new = !is_known && !self.outages.has_turned(tenant);
            if is_new && sought.is_shown_by(&watch.status) && watch.status.validity.last_attempt < Some(since) {
                // A token whose answer is under way is among them: it shows the same without being asked again.
                chosen.push((tenant, other));
            }
            if chosen.len() == most {
                break;
            }
        }
        let unasked = chosen.into_iter().map(|(_, other)| other).filter(|other| !self.agenda.is_checking_token(*other));
        for other in unasked.collect::<Vec<_>>() {
            self.check_quickly(other, now, effects);
        }
    }

    fn check_quickly(&mut self, key: WatchKey, now: DateTime<Utc>, effects: &mut Vec<Effect>) {
        if let Some(watch) = self.fleet.get_mut(key) {
            watch.timing.quick_check_at = Some(now);
        }
        self.review(key, now, effects);
    }
}
