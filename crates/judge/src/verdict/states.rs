//! The states of tokens: an entry is a token that does not work.

use super::facts::Fact;
use super::{Bench, Found, Kind, SLACK, SUSPICION};
use crate::case::State;
use crate::ledger::{Change, Received};
use crate::spans::{Ms, Spans};

/// Which alerts list a token in which state.
const STATES: [(State, &[&str]); 5] = [
    (State::Refused, &["TokenRejected", "TokenExpired"]),
    (State::LockedOut, &["UserLockedOut"]),
    (State::Blocked, &["TenantBlocked"]),
    (State::WrongAccount, &["TokenWrongAccount", "TenantRenamed"]),
    (State::Unreadable, &["TokenUnreadable"]),
];
/// These take the place of `TokenExpiring`.
const END_OF_NOTICES: [&str; 4] = ["TokenExpired", "TokenRejected", "TokenRestricted", "TokenUnreadable"];

/// Whether an alert is about the state of tokens.
pub(super) fn is_of_state(alert: &str) -> bool {
    alert == "TokenRestricted" || STATES.iter().any(|(_, alerts)| alerts.contains(&alert))
}

impl Bench<'_> {
    pub(super) fn states(&mut self) {
        for token in 0..self.case.tokens.len() {
            for (state, alerts) in STATES {
                self.state(token, state, alerts);
            }
            self.end_of_notices(token);
        }
        self.renamed_true();
    }

    fn state(&mut self, token: usize, state: State, alerts: &[&str]) {
        let tenant = self.case.tokens[token].tenant;
        let mut bad = self.timeline.state(token, |known| known == state);
        // What goes on for longer than ten minutes is notified of as what it appears to be; what cannot be read is not asked.
        let refused = self.timeline.refused_for_long(tenant);
        let unreadable = self.timeline.state(token, |known| known == State::Unreadable);
        match state {
            State::Refused => bad = bad.or(&refused.without(&unreadable)),
            State::Unreadable => {}
            _ => bad = bad.without(&refused),
        }
        let fact = Fact {
            name: format!("{} {state:?}", self.token_name(token)),
            token,
            thing: "",
            alerts,
            appears_bad: match state {
                State::Refused => self.timeline.refused_unseen(tenant).or(&self.timeline.refused_from_before(tenant)),
                _ => Spans::default(),
            },
            seen: self.timeline.sees_state(token),
            free: self.world(),
            bad,
            interval: self.case.policy.validity,
            owed: &|_, _| true,
            covered: &|_, _| false,
        };
        let judged = self.fact(&fact, |received| self.may_be_replaced(token, received));
        self.take(judged);
    }

    /// `TokenRejected` gives way to `TokenExpired` when the declared expiry comes, or is taken back by the clock; every state
    /// to that of an outage that cannot be seen; all of them end when the token leaves the configuration.
    pub(super) fn may_be_replaced(&self, token: usize, received: &Received) -> bool {
        let since = self.decided_since(received.at);
        let expires = self.case.tokens[token].expires;
        let stepped = self.clock_set_between(0, received.at);
        expires.is_some_and(|expires| received.alert == "TokenRejected" && received.at >= expires)
            || expires.is_some() && stepped && ["TokenRejected", "TokenExpired"].contains(&received.alert.as_str())
            || self.timeline.refused_unseen(self.case.tokens[token].tenant).touches(since, received.at)
            || self.is_removed(token, since, received.at)
    }

    /// Whether a token was out of the configuration at any moment in between.
    pub(super) fn is_removed(&self, token: usize, from: Ms, to: Ms) -> bool {
        let configured = self.timeline.configured(token);
        !configured.contains(to) || self.world().without(configured).touches(from, to)
    }

    /// Nobody is reminded of the expiry of a token that does not work any more.
    fn end_of_notices(&mut self, token: usize) {
        let mut found: Found = Vec::new();
        let dead = self.received.iter().filter(|received| {
            received.change == Change::New
                && END_OF_NOTICES.contains(&received.alert.as_str())
                && self.is_of(received, token)
        });
        for received in dead {
            let deadline = self.put_off(received.at + SLACK);
            let notice = self
                .received
                .iter()
                .rfind(|any| any.at <= deadline && any.alert == "TokenExpiring" && self.is_of(any, token));
            let works_again = self.timeline.works(token).touches(received.at, deadline);
            if let Some(notice) = notice.filter(|notice| !notice.change.ends())
                && !works_again
                && !self.may_have_lost(notice.at, deadline)
                && deadline < self.case.end
            {
                let what = format!("{} still fires beside {}, which takes its place", notice.name(), received.name());
                found.push((Kind::WronglyResolved, deadline, what));
            }
        }
        self.find_all(found);
    }

    /// A tenant of which a token names the old subdomain has not been renamed.
    fn renamed_true(&mut self) {
        let mut found: Found = Vec::new();
        let policy = self.case.policy;
        let begun = |received: &&&Received| received.change == Change::New && received.alert == "TenantRenamed";
        for received in self.received.iter().filter(begun) {
            let since = self.decided_since(received.at);
            let from = since - policy.validity - self.patience(policy.validity) - SUSPICION;
            let old = |token: &usize| {
                self.tenant_of(*token) == received.tenant
                    && self.timeline.sees_user(*token).span_at(since).is_some_and(|(begun, _)| begun < from)
                    && self.timeline.works(*token).span_at(since).is_some_and(|(_, to)| to > received.at)
            };
            if let Some(token) = (0..self.case.tokens.len()).find(old) {
                let name = self.token_name(token);
                let what = format!("{}: {name} names the old subdomain all the time", received.name());
                found.push((Kind::False, received.at, what));
            }
        }
        self.find_all(found);
    }
}
