//! When an alert fires, is held, reminded and resolved. Pure: what a standing says now is compared with what fires.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};

use crate::belief::{LONGEST_OUTAGE as OUTAGE, Outage, TokenState, TokenStatus};
use crate::config::Alerts;
use crate::model::{Scope, Token};

use super::conditions::{Condition, permissions, state};
use super::peers::{Peer, is_of_group, represents_group};
use super::{Alert, AlertKey, Firing, Message, Notification, Severity, Status, messages};

/// What decides.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The configured patience.
    pub alerts: &'a Alerts,
    /// The present.
    pub now: DateTime<Utc>,
    /// Whether everything is held for now: nothing fires, is reminded of or resolves.
    pub suppressed: bool,
    /// Whether a check is due that may change what is believed of the security group: no alert of it begins before.
    pub awaits_check: bool,
}

impl<'a> Rules<'a> {
    /// Rules that hold nothing up.
    pub fn new(alerts: &'a Alerts, now: DateTime<Utc>) -> Self {
        Self { alerts, now, suppressed: false, awaits_check: false }
    }
}

/// Brings what fires for one token up to what its standing says; returns what is to be told. What a neighbour tells
/// already of their security group is not told again, and what is told for neighbours too lasts as long as theirs does.
#[must_use]
pub fn token_alerts(
    rules: Rules<'_>,
    token: &Token,
    token_status: &TokenStatus,
    peers: &[Peer<'_>],
    firing: &mut Vec<Firing>,
) -> Vec<Notification> {
    if rules.suppressed {
        return Vec::new();
    }
    let expiring = firing.iter().find(|known| known.alert == Alert::TokenExpiring);
    let mut conditions: Vec<Condition> = state(token, token_status).into_iter().collect();
    conditions.extend(rules.expiring(token, token_status, expiring));
    conditions.extend(rules.outdated(token, token_status));
    let suppressed = token_status.state != TokenState::Valid;
    if !suppressed {
        conditions.extend(permissions(token, token_status));
        conditions.extend(rules.user(token, token_status));
    }
    let waits = rules.waits_for_group(token_status).is_some();
    for due in conditions.iter_mut().filter(|due| is_of_group(due.alert, &due.message)) {
        due.may_begin &= !waits && !rules.awaits_check;
    }
    // Nobody is spoken of together with others whom the same group may no longer concern, once its permissions have been
    // checked since.
    let is_in_group = token_status.current_group().is_some() || waits || token_status.recheck;
    let peers = if is_in_group { peers } else { &[] };
    conditions.retain_mut(|due| due.represents(peers, firing));
    let is_suppressed = |known: &Firing| {
        let of_group = is_of_group(known.alert, &known.message);
        suppressed && known.alert.is_suppressed_while_not_valid()
            || of_group && peers.iter().any(|other| other.is_affected(known.alert, known.subject.as_deref()))
    };
    rules.reconcile(&token.id().into(), conditions, firing, is_suppressed, &ended(token, token_status))
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
pub fn tenant_alerts(rules: Rules<'_>, tenancy: Tenancy<'_>, firing: &mut Vec<Firing>) -> Vec<Notification> {
    if rules.suppressed {
        return Vec::new();
    }
    // What fires ends with a verdict only.
    let fires = firing.iter().any(|known| known.alert == Alert::TenantUnreachable);
    let condition = tenancy.silent.filter(|(since, _)| fires || *since + rules.unreachable_after() <= rules.now);
    let condition = condition.map(|(since, reason)| {
        let message = messages::unreachable(tenancy.tenant, since, reason);
        Condition::new(Alert::TenantUnreachable, Severity::Warning, since, message)
    });
    let of = Scope::Tenant(tenancy.tenant.to_owned());
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
) -> Vec<Notification> {
    let condition = outage.filter(|outage| outage.is_certain()).map(|outage| {
        Condition::new(Alert::SyncroOutage, Severity::Critical, outage.since(), messages::outage(outage))
    });
    let overruled = before.is_some_and(|before| before.freezes() && rules.now - before.since() >= OUTAGE);
    let why = if overruled { "ten minutes of looking say that it is the tokens" } else { "it has passed" };
    let of = Scope::Fleet;
    let of_others = |known: &Firing| known.alert.is_of_monitor();
    rules.reconcile(&of, condition.into_iter().collect(), firing, of_others, &|_| Cow::Borrowed(why))
}

/// The next moment at which something may have to be told although nothing new is seen.
pub fn next_change(
    rules: Rules<'_>,
    token: &Token,
    token_status: &TokenStatus,
    firing: &[Firing],
) -> Option<DateTime<Utc>> {
    let suppressed = token_status.state != TokenState::Valid;
    let reminders = firing
        .iter()
        .filter(|known| is_reminded(known.alert) && !(suppressed && known.alert.is_suppressed_while_not_valid()))
        .map(|known| known.notified_at + rules.remind_every());
    let notices = token.expires.into_iter().flat_map(|expires| {
        rules
            .alerts
            .expiry_notice
            .iter()
            .filter_map(move |notification| expires.checked_sub_signed(delta(*notification)))
    });
    let user = token_status.user.as_ref();
    let news = user.and_then(|user| user.group_change.as_ref()).map(|change| change.at);
    let news = news.into_iter().chain(user.filter(|user| user.admin.lost).map(|user| user.admin.since));
    let news = news.map(|at| at + rules.remind_every());
    let group = rules.waits_for_group(token_status);
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
    fn waits_for_group(&self, token_status: &TokenStatus) -> Option<DateTime<Utc>> {
        /// What the two checks that follow may take besides.
        const SLACK: TimeDelta = TimeDelta::seconds(5);
        let doubted_at = token_status.user.as_ref()?.doubted_at?;
        let until = doubted_at + delta(self.alerts.confirm_after) * 2 + SLACK;
        (self.now < until).then_some(until)
    }

    /// `TokenExpiring` begins while the expiry is still ahead, and lasts until the date is moved.
    fn expiring(&self, token: &Token, token_status: &TokenStatus, known: Option<&Firing>) -> Option<Condition> {
        let expires = token.expires.filter(|_| !token.auto_rotated)?;
        let moments =
            self.alerts.expiry_notice.iter().map(|notification| expires.checked_sub_signed(delta(*notification)));
        let passed = moments.clone().filter(|from| from.is_none_or(|from| from <= self.now));
        let notices = passed.clone().count();
        let first = self.alerts.expiry_notice.first()?;
        if notices == 0 || (expires <= self.now && known.is_none()) {
            return None;
        }
        let last = notices == self.alerts.expiry_notice.len();
        // One that is configured only now, for a moment long past, is no news.
        let is_news = known.is_none_or(|known| passed.flatten().any(|from| from > known.notified_at));
        let notices = if is_news { notices } else { known.map_or(0, |known| known.notices) };
        let severity = if last { Severity::Critical } else { Severity::Warning };
        let since = expires.checked_sub_signed(delta(*first)).unwrap_or(self.now);
        let message = messages::expiring(token, token_status, expires, self.now);
        Some(Condition { notices, ..Condition::new(Alert::TokenExpiring, severity, since, message) })
    }

    fn outdated(&self, token: &Token, token_status: &TokenStatus) -> Option<Condition> {
        let expires = token.expires.filter(|expires| *expires <= self.now && !token.auto_rotated)?;
        let confirmed = token_status.worked_after_expiry >= self.alerts.confirmations.get();
        (confirmed && token_status.state == TokenState::Valid).then(|| {
            let message = messages::outdated(token, token_status, expires);
            Condition::new(Alert::TokenExpiryOutdated, Severity::Warning, expires, message)
        })
    }

    /// Alerts about the user behind a token.
    fn user(&self, token: &Token, token_status: &TokenStatus) -> Vec<Condition> {
        let condition = |alert, subject, since, message| Condition {
            subject,
            ..Condition::new(alert, Severity::Warning, since, message)
        };
        let lost = token_status.rights.iter().filter(|known| known.belief.granted == Some(false) && known.belief.lost);
        let mut conditions: Vec<_> = lost
            .map(|known| {
                let right = known.right.as_str();
                let message = messages::right(token, token_status, right);
                let lost =
                    condition(Alert::SecurityGroupRightLost, Some(right.to_owned()), known.belief.since, message);
                Condition { granted_at: known.belief.granted_at(), ..lost }
            })
            .collect();
        let is_news = |at: &DateTime<Utc>| *at + self.remind_every() > self.now;
        if let Some(user) = &token_status.user {
            if let Some(change) = user.group_change.as_ref().filter(|change| is_news(&change.at)) {
                let message = messages::group(token, token_status, &change.from);
                conditions.push(condition(Alert::SecurityGroupChanged, None, change.at, message));
            }
            if user.admin.granted == Some(false) && user.admin.lost && is_news(&user.admin.since) {
                let message = messages::admin(token, token_status);
                conditions.push(condition(Alert::GlobalAdminLost, None, user.admin.since, message));
            }
        }
        conditions
    }

    pub(super) fn reconcile<'w>(
        &self,
        of: &Scope,
        conditions: Vec<Condition>,
        firing: &mut Vec<Firing>,
        is_suppressed: impl Fn(&Firing) -> bool,
        why_ended: &dyn Fn(&Firing) -> Cow<'w, str>,
    ) -> Vec<Notification> {
        let mut notices = Vec::new();
        let now = self.now;
        firing.retain(|known| {
            let goes_on = is_suppressed(known)
                || conditions.iter().any(|due| due.alert == known.alert && due.subject == known.subject);
            if !goes_on {
                let message = messages::resolved(&known.message, &why_ended(known));
                notices.push(notification(of, known, Status::Resolved, message));
            }
            goes_on
        });
        for due in conditions {
            let Condition { alert, subject, severity, since, notices: passed, may_begin, message, .. } = due;
            let known = firing.iter_mut().find(|known| known.alert == alert && known.subject == subject);
            if let Some(known) = known {
                let worse = severity > known.severity || passed > known.notices;
                let again = is_reminded(alert) && now - known.notified_at >= self.remind_every();
                (known.severity, known.notices, known.message) = (severity, passed, message);
                if worse || again {
                    known.notified_at = now;
                    known.represents_group = represents_group(known.alert, &known.message);
                    notices.push(notification(of, known, Status::Reminder, known.message.clone()));
                }
            } else if may_begin {
                let represents_group = represents_group(alert, &message);
                let notified_at = now;
                let new =
                    Firing { alert, subject, severity, since, notified_at, notices: passed, represents_group, message };
                notices.push(notification(of, &new, Status::Firing, new.message.clone()));
                firing.push(new);
            }
        }
        notices
    }
}

/// Resolves everything that fires, because it is no longer watched.
#[must_use]
pub fn retire(of: &Scope, firing: &mut Vec<Firing>) -> Vec<Notification> {
    let resolved = |known: Firing| {
        let message = messages::resolved(&known.message, "it is no longer in the configuration");
        notification(of, &known, Status::Resolved, message)
    };
    firing.drain(..).map(resolved).collect()
}

fn notification(of: &Scope, firing: &Firing, status: Status, message: Message) -> Notification {
    let key = AlertKey { alert: firing.alert, of: of.clone(), subject: firing.subject.clone() };
    Notification { key, status, severity: firing.severity, since: firing.since, message }
}

/// Why an alert about this token is over.
fn ended<'a>(token: &'a Token, token_status: &'a TokenStatus) -> impl Fn(&Firing) -> Cow<'static, str> + 'a {
    let wanted = |name: Option<&String>| {
        token.wanted.iter().any(|wanted| Some(wanted.permission.name()) == name.map(String::as_str))
    };
    move |known| match known.alert {
        Alert::TokenExpiring => "its date was moved".into(),
        Alert::TokenExpiryOutdated
            if token.expires.is_none_or(|expires| token_status.validity.last_attempt < Some(expires)) =>
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
        _ if token_status.state == TokenState::Valid => "the token works again".into(),
        _ => format!("the token is {} now", token_status.state.as_str()).into(),
    }
}

fn delta(duration: std::time::Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests;
