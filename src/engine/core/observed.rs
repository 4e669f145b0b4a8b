//! What a check that ended changes: the status of its token, what fires, and which other tokens are checked. Pure.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::belief::{Check, Confirmation, Policy, Transition, TransitionKind, step};
use crate::check::{Ended, WatchKey};
use crate::engine::effect::{Checked, Effect, Outcome, checked_by, entry};
use crate::plan::audit_from;
use crate::state::Record;
use crate::syncro::{Asked, Failure, Observation, Part};

use super::Core;
use super::rotation::InUse;

/// What every check begins with.
const ME: &str = "/me";

impl Core {
    /// Takes in what a part of a check observed.
    pub(super) fn observed(
        &mut self,
        key: WatchKey,
        observed: &Observation,
        ended: Option<Ended>,
        now: DateTime<Utc>,
        effects: &mut Vec<Effect>,
    ) {
        // A check that was under way when the clock was set back was not made in the future.
        let corrected;
        let observation = if observed.at > now {
            corrected = Observation { at: now, ..observed.clone() };
            &corrected
        } else {
            observed
        };
        if let Some((owner, role)) = self.rotations.of(key) {
            return self.rotation_observed((key, owner, role), observation, ended, now, effects);
        }
        let check = checked_by(observation);
        self.agenda.ended(key, check, ended);
        if !self.agenda.is_checking_permissions(key)
            && let Some(watch) = self.fleet.get_mut(key)
        {
            watch.is_behind = false;
        }
        self.recognise(key, observation, now, effects);
        let before = self.fleet.get(key).filter(|watch| watch.has_beside()).map(|watch| InUse::of(&watch.status));
        let changed = self.step(key, check, observation, now, effects);
        let ended_early = check == Check::Validity && ended.is_some_and(|ended| ended.permissions);
        self.users_listed(key, observation, ended_early, now, effects);
        self.monitor.observe(observation);
        if let Some(before) = before {
            self.note_in_use(key, before, now, effects);
        }
        if check == Check::Validity {
            self.note_tenant(key, now, effects);
        }
        self.fleet.mark_checked(key);
        self.review(key, now, effects);
        if changed.concerns_group {
            self.check_peers(key, now, effects);
        }
        if changed.anything {
            self.check_same_alerts(key, observation.at, now, effects);
        }
        match check {
            Check::Validity => self.check_kin(key, observation.at, now, effects),
            Check::Permissions => self.ask_others(key, observation.at, now, effects),
        }
    }

    /// Changes the status of a token by an observation. Returns what changed.
    fn step(
        &mut self,
        key: WatchKey,
        check: Check,
        observation: &Observation,
        now: DateTime<Utc>,
        effects: &mut Vec<Effect>,
    ) -> Changed {
        let frozen = self.outages.is_frozen();
        let checked_first = if check == Check::Permissions { self.fleet.checked_first(key) } else { BTreeSet::new() };
        let Some(watch) = self.fleet.get_mut(key) else { return Changed::default() };
        watch.timing.catch_up = None;
        watch.asked = asked(&watch.asked, observation);
        let (id, status) = (watch.token.id(), Arc::make_mut(&mut watch.status));
        let failures = match check {
            Check::Validity => status.validity.failures,
            Check::Permissions => status.permission_checks.failures,
        };
        let had_problem = status.group_problem().is_some();
        let policy = Policy {
            user_names: self.config.syncro.user_names,
            token: &watch.token,
            confirmation: Confirmation::of(&self.config.alerts),
            probes: self.config.syncro.probes,
            news_for: self.config.alerts.remind_every,
            frozen,
        };
        let transitions = step(status, observation, policy);
        status.take_checked_first(&checked_first);
        watch.timing.audit_from = audit_from(watch.phase, status.audited(), &self.config, self.sweep, now);
        let problem = status.group_problem().map(str::to_owned);
        if problem.is_some() != had_problem {
            effects.push(Effect::Group { token: id.clone(), problem });
        }
        let outcome = outcome(failures, observation.failure().as_deref());
        effects.push(Effect::Checked(Checked { token: id.clone(), check, outcome }));
        effects.push(Effect::Record(Record::TokenStatus { token: id.clone(), status: Arc::clone(&watch.status) }));
        self.monitor.note(key, &watch.status);
        self.fleet.note_checked_first(key);
        let changed =
            Changed { anything: !transitions.is_empty(), concerns_group: transitions.iter().any(concerns_group) };
        effects.extend(transitions.into_iter().map(|transition| entry(&id, now, transition)));
        changed
    }
}

/// What an observation changed.
#[derive(Debug, Default, Clone, Copy)]
struct Changed {
    /// Whether anything is believed now that was not before.
    anything: bool,
    /// Whether it may concern the security group.
    concerns_group: bool,
}

/// Whether all wanted permissions were asked for.
fn is_full(observation: &Observation) -> bool {
    matches!(&observation.part, Part::Permissions(permissions) if permissions.full)
}

fn concerns_group(transition: &Transition) -> bool {
    matches!(transition.kind, TransitionKind::Permission | TransitionKind::Right | TransitionKind::SecurityGroup)
}

/// The last requests about a token: a full check of the permissions replaces all that was asked about them before, any
/// other check the same question.
fn asked(before: &[Asked], observation: &Observation) -> Arc<[Asked]> {
    let replaces_others = is_full(observation);
    let remains = |former: &&Asked| {
        let again = observation.asked.iter().any(|asked| asked.is_same_question(former));
        !again && (!replaces_others || former.path == ME)
    };
    let me = observation.asked.iter().filter(|asked| asked.path == ME);
    let others = observation.asked.iter().filter(|asked| asked.path != ME);
    me.chain(before.iter().filter(remains)).chain(others).cloned().collect()
}

fn outcome(failures: u32, failure: Option<&Failure>) -> Outcome {
    match failure {
        Some(failure) => Outcome::Failed { failure: failure.clone(), first: failures == 0 },
        None if failures > 0 => Outcome::Again(failures),
        None => Outcome::Verdict,
    }
}
