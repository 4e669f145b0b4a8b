//! One look at one token: permit, request, classify, in a fixed order. Decides nothing but when to stop asking.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::belief::{Expectation, TokenState, Verdict, judge};
use crate::catalog::PermissionId;
use crate::model::Token;
use crate::syncro::{
    Answer, Asked, Client, Failure, Lane, MeObservation, Observation, Part, PermissionObservations, ProbeObservation,
    Reason, Request, TokenObservation, TokenValue, UserObservation,
};
use crate::system::clock;

use super::job::{Job, PermissionJob, Requests, WatchKey};

/// A part of a look that ended.
#[derive(Debug)]
pub struct Observed {
    /// Whose.
    pub key: WatchKey,
    /// What it brought back.
    pub observed: Observation,
    /// How long this part took, waiting for the budget included.
    pub took: Duration,
    /// What is free again, if this was the last part.
    pub ended: Option<Ended>,
}

/// A job that has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// The lane whose slot is free again.
    pub lane: Lane,
    /// Whether it was to ask for permissions too.
    pub permissions: bool,
}

/// Takes one look, part by part. Every request in it has a deadline of its own.
pub async fn check(client: &Client, job: Job, sender: &mpsc::Sender<Observed>) {
    let begin = Instant::now();
    match client.value(&job.token.source).await {
        Ok(value) => check_with(client, job, &value, sender).await,
        Err(unreadable) => {
            let Job { key, lane, permissions, .. } = job;
            let part = Part::Token(TokenObservation::Unreadable(unreadable));
            let observed = Observation { at: clock::now(), part, asked: Vec::new() };
            let ended = Some(Ended { lane, permissions: permissions.is_some() });
            // Who listens goes away only when everything ends.
            sender.send(Observed { key, observed, took: begin.elapsed(), ended }).await.unwrap_or_default();
        }
    }
}

/// The same with a value that has been read.
pub async fn check_with(client: &Client, job: Job, value: &TokenValue, sender: &mpsc::Sender<Observed>) {
    let begin = Instant::now();
    let Job { key, token, lane, permissions } = job;
    let end = Ended { lane, permissions: permissions.is_some() };
    let sender =
        async |observed, took, ended| sender.send(Observed { key, observed, took, ended }).await.unwrap_or_default();
    // `/me` is what everyone waits for; only what follows it yields.
    let (asked, answer) = client.ask(&token.tenant, value, Request::Me, lane.min(Lane::Validity)).await;
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
        let mut questions = Questions { client, token: &token, value, lane, host: Host::default(), asked: Vec::new() };
        let permissions = Part::Permissions(questions.permissions(job, user).await);
        sender(Observation { at, part: permissions, asked: questions.asked }, begin.elapsed(), Some(end)).await;
    }
}

/// How often in a row the host may not answer. One request that takes too long, or whose connection breaks, is that of one
/// endpoint; the next one that fares so shows that it is the host.
const MOST_UNANSWERED: u32 = 2;

/// Whether it is worth while to ask a host further. Whatever concerns one endpoint only ends nothing.
#[derive(Debug, Default)]
struct Host {
    /// Requests in a row that got no answer.
    unanswered: u32,
    /// Why no further request is sent, if none is: each would only wait in vain.
    gone: Option<Failure>,
}

impl Host {
    /// Takes in how a request went.
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

struct Questions<'a> {
    client: &'a Client,
    token: &'a Token,
    value: &'a TokenValue,
    lane: Lane,
    host: Host,
    /// What has been asked so far.
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

    async fn one(&mut self, request: Request) -> Result<Answer, Failure> {
        if let Some(failure) = &self.host.gone {
            return Err(failure.clone());
        }
        let (asked, answer) = self.client.ask(&self.token.tenant, self.value, request, self.lane).await;
        self.asked.extend(asked);
        // A body that never ends holds a check up as much as an answer that never begins.
        self.host.saw(answer.as_ref().map_or_else(Some, Answer::cut));
        answer
    }

    /// What each request shows of each of its permissions.
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
            let mut host = Host::default();
            for reason in reasons {
                host.saw(reason.map(|reason| Failure::new(reason, "x")).as_ref());
            }
            host.gone.map(|failure| failure.reason)
        };
        for reason in Reason::ALL {
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
