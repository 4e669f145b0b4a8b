//! The alerts of one tenant: what is wrong with it and its tokens becomes what its operators are notified of. Pure.

use chrono::{DateTime, SecondsFormat, Utc};

use crate::belief::{PermissionState, TokenState};
use crate::model::Scope;

use super::finding::Tenancy;
use super::findings::{findings, moments};
use super::firing::{Affected, Firing};
use super::kind::Alert;
use super::message::Message;
use super::messages;
use super::notification::{AlertKey, Change, Notification};
use super::rules::{Outcome, Rules, Subjects, Waiting};

/// Updates the alerts that fire for a tenant and its tokens to what is wrong now.
#[must_use]
pub(crate) fn tenant_alerts(
    rules: Rules<'_>,
    tenancy: &Tenancy<'_>,
    firing: &mut Vec<Firing>,
    waiting: &mut Waiting,
) -> Outcome {
    let findings = findings(tenancy, rules);
    let mut outcome = rules.apply(&findings, firing, waiting, &Members { tenancy, rules });
    outcome.next = outcome.next.into_iter().chain(moments(tenancy, rules)).min();
    outcome
}

/// Ends every alert that fires for a tenant that is no longer configured, and returns the notifications to dispatch.
#[must_use]
pub(crate) fn retire(firing: Vec<Firing>) -> Vec<Notification> {
    let utc = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
    let ended = |mut one: Firing| {
        one.message = messages::ended(&one, "it is no longer in the configuration", utc);
        Notification::of(&one, Change::Resolved)
    };
    firing.into_iter().map(ended).collect()
}

/// The tokens of a tenant, as the rules see them.
struct Members<'a> {
    tenancy: &'a Tenancy<'a>,
    rules: Rules<'a>,
}

impl Subjects for Members<'_> {
    fn is_frozen(&self, firing: &Firing, affected: Option<&Affected>) -> bool {
        let Some(affected) = affected else { return self.tenancy.is_silence_suppressed };
        let Some(member) = self.tenancy.member(&affected.token_name) else {
            return self.tenancy.leavers.contains(&affected.token_name.as_str());
        };
        !member.is_valid() && firing.alert.is_suppressed_while_not_valid()
    }

    fn is_behind(&self, firing: &Firing) -> bool {
        if firing.affected.is_empty() {
            return self.tenancy.members.values().all(|member| member.is_behind);
        }
        let mut members = firing.affected.iter().filter_map(|affected| self.tenancy.member(&affected.token_name));
        members.any(|member| member.is_behind)
    }

    fn is_pending(&self, key: &AlertKey, is_vague: bool) -> bool {
        let tenant = Scope::Tenant(self.tenancy.name.to_owned());
        let scope = if key.alert == Alert::TokenWrongAccount { &tenant } else { &key.of };
        // What the other tokens of its user and its group show may be the cause.
        let token = key.of.token_name().filter(|_| is_vague).and_then(|token_name| self.tenancy.member(token_name));
        let mut kin = token.into_iter().flat_map(|token| {
            self.tenancy.members.values().filter(|other| token.status.may_share_side_with(other.status))
        });
        self.tenancy.members_of(scope).any(|member| member.is_pending) || kin.any(|member| member.is_pending)
    }

    fn message(&self, firing: &Firing) -> Message {
        messages::of_tenant(firing, self.tenancy, self.rules)
    }

    fn ended(&self, firing: &Firing, change: Change) -> Message {
        let shown = |at: DateTime<Utc>| match self.tenancy.tenant() {
            Some(tenant) => tenant.shown(at),
            None => at.to_rfc3339_opts(SecondsFormat::Secs, true),
        };
        let why =
            if change == Change::Superseded { "another alert has taken its place" } else { self.why_ended(firing) };
        messages::ended(firing, why, shown)
    }
}

impl Members<'_> {
    /// Why an alert is over, as the message that resolves it says.
    fn why_ended(&self, firing: &Firing) -> &'static str {
        let members = firing.affected.iter().map(|affected| (affected, self.tenancy.member(&affected.token_name)));
        let gone = members.clone().all(|(_, member)| member.is_none());
        if gone && !firing.affected.is_empty() {
            return "it is no longer in the configuration";
        }
        match firing.alert {
            Alert::TenantUnreachable => "a check gave a verdict",
            Alert::TokenExpiring => "its date was moved",
            Alert::TokenExpiryOutdated if self.is_date_corrected(firing) => "its date was corrected",
            Alert::PermissionLost | Alert::PermissionMissing => self.why_granted(firing),
            Alert::SecurityGroupRightLost => "the user has the right again",
            Alert::UserChanged => "it was changed back, or nothing is missing and it is no longer news",
            Alert::UserDisabled => "the user is in the list of users again",
            Alert::CustomersHidden => "the token sees as many customers as before, or the change is no longer news",
            Alert::TokenUnreadable => "its value is readable again",
            _ => self.why_changed(firing),
        }
    }

    fn is_date_corrected(&self, firing: &Firing) -> bool {
        firing.affected.iter().filter_map(|affected| self.tenancy.member(&affected.token_name)).any(|member| {
            member.token.expires.is_none_or(|expires| member.status.validity.last_attempt < Some(expires))
        })
    }

    fn why_granted(&self, firing: &Firing) -> &'static str {
        let is = |wanted: bool, missing: bool| {
            move |affected: &Affected| {
                let Some(member) = self.tenancy.member(&affected.token_name) else { return !wanted };
                let name = affected.permission.as_deref();
                let of = |permission: &str| Some(permission) == name;
                let is_wanted = member.token.wanted.iter().any(|one| of(one.permission.name()));
                let mut permissions = member.status.permissions.iter().filter(|one| of(one.permission.name()));
                let is_missing = permissions.any(|one| one.state() == PermissionState::Missing);
                is_wanted == wanted && (!missing || is_missing)
            }
        };
        let listed: Vec<_> = firing.affected.iter().filter(|affected| affected.permission.is_some()).collect();
        if listed.iter().all(|affected| is(false, false)(affected)) {
            "it is no longer wanted"
        } else if listed.iter().all(|affected| self.is_ignored(affected)) {
            "the configuration says that it is meant to be missing"
        } else if listed.iter().any(|affected| is(true, true)(affected)) {
            "nothing shows any more that the token itself lacks it"
        } else {
            "nothing of it is missing any more"
        }
    }

    fn is_ignored(&self, affected: &Affected) -> bool {
        let member = self.tenancy.member(&affected.token_name);
        member.is_some_and(|member| {
            let mut wanted = member.token.wanted.iter().map(|wanted| wanted.permission);
            let permission = wanted.find(|permission| Some(permission.name()) == affected.permission.as_deref());
            permission.is_some_and(|permission| member.token.ignores(permission, self.rules.now).is_some())
        })
    }

    fn why_changed(&self, firing: &Firing) -> &'static str {
        let states = firing.affected.iter().filter_map(|affected| self.tenancy.member(&affected.token_name));
        let is_valid = states.clone().all(|member| member.status.state == TokenState::Valid);
        match (is_valid, firing.affected.len()) {
            (true, 0 | 1) => "the token works again",
            (true, _) => "the tokens work again",
            (false, _) => "the state of the token is another one now",
        }
    }
}

#[cfg(test)]
mod tests;
