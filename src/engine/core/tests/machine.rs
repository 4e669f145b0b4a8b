//! A daemon that can be restarted, with a store in memory and a Syncro that answers as it is set to.

use super::*;
use crate::alert::{Affected, AlertKey, Notification};
use crate::belief::TransitionKind;
use crate::model::Scope;
use crate::state::{Batch, Entry, PersistedToken};
use crate::syncro::{Observation, Part, TokenObservation, TokenValue, UserObservation, UsersObservation};

/// A store in memory: what was committed, as the real one would give it back.
#[derive(Default)]
pub(super) struct Store {
    tokens: HashMap<TokenId, (TokenStatus, bool)>,
    pub(super) firing: HashMap<Scope, Vec<Firing>>,
    pub(super) history: Vec<Entry>,
    pub(super) notified: Vec<Notification>,
}

impl Store {
    fn commit(&mut self, batch: Batch) {
        for (id, token_status) in batch.statuses {
            match token_status {
                Some(token_status) => drop(self.tokens.insert(id, (again(&*token_status), false))),
                None => drop(self.tokens.get_mut(&id).map(|(_, retired)| *retired = true)),
            }
        }
        for (id, firing) in batch.firing {
            self.firing.insert(id, again(&*firing));
        }
        self.history.extend(batch.history);
        self.notified.extend(batch.notifications);
    }

    pub(super) fn state(&self) -> PersistedState {
        let mut state = PersistedState::default();
        for (id, (token_status, retired)) in self.tokens.clone() {
            if retired {
                state.retired.push((id, token_status));
            } else {
                state.tokens.insert(id, PersistedToken { status: token_status, firing: Vec::new() });
            }
        }
        for (id, firing) in self.firing.clone() {
            match id.tenant() {
                None => state.fleet = firing,
                Some(name) => drop(state.tenants.insert(name.to_owned(), firing)),
            }
        }
        state
    }

    pub(super) fn kinds(&self) -> Vec<TransitionKind> {
        let kind = |entry: &Entry| match entry {
            Entry::Changed { transition, .. } => Some(transition.kind),
            Entry::Renamed { .. } => None,
        };
        self.history.iter().filter_map(kind).collect()
    }
}

/// A notification in a line: `PermissionLost/acme/a:Tickets - Edit+b new`.
pub(super) fn line(notification: &Notification) -> String {
    let affected = |affected: &Affected| match affected.thing() {
        Some(thing) => format!("{}:{thing}", affected.token_name),
        None => affected.token_name.clone(),
    };
    let list = notification.affected.iter().map(affected).collect::<Vec<_>>().join("+");
    let AlertKey { alert, of } = &notification.key;
    format!("{}/{}/{list} {}", alert.as_str(), of.tenant().unwrap_or_default(), notification.change.as_str())
}

/// As it comes back from where it was written.
fn again<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    serde_json::from_str(&serde_json::to_string(value).unwrap()).unwrap()
}

/// A daemon that can be restarted. Syncro answers as its `answers` say.
pub(super) struct Machine {
    pub(super) core: Core,
    pub(super) store: Store,
    pub(super) pending: Batch,
    pub(super) now: i64,
    /// By token: which value it uses, what `/me` answers, and what the list answers.
    pub(super) answers: HashMap<String, Answer>,
    /// Whether all users are in one security group, and were read to be.
    pub(super) grouped: bool,
    /// Whether all tokens are of one user.
    pub(super) one_user: bool,
    /// By token: what is answered about its user's security group, whatever `grouped` says.
    pub(super) groups: HashMap<String, UserObservation>,
    /// How many seconds the probes of a check take, as when the budget is short.
    pub(super) probes_take: i64,
    /// What the list of users shows, and how often it was read.
    pub(super) users: (UsersObservation, usize),
    /// Checks whose probes are under way, and since when.
    pub(super) probing: Vec<(i64, crate::check::Job)>,
}

#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) value: String,
    pub(super) me: MeObservation,
    pub(super) list: ProbeObservation,
}

pub(super) fn granted() -> Answer {
    Answer { value: "value".to_owned(), me: works(&[("ticket.list", true)]), list: ProbeObservation::Granted(200) }
}

/// The number of the user of a token.
pub(super) fn user_of(token: &str) -> u64 {
    token.bytes().fold(1, |id, byte| id * 31 % 1_000_003 + u64::from(byte))
}

/// Tokens of one tenant that all need the list.
pub(super) fn fleet(names: &[&str]) -> Config {
    config(names.iter().map(|name| token(name, &[LIST])).collect())
}

impl Machine {
    /// All users are in one security group, which allows what the tokens need, and so do the tokens.
    pub(super) fn grouped(names: &[&str]) -> Self {
        let mut machine = Self { grouped: true, ..Self::new(fleet(names)) };
        for name in names {
            machine.holds(name);
        }
        machine
    }

    pub(super) fn new(config: Config) -> Self {
        let (core, _) = Core::start(Arc::new(config), PersistedState::default(), at(0));
        Self {
            core,
            store: Store::default(),
            pending: Batch::default(),
            now: 0,
            answers: HashMap::new(),
            grouped: false,
            one_user: false,
            groups: HashMap::new(),
            probes_take: 0,
            users: (UsersObservation::Failed(failure()), 0),
            probing: Vec::new(),
        }
    }

    fn take(&mut self, effects: Vec<Effect>) -> Vec<crate::check::Job> {
        let jobs = jobs(&effects);
        for effect in effects {
            if let Effect::Record(record) = effect {
                self.pending.add(record);
            }
        }
        jobs
    }

    pub(super) fn handle(&mut self, event: Event) -> Vec<crate::check::Job> {
        let effects = self.core.handle(event, at(self.now));
        self.take(effects)
    }

    /// One second: what is due is checked and answered.
    pub(super) fn second(&mut self) -> usize {
        self.now += 1;
        let mut jobs = self.handle(Event::Tick);
        let begun = self.now - self.probes_take;
        for (at, job) in self.probing.extract_if(.., |(at, _)| *at <= begun).collect::<Vec<_>>() {
            jobs.extend(self.probed(at, &job));
        }
        self.carry_out(jobs)
    }

    /// Somebody wants a token to be checked now.
    pub(super) fn check(&mut self, token: &str) -> usize {
        let id = TokenId { tenant: "acme".to_owned(), token_name: token.to_owned() };
        let jobs = self.handle(Event::Check(id));
        self.carry_out(jobs)
    }

    /// Takes over another configuration, and carries out what that makes due.
    pub(super) fn reload(&mut self, config: Config) -> usize {
        let jobs = self.handle(Event::Reload(Arc::new(config)));
        self.carry_out(jobs)
    }

    fn carry_out(&mut self, mut jobs: Vec<crate::check::Job>) -> usize {
        let mut checks = 0;
        while let Some(job) = jobs.pop() {
            checks += 1;
            let mut answer = self.answers.get(&job.token.name).cloned().unwrap_or_else(granted);
            if let MeObservation::Works(me) = &mut answer.me {
                // Each token has a user of its own.
                me.user_id = if self.one_user { 1 } else { user_of(&job.token.name) };
            }
            let fingerprint = TokenValue::for_test(&answer.value).fingerprint();
            let asks = job.permissions.as_ref().filter(|_| matches!(answer.me, MeObservation::Works(_)));
            let part = Part::Token(TokenObservation::Me { fingerprint, observation: answer.me });
            let (method, status, took) = (crate::catalog::Method::Get, Some(200), std::time::Duration::ZERO);
            let asked = Asked { method, path: "/me".into(), at: at(self.now), status, reason: None, took };
            let observed = Box::new(Observation { at: at(self.now), part, asked: vec![asked] });
            let (key, ended) = (job.key, asks.is_none().then(|| ended(&job)));
            jobs.extend(self.handle(Event::Observed { key, observed, ended }));
            if asks.is_some() && self.probes_take > 0 {
                self.probing.push((self.now, job));
            } else if asks.is_some() {
                jobs.extend(self.probed(self.now, &job));
            }
        }
        checks
    }

    /// The probes of a check that began at `begun` are answered, which ends it.
    fn probed(&mut self, begun: i64, job: &crate::check::Job) -> Vec<crate::check::Job> {
        let answer = self.answers.get(&job.token.name).cloned().unwrap_or_else(granted);
        let mut observed = Box::new(probed(begun, &[(LIST, answer.list)]));
        if let (Part::Permissions(observed), Some(asks)) = (&mut observed.part, &job.permissions) {
            observed.full = asks.full;
            observed.user = self.user(&job.token.name).filter(|_| asks.user);
            observed.users = asks.users.as_ref().map(|_| self.users.0.clone());
            self.users.1 += usize::from(asks.users.is_some());
        }
        self.handle(Event::Observed { key: job.key, observed, ended: Some(ended(job)) })
    }

    fn user(&self, token: &str) -> Option<UserObservation> {
        let all = self.grouped.then(|| UserObservation::Group(Some("Technicians".to_owned())));
        self.groups.get(token).cloned().or(all)
    }

    pub(super) fn seconds(&mut self, count: i64) {
        for _ in 0..count {
            self.second();
        }
        self.commit();
    }

    pub(super) fn commit(&mut self) {
        self.store.commit(std::mem::take(&mut self.pending));
    }

    /// Dies, with what was not committed, and comes back after a while.
    pub(super) fn crash(&mut self, config: Config, after: i64) {
        self.pending = Batch::default();
        self.now += after;
        let (core, effects) = Core::start(Arc::new(config), self.store.state(), at(self.now));
        self.core = core;
        self.take(effects);
    }

    pub(super) fn notified(&self) -> Vec<String> {
        self.store.notified.iter().map(line).collect()
    }

    pub(super) fn answer(&mut self, token: &str, me: MeObservation, list: ProbeObservation) {
        self.answers.insert(token.to_owned(), Answer { me, list, ..granted() });
    }

    /// The security group and the token both allow what the token needs.
    pub(super) fn holds(&mut self, token: &str) {
        self.answer(token, works(&[("ticket.read", true)]), ProbeObservation::Granted(200));
    }

    /// The security group does not allow it.
    pub(super) fn lacks(&mut self, token: &str) {
        self.answer(token, works(&[("ticket.read", false)]), ProbeObservation::Missing);
    }

    /// The security group allows it, the token does not.
    pub(super) fn is_narrow(&mut self, token: &str) {
        self.answer(token, works(&[("ticket.read", true)]), ProbeObservation::Missing);
    }
}
