//! When an alert fires, is held, reminded and resolved. Pure: what a standing says now is compared with what fires.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::{Alerts, Token, TokenId};
use crate::standing::{LONGEST_OUTAGE as OUTAGE, Outage, Standing, TokenState};

use super::conditions::{Condition, permissions, state};
use super::neighbours::{Neighbour, is_of_group, represents_group};
use super::{Alert, AlertKey, Firing, Notice, Severity, Status, Words, words};

/// What decides.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The configured patience.
    pub alerts: &'a Alerts,
    /// The present.
    pub now: DateTime<Utc>,
    /// Whether everything is held for now: nothing fires, is reminded of or resolves.
    pub held: bool,
    /// Whether a check is due that may change what is believed of the security group: no alert of it begins before.
    pub awaits_check: bool,
}

impl<'a> Rules<'a> {
    /// Rules that hold nothing up.
    pub fn new(alerts: &'a Alerts, now: DateTime<Utc>) -> Self {
        Self { alerts, now, held: false, awaits_check: false }
    }
}

/// Brings what fires for one token up to what its standing says; returns what is to be told. What a neighbour tells
/// already of their security group is not told again, and what is told for neighbours too lasts as long as theirs does.
#[must_use]
pub fn token_alerts(
    rules: Rules<'_>,
    token: &Token,
    standing: &Standing,
    neighbours: &[Neighbour<'_>],
    firing: &mut Vec<Firing>,
) -> Vec<Notice> {
    if rules.held {
        return Vec::new();
    }
    let expiring = firing.iter().find(|known| known.alert == Alert::TokenExpiring);
    let mut conditions: Vec<Condition> = state(token, standing).into_iter().collect();
    conditions.extend(rules.expiring(token, standing, expiring));
    conditions.extend(rules.outdated(token, standing));
    let held = standing.state != TokenState::Valid;
    if !held {
        conditions.extend(permissions(token, standing));
        conditions.extend(rules.user(token, standing));
    }
    let waits = rules.waits_for_group(standing).is_some();
    for due in conditions.iter_mut().filter(|due| is_of_group(due.alert, &due.words)) {
        due.may_begin &= !waits && !rules.awaits_check;
    }
    // Nobody is spoken of together with others whom the same group may no longer concern, once its permissions have been
    // checked since.
    let is_in_group = standing.current_group().is_some() || waits || standing.look_again;
    let peers = if is_in_group { neighbours } else { &[] };
    conditions.retain_mut(|due| due.speaks_for(peers, firing));
    let is_held = |known: &Firing| {
        let of_group = is_of_group(known.alert, &known.words);
        held && known.alert.is_held_while_not_valid()
            || of_group && neighbours.iter().any(|other| other.suffers(known.alert, known.subject.as_deref()))
    };
    rules.reconcile(&token.id(), conditions, firing, is_held, &ended(token, standing))
}

/// What is known of a tenant as a whole.
#[derive(Debug, Clone, Copy)]
pub struct Tenancy<'a> {
    /// The tenant's name.
    pub tenant: &'a str,
    /// Since when no token of it has given a verdict, and why the last look failed; `None` if one has.
    pub silent: Option<(DateTime<Utc>, &'static str)>,
}

/// The same for a tenant as a whole.
#[must_use]
pub fn tenant_alerts(rules: Rules<'_>, tenancy: Tenancy<'_>, firing: &mut Vec<Firing>) -> Vec<Notice> {
    if rules.held {
        return Vec::new();
    }
    // What fires ends with a verdict only.
    let fires = firing.iter().any(|known| known.alert == Alert::TenantUnreachable);
    let condition = tenancy.silent.filter(|(since, _)| fires || *since + rules.unreachable_after() <= rules.now);
    let condition = condition.map(|(since, reason)| {
        let words = words::unreachable(tenancy.tenant, since, reason);
        Condition::new(Alert::TenantUnreachable, Severity::Warning, since, words)
    });
    let of = TokenId::of_tenant(tenancy.tenant);
    rules
        .reconcile(&of, condition.into_iter().collect(), firing, |_| false, &|_| Cow::Borrowed("a look gave a verdict"))
}

/// The same for all tenants together; `before` is what was going on.
#[must_use]
pub fn fleet_alerts(
    rules: Rules<'_>,
    outage: Option<&Outage>,
    before: Option<&Outage>,
    firing: &mut Vec<Firing>,
) -> Vec<Notice> {
    let condition = outage
        .filter(|outage| outage.is_certain())
        .map(|outage| Condition::new(Alert::SyncroOutage, Severity::Critical, outage.since(), words::outage(outage)));
    let overruled = before.is_some_and(|before| before.freezes() && rules.now - before.since() >= OUTAGE);
    let why = if overruled { "ten minutes of looking say that it is the tokens" } else { "it has passed" };
    let of = TokenId::of_fleet();
    let of_others = |known: &Firing| known.alert.is_of_monitor();
    rules.reconcile(&of, condition.into_iter().collect(), firing, of_others, &|_| Cow::Borrowed(why))
}

/// The next moment at which something may have to be told although nothing new is seen.
pub fn next_change(rules: Rules<'_>, token: &Token, standing: &Standing, firing: &[Firing]) -> Option<DateTime<Utc>> {
    let held = standing.state != TokenState::Valid;
    let reminders = firing
        .iter()
        .filter(|known| is_reminded(known.alert) && !(held && known.alert.is_held_while_not_valid()))
        .map(|known| known.told_at + rules.remind_every());
    let notices = token.expires.into_iter().flat_map(|expires| {
        rules.alerts.expiry_notice.iter().filter_map(move |notice| expires.checked_sub_signed(delta(*notice)))
    });
    let user = standing.user.as_ref();
    let news = user.and_then(|user| user.group_change.as_ref()).map(|change| change.at);
    let news = news.into_iter().chain(user.filter(|user| user.admin.lost).map(|user| user.admin.since));
    let news = news.map(|at| at + rules.remind_every());
    let group = rules.waits_for_group(standing);
    reminders.chain(notices).chain(news).chain(group).filter(|at| *at > rules.now).min()
}

/// Whether an alert is told again every `remind_every`. Expiry has notices of its own, and news is no news the next day.
fn is_reminded(alert: Alert) -> bool {
    !matches!(alert, Alert::TokenExpiring | Alert::SecurityGroupChanged | Alert::GlobalAdminLost)
}

impl Rules<'_> {
    fn remind_every(&self) -> TimeDelta {
        delta(self.alerts.remind_every)
    }

    fn unreachable_after(&self) -> TimeDelta {
        delta(self.alerts.unreachable_after)
    }

    /// Until when nobody is told of the security group, because it is being read whether the user is still in it.
    fn waits_for_group(&self, standing: &Standing) -> Option<DateTime<Utc>> {
        /// What the two checks that follow may take besides.
        const SLACK: TimeDelta = TimeDelta::seconds(5);
        let doubted_at = standing.user.as_ref()?.doubted_at?;
        let until = doubted_at + delta(self.alerts.confirm_after) * 2 + SLACK;
        (self.now < until).then_some(until)
    }

    /// `TokenExpiring` begins while the expiry is still ahead, and lasts until the date is moved.
    fn expiring(&self, token: &Token, standing: &Standing, known: Option<&Firing>) -> Option<Condition> {
        let expires = token.expires.filter(|_| !token.auto_rotated)?;
        let moments = self.alerts.expiry_notice.iter().map(|notice| expires.checked_sub_signed(delta(*notice)));
        let passed = moments.clone().filter(|from| from.is_none_or(|from| from <= self.now));
        let notices = passed.clone().count();
        let first = self.alerts.expiry_notice.first()?;
        if notices == 0 || (expires <= self.now && known.is_none()) {
            return None;
        }
        let last = notices == self.alerts.expiry_notice.len();
        // One that is configured only now, for a moment long past, is no news.
        let is_news = known.is_none_or(|known| passed.flatten().any(|from| from > known.told_at));
        let notices = if is_news { notices } else { known.map_or(0, |known| known.notices) };
        let severity = if last { Severity::Critical } else { Severity::Warning };
        let since = expires.checked_sub_signed(delta(*first)).unwrap_or(self.now);
        let words = words::expiring(token, standing, expires, self.now);
        Some(Condition { notices, ..Condition::new(Alert::TokenExpiring, severity, since, words) })
    }

    fn outdated(&self, token: &Token, standing: &Standing) -> Option<Condition> {
        let expires = token.expires.filter(|expires| *expires <= self.now && !token.auto_rotated)?;
        let confirmed = standing.worked_after_expiry >= self.alerts.confirmations.get();
        (confirmed && standing.state == TokenState::Valid).then(|| {
            let words = words::outdated(token, standing, expires);
            Condition::new(Alert::TokenExpiryOutdated, Severity::Warning, expires, words)
        })
    }

    /// Alerts about the user behind a token.
    fn user(&self, token: &Token, standing: &Standing) -> Vec<Condition> {
        let condition = |alert, subject, since, words| Condition {
            subject,
            ..Condition::new(alert, Severity::Warning, since, words)
        };
        let lost = standing.rights.iter().filter(|known| known.belief.held == Some(false) && known.belief.lost);
        let mut conditions: Vec<_> = lost
            .map(|known| {
                let right = known.right.as_str();
                let words = words::right(token, standing, right);
                let lost = condition(Alert::SecurityGroupRightLost, Some(right.to_owned()), known.belief.since, words);
                Condition { granted_at: known.belief.granted_at(), ..lost }
            })
            .collect();
        let is_news = |at: &DateTime<Utc>| *at + self.remind_every() > self.now;
        if let Some(user) = &standing.user {
            if let Some(change) = user.group_change.as_ref().filter(|change| is_news(&change.at)) {
                let words = words::group(token, standing, &change.from);
                conditions.push(condition(Alert::SecurityGroupChanged, None, change.at, words));
            }
            if user.admin.held == Some(false) && user.admin.lost && is_news(&user.admin.since) {
                let words = words::admin(token, standing);
                conditions.push(condition(Alert::GlobalAdminLost, None, user.admin.since, words));
            }
        }
        conditions
    }

    pub(super) fn reconcile<'w>(
        &self,
        of: &TokenId,
        conditions: Vec<Condition>,
        firing: &mut Vec<Firing>,
        is_held: impl Fn(&Firing) -> bool,
        why_ended: &dyn Fn(&Firing) -> Cow<'w, str>,
    ) -> Vec<Notice> {
        let mut notices = Vec::new();
        let now = self.now;
        firing.retain(|known| {
            let goes_on =
                is_held(known) || conditions.iter().any(|due| due.alert == known.alert && due.subject == known.subject);
            if !goes_on {
                let words = words::resolved(&known.words, &why_ended(known));
                notices.push(notice(of, known, Status::Resolved, words));
            }
            goes_on
        });
        for due in conditions {
            let Condition { alert, subject, severity, since, notices: passed, may_begin, words, .. } = due;
            let known = firing.iter_mut().find(|known| known.alert == alert && known.subject == subject);
            if let Some(known) = known {
                let worse = severity > known.severity || passed > known.notices;
                let again = is_reminded(alert) && now - known.told_at >= self.remind_every();
                (known.severity, known.notices, known.words) = (severity, passed, words);
                if worse || again {
                    known.told_at = now;
                    known.represents_group = represents_group(known.alert, &known.words);
                    notices.push(notice(of, known, Status::Reminder, known.words.clone()));
                }
            } else if may_begin {
                let represents_group = represents_group(alert, &words);
                let told_at = now;
                let new = Firing { alert, subject, severity, since, told_at, notices: passed, represents_group, words };
                notices.push(notice(of, &new, Status::Firing, new.words.clone()));
                firing.push(new);
            }
        }
        notices
    }
}

/// Resolves everything that fires, because it is no longer watched.
#[must_use]
pub fn retire(of: &TokenId, firing: &mut Vec<Firing>) -> Vec<Notice> {
    let resolved = |known: Firing| {
        let words = words::resolved(&known.words, "it is no longer in the configuration");
        notice(of, &known, Status::Resolved, words)
    };
    firing.drain(..).map(resolved).collect()
}

fn notice(of: &TokenId, firing: &Firing, status: Status, words: Words) -> Notice {
    let key = AlertKey { alert: firing.alert, of: of.clone(), subject: firing.subject.clone() };
    Notice { key, status, severity: firing.severity, since: firing.since, words }
}

/// Why an alert about this token is over.
fn ended<'a>(token: &'a Token, standing: &'a Standing) -> impl Fn(&Firing) -> Cow<'static, str> + 'a {
    let wanted = |name: Option<&String>| {
        token.wanted.iter().any(|wanted| Some(wanted.permission.name()) == name.map(String::as_str))
    };
    move |known| match known.alert {
        Alert::TokenExpiring => "its date was moved".into(),
        Alert::TokenExpiryOutdated
            if token.expires.is_none_or(|expires| standing.validity.last_attempt < Some(expires)) =>
        {
            "its date was mended".into()
        }
        Alert::PermissionLost | Alert::PermissionMissing if !wanted(known.subject.as_ref()) => {
            "it is no longer wanted".into()
        }
        Alert::PermissionLost | Alert::PermissionMissing => "it is no longer missing".into(),
        Alert::SecurityGroupRightLost => "the right is held again".into(),
        Alert::SecurityGroupChanged | Alert::GlobalAdminLost => "it was changed back, or is no longer news".into(),
        Alert::TokenUnreadable => "its value is readable again".into(),
        _ if standing.state == TokenState::Valid => "the token works again".into(),
        _ => format!("the token is {} now", standing.state.as_str()).into(),
    }
}

fn delta(duration: std::time::Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests;
