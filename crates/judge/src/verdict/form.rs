//! Whether the parts of an alert fit together, and whether two alerts are about the same.

use super::{Bench, Kind, SECOND, SLACK, permissions, states};
use crate::ledger::{Change, Entry, Received};

/// Every alert, and what it may be about.
const SCOPES: [(&str, &[&str]); 20] = [
    ("TokenExpired", &["token"]),
    ("TokenRejected", &["token"]),
    ("TokenRestricted", &["token"]),
    ("TokenUnreadable", &["token"]),
    ("TokenWrongAccount", &["token"]),
    ("TokenExpiring", &["token"]),
    ("TokenExpiryOutdated", &["token"]),
    ("CustomersHidden", &["token"]),
    ("UserLockedOut", &["user"]),
    ("UserDisabled", &["user"]),
    ("UserChanged", &["user"]),
    ("PermissionLost", &["security_group", "user", "token"]),
    ("PermissionMissing", &["security_group", "user", "token"]),
    // Of the user while the name of the group is not known.
    ("SecurityGroupRightLost", &["security_group", "user"]),
    ("TenantRenamed", &["tenant"]),
    ("TenantBlocked", &["tenant"]),
    ("TenantUnreachable", &["tenant"]),
    ("SyncroOutage", &["fleet"]),
    ("MonitorThrottled", &["fleet"]),
    ("MonitorImpaired", &["fleet"]),
];
/// Of these there is one at a time for each whom they can be about.
const ONE_AT_A_TIME: [&str; 9] = [
    "TokenExpiring",
    "TokenExpiryOutdated",
    "UserLockedOut",
    "TenantRenamed",
    "TenantBlocked",
    "TenantUnreachable",
    "SyncroOutage",
    "MonitorThrottled",
    "MonitorImpaired",
];

impl Bench<'_> {
    pub(super) fn forms(&mut self) {
        for received in self.received.iter().copied() {
            if let Some(fault) = self.misfit(received) {
                self.find(Kind::Change, received.at, format!("{} {fault}", received.name()));
            }
        }
        self.doubles();
        self.orphans();
    }

    /// What does not fit, if anything.
    fn misfit(&self, received: &Received) -> Option<String> {
        let Some((_, scopes)) = SCOPES.iter().find(|(name, _)| *name == received.alert) else {
            return Some("is no alert of the contract".to_owned());
        };
        if !scopes.contains(&received.scope.as_str()) {
            return Some(format!("has the scope {:?}, not {}", received.scope, scopes.join(" or ")));
        }
        if (received.scope == "fleet") != received.tenant.is_empty() {
            return Some(format!("has the scope {} and the tenant {:?}", received.scope, received.tenant));
        }
        if received.scope == "token" && received.token_name.is_empty() {
            return Some("is about one token and names none".to_owned());
        }
        received.entries.iter().find_map(|entry| self.misfit_entry(received, entry))
    }

    fn misfit_entry(&self, received: &Received, entry: &Entry) -> Option<String> {
        let Entry { token: name, thing } = entry;
        let Some(token) = self.token_named(&received.tenant, name) else {
            return Some(format!("lists {name:?}, which is no token of that tenant"));
        };
        let of_user = received.user_id.filter(|_| received.scope == "user");
        if received.scope == "token" && received.token_name != *name {
            return Some(format!("is about one token and lists {name}"));
        }
        if of_user.is_some_and(|user| user != self.case.user_id(token)) {
            return Some(format!("is about one user and lists {name}, which is another's"));
        }
        let first = received.entries.first().and_then(|first| self.token_named(&received.tenant, &first.token));
        if received.scope == "user" && first.is_some_and(|first| !self.case.same_user(first, token)) {
            return Some(format!("is about one user and lists tokens of several, {name} among them"));
        }
        let known = self.case.permissions.iter().enumerate().any(|(number, permission)| {
            permission.right == Some(thing)
                || permission.name == thing && self.case.tokens[token].wanted.contains(&number)
        });
        let alert = received.alert.as_str();
        if states::is_of_state(alert) && !thing.is_empty() {
            return Some(format!("is about tokens that do not work and lists {name} / {thing}"));
        }
        if permissions::RIGHT.contains(&alert) && !known && !(thing.is_empty() && alert == "UserChanged") {
            return Some(format!("lists {name} / {thing}, which is nothing that the token needs"));
        }
        None
    }

    /// Two alerts about the same whom at the same time.
    fn doubles(&mut self) {
        let mut firing: Vec<&Received> = Vec::new();
        let mut found = Vec::new();
        for received in self.received.iter().copied() {
            firing.retain(|other| other.id != received.id);
            if received.change.ends() || !ONE_AT_A_TIME.contains(&received.alert.as_str()) {
                continue;
            }
            let same = |other: &&&Received| {
                let of = |received: &Received| (received.alert.clone(), received.tenant.clone());
                let about = |received: &Received| self.about(received);
                of(other) == of(received) && about(other) == about(received)
            };
            if let Some(other) = firing.iter().find(same).filter(|_| received.change == Change::New) {
                let deadline = self.put_off(received.at + SLACK);
                let goes_on = self.fires_at(deadline, |any| any.id == other.id)
                    && self.fires_at(deadline, |any| any.id == received.id);
                if goes_on && !self.may_have_lost(other.at, deadline) && deadline < self.case.end - SECOND {
                    let what = format!("{} fires beside {}", received.name(), other.name());
                    found.push((Kind::Twice, received.at, what));
                }
            }
            firing.push(received);
        }
        self.find_all(found);
    }

    /// People get no all-clear of what was superseded, so that another alert must be about the same.
    fn orphans(&mut self) {
        let mut found = Vec::new();
        for received in self.received.iter().copied().filter(|received| received.change == Change::Superseded) {
            let (since, until) = (self.decided_since(received.at), self.put_off(received.at + SLACK));
            let tokens = self.tokens_of(received);
            let shares = |other: &Received| {
                let group = !other.security_group.is_empty() && other.security_group == received.security_group;
                other.tenant == received.tenant
                    && (group || tokens.is_empty() || self.tokens_of(other).iter().any(|token| tokens.contains(token)))
            };
            let takes_over = self.received.iter().any(|other| {
                let fires = other.at >= since || self.fires_at(since, |any| any.id == other.id);
                other.id != received.id && !other.change.ends() && other.at <= until && shares(other) && fires
            });
            if !takes_over && !self.may_have_lost(since, until) {
                let what = format!("{} was superseded, and no alert takes its place", received.name());
                found.push((Kind::WronglyResolved, received.at, what));
            }
        }
        self.find_all(found);
    }

    /// Whom of a tenant an alert is about: its token or its user; nobody in particular if it is about the tenant.
    fn about(&self, received: &Received) -> Option<u64> {
        let token = self.tokens_of(received).first().copied();
        match received.scope.as_str() {
            "token" => token.map(|token| token as u64),
            "user" => received.user_id.or_else(|| token.map(|token| self.case.user_id(token))),
            _ => None,
        }
    }
}
