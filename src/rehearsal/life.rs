//! Lives through a script: the core wants checks, the made-up Syncro answers them, and what follows is sent to whom it is for.
//! Pure.
//!
//! While nothing happens each token is checked once a day, so that a year takes seconds. Where something happens it is checked when
//! its schedule would have it checked next, and from then on the core decides, so that what is sent is sent when it would be.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::alert::{self, Notification};
use crate::belief::{Attempts, TokenStatus};
use crate::check::{Ended, Job, WatchKey};
use crate::config::{Audience, Config, Schedule};
use crate::engine::{Core, Effect, Event};
use crate::model::{Token, TokenId};
use crate::plan::{Phase, plan};
use crate::state::{KnownAlerts, PersistedState, Record, Routed, Subscription};
use crate::syncro::{
    Failure, Fingerprint, Me, MeObservation, Observation, Part, PermissionObservations, ProbeObservation, Reason,
    TokenObservation, TokenValue, UserObservation, UsersObservation,
};

use super::truth::{self, Answer, Change};
use super::{Script, Sent, Truth, What};

/// How often each token is checked while nothing happens.
const CALM: Duration = Duration::from_hours(24);
/// The longest leap of the clock, and the longest while Syncro answers nobody.
const LEAP: TimeDelta = TimeDelta::hours(1);
const STEP: TimeDelta = TimeDelta::seconds(15);

/// One life of a configuration.
struct Life<'a> {
    script: &'a Script,
    truth: &'a Truth,
    /// The configuration as it is, by which checks are due where something happens.
    real: Config,
    /// The same with an interval of a day.
    calm: Config,
    places: BTreeMap<TokenId, usize>,
    core: Core,
    subscriptions: &'a [Subscription],
    known: KnownAlerts,
    /// The checks that are due because something has happened.
    due: Vec<(DateTime<Utc>, usize)>,
    sent: Vec<Sent>,
}

/// Everything that would be sent by a script, in the order of time, besides digests.
pub(crate) fn live(config: &Config, truth: &Truth, script: &Script, subscriptions: &[Subscription]) -> Vec<Sent> {
    let mut real = config.clone();
    // Its next token is not there, so that nobody is helped by it.
    real.tokens = config.tokens.iter().map(|token| Arc::new(Token { next: None, ..Token::clone(token) })).collect();
    let mut calm = real.clone();
    (calm.schedule.validity, calm.schedule.permissions) = (Schedule::Every(CALM), Schedule::Every(CALM));
    (calm.intervals.validity.holds, calm.intervals.permissions.holds) = (CALM, CALM);
    let (core, effects) = Core::start(Arc::new(calm.clone()), PersistedState::default(), script.start);
    let mut life = Life {
        script,
        truth,
        places: config.tokens.iter().enumerate().map(|(place, token)| (token.id(), place)).collect(),
        real,
        calm,
        core,
        subscriptions,
        known: KnownAlerts::default(),
        due: Vec::new(),
        sent: Vec::new(),
    };
    life.settle(effects, script.start);
    life.run();
    life.sent
}

impl Life<'_> {
    fn run(&mut self) {
        let mut changes = self.truth.changes.iter().filter(|(at, _)| *at >= self.script.start).peekable();
        let mut now = self.script.start;
        while now <= self.script.end {
            while let Some((at, change)) = changes.next_if(|(at, _)| *at <= now) {
                self.change(*at, *change);
            }
            for (_, place) in self.due.extract_if(.., |(at, _)| *at <= now).collect::<Vec<_>>() {
                let effects = self.core.handle(Event::Check(self.real.tokens[place].id()), now);
                self.settle(effects, now);
            }
            let effects = self.core.handle(Event::Tick, now);
            self.settle(effects, now);
            let leap = if self.truth.is_unsettled(now) { STEP } else { LEAP };
            let wanted = [self.core.snapshot().next_due, changes.peek().map(|(at, _)| *at)];
            let wanted = wanted.into_iter().flatten().chain(self.due.iter().map(|(at, _)| *at)).min();
            // The pulse comes once a second.
            let next = wanted.map_or(now + leap, |at| at.min(now + leap)).max(now + TimeDelta::seconds(1));
            now = next.trunc_subsecs(0)
                + if next.timestamp_subsec_nanos() > 0 { TimeDelta::seconds(1) } else { TimeDelta::zero() };
        }
    }

    /// Something has become different: those whom it concerns are checked when their schedule has it.
    fn change(&mut self, at: DateTime<Utc>, change: Change) {
        match change {
            Change::OfAll => (0..self.real.tokens.len()).for_each(|place| self.expect(place, at)),
            Change::OfToken(place) => self.expect(place, at),
            Change::Renewed(place) => {
                let expires = Some(truth::renewed(at));
                for config in [&mut self.real, &mut self.calm] {
                    let token = &mut config.tokens[place];
                    *token = Arc::new(Token { expires, ..Token::clone(token) });
                }
                let effects = self.core.handle(Event::Reload(Arc::new(self.calm.clone())), at);
                self.settle(effects, at);
            }
        }
    }

    /// A token is checked when its schedule has it next after a moment.
    fn expect(&mut self, place: usize, at: DateTime<Utc>) {
        let token = &self.real.tokens[place];
        let validity = Attempts { last_attempt: Some(at), last_success: Some(at), ..Attempts::default() };
        let status = TokenStatus { validity, ..TokenStatus::default() };
        let due = plan(token, Phase::of(token), &status, &self.real, at).validity.at;
        self.due.push((due, place));
    }

    /// Answers what is asked, and what is asked because of that, and takes in what is to be sent.
    fn settle(&mut self, mut effects: Vec<Effect>, now: DateTime<Utc>) {
        while !effects.is_empty() {
            let mut next = Vec::new();
            for effect in effects {
                match effect {
                    Effect::Start(job) => next.extend(self.answer(job, now)),
                    Effect::Record(Record::Notification(notification)) => self.send(&Arc::from(notification), now),
                    _ => {}
                }
            }
            effects = next;
        }
    }

    fn send(&mut self, notification: &Arc<Notification>, at: DateTime<Utc>) {
        let (routed, _) = self.known.route(notification, self.subscriptions);
        // One receiver may be notified of something else than another: that an alert is not for it any more.
        let mut by_change: Vec<Sent> = Vec::new();
        let reads =
            |name: &str| self.subscriptions.iter().any(|one| *one.name == *name && one.audience == Audience::People);
        // What takes the place of another alert is queued for people, and not sent to them.
        let is_sent =
            |routed: &Routed| routed.notification.change != alert::Change::Superseded || !reads(&routed.receiver);
        for routed in routed.into_iter().filter(is_sent) {
            let is_same = |sent: &&mut Sent| matches!(&sent.what, What::Notification(other) if other.change == routed.notification.change);
            match by_change.iter_mut().find(is_same) {
                Some(sent) => sent.receivers.push(routed.receiver),
                None => by_change.push(Sent {
                    at,
                    what: What::Notification(routed.notification),
                    receivers: vec![routed.receiver],
                }),
            }
        }
        self.sent.extend(by_change);
    }

    /// Answers one check as the made-up Syncro does.
    fn answer(&mut self, job: Job, now: DateTime<Utc>) -> Vec<Effect> {
        let Some(place) = self.places.get(&job.token.id()).copied() else { return Vec::new() };
        let (answer, user) = (self.truth.answer(place, now), place as u64 + 1);
        let ended = Ended { lane: job.lane, permissions: job.permissions.is_some() };
        let me = match answer {
            Answer::Works => MeObservation::Works(Me {
                user_id: user,
                user_name: None,
                subdomain: job.token.tenant.subdomain.clone(),
                admin: Some(false),
                can_use_app: Some(true),
                rights: Vec::new(),
            }),
            Answer::Refused => MeObservation::Refused,
            Answer::Silence => MeObservation::Failed(Failure::new(Reason::Timeout, "no answer in time")),
        };
        let permissions = job.permissions.filter(|_| answer == Answer::Works);
        let fingerprint = fingerprint(place, self.truth.replacements(place, now));
        let part = Part::Token(TokenObservation::Me { fingerprint, observation: me });
        let last = permissions.is_none().then_some(ended);
        let mut effects = self.observed(job.key, part, last, now);
        if let Some(asked) = permissions {
            let granted = asked.probes.into_iter().flat_map(|(_, shown)| shown);
            let part = Part::Permissions(PermissionObservations {
                full: asked.full,
                user: asked.user.then_some(UserObservation::Group(None)),
                users: asked.users.map(|mut listed| {
                    listed.insert(user);
                    UsersObservation::Listed { listed, is_whole: true }
                }),
                probes: granted.map(|permission| (permission, ProbeObservation::Granted(200))).collect(),
                ..PermissionObservations::default()
            });
            effects.extend(self.observed(job.key, part, Some(ended), now));
        }
        effects
    }

    fn observed(&mut self, key: WatchKey, part: Part, ended: Option<Ended>, now: DateTime<Utc>) -> Vec<Effect> {
        let observed = Box::new(Observation { at: now, part, asked: Vec::new() });
        self.core.handle(Event::Observed { key, observed, ended }, now)
    }
}

/// That of a made-up value: another one for each token, and after each replacement.
fn fingerprint(place: usize, replacements: usize) -> Fingerprint {
    let value = TokenValue::typed(&format!("rehearsal-{place}-{replacements}"));
    value.expect("it is visible ASCII").fingerprint()
}
