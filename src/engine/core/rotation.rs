//! The values beside those in use: the next one, which is proven before it takes the place of the other, and the former one,
//! which is checked until Syncro refuses it. Pure.

mod beside;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::belief::{Comparison, Confirmation, Policy, Proof, TokenState, TokenStatus, Transition, step};
use crate::check::{Ended, Job, PermissionJob, WatchKey};
use crate::config::Config;
use crate::engine::effect::{Effect, Switch, checked_by, entry};
use crate::model::{Probes, RotateWhen, Token};
use crate::state::Record;
use crate::syncro::{CheckLane, Fingerprint, Observation, Part, TokenObservation};

use super::Core;
use super::agenda::Queue;
use super::fleet::Fleet;
use super::watch::Watch;
use beside::Role;

pub(super) use beside::Rotations;

/// A check of one of them that gave no verdict is made again after so long.
const AGAIN: TimeDelta = TimeDelta::minutes(5);
/// Whether there is a value is seen again after so long.
const READ_AGAIN: TimeDelta = TimeDelta::minutes(1);

/// A token beside the one in use, as it is checked.
fn checked(watch: &Watch, role: Role) -> Option<Arc<Token>> {
    match role {
        Role::Next => Some(watch.token.next.as_ref()?.apart_from(&watch.token)),
        Role::Former => watch.status.lingering().and_then(|_| watch.token.former()),
    }
}

/// What is believed of it.
fn believed(status: &TokenStatus, role: Role) -> Option<&TokenStatus> {
    match role {
        Role::Next => status.next.as_deref(),
        Role::Former => status.former.as_deref(),
    }
}

/// What a check of it asks: of a value that is in use, or was, only whether it works.
pub(super) fn job(
    rotations: &Rotations,
    (fleet, config): (&Fleet, &Config),
    (key, lane): (WatchKey, CheckLane),
) -> Option<Job> {
    let (owner, role) = rotations.of(key)?;
    let watch = fleet.get(owner)?;
    let token = checked(watch, role)?;
    let probes = token.probes(config.syncro.probes);
    let another_user = fleet.another_user(owner);
    let asks = role == Role::Next && !watch.status.is_next_in_use();
    let permissions =
        asks.then_some(PermissionJob { full: true, user: true, users: None, another_user, probes, audit: None });
    Some(Job { key, token, lane, permissions })
}

impl Watch {
    /// Whether there is a value beside the one in use, or there was.
    pub(super) fn has_beside(&self) -> bool {
        self.configured.next.is_some() || self.status.next.is_some() || self.status.former.is_some()
    }

    /// The value in use may be that of the next token since a moment: then the token is what the configuration says of that.
    fn take_over(&mut self) {
        let token = self.status.in_use(&self.configured);
        if self.token != token {
            self.token = token;
        }
    }
}

impl Core {
    /// Sets when everything beside the values in use is checked next, after another configuration or a start.
    pub(super) fn plan_rotations(&mut self, now: DateTime<Utc>) {
        for key in self.rotations.retain(|owner| self.fleet.get(owner).is_some()) {
            self.agenda.remove(key);
        }
        for owner in self.fleet.keys() {
            let Some(watch) = self.fleet.get(owner).filter(|watch| watch.has_beside()) else { continue };
            let forgets = watch.configured.next.is_none() && watch.status.next.is_some();
            if let Some(watch) = self.fleet.get_mut(owner) {
                if forgets {
                    Arc::make_mut(&mut watch.status).forget_next();
                }
                watch.take_over();
            }
            self.plan_rotation(owner, now);
        }
    }

    /// Sets when what is beside the value of a token is checked next.
    pub(super) fn plan_rotation(&mut self, owner: WatchKey, now: DateTime<Utc>) {
        for role in Role::ALL {
            let of = (owner, role);
            let Some(watch) = self.fleet.get(owner) else { return };
            if checked(watch, role).is_none() {
                if let Some(key) = self.rotations.forget(of) {
                    self.agenda.remove(key);
                }
                continue;
            }
            let due = due(watch, role, self.config.intervals.permissions.holds, now);
            let said = word(watch, role, self.config.syncro.probes);
            let key = self.rotations.add(of, said, || self.fleet.new_key());
            if self.agenda.is_checking_token(key) || self.agenda.is_checking_permissions(key) {
                // It comes back here when the answer does.
                self.agenda.set(key, None, None);
            } else if due <= now {
                self.agenda.set(key, None, Some((Queue::Permissions, due)));
            } else {
                self.agenda.set(key, Some(due), None);
            }
        }
    }

    /// Takes in what a check of a value beside the one in use observed.
    pub(super) fn rotation_observed(
        &mut self,
        (key, owner, role): (WatchKey, WatchKey, Role),
        observation: &Observation,
        ended: Option<Ended>,
        now: DateTime<Utc>,
        effects: &mut Vec<Effect>,
    ) {
        self.agenda.ended(key, checked_by(observation), ended);
        let confirmation = match role {
            // A refusal that is none delays a switch, and no more.
            Role::Next => Confirmation::once(),
            Role::Former => Confirmation::of(&self.config.alerts),
        };
        let (user_names, probes) = (self.config.syncro.user_names, self.config.syncro.probes);
        let news_for = self.config.alerts.remind_every;
        if let Some(watch) = self.fleet.get_mut(owner)
            && let Some(token) = checked(watch, role)
        {
            let policy = Policy { user_names, token: &token, confirmation, probes, news_for, frozen: false };
            let status = Arc::make_mut(&mut watch.status);
            let place = match role {
                Role::Next => &mut status.next,
                Role::Former => &mut status.former,
            };
            let beside = place.get_or_insert_default();
            if is_of_another_value(observation, beside) {
                **beside = TokenStatus::default();
            }
            // What changes of it is no news before it is in use.
            let _ = step(beside, observation, policy);
            // Its file may have the value in use.
            if status.former.as_ref().is_some_and(|former| former.has_value_of(status)) {
                status.former = None;
            }
            status.see_followed();
            watch.take_over();
            let (id, after) = (watch.token.id(), word(watch, role, probes));
            effects.push(Effect::Record(Record::TokenStatus { token: id.clone(), status: Arc::clone(&watch.status) }));
            // What the first part of a check leaves open is not said.
            if ended.is_some()
                && let Some(before) = self.rotations.say(key, after)
            {
                effects.push(entry(&id, now, transition(role, before, after, now)));
            }
            if role == Role::Next && ended.is_some() && observation.failure().is_none() {
                effects.extend(switch(watch, probes).map(Effect::Switch));
            }
        }
        self.plan_rotation(owner, now);
    }

    /// Takes in that the value of the next token is in place, or why it is not.
    pub(super) fn switched(
        &mut self,
        switch: &Switch,
        failure: Option<String>,
        now: DateTime<Utc>,
        effects: &mut Vec<Effect>,
    ) {
        let id = switch.token.id();
        let is_in_place = failure.is_none();
        // It is tried again and again: only another reason is news.
        let is_news = |next: &TokenStatus| {
            next.fingerprint.as_ref() == Some(&switch.next) && next.not_switched.as_deref() != failure.as_deref()
        };
        if let Some(watch) = self.fleet.find(&id).and_then(|owner| self.fleet.get_mut(owner))
            && watch.status.next.as_deref().is_some_and(is_news)
            && let Some(next) = &mut Arc::make_mut(&mut watch.status).next
        {
            next.not_switched = failure.map(String::into_boxed_str);
            let record = Record::TokenStatus { token: id.clone(), status: Arc::clone(&watch.status) };
            effects.push(Effect::Record(record));
        }
        if is_in_place {
            self.check(&id, now, effects);
        }
    }

    /// Takes in what a check of the value in use has changed: that may have become the value of the next token, or what it may do
    /// is known only now.
    pub(super) fn note_in_use(
        &mut self,
        owner: WatchKey,
        before: InUse,
        now: DateTime<Utc>,
        effects: &mut Vec<Effect>,
    ) {
        let probes = self.config.syncro.probes;
        let Some(watch) = self.fleet.get_mut(owner) else { return };
        let has_changed = before.fingerprint.is_some() && before.fingerprint != watch.status.fingerprint;
        if let Some(former) = before.fingerprint.filter(|_| has_changed) {
            Arc::make_mut(&mut watch.status).take_switch(former, watch.configured.next.is_some());
            let record = Record::TokenStatus { token: watch.token.id(), status: Arc::clone(&watch.status) };
            effects.push(Effect::Record(record));
        }
        watch.take_over();
        let (id, after) = (watch.token.id(), word(watch, Role::Next, probes));
        let is_known_now = !before.is_known && InUse::of(&watch.status).is_known;
        if (has_changed || is_known_now)
            && let Some(key) = self.rotations.key((owner, Role::Next))
            && let Some(word_before) = self.rotations.say(key, after)
        {
            effects.push(entry(&id, now, transition(Role::Next, word_before, after, now)));
        }
        if is_known_now {
            effects.extend(switch(watch, probes).map(Effect::Switch));
        }
        self.plan_rotation(owner, now);
    }
}

/// Whether what is believed of a value is not about the one that was observed: there is another one in its place, or none.
fn is_of_another_value(observation: &Observation, believed: &TokenStatus) -> bool {
    match &observation.part {
        Part::Token(TokenObservation::Me { fingerprint, .. }) => {
            believed.fingerprint.as_ref().is_some_and(|known| known != fingerprint)
        }
        Part::Token(TokenObservation::Unreadable(why)) => why.of_monitor().is_none(),
        Part::Permissions(_) => false,
    }
}

fn transition(role: Role, before: &str, after: &str, since: DateTime<Utc>) -> Transition {
    let (kind, before, after) = (role.kind(), before.to_owned(), after.to_owned());
    Transition { kind, subject: None, before, after, since, evidence: None, shown_by: None }
}

/// What matters of the value in use to the one that is to follow it.
#[derive(Debug)]
pub(super) struct InUse {
    fingerprint: Option<Fingerprint>,
    /// Whether it has shown what it may do, or does not work.
    is_known: bool,
}

impl InUse {
    pub(super) fn of(status: &TokenStatus) -> Self {
        let works = matches!(status.state, TokenState::Valid | TokenState::Unknown);
        let is_known = !works || status.permission_checks.last_attempt.is_some();
        Self { fingerprint: status.fingerprint.clone(), is_known }
    }
}

/// The switch that is to be made now, if the configuration leaves it to this program.
fn switch(watch: &Watch, probes: Probes) -> Option<Switch> {
    watch.token.next.as_ref().filter(|next| next.rotate_when == RotateWhen::Proven)?;
    watch.token.switched_files()?;
    // While the one in use works, it is not left before it has shown what it may do.
    if !InUse::of(&watch.status).is_known {
        return None;
    }
    let beside = watch.status.next.as_deref()?;
    let comparison = Comparison::of(&watch.token, &watch.status, beside, probes);
    let fingerprint = beside.fingerprint.clone().filter(|_| comparison.proof == Proof::Proven)?;
    Some(Switch { token: Arc::clone(&watch.token), next: fingerprint })
}

/// What is known of it in a word, as the history has it.
fn word(watch: &Watch, role: Role, probes: Probes) -> &'static str {
    match (role, believed(&watch.status, role)) {
        (Role::Next, Some(next)) => Comparison::of(&watch.token, &watch.status, next, probes).proof.into(),
        (Role::Next, None) => Proof::Unknown.into(),
        (Role::Former, Some(former)) => former.state.as_str(),
        (Role::Former, None) => TokenState::Unknown.as_str(),
    }
}

/// When it is checked next.
fn due(watch: &Watch, role: Role, interval: Duration, now: DateTime<Utc>) -> DateTime<Utc> {
    let Some(status) = believed(&watch.status, role) else { return now };
    let checks = [&status.validity, &status.permission_checks];
    let Some(last) = checks.iter().filter_map(|checks| checks.last_attempt).max() else { return now };
    if watch.status.value_since.is_some_and(|since| last < since) {
        // It may have become the one in use.
        return now;
    }
    let interval = TimeDelta::from_std(interval).unwrap_or(TimeDelta::MAX);
    let has_failed = checks.iter().any(|checks| checks.failures > 0);
    let after = match status.state {
        // To see that there is still no value takes no request.
        TokenState::Unreadable => interval.min(READ_AGAIN),
        _ if has_failed => interval.min(AGAIN),
        _ => interval,
    };
    last.checked_add_signed(after).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
