//! What an alert is about, as it is now: its tokens, their user, their group, and the integrations that use them. Pure.

use chrono::{DateTime, Utc};

use crate::alert::{Affected, Firing, Member, Message, Rules, Tenancy};
use crate::model::{Scope, Tenant, Token};

use super::words::{cut, each_once, list, name, title, utc};

/// The most characters of the contacts of all tokens together.
const LONGEST_CONTACT: usize = 200;

/// An alert, and the tenant that it is about.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) firing: &'a Firing,
    pub(super) tenancy: &'a Tenancy<'a>,
    pub(super) rules: Rules<'a>,
}

impl<'a> Subject<'a> {
    /// The names of the tokens that are affected, each once.
    fn token_names(&self) -> Vec<&'a str> {
        let mut names: Vec<_> = self.firing.affected.iter().map(|affected| affected.token_name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The tokens that are affected, as far as they are configured.
    pub(super) fn members(&self) -> Vec<&'a Member<'a>> {
        self.token_names().into_iter().filter_map(|token_name| self.tenancy.member(token_name)).collect()
    }

    /// The first of them.
    pub(super) fn member(&self) -> Option<&'a Member<'a>> {
        self.members().first().copied()
    }

    /// The account.
    pub(super) fn tenant(&self) -> Option<&'a Tenant> {
        self.tenancy.tenant()
    }

    /// What the tokens lack, each name once.
    pub(super) fn things(&self) -> Vec<&'a str> {
        let mut things: Vec<_> = self.firing.affected.iter().filter_map(Affected::thing).collect();
        things.sort_unstable();
        things.dedup();
        things
    }

    /// A moment as people read it in the time zone of the tenant.
    pub(super) fn shown(&self, moment: DateTime<Utc>) -> String {
        self.tenant().map_or_else(|| utc(moment), |tenant| tenant.shown(moment))
    }

    /// Since when the condition has existed.
    pub(super) fn since(&self) -> String {
        format!("since {}", self.shown(self.firing.since))
    }

    /// The name of the tenant.
    pub(super) fn tenant_named(&self) -> String {
        format!("tenant {}", name(self.tenancy.name))
    }

    /// The token: token `t` of tenant `a`.
    pub(super) fn token_named(&self) -> String {
        let token_name = self.firing.scope.token_name().or_else(|| self.token_names().first().copied());
        format!("token {} of {}", name(token_name.unwrap_or_default()), self.tenant_named())
    }

    /// The user: by name, if it may be shown, else by number.
    pub(super) fn user(&self) -> String {
        let number = self.firing.scope.user_id();
        let mut users = self.members().into_iter().filter_map(|member| member.status.user.as_ref());
        let user = users.find(|user| number.is_none_or(|number| user.id == number));
        match (user.and_then(|user| user.name.as_deref()), number.or(user.map(|user| user.id))) {
            (Some(user), _) => name(user),
            (None, Some(number)) => number.to_string(),
            (None, None) => format!("of {}", self.token_named()),
        }
    }

    /// The user, to begin a sentence: the user `Pat` of tenant `a`.
    pub(super) fn user_named(&self) -> String {
        let user = self.user();
        if user.starts_with("of ") {
            format!("the user {user}")
        } else {
            format!("the user {user} of {}", self.tenant_named())
        }
    }

    /// The security group that restricts the user, where it is known.
    pub(super) fn group(&self) -> Option<&'a str> {
        let of_scope = self.firing.scope.security_group();
        let of_member = || match self.firing.scope {
            Scope::Token(_) | Scope::User { .. } => self.member().and_then(|member| member.status.current_group()),
            _ => None,
        };
        of_scope.or_else(of_member)
    }

    /// The tokens that are affected.
    pub(super) fn tokens(&self, room: usize) -> String {
        let names = self.token_names();
        let in_parentheses = |token_name: &str| {
            let profile = self.tenancy.member(token_name).and_then(|member| member.token.profile.as_ref());
            profile.map_or_else(String::new, |profile| format!(" ({})", title(&profile.title)))
        };
        let titles = each_once(names.iter().map(|token_name| in_parentheses(token_name)));
        // One title is said already.
        let is_titled = titles.len() > 1 && room > 100;
        let shown = |token_name: &&str| {
            let title = if is_titled { in_parentheses(token_name) } else { String::new() };
            format!("{}{title}", name(token_name))
        };
        list(&names.iter().map(shown).collect::<Vec<_>>(), room)
    }

    /// Who is affected, as a clause; empty where it is the token that is named already.
    pub(super) fn affected(&self, room: usize) -> String {
        if self.firing.scope.token_name().is_some() {
            return String::new();
        }
        let tokens = self.tokens(room);
        if tokens.is_empty() { tokens } else { format!("affected: {tokens}") }
    }

    /// The integrations that use the tokens.
    pub(super) fn integrations(&self, room: usize) -> String {
        let titles = self.members().into_iter().map(|member| integration(member.token));
        let titles = each_once(titles);
        if titles.is_empty() { "what uses it".to_owned() } else { list(&titles, room) }
    }

    /// A message about it, with the fields that all of these have in common.
    pub(super) fn message(&self, line: String, steps: Vec<String>) -> Message {
        let members = self.members();
        let profiles = members.iter().filter_map(|member| member.token.profile_name().map(str::to_owned));
        let mut profiles: Vec<_> = profiles.collect();
        profiles.sort_unstable();
        profiles.dedup();
        let contacts = each_once(members.iter().filter_map(|member| member.token.contact.clone()));
        let contact = (!contacts.is_empty()).then(|| cut(&contacts.join(", "), LONGEST_CONTACT));
        let note = members.iter().find_map(|member| member.token.note.clone());
        let of_token = || {
            let is_token = self.firing.scope.token_name().is_some();
            self.member().filter(|_| is_token).and_then(Member::user_id)
        };
        let user_id = self.firing.scope.user_id().or_else(of_token);
        let security_group = self.group().map(str::to_owned);
        Message { security_group, user_id, profiles, contact, note, ..Message::new(line, steps) }
    }
}

/// The integration that uses a token, to stand in a sentence.
pub(super) fn integration(token: &Token) -> String {
    match &token.profile {
        Some(profile) => title(&profile.title),
        None => format!("what uses {}", name(&token.name)),
    }
}
