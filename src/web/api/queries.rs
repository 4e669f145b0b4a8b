//! What may be asked of lists, as queries in an address. Pure.

use chrono::{DateTime, Utc};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::cli::since;
use crate::state::HistoryQuery;

/// How many transitions one answer has unless the query has a limit.
const TRANSITIONS: u32 = 100;
/// The highest limit of a query.
const MOST_TRANSITIONS: u32 = 1000;
/// In characters: the longest name that the configuration accepts.
const LONGEST_NAME: usize = 100;
/// In bytes: more than the longest moment or duration takes.
const LONGEST_MOMENT: usize = 64;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct Part {
    /// So many at most; all of them without it.
    #[param(nullable = false, minimum = 0)]
    limit: Option<usize>,
    /// So many of the list are left out before the first.
    #[serde(default)]
    #[param(minimum = 0, default = 0)]
    offset: usize,
}

impl Part {
    #[cfg(test)]
    pub(super) fn new(limit: Option<usize>, offset: usize) -> Self {
        Self { limit, offset }
    }

    /// That part of `all`.
    pub(in super::super) fn of<T>(self, all: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
        all.skip(self.offset).take(self.limit.unwrap_or(usize::MAX))
    }
}

/// The query parameters that select transitions.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct TransitionsQuery {
    /// Only of this tenant.
    #[param(nullable = false, max_length = 100)]
    tenant: Option<String>,
    /// Only of tokens of this name.
    #[param(nullable = false, max_length = 100)]
    token_name: Option<String>,
    /// Only what was settled then or later: a moment (`2026-11-23T10:00:00Z`), a day in UTC (`2026-11-23`) or so long ago
    /// (`7d`).
    #[param(nullable = false, max_length = 64)]
    since: Option<String>,
    /// Only what was settled before then, in the same forms.
    #[param(nullable = false, max_length = 64)]
    until: Option<String>,
    /// Only what comes after the change with this `id`: the last one of an answer leads to the next.
    #[param(nullable = false)]
    before: Option<i64>,
    /// So many at most.
    #[param(nullable = false, minimum = 1, maximum = 1000, default = 100)]
    limit: Option<u32>,
}

impl TransitionsQuery {
    /// What it selects, and how many at most.
    ///
    /// # Errors
    /// What cannot be understood, and what is allowed.
    pub(in super::super) fn read(self, now: DateTime<Utc>) -> Result<(HistoryQuery, u32), String> {
        for (key, name) in [("tenant", &self.tenant), ("token_name", &self.token_name)] {
            if name.as_ref().is_some_and(|name| name.chars().count() > LONGEST_NAME) {
                return Err(format!("{key}: longer than any name, which has 100 characters"));
            }
        }
        for (key, moment) in [("since", &self.since), ("until", &self.until)] {
            if moment.as_ref().is_some_and(|moment| moment.len() > LONGEST_MOMENT) {
                return Err(format!("{key}: longer than any moment or duration"));
            }
        }
        let moment = |key: &str, text: Option<String>| match text.as_deref().map(since).transpose() {
            Ok(since) => Ok(since.and_then(|since| since.moment(now))),
            Err(why) => Err(format!("{key}: {why}")),
        };
        let (since, until) = (moment("since", self.since)?, moment("until", self.until)?);
        let limit = self.limit.unwrap_or(TRANSITIONS);
        if !(1..=MOST_TRANSITIONS).contains(&limit) {
            return Err(format!("limit: expected a number from 1 to {MOST_TRANSITIONS}"));
        }
        let Self { tenant, token_name, before, .. } = self;
        Ok((HistoryQuery { tenant, token_name, since, until, before, newest: None }, limit))
    }
}
