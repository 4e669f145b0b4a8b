//! What a report is asked to be about, as a query in an address or the options of the command. Pure.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::cli::{self, ReportOutput, Since};
use crate::state::Snapshot;

/// How many days before its making a report begins, unless it is asked to begin at another moment.
const DAYS: i64 = 90;
/// In bytes: more than the longest moment or duration takes.
const LONGEST_MOMENT: usize = 64;

/// What a report is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Selection {
    /// Only the tokens of this tenant.
    pub(crate) tenant: Option<String>,
    /// When its period begins.
    pub(crate) since: DateTime<Utc>,
    /// When it ends: when the report is made.
    pub(crate) until: DateTime<Utc>,
}

impl Selection {
    /// A report that is made at `now` and begins at `since`, or [`DAYS`] before.
    ///
    /// # Errors
    /// Why it cannot begin then.
    pub(crate) fn new(tenant: Option<String>, since: Option<Since>, now: DateTime<Utc>) -> Result<Self, String> {
        let since = match since {
            None => now - TimeDelta::days(DAYS),
            // Before that there was no Syncro, and years have more digits than moments are written with.
            Some(since) => since.moment(now).unwrap_or_default().max(DateTime::UNIX_EPOCH),
        };
        if since > now {
            return Err("since: that is in the future, and a report is of the past".to_owned());
        }
        Ok(Self { tenant, since, until: now })
    }

    /// The tenant that it is about, if no token of one of that name is configured.
    pub(crate) fn unknown_tenant(&self, snapshot: &Snapshot) -> Option<&str> {
        let is_known = |tenant: &str| snapshot.tokens.iter().any(|entry| entry.token.tenant.name == tenant);
        self.tenant.as_deref().filter(|tenant| !is_known(tenant))
    }

    /// The indexes in the snapshot of the tokens that it has, by tenant and name.
    pub(crate) fn indexes(&self, snapshot: &Snapshot) -> Vec<usize> {
        let name = |index: usize| {
            let token = &snapshot.tokens[index].token;
            (token.tenant.name.as_str(), token.name.as_str())
        };
        let is_meant = |index: &usize| self.tenant.as_deref().is_none_or(|tenant| name(*index).0 == tenant);
        let mut indexes: Vec<_> = (0..snapshot.tokens.len()).filter(is_meant).collect();
        indexes.sort_by(|left, right| name(*left).cmp(&name(*right)));
        indexes
    }
}

/// The query of the page, as it is in the address.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(in super::super) struct ReportQuery {
    tenant: String,
    since: String,
    /// The form, `html` unless it says otherwise.
    pub(in super::super) output: Option<ReportOutput>,
}

impl ReportQuery {
    /// What it selects.
    ///
    /// # Errors
    /// What cannot be understood, and what is allowed.
    pub(in super::super) fn read(&self, now: DateTime<Utc>) -> Result<Selection, String> {
        selection(&self.tenant, &self.since, now)
    }
}

/// What a report is about.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(in super::super) struct ApiReportQuery {
    /// Only the tokens of this tenant; of all tenants without it.
    #[param(nullable = false, max_length = 100)]
    tenant: String,
    /// The beginning of its period: so long ago (`30d`), a day in UTC (`2026-11-23`) or a moment (`2026-11-23T10:00:00Z`); 90
    /// days ago without it.
    #[param(nullable = false, max_length = 64)]
    since: String,
}

impl ApiReportQuery {
    /// What it selects.
    ///
    /// # Errors
    /// What cannot be understood, and what is allowed.
    pub(in super::super) fn read(&self, now: DateTime<Utc>) -> Result<Selection, String> {
        selection(&self.tenant, &self.since, now)
    }
}

fn selection(tenant: &str, since: &str, now: DateTime<Utc>) -> Result<Selection, String> {
    if since.len() > LONGEST_MOMENT {
        return Err("since: longer than any moment or duration".to_owned());
    }
    let begin = Some(since).filter(|since| !since.is_empty()).map(cli::since).transpose();
    let begin = begin.map_err(|why| format!("since: {why}"))?;
    let tenant = Some(tenant.to_owned()).filter(|tenant| !tenant.is_empty());
    Selection::new(tenant, begin, now)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::at;

    #[test]
    fn a_report_is_about_the_last_90_days_of_all_tenants_unless_it_is_asked_otherwise() {
        let read = |tenant: &str, since: &str| selection(tenant, since, at(0));
        let report = |tenant: Option<&str>, since| {
            Ok(Selection { tenant: tenant.map(str::to_owned), since: at(since), until: at(0) })
        };
        assert_eq!(read("", ""), report(None, -90 * 86_400));
        assert_eq!(read("acme", "2h"), report(Some("acme"), -7200));
        let epoch = DateTime::UNIX_EPOCH;
        for long in ["1000000d", "99999999999d", "0001-01-01"] {
            assert_eq!(read("", long).map(|selection| selection.since), Ok(epoch), "{long}");
        }
        for bad in ["yesterday", "9999999999999y", "2999-01-01", &"1".repeat(65)] {
            assert!(read("", bad).is_err(), "{bad}");
        }
    }
}
