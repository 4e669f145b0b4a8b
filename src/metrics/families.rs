//! The families of series about the fleet: names, help, and how each is read off the snapshot. Pure.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use crate::alert::{Alert, Firing, Severity};
use crate::belief::{Check, PermissionState, TokenState};
use crate::model::{Metric, Scope};
use crate::state::{Snapshot, TokenSnapshot};

use super::sink::Sink;

/// One family of series.
#[derive(Debug)]
pub(super) struct Family<Write> {
    /// The metric.
    pub(super) metric: Metric,
    /// The help text of the metric.
    pub(super) help: &'static str,
    /// How its series are written.
    pub(super) write: Write,
}

/// How a family about tokens is written.
#[derive(Debug)]
pub(super) enum OfTokens {
    /// Token by token; the labels `tenant` and `token_name` are set already.
    Each(fn(&mut dyn Sink, &TokenSnapshot)),
    /// Once for all tokens whose users share a tenant and a security group.
    Group(fn(&mut dyn Sink, &[&TokenSnapshot])),
}

/// A family about the whole fleet is written once.
pub(super) type OfFleet = fn(&mut dyn Sink, &Snapshot, DateTime<Utc>);

/// How many families are about tokens.
pub(super) const OF_TOKENS: usize = 10;

/// The families about tokens, in the order of the exposition.
pub(super) const TOKEN_FAMILIES: [Family<OfTokens>; OF_TOKENS] = [
    Family {
        metric: Metric::TokenInfo,
        help: "What is known of a configured token; the value is always 1. fingerprint is the first 12 hex digits of \
            the SHA-256 of its value.",
        write: OfTokens::Each(info),
    },
    Family {
        metric: Metric::TokenUserInfo,
        help: "The number of the user behind a token; the value is always 1. Absent before /me has named one.",
        write: OfTokens::Each(user_info),
    },
    Family {
        metric: Metric::TokenCustomersVisible,
        help: "How many customers a token sees, as the list of customers last said; absent before it did.",
        write: OfTokens::Each(customers),
    },
    Family {
        metric: Metric::TokenState,
        help: "State of a token as a state set: 1 for the state it is believed to be in, 0 for the others. From the \
            last checks, not from this scrape, since Syncro limits requests.",
        write: OfTokens::Each(state),
    },
    Family {
        metric: Metric::TokenExpiryTimestampSeconds,
        help: "Declared expiry of a token, in seconds since the epoch; absent if none is declared. Syncro does not \
            report it.",
        write: OfTokens::Each(expiry),
    },
    Family {
        metric: Metric::TokenPermissionGranted,
        help: "Whether a wanted permission is granted: 1 granted, 0 missing; absent while not known.",
        write: OfTokens::Each(permission),
    },
    Family {
        metric: Metric::TokenPermissions,
        help: "How many of the wanted permissions are granted, missing or unverified; how many others are granted in \
            excess, if that is audited.",
        write: OfTokens::Each(permissions),
    },
    Family {
        metric: Metric::SecurityGroupRight,
        help: "Whether users of a security group have a right, as /me shows: 1 or 0.",
        write: OfTokens::Group(rights),
    },
    Family {
        metric: Metric::TokenLastCheckTimestampSeconds,
        help: "Last attempt to check a token, in seconds since the epoch; 0 before the first.",
        write: OfTokens::Each(last_check),
    },
    Family {
        metric: Metric::TokenLastSuccessTimestampSeconds,
        help: "Last check of a token that gave a verdict on all that it asked, in seconds since the epoch; 0 before \
            the first.",
        write: OfTokens::Each(last_success),
    },
];

/// The families about the whole fleet, in the order of the exposition, after those about tokens.
pub(super) const FLEET_FAMILIES: [Family<OfFleet>; 5] = [
    Family {
        metric: Metric::TenantMaintenance,
        help: "Whether alerts of a tenant are suppressed by [[maintenance]] now: 1 or 0.",
        write: maintenance,
    },
    Family {
        metric: Metric::MonitorTenantOwned,
        help: "Whether this daemon watches a tenant of its configuration: 1, or 0 where another one is to.",
        write: owned,
    },
    Family { metric: Metric::AlertsFiring, help: "How many alerts fire now, each cause once.", write: firing },
    Family {
        metric: Metric::AlertsAcknowledged,
        help: "How many of the alerts that fire somebody has taken on.",
        write: acknowledged,
    },
    Family {
        metric: Metric::Alert,
        help: "An alert that fires; the value is always 1. Labels that do not apply are empty. incident is its id.",
        write: alert,
    },
];

fn info(sink: &mut dyn Sink, token: &TokenSnapshot) {
    let TokenSnapshot { token, status, .. } = token;
    let user = status.user.as_ref();
    let fingerprint = status.fingerprint.as_ref().map(ToString::to_string).unwrap_or_default();
    let labels = [
        ("subdomain", token.tenant.subdomain.as_deref().unwrap_or_default()),
        ("profile", token.profile_name().unwrap_or_default()),
        ("security_group", status.security_group().unwrap_or_default()),
        (
            "global_admin",
            user.and_then(|user| user.admin.granted).map_or("", |admin| if admin { "true" } else { "false" }),
        ),
        ("fingerprint", &fingerprint),
    ];
    sink.series(&labels, true);
}

fn user_info(sink: &mut dyn Sink, token: &TokenSnapshot) {
    if let Some(user) = &token.status.user {
        sink.series(&[("user_id", &user.id.to_string())], true);
    }
}

fn customers(sink: &mut dyn Sink, token: &TokenSnapshot) {
    if let Some(customers) = token.status.customers_visible {
        sink.series(&[], customers);
    }
}

fn state(sink: &mut dyn Sink, token: &TokenSnapshot) {
    for state in TokenState::ALL.iter().copied() {
        sink.series(&[("state", state.as_str())], token.status.state == state);
    }
}

fn expiry(sink: &mut dyn Sink, token: &TokenSnapshot) {
    if token.token.expires.is_some() {
        sink.series(&[], token.token.expires);
    }
}

/// What is believed of each wanted permission.
fn believed(token: &TokenSnapshot) -> impl Iterator<Item = (&'static str, PermissionState)> + '_ {
    token.token.wanted.iter().map(|wanted| (wanted.permission.name(), token.status.permission_state(wanted.permission)))
}

fn permission(sink: &mut dyn Sink, token: &TokenSnapshot) {
    for (permission, state) in believed(token) {
        if state != PermissionState::Unverified {
            sink.series(&[("permission", permission)], state == PermissionState::Granted);
        }
    }
}

fn permissions(sink: &mut dyn Sink, token: &TokenSnapshot) {
    let mut counts = [0_usize; PermissionState::ALL.len()];
    believed(token).for_each(|(_, state)| counts[state as usize] += 1);
    for state in PermissionState::ALL.iter().copied() {
        sink.series(&[("state", state.as_str())], counts[state as usize]);
    }
    if let Some(audit) = &token.status.audit {
        sink.series(&[("state", "excess")], audit.excess(&token.token).count());
    }
}

/// Writes the rights of a group. Its users share their rights, but for Global Admins, who have all of them: a right
/// counts as granted if every user has it.
fn rights(sink: &mut dyn Sink, group: &[&TokenSnapshot]) {
    let mut rights: BTreeMap<&str, bool> = BTreeMap::new();
    for status in group.iter().flat_map(|token| &token.status.rights) {
        if let Some(granted) = status.belief.granted {
            *rights.entry(status.right.as_str()).or_insert(true) &= granted;
        }
    }
    let Some(first) = group.first() else { return };
    let security_group = first.status.security_group().unwrap_or_default();
    let tenant = ("tenant", first.token.tenant.name.as_str());
    for (right, granted) in rights {
        sink.series(&[tenant, ("security_group", security_group), ("right", right)], granted);
    }
}

fn attempts(sink: &mut dyn Sink, token: &TokenSnapshot, of: fn(&crate::belief::Attempts) -> Option<DateTime<Utc>>) {
    for check in Check::ALL.iter().copied() {
        let attempts = match check {
            Check::Validity => &token.status.validity,
            Check::Permissions => &token.status.permission_checks,
        };
        sink.series(&[("check", check.as_str())], of(attempts));
    }
}

fn last_check(sink: &mut dyn Sink, token: &TokenSnapshot) {
    attempts(sink, token, |attempts| attempts.last_attempt);
}

fn last_success(sink: &mut dyn Sink, token: &TokenSnapshot) {
    attempts(sink, token, |attempts| attempts.last_success);
}

fn maintenance(sink: &mut dyn Sink, snapshot: &Snapshot, now: DateTime<Utc>) {
    for tenant in snapshot.tenants.iter().map(|tenant| tenant.name.as_str()) {
        sink.series(&[("tenant", tenant)], snapshot.suppressed_until(tenant, now).is_some());
    }
}

fn owned(sink: &mut dyn Sink, snapshot: &Snapshot, _: DateTime<Utc>) {
    let ours = snapshot.tenants.iter().map(|tenant| (&tenant.name, true));
    for (tenant, is_ours) in ours.chain(snapshot.elsewhere.iter().map(|tenant| (tenant, false))) {
        sink.series(&[("tenant", tenant)], is_ours);
    }
}

fn firing(sink: &mut dyn Sink, snapshot: &Snapshot, _: DateTime<Utc>) {
    let mut counts: HashMap<(Alert, Severity), usize> = HashMap::new();
    for firing in snapshot.firing() {
        *counts.entry((firing.alert, firing.severity)).or_default() += 1;
    }
    for (alert, severities) in Alert::ALL {
        for severity in severities {
            let count = counts.get(&(alert, *severity)).copied().unwrap_or_default();
            sink.series(&[("alert", alert.as_str()), ("severity", severity.as_str())], count);
        }
    }
}

fn acknowledged(sink: &mut dyn Sink, snapshot: &Snapshot, now: DateTime<Utc>) {
    sink.series(&[], snapshot.firing().filter(|firing| firing.is_acknowledged(now)).count());
}

fn alert(sink: &mut dyn Sink, snapshot: &Snapshot, now: DateTime<Utc>) {
    for firing in snapshot.firing() {
        let Firing { id, alert, scope, severity, .. } = firing;
        let labels = alert_labels((id, *alert, *severity), scope, firing.is_acknowledged(now));
        sink.series(&labels.each_ref().map(|(name, value)| (*name, &**value)), true);
    }
}

/// The labels of an alert that fires; those that do not apply to whom it is about are empty.
pub(crate) fn alert_labels<'a>(
    (id, alert, severity): (&'a str, Alert, Severity),
    scope: &'a Scope,
    is_acknowledged: bool,
) -> [(&'static str, Cow<'a, str>); 9] {
    let user_id = scope.user_id().map(|user| user.to_string()).unwrap_or_default();
    [
        ("alert", alert.as_str().into()),
        ("severity", severity.as_str().into()),
        ("tenant", scope.tenant().unwrap_or_default().into()),
        ("scope", scope.kind().into()),
        ("incident", id.into()),
        ("token_name", scope.token_name().unwrap_or_default().into()),
        ("security_group", scope.security_group().unwrap_or_default().into()),
        ("user_id", user_id.into()),
        ("acknowledged", if is_acknowledged { "true" } else { "false" }.into()),
    ]
}
