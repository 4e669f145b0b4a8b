//! Small builders for unit tests; compiled only into them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use tokio::time::Instant;

use crate::alert::{Affected, Alert, AlertKey, Change, Firing, Message, Notification, Severity};
use crate::belief::{Confirmation, Policy, TokenStatus};
use crate::catalog::{PermissionId, catalog};
use crate::config::{
    Address, Alerts, Auth, Authorization, Config, Format, Intervals, Only, Receiver, ReceiverKind, Schedule, Schedules,
    Shard, Storage, Syncro, Web, Webhook,
};
use crate::model::{Calibrated, Probes, Scope, Tenant, Token, TokenSource, Wanted, Zone};
use crate::notify::{DeliveryFailure, Outgoing, Post, Suspect, Taken as Took, Trouble, Verb};
use crate::state::{HistoryLine, TokenSnapshot};
use crate::syncro::{
    Failure, Me, MeObservation, Observation, Part, PermissionObservations, ProbeObservation, Reason, Right,
    TokenObservation, TokenValue,
};

/// The moment so many seconds after a fixed one.
pub(crate) fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap() + TimeDelta::seconds(seconds)
}

/// A notification that tokens are refused. All with one scope are about one alert.
pub(crate) fn notification(of: Scope, change: Change, severity: Severity) -> Notification {
    let id = format!("{}-{}", of.tenant().unwrap_or_default(), of.subject().unwrap_or_default());
    let affected = of.token_name().map(Affected::token).into_iter().collect();
    let (key, message) = (AlertKey { alert: Alert::TokenRejected, of }, Message::from("it is refused".to_owned()));
    Notification { id, key, change, severity, since: at(0), affected, acknowledged: None, message }
}

/// An alert that fires and affects this.
pub(crate) fn firing(alert: Alert, scope: Scope, severity: Severity, affected: Vec<Affected>) -> Firing {
    let line = format!("{} is so", alert.as_str());
    let mut firing = Firing::new(alert, scope, severity, at(0), at(0), affected, &[]);
    firing.message = Message::new(line, vec!["Open it".to_owned(), "Save it".to_owned()]);
    firing
}

/// A confirmation by so many observations, however close they are.
pub(crate) fn confirmed(times: u32) -> Confirmation {
    Confirmation { times, after: TimeDelta::zero() }
}

/// How observations of this token are taken in: what is seen twice is believed.
pub(crate) fn policy(token: &Token) -> Policy<'_> {
    Policy {
        user_names: true,
        token,
        confirmation: confirmed(2),
        probes: Probes::ReadOnly,
        news_for: std::time::Duration::from_hours(24),
        frozen: false,
    }
}

/// The permission of this name in the catalogue.
pub(crate) fn permission(name: &str) -> PermissionId {
    catalog().permission(name).unwrap()
}

/// A token of the tenant `acme` that requires these permissions.
pub(crate) fn token(name: &str, wanted: &[&str]) -> Token {
    let tenant = Tenant {
        name: "acme".to_owned(),
        subdomain: Some("acme".to_owned()),
        base_url: "http://127.0.0.1:1/api/v1".to_owned(),
        probe_records: BTreeMap::new(),
        calibrated: Calibrated::default(),
        zone: Zone::utc(),
    };
    let wanted = wanted.iter().map(|name| Wanted { permission: permission(name), required: true }).collect();
    Token {
        tenant: Arc::new(tenant),
        name: name.to_owned(),
        source: TokenSource::File(PathBuf::from("token")),
        next: None,
        expires: None,
        auto_rotated: false,
        ignored: Vec::new(),
        contact: None,
        note: None,
        profile: None,
        wanted,
    }
}

/// A token of which this is believed, as a snapshot has it.
pub(crate) fn token_snapshot(token: Token, status: TokenStatus) -> TokenSnapshot {
    TokenSnapshot { token: Arc::new(token), status: Arc::new(status), is_affected: false, asked: Arc::default() }
}

/// A line of the history: what was so before and after the moment at which it was seen and settled.
pub(crate) fn history_line(kind: &str, subject: Option<&str>, seconds: i64, before: &str, after: &str) -> HistoryLine {
    HistoryLine {
        id: 0,
        at: at(seconds),
        tenant: "acme".to_owned(),
        token_name: "t".to_owned(),
        kind: kind.parse().unwrap(),
        subject: subject.map(str::to_owned),
        before: before.to_owned(),
        after: after.to_owned(),
        since: at(seconds),
        evidence: None,
        shown_by: None,
    }
}

/// The default configuration, with these tokens.
pub(crate) fn config(tokens: Vec<Token>) -> Config {
    const MINUTE: std::time::Duration = std::time::Duration::from_mins(1);
    let minutes = |minutes| Schedule::Every(minutes * MINUTE);
    Config {
        web: Web {
            hosts: Vec::new(),
            listen: ([127, 0, 0, 1], 0).into(),
            external_url: None,
            health_listen: None,
            tls: None,
            auth: Auth::default(),
            insecure: false,
        },
        syncro: Syncro {
            requests_per_minute: 90.try_into().unwrap(),
            source_addresses: Vec::new(),
            timeout: std::time::Duration::from_secs(10),
            probes: Probes::ReadOnly,
            audit_excess: false,
            user_names: true,
        },
        schedule: Schedules {
            validity: minutes(5),
            permissions: minutes(60),
            at_most: std::time::Duration::from_hours(24),
            near_expiry: MINUTE,
        },
        intervals: Intervals::as_asked_for(5 * MINUTE, 60 * MINUTE),
        alerts: Alerts {
            confirmations: 2.try_into().unwrap(),
            confirm_after: std::time::Duration::from_secs(30),
            expiry_notice: [30, 14, 7, 1].map(|days| std::time::Duration::from_hours(24 * days)).into(),
            remind_every: std::time::Duration::from_hours(24),
            unreachable_after: std::time::Duration::from_mins(15),
            receivers: Vec::new(),
            heartbeat: None,
            canary: None,
        },
        storage: Storage { path: PathBuf::from("state.db"), keep: std::time::Duration::from_hours(400 * 24) },
        excluded_metrics: Arc::default(),
        maintenance: Arc::default(),
        profiles: catalog().profiles().to_vec(),
        shard: Shard::SOLE,
        tokens: tokens.into_iter().map(Arc::new).collect(),
        elsewhere: Arc::default(),
        warnings: Vec::new(),
        files: Vec::new(),
        zones: Vec::new(),
    }
}

/// An answer of `/me`, with these rights of the user.
pub(crate) fn me(rights: &[(&str, bool)]) -> Me {
    let mut rights: Vec<_> = rights.iter().map(|(name, granted)| (Right::new(name), *granted)).collect();
    rights.sort();
    let (user_id, subdomain) = (1, Some("acme".to_owned()));
    Me { user_id, user_name: None, subdomain, admin: Some(false), can_use_app: Some(true), rights }
}

/// An answer of `/me` to a token that works.
pub(crate) fn works(rights: &[(&str, bool)]) -> MeObservation {
    MeObservation::Works(me(rights))
}

/// A failure that says nothing about the token.
pub(crate) fn failure() -> Failure {
    Failure { reason: Reason::Timeout, detail: "no answer in time".to_owned() }
}

/// The observation that a validity check makes.
pub(crate) fn observed(seconds: i64, observation: MeObservation) -> Observation {
    let fingerprint = TokenValue::for_test("value").fingerprint();
    Observation {
        at: at(seconds),
        part: Part::Token(TokenObservation::Me { fingerprint, observation }),
        asked: Vec::new(),
    }
}

/// The observation that a full permission check makes.
pub(crate) fn probed(seconds: i64, probes: &[(&str, ProbeObservation)]) -> Observation {
    let probes = probes.iter().map(|(name, seen)| (permission(name), seen.clone())).collect();
    let part = Part::Permissions(PermissionObservations { full: true, probes, ..PermissionObservations::default() });
    Observation { at: at(seconds), part, asked: Vec::new() }
}

type Taken = (String, std::time::Duration, Value);

/// Receivers that accept what is posted to them, unless they were set up not to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fake {
    taken: Arc<Mutex<Vec<Taken>>>,
    pub(crate) broken: Arc<Mutex<BTreeMap<String, Trouble>>>,
    pub(crate) attempts: Arc<Mutex<Vec<(String, std::time::Duration)>>>,
    /// The bodies that a receiver refuses: those that contain this text.
    refused: Arc<Mutex<Vec<(String, String, Trouble)>>>,
    /// The longest body that is accepted, in bytes.
    pub(crate) longest: Arc<Mutex<Option<usize>>>,
    /// Whether what was accepted is not there when it is asked for.
    pub(crate) loses: Arc<Mutex<bool>>,
    /// How far the clocks of all receivers are ahead of this one.
    pub(crate) clock: Arc<Mutex<TimeDelta>>,
    start: Option<Instant>,
}

impl Fake {
    pub(crate) fn new() -> Self {
        Self { start: Some(Instant::now()), ..Self::default() }
    }

    /// The receiver accepts nothing from now on.
    pub(crate) fn breaks(&self, receiver: &str, why: DeliveryFailure) {
        self.broken.lock().unwrap().insert(receiver.to_owned(), Trouble::new(why, "it does"));
    }

    /// The receiver refuses for good what contains this text; every body contains the empty one.
    pub(crate) fn refuses(&self, receiver: &str, text: &str) {
        let trouble = Trouble { suspect: Suspect::Body, ..Trouble::new(DeliveryFailure::Refused, "it answered 400") };
        self.refused.lock().unwrap().push((receiver.to_owned(), text.to_owned(), trouble));
    }

    /// The receiver fails at what contains this text.
    pub(crate) fn stumbles(&self, receiver: &str, text: &str) {
        let trouble = Trouble::new(DeliveryFailure::Unavailable(Reason::Http5xx), "it answered 500");
        self.refused.lock().unwrap().push((receiver.to_owned(), text.to_owned(), trouble));
    }

    /// How often a delivery to the receiver was attempted.
    pub(crate) fn tried(&self, receiver: &str) -> usize {
        self.attempts.lock().unwrap().iter().filter(|(name, _)| name == receiver).count()
    }

    /// The receiver accepts everything again.
    pub(crate) fn fixes(&self, receiver: &str) {
        self.broken.lock().unwrap().remove(receiver);
        self.refused.lock().unwrap().retain(|(name, ..)| name != receiver);
    }

    /// The bodies that a receiver has accepted.
    pub(crate) fn taken(&self, receiver: &str) -> Vec<Value> {
        let taken = self.taken.lock().unwrap();
        taken.iter().filter(|(name, ..)| name == receiver).map(|(.., body)| body.clone()).collect()
    }
}

impl Post for Fake {
    async fn post(
        &mut self,
        receiver: &Arc<Receiver>,
        outgoing: Outgoing,
        _: std::time::Duration,
    ) -> Result<Took, Trouble> {
        let (name, elapsed) = (receiver.name.clone(), self.start.unwrap().elapsed());
        self.attempts.lock().unwrap().push((name.clone(), elapsed));
        if let Some(trouble) = self.broken.lock().unwrap().get(&name) {
            return Err(trouble.clone());
        }
        let clock = Some(*self.clock.lock().unwrap());
        let is_refused =
            |(refusing, text, _): &&(String, String, Trouble)| *refusing == name && outgoing.body.contains(text);
        if let Some((.., trouble)) = self.refused.lock().unwrap().iter().find(is_refused) {
            return Err(Trouble { clock, ..trouble.clone() });
        }
        if self.longest.lock().unwrap().is_some_and(|longest| outgoing.body.len() > longest) {
            let trouble = Trouble::new(DeliveryFailure::Refused, "it answered 413");
            return Err(Trouble { suspect: Suspect::Body, clock, ..trouble });
        }
        if outgoing.verb == Verb::Get {
            let last = self.taken(&name).pop().filter(|_| !*self.loses.lock().unwrap());
            return Ok(Took { clock, body: last.map_or_else(Vec::new, |body| body.to_string().into_bytes()) });
        }
        // An e-mail is no JSON.
        let body = serde_json::from_str(&outgoing.body).unwrap_or_else(|_| outgoing.body.into());
        self.taken.lock().unwrap().push((name, elapsed, body));
        Ok(Took { clock, ..Took::default() })
    }
}

/// A receiver of this kind, as it is configured.
pub(crate) fn receiver(name: &str, kind: ReceiverKind) -> Arc<Receiver> {
    Arc::new(Receiver {
        name: name.to_owned(),
        kind,
        address: Address::Url("http://127.0.0.1:1".to_owned()),
        authorization: Authorization::None,
        ca_file: None,
        identity: None,
        timeout: std::time::Duration::from_secs(10),
        only: Only::default(),
        group_wait: std::time::Duration::ZERO,
        digest: None,
    })
}

/// A webhook of this format, as it is configured.
pub(crate) fn webhook(name: &str, format: Format) -> Arc<Receiver> {
    receiver(name, ReceiverKind::Webhook(Webhook { format, put: false, headers: Vec::new(), secret_file: None }))
}
