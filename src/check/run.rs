//! One check of one token: permit, request, classify, in a fixed order. Decides nothing but when to stop asking.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::belief::{Expectation, TokenState, Verdict, judge};
use crate::catalog::{Method, PermissionId, Probe};
use crate::model::Token;
use crate::syncro::{
    Answer, Asked, CheckLane, Client, Failure, MeObservation, Observation, Part, PermissionObservations,
    ProbeObservation, Reason, Record, Request, TokenObservation, TokenValue, UserObservation, UsersObservation,
};
use crate::system::clock;

use super::job::{Job, PermissionJob, Requests, WatchKey};

/// The observation of one part of a check, as soon as that part has ended.
#[derive(Debug)]
pub struct Observed {
    /// The key of the token that was checked.
    pub key: WatchKey,
    /// What this part of the check showed.
    pub observation: Observation,
    /// How long this part took, including the time in which it waited for the budget.
    pub took: Duration,
    /// The slot that is free again, if this was the last part.
    pub ended: Option<Ended>,
}

/// The end of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The lane whose slot is free again.
    pub lane: CheckLane,
    /// Whether the job was to ask for permissions too.
    pub permissions: bool,
}

/// Makes one check, and sends the observation of each part. Every request in it has a deadline of its own.
pub async fn check(client: &Client, job: Job, sender: &mpsc::Sender<Observed>) {
    let begin = Instant::now();
    match client.value(&job.token.source).await {
        Ok(value) => check_with(client, job, &value, sender).await,
        Err(unreadable) => {
            let Job { key, lane, permissions, .. } = job;
            let part = Part::Token(TokenObservation::Unreadable(unreadable));
            let observation = Observation { at: clock::now(), part, asked: Vec::new() };
            let ended = Some(Ended { lane, permissions: permissions.is_some() });
            // The receiver is dropped only when everything ends.
            sender.send(Observed { key, observation, took: begin.elapsed(), ended }).await.unwrap_or_default();
        }
    }
}

/// The same check, with a token value that has been read already.
pub(crate) async fn check_with(client: &Client, job: Job, value: &TokenValue, sender: &mpsc::Sender<Observed>) {
    let begin = Instant::now();
    let Job { key, token, lane, permissions } = job;
    let end = Ended { lane, permissions: permissions.is_some() };
    let sender = async |observation, took, ended| {
        sender.send(Observed { key, observation, took, ended }).await.unwrap_or_default();
    };
    // Everyone waits for `/me`, so it is never sent in a later lane than a validity check; only what follows it yields.
    let (asked, answer) = client.ask(&token.tenant, value, Request::Me, lane.min(CheckLane::Validity)).await;
    let at = clock::now();
    let observation = answer.map_or_else(MeObservation::Failed, |answer| answer.me());
    let expectation = Expectation { subdomain: token.tenant.subdomain.as_deref(), expires: token.expires };
    let works = judge(expectation, &observation, at) == Verdict::Is(TokenState::Valid);
    let next = match (permissions, &observation) {
        (Some(job), MeObservation::Works(me)) if works => Some((me.user_id, job)),
        _ => None,
    };
    let seen = TokenObservation::Me { fingerprint: value.fingerprint(), observation };
    let observed = Observation { at, part: Part::Token(seen), asked: asked.into_iter().collect() };
    sender(observed, begin.elapsed(), next.is_none().then_some(end)).await;
    if let Some((user, job)) = next {
        let begin = Instant::now();
        let mut questions = Questions {
            client,
            token: &token,
            value,
            lane,
            host: Reachability::default(),
            user,
            another_user: None,
            customers: None,
            records: Vec::new(),
            refused_record_zero: Vec::new(),
            asked: Vec::new(),
        };
        let permissions = Part::Permissions(questions.permissions(job).await);
        sender(Observation { at, part: permissions, asked: questions.asked }, begin.elapsed(), Some(end)).await;
    }
}

/// The number of unanswered requests in a row after which the host is given up. A request that takes too long, or whose
/// connection breaks, may be the fault of one endpoint; the next such request shows that it is the host.
const MOST_UNANSWERED: u32 = 2;

/// Whether it is worth while to send further requests to a host. What concerns only one endpoint ends nothing.
#[derive(Debug, Default)]
struct Reachability {
    /// The number of requests in a row that got no answer.
    unanswered: u32,
    /// Why no further request is sent, if none is: each would only wait in vain.
    gone: Option<Failure>,
}

impl Reachability {
    /// Takes in how a request ended: with a failure, or with an answer.
    fn saw(&mut self, failure: Option<&Failure>) {
        let reason = failure.map(|failure| failure.reason);
        self.unanswered = match reason {
            Some(Reason::Timeout | Reason::Connect) => self.unanswered + 1,
            _ => 0,
        };
        let is_gone = match reason {
            Some(Reason::Dns | Reason::Tls | Reason::Throttled | Reason::Monitor) => true,
            Some(Reason::Timeout | Reason::Connect) => self.unanswered >= MOST_UNANSWERED,
            Some(Reason::Http5xx | Reason::NotSyncro | Reason::TooLarge | Reason::Malformed) | None => false,
        };
        if is_gone {
            self.gone = failure.cloned();
        }
    }
}

/// The kind of record whose number is kept: how many customers a token sees.
const CUSTOMER: &str = "customer";

/// The requests about the permissions of one token.
pub(super) struct Questions<'a> {
    client: &'a Client,
    token: &'a Token,
    value: &'a TokenValue,
    lane: CheckLane,
    host: Reachability,
    /// The number of the user behind the token.
    user: u64,
    /// The number of another user of the account, once the list of users has named one.
    another_user: Option<u64>,
    /// How many customers the token sees, if their list said so.
    customers: Option<u64>,
    /// The records that lists have shown so far, with their kinds.
    records: Vec<(&'static str, Record)>,
    /// The permissions for which record 0 was refused in Syncro's words for a missing one.
    refused_record_zero: Vec<PermissionId>,
    /// The requests that have been sent so far.
    asked: Vec<Asked>,
}

impl Questions<'_> {
    async fn permissions(&mut self, job: PermissionJob) -> PermissionObservations {
        let mut observed = PermissionObservations { full: job.full, ..PermissionObservations::default() };
        if job.user {
            observed.user = Some(match self.one(Request::User(self.user)).await {
                Ok(answer) => answer.user(),
                Err(failure) => UserObservation::Failed(failure),
            });
        }
        self.another_user = job.another_user.filter(|user| *user != self.user);
        if let Some(mut sought) = job.users {
            sought.insert(self.user);
            let users = self.users(&sought).await;
            if let UsersObservation::Listed { listed, .. } = &users {
                self.another_user = listed.iter().copied().find(|user| *user != self.user);
            }
            observed.users = Some(users);
        }
        observed.probes = self.ask(job.probes).await;
        observed.customers = self.customers;
        observed.refused_record_zero = std::mem::take(&mut self.refused_record_zero);
        if let Some(audit) = job.audit {
            observed.audit = Some(self.ask(audit).await);
        }
        observed
    }

    /// Sends one request.
    ///
    /// # Errors
    ///
    /// There was no answer, or the host has been given up.
    pub(super) async fn one(&mut self, request: Request) -> Result<Answer, Failure> {
        if let Some(failure) = &self.host.gone {
            return Err(failure.clone());
        }
        let (asked, answer) = self.client.ask(&self.token.tenant, self.value, request, self.lane).await;
        self.asked.extend(asked);
        // A body that never ends delays a check as much as an answer that never begins.
        self.host.saw(answer.as_ref().map_or_else(Some, Answer::body_failure));
        answer
    }

    /// Whether a request changes nothing, as far as is known: it is a read, or a write to a record that does not exist.
    fn may_send(&self, probe: &Probe) -> bool {
        let found = |asked: &Asked| {
            let exists = asked.status.is_some_and(|status| (200..300).contains(&status));
            exists && asked.method == Method::Get && probe.concerns_record_of(&asked.path)
        };
        probe.method() == Method::Get || self.client.may_write(&self.token.tenant) && !self.asked.iter().any(found)
    }

    /// Sends all these requests, and returns what each shows of each of its permissions. Lists come first, since they
    /// yield records to ask for, and writes last, since a read says whether record 0 exists.
    async fn ask(&mut self, mut requests: Requests) -> Vec<(PermissionId, ProbeObservation)> {
        let rank = |probe: &Probe| (probe.method() != Method::Get, probe.lists.is_none());
        requests.sort_by_key(|(probe, _)| rank(probe));
        let mut observations = Vec::new();
        for (probe, shown) in requests {
            let record = self.record_for(probe);
            let shown = match record {
                Some(record) => self.ask_for_record(probe, record, shown, &mut observations).await,
                None => shown,
            };
            if shown.is_empty() {
                continue;
            }
            let seen = if self.may_send(probe) { self.probe(probe, &shown).await } else { ProbeObservation::NotSent };
            let seen = match seen {
                // The other permission that lets the request through has just been refused.
                ProbeObservation::LetThrough(status) if record.is_some() => ProbeObservation::Granted(status),
                seen => seen,
            };
            observations.extend(shown.into_iter().map(|permission| (permission, seen.clone())));
        }
        observations
    }

    async fn probe(&mut self, probe: &'static Probe, shown: &[PermissionId]) -> ProbeObservation {
        let of_record_zero = self.token.tenant.asks_for_record_zero(probe);
        let request = match self.another_user {
            _ if !probe.asks_of_another_user() => Request::Probe(probe),
            Some(user) => Request::OfUser(probe, user),
            None => return ProbeObservation::NotSent,
        };
        match self.one(request).await {
            Ok(answer) => {
                if let Some(kind) = &probe.lists {
                    let list = answer.list();
                    self.records.extend(list.records.into_iter().map(|record| (kind.as_str(), record)));
                    self.customers = list.total.filter(|_| kind == CUSTOMER).or(self.customers);
                }
                if of_record_zero && answer.is_refusal() && answer.names_permissions() {
                    self.refused_record_zero.extend(shown);
                }
                let seen = match probe.shown_in_body {
                    Some(evidence) => answer.probe_in_body(probe, evidence, self.user),
                    None => answer.probe(probe),
                };
                match seen {
                    // That record 0 is not there shows nothing where it is searched for before the permission is checked.
                    ProbeObservation::Granted(status @ 400..=499)
                    | ProbeObservation::LetThrough(status @ 400..=499)
                        if of_record_zero && self.token.tenant.calibrated.is_record_first(probe) =>
                    {
                        ProbeObservation::Inconclusive(status)
                    }
                    seen => seen,
                }
            }
            Err(failure) => ProbeObservation::Failed(failure),
        }
    }

    /// The record that a list of this check has shown, if it says more than record 0. The configuration may have named
    /// another one; and where a permission may be about the user's own records alone, it must not be one of these.
    fn record_for(&self, probe: &Probe) -> Option<Record> {
        let kind = probe.record.as_deref().filter(|kind| !self.token.tenant.probe_records.contains_key(kind))?;
        let mut listed = self.records.iter().filter(|(listed, _)| *listed == kind).map(|(_, record)| *record);
        listed.find(|record| !probe.is_any_of() || record.is_not_of(self.user))
    }

    /// Asks for a listed record. Returns the permissions of which that shows nothing, though record 0 may: those that are
    /// only about the user's own records, if the listed one is refused.
    async fn ask_for_record(
        &mut self,
        probe: &'static Probe,
        record: Record,
        shown: Vec<PermissionId>,
        observations: &mut Vec<(PermissionId, ProbeObservation)>,
    ) -> Vec<PermissionId> {
        let seen = match self.one(Request::Record(probe, record.id)).await {
            Ok(answer) => answer.probe_of_record(probe),
            Err(failure) => ProbeObservation::Failed(failure),
        };
        let is_own = |permission: &PermissionId| {
            let probe = permission.get().probe.as_ref();
            probe.is_some_and(|probe| probe.own_records_only)
        };
        let (own, of_all): (Vec<_>, Vec<_>) = shown.into_iter().partition(is_own);
        let is_refused = seen == ProbeObservation::OfRecord { granted: false };
        observations.extend(of_all.into_iter().map(|permission| (permission, seen.clone())));
        if is_refused {
            return own;
        }
        observations.extend(own.into_iter().map(|permission| (permission, ProbeObservation::NotSent)));
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_concerns_the_host_ends_a_check() {
        let failures = |reasons: &[Option<Reason>]| {
            let mut host = Reachability::default();
            for reason in reasons {
                host.saw(reason.map(|reason| Failure::new(reason, "x")).as_ref());
            }
            host.gone.map(|failure| failure.reason)
        };
        for reason in Reason::ALL.iter().copied() {
            let expected = matches!(reason, Reason::Dns | Reason::Tls | Reason::Throttled | Reason::Monitor);
            assert_eq!(failures(&[Some(reason)]).is_some(), expected, "{reason:?}");
        }
        let (timeout, reset) = (Some(Reason::Timeout), Some(Reason::Connect));
        assert_eq!(failures(&[timeout, timeout]), Some(Reason::Timeout));
        assert_eq!(failures(&[timeout, reset]), Some(Reason::Connect));
        assert_eq!(
            failures(&[timeout, None, timeout, None, reset]),
            None,
            "an answer between shows that the host is there"
        );
        assert_eq!(failures(&[timeout, Some(Reason::Http5xx), timeout]), None, "and so does any");
        assert_eq!(failures(&[Some(Reason::Http5xx); 20]), None);
    }
}
