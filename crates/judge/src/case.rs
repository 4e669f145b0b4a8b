//! The truth of one simulated world: who exists, what happens when, and how the monitor was configured. Values only.

use crate::spans::Ms;

/// One world.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// The tokens that are watched, in the order of the configuration at the start.
    pub tokens: Vec<Token>,
    /// The tenants by number; a token names its own.
    pub tenants: Vec<String>,
    /// How many groups each tenant has: `group-0`, `group-1`, ...
    pub groups: usize,
    /// The permissions that occur, with the right of `/me` that is named for each, and the path of its probe.
    pub permissions: Vec<Permission>,
    /// What the monitor was asked to do.
    pub policy: Policy,
    /// What happens, in the order of time.
    pub events: Vec<Event>,
    /// When the world ends.
    pub end: Ms,
}

/// One permission.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// Its full name.
    pub name: &'static str,
    /// The right that is named for it.
    pub right: Option<&'static str>,
    /// The path whose answer shows it; none where only the right indicates it.
    pub probe: Option<&'static str>,
}

/// One token.
#[derive(Debug, Clone, PartialEq)]
pub struct Token {
    /// Its tenant, by number.
    pub tenant: usize,
    /// Who made it, by a number within the tenant. What happens to a user happens to all tokens of that user.
    pub user: usize,
    /// Its name in the configuration.
    pub name: String,
    /// The group of its user at the start, the same for all tokens of that user.
    pub group: usize,
    /// Which permissions its integration needs, by number.
    pub wanted: Vec<usize>,
    /// Which permissions are ticked at the start, by number.
    pub ticks: Vec<usize>,
    /// When it is declared to expire.
    pub expires: Option<Ms>,
}

impl Case {
    /// Whether two tokens were made by the same user.
    pub fn same_user(&self, one: usize, other: usize) -> bool {
        let (one, other) = (&self.tokens[one], &self.tokens[other]);
        (one.tenant, one.user) == (other.tenant, other.user)
    }

    /// The number of a token's user in Syncro, which no two tenants share.
    pub fn user_id(&self, token: usize) -> u64 {
        let token = &self.tokens[token];
        1000 * (token.tenant as u64 + 1) + token.user as u64
    }
}

/// What the monitor was configured to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The validity interval.
    pub validity: Ms,
    /// The permission interval.
    pub permissions: Ms,
    /// How often a bad verdict must be seen.
    pub confirmations: i64,
    /// The least distance of a confirmation.
    pub confirm_after: Ms,
    /// How often a firing alert is notified of again.
    pub remind_every: Ms,
    /// After how long without a verdict a tenant is unreachable.
    pub unreachable_after: Ms,
}

/// Something that happens.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When, in true time.
    pub at: Ms,
    /// What.
    pub what: Happening,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Happening {
    /// A token comes to be in a state of its own.
    Token {
        /// Which one.
        token: usize,
        /// In which state.
        state: State,
    },
    /// A group gains or loses a permission.
    Group {
        /// Of which tenant.
        tenant: usize,
        /// Which group.
        group: usize,
        /// Which permission.
        permission: usize,
        /// Whether it has it from now on.
        has: bool,
    },
    /// A tick of a token is set or taken away.
    Tick {
        /// Which token.
        token: usize,
        /// Which permission.
        permission: usize,
        /// Whether it has it from now on.
        has: bool,
    },
    /// The user of a token may not use Syncro, or may again.
    LockedOut {
        /// Any token of the user.
        token: usize,
        /// Whether.
        locked: bool,
    },
    /// A tenant has another subdomain, or the old one again.
    Renamed {
        /// Which one.
        tenant: usize,
        /// Whether.
        renamed: bool,
    },
    /// The user of a token is in another group.
    Moved {
        /// Any token of the user.
        token: usize,
        /// Which group.
        group: usize,
    },
    /// The user of a token is a Global Admin, or is none any more.
    Admin {
        /// Any token of the user.
        token: usize,
        /// Whether.
        admin: bool,
    },
    /// Syncro, the way to it, or our own machine fails for a time.
    Fault(Fault),
    /// The monitor ends and is away for a time: by force, or in order.
    Down {
        /// For how long.
        lasts: Ms,
        /// Whether it ends without a chance to write.
        killed: bool,
    },
    /// The configuration is read again, with its tokens in an order that this number shuffles; without the token, if one
    /// is named, until the next reload.
    Reload {
        /// The order.
        order: u64,
        /// Left out.
        without: Option<usize>,
    },
    /// The wall clock is set to another time.
    Clock {
        /// By how much it is off from then on.
        offset: Ms,
    },
    /// Commits take so long.
    SlowDisk {
        /// For how long.
        lasts: Ms,
        /// Each.
        takes: Ms,
    },
    /// Commits fail.
    BadDisk {
        /// For how long.
        lasts: Ms,
    },
    /// The receiver takes nothing.
    DeafReceiver {
        /// For how long.
        lasts: Ms,
    },
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It works.
    Works,
    /// It is refused: revoked, deleted or expired.
    Refused,
    /// Its user may not use Syncro: what [`Happening::LockedOut`] makes of a token that works otherwise.
    LockedOut,
    /// Syncro refuses the address.
    Blocked,
    /// It names another account, by itself or because its tenant was renamed.
    WrongAccount,
    /// Its file is gone.
    Unreadable,
}

impl State {
    /// What a token is that is in a state of its own, whose tenant was renamed or not, and whose user is locked out or not.
    pub fn of(own: Self, renamed: bool, locked: bool) -> Self {
        match own {
            Self::Works if renamed => Self::WrongAccount,
            Self::Works if locked => Self::LockedOut,
            own => own,
        }
    }
}

/// Whom a fault concerns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Everybody.
    All,
    /// All tenants but one.
    AllBut(usize),
    /// One tenant.
    Tenant(usize),
    /// One path of one tenant, by the permission that it shows.
    Endpoint(usize, usize),
}

/// A fault.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// Whom it concerns.
    pub scope: Scope,
    /// How it shows.
    pub kind: FaultKind,
    /// For how long.
    pub lasts: Ms,
}

/// How a fault shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FaultKind {
    /// A status of a server in trouble.
    Status(u16),
    /// A web page with 200.
    Page,
    /// No answer until the request gives up.
    Silence,
    /// Connections are refused.
    Refused,
    /// Syncro asks to wait for so many seconds.
    Throttled(u64),
    /// Syncro refuses every token: an outage that appears to be revoked tokens.
    RefusesAll,
    /// Our own machine has no descriptor left.
    OurMachine,
}

impl FaultKind {
    /// Whether nothing at all can be learnt from an answer.
    pub fn blinds(self) -> bool {
        self != Self::RefusesAll
    }
}
