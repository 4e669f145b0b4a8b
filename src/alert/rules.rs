//! When an alert fires, is held, reminded and resolved. Pure: what a standing says now is compared with what fires.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::{Alerts, Token, TokenId};
use crate::standing::{LONGEST_OUTAGE as OUTAGE, Outage, Standing, TokenState};

use super::conditions::{Condition, permissions, state};
use super::neighbours::{Neighbour, is_of_group};
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
    let expiring = firing.iter().any(|known| known.alert == Alert::TokenExpiring);
    let mut conditions: Vec<Condition> = state(token, standing).into_iter().collect();
    conditions.extend(rules.expiring(token, standing, expiring));
    conditions.extend(rules.outdated(token, standing));
    let held = standing.state != TokenState::Valid;
    if !held {
        conditions.extend(permissions(token, standing));
        conditions.extend(rules.user(token, standing));
    }
    conditions.retain_mut(|due| due.speaks_for(neighbours, firing));
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
    let condition = condition.map(|(since, reason)| Condition {
        alert: Alert::TenantUnreachable,
        subject: None,
        severity: Severity::Warning,
        since,
        notices: 0,
        words: words::unreachable(tenancy.tenant, since, reason),
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
    let condition = outage.filter(|outage| outage.is_certain()).map(|outage| Condition {
        alert: Alert::SyncroOutage,
        subject: None,
        severity: Severity::Critical,
        since: outage.since(),
        notices: 0,
        words: words::outage(outage),
    });
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
    reminders.chain(notices).chain(news).filter(|at| *at > rules.now).min()
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

    /// `TokenExpiring` begins while the expiry is still ahead, and lasts until the date is moved.
    fn expiring(&self, token: &Token, standing: &Standing, fires_already: bool) -> Option<Condition> {
        let expires = token.expires.filter(|_| !token.auto_rotated)?;
        let passed = |notice: &&std::time::Duration| {
            expires.checked_sub_signed(delta(**notice)).is_none_or(|from| from <= self.now)
        };
        let notices = self.alerts.expiry_notice.iter().filter(passed).count();
        let first = self.alerts.expiry_notice.first()?;
        if notices == 0 || (expires <= self.now && !fires_already) {
            return None;
        }
        let last = notices == self.alerts.expiry_notice.len();
        Some(Condition {
            alert: Alert::TokenExpiring,
            subject: None,
            severity: if last { Severity::Critical } else { Severity::Warning },
            since: expires.checked_sub_signed(delta(*first)).unwrap_or(self.now),
            notices,
            words: words::expiring(token, standing, expires, self.now),
        })
    }

    fn outdated(&self, token: &Token, standing: &Standing) -> Option<Condition> {
        let expires = token.expires.filter(|expires| *expires <= self.now && !token.auto_rotated)?;
        let confirmed = standing.worked_after_expiry >= self.alerts.confirmations.get();
        (confirmed && standing.state == TokenState::Valid).then(|| Condition {
            alert: Alert::TokenExpiryOutdated,
            subject: None,
            severity: Severity::Warning,
            since: expires,
            notices: 0,
            words: words::outdated(token, standing, expires),
        })
    }

    /// Alerts about the user behind a token.
    fn user(&self, token: &Token, standing: &Standing) -> Vec<Condition> {
        let condition = |alert, subject, since, words| Condition {
            alert,
            subject,
            severity: Severity::Warning,
            since,
            notices: 0,
            words,
        };
        let lost = standing.rights.iter().filter(|known| known.belief.held == Some(false) && known.belief.lost);
        let mut conditions: Vec<_> = lost
            .map(|known| {
                let right = known.right.as_str();
                let words = words::right(token, standing, right);
                condition(Alert::SecurityGroupRightLost, Some(right.to_owned()), known.belief.since, words)
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
            let Condition { alert, subject, severity, since, notices: passed, words } = due;
            let known = firing.iter_mut().find(|known| known.alert == alert && known.subject == subject);
            if let Some(known) = known {
                let worse = severity > known.severity || passed > known.notices;
                let again = is_reminded(alert) && now - known.told_at >= self.remind_every();
                (known.severity, known.notices, known.words) = (severity, passed, words);
                if worse || again {
                    known.told_at = now;
                    notices.push(notice(of, known, Status::Reminder, known.words.clone()));
                }
            } else {
                let new = Firing { alert, subject, severity, since, told_at: now, notices: passed, words };
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
