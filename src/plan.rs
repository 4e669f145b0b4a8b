//! When each token is checked next, and which check yields when the budget is short. Pure: it takes `now`, and it never
//! waits.
//!
//! The pulse comes once a second, so everything here is due on whole seconds.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use sha2::{Digest, Sha256};

use crate::belief::{Confirmation, Evidence, PermissionStatus, TokenState, TokenStatus};
use crate::config::{AUDIT_INTERVAL, Config, Schedule, USER_INTERVAL};
use crate::model::Token;
use crate::syncro::{CheckLane, Reason};

/// The longest pause between attempts while checks fail, for a cron schedule. The pause doubles up to this, or up to
/// the interval of any other schedule.
const LONGEST_RETRY: Duration = Duration::from_mins(15);

/// The place in its intervals at which a token is checked. It is a hash of the token's names, so that tokens are spread
/// and each stays in its place over restarts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Phase(u64);

impl Phase {
    /// The phase of a token.
    pub(crate) fn of(token: &Token) -> Self {
        let mut hash = Sha256::new();
        hash.update(token.tenant.name.as_bytes());
        hash.update([0]);
        hash.update(token.name.as_bytes());
        let digest = hash.finalize();
        Self(digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// The offset within an interval, in whole seconds. Where one interval is a multiple of another, the token is at the same
    /// place in both, so that one `/me` serves both checks.
    fn offset(self, interval: Duration) -> i64 {
        i64::try_from(self.0 % interval.as_secs().max(1)).unwrap_or(0)
    }
}

/// The permissions that a check asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PermissionScope {
    /// All wanted permissions that can be shown, and the user's security group if an hour has passed.
    Full,
    /// Only those that were refused but are not yet believed to be missing, or that could not be probed.
    Doubtful,
}

/// When a check is due, and how urgently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    /// The moment at which it is due, on a whole second.
    pub at: DateTime<Utc>,
    /// Whether it is made before the checks that are merely scheduled.
    pub urgent: bool,
}

/// When the two checks of a token are due.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Plan {
    /// When the validity check is due, with which every check begins.
    pub validity: Due,
    /// When the permission check is due, and what it asks for; `None` unless the token works as far as it is known.
    pub permissions: Option<(Due, PermissionScope)>,
}

impl Plan {
    /// When the next check is due.
    pub(crate) fn at(&self) -> DateTime<Utc> {
        self.permissions.map_or(self.validity.at, |(due, _)| due.at.min(self.validity.at))
    }

    /// Puts off to `then` what was due before `started` and is not urgent: the daemon did not run then, and all tokens
    /// at once would be a burst. Nothing is put off beyond `expires`, the declared expiry: then a check is due at once.
    pub(crate) fn put_off(&mut self, started: DateTime<Utc>, then: DateTime<Utc>, expires: Option<DateTime<Utc>>) {
        let expires = expires.map(round_up).filter(|expires| *expires > started && *expires < then);
        for due in [Some(&mut self.validity), self.permissions.as_mut().map(|(due, _)| due)].into_iter().flatten() {
            if !due.urgent && due.at <= started {
                *due = Due { at: expires.unwrap_or(then).max(due.at), urgent: expires.is_some() };
            }
        }
    }

    /// The permissions that a check at `now` asks for besides validity, if any.
    pub(crate) fn scope(&self, now: DateTime<Utc>) -> Option<PermissionScope> {
        self.permissions.filter(|(due, _)| due.at <= now).map(|(_, scope)| scope)
    }

    /// The lane in which the requests of a check at `now` wait for the budget.
    pub(crate) fn lane(&self, now: DateTime<Utc>) -> CheckLane {
        let urgent = |due: &Due| due.urgent && due.at <= now;
        if urgent(&self.validity) || self.permissions.iter().any(|(due, _)| urgent(due)) {
            CheckLane::Urgent
        } else if self.scope(now).is_some() {
            CheckLane::Permissions
        } else {
            CheckLane::Validity
        }
    }
}

/// Plans the next check of a token. One that has never been checked is checked at `now`.
pub(crate) fn plan(token: &Token, phase: Phase, status: &TokenStatus, config: &Config, now: DateTime<Utc>) -> Plan {
    let planner = Planner { token, phase, status, config, now };
    let validity = planner.validity();
    let permissions = planner.permissions().map(|(due, scope)| {
        // Permissions are probed only after `/me` answered; while it does not, they wait for its next attempt.
        let failing = status.validity.failures > 0;
        (Due { at: if failing { due.at.max(validity.at) } else { due.at }, ..due }, scope)
    });
    Plan { validity, permissions }
}

/// When a token catches up on what was due while the daemon did not run: in its turn, within an interval of five
/// minutes, or of `sweep`, the time that the budget needs for all tokens, but never longer than `validity`, the interval of
/// the schedule.
pub(crate) fn catch_up(phase: Phase, validity: Duration, sweep: Duration, now: DateTime<Utc>) -> DateTime<Utc> {
    const SHORTEST: Duration = Duration::from_mins(5);
    let window = validity.min(sweep.max(SHORTEST));
    next_in_turn(phase, window, now)
}

/// From when on a full check of the permissions audits the token too: a day after the last audit. An overdue audit
/// comes at once if the budget suffices for all tokens before their next checks; otherwise it comes in the token's
/// turn, so that permissions do not wait behind audits.
pub(crate) fn audit_from(
    phase: Phase,
    audited: Option<DateTime<Utc>>,
    config: &Config,
    sweep: Duration,
    now: DateTime<Utc>,
) -> DateTime<Utc> {
    let from = audited.map_or(now, |at| at + delta(AUDIT_INTERVAL));
    if from > now || sweep <= config.intervals.permissions.holds {
        return from;
    }
    next_in_turn(phase, sweep.min(AUDIT_INTERVAL), now)
}

/// The next moment after `last` at which it is this token's turn within the interval.
fn next_in_turn(phase: Phase, interval: Duration, last: DateTime<Utc>) -> DateTime<Utc> {
    let seconds = i64::try_from(interval.as_secs().max(1)).unwrap_or(i64::MAX);
    let since = last.timestamp().saturating_sub(phase.offset(interval)).rem_euclid(seconds);
    last.trunc_subsecs(0) + TimeDelta::seconds(seconds - since)
}

/// What a plan is made of.
struct Planner<'a> {
    token: &'a Token,
    phase: Phase,
    status: &'a TokenStatus,
    config: &'a Config,
    now: DateTime<Utc>,
}

impl Planner<'_> {
    fn validity(&self) -> Due {
        let status = self.status;
        let Some(last) = status.validity.last_attempt else {
            return Due { at: self.now, urgent: false };
        };
        let schedule = &self.config.schedule.validity;
        let mut due = Due { at: self.slot(schedule, last), urgent: false };
        if status.validity.failures > 0 {
            due.at = due.at.min(self.retry(last, status.validity.failures, schedule));
        } else if let Some(confirmation) = self.wants_confirmation(last) {
            due = confirmation;
        }
        if let Some(expires) = self.token.expires.map(round_up)
            && last < expires
        {
            // A check at an expiry that has passed is made before whatever else was missed.
            let passed = expires <= self.now;
            let next = if passed { expires } else { expires.min(self.near_expiry(last, expires)) };
            due = if passed || next <= due.at { Due { at: next, urgent: true } } else { due };
        }
        due
    }

    /// When a token that works and was last checked at `last` is checked in the last hour before its declared expiry: that date
    /// was copied by hand, and the token may end a little before it.
    fn near_expiry(&self, last: DateTime<Utc>, expires: DateTime<Utc>) -> DateTime<Utc> {
        const NEAR: TimeDelta = TimeDelta::hours(1);
        if self.status.state != TokenState::Valid || self.status.validity.failures > 0 {
            return expires;
        }
        (expires - NEAR).max(last.trunc_subsecs(0) + delta(self.config.schedule.near_expiry))
    }

    fn permissions(&self) -> Option<(Due, PermissionScope)> {
        let status = self.status;
        if !matches!(status.state, TokenState::Valid | TokenState::Unknown) || status.doubt.is_some() {
            return None;
        }
        let Some(last) = status.permission_checks.last_attempt else {
            return Some((Due { at: self.now, urgent: false }, PermissionScope::Full));
        };
        let schedule = &self.config.schedule.permissions;
        // A partial check does not take the place of a full one, whenever it was answered.
        let full = Due { at: self.slot(schedule, status.full_check.unwrap_or(last)), urgent: false };
        if status.recheck {
            // This counts from the last permission check, and not from the validity check that found something odd:
            // validity checks may come so often that it would be put off for ever.
            return Some((self.urgent(self.after(last), last), PermissionScope::Full));
        }
        // A permission that could not be probed when it was to be confirmed waits longer and longer, as all that fails.
        let failing = status.permission_checks.failures > 0;
        let doubted = status.permissions.iter().filter(|permission| permission.evidence == Evidence::Probe);
        let doubted = doubted.filter(|permission| !(failing && permission.unseen));
        let confirmable = doubted.filter_map(|permission| permission.belief.confirmable_at(self.confirmation())).min();
        let partial = match confirmable {
            Some(at) => self.urgent(at, last),
            None if failing && status.permission_checks.reason != Some(Reason::NotSyncro) => {
                Due { at: self.retry(last, status.permission_checks.failures, schedule), urgent: false }
            }
            None => return Some((full, PermissionScope::Full)),
        };
        Some(if full.at > partial.at.max(self.now) {
            (partial, PermissionScope::Doubtful)
        } else if partial.urgent {
            // One check serves both.
            (partial, PermissionScope::Full)
        } else {
            (Due { at: full.at.min(partial.at), urgent: false }, PermissionScope::Full)
        })
    }

    /// When something bad or odd in `/me` is checked again, if it must be confirmed before it is believed. Not sooner:
    /// two checks in the same moment would confirm nothing.
    fn wants_confirmation(&self, last: DateTime<Utc>) -> Option<Due> {
        let (status, confirmation) = (self.status, self.confirmation());
        let outlived = status.worked_after_expiry;
        let outlived = (outlived > 0 && outlived < confirmation.times).then(|| self.after(last));
        let doubt = status.doubt.as_ref().map(|doubt| confirmation.next(doubt.last));
        let by_right = status.permissions.iter().filter(|permission| permission.evidence == Evidence::Right);
        let beliefs = status.user.iter().map(|user| &user.admin);
        let beliefs = beliefs.chain(status.rights.iter().map(|right| &right.belief));
        let beliefs = beliefs.chain(by_right.map(|permission| &permission.belief));
        let doubted = beliefs.filter_map(|belief| belief.confirmable_at(confirmation));
        doubted.chain(doubt).chain(outlived).min().map(|at| self.urgent(at, last))
    }

    fn confirmation(&self) -> Confirmation {
        Confirmation::of(&self.config.alerts)
    }

    /// The least distance of a confirmation after a check.
    fn after(&self, last: DateTime<Utc>) -> DateTime<Utc> {
        self.confirmation().next(last)
    }

    /// A confirmation that counts from `at` on; what the check at `last` did not bring is tried again after as long.
    fn urgent(&self, at: DateTime<Utc>, last: DateTime<Utc>) -> Due {
        Due { at: round_up(if at > last { at } else { self.after(last) }), urgent: true }
    }

    /// When a check is tried again after so many failures in a row, the last of them at `last`.
    fn retry(&self, last: DateTime<Utc>, failures: u32, schedule: &Schedule) -> DateTime<Utc> {
        let longest = match schedule {
            Schedule::Every(interval) => *interval,
            Schedule::Cron { .. } => LONGEST_RETRY,
        };
        let shortest = self.config.alerts.confirm_after.max(Duration::from_secs(1));
        let doublings = failures.saturating_sub(1).min(16);
        last.trunc_subsecs(0) + delta(shortest.saturating_mul(1 << doublings).min(longest))
    }

    /// The next scheduled moment after the last attempt.
    fn slot(&self, schedule: &Schedule, last: DateTime<Utc>) -> DateTime<Utc> {
        match schedule {
            Schedule::Every(interval) => next_in_turn(self.phase, *interval, last),
            Schedule::Cron { .. } => schedule.next_occurrence(last).unwrap_or(DateTime::<Utc>::MAX_UTC),
        }
    }
}

/// Whether a full check at `now` asks for the user's security group: at most once an hour, or when it may have changed.
pub(crate) fn wants_user(status: &TokenStatus, now: DateTime<Utc>) -> bool {
    /// A check that comes every hour may begin a little less than an hour after one that was delayed.
    const SLACK: TimeDelta = TimeDelta::seconds(60);
    let user = status.user.as_ref();
    let asked = user.filter(|user| user.doubted_at.is_none()).and_then(|user| user.group_asked);
    asked.is_none_or(|asked| now - asked >= delta(USER_INTERVAL) - SLACK)
}

/// Whether a check of the doubtful permissions asks for this one again.
pub(crate) fn is_doubtful(permission: &PermissionStatus) -> bool {
    permission.unseen || permission.evidence == Evidence::Probe && permission.belief.doubts() > 0
}

fn round_up(moment: DateTime<Utc>) -> DateTime<Utc> {
    let whole = moment.trunc_subsecs(0);
    if whole == moment { whole } else { whole + TimeDelta::seconds(1) }
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests;
