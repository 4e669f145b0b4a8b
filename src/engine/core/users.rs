//! The list of a tenant's users, which one of its tokens reads once a day: a user who was in it and is not any more is perhaps
//! disabled. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::belief::{Confirmation, see_listed};
use crate::check::WatchKey;
use crate::config::USERS_INTERVAL;
use crate::engine::effect::{Effect, entry};
use crate::model::Probes;
use crate::state::Record;
use crate::syncro::{Observation, Part, UsersObservation};

use super::Core;
use super::fleet::Fleet;

/// The users to seek in the list of a tenant's users, if the full check of a token that starts now is to read it: the first
/// one after every token of the tenant has been checked, one a day from then on, and one to confirm that somebody is missing.
pub(super) fn sought(
    fleet: &mut Fleet,
    key: WatchKey,
    probes: Probes,
    confirmation: Confirmation,
    now: DateTime<Utc>,
) -> Option<BTreeSet<u64>> {
    let watch = fleet.get(key)?;
    let tenant = watch.token.tenant.name.clone();
    let interval = TimeDelta::from_std(USERS_INTERVAL).unwrap_or(TimeDelta::MAX);
    // After a start it is not asked for anew with every check, should it name nobody else.
    let is_past = |asked: DateTime<Utc>| now - asked >= TimeDelta::hours(1);
    let is_due = |asked: Option<DateTime<Utc>>| asked.is_none_or(|asked| now - asked >= interval);
    let asks = watch.token.asks_of_another_user(probes);
    let is_own_due = asks && fleet.another_user(key).is_none() && fleet.users_asked(&tenant).is_none_or(is_past);
    let members = fleet.members(&tenant).iter().filter_map(|member| fleet.get(*member));
    let users = members.clone().filter_map(|member| member.status.user.as_ref());
    let is_doubted = users.clone().any(|user| user.listed.confirmable_at(confirmation).is_some_and(|at| at <= now));
    let is_known = members.clone().all(|member| member.status.validity.last_attempt.is_some());
    let last = members.filter_map(|member| member.status.users_asked).max().max(fleet.users_asked(&tenant));
    let is_wanted = is_own_due || is_known && (is_due(last) || is_doubted);
    let sought = is_wanted.then(|| users.map(|user| user.id).collect());
    if is_wanted {
        fleet.set_users_asked(&tenant, Some(now));
    }
    sought
}

impl Core {
    /// Takes in what a check showed of the list of users, or that it ended before it was read.
    pub(super) fn users_listed(
        &mut self,
        key: WatchKey,
        observation: &Observation,
        ended_early: bool,
        now: DateTime<Utc>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(tenant) = self.fleet.get(key).map(|watch| watch.token.tenant.name.clone()) else { return };
        if ended_early {
            self.fleet.set_users_asked(&tenant, None);
        }
        let Part::Permissions(observed) = &observation.part else { return };
        let Some(UsersObservation::Listed { listed, is_whole }) = &observed.users else { return };
        self.fleet.keep_two_users(&tenant, listed);
        let confirmation = Confirmation::of(&self.config.alerts);
        for member in self.fleet.members(&tenant).to_vec() {
            let Some(watch) = self.fleet.get_mut(member) else { continue };
            let Some(user) = watch.status.user.as_ref().map(|user| user.id) else { continue };
            let is_listed = listed.contains(&user);
            if !is_listed && !is_whole {
                continue;
            }
            let transition = see_listed(Arc::make_mut(&mut watch.status), is_listed, now, confirmation);
            let (token, status) = (watch.token.id(), Arc::clone(&watch.status));
            effects.extend(transition.map(|transition| entry(&token, now, transition)));
            effects.push(Effect::Record(Record::TokenStatus { token, status }));
        }
    }
}
