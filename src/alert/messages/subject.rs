//! What an alert is about, as it is now: its tokens, their user, their group, and the integrations that use them. Pure.

use chrono::{DateTime, Utc};

use crate::alert::{Affected, Firing, Member, Message, Rules, Tenancy};
use crate::model::{Scope, Tenant, Token};

use super::words::{FEW, cut, each_once, ending, list, name, permission, several, title, utc};

/// The most characters of the contacts of all tokens together.
const LONGEST_REMARK: usize = 200;

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

    /// Some of what the tokens lack, each name once.
    fn lacking(&self, name: impl Fn(&'a Affected) -> Option<&'a String>) -> Vec<&'a str> {
        let mut names: Vec<_> = self.firing.affected.iter().filter_map(name).map(String::as_str).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// The permissions that the tokens lack, each once.
    pub(super) fn permissions(&self) -> Vec<&'a str> {
        self.lacking(|affected| affected.permission.as_ref())
    }

    /// The rights that the users of the tokens lack, as a part of a sentence; empty if they lack none.
    fn rights(&self, room: usize) -> String {
        let rights: Vec<_> = self.lacking(|affected| affected.right.as_ref()).into_iter().map(permission).collect();
        match rights.len() {
            0 => String::new(),
            1 => format!("the right {}", list(&rights, room)),
            _ => format!("the rights {}", list(&rights, room)),
        }
    }

    /// All that is lacking, as a part of a sentence. A right is not a box to tick, so it is called one.
    pub(super) fn lost(&self, room: usize) -> String {
        let permissions: Vec<_> = self.permissions().into_iter().map(permission).collect();
        let rights = self.rights(if permissions.is_empty() { room } else { room / 2 });
        let parts = [list(&permissions, room), rights];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" and ")
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

    /// The user: by name, if it may be shown, else by number. None before it is known, or where the tokens have several.
    pub(super) fn user(&self) -> Option<String> {
        let users: Vec<_> = self
            .members()
            .into_iter()
            .filter_map(|member| Some((member.user_id()?, member.status.user.as_ref()?)))
            .collect();
        let number = self.firing.scope.user_id().or_else(|| users.first().map(|(number, _)| *number))?;
        if self.firing.scope.user_id().is_none() && users.iter().any(|(other, _)| *other != number) {
            return None;
        }
        let user_name = users.iter().find(|(of, _)| *of == number).and_then(|(_, user)| user.name.as_deref());
        Some(user_name.map_or_else(|| number.to_string(), name))
    }

    /// The user, to begin a sentence: the user `Pat` of tenant `a`.
    pub(super) fn user_named(&self) -> String {
        match self.user() {
            Some(user) => format!("the user {user} of {}", self.tenant_named()),
            None => format!("the user of {}", self.token_named()),
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

    /// The names of the tokens, each with the title of its integration where there are several.
    fn titled(&self, is_titled: bool) -> Vec<String> {
        let names = self.token_names();
        let in_parentheses = |token_name: &str| {
            let profile = self.tenancy.member(token_name).and_then(|member| member.token.profile.as_ref());
            profile.map_or_else(String::new, |profile| format!(" ({})", title(&profile.title)))
        };
        let titles = each_once(names.iter().map(|token_name| in_parentheses(token_name)));
        // One title is said already.
        let is_titled = is_titled && titles.len() > 1;
        let shown = |token_name: &&str| {
            let title = if is_titled { in_parentheses(token_name) } else { String::new() };
            format!("{}{title}", name(token_name))
        };
        names.iter().map(shown).collect()
    }

    /// Who is affected, as a clause; empty where it is the token that is named already. Of many tokens it says how many they
    /// are, and names a few.
    pub(super) fn affected(&self, room: usize) -> String {
        let tokens = self.titled(room > 100);
        if self.firing.scope.token_name().is_some() || tokens.is_empty() {
            return String::new();
        }
        let all = list(&tokens, usize::MAX);
        if tokens.len() == 1 || all.chars().count() <= room {
            return format!("affected: {all}");
        }
        let tokens = self.titled(false);
        let mut fits = (1..=FEW.min(tokens.len())).rev().map(|number| list(&tokens[..number], usize::MAX));
        let named =
            fits.clone().find(|named| named.chars().count() <= room).or_else(|| fits.next_back()).unwrap_or_default();
        format!("affected: {} tokens, among them {named}", tokens.len())
    }

    /// The integrations that use the tokens.
    pub(super) fn integrations(&self, room: usize) -> String {
        integrations(self.members().into_iter().map(|member| member.token), room)
    }

    /// A message about it, with the fields that all of these have in common.
    pub(super) fn message(&self, line: String, steps: Vec<String>) -> Message {
        let members = self.members();
        let profiles = members.iter().filter_map(|member| member.token.profile_name().map(str::to_owned));
        let mut profiles: Vec<_> = profiles.collect();
        profiles.sort_unstable();
        profiles.dedup();
        let contact = remarks(&members, |token| token.contact.as_deref());
        let note = remarks(&members, |token| token.note.as_deref());
        let of_token = || {
            let is_token = self.firing.scope.token_name().is_some();
            self.member().filter(|_| is_token).and_then(Member::user_id)
        };
        let user_id = self.firing.scope.user_id().or_else(of_token);
        let security_group = self.group().map(str::to_owned);
        let line = match &self.firing.in_place_of {
            Some((alert, id)) => ending(&line, &format!("in place of {} ({id})", alert.as_str())),
            None => line,
        };
        Message { security_group, user_id, profiles, contact, note, ..Message::new(line, steps) }
    }
}

/// What the operator wrote about these tokens; where not all of them have the same, each with the name of its token.
fn remarks(members: &[&Member<'_>], of: impl Fn(&Token) -> Option<&str>) -> Option<String> {
    let first = members.first().and_then(|member| of(member.token));
    if let Some(first) = first.filter(|first| members.iter().all(|member| of(member.token) == Some(*first))) {
        return Some(cut(first, LONGEST_REMARK));
    }
    let named = members.iter().filter_map(|member| Some(format!("{}: {}", member.token.name, of(member.token)?)));
    let named: Vec<_> = named.collect();
    (!named.is_empty()).then(|| cut(&named.join("; "), LONGEST_REMARK))
}

/// The integrations that use these tokens, to stand in a sentence: a noun, in the singular if there is one.
pub(super) fn integrations<'a>(tokens: impl Iterator<Item = &'a Token> + Clone, room: usize) -> String {
    let untitled = each_once(tokens.clone().filter(|token| token.profile.is_none()).map(|token| name(&token.name)));
    let titles = each_once(tokens.map(|token| match &token.profile {
        Some(profile) => title(&profile.title),
        None => format!("the integration of {}", name(&token.name)),
    }));
    match titles.len() {
        0 => "what uses it".to_owned(),
        number if number > 1 && number == untitled.len() => format!("the integrations of {}", several(&untitled, room)),
        _ => several(&titles, room),
    }
}
