//! What is so of one token: its state, its permissions, the rights of its user.

use super::{Bench, Kind, SECOND, SLACK, SUSPICION};
use crate::case::{Happening, State};
use crate::ledger::{Received, Status};
use crate::spans::{Ms, Spans};

const STATES: [(State, &[&str]); 5] = [
    (State::Refused, &["TokenRejected", "TokenExpired"]),
    (State::LockedOut, &["TokenUserLockedOut"]),
    (State::Blocked, &["TokenBlocked"]),
    (State::WrongAccount, &["TokenWrongAccount"]),
    (State::Unreadable, &["TokenUnreadable"]),
];
const PERMISSION: [&str; 2] = ["PermissionLost", "PermissionMissing"];
const RIGHT: &str = "SecurityGroupRightLost";

/// Something that is bad at times, and how it is notified of.
struct Fact<'f> {
    /// In words.
    name: String,
    /// When it is so.
    bad: Spans,
    /// When it appears so, and nothing shows that it is not.
    appears_bad: Spans,
    /// When the user came into another security group.
    moves: Vec<Ms>,
    /// Whether the user ceased to be a Global Admin, whom no security group restricts, at a moment, and somebody was notified
    /// of that until another.
    demoted: &'f dyn Fn(Ms, Ms) -> bool,
    /// When the monitor can see whether it is so.
    seen: Spans,
    /// The interval at which it is checked.
    interval: Ms,
    /// Whether a notification reports this fact itself.
    reports: &'f dyn Fn(&Received) -> bool,
    /// Whether it reports it together with the same of others: from when on, and whether it began after that.
    covers: &'f dyn Fn(&Received) -> bool,
    /// Whether it is about the same loss of any security group of the tenant.
    of_group: &'f dyn Fn(&Received) -> bool,
}

impl Bench<'_> {
    pub(super) fn states(&mut self) {
        for token in 0..self.case.tokens.len() {
            for (state, alerts) in STATES {
                let mut bad = self.timeline.state(token, |known| known == state);
                // What goes on for longer than ten minutes is notified of as what it appears to be; what cannot be read is not asked.
                let refused = self.timeline.refused_for_long(self.case.tokens[token].tenant);
                let unreadable = self.timeline.state(token, |known| known == State::Unreadable);
                match state {
                    State::Refused => bad = bad.or(&refused.without(&unreadable)),
                    State::Unreadable => {}
                    _ => bad = bad.without(&refused),
                }
                let reports =
                    |received: &Received| self.is_of(received, token) && alerts.contains(&received.alert.as_str());
                let fact = Fact {
                    name: format!("{} {state:?}", self.token_name(token)),
                    appears_bad: match state {
                        State::Refused => self.timeline.refused_unseen(self.case.tokens[token].tenant),
                        _ => Spans::default(),
                    },
                    moves: Vec::new(),
                    demoted: &|_, _| false,
                    seen: self.timeline.sees_state(token),
                    bad,
                    interval: self.case.policy.validity,
                    reports: &reports,
                    covers: &|_| false,
                    of_group: &|_| false,
                };
                let found = self.fact(&fact, |received| self.may_be_replaced(token, received));
                self.take(found);
            }
        }
    }

    /// `TokenRejected` gives way to `TokenExpired` when the declared expiry comes, or is taken back by the clock; every state
    /// to that of an outage that cannot be seen; all of them end when the token leaves the configuration.
    fn may_be_replaced(&self, token: usize, received: &Received) -> bool {
        let expires = self.case.tokens[token].expires;
        let stepped = self.clock_set_between(0, received.at);
        expires.is_some_and(|expires| received.alert == "TokenRejected" && received.at >= expires)
            || expires.is_some() && stepped && ["TokenRejected", "TokenExpired"].contains(&received.alert.as_str())
            || self
                .timeline
                .refused_unseen(self.case.tokens[token].tenant)
                .touches(self.decided_since(received.at), received.at)
            || !self.timeline.configured(token).contains(received.at)
            || Spans::one(0, self.case.end)
                .without(self.timeline.configured(token))
                .touches(self.decided_since(received.at), received.at)
    }

    pub(super) fn permissions(&mut self) {
        for token in 0..self.case.tokens.len() {
            for permission in self.case.tokens[token].wanted.clone() {
                let known = &self.case.permissions[permission];
                let has = match known.probe {
                    Some(_) => self.timeline.has(token, permission),
                    None => self.timeline.user_has(token, permission),
                };
                let of = |received: &Received| {
                    PERMISSION.contains(&received.alert.as_str()) && received.subject == known.name
                };
                self.shared_fact(token, permission, known.name, &has, self.case.policy.permissions, &of);
            }
        }
    }

    pub(super) fn rights(&mut self) {
        for token in 0..self.case.tokens.len() {
            for permission in 0..self.case.permissions.len() {
                let Some(right) = self.case.permissions[permission].right else { continue };
                let has = self.timeline.user_has(token, permission);
                let of = |received: &Received| received.alert == RIGHT && received.subject == right;
                self.shared_fact(token, permission, right, &has, self.case.policy.validity, &of);
            }
        }
    }

    /// A fact that one notification may report for several tokens of a security group.
    fn shared_fact(
        &mut self,
        token: usize,
        permission: usize,
        name: &str,
        has: &Spans,
        interval: Ms,
        of: &dyn Fn(&Received) -> bool,
    ) {
        let world = Spans::one(0, self.case.end);
        let bad = world.without(has);
        let tenant = self.tenant_of(token).to_owned();
        let reports = |received: &Received| of(received) && self.is_of(received, token);
        let of_group = |received: &Received| {
            let by_group = received.alert == RIGHT || received.cause == "security_group";
            of(received) && by_group && received.tenant == tenant
        };
        let covers = |received: &Received| of_group(received) && self.same_group(received, token);
        let demoted = |onset: Ms, deadline: Ms| {
            let notified = |received: &Received| received.alert == "GlobalAdminLost" && self.is_of(received, token);
            self.timeline.admin(token).iter().any(|(_, to)| to == onset) && self.fires_at(deadline, notified)
        };
        let fact = Fact {
            name: format!("{} lacks {name}", self.token_name(token)),
            appears_bad: Spans::default(),
            moves: (0..self.case.groups)
                .flat_map(|group| self.timeline.in_group(token, group).iter().map(|(from, _)| from).collect::<Vec<_>>())
                .collect(),
            demoted: &demoted,
            seen: self.timeline.sees_permission(token, permission),
            bad,
            interval,
            reports: &reports,
            covers: &covers,
            of_group: &of_group,
        };
        let found = self.fact(&fact, |received| self.may_be_replaced(token, received));
        self.take(found);
        let named = self.names_others(token, permission, name, of);
        self.take((named, 0, Vec::new()));
    }

    /// Whether the user of the token that a notification is about was, when it may have been decided, in the group of
    /// this token's user.
    fn same_group(&self, received: &Received, token: usize) -> bool {
        let Some(other) = self.token_of(received) else { return false };
        let (from, to) = (self.decided_since(received.at), received.at);
        (0..self.case.groups).any(|group| {
            self.timeline.in_group(token, group).touches(from, to)
                && self.timeline.in_group(other, group).touches(from, to)
        })
    }

    /// Who is named in a notification as affected must be; the group that is accused must be the user's own.
    fn names_others(
        &self,
        token: usize,
        permission: usize,
        name: &str,
        of: &dyn Fn(&Received) -> bool,
    ) -> Vec<(Kind, Ms, String)> {
        let mut found = Vec::new();
        let fired = self.received.iter().filter(|received| of(received) && self.is_of(received, token));
        for received in fired.filter(|received| received.status == Status::Firing && received.cause == "security_group")
        {
            let reach = self.case.policy.permissions + self.patience(self.case.policy.permissions);
            let since = self.decided_since(received.at) - reach;
            let lacks = |token: usize| {
                Spans::one(0, self.case.end)
                    .without(&self.timeline.user_has(token, permission))
                    .touches(since, received.at)
            };
            // Who belongs to a group is read once an hour.
            let was_in_group = |token: usize| {
                (0..self.case.groups).any(|group| {
                    let edges = self.timeline.in_group(token, group);
                    received.group == format!("group-{group}")
                        && edges.iter().any(|(_, to)| (since - 3600 * SECOND..=received.at).contains(&to))
                })
            };
            for other in (0..self.case.tokens.len()).filter(|other| *other != token) {
                let same_tenant = self.case.tokens[other].tenant == self.case.tokens[token].tenant;
                let named = received.message.contains(&format!("`{}`", self.case.tokens[other].name));
                if same_tenant && named && !lacks(other) && !was_in_group(other) {
                    let other = self.token_name(other);
                    found.push((
                        Kind::False,
                        received.at,
                        format!("{} names {other}, which has {name}", received.name()),
                    ));
                }
            }
            // The group of the user at the onset of the loss or later, never the one before. Of several losses it is any
            // that was there when it may have been decided, for what waits for its receiver may be about the first.
            let losses = Spans::one(0, self.case.end).without(&self.timeline.user_has(token, permission));
            let begun = |by: Ms| losses.iter().map(|(from, _)| from).filter(move |from| *from <= by);
            let onset = begun(self.decided_since(received.at)).last().or_else(|| begun(received.at).next());
            let onset = onset.unwrap_or(since);
            let right_group = received.group.is_empty()
                || (0..self.case.groups).any(|group| {
                    received.group == format!("group-{group}")
                        && self.timeline.in_group(token, group).touches(onset.min(received.at), received.at)
                });
            if !right_group {
                found.push((Kind::False, received.at, format!("{} accuses {}", received.name(), received.group)));
            }
        }
        found
    }

    /// The moment until which one has to go back from `at` to have seen the user of a token for as long as if it had been
    /// seen since `since`: while the token does not work, or Syncro does not answer, a user moves unseen.
    fn seen_since(&self, token: usize, since: Ms, at: Ms) -> Ms {
        let works = self.timeline.state(token, |state| state == State::Works);
        let unseen = Spans::one(0, self.case.end).without(&self.timeline.sees_state(token).and(&works));
        let mut from = since;
        while from > 0 && since - unseen.length(from, at) < from {
            from = since - unseen.length(from, at);
        }
        from
    }

    pub(super) fn users(&mut self) {
        let policy = self.case.policy;
        let reach = policy.permissions + 3600 * SECOND + self.patience(policy.permissions);
        let mut found = Vec::new();
        for received in self.received.iter().filter(|received| received.status == Status::Firing) {
            let Some(token) = self.token_of(received) else { continue };
            let since =
                self.decided_since(received.at) - reach - policy.remind_every - self.set_back_before(received.at);
            let since = self.seen_since(token, since, received.at);
            let changed = match received.alert.as_str() {
                "SecurityGroupChanged" => (0..self.case.groups).any(|group| {
                    let edges = self.timeline.in_group(token, group);
                    edges.iter().any(|(from, to)| [from, to].iter().any(|edge| (since..=received.at).contains(edge)))
                }),
                "GlobalAdminLost" => {
                    self.timeline.admin(token).iter().any(|(_, to)| (since..=received.at).contains(&to))
                }
                _ => continue,
            };
            if !changed {
                found.push((Kind::False, received.at, format!("{}: nothing of the kind happened", received.name())));
            }
        }
        self.take((found, 0, Vec::new()));
    }

    /// By how much the clock was set back until then: what happened so long before may appear new once more.
    fn set_back_before(&self, at: Ms) -> Ms {
        let mut offset = 0;
        let steps = self.case.events.iter().filter(|event| event.at <= at).filter_map(|event| match event.what {
            Happening::Clock { offset } => Some(offset),
            _ => None,
        });
        let back = steps.map(|next| std::mem::replace(&mut offset, next) - next).filter(|back| *back > 0);
        back.filter(|back| *back <= self.case.end).sum()
    }

    fn take(&mut self, (found, duties, delays): Found) {
        for (kind, at, what) in found {
            self.find(kind, at, what);
        }
        self.verdict.duties += duties;
        self.verdict.delays.extend(delays);
    }

    fn fact(&self, fact: &Fact<'_>, may_end: impl Fn(&Received) -> bool) -> Found {
        let mut found = Vec::new();
        let (duties, delays) = self.missed(fact, &mut found);
        self.untrue(fact, &mut found);
        self.ends(fact, may_end, &mut found);
        (found, duties, delays)
    }

    /// Whether so many tenants turned bad around a moment that an outage may be suspected.
    fn crowded(&self, from: Ms, to: Ms) -> bool {
        self.case.tenants.len() >= 4 && self.crowd(from, to)
    }

    /// Whatever was bad and could be seen for long enough had to be notified of in time.
    fn missed(&self, fact: &Fact<'_>, found: &mut Vec<(Kind, Ms, String)>) -> (u64, Vec<Ms>) {
        let (mut duties, mut delays) = (0, Vec::new());
        for (from, to) in fact.bad.and(&fact.seen).iter() {
            let onset = fact.bad.span_at(from).map_or(from, |(onset, _)| onset);
            let mut patience = self.patience(fact.interval);
            if self.crowded(from - patience, from + patience) {
                patience += SUSPICION;
            }
            if self.clock_set_between(from - patience, from + patience) {
                patience += fact.interval;
            }
            let deadline = self.put_off(from + patience);
            if deadline >= to {
                continue;
            }
            duties += 1;
            let in_time =
                |received: &&&Received| (onset..=deadline).contains(&received.at) && received.status == Status::Firing;
            let first = self
                .received
                .iter()
                .filter(in_time)
                .find(|received| (fact.reports)(received) || (fact.covers)(received));
            let fires = self.fires_at(from, fact.reports);
            // What need not have been seen to be otherwise joins what fires already for its group, and so does whoever came to
            // it, or came to be restricted by it and is said to be so.
            let may_join = !was_known_good(fact, onset, patience) || (fact.demoted)(onset, deadline);
            let joins = may_join && self.fires_at(deadline, fact.covers)
                || fact.moves.contains(&onset) && self.fires_at(deadline, fact.of_group);
            match first {
                Some(received) if onset == from && deadline == from + patience => delays.push(received.at - from),
                Some(_) => {}
                None if fires || joins => {}
                None => found.push((Kind::Missed, deadline, format!("{} since {} s", fact.name, onset / 1000))),
            }
        }
        (duties, delays)
    }

    /// Whatever is notified of must have been seen twice, the least distance apart.
    fn untrue(&self, fact: &Fact<'_>, found: &mut Vec<(Kind, Ms, String)>) {
        let policy = self.case.policy;
        for received in
            self.received.iter().filter(|received| received.status == Status::Firing && (fact.reports)(received))
        {
            let since = self.decided_since(received.at);
            if self.clock_set_between(since - fact.interval, received.at)
                || fact.appears_bad.touches(since, received.at)
            {
                continue;
            }
            // What is believed when first observed may be the refusal of a token that was revoked in the middle of a check.
            let stopped = |token| self.turned_bad(token, since, received.at);
            let revoked = policy.confirmations <= 1 && self.token_of(received).is_some_and(stopped);
            if revoked && PERMISSION.contains(&received.alert.as_str()) {
                continue;
            }
            let Some(last) = fact.bad.iter().filter(|(from, _)| *from <= received.at).map(|(_, to)| to).last() else {
                found.push((Kind::False, received.at, format!("{}: {} is not so", received.name(), fact.name)));
                continue;
            };
            let last = last.min(received.at);
            let hidden = Spans::one(0, self.case.end).without(&fact.seen).length(since - fact.interval, received.at);
            let reach = fact.interval + self.patience(fact.interval) + hidden + SUSPICION;
            let confirmed = policy.confirmations <= 1
                || fact.bad.touches(since.min(last) - reach, last - policy.confirm_after + SECOND);
            if last < since || !confirmed {
                found.push((Kind::False, received.at, format!("{}: {} is not so", received.name(), fact.name)));
            }
        }
    }

    /// An end must be one, and one that is must be notified.
    fn ends(&self, fact: &Fact<'_>, may_end: impl Fn(&Received) -> bool, found: &mut Vec<(Kind, Ms, String)>) {
        let world = Spans::one(0, self.case.end);
        let good = world.without(&fact.bad);
        for received in
            self.received.iter().filter(|received| received.status == Status::Resolved && (fact.reports)(received))
        {
            if !good.touches(self.decided_since(received.at), received.at) && !may_end(received) {
                found.push((Kind::WronglyResolved, received.at, format!("{}: {} still", received.name(), fact.name)));
            }
        }
        for (from, to) in good.and(&fact.seen).iter() {
            let deadline = self.put_off(from + self.patience(fact.interval) + SLACK);
            let stepped = self.clock_set_between(from - SLACK, deadline);
            // An alert that is notified of for others too lasts as long as theirs.
            let alone = |received: &&Received| received.cause != "security_group" && received.alert != RIGHT;
            let fires = |received: &&Received| {
                received.status != Status::Resolved && !self.may_have_lost(received.at, deadline)
            };
            let last = self.last_of_each(deadline, fact.reports);
            if deadline < to && !stepped && last.filter(alone).any(|received| fires(&received)) {
                found.push((Kind::WronglyResolved, deadline, format!("{}: over, and nobody was notified", fact.name)));
            }
        }
    }
}

/// What was found, how many duties there were, and how long they took.
type Found = (Vec<(Kind, Ms, String)>, u64, Vec<Ms>);

/// Whether the monitor had the time to see, just before, that it was not so.
fn was_known_good(fact: &Fact<'_>, onset: Ms, patience: Ms) -> bool {
    let good = Spans::one(0, onset).without(&fact.bad);
    let before = good.and(&fact.seen);
    good.iter().last().is_some_and(|(from, _)| before.length(from, onset) > patience)
}
