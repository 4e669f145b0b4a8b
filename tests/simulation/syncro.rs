//! The simulated Syncro, as the monitor reaches it: the state of every token, group and fault now, and what is answered.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use judge::{Case, Fault, FaultKind, Happening, Ms, Scope, State};
use serde_json::{Value, json};
use syncro_token_monitor::model::TokenSource;
use syncro_token_monitor::syncro::{
    Answer, Failure, Fingerprint, Lost, Outgoing, Reason, Received, TokenValue, Transport, Unreadable, Values,
};
use tokio::time::{Instant, sleep};

const JSON: &str = "application/json; charset=utf-8";
const NOT_AUTHORIZED: &str = "Not authorized. Please ask account admin to update your group permissions.";
/// What a request waits for an answer that never comes.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The simulated Syncro; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Syncro(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    case: Arc<Case>,
    tokens: Vec<Token>,
    /// By their numbers in Syncro.
    users: BTreeMap<u64, User>,
    /// Whether each tenant has another subdomain.
    renamed: Vec<bool>,
    by_value: BTreeMap<String, usize>,
    /// Which group lacks which permission, by tenant, group and permission.
    lacks: std::collections::BTreeSet<(usize, usize, usize)>,
    faults: Vec<(Ms, Fault)>,
    rng: fastrand::Rng,
    start: Instant,
    /// Requests of each tenant in each minute.
    requests: Vec<Vec<u32>>,
}

#[derive(Debug)]
struct Token {
    /// Its own, whatever is so of its user and its tenant.
    own: State,
    ticks: Vec<bool>,
}

/// Who made tokens.
#[derive(Debug, Clone, Copy)]
struct User {
    group: usize,
    admin: bool,
    locked: bool,
}

/// The value of a token, which names it.
fn value(token: usize) -> String {
    format!("value-of-token-{token}")
}

fn parsed(value: &str) -> Result<TokenValue, Unreadable> {
    TokenValue::typed(value)
}

fn fingerprint(token: usize) -> Option<Fingerprint> {
    parsed(&value(token)).ok().map(|value| value.fingerprint())
}

impl Syncro {
    pub(crate) fn new(case: &Arc<Case>, seed: u64) -> Self {
        let token = |token: &judge::Token| {
            let ticks = (0..case.permissions.len()).map(|permission| token.ticks.contains(&permission)).collect();
            Token { own: State::Works, ticks }
        };
        let user =
            |token: usize| (case.user_id(token), User { group: case.tokens[token].group, admin: false, locked: false });
        let named = |token| Some((fingerprint(token)?.to_string(), token));
        Self(Arc::new(Mutex::new(Inner {
            tokens: case.tokens.iter().map(token).collect(),
            users: (0..case.tokens.len()).map(user).collect(),
            renamed: vec![false; case.tenants.len()],
            by_value: (0..case.tokens.len()).filter_map(named).collect(),
            lacks: std::collections::BTreeSet::new(),
            faults: Vec::new(),
            rng: fastrand::Rng::with_seed(seed),
            start: Instant::now(),
            requests: vec![Vec::new(); case.tenants.len()],
            case: Arc::clone(case),
        })))
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets something happen.
    pub(crate) fn apply(&self, what: &Happening) {
        let mut inner = self.inner();
        match what {
            Happening::Token { token, state } => inner.tokens[*token].own = *state,
            Happening::Group { tenant, group, permission, has: true } => {
                inner.lacks.remove(&(*tenant, *group, *permission));
            }
            Happening::Group { tenant, group, permission, has: false } => {
                inner.lacks.insert((*tenant, *group, *permission));
            }
            Happening::Tick { token, permission, has } => inner.tokens[*token].ticks[*permission] = *has,
            Happening::Moved { token, group } => inner.user_mut(*token).group = *group,
            Happening::Admin { token, admin } => inner.user_mut(*token).admin = *admin,
            Happening::LockedOut { token, locked } => inner.user_mut(*token).locked = *locked,
            Happening::Renamed { tenant, renamed } => inner.renamed[*tenant] = *renamed,
            Happening::Fault(fault) => {
                let until = inner.now() + fault.lasts;
                inner.faults.push((until, fault.clone()));
            }
            _ => {}
        }
    }

    /// How many requests each tenant got in each minute.
    pub(crate) fn requests(&self) -> Vec<Vec<u32>> {
        self.inner().requests.clone()
    }
}

/// What becomes of a request.
enum Reaction {
    Answer(Answer, Option<Duration>),
    Lost(Failure),
    Silence,
}

impl Inner {
    fn now(&self) -> Ms {
        Ms::try_from(self.start.elapsed().as_millis()).unwrap_or(Ms::MAX)
    }

    /// What becomes of a request to a path, and how long that takes.
    fn react(&mut self, outgoing: &Outgoing<'_>) -> (Duration, Reaction) {
        let latency = Duration::from_millis(self.rng.u64(5..400));
        let url = outgoing.url.split_once("/t/").map_or("", |(_, rest)| rest);
        let (tenant, path) = url.split_once('/').unwrap_or_default();
        let path = format!("/{}", path.trim_start_matches("api/v1").trim_start_matches('/'));
        let path = path.split('?').next().unwrap_or_default().to_owned();
        let tenant = self.case.tenants.iter().position(|name| name == tenant).unwrap_or(0);
        let minute = usize::try_from(self.now() / 60_000).unwrap_or(0);
        let counts = &mut self.requests[tenant];
        counts.resize(counts.len().max(minute + 1), 0);
        counts[minute] += 1;
        if let Some(kind) = self.fault(tenant, &path) {
            return (latency, failing(kind));
        }
        let known = self.by_value.get(&outgoing.token.fingerprint().to_string()).copied();
        let answer = known.map_or((401, json!({"error": "Unauthorized"})), |token| self.answer(token, &path));
        (latency, Reaction::Answer(Answer::new(answer.0, JSON, answer.1.to_string().into_bytes()), None))
    }

    fn fault(&mut self, tenant: usize, path: &str) -> Option<FaultKind> {
        let now = self.now();
        self.faults.retain(|(until, _)| *until > now);
        let probe = self.case.permissions.iter().position(|permission| permission.probe == Some(path));
        let concerns = |scope: Scope| match scope {
            Scope::All => true,
            Scope::AllBut(other) => tenant != other,
            Scope::Tenant(one) => tenant == one,
            Scope::Endpoint(one, permission) => tenant == one && probe == Some(permission),
        };
        // What keeps a request from arriving at all comes before what Syncro would answer.
        let rank = |kind: FaultKind| match kind {
            FaultKind::OurMachine => 0,
            FaultKind::Refused | FaultKind::Silence => 1,
            FaultKind::Throttled(_) | FaultKind::Status(_) | FaultKind::Page => 2,
            FaultKind::RefusesAll => 3,
        };
        let faults = self.faults.iter().filter(|(_, fault)| concerns(fault.scope)).map(|(_, fault)| fault.kind);
        faults.min_by_key(|kind| rank(*kind))
    }

    fn user(&self, token: usize) -> User {
        self.users[&self.case.user_id(token)]
    }

    fn user_mut(&mut self, token: usize) -> &mut User {
        let id = self.case.user_id(token);
        self.users.get_mut(&id).expect("each token has a user")
    }

    fn state(&self, token: usize) -> State {
        let tenant = self.case.tokens[token].tenant;
        State::of(self.tokens[token].own, self.renamed[tenant], self.user(token).locked)
    }

    fn answer(&self, token: usize, path: &str) -> (u16, Value) {
        let (user, state) = (self.user(token), self.state(token));
        let tenant = self.case.tokens[token].tenant;
        match state {
            State::Refused => return (401, json!({"error": "Unauthorized"})),
            State::Blocked => return (403, json!({"error": "Forbidden"})),
            _ => {}
        }
        let id = self.case.user_id(token);
        if path == "/me" {
            let mut rights: BTreeMap<&str, BTreeMap<&str, bool>> = BTreeMap::new();
            for (number, permission) in self.case.permissions.iter().enumerate() {
                let Some((area, right)) = permission.right.and_then(|right| right.split_once('.')) else { continue };
                rights.entry(area).or_default().insert(right, self.user_has(token, number));
            }
            let subdomain = match state {
                State::WrongAccount => "another",
                _ => self.case.tenants[tenant].as_str(),
            };
            let me = json!({
                "user_id": id, "subdomain": subdomain, "admin": user.admin,
                "can_use_app": state != State::LockedOut, "permissions": rights,
            });
            return (200, me);
        }
        if path.starts_with("/users/") {
            let group = format!("group-{}", user.group);
            return (200, json!({"user": {"id": id, "group": group, "admin": user.admin}}));
        }
        let probe = self.case.permissions.iter().position(|permission| permission.probe == Some(path));
        match probe {
            Some(permission) if self.user_has(token, permission) && self.tokens[token].ticks[permission] => {
                (200, json!({"rows": []}))
            }
            Some(_) => (401, json!({"error": NOT_AUTHORIZED})),
            None => (404, json!({"message": "Not found"})),
        }
    }

    fn user_has(&self, token: usize, permission: usize) -> bool {
        let user = self.user(token);
        user.admin || !self.lacks.contains(&(self.case.tokens[token].tenant, user.group, permission))
    }
}

fn failing(kind: FaultKind) -> Reaction {
    let html = "text/html; charset=utf-8";
    let page = b"<!DOCTYPE html><html><title>Be right back</title></html>".to_vec();
    match kind {
        FaultKind::Status(status) => {
            Reaction::Answer(Answer::new(status, JSON, b"{\"error\":\"simulated\"}".to_vec()), None)
        }
        FaultKind::Page => Reaction::Answer(Answer::new(200, html, page), None),
        FaultKind::Throttled(seconds) => {
            let answer = Answer::new(429, "text/plain", b"Retry later".to_vec());
            Reaction::Answer(answer, Some(Duration::from_secs(seconds)))
        }
        FaultKind::RefusesAll => {
            Reaction::Answer(Answer::new(401, JSON, b"{\"error\":\"Unauthorized\"}".to_vec()), None)
        }
        FaultKind::Silence => Reaction::Silence,
        FaultKind::Refused => Reaction::Lost(Failure::new(Reason::Connect, "Connection refused (os error 111)")),
        FaultKind::OurMachine => Reaction::Lost(Failure::new(Reason::Monitor, "Too many open files (os error 24)")),
    }
}

impl Transport for Syncro {
    fn send<'a>(&'a self, outgoing: Outgoing<'a>) -> BoxFuture<'a, Result<Received, Lost>> {
        Box::pin(async move {
            let (latency, reaction) = self.inner().react(&outgoing);
            match reaction {
                Reaction::Answer(answer, retry_after) => {
                    sleep(latency).await;
                    Ok(Received { answer, retry_after, date: None })
                }
                Reaction::Lost(failure) => {
                    sleep(latency).await;
                    Err((None, failure))
                }
                Reaction::Silence => {
                    sleep(TIMEOUT).await;
                    Err((None, Failure::new(Reason::Timeout, "no answer in time")))
                }
            }
        })
    }
}

impl Values for Syncro {
    fn read<'a>(&'a self, source: &'a TokenSource) -> BoxFuture<'a, Result<TokenValue, Unreadable>> {
        Box::pin(async move {
            let missing = || Unreadable::Missing("the file".to_owned());
            let TokenSource::File(path) = source else { return Err(missing()) };
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let token: usize = name.trim_start_matches("token-").parse().map_err(|_| missing())?;
            let unreadable = self.inner().tokens[token].own == State::Unreadable;
            if unreadable { Err(missing()) } else { parsed(&value(token)) }
        })
    }
}
