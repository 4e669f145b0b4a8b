//! The pages for people, as HTML. Pure: a snapshot, a query and `now` become text. The templates are in the same
//! folder; whatever they are given is escaped. Nothing here knows a token value or an e-mail address, nor the name of a
//! user where `user_names` forbids it.

mod alert;
mod alerts;
mod expiring;
mod expiry;
mod filter;
mod list;
mod overview;
mod own;
mod paging;
mod permissions;
mod report;
mod rows;
mod runbook;
mod strip;
mod tenant;
mod token;
mod users;
mod wall;
mod weeks;
mod when;

use std::sync::LazyLock;

use askama::Template;
use chrono::{DateTime, Utc};

use crate::belief::{PermissionState, TokenState, User};
use crate::model::{tenant_path, user_path};
use crate::state::{Health, TokenSnapshot};

pub(super) use alert::alert;
pub(super) use expiring::{ExpiringQuery, expiring};
pub(super) use filter::FleetQuery;
pub(super) use list::{AlertsQuery, alerts};
pub(super) use overview::overview;
pub(super) use own::Own;
pub(super) use report::{report_chapter, report_frame, report_line};
pub(super) use runbook::runbook;
pub(super) use strip::{MOST_LINES, start};
pub(super) use tenant::tenant;
pub(super) use token::token;
pub(super) use users::{UsersQuery, user, users};
pub(super) use wall::wall;

/// What every page is made with, whatever it shows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    /// The prefix of every path.
    base: &'a str,
    /// The moment at which the page is made.
    now: DateTime<Utc>,
    /// The version of the program, shown at the foot of each page.
    version: &'static str,
    /// What the monitor says of itself.
    own: &'a Own,
}

/// Of a monitor of which a page knows nothing, as one that says what is wrong with an address.
static NOTHING: LazyLock<Own> = LazyLock::new(Own::default);

impl<'a> Frame<'a> {
    pub(super) fn new(base: &'a str, now: DateTime<Utc>) -> Self {
        Self { base, now, version: env!("CARGO_PKG_VERSION"), own: &NOTHING }
    }

    /// The same, with what the monitor says of itself.
    pub(super) fn with_own(self, own: &'a Own) -> Self {
        Self { own, ..self }
    }

    /// The moment at which the page is made.
    pub(super) fn now(self) -> DateTime<Utc> {
        self.now
    }

    /// The path of the page of a token.
    pub(super) fn token_path(self, entry: &TokenSnapshot) -> String {
        format!("{}{}", self.base, entry.token.id().path())
    }

    /// The path of the page of a tenant.
    fn tenant_path(self, tenant: &str) -> String {
        format!("{}{}", self.base, tenant_path(tenant))
    }

    /// The path of the page of a user.
    fn user_path(self, tenant: &str, user: u64) -> String {
        format!("{}{}", self.base, user_path(tenant, user))
    }
}

/// A page that says why another page is not shown.
#[derive(Template)]
#[template(path = "problem.html")]
struct Problem<'a> {
    frame: Frame<'a>,
    title: &'a str,
    why: &'a str,
}

/// Writes a page that says why another page is not shown.
pub(super) fn problem(frame: Frame<'_>, title: &str, why: &str) -> askama::Result<String> {
    Problem { frame, title, why }.render()
}

/// The health of a token as a sign and a word: colour alone never shows it.
#[derive(Debug, Clone, Copy)]
struct Badge {
    class: &'static str,
    sign: &'static str,
    word: &'static str,
}

impl From<Health> for Badge {
    fn from(health: Health) -> Self {
        let (sign, word) = match health {
            Health::Broken => ("✖", "broken"),
            Health::Attention => ("▲", "needs attention"),
            Health::Unseen => ("?", "no data"),
            Health::Ok => ("✓", "OK"),
        };
        Self { class: health.as_str(), sign, word }
    }
}

/// The state of a token as text for people.
fn state(state: TokenState) -> String {
    state.as_str().replace('_', " ")
}

/// The name of a user, or the number where the name is not known or may not be shown.
fn name_of(user: &User) -> String {
    user.name.clone().unwrap_or_else(|| format!("number {}", user.id))
}

/// How many of the wanted permissions of a token are granted, missing and unverified, and how many others are known to
/// be granted besides.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    granted: usize,
    missing: usize,
    unverified: usize,
    excess: usize,
}

impl Counts {
    fn of(entry: &TokenSnapshot) -> Self {
        let mut counts = Self::default();
        for wanted in &entry.token.wanted {
            match entry.status.permission_state(wanted.permission) {
                PermissionState::Granted => counts.granted += 1,
                PermissionState::Missing => counts.missing += 1,
                PermissionState::Unverified => counts.unverified += 1,
            }
        }
        counts.excess = entry.status.audit.as_ref().map_or(0, |audit| audit.excess(&entry.token).count());
        counts
    }

    /// Of how many it is known whether they are granted.
    fn checkable(self) -> usize {
        self.granted + self.missing
    }

    /// How many permissions are wanted.
    fn all(self) -> usize {
        self.granted + self.missing + self.unverified
    }
}
