//! What is wrong, one thing at a time, and the tenant about which it is found. Values only.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::belief::{TokenState, TokenStatus};
use crate::model::{Scope, Tenant, Token};

use super::firing::Affected;
use super::kind::{Alert, Severity};

/// One token of a tenant.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Member<'a> {
    /// The token as it is configured.
    pub token: &'a Token,
    /// What is believed of it.
    pub status: &'a TokenStatus,
    /// The name of its user's security group, which another token of the same user may have shown; `None` while it is in
    /// doubt.
    pub group: Option<&'a str>,
    /// Whether something about it is being checked, or is about to be, that may change what is believed.
    pub is_pending: bool,
    /// Whether what is believed of it was overdue to be checked when the program started, and has not been checked since.
    pub is_behind: bool,
    /// Whether another token of its security group shows that what it believes of the group is no longer so.
    pub is_outdated: bool,
}

impl<'a> Member<'a> {
    /// A token of which no check is due, and of which no other token shows anything.
    pub(crate) fn alone(token: &'a Token, status: &'a TokenStatus) -> Self {
        let group = status.current_group();
        Self { token, status, group, is_pending: false, is_behind: false, is_outdated: false }
    }

    /// The number of the user who made the token, once it is known.
    pub(crate) fn user_id(&self) -> Option<u64> {
        self.status.user.as_ref().map(|user| user.id)
    }

    /// Whether the token works, as far as has been confirmed.
    pub(crate) fn is_valid(&self) -> bool {
        self.status.state == TokenState::Valid
    }
}

/// A tenant with its tokens, as far as alerts depend on them.
#[derive(Debug, Default)]
pub(crate) struct Tenancy<'a> {
    /// The name of the tenant.
    pub name: &'a str,
    /// Its tokens, by their names.
    pub members: BTreeMap<&'a str, Member<'a>>,
    /// Tokens that left the configuration and may come back under another name.
    pub leavers: Vec<&'a str>,
    /// Since when no check of any of its tokens has given a verdict, and why the last one failed; `None` if one has, or
    /// where nobody is notified of it now.
    pub silent: Option<(DateTime<Utc>, &'static str)>,
    /// Whether nothing is to be said now of whether its checks give a verdict: it may be so with most tenants, or the trouble
    /// of our own machine.
    pub is_silence_suppressed: bool,
    /// Whether other tenants answer.
    pub others_answer: bool,
}

impl<'a> Tenancy<'a> {
    /// The account, as its tokens have it.
    pub(crate) fn tenant(&self) -> Option<&'a Tenant> {
        self.members.values().next().map(|member| &*member.token.tenant)
    }

    /// A token of the tenant.
    pub(crate) fn member(&self, token_name: &str) -> Option<&Member<'a>> {
        self.members.get(token_name)
    }

    /// The tokens that belong to a scope.
    pub(crate) fn members_of<'s>(&'s self, scope: &'s Scope) -> impl Iterator<Item = &'s Member<'a>> {
        self.members.values().filter(move |member| match scope {
            Scope::Fleet | Scope::Tenant(_) => true,
            Scope::User { user, .. } => member.user_id() == Some(*user),
            Scope::SecurityGroup { group, .. } => member.status.restricting_group() == Some(group),
            Scope::Token(token) => member.token.name == token.token_name,
        })
    }
}

/// One thing that is wrong: with a token, or with a tenant or the fleet as a whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The alert that notifies of it.
    pub alert: Alert,
    /// Whom that alert is about.
    pub scope: Scope,
    /// The token, or what it lacks; `None` for what is about a tenant or the fleet as a whole.
    pub affected: Option<Affected>,
    /// How bad it is.
    pub severity: Severity,
    /// Since when it has been so, as it was first seen.
    pub since: DateTime<Utc>,
    /// When the token was last seen to have what is missing; the epoch if never, or if nothing is missing.
    pub granted_at: DateTime<Utc>,
    /// How many of the configured expiry notices have passed, for `TokenExpiring`, and when the last of them was due.
    pub notices: (usize, DateTime<Utc>),
    /// Whether an alert may begin to fire for it now; one that lists it already goes on in any case.
    pub may_begin: bool,
    /// Whether it was last seen before the token left the configuration and came back: it stays in the alert that lists
    /// it, and is in no other.
    pub is_stale: bool,
    /// Whether its cause, or the name of its group, is not known: it stays in the alert that lists it.
    pub is_vague: bool,
}

impl Finding {
    /// Something of which an alert fires as soon as it is so.
    pub(crate) fn new(alert: Alert, scope: Scope, severity: Severity, since: DateTime<Utc>) -> Self {
        let granted_at = DateTime::default();
        let (affected, notices) = (None, (0, DateTime::default()));
        let (may_begin, is_stale, is_vague) = (true, false, false);
        Self { alert, scope, affected, severity, since, granted_at, notices, may_begin, is_stale, is_vague }
    }

    /// The same, about a token or what it lacks.
    pub(crate) fn affecting(self, affected: Affected) -> Self {
        Self { affected: Some(affected), ..self }
    }

    /// Whether it is that the user lacks a right.
    pub(crate) fn is_right(&self) -> bool {
        self.affected.as_ref().is_some_and(|affected| affected.right.is_some())
    }
}
