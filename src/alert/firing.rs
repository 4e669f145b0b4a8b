//! An alert that fires: its identity, what it affects, and all that is needed to go on after a restart. Values only.

use std::fmt::Write;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::model::Scope;

use super::acknowledgement::Acknowledgement;
use super::kind::{Alert, Severity};
use super::message::Message;

/// The length of an id in bytes, each of which is two hexadecimal digits: short enough to be read out, and so long that
/// hardly two alerts of a fleet share one.
const ID_LENGTH: usize = 4;

/// One thing that an alert affects: a token, or what a token lacks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Affected {
    /// The name of the token.
    pub token_name: String,
    /// The permission that it lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission: Option<String>,
    /// The right in `/me` that its user lacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<String>,
}

impl Affected {
    /// A token as a whole.
    pub(crate) fn token(token_name: &str) -> Self {
        Self { token_name: token_name.to_owned(), permission: None, right: None }
    }

    /// A token that lacks a permission.
    pub(crate) fn permission(token_name: &str, permission: &str) -> Self {
        Self { permission: Some(permission.to_owned()), ..Self::token(token_name) }
    }

    /// A token whose user lacks a right.
    pub(crate) fn right(token_name: &str, right: &str) -> Self {
        Self { right: Some(right.to_owned()), ..Self::token(token_name) }
    }

    /// What the token lacks, if it is not about the token as a whole.
    pub fn thing(&self) -> Option<&str> {
        self.permission.as_deref().or(self.right.as_deref())
    }
}

/// An alert that fires: one cause at one onset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Firing {
    /// Identifies the alert over restarts, reloads and renames; empty in what a program of the first version wrote.
    #[serde(default)]
    pub id: String,
    /// The kind of the alert.
    pub alert: Alert,
    /// Whom it is about.
    #[serde(default = "unknown_scope")]
    pub scope: Scope,
    /// How bad it is now.
    pub severity: Severity,
    /// Since when the condition has existed.
    pub since: DateTime<Utc>,
    /// When its first notification was made.
    #[serde(default)]
    pub began_at: DateTime<Utc>,
    /// When the last notification about it was made.
    #[serde(rename = "told_at")]
    pub notified_at: DateTime<Utc>,
    /// When what it affects began to differ from the last notification; `None` if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed_at: Option<DateTime<Utc>>,
    /// How many of the configured expiry notices have passed; 0 for all alerts but `TokenExpiring`.
    pub notices: usize,
    /// What it affects, sorted; empty for what is about a tenant or the fleet as a whole.
    #[serde(default)]
    pub affected: Vec<Affected>,
    /// What it affected at the last notification, as a digest.
    #[serde(default)]
    pub announced: u64,
    /// Who has taken it on, if somebody has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acknowledged: Option<Acknowledgement>,
    /// What a human reads of it now.
    #[serde(rename = "words")]
    pub message: Message,
    /// What was said of it last, where that is not what is so now: the notification that ends the alert quotes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) said: Option<Said>,
    /// The alert whose place it took, if it took one's: the kind and the id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) in_place_of: Option<(Alert, String)>,
    /// What it was about, in what a program of the first version wrote.
    #[serde(default, rename = "subject", skip_serializing)]
    pub(crate) former_subject: Option<String>,
}

/// What a notification said of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    line: String,
    affected: Vec<Affected>,
}

/// The scope of an alert before [`Firing::upgrade`] has read it from where it was stored.
fn unknown_scope() -> Scope {
    Scope::Fleet
}

impl Firing {
    /// An alert that begins to fire now. None of `taken` has its id.
    pub(crate) fn new(
        alert: Alert,
        scope: Scope,
        severity: Severity,
        since: DateTime<Utc>,
        now: DateTime<Utc>,
        affected: Vec<Affected>,
        taken: &[Self],
    ) -> Self {
        Self {
            id: new_id(alert, &scope, now, &affected, taken),
            alert,
            scope,
            severity,
            since,
            began_at: now,
            notified_at: now,
            changed_at: None,
            notices: 0,
            announced: digest(&affected),
            affected,
            acknowledged: None,
            message: Message::default(),
            said: None,
            in_place_of: None,
            former_subject: None,
        }
    }

    /// Whether this is among what the alert affects.
    pub(crate) fn lists(&self, affected: Option<&Affected>) -> bool {
        affected.map_or(self.affected.is_empty(), |affected| self.affected.binary_search(affected).is_ok())
    }

    /// Whether the alert affects this token, or is about its tenant as a whole.
    pub fn concerns(&self, token_name: &str) -> bool {
        self.affected.iter().any(|affected| affected.token_name == token_name)
    }

    /// Whether somebody has taken the alert on and the time has not come yet.
    pub fn is_acknowledged(&self, now: DateTime<Utc>) -> bool {
        self.acknowledged.as_ref().is_some_and(|acknowledged| now < acknowledged.until)
    }

    /// Replaces what the alert affects, which is sorted and without doubles.
    pub(crate) fn set_affected(&mut self, affected: Vec<Affected>, now: DateTime<Utc>) {
        if affected != self.affected {
            self.keep_said();
            self.affected = affected;
            let is_announced = digest(&self.affected) == self.announced;
            self.changed_at = if is_announced { None } else { self.changed_at.or(Some(now)) };
        }
    }

    /// Takes in what a human reads of it from now on, of which nobody is notified.
    pub(crate) fn set_message(&mut self, message: Message) {
        if message.line != self.message.line {
            self.keep_said();
        }
        self.message = message;
    }

    fn keep_said(&mut self) {
        if self.said.is_none() {
            self.said = Some(Said { line: self.message.line.clone(), affected: self.affected.clone() });
        }
    }

    /// Goes back to what was said of it last.
    pub(crate) fn restore_said(&mut self) {
        if let Some(Said { line, affected }) = self.said.take() {
            (self.message.line, self.affected) = (line, affected);
        }
    }

    /// Takes note of a notification that is made now.
    pub(crate) fn notified(&mut self, now: DateTime<Utc>) {
        (self.notified_at, self.changed_at, self.announced) = (now, None, digest(&self.affected));
        self.said = None;
    }

    /// The name of a token is another one from now on.
    pub(crate) fn rename(&mut self, from: &str, to: &str) {
        let is_announced = self.changed_at.is_none();
        for affected in
            [Some(&mut self.affected), self.said.as_mut().map(|said| &mut said.affected)].into_iter().flatten()
        {
            for affected in affected.iter_mut().filter(|affected| affected.token_name == from) {
                to.clone_into(&mut affected.token_name);
            }
            affected.sort_unstable();
        }
        if is_announced {
            self.announced = digest(&self.affected);
        }
        if let Scope::Token(token) = &mut self.scope
            && token.token_name == from
        {
            to.clone_into(&mut token.token_name);
        }
    }

    /// The clock was set back to `now`: nothing was notified of after it.
    pub(crate) fn set_back(&mut self, now: DateTime<Utc>) {
        let moments = [&mut self.notified_at, &mut self.since, &mut self.began_at];
        moments.into_iter().chain(&mut self.changed_at).for_each(|moment| *moment = now.min(*moment));
    }

    /// Completes what a program of the first version wrote of an alert of this scope. `user` is the user of the token, where
    /// one is known.
    pub(crate) fn upgrade(&mut self, of: &Scope, user: Option<u64>, taken: &[Self]) {
        if !self.id.is_empty() {
            return;
        }
        let (tenant, token_name) = (of.tenant().unwrap_or_default(), of.token_name());
        self.began_at = self.since;
        self.affected = token_name.into_iter().map(|token_name| self.former_affected(token_name)).collect();
        self.announced = digest(&self.affected);
        let of_user = || user.map(|user| Scope::User { tenant: tenant.to_owned(), user });
        let of_group = || {
            let group = self.message.security_group.clone()?;
            Some(Scope::SecurityGroup { tenant: tenant.to_owned(), group })
        };
        let wider = match self.alert {
            Alert::UserLockedOut | Alert::UserChanged => of_user(),
            Alert::TenantBlocked => Some(Scope::Tenant(tenant.to_owned())),
            Alert::SecurityGroupRightLost => of_group().or_else(of_user),
            Alert::PermissionLost | Alert::PermissionMissing if self.message.is_of_group() => {
                of_group().or_else(of_user)
            }
            _ => None,
        };
        self.scope = wider.unwrap_or_else(|| of.clone());
        self.id = new_id(self.alert, &self.scope, self.began_at, &self.affected, taken);
    }

    fn former_affected(&self, token_name: &str) -> Affected {
        match (&self.former_subject, self.alert) {
            (Some(right), Alert::SecurityGroupRightLost) => Affected::right(token_name, right),
            (Some(permission), _) => Affected::permission(token_name, permission),
            (None, _) => Affected::token(token_name),
        }
    }
}

/// An id that none of `taken` has. It follows from what the alert is, so that nothing random is needed.
fn new_id(alert: Alert, scope: &Scope, at: DateTime<Utc>, affected: &[Affected], taken: &[Firing]) -> String {
    let of = |attempt: u32| {
        let text = format!("{} {scope:?} {} {:?} {attempt}", alert.as_str(), at.timestamp_millis(), affected.first());
        let mut id = String::with_capacity(2 * ID_LENGTH);
        for byte in Sha256::digest(text.as_bytes()).iter().take(ID_LENGTH) {
            // Writing to a string cannot fail.
            write!(id, "{byte:02x}").unwrap_or_default();
        }
        id
    };
    let mut attempt = 0;
    loop {
        let id = of(attempt);
        if taken.iter().all(|other| other.id != id) {
            return id;
        }
        attempt += 1;
    }
}

/// What a list says, in one number.
fn digest(affected: &[Affected]) -> u64 {
    let mut hasher = Sha256::new();
    for Affected { token_name, permission, right } in affected {
        for text in [Some(token_name), permission.as_ref(), right.as_ref()] {
            hasher.update(text.map_or("", String::as_str).as_bytes());
            hasher.update([0]);
        }
    }
    hasher.finalize().iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    fn firing(affected: &[&str]) -> Firing {
        let affected = affected.iter().map(|name| Affected::token(name)).collect();
        Firing::new(
            Alert::UserLockedOut,
            Scope::Tenant("acme".to_owned()),
            Severity::Critical,
            at(0),
            at(9),
            affected,
            &[],
        )
    }

    #[test]
    fn an_id_is_short_and_nobody_else_has_it() {
        let first = firing(&["a"]);
        assert!(first.id.len() == 8 && first.id.chars().all(|digit| digit.is_ascii_hexdigit()), "{}", first.id);
        let taken = [first];
        let scope = Scope::Tenant("acme".to_owned());
        let again = Firing::new(
            Alert::UserLockedOut,
            scope,
            Severity::Critical,
            at(0),
            at(9),
            taken[0].affected.clone(),
            &taken,
        );
        assert_ne!(again.id, taken[0].id);
    }

    #[test]
    fn a_list_that_changes_and_changes_back_is_no_news() {
        let mut firing = firing(&["a", "b"]);
        firing.set_affected(vec![Affected::token("a")], at(10));
        assert_eq!(firing.changed_at, Some(at(10)));
        firing.set_affected(vec![Affected::token("a"), Affected::token("b")], at(20));
        assert_eq!(firing.changed_at, None);
    }

    #[test]
    fn a_renamed_token_takes_its_alert_along_and_that_is_no_news() {
        let mut firing = firing(&["a", "b"]);
        let id = firing.id.clone();
        firing.rename("a", "z");
        assert_eq!((firing.changed_at, firing.concerns("a"), firing.concerns("z")), (None, false, true));
        assert!(firing.lists(Some(&Affected::token("z"))) && firing.id == id);
    }

    #[test]
    fn what_the_first_version_wrote_is_completed() {
        let former = r#"{"alert":"PermissionLost","subject":"Tickets - Edit","severity":"critical","since":"2026-11-01T00:00:00Z",
            "told_at":"2026-11-02T00:00:00Z","notices":0,"represents_group":true,
            "words":{"message":"it lost it. Tick it","cause":"security_group","evidence":"probe","permission":"Tickets - Edit",
                     "right":null,"security_group":"Technicians","profile":"jumpcloud"}}"#;
        let mut firing: Firing = serde_json::from_str(former).unwrap();
        firing.upgrade(&Scope::of_token("acme", "billing"), Some(7), &[]);
        assert_eq!(firing.scope, Scope::SecurityGroup { tenant: "acme".to_owned(), group: "Technicians".to_owned() });
        assert_eq!(firing.affected, [Affected::permission("billing", "Tickets - Edit")]);
        assert_eq!(firing.message.profiles, ["jumpcloud"]);
        let id = firing.id.clone();
        let stored = serde_json::to_string(&firing).unwrap();
        let mut again: Firing = serde_json::from_str(&stored).unwrap();
        again.upgrade(&Scope::Tenant("acme".to_owned()), None, &[]);
        assert_eq!((again.id, again.scope), (id, firing.scope.clone()));
        let locked =
            former.replace("PermissionLost", "TokenUserLockedOut").replace("\"Tickets - Edit\",\"sev", "null,\"sev");
        let mut locked: Firing = serde_json::from_str(&locked).unwrap();
        locked.upgrade(&Scope::of_token("acme", "billing"), Some(7), &[]);
        assert_eq!(locked.scope, Scope::User { tenant: "acme".to_owned(), user: 7 });
        assert_eq!(locked.affected, [Affected::token("billing")]);
        let upgraded = |former: &str, user: Option<u64>| {
            let mut firing: Firing = serde_json::from_str(former).unwrap();
            firing.upgrade(&Scope::of_token("acme", "billing"), user, &[]);
            (firing.scope, firing.affected)
        };
        let blocked = former.replace("PermissionLost", "TokenBlocked");
        assert_eq!(upgraded(&blocked, Some(7)).0, Scope::Tenant("acme".to_owned()));
        let right =
            former.replace("PermissionLost", "SecurityGroupRightLost").replace("Tickets - Edit", "ticket.write");
        assert_eq!(upgraded(&right, Some(7)), (firing.scope, vec![Affected::right("billing", "ticket.write")]));
        let of_no_group = right.replace("\"Technicians\"", "null");
        assert_eq!(upgraded(&of_no_group, Some(7)).0, Scope::User { tenant: "acme".to_owned(), user: 7 });
        assert_eq!(upgraded(&of_no_group, None).0, Scope::of_token("acme", "billing"));
        let of_token = former.replace("\"cause\":\"security_group\"", "\"cause\":\"token\"");
        assert_eq!(upgraded(&of_token, Some(7)).0, Scope::of_token("acme", "billing"), "its own ticks");
    }

    #[test]
    fn lists_that_differ_have_other_digests() {
        let of = |number: u32| digest(&[Affected::token(&number.to_string())]);
        let all: std::collections::BTreeSet<_> = (0..1000).map(of).collect();
        assert_eq!(all.len(), 1000);
    }
}
