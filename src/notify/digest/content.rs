//! What a digest says: what is broken, what will break, and what nobody knows, as far as it concerns one receiver. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::alert::{Acknowledgement, Change, Firing, Notification, Severity, page};
use crate::belief::PermissionState;
use crate::config::{DigestSchedule, Only};
use crate::model::{Scope, cut};
use crate::notify::text::{LONGEST_FIELD, quoted};
use crate::state::{Snapshot, TokenSnapshot, passes};

/// How long before its declared expiry a token is listed.
const AHEAD: TimeDelta = TimeDelta::days(90);
/// The most members of a list; one more says how many there are besides.
const MOST_MEMBERS: usize = 50;

/// What a digest says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::notify) struct Content {
    /// The moment at which it is made.
    pub(super) at: DateTime<Utc>,
    /// The moment at which it was due.
    pub(super) due: DateTime<Utc>,
    /// The time zone of the moments in its texts.
    pub(super) time_zone: String,
    /// How many of the alerts that fire are critical.
    pub(super) critical: usize,
    /// The alerts that fire, the worst first.
    pub(super) broken: List,
    /// Whether the receiver is notified of every alert.
    pub(super) is_everything: bool,
    /// The tenants in maintenance, whose alerts are suppressed.
    pub(super) suppressed: List,
    /// The alerts that fire and that somebody has acknowledged.
    pub(super) acknowledged: List,
    /// The tokens whose declared expiry is near, the nearest first.
    pub(super) expiring: List,
    /// How many tokens have no declared expiry.
    pub(super) without_expiry: usize,
    /// The tenants with permissions that are unverified, those with most first.
    pub(super) unverified: List,
    /// How many permissions those are.
    pub(super) permissions_unverified: usize,
    /// How many tokens are watched.
    pub(super) tokens: usize,
    /// How many tenants they belong to.
    pub(super) tenants: usize,
    /// The address of the page about everything.
    pub(super) url: String,
}

/// A list of lines with a bound.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct List {
    /// The first of them.
    pub(super) lines: Vec<String>,
    /// How many there are in all.
    pub(super) total: usize,
}

impl List {
    /// The list of `members` in the order of their keys, each as `write` has it.
    fn of<K: Ord, T>(mut members: Vec<(K, T)>, write: impl Fn(&T) -> String) -> Self {
        members.sort_by(|(left, _), (right, _)| left.cmp(right));
        let lines =
            members.iter().take(MOST_MEMBERS).map(|(_, member)| cut(&write(member), LONGEST_FIELD).into_owned());
        Self { lines: lines.collect(), total: members.len() }
    }

    /// As many of the lines as `most`, and a last one that says how many more there are.
    pub(super) fn bounded(&self, most: usize) -> Vec<String> {
        let mut lines: Vec<_> = self.lines.iter().take(most).cloned().collect();
        let more = self.total - lines.len();
        if more > 0 {
            lines.push(format!("and {more} more"));
        }
        lines
    }
}

/// For whom a digest is, and when.
#[derive(Debug, Clone, Copy)]
pub(in crate::notify) struct Occasion<'a> {
    /// The alerts that the receiver is notified of.
    pub(in crate::notify) only: &'a Only,
    /// The schedule, for its time zone.
    pub(in crate::notify) schedule: &'a DigestSchedule,
    /// The moment at which the digest was due.
    pub(in crate::notify) due: DateTime<Utc>,
    /// The present.
    pub(in crate::notify) now: DateTime<Utc>,
}

/// Everything that fires and passes the filter of a receiver, the worst first.
fn firing<'a>(snapshot: &'a Snapshot, only: &Only) -> Vec<(FiringKey, &'a Firing)> {
    let passing = snapshot.firing().filter(|firing| passes(only, &Notification::of(firing, Change::New)));
    passing.map(|firing| ((Reverse(firing.severity), firing.since, firing.id.clone()), firing)).collect()
}

/// The order of alerts: the worst first, and of these the oldest.
type FiringKey = (Reverse<Severity>, DateTime<Utc>, String);

impl Content {
    /// What a snapshot says on this occasion. `external_url` is where people reach the daemon.
    pub(in crate::notify) fn of(snapshot: &Snapshot, occasion: Occasion<'_>, external_url: &str) -> Self {
        let Occasion { only, schedule, due, now } = occasion;
        let (acknowledged, broken): (Vec<_>, Vec<_>) =
            firing(snapshot, only).into_iter().partition(|(_, firing)| firing.is_acknowledged(now));
        let is_covered = |token: &&TokenSnapshot| only.covers(&token.token.tenant.name, token.token.profile_name());
        let tokens: Vec<_> = snapshot.tokens.iter().filter(is_covered).collect();
        let is_near = |expires: &DateTime<Utc>| *expires > now && *expires - now <= AHEAD;
        let expiring = tokens.iter().filter(|token| !token.token.auto_rotated).filter_map(|token| {
            let expires = token.token.expires.filter(is_near)?;
            Some(((expires, token.token.id()), (token, expires)))
        });
        let unverified = unverified(&tokens);
        let tenants: BTreeSet<_> = tokens.iter().map(|token| token.token.tenant.name.as_str()).collect();
        let suppressed = tenants.iter().copied().filter(|tenant| snapshot.suppressed_until(tenant, now).is_some());
        Self {
            at: now,
            due,
            time_zone: schedule.zone_name().to_owned(),
            critical: broken.iter().filter(|(_, broken)| broken.severity == Severity::Critical).count(),
            broken: List::of(broken, |broken| line(broken, schedule)),
            acknowledged: List::of(acknowledged, |firing| acknowledged_line(firing, schedule)),
            is_everything: only.is_everything(),
            suppressed: List::of(suppressed.map(|tenant| (tenant, tenant)).collect(), |tenant| quoted(tenant)),
            expiring: List::of(expiring.collect(), |(token, expires)| {
                let about = [token.token.tenant.name.as_str(), &token.token.name].join(" / ");
                format!("{}: {} ({})", quoted(&about), schedule.shown(*expires), left(*expires - now))
            }),
            without_expiry: tokens.iter().filter(|token| token.token.expires.is_none()).count(),
            permissions_unverified: unverified.iter().map(|(_, (_, permissions, _))| permissions).sum(),
            unverified: List::of(unverified, |(tenant, permissions, tokens)| {
                format!("{}: {} of {}", quoted(tenant), count(*permissions, "permission"), count(*tokens, "token"))
            }),
            tokens: tokens.len(),
            tenants: tenants.len(),
            url: page(external_url, &Scope::Fleet),
        }
    }

    /// The title: how many alerts fire, and whether something will expire.
    pub(super) fn title(&self) -> String {
        let expiring = match self.expiring.total {
            0 => String::new(),
            1 => ", 1 token expires within 90 days".to_owned(),
            more => format!(", {more} tokens expire within 90 days"),
        };
        format!("Token digest: {}{expiring}", self.heading_of_broken().to_lowercase())
    }

    /// What people read, part by part: a heading, and the lines below it, as many in each part as `most` and one more.
    pub(super) fn parts(&self, most: usize) -> Vec<(String, Vec<String>)> {
        let expiring = match self.expiring.total {
            0 => "No token expires within 90 days".to_owned(),
            1 => "1 token expires within 90 days".to_owned(),
            more => format!("{more} tokens expire within 90 days"),
        };
        let undeclared = (self.without_expiry > 0)
            .then(|| (format!("{} without a declared expiry", count(self.without_expiry, "token")), Vec::new()));
        let unverified = (self.permissions_unverified > 0).then(|| {
            let heading = format!("{} unverified", count(self.permissions_unverified, "permission"));
            (heading, self.unverified.bounded(most))
        });
        let suppressed = (self.suppressed.total > 0).then(|| {
            let heading =
                format!("{} in maintenance, whose alerts are suppressed", count(self.suppressed.total, "tenant"));
            (heading, self.suppressed.bounded(most))
        });
        let watched = format!(
            "Watching {} of {}; times are in {}",
            count(self.tokens, "token"),
            count(self.tenants, "tenant"),
            self.time_zone
        );
        let broken = (self.heading_of_broken(), self.broken.bounded(most));
        let acknowledged = (self.acknowledged.total > 0).then(|| {
            let heading = format!("{} acknowledged", count(self.acknowledged.total, "alert"));
            (heading, self.acknowledged.bounded(most))
        });
        let expiring = (expiring, self.expiring.bounded(most));
        let first = std::iter::once(broken).chain(acknowledged).chain(suppressed).chain([expiring]);
        first.chain(undeclared).chain(unverified).chain([(watched, Vec::new())]).collect()
    }

    fn heading_of_broken(&self) -> String {
        let warnings = self.broken.total - self.critical;
        match (self.critical, warnings) {
            (0, 0) if self.acknowledged.total > 0 => "Nothing fires that is not acknowledged".to_owned(),
            (0, 0) if self.is_everything => "Nothing is broken".to_owned(),
            (0, 0) => "Nothing fires of what this receiver is notified of".to_owned(),
            (1, 0) => "1 alert fires, and it is critical".to_owned(),
            (0, 1) => "1 alert fires, a warning".to_owned(),
            (critical, 0) => format!("{critical} alerts fire, all critical"),
            (0, warnings) => format!("{warnings} alerts fire, all warnings"),
            (critical, warnings) => {
                format!("{} alerts fire: {critical} critical, {}", critical + warnings, count(warnings, "warning"))
            }
        }
    }
}

/// The line about an alert: critical: TokenExpired: `acme / jumpcloud`: ... (since 2026-11-23 10:00).
fn line(firing: &Firing, schedule: &DigestSchedule) -> String {
    let Firing { alert, severity, since, message, .. } = firing;
    let about = about(firing);
    // What is cut is the message, so that the end says since when.
    let what = cut(&message.line, LONGEST_FIELD / 2);
    format!("{}: {}: {about}: {what} (since {})", severity.as_str(), alert.as_str(), schedule.shown(*since))
}

/// The line about an alert that somebody has acknowledged: who, and until when.
fn acknowledged_line(firing: &Firing, schedule: &DigestSchedule) -> String {
    let Some(Acknowledgement { by, until, reason, .. }) = &firing.acknowledged else { return line(firing, schedule) };
    let what = format!("by {by} until {}: {reason}", schedule.shown(*until)).replace('`', "'");
    format!("{}: {}: {what}", firing.alert.as_str(), about(firing))
}

/// Whom an alert is about.
fn about(firing: &Firing) -> String {
    let subject = firing.scope.subject();
    let about = firing.scope.tenant().into_iter().chain(subject.as_deref()).collect::<Vec<_>>().join(" / ");
    if about.is_empty() { "all tenants".to_owned() } else { quoted(&about) }
}

/// The order of tenants with permissions that are unverified: those with most first.
type UnverifiedKey<'a> = (Reverse<usize>, &'a str);

/// The tenants with permissions that are unverified: the name, how many permissions, and of how many tokens.
fn unverified<'a>(tokens: &[&'a TokenSnapshot]) -> Vec<(UnverifiedKey<'a>, (&'a str, usize, usize))> {
    let mut by_tenant = BTreeMap::<&str, (usize, usize)>::new();
    for token in tokens {
        let is_unverified = |permission| token.status.permission_state(permission) == PermissionState::Unverified;
        let permissions = token.token.wanted.iter().filter(|wanted| is_unverified(wanted.permission)).count();
        if permissions > 0 {
            let of_tenant = by_tenant.entry(&token.token.tenant.name).or_default();
            *of_tenant = (of_tenant.0 + permissions, of_tenant.1 + 1);
        }
    }
    let member = |(tenant, (permissions, tokens))| ((Reverse(permissions), tenant), (tenant, permissions, tokens));
    by_tenant.into_iter().map(member).collect()
}

/// How much time is left until an expiry.
fn left(time: TimeDelta) -> String {
    match time.num_days() {
        0 => "in less than a day".to_owned(),
        days => format!("in {}", count(usize::try_from(days).unwrap_or_default(), "day")),
    }
}

/// A number with its noun.
fn count(number: usize, noun: &str) -> String {
    format!("{number} {noun}{}", if number == 1 { "" } else { "s" })
}
