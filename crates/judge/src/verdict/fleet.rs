//! What is so of many tenants at once, and of tenants of which nothing can be learnt.

use super::{Bench, Kind, MINUTE, SLACK, SUSPICION};
use crate::case::{FaultKind, Happening, State};
use crate::ledger::{Change, Received};
use crate::spans::{Ms, Spans};

impl Bench<'_> {
    pub(super) fn fleet(&mut self) {
        self.outages_notified();
        self.outages_true();
        self.unreachable_notified();
        self.unreachable_true();
        self.own_trouble_true();
    }

    fn is_fired(&self, alert: &str, tenant: &str, from: Ms, to: Ms) -> bool {
        let is = |received: &Received| received.alert == alert && received.tenant == tenant;
        self.fires_at(from, is)
            || self
                .received
                .iter()
                .any(|received| is(received) && received.change == Change::New && (from..=to).contains(&received.at))
    }

    /// An outage that lasts has to be notified.
    fn outages_notified(&mut self) {
        let policy = self.case.policy;
        // A refusal that nobody can see, because nothing can be learnt meanwhile, is none yet.
        let seen = self.timeline.most(|timeline, tenant| timeline.refused_all(tenant).without(&timeline.blind(tenant)));
        for (from, to) in seen.and(&self.timeline.up).iter() {
            let deadline = self.put_off(from + policy.validity + 3 * MINUTE + SLACK);
            if deadline >= to || self.clock_set_between(from, deadline) || !self.most_worked_before(from) {
                continue;
            }
            self.verdict.duties += 1;
            if !self.is_fired("SyncroOutage", "", from, deadline) {
                self.find(Kind::Missed, deadline, format!("an outage since {} s", from / 1000));
            }
        }
        let silent = self.silence(SUSPICION);
        let others = self.silent_for_other_reasons();
        let most = self.timeline.most(|_, tenant| silent[tenant].clone());
        for (from, to) in most.and(&self.timeline.up).iter() {
            let deadline = self.put_off(from + policy.unreachable_after + policy.validity + 3 * MINUTE + SLACK);
            // Who was silent before need not have been seen to answer in between, and so did not fall silent with the others.
            let again = most.touches(from - policy.validity - SLACK, from - 1);
            let fell =
                |spans: &&Spans| spans.span_at(from).is_some_and(|(begun, _)| from - begun < policy.unreachable_after);
            let together = 2 * silent.iter().filter(fell).count() > self.case.tenants.len();
            let hindered = again || others.touches(from, deadline) || self.clock_set_between(from, deadline);
            if deadline >= to || hindered || !together {
                continue;
            }
            self.verdict.duties += 1;
            if !self.is_fired("SyncroOutage", "", from, deadline) {
                self.find(Kind::Missed, deadline, format!("most tenants silent since {} s", from / 1000));
            }
        }
    }

    /// Whether over half of the tenants had a token that worked.
    fn most_worked_before(&self, at: Ms) -> bool {
        let worked = |tenant: usize| {
            self.tokens_in(tenant).any(|token| {
                let long = self.patience(self.case.policy.validity) + SUSPICION;
                let works = self.timeline.sees_user(token);
                works.span_at(at - 1).is_some_and(|(from, _)| from + long < at)
            })
        };
        let count = (0..self.case.tenants.len()).filter(|tenant| worked(*tenant)).count();
        4 * count > 3 * self.case.tenants.len()
    }

    /// When nothing could be learnt of each tenant, for a reason that is not trouble of our own, nor within `after` of such.
    fn silence(&self, after: Ms) -> Vec<Spans> {
        let own = self.faulty(after, |kind| kind == FaultKind::OurMachine);
        (0..self.case.tenants.len()).map(|tenant| self.timeline.blind(tenant).without(&own)).collect()
    }

    fn outages_true(&mut self) {
        let policy = self.case.policy;
        let silent = self.silence(0);
        let mut found = Vec::new();
        let fired =
            self.received.iter().filter(|received| received.change == Change::New && received.alert == "SyncroOutage");
        for received in fired {
            let since = self.decided_since(received.at);
            let reach = policy.validity + SLACK;
            let refused = self.timeline.outages.touches(since - reach, received.at);
            let begun = |spans: &&Spans| {
                let late = received.at - policy.unreachable_after + SLACK;
                spans.touches(since - policy.unreachable_after - reach, late)
            };
            let silent = 2 * silent.iter().filter(begun).count() > self.case.tenants.len();
            let crowd = self.crowd(since - reach - SUSPICION, received.at);
            let stepped = self.clock_set_between(since - reach, received.at);
            if !(refused || silent || crowd || stepped) {
                found.push((Kind::False, received.at, "SyncroOutage: most tenants are ok".to_owned()));
            }
        }
        self.find_all(found);
    }

    fn unreachable_notified(&mut self) {
        let policy = self.case.policy;
        let silent = self.silence(SUSPICION);
        let most = self.timeline.most(|_, tenant| silent[tenant].clone());
        let others = self.silent_for_other_reasons();
        for (tenant, spans) in silent.iter().enumerate() {
            for (from, to) in spans.and(&self.timeline.up).iter() {
                let deadline = self.put_off(from + policy.unreachable_after + policy.validity + 2 * SLACK);
                let hindered = most.touches(from - SLACK, deadline)
                    || self.timeline.outages.touches(from - SLACK, deadline)
                    || others.touches(from - SLACK, deadline)
                    || self.clock_set_between(from, deadline);
                let unreadable = self.tokens_in(tenant).all(|token| {
                    self.timeline.state(token, |state| state == State::Unreadable).touches(from, deadline)
                        || self.timeline.configured(token).span_at(from).is_none_or(|(_, to)| to <= deadline)
                });
                if deadline >= to || hindered || unreadable {
                    continue;
                }
                self.verdict.duties += 1;
                let name = self.case.tenants[tenant].clone();
                if !self.is_fired("TenantUnreachable", &name, from, deadline) {
                    self.find(Kind::Missed, deadline, format!("{name} silent since {} s", from / 1000));
                }
            }
        }
    }

    fn unreachable_true(&mut self) {
        let policy = self.case.policy;
        let silent = self.silence(0);
        let mut found = Vec::new();
        for received in self.received.iter().filter(|received| received.alert == "TenantUnreachable") {
            let Some(tenant) = self.case.tenants.iter().position(|name| *name == received.tenant) else { continue };
            let since = self.decided_since(received.at);
            let down = self.world().without(&self.timeline.up);
            let away = down.length(since - policy.unreachable_after - policy.validity, received.at);
            let reach = policy.unreachable_after + policy.validity + SLACK + away;
            let begun = silent[tenant].touches(since - reach, received.at - policy.unreachable_after + SLACK);
            let stepped = self.clock_set_between(since - reach, received.at);
            if received.change == Change::New && !begun && !stepped {
                found.push((Kind::False, received.at, format!("{}: it answered all the time", received.name())));
            }
        }
        self.find_all(found);
    }

    /// Pauses and trouble of our own are never spoken of in a world in which there were none until then.
    fn own_trouble_true(&mut self) {
        let mut found = Vec::new();
        for received in self.received.iter().filter(|received| received.change == Change::New) {
            let begun = |is: fn(&Happening) -> bool| {
                self.case.events.iter().any(|event| event.at <= received.at && is(&event.what))
            };
            let fault = |is: fn(FaultKind) -> bool| self.faulty(0, is).touches(0, received.at);
            let so = match received.alert.as_str() {
                "MonitorThrottled" => fault(|kind| matches!(kind, FaultKind::Throttled(_))),
                "MonitorImpaired" => {
                    fault(|kind| kind == FaultKind::OurMachine)
                        || begun(|what| {
                            matches!(
                                what,
                                Happening::Clock { .. } | Happening::BadDisk { .. } | Happening::SlowDisk { .. }
                            )
                        })
                }
                // Nobody is disabled, no customer is hidden, and Syncro never answers `/me` as for a missing permission.
                "UserDisabled" | "CustomersHidden" | "TokenRestricted" => false,
                _ => true,
            };
            if !so {
                found.push((Kind::False, received.at, format!("{}: nothing of the kind happened", received.name())));
            }
        }
        self.find_all(found);
    }
}
