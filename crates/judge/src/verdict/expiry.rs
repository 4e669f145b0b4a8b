//! What follows from a declared expiry.

use super::{Bench, Kind, SECOND, SLACK};
use crate::case::State;
use crate::ledger::Status;
use crate::spans::{Ms, Spans};

/// How long before its expiry a token is spoken of, in milliseconds.
const NOTICES: [Ms; 4] = [30 * DAY, 14 * DAY, 7 * DAY, DAY];
const DAY: Ms = 24 * 3600 * SECOND;

impl Bench<'_> {
    pub(super) fn expiries(&mut self) {
        if !self.timeline.clock_steps.is_empty() {
            // Which day it is depends on the clock.
            return;
        }
        for token in 0..self.case.tokens.len() {
            if let Some(expires) = self.case.tokens[token].expires {
                self.notices(token, expires);
                self.punctual(token, expires);
                self.outlived(token, expires);
            }
        }
    }

    /// Each notice is notified once.
    fn notices(&mut self, token: usize, expires: Ms) {
        let notified: Vec<Ms> = self
            .received
            .iter()
            .filter(|received| self.is_of(received, token) && received.alert == "TokenExpiring")
            .filter(|received| received.status != Status::Resolved)
            .map(|received| received.at)
            .collect();
        let due: Vec<Ms> = NOTICES.iter().map(|before| expires - before).filter(|at| *at < self.case.end).collect();
        let configured = self.timeline.configured(token).iter().count();
        if notified.len() > due.len() * configured {
            let what = format!("{}: {} notices of {}", self.token_name(token), notified.len(), due.len());
            self.find(Kind::Twice, notified.last().copied().unwrap_or_default(), what);
        }
        let here = self.timeline.up.and(self.timeline.configured(token)).without(&self.timeline.outages);
        for at in due.into_iter().filter(|at| *at > 0) {
            let deadline = self.put_off(at + SLACK);
            let undisturbed = here.span_at(at).is_some_and(|(_, to)| to > deadline);
            if undisturbed && deadline < self.case.end {
                self.verdict.duties += 1;
                if !notified.iter().any(|notified| (at - SECOND..=deadline).contains(notified)) {
                    let days = (expires - at) / DAY;
                    self.find(Kind::Missed, deadline, format!("{}: {days} days left", self.token_name(token)));
                }
            }
        }
    }

    /// At the declared expiry a check is due at once.
    fn punctual(&mut self, token: usize, expires: Ms) {
        let policy = self.case.policy;
        let refused = self.timeline.state(token, |state| state == State::Refused);
        let dies_then = refused.iter().any(|(from, _)| (expires - SECOND..=expires).contains(&from));
        let deadline = self.put_off(expires + policy.confirmations * policy.confirm_after + 30 * SECOND);
        let seen = self.timeline.sees_state(token).span_at(expires);
        let undisturbed = seen.is_some_and(|(from, to)| from < expires - 10 * SECOND && to > deadline);
        let stays = refused.span_at(deadline).is_some();
        if !(dies_then && undisturbed && stays && deadline < self.case.end) {
            return;
        }
        let others =
            |spans: Spans| spans.iter().any(|(from, _)| (expires - super::SUSPICION..deadline).contains(&from));
        let alone = (0..self.case.tokens.len())
            .filter(|other| *other != token)
            .all(|other| !others(self.timeline.state(other, |state| state != State::Works)));
        let notified = self.received.iter().any(|received| {
            self.is_of(received, token)
                && received.alert == "TokenExpired"
                && (expires..=deadline).contains(&received.at)
        });
        self.verdict.duties += u64::from(alone);
        if alone && !notified {
            let what =
                format!("{} expired at {} s, which was not notified at once", self.token_name(token), expires / 1000);
            self.find(Kind::Missed, deadline, what);
        }
    }

    /// Whoever works after the declared expiry has a wrong date in the file, and one bad check does not change that.
    fn outlived(&mut self, token: usize, expires: Ms) {
        let tenant = self.case.tokens[token].tenant;
        let works = self.timeline.state(token, |state| state == State::Works);
        let works = works.without(&self.timeline.refused_for_long(tenant));
        let outlived = works.and(&Spans::one(expires, self.case.end));
        let mine = |received: &&&crate::ledger::Received| {
            self.is_of(received, token) && received.alert == "TokenExpiryOutdated"
        };
        let mut found = Vec::new();
        for received in self.received.iter().filter(mine) {
            let since = self.decided_since(received.at);
            match received.status {
                Status::Firing if !outlived.touches(since, received.at) => {
                    found.push((
                        Kind::False,
                        received.at,
                        format!("{}: it does not work after its expiry", received.name()),
                    ));
                }
                Status::Resolved => {
                    let gone = self.case.policy.confirm_after - SECOND;
                    let over = Spans::one(expires, self.case.end).without(&outlived);
                    let reach = self.case.policy.validity + SLACK;
                    let long =
                        over.iter().any(|(from, to)| to > since - reach && from < received.at && to - from >= gone);
                    let removed = Spans::one(0, self.case.end).without(self.timeline.configured(token));
                    if !long && !removed.touches(since, received.at) {
                        found.push((
                            Kind::WronglyResolved,
                            received.at,
                            format!("{}: it still works", received.name()),
                        ));
                    }
                }
                _ => {}
            }
        }
        for (kind, at, what) in found {
            self.find(kind, at, what);
        }
    }
}
