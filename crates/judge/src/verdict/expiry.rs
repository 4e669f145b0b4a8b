//! What follows from a declared expiry.

use super::{Bench, Found, Kind, SECOND, SLACK};
use crate::case::State;
use crate::ledger::{Change, Received, Severity};
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
            } else {
                self.undated(token);
            }
        }
    }

    /// Each notice is notified once, the last of them as critical, and none of a token that does not work.
    fn notices(&mut self, token: usize, expires: Ms) {
        let mut found: Found = Vec::new();
        let is_notice = |received: &&&Received| {
            received.alert == "TokenExpiring"
                && [Change::New, Change::Reminder, Change::Escalated].contains(&received.change)
        };
        let given: Vec<&Received> =
            self.received.iter().filter(is_notice).filter(|received| self.is_of(received, token)).copied().collect();
        let due: Vec<Ms> = NOTICES.iter().map(|before| expires - before).filter(|at| *at < self.case.end).collect();
        let configured = self.timeline.configured(token).iter().count();
        if given.len() > due.len() * configured {
            let what = format!("{}: {} notices of {}", self.token_name(token), given.len(), due.len());
            found.push((Kind::Twice, given.last().map_or(0, |last| last.at), what));
        }
        let first = expires - NOTICES[0];
        found.extend(given.iter().filter(|received| received.at < first - SECOND).map(|received| {
            (Kind::False, received.at, format!("{}: its first notice is due at {} s", received.name(), first / 1000))
        }));
        let here = self.timeline.up.and(self.timeline.configured(token)).without(&self.timeline.outages);
        let here =
            here.and(&self.timeline.works(token).without(&self.timeline.refused_all(self.case.tokens[token].tenant)));
        for at in due.into_iter().filter(|at| *at > 0) {
            let deadline = self.put_off(at + SLACK);
            // Until it is seen to work again its notices are suppressed, however long no check gives a verdict.
            let since = at - self.case.policy.validity - SLACK;
            let since = self.as_long_seen(&self.timeline.sees_state(token), since, at);
            let undisturbed = here.span_at(at).is_some_and(|(from, to)| (from == 0 || from < since) && to > deadline);
            if undisturbed && deadline < self.case.end {
                self.verdict.duties += 1;
                let days = (expires - at) / DAY;
                match given.iter().find(|received| (at - SECOND..=deadline).contains(&received.at)) {
                    None => {
                        found.push((Kind::Missed, deadline, format!("{}: {days} days left", self.token_name(token))));
                    }
                    Some(last) if at == expires - DAY && last.severity != Severity::Critical => {
                        let what =
                            format!("{} is the last notice, and is no more than {:?}", last.name(), last.severity);
                        found.push((Kind::Change, last.at, what));
                    }
                    Some(_) => {}
                }
            }
        }
        self.find_all(found);
    }

    /// Without a date nothing follows from one.
    fn undated(&mut self, token: usize) {
        const DATED: [&str; 3] = ["TokenExpiring", "TokenExpired", "TokenExpiryOutdated"];
        let of_date = |received: &&&Received| {
            received.change == Change::New && DATED.contains(&received.alert.as_str()) && self.is_of(received, token)
        };
        let what = |received: &Received| format!("{}: no expiry is declared", received.name());
        let found = self.received.iter().filter(of_date).map(|received| (Kind::False, received.at, what(received)));
        let found: Found = found.collect();
        self.find_all(found);
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
            .all(|other| !others(self.world().without(&self.timeline.works(other))));
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
        let works = self.timeline.works(token).without(&self.timeline.refused_for_long(tenant));
        let outlived = works.and(&Spans::one(expires, self.case.end));
        let mine = |received: &&&Received| received.alert == "TokenExpiryOutdated" && self.is_of(received, token);
        let mut found: Found = Vec::new();
        for received in self.received.iter().filter(mine) {
            let since = self.decided_since(received.at);
            if received.change == Change::New && !outlived.touches(since, received.at) {
                let what = format!("{}: it does not work after its expiry", received.name());
                found.push((Kind::False, received.at, what));
            }
            if received.change.ends() {
                let gone = self.case.policy.confirm_after - SECOND;
                let over = Spans::one(expires, self.case.end).without(&outlived);
                let reach = self.case.policy.validity + SLACK;
                let long = over.iter().any(|(from, to)| to > since - reach && from < received.at && to - from >= gone);
                if !long && !self.is_removed(token, since, received.at) {
                    found.push((Kind::WronglyResolved, received.at, format!("{}: it still works", received.name())));
                }
            }
        }
        self.find_all(found);
    }
}
