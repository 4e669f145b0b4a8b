//! A scenario: who exists, and what happens when. Read from TOML.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

use crate::misbehaviour::Misbehaviour;

/// What Syncro allows an address.
const REQUESTS_PER_MINUTE: u32 = 180;

/// Who exists, and what happens when.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Requests a minute before `Retry later`; 0 for no limit.
    #[serde(default = "requests_per_minute")]
    pub requests_per_minute: u32,
    /// What `Retry-After` says then; left out if absent, as far as is known of Syncro.
    #[serde(default)]
    pub retry_after: Option<u64>,
    /// The accounts.
    pub tenants: Vec<Tenant>,
    /// What happens.
    #[serde(default)]
    pub events: Vec<Event>,
}

fn requests_per_minute() -> u32 {
    REQUESTS_PER_MINUTE
}

/// One account.
#[derive(Debug, Clone, Deserialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of its own: what Syncro does is not published")]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Its subdomain.
    pub subdomain: String,
    /// Its security groups.
    pub groups: Vec<Group>,
    /// Its users.
    pub users: Vec<User>,
    /// Its API tokens.
    pub tokens: Vec<Token>,
    /// How many customers it has.
    #[serde(default)]
    pub customers: u64,
    /// Whether it searches for a record before it checks the permission. Which of the two Syncro does is not published.
    #[serde(default)]
    pub record_first: bool,
    /// Its tickets, the newest first.
    #[serde(default)]
    pub tickets: Vec<Ticket>,
    /// Its appointments.
    #[serde(default)]
    pub appointments: Vec<Ticket>,
    /// Whether a right of `/me` is there with any of the permissions of its kind, or only with the one that it is named for.
    /// Which of the two Syncro does is not published.
    #[serde(default)]
    pub coarse_rights: bool,
    /// Whether who lacks a permission is shown their own appointments, and that they may not manage canned responses, rather
    /// than refused. Which of the two Syncro does is not published.
    #[serde(default)]
    pub narrows: bool,
    /// The modules that are switched off, by the beginning of their paths: `/invoices`. Everything below answers 404.
    #[serde(default)]
    pub modules_off: Vec<String>,
    /// Whether disabled users are in the list of users. Whether they are at Syncro is not published.
    #[serde(default)]
    pub lists_disabled_users: bool,
    /// How many users a page of their list has; all of them, and nothing said of pages, if left out.
    #[serde(default)]
    pub users_per_page: Option<usize>,
    /// How many characters every list has besides.
    #[serde(default)]
    pub padding: usize,
}

/// A ticket or an appointment.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ticket {
    /// The number.
    pub id: u64,
    /// The user to whom it is assigned; nobody if left out.
    #[serde(default)]
    pub user: Option<u64>,
}

/// A security group.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// What it allows.
    #[serde(default)]
    pub permissions: Permissions,
}

/// A user.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct User {
    /// The number.
    pub id: u64,
    /// The security group that `/users/{id}` names; none for an account without.
    #[serde(default)]
    pub group: Option<String>,
    /// Further security groups, which nothing names. Whether Syncro has users in several is not published.
    #[serde(default)]
    pub more_groups: Vec<String>,
    /// Whether disabled: the tokens go on working.
    #[serde(default)]
    pub disabled: bool,
    /// Whether a Global Admin.
    #[serde(default)]
    pub admin: bool,
    /// Whether locked out.
    #[serde(default)]
    pub locked_out: bool,
}

/// An API token.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The simulated value.
    pub value: String,
    /// The user who made it.
    pub user: u64,
    /// What was ticked.
    #[serde(default)]
    pub permissions: Permissions,
    /// The subdomain that `/me` shows, if it is another account's.
    #[serde(default)]
    pub subdomain: Option<String>,
    /// Whether it is refused.
    #[serde(default)]
    pub refused: bool,
    /// Whether everything is refused, even `/me`, with the sentence for a missing permission.
    #[serde(default)]
    pub restricted: bool,
}

/// A set of permissions: `"all"`, or a list of names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Permissions {
    all_but: Option<BTreeSet<String>>,
    only: BTreeSet<String>,
}

impl Permissions {
    /// Every permission.
    pub fn all() -> Self {
        Self { all_but: Some(BTreeSet::new()), only: BTreeSet::new() }
    }

    /// Whether one is in the set.
    pub fn holds(&self, name: &str) -> bool {
        self.all_but.as_ref().map_or_else(|| self.only.contains(name), |missing| !missing.contains(name))
    }

    pub(super) fn set(&mut self, name: &str, held: bool) {
        let (set, listed) = match &mut self.all_but {
            Some(missing) => (missing, !held),
            None => (&mut self.only, held),
        };
        if listed {
            set.insert(name.to_owned());
        } else {
            set.remove(name);
        }
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match toml::Value::deserialize(deserializer)? {
            toml::Value::String(word) if word == "all" => Ok(Self::all()),
            list @ toml::Value::Array(_) => {
                let only = BTreeSet::deserialize(list).map_err(serde::de::Error::custom)?;
                Ok(Self { all_but: None, only })
            }
            _ => Err(serde::de::Error::custom("expected \"all\" or a list of permissions")),
        }
    }
}

/// Something that happens at a time.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// Seconds after the start.
    pub at: u64,
    /// What.
    pub incident: Incident,
}

impl Event {
    pub(super) fn at(&self) -> Duration {
        Duration::from_secs(self.at)
    }
}

/// What can happen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields, tag = "what")]
pub enum Incident {
    /// A permission is unticked in a security group.
    GroupLoses {
        /// The account.
        tenant: String,
        /// The group.
        group: String,
        /// The permission.
        permission: String,
    },
    /// A permission is ticked in a security group.
    GroupGains {
        /// The account.
        tenant: String,
        /// The group.
        group: String,
        /// The permission.
        permission: String,
    },
    /// A permission is unticked in a token.
    TokenLoses {
        /// The token's value.
        token: String,
        /// The permission.
        permission: String,
    },
    /// A permission is ticked in a token.
    TokenGains {
        /// The token's value.
        token: String,
        /// The permission.
        permission: String,
    },
    /// A token is refused from now on: it expired, or was deleted.
    TokenRefused {
        /// The token's value.
        token: String,
    },
    /// A token is refused everything from now on, even `/me`, with the sentence for a missing permission.
    TokenRestricted {
        /// The token's value.
        token: String,
    },
    /// A token works again.
    TokenWorks {
        /// The token's value.
        token: String,
    },
    /// A user may not, or may again, use Syncro.
    UserLockedOut {
        /// The account.
        tenant: String,
        /// The user.
        user: u64,
        /// Which.
        locked_out: bool,
    },
    /// A user is moved to another security group.
    UserMoved {
        /// The account.
        tenant: String,
        /// The user.
        user: u64,
        /// The new group.
        group: String,
    },
    /// A user is disabled, or enabled again. The tokens go on working.
    UserDisabled {
        /// The account.
        tenant: String,
        /// The user.
        user: u64,
        /// Which.
        disabled: bool,
    },
    /// An account is known by another subdomain from now on; it still answers by the old one.
    TenantRenamed {
        /// The account, by its first subdomain.
        tenant: String,
        /// The new one.
        subdomain: String,
    },
    /// A user becomes, or no longer is, a Global Admin.
    UserAdmin {
        /// The account.
        tenant: String,
        /// The user.
        user: u64,
        /// Which.
        admin: bool,
    },
    /// The server misbehaves for a while.
    Misbehaves {
        /// The account; all if left out.
        #[serde(default)]
        tenant: Option<String>,
        /// Only below this path, `/me` for example; everywhere if left out.
        #[serde(default)]
        path: Option<String>,
        /// How.
        how: Misbehaviour,
        /// For how many seconds.
        seconds: u64,
    },
    /// Requests from an address of the monitor get no answer from now on, or get one again.
    AddressUnheard {
        /// The address.
        address: IpAddr,
        /// Which.
        unheard: bool,
    },
    /// Whatever misbehaved behaves again.
    Behaves,
}

impl Scenario {
    /// Reads a scenario from TOML.
    ///
    /// # Errors
    /// What is wrong with it, with its place.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }
}
