//! When an alert fires, is suppressed, reminded of and resolved. Pure: the conditions of now are compared with the
//! alerts that fire already.

use std::borrow::Cow;

use chrono::{DateTime, TimeDelta, Utc};

use crate::belief::{
    Cause, LONGEST_TURNED_BAD, Outage, PermissionState, PermissionStatus, RightStatus, TokenState, TokenStatus,
};
use crate::config::Alerts;
use crate::model::{Scope, Token};

use super::conditions::{Condition, permissions, state};
use super::peers::{Peer, is_of_group, represents_group};
use super::{Alert, AlertKey, Firing, Message, Notification, Severity, Status, fleet_messages, messages};

/// What decides about alerts besides the status that they are about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules<'a> {
    /// The configuration of alerts: how long to wait before, between and after notifications.
    pub alerts: &'a Alerts,
    /// The moment for which it is decided.
    pub now: DateTime<Utc>,
    /// Whether every alert is suppressed for now: none fires, is reminded of or resolves.
    pub suppressed: bool,
    /// Whether a check is due that may change what is believed of the security group: no alert about the group begins
    /// before it.
    pub awaits_check: bool,
}

impl<'a> Rules<'a> {
    /// Rules that suppress and delay nothing.
    pub(crate) fn new(alerts: &'a Alerts, now: DateTime<Utc>) -> Self {
        Self { alerts, now, suppressed: false, awaits_check: false }
    }
}

/// Updates the alerts that fire for one token to its status, and returns the notifications to dispatch. What the alert
/// of a peer represents already of their security group does not fire again, and an alert that represents peers lasts
/// for as long as one of them is affected.
#[must_use]
pub(crate) fn token_alerts(
    rules: Rules<'_>,
    token: &Token,
    status: &TokenStatus,
    peers: &[Peer<'_>],
    firing: &mut Vec<Firing>,
) -> Vec<Notification> {
    if rules.suppressed {
        return Vec::new();
    }
    let expiring = firing.iter().find(|firing| firing.alert == Alert::TokenExpiring);
    let mut conditions: Vec<Condition> = state(token, status).into_iter().collect();
    conditions.extend(rules.expiring(token, status, expiring));
    conditions.extend(rules.outdated(token, status));
    let works = status.state == TokenState::Valid;
    if works {
        conditions.extend(permissions(token, status));
        conditions.extend(rules.user(token, status));
    }
    let waits = rules.waits_for_group(status).is_some();
    let names_group =
        |due: &&mut Condition| is_of_group(due.alert, &due.message) || due.message.cause == Some(Cause::User);
    for due in conditions.iter_mut().filter(names_group) {
        // Of a token about which nothing can be learnt now, what was seen before begins nothing.
        due.may_begin &= !waits && !rules.awaits_check && status.validity.failures == 0;
    }
    // A token of which the group is in doubt has no peers, once its permissions have been checked since: it may be in
    // another group by now.
    let is_in_group = status.current_group().is_some() || waits || status.recheck;
    let peers = if is_in_group { peers } else { &[] };
    conditions.retain_mut(|due| due.represents(peers, firing));
    let is_suppressed = |firing: &Firing| {
        let of_group = is_of_group(firing.alert, &firing.message);
        !works && firing.alert.is_suppressed_while_not_valid()
            || of_group && peers.iter().any(|peer| peer.is_affected(firing.alert, firing.subject.as_deref()))
    };
    rules.reconcile(&token.id().into(), conditions, firing, is_suppressed, &ended(token, status))
}

/// The status of a tenant as a whole.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tenancy<'a> {
    /// The name of the tenant.
    pub tenant: &'a str,
    /// Since when no check of any of its tokens has given a verdict, and why the last one failed; `None` if one has.
    pub silent: Option<(DateTime<Utc>, &'static str)>,
}

/// Updates the alerts that fire for a tenant as a whole, and returns the notifications to dispatch.
#[must_use]
pub(crate) fn tenant_alerts(rules: Rules<'_>, tenancy: Tenancy<'_>, firing: &mut Vec<Firing>) -> Vec<Notification> {
    if rules.suppressed {
        return Vec::new();
    }
    // An alert that fires already ends only with a verdict.
    let fires = firing.iter().any(|firing| firing.alert == Alert::TenantUnreachable);
    let condition = tenancy.silent.filter(|(since, _)| fires || *since + rules.unreachable_after() <= rules.now);
    let condition = condition.map(|(since, reason)| {
        let message = fleet_messages::unreachable(tenancy.tenant, since, reason);
        Condition::new(Alert::TenantUnreachable, Severity::Warning, since, message)
    });
    let of = Scope::Tenant(tenancy.tenant.to_owned());
    rules.reconcile(&of, condition.into_iter().collect(), firing, |_| false, &|_| {
        Cow::Borrowed("a check gave a verdict")
    })
}

/// Updates the alerts that fire for all tenants together, and returns the notifications to dispatch. `before` is the
/// outage that was assumed until now.
#[must_use]
pub(crate) fn fleet_alerts(
    rules: Rules<'_>,
    outage: Option<&Outage>,
    before: Option<&Outage>,
    firing: &mut Vec<Firing>,
) -> Vec<Notification> {
    let condition = outage.filter(|outage| outage.is_certain()).map(|outage| {
        Condition::new(Alert::SyncroOutage, Severity::Critical, outage.since(), fleet_messages::outage(outage))
    });
    let overruled = before.is_some_and(|before| before.freezes() && rules.now - before.since() >= LONGEST_TURNED_BAD);
    let why = if overruled { "ten minutes of checks show that it is the tokens" } else { "it has passed" };
    let of = Scope::Fleet;
    let of_monitor = |firing: &Firing| firing.alert.is_of_monitor();
    rules.reconcile(&of, condition.into_iter().collect(), firing, of_monitor, &|_| Cow::Borrowed(why))
}

/// The next moment at which a notification may become due although no check brings anything new.
pub(crate) fn next_change(
    rules: Rules<'_>,
    token: &Token,
    status: &TokenStatus,
    firing: &[Firing],
) -> Option<DateTime<Utc>> {
    let works = status.state == TokenState::Valid;
    let reminders = firing
        .iter()
        .filter(|firing| is_reminded(firing.alert) && (works || !firing.alert.is_suppressed_while_not_valid()))
        .map(|firing| firing.notified_at + rules.remind_every());
    let notices = token.expiry_notices(&rules.alerts.expiry_notice).map(|(_, at)| at);
    let user = status.user.as_ref();
    let news = user.and_then(|user| user.group_change.as_ref()).map(|change| change.at);
    let news = news.into_iter().chain(user.filter(|user| user.admin.lost).map(|user| user.admin.since));
    let news = news.map(|at| at + rules.remind_every());
    let group = rules.waits_for_group(status);
    reminders.chain(notices).chain(news).chain(group).filter(|at| *at > rules.now).min()
}

/// Whether an alert is notified again every `remind_every`. An expiry has notices of its own, and what is reported as
/// news is no news the next day.
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

    /// Until when no alert about the security group begins, because it is being checked whether the user is still in
    /// it; `None` if nothing is waited for.
    fn waits_for_group(&self, status: &TokenStatus) -> Option<DateTime<Utc>> {
        /// The time that the two checks that follow may take besides.
        const SLACK: TimeDelta = TimeDelta::seconds(5);
        let doubted_at = status.user.as_ref()?.doubted_at?;
        let until = doubted_at + delta(self.alerts.confirm_after) * 2 + SLACK;
        (self.now < until).then_some(until)
    }

    /// The condition for `TokenExpiring`, which begins while the expiry is still ahead, and lasts until the date is
    /// moved. `firing` is the alert, if it fires already.
    fn expiring(&self, token: &Token, status: &TokenStatus, firing: Option<&Firing>) -> Option<Condition> {
        let expires = token.expires.filter(|_| !token.auto_rotated)?;
        let moments = self.alerts.expiry_notice.iter().map(|before| expires.checked_sub_signed(delta(*before)));
        let passed = moments.clone().filter(|from| from.is_none_or(|from| from <= self.now));
        let notices = passed.clone().count();
        let first = self.alerts.expiry_notice.first()?;
        if notices == 0 || (expires <= self.now && firing.is_none()) {
            return None;
        }
        let last = notices == self.alerts.expiry_notice.len();
        // What was added to `expiry_notice` only now, for a moment long past, is no news.
        let is_news = firing.is_none_or(|firing| passed.flatten().any(|from| from > firing.notified_at));
        let notices = if is_news { notices } else { firing.map_or(0, |firing| firing.notices) };
        let severity = if last { Severity::Critical } else { Severity::Warning };
        let since = expires.checked_sub_signed(delta(*first)).unwrap_or(self.now);
        let message = messages::expiring(token, status, expires, self.now);
        Some(Condition { notices, ..Condition::new(Alert::TokenExpiring, severity, since, message) })
    }

    /// The condition for `TokenExpiryOutdated`.
    fn outdated(&self, token: &Token, status: &TokenStatus) -> Option<Condition> {
        let expires = token.expires.filter(|expires| *expires <= self.now && !token.auto_rotated)?;
        let confirmed = status.worked_after_expiry >= self.alerts.confirmations.get();
        (confirmed && status.state == TokenState::Valid).then(|| {
            let message = messages::outdated(token, status, expires);
            Condition::new(Alert::TokenExpiryOutdated, Severity::Warning, expires, message)
        })
    }

    /// The conditions for the alerts about the user of a token.
    fn user(&self, token: &Token, status: &TokenStatus) -> Vec<Condition> {
        let condition = |alert, subject, since, message| Condition {
            subject,
            ..Condition::new(alert, Severity::Warning, since, message)
        };
        let lost = status.rights.iter().filter(|right| right.belief.granted == Some(false) && right.belief.lost);
        let mut conditions: Vec<_> = lost
            .map(|RightStatus { right, belief }| {
                let right = right.as_str();
                let message = messages::right(token, status, right);
                let lost = condition(Alert::SecurityGroupRightLost, Some(right.to_owned()), belief.since, message);
                Condition { granted_at: belief.granted_at(), ..lost }
            })
            .collect();
        let is_news = |at: &DateTime<Utc>| *at + self.remind_every() > self.now;
        if let Some(user) = &status.user {
            if let Some(change) = user.group_change.as_ref().filter(|change| is_news(&change.at)) {
                let message = messages::group(token, status, &change.from);
                conditions.push(condition(Alert::SecurityGroupChanged, None, change.at, message));
            }
            if user.admin.granted == Some(false) && user.admin.lost && is_news(&user.admin.since) {
                let message = messages::admin(token, status);
                conditions.push(condition(Alert::GlobalAdminLost, None, user.admin.since, message));
            }
        }
        conditions
    }

    /// Updates the alerts that fire to the conditions of now, and returns the notifications to dispatch. An alert for
    /// which `is_suppressed` is true stays as it is without its condition; `why_ended` says why any other is over.
    pub(super) fn reconcile<'w>(
        &self,
        of: &Scope,
        conditions: Vec<Condition>,
        firing: &mut Vec<Firing>,
        is_suppressed: impl Fn(&Firing) -> bool,
        why_ended: &dyn Fn(&Firing) -> Cow<'w, str>,
    ) -> Vec<Notification> {
        let mut notifications = Vec::new();
        let now = self.now;
        firing.retain(|firing| {
            let stays = is_suppressed(firing)
                || conditions.iter().any(|due| due.alert == firing.alert && due.subject == firing.subject);
            if !stays {
                let message = messages::resolved(&firing.message, &why_ended(firing));
                notifications.push(notification(of, firing, Status::Resolved, message));
            }
            stays
        });
        for due in conditions {
            let Condition { alert, subject, severity, since, notices: passed, may_begin, message, .. } = due;
            let existing = firing.iter_mut().find(|firing| firing.alert == alert && firing.subject == subject);
            if let Some(existing) = existing {
                let worse = severity > existing.severity || passed > existing.notices;
                let again = is_reminded(alert) && now - existing.notified_at >= self.remind_every();
                (existing.severity, existing.notices, existing.message) = (severity, passed, message);
                if worse || again {
                    existing.notified_at = now;
                    existing.represents_group = represents_group(existing.alert, &existing.message);
                    notifications.push(notification(of, existing, Status::Reminder, existing.message.clone()));
                }
            } else if may_begin {
                let represents_group = represents_group(alert, &message);
                let notified_at = now;
                let new =
                    Firing { alert, subject, severity, since, notified_at, notices: passed, represents_group, message };
                notifications.push(notification(of, &new, Status::Firing, new.message.clone()));
                firing.push(new);
            }
        }
        notifications
    }
}

/// Resolves all alerts that fire for a scope, because it is no longer watched, and returns the notifications to
/// dispatch.
#[must_use]
pub(crate) fn retire(of: &Scope, firing: &mut Vec<Firing>) -> Vec<Notification> {
    let resolved = |firing: Firing| {
        let message = messages::resolved(&firing.message, "it is no longer in the configuration");
        notification(of, &firing, Status::Resolved, message)
    };
    firing.drain(..).map(resolved).collect()
}

fn notification(of: &Scope, firing: &Firing, status: Status, message: Message) -> Notification {
    let key = AlertKey { alert: firing.alert, of: of.clone(), subject: firing.subject.clone() };
    Notification { key, status, severity: firing.severity, since: firing.since, message }
}

/// Why an alert about this token is over, as the message that resolves it says.
fn ended<'a>(token: &'a Token, status: &'a TokenStatus) -> impl Fn(&Firing) -> Cow<'static, str> + 'a {
    let wanted = |name: Option<&String>| {
        token.wanted.iter().any(|wanted| Some(wanted.permission.name()) == name.map(String::as_str))
    };
    let missing = |name: Option<&String>| {
        let of = |one: &&PermissionStatus| Some(one.permission.name()) == name.map(String::as_str);
        status.permissions.iter().find(of).is_some_and(|one| one.state() == PermissionState::Missing)
    };
    move |firing| match firing.alert {
        Alert::TokenExpiring => "its date was moved".into(),
        Alert::TokenExpiryOutdated
            if token.expires.is_none_or(|expires| status.validity.last_attempt < Some(expires)) =>
        {
            "its date was corrected".into()
        }
        Alert::PermissionLost | Alert::PermissionMissing if !wanted(firing.subject.as_ref()) => {
            "it is no longer wanted".into()
        }
        Alert::PermissionLost | Alert::PermissionMissing if missing(firing.subject.as_ref()) => {
            "nothing shows any more that the token itself lacks it".into()
        }
        Alert::PermissionLost | Alert::PermissionMissing => "it is no longer missing".into(),
        Alert::SecurityGroupRightLost => "the user has the right again".into(),
        Alert::SecurityGroupChanged | Alert::GlobalAdminLost => "it was changed back, or is no longer news".into(),
        Alert::TokenUnreadable => "its value is readable again".into(),
        _ if status.state == TokenState::Valid => "the token works again".into(),
        _ => format!("the token is {} now", status.state.as_str()).into(),
    }
}

fn delta(duration: std::time::Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests;
