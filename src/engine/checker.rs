//! One look at one token: permit, request, classify, in a fixed order. Decides nothing but when to stop asking.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::catalog::PermissionId;
use crate::config::Token;
use crate::standing::{Expectation, TokenState, Verdict, judge};
use crate::syncro::{
    Answer, Asked, Client, Failure, Lane, Look, MeObservation, Part, PermissionLook, ProbeObservation, Reason, Request,
    Seen, TokenValue, UserObservation,
};
use crate::system::clock;

use super::effect::{Job, PermissionJob, Requests, WatchKey};

/// A part of a look that ended.
#[derive(Debug)]
pub struct Looked {
    /// Whose.
    pub key: WatchKey,
    /// What it brought back.
    pub look: Look,
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
pub async fn look(client: &Client, job: Job, tell: &mpsc::Sender<Looked>) {
    let begin = Instant::now();
    match TokenValue::read(&job.token.source).await {
        Ok(value) => look_with(client, job, &value, tell).await,
        Err(unreadable) => {
            let Job { key, lane, permissions, .. } = job;
            let part = Part::Token(Seen::Unreadable(unreadable));
            let look = Look { at: clock::now(), part, asked: Vec::new() };
            let ended = Some(Ended { lane, permissions: permissions.is_some() });
            // Who listens goes away only when everything ends.
            tell.send(Looked { key, look, took: begin.elapsed(), ended }).await.unwrap_or_default();
        }
    }
}

/// The same with a value that has been read.
pub async fn look_with(client: &Client, job: Job, value: &TokenValue, tell: &mpsc::Sender<Looked>) {
    let begin = Instant::now();
    let Job { key, token, lane, permissions } = job;
    let end = Ended { lane, permissions: permissions.is_some() };
    let tell = async |look, took, ended| tell.send(Looked { key, look, took, ended }).await.unwrap_or_default();
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
    let seen = Seen::Me { fingerprint: value.fingerprint(), observation };
    let look = Look { at, part: Part::Token(seen), asked: vec![asked] };
    tell(look, begin.elapsed(), next.is_none().then_some(end)).await;
    if let Some((user, job)) = next {
        let begin = Instant::now();
        let mut questions = Questions { client, token: &token, value, lane, asked: Vec::new() };
        let permissions = Part::Permissions(questions.permissions(job, user).await);
        tell(Look { at, part: permissions, asked: questions.asked }, begin.elapsed(), Some(end)).await;
    }
}

struct Questions<'a> {
    client: &'a Client,
    token: &'a Token,
    value: &'a TokenValue,
    lane: Lane,
    /// What has been asked so far.
    asked: Vec<Asked>,
}

impl Questions<'_> {
    async fn permissions(&mut self, job: PermissionJob, user: Option<u64>) -> PermissionLook {
        let mut look = PermissionLook { full: job.full, ..PermissionLook::default() };
        // Once the host does not answer, the other questions are not asked either: each would only wait in vain.
        let mut gone: Option<Failure> = None;
        if let Some(id) = user {
            let seen = match self.one(Request::User(id)).await {
                Ok(answer) => answer.user(),
                Err(failure) => UserObservation::Failed(failure),
            };
            if let UserObservation::Failed(failure) = &seen {
                gone = is_gone(failure).then(|| failure.clone());
            }
            look.user = Some(seen);
        }
        look.probes = self.ask(job.probes, &mut gone).await;
        if let Some(audit) = job.audit {
            look.audit = Some(self.ask(audit, &mut gone).await);
        }
        look
    }

    async fn one(&mut self, request: Request) -> Result<Answer, Failure> {
        let (asked, answer) = self.client.ask(&self.token.tenant, self.value, request, self.lane).await;
        self.asked.push(asked);
        answer
    }

    /// What each request shows of each of its permissions.
    async fn ask(&mut self, requests: Requests, gone: &mut Option<Failure>) -> Vec<(PermissionId, ProbeObservation)> {
        let mut observations = Vec::new();
        for (probe, shown) in requests {
            let seen = match &gone {
                Some(failure) => ProbeObservation::Failed(failure.clone()),
                None => match self.one(Request::Probe(probe)).await {
                    Ok(answer) => answer.probe(probe),
                    Err(failure) => ProbeObservation::Failed(failure),
                },
            };
            if let (None, ProbeObservation::Failed(failure)) = (&gone, &seen) {
                *gone = is_gone(failure).then(|| failure.clone());
            }
            observations.extend(shown.into_iter().map(|permission| (permission, seen.clone())));
        }
        observations
    }
}

fn is_gone(failure: &Failure) -> bool {
    match failure.reason {
        Reason::Timeout | Reason::Dns | Reason::Connect | Reason::Tls | Reason::Http5xx | Reason::Throttled => true,
        Reason::NotSyncro | Reason::TooLarge | Reason::Malformed => false,
    }
}
