//! One check of one token: permit, request, classify, in a fixed order. Decides nothing but when to stop asking.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::belief::{Expectation, TokenState, Verdict, judge};
use crate::catalog::PermissionId;
use crate::model::Token;
use crate::syncro::{
    Answer, Asked, CheckLane, Client, Failure, MeObservation, Observation, Part, PermissionObservations,
    ProbeObservation, Reason, Request, TokenObservation, TokenValue, UserObservation,
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
        (Some(job), MeObservation::Works(me)) if works => Some((job.user.then_some(me.user_id), job)),
        _ => None,
    };
    let seen = TokenObservation::Me { fingerprint: value.fingerprint(), observation };
    let observed = Observation { at, part: Part::Token(seen), asked: asked.into_iter().collect() };
    sender(observed, begin.elapsed(), next.is_none().then_some(end)).await;
    if let Some((user, job)) = next {
        let begin = Instant::now();
        let mut questions =
            Questions { client, token: &token, value, lane, host: Reachability::default(), asked: Vec::new() };
        let permissions = Part::Permissions(questions.permissions(job, user).await);
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

/// The requests about the permissions of one token.
struct Questions<'a> {
    client: &'a Client,
    token: &'a Token,
    value: &'a TokenValue,
    lane: CheckLane,
    host: Reachability,
    /// The requests that have been sent so far.
    asked: Vec<Asked>,
}

impl Questions<'_> {
    async fn permissions(&mut self, job: PermissionJob, user: Option<u64>) -> PermissionObservations {
        let mut observed = PermissionObservations { full: job.full, ..PermissionObservations::default() };
        if let Some(id) = user {
            observed.user = Some(match self.one(Request::User(id)).await {
                Ok(answer) => answer.user(),
                Err(failure) => UserObservation::Failed(failure),
            });
        }
        observed.probes = self.ask(job.probes).await;
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
    async fn one(&mut self, request: Request) -> Result<Answer, Failure> {
        if let Some(failure) = &self.host.gone {
            return Err(failure.clone());
        }
        let (asked, answer) = self.client.ask(&self.token.tenant, self.value, request, self.lane).await;
        self.asked.extend(asked);
        // A body that never ends delays a check as much as an answer that never begins.
        self.host.saw(answer.as_ref().map_or_else(Some, Answer::body_failure));
        answer
    }

    /// Sends all these requests, and returns what each shows of each of its permissions.
    async fn ask(&mut self, requests: Requests) -> Vec<(PermissionId, ProbeObservation)> {
        let mut observations = Vec::new();
        for (probe, shown) in requests {
            let seen = match self.one(Request::Probe(probe)).await {
                Ok(answer) => answer.probe(probe),
                Err(failure) => ProbeObservation::Failed(failure),
            };
            observations.extend(shown.into_iter().map(|permission| (permission, seen.clone())));
        }
        observations
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
