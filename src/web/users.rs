//! The users who made tokens, each with the tokens that the user made. Pure.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::belief::User;
use crate::model::Token;
use crate::state::{Health, TokenSnapshot};

/// A user with the tokens that the user made.
#[derive(Debug)]
pub(super) struct Maker<'a> {
    pub(super) tenant: &'a str,
    /// As a token showed the user last.
    pub(super) user: &'a User,
    pub(super) tokens: Vec<(Health, &'a TokenSnapshot)>,
}

/// The users of these tokens, by tenant and number; tokens of which no user is known are left out.
pub(super) fn makers<'a>(tokens: impl Iterator<Item = &'a TokenSnapshot>, now: DateTime<Utc>) -> Vec<Maker<'a>> {
    let mut all: BTreeMap<(&str, u64), Maker<'a>> = BTreeMap::new();
    for entry in tokens {
        let (tenant, Some(user)) = (entry.token.tenant.name.as_str(), entry.status.user.as_ref()) else { continue };
        let one = all.entry((tenant, user.id)).or_insert_with(|| Maker { tenant, user, tokens: Vec::new() });
        one.tokens.push((entry.health(now), entry));
        // What another token showed last of the user is the newest.
        if user.group_asked > one.user.group_asked {
            one.user = user;
        }
    }
    all.into_values().collect()
}

impl Maker<'_> {
    /// The health of the worst token.
    pub(super) fn worst(&self) -> Health {
        self.tokens.iter().map(|(health, _)| *health).min().unwrap_or(Health::Ok)
    }

    /// The titles of the integrations that the tokens are for, each once.
    pub(super) fn integrations(&self) -> BTreeSet<&str> {
        let profiles = self.tokens.iter().filter_map(|(_, entry)| entry.token.profile.as_ref());
        profiles.map(|profile| profile.title.as_str()).collect()
    }

    /// The token that expires first of those whose expiry is ahead and is not renewed by itself.
    pub(super) fn expires_first(&self, now: DateTime<Utc>) -> Option<&Token> {
        let tokens = self.tokens.iter().map(|(_, entry)| &*entry.token);
        let ahead = tokens.filter(|token| !token.auto_rotated && token.expires.is_some_and(|expires| expires > now));
        ahead.min_by_key(|token| token.expires)
    }
}
