//! When a request may leave: the generic cell rate algorithm on one number, which several processes can share. Pure.
//!
//! It is written here and not taken from a crate, since the number has to be read from a file and written to it, and a
//! command has to leave room to the daemon.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::config::SYNCRO_REQUESTS_PER_MINUTE;

/// How many requests may leave at once after a time without requests.
pub(super) const BURST: u32 = 10;
/// So much of the burst a command leaves to the daemon, ...
const LEFT_TO_THE_DAEMON: u32 = 2;
/// ... unless the daemon uses everything: then one request in so many is the command's.
pub(crate) const LONGEST_COURTESY: u32 = 5;
/// The daemon books the requests of so much time together, since each access to the number takes another thread, ...
const TOGETHER: Duration = Duration::from_secs(1);
/// ... and one, two or four of them, so that the request of a command is the fifth.
const MOST_TOGETHER: u32 = 4;
/// So many requests may be booked before they leave: one by each of sixteen commands, and those that the daemon books together.
const MOST_BOOKED: u32 = 16 + MOST_TOGETHER;

/// How many requests may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rate(NonZeroU32);

impl Rate {
    pub(super) fn per_minute(requests: NonZeroU32) -> Self {
        Self(requests)
    }

    pub(super) fn requests_per_minute(self) -> NonZeroU32 {
        self.0
    }

    /// The time that one request takes, rounded up, so that no minute sees more than is allowed.
    fn period(self) -> Duration {
        Duration::from_nanos(60_000_000_000_u64.div_ceil(u64::from(self.0.get())))
    }

    /// A budget within Syncro's limit stays within it with the burst; a greater one is for a server with another limit.
    pub(super) fn burst(self) -> u32 {
        match SYNCRO_REQUESTS_PER_MINUTE.checked_sub(self.0.get()) {
            Some(room) => room.clamp(1, BURST),
            None => BURST,
        }
    }

    /// How many requests the daemon may book together.
    pub(super) fn most_together(self) -> u32 {
        let periods = TOGETHER.as_nanos() / self.period().as_nanos();
        let together = u32::try_from(periods).unwrap_or(MOST_TOGETHER).clamp(1, MOST_TOGETHER);
        1 << together.ilog2()
    }

    /// The time after which a burst that was used up is whole again.
    fn full(self) -> Duration {
        self.period() * self.burst()
    }
}

/// Whether a request may leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    Now,
    /// At this moment; it is counted already.
    At(Duration),
    /// Perhaps at this moment: it has to be asked again.
    Later(Duration),
}

impl Decision {
    /// What was counted leaves at this moment, or now if that has come.
    pub(super) fn leaves(at: Duration, now: Duration) -> Self {
        if at > now { Self::At(at) } else { Self::Now }
    }
}

/// What is left of the budget. Moments are times since the machine started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Bucket {
    /// When a whole burst may leave again.
    full_at: Duration,
}

impl Bucket {
    /// The bucket that is full at this moment.
    pub(super) fn full_at(full_at: Duration) -> Self {
        Self { full_at }
    }

    /// When it is full.
    pub(super) fn when_full(self) -> Duration {
        self.full_at
    }

    /// The bucket of which the burst has just been used.
    pub(super) fn used_up(rate: Rate, now: Duration) -> Self {
        Self { full_at: now + rate.full() }
    }

    /// Whether requests at this rate can have led to it.
    pub(super) fn is_plausible(self, rate: Rate, now: Duration) -> bool {
        self.full_at <= now + rate.full() + rate.period() * MOST_BOOKED
    }

    /// When the next request may leave, if nothing but this bucket holds it up.
    pub(super) fn free_at(self, rate: Rate) -> Duration {
        self.free_after(rate, 0)
    }

    /// When so much of the burst is left, and one request more.
    fn free_after(self, rate: Rate, reserve: u32) -> Duration {
        self.full_at.saturating_sub(rate.period() * (rate.burst() - 1).saturating_sub(reserve))
    }

    /// Takes one request out of it. A command says since when it has waited, and leaves room to the daemon.
    pub(super) fn take(&mut self, rate: Rate, command_waits_since: Option<Duration>, now: Duration) -> Decision {
        let (free_at, books_from) = match command_waits_since {
            None => (self.free_at(rate), Duration::MAX),
            Some(since) => {
                // The last that the daemon books together before it is the command's turn have been booked by then, and the
                // next have not.
                let halves = 2 * LONGEST_COURTESY - rate.most_together();
                (self.free_after(rate, LEFT_TO_THE_DAEMON.min(rate.burst() - 1)), since + rate.period() * halves / 2)
            }
        };
        if free_at > now && books_from > now {
            return Decision::Later(free_at.min(books_from));
        }
        Decision::leaves(self.book(rate, now), now)
    }

    /// Takes one request out of it, which leaves as soon as it may; returns when.
    pub(super) fn book(&mut self, rate: Rate, now: Duration) -> Duration {
        let leaves_at = self.free_at(rate).max(now);
        // What leaves later counts from the moment when it leaves, as it does for whoever comes after it.
        self.full_at = self.full_at.max(leaves_at) + rate.period();
        leaves_at
    }
}
