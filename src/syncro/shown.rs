//! What the answers to the program's requests show, one by one: of `/me`, of a user, of a probe. Values only. Pure.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Failure;

/// The most rights of a user that are read, since each becomes a metric.
pub(crate) const MOST_RIGHTS: usize = 200;

/// The name of one entry of `permissions` in `/me`, such as `ticket.write`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String")]
pub struct Right(Cow<'static, str>);

impl From<String> for Right {
    fn from(name: String) -> Self {
        Self::new(&name)
    }
}

impl Right {
    /// A right of this name. A name that Syncro's API document has takes no memory.
    pub fn new(name: &str) -> Self {
        /// The names in the example of `GET /me`, and those of `chat` as clients saw them.
        const DOCUMENTED: [&str; 24] = [
            "asset.read",
            "asset.write",
            "asset.delete",
            "customer.read",
            "customer.write",
            "customer.delete",
            "ticket.read",
            "ticket.write",
            "ticket.delete",
            "invoice.read",
            "invoice.write",
            "invoice.delete",
            "payment.read",
            "payment.write",
            "payment.delete",
            "worksheet.add",
            "worksheet.manage",
            "worksheet.delete",
            "script.execute",
            "chat.show_all",
            "chat.from_unassigned",
            "chat.from_others",
            "chat.to_others",
            "chat.start_chat",
        ];
        let documented = DOCUMENTED.into_iter().find(|documented| *documented == name);
        Self(documented.map_or_else(|| Cow::Owned(name.to_owned()), Cow::Borrowed))
    }

    /// The group and the name as in `/me`, joined with a dot.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The user to whom a token belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Me {
    /// The number of the user.
    pub user_id: u64,
    /// The name of the user, unless it is an e-mail address.
    pub user_name: Option<String>,
    /// The subdomain of the account that answered.
    pub subdomain: Option<String>,
    /// Whether the user is a Global Admin.
    pub admin: Option<bool>,
    /// Whether the user may use Syncro at all.
    pub can_use_app: Option<bool>,
    /// What the *user* may do, coarsely; sorted by name. Unknown names are included.
    pub rights: Vec<(Right, bool)>,
}

/// What the answer to `/me` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeObservation {
    /// The token works.
    Works(Me),
    /// The API answered 401.
    Refused,
    /// The API answered 401 with the sentence that it has for a missing permission, though `/me` needs none.
    Restricted,
    /// The answer was 403, or 401 with a page: perhaps the IP allow-list.
    Blocked,
    /// There is no verdict, for this reason.
    Failed(Failure),
}

/// What the answer to `/users/{id}` shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UserObservation {
    /// The user's security group, if it has one.
    Group(Option<String>),
    /// There is no verdict, for this reason.
    Failed(Failure),
}

/// What the list of users shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UsersObservation {
    /// The list was read.
    Listed {
        /// The numbers of the users who are in it.
        listed: BTreeSet<u64>,
        /// Whether it was read to its end, so that nobody else is in it.
        is_whole: bool,
    },
    /// There is no verdict, for this reason.
    Failed(Failure),
}

/// What the answer to a probe shows about the permissions that it needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProbeObservation {
    /// The permission is granted, as an answer with this HTTP status shows.
    Granted(u16),
    /// The request was refused, so the permission is missing.
    Missing,
    /// The answer, with this HTTP status, shows in its body that the permission is missing.
    Denied(u16),
    /// What the answer shows for a record that a list had shown to exist.
    OfRecord {
        /// Whether the permission is granted.
        granted: bool,
    },
    /// The request was let through, with this HTTP status, but not necessarily by this permission.
    LetThrough(u16),
    /// The answer, with this HTTP status, shows neither, and would do so again.
    Inconclusive(u16),
    /// Nothing was sent: the request is a write, and what was answered before says that it might change something.
    NotSent,
    /// There is no verdict, for this reason.
    Failed(Failure),
}

impl UserObservation {
    /// Why there is no verdict, if there is none.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Group(_) => None,
        }
    }
}

impl ProbeObservation {
    /// Why there is no verdict, if there is none.
    pub fn failure(&self) -> Option<&Failure> {
        match self {
            Self::Failed(failure) => Some(failure),
            Self::Granted(_)
            | Self::Missing
            | Self::Denied(_)
            | Self::OfRecord { .. }
            | Self::LetThrough(_)
            | Self::Inconclusive(_)
            | Self::NotSent => None,
        }
    }
}
