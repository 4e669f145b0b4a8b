//! What a made-up Syncro does: whether it answers, and which tokens it lets in. Pure.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::{Token, TokenId};

use super::Script;

/// Something that happens, whatever the configuration declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Incident {
    /// A token is revoked at a moment.
    Revoked {
        /// Which.
        token: TokenId,
        /// When.
        at: DateTime<Utc>,
    },
    /// Syncro answers nobody for some time.
    Outage {
        /// When that begins.
        at: DateTime<Utc>,
        /// When that is over.
        until: DateTime<Utc>,
    },
}

/// How Syncro answers about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    Works,
    Refused,
    Silence,
}

/// What becomes different at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Change {
    /// A token is refused, or is replaced by one that works.
    OfToken(usize),
    /// A token is replaced by one with a later expiry, which the configuration declares.
    Renewed(usize),
    /// Syncro answers nobody, or answers again.
    OfAll,
}

/// For how long a token lives that replaces one with a declared expiry.
const LIFETIME: TimeDelta = TimeDelta::days(365);

/// What happens in a rehearsal.
#[derive(Debug)]
pub(crate) struct Truth {
    /// The times in which Syncro answers nobody.
    outages: Vec<(DateTime<Utc>, DateTime<Utc>)>,
    /// The times in which each token is refused, by its place in the configuration.
    refused: Vec<Vec<(DateTime<Utc>, DateTime<Utc>)>>,
    /// Every change, in the order of time.
    pub(super) changes: Vec<(DateTime<Utc>, Change)>,
}

impl Truth {
    /// What happens to these tokens by a script.
    pub(crate) fn new<'a>(tokens: impl Iterator<Item = &'a Token>, script: &Script) -> Self {
        let (mut outages, mut changes, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for incident in &script.incidents {
            if let Incident::Outage { at, until } = incident {
                outages.push((*at, *until));
                changes.extend([(*at, Change::OfAll), (*until, Change::OfAll)]);
            }
        }
        for (place, token) in tokens.enumerate() {
            let revoked = |from| {
                let of_token = script.incidents.iter().filter_map(|incident| match incident {
                    Incident::Revoked { token: revoked, at } if *revoked == token.id() => Some(*at),
                    _ => None,
                });
                of_token.filter(|at| *at >= from).min()
            };
            let mut times = Vec::new();
            let mut expires = token.expires.filter(|_| !token.auto_rotated);
            let mut ends = [revoked(script.start), expires].into_iter().flatten().min();
            while let Some(at) = ends.filter(|at| *at <= script.end) {
                // One that had expired before is replaced as one that expires in the beginning.
                let replaced = at.max(script.start) + script.fixed_after;
                times.push((at, replaced));
                let replacement = if expires.is_some() { Change::Renewed(place) } else { Change::OfToken(place) };
                changes.extend([(at, Change::OfToken(place)), (replaced, replacement)]);
                expires = expires.map(|_| renewed(replaced));
                ends = [revoked(replaced), expires].into_iter().flatten().min();
            }
            refused.push(times);
        }
        changes.sort_by_key(|(at, _)| *at);
        Self { outages, refused, changes }
    }

    /// How Syncro answers about a token at a moment.
    pub(super) fn answer(&self, place: usize, now: DateTime<Utc>) -> Answer {
        let is_within =
            |times: &[(DateTime<Utc>, DateTime<Utc>)]| times.iter().any(|(from, to)| *from <= now && now < *to);
        if is_within(&self.outages) {
            Answer::Silence
        } else if self.refused.get(place).is_some_and(|times| is_within(times)) {
            Answer::Refused
        } else {
            Answer::Works
        }
    }

    /// How often a token has been replaced until a moment: each has another value.
    pub(super) fn replacements(&self, place: usize, now: DateTime<Utc>) -> usize {
        self.refused.get(place).map_or(0, |times| times.iter().filter(|(_, to)| *to <= now).count())
    }

    /// Whether Syncro answers nobody, or did so within the last hour.
    pub(super) fn is_unsettled(&self, now: DateTime<Utc>) -> bool {
        self.outages.iter().any(|(from, to)| *from <= now && now < *to + TimeDelta::hours(1))
    }
}

/// The expiry of the token that replaces one at a moment.
pub(super) fn renewed(at: DateTime<Utc>) -> DateTime<Utc> {
    at + LIFETIME
}
