//! When an alert begins, changes, is repeated and ends. Pure: what is wrong now is compared with the alerts that fire.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::Alerts;

use super::finding::Finding;
use super::firing::{Affected, Firing};
use super::kind::{Alert, Family, Severity};
use super::listing::{Listing, list};
use super::message::Message;
use super::notification::{AlertKey, Change, Notification};

/// What decides about alerts besides what is wrong.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a> {
    /// The configuration of alerts: how long to wait before, between and after notifications.
    pub alerts: &'a Alerts,
    /// The moment for which it is decided.
    pub now: DateTime<Utc>,
}

/// Since when each alert that could begin has waited for the checks of others that may be of the same cause.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Waiting(BTreeMap<AlertKey, DateTime<Utc>>);

/// What follows from a judgement.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// The notifications to dispatch, in order.
    pub notifications: Vec<Notification>,
    /// The next moment at which something may change although nothing new is observed.
    pub next: Option<DateTime<Utc>>,
    /// The tokens of whose expiry somebody is notified, and how many of the expiry notices that makes.
    pub noticed: Vec<(String, usize)>,
}

/// What the rules have to know of those whom the alerts are about.
pub(super) trait Subjects {
    /// Whether nothing can be said now of something that an alert lists, so that it stays listed.
    fn is_frozen(&self, firing: &Firing, affected: Option<&Affected>) -> bool;
    /// Whether nothing has been checked of what an alert lists since the program started, although that was overdue then: it
    /// may be over for long.
    fn is_behind(&self, firing: &Firing) -> bool;
    /// Whether checks are under way, or about to be made, that may change what an alert of this kind lists, or show its cause
    /// where that `is_vague`.
    fn is_pending(&self, key: &AlertKey, is_vague: bool) -> bool;
    /// What a human is to read of the alert now.
    fn message(&self, firing: &Firing) -> Message;
    /// What a human is to read at its end.
    fn ended(&self, firing: &Firing, change: Change) -> Message;
}

impl<'a> Rules<'a> {
    /// Rules for this moment.
    pub(crate) fn new(alerts: &'a Alerts, now: DateTime<Utc>) -> Self {
        Self { alerts, now }
    }

    /// How often an alert that lasts is repeated.
    pub(super) fn remind_every(&self) -> TimeDelta {
        delta(self.alerts.remind_every)
    }

    /// For how long a tenant must have been silent.
    pub(super) fn unreachable_after(&self) -> TimeDelta {
        delta(self.alerts.unreachable_after)
    }

    /// For how long an alert waits for the checks of others: they are doubted and confirmed like the first one.
    fn patience(&self) -> TimeDelta {
        /// The time that these checks may take besides.
        const SLACK: TimeDelta = TimeDelta::seconds(5);
        delta(self.alerts.confirm_after) * 2 + SLACK
    }

    /// Updates the alerts that fire to what is wrong now.
    pub(super) fn apply(
        self,
        findings: &[Finding],
        firing: &mut Vec<Firing>,
        waiting: &mut Waiting,
        subjects: &dyn Subjects,
    ) -> Outcome {
        let mut judgement = Judgement { rules: self, findings, subjects, outcome: Outcome::default() };
        let mut waits = Waiting::default();
        let begins = |key: &AlertKey, is_vague| judgement.begins((key, is_vague), waiting, &mut waits);
        let listing = list(findings, firing, |one| is_held(one, subjects), begins);
        *waiting = waits;
        judgement.outcome.next = waiting.0.values().map(|since| *since + self.patience()).min();
        judgement.carry_out(listing, firing);
        judgement.outcome
    }
}

/// One comparison of what is wrong with what fires.
struct Judgement<'a> {
    rules: Rules<'a>,
    findings: &'a [Finding],
    subjects: &'a dyn Subjects,
    outcome: Outcome,
}

impl Judgement<'_> {
    /// Whether an alert of this kind begins now. It waits a while for the checks of others of the same cause.
    fn begins(&self, (key, is_vague): (&AlertKey, bool), before: &Waiting, waits: &mut Waiting) -> bool {
        if !waits_for_others(key.alert) || !self.subjects.is_pending(key, is_vague) {
            return true;
        }
        let since = before.0.get(key).copied().unwrap_or(self.rules.now).min(self.rules.now);
        if since + self.rules.patience() <= self.rules.now {
            return true;
        }
        waits.0.insert(key.clone(), since);
        false
    }

    fn carry_out(&mut self, listing: Listing, firing: &mut Vec<Firing>) {
        let Listing { kept, has_moved, new, .. } = listing;
        let before = std::mem::take(firing);
        let mut ended = Vec::new();
        for ((mut one, kept), has_moved) in before.into_iter().zip(kept).zip(has_moved) {
            let found: Vec<_> = kept.iter().map(|index| &self.findings[*index]).collect();
            if self.goes_on(&one, &found) {
                self.update(&mut one, &found);
                firing.push(one);
            } else {
                ended.push((one, has_moved));
            }
        }
        // Whoever loses an alert to another one has that one first.
        let (superseded, resolved): (Vec<_>, Vec<_>) =
            ended.into_iter().partition(|(one, has_moved)| *has_moved || self.is_replaced(one));
        for (one, _) in resolved {
            self.end(one, Change::Resolved);
        }
        for (key, indices) in new {
            let found: Vec<_> = indices.iter().map(|index| &self.findings[*index]).collect();
            let replaced = superseded.iter().find(|(one, _)| is_in_place_of(&key, &found, one));
            let in_place_of = replaced.map(|(one, _)| (one.alert, one.id.clone()));
            self.begin(key, &found, in_place_of, firing);
        }
        for (one, _) in superseded {
            self.end(one, Change::Superseded);
        }
        let moments = firing.iter().flat_map(|one| self.moments(one));
        self.outcome.next = moments.chain(self.outcome.next).filter(|at| *at > self.rules.now).min();
    }

    /// Whether an alert still fires: something that it lists is so, or may be so. A right that goes along with what explains
    /// it does not keep the alert up.
    fn goes_on(&self, one: &Firing, found: &[&Finding]) -> bool {
        let goes_along = |finding: &&Finding| finding.is_right() && one.alert == Alert::PermissionLost;
        let is_frozen = |affected: &Affected| self.subjects.is_frozen(one, Some(affected));
        let is_whole_frozen = one.affected.is_empty() && self.subjects.is_frozen(one, None);
        found.iter().any(|finding| !goes_along(finding)) || is_whole_frozen || one.affected.iter().any(is_frozen)
    }

    /// Whether the alert of a state has taken its place: the token does not work.
    fn is_replaced(&self, one: &Firing) -> bool {
        let is_state = |finding: &Finding| {
            let concerns = finding.affected.as_ref().is_some_and(|affected| one.concerns(&affected.token_name));
            finding.alert.family() == Family::State && concerns
        };
        one.alert == Alert::TokenExpiring && self.findings.iter().any(is_state)
    }

    fn begin(
        &mut self,
        key: AlertKey,
        found: &[&Finding],
        in_place_of: Option<(Alert, String)>,
        firing: &mut Vec<Firing>,
    ) {
        let severity = found.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Warning);
        let since = found.iter().map(|finding| finding.since).min().unwrap_or(self.rules.now);
        let affected = listed(key.alert, found, Vec::new());
        let mut one = Firing::new(key.alert, key.of, severity, since, self.rules.now, affected, firing);
        one.in_place_of = in_place_of;
        one.notices = found.iter().map(|finding| finding.notices.0).max().unwrap_or_default();
        self.notify(&mut one, Change::New);
        firing.push(one);
    }

    /// Brings an alert that goes on up to date, and notifies of what has changed.
    fn update(&mut self, one: &mut Firing, found: &[&Finding]) {
        let now = self.rules.now;
        one.acknowledged.take_if(|acknowledged| acknowledged.until <= now);
        let frozen: Vec<_> =
            one.affected.iter().filter(|affected| self.subjects.is_frozen(one, Some(*affected))).cloned().collect();
        let stays = (!frozen.is_empty() || found.is_empty()).then_some(one.severity);
        let severity = found.iter().map(|finding| finding.severity).chain(stays).max().unwrap_or(one.severity);
        one.set_affected(listed(one.alert, found, frozen), now);
        let key = AlertKey { alert: one.alert, of: one.scope.clone() };
        let is_settled =
            |since: DateTime<Utc>| since + self.rules.patience() <= now || !self.subjects.is_pending(&key, false);
        if found.is_empty() {
            // Nothing can be said now of what it still lists.
            if one.changed_at.is_some_and(is_settled) {
                self.notify(one, Change::Updated);
            }
            return;
        }
        let (noticed, is_next_notice) = noticed(one, found);
        let severity = if noticed { severity } else { one.severity };
        let before = one.severity;
        if severity < before {
            // It is milder once all that may end with it has been checked.
            one.changed_at.get_or_insert(now);
        }
        let is_due = one.alert.is_reminded()
            && !one.is_acknowledged(now)
            && now - one.notified_at >= self.rules.remind_every()
            && !self.subjects.is_behind(one);
        if severity > before {
            (one.severity, one.acknowledged) = (severity, None);
            self.notify(one, Change::Escalated);
        } else if one.changed_at.is_some_and(is_settled) {
            let change = if severity < before { Change::Deescalated } else { Change::Updated };
            one.severity = severity;
            self.notify(one, change);
        } else if is_due || is_next_notice {
            self.notify(one, Change::Reminder);
        } else {
            let message = self.subjects.message(one);
            one.set_message(message);
        }
    }

    fn notify(&mut self, one: &mut Firing, change: Change) {
        one.message = self.subjects.message(one);
        one.notified(self.rules.now);
        if let (Alert::TokenExpiring, Some(token_name)) = (one.alert, one.scope.token_name()) {
            self.outcome.noticed.push((token_name.to_owned(), one.notices));
        }
        self.outcome.notifications.push(Notification::of(one, change));
    }

    fn end(&mut self, mut one: Firing, change: Change) {
        one.restore_said();
        one.message = self.subjects.ended(&one, change);
        self.outcome.notifications.push(Notification::of(&one, change));
    }

    /// When something about an alert changes by time alone.
    fn moments(&self, one: &Firing) -> impl Iterator<Item = DateTime<Utc>> {
        let acknowledged_until = one.acknowledged.as_ref().map(|acknowledged| acknowledged.until);
        let reminder = (one.alert.is_reminded() && acknowledged_until.is_none())
            .then(|| one.notified_at + self.rules.remind_every());
        let settled = one.changed_at.map(|since| since + self.rules.patience());
        reminder.into_iter().chain(settled).chain(acknowledged_until)
    }
}

/// Whether an alert that begins takes the place of one that is superseded: both are of the same kind of trouble with a token.
fn is_in_place_of(key: &AlertKey, found: &[&Finding], superseded: &Firing) -> bool {
    let family = |alert: Alert| if alert == Alert::TokenExpiring { Family::State } else { alert.family() };
    let mut tokens = found.iter().filter_map(|finding| finding.affected.as_ref());
    family(superseded.alert) == family(key.alert) && tokens.any(|affected| superseded.concerns(&affected.token_name))
}

/// Whether an alert lists a permission of which nothing can be said now.
fn is_held(one: &Firing, subjects: &dyn Subjects) -> bool {
    one.affected.iter().any(|affected| affected.permission.is_some() && subjects.is_frozen(one, Some(affected)))
}

/// Whether the expiry notices of an alert are those of now, and whether another one has come. What was added to
/// `expiry_notice` only now, for a moment long past, is no news.
fn noticed(one: &mut Firing, found: &[&Finding]) -> (bool, bool) {
    let (notices, last_at) = found.iter().map(|finding| finding.notices).max().unwrap_or_default();
    if notices > one.notices && last_at <= one.notified_at {
        return (false, false);
    }
    let before = std::mem::replace(&mut one.notices, notices);
    (true, notices > before)
}

/// What an alert lists: a token as a whole only where nothing says what it lacks.
fn listed(alert: Alert, found: &[&Finding], frozen: Vec<Affected>) -> Vec<Affected> {
    let mut affected: Vec<_> = found.iter().filter_map(|finding| finding.affected.clone()).chain(frozen).collect();
    if alert == Alert::UserChanged {
        let lacking: Vec<_> =
            affected.iter().filter(|one| one.thing().is_some()).map(|one| one.token_name.clone()).collect();
        affected.retain(|one| one.thing().is_some() || !lacking.contains(&one.token_name));
    }
    affected.sort_unstable();
    affected.dedup();
    affected
}

/// Whether an alert may be of a cause that others share, which are checked before the first message.
fn waits_for_others(alert: Alert) -> bool {
    let is_shared =
        matches!(alert, Alert::UserLockedOut | Alert::TenantBlocked | Alert::TenantRenamed | Alert::TokenWrongAccount);
    is_shared || alert.family() == Family::Access
}

pub(super) fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests;
