//! The pages that people look at, as HTML. Pure: a picture, a wish and `now` in, text out. Templates lie beside; whatever they
//! are given is escaped. Nothing here knows a token value, a user's name or an e-mail address.

mod alerts;
mod expiry;
mod fleet;
mod strip;
mod token;
mod when;

use askama::Template;
use chrono::{DateTime, Utc};

use crate::belief::{PermissionState, TokenState};
use crate::state::{Health, TokenSnapshot};

pub(super) use fleet::{FleetQuery, fleet};
pub(super) use strip::start;
pub(super) use token::token;

/// What every page is made with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame<'a> {
    /// What comes before every path.
    base: &'a str,
    /// The moment that the page shows.
    now: DateTime<Utc>,
    /// The program's, shown at the foot of each page.
    version: &'static str,
}

impl<'a> Frame<'a> {
    pub(super) fn new(base: &'a str, now: DateTime<Utc>) -> Self {
        Self { base, now, version: env!("CARGO_PKG_VERSION") }
    }

    pub(super) fn token_path(self, picture: &TokenSnapshot) -> String {
        format!("{}{}", self.base, picture.token.id().path())
    }
}

/// A page that says why there is none.
#[derive(Template)]
#[template(path = "problem.html")]
struct Problem<'a> {
    frame: Frame<'a>,
    title: &'a str,
    why: &'a str,
}

pub(super) fn problem(frame: Frame<'_>, title: &str, why: &str) -> askama::Result<String> {
    Problem { frame, title, why }.render()
}

/// How a token is, as a sign and a word: colour is never the only sign.
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
            Health::Unseen => ("?", "not seen"),
            Health::Well => ("✓", "well"),
        };
        Self { class: health.as_str(), sign, word }
    }
}

/// A token's state as a word for people.
fn state(state: TokenState) -> String {
    state.as_str().replace('_', " ")
}

/// How many of the wanted permissions are held, missing and not shown by anything, and how many are known to be held besides.
#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    held: usize,
    missing: usize,
    unverified: usize,
    excess: usize,
}

impl Counts {
    fn of(picture: &TokenSnapshot) -> Self {
        let mut counts = Self::default();
        for wanted in &picture.token.wanted {
            match picture.status.permission_state(wanted.permission) {
                PermissionState::Granted => counts.held += 1,
                PermissionState::Missing => counts.missing += 1,
                PermissionState::Unverified => counts.unverified += 1,
            }
        }
        counts.excess = picture.status.audit.as_ref().map_or(0, |audit| audit.excess(&picture.token).count());
        counts
    }

    fn all(self) -> usize {
        self.held + self.missing + self.unverified
    }
}
