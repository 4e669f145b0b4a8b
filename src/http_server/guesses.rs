//! How many guesses at a password or a bearer token an address has. A guess is counted before it is compared with anything,
//! and taken back if it was right, so that no answer comes to be had for free.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How many wrong guesses are free; after them there is one in each [`INTERVAL`].
pub(super) const FREE: u32 = 10;
pub(super) const INTERVAL: Duration = Duration::from_secs(6);
/// How many of them are tracked before those whose guesses are long ago are discarded.
const MOST_TRACKED: usize = 4096;
/// The least time between two lines in the log about guesses that are not admitted.
const LINE_EVERY: Duration = Duration::from_mins(1);

/// Whose guesses are counted together: an address, and the names that somebody there gives. Behind a proxy many people have
/// one address, and whoever guesses at one name must not lock out the others.
type Place = (IpAddr, u8);

/// The guesses of one place.
#[derive(Debug, Clone, Copy)]
struct Counted {
    /// When all of its free guesses are there again.
    free_at: Instant,
    /// When the log last said that a guess was not admitted.
    logged_at: Option<Instant>,
}

/// The guesses of all places.
#[derive(Debug, Default)]
pub(super) struct Guesses(Mutex<HashMap<Place, Counted>>);

/// A guess that was counted.
#[derive(Debug)]
pub(super) struct Guess<'a> {
    guesses: &'a Guesses,
    place: Place,
}

/// A guess that may not be made before this time has passed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMany {
    pub(super) wait: Duration,
    /// Whether the log should say so; it says so once a minute.
    pub(super) is_news: bool,
}

impl Guesses {
    /// Counts a guess from an address, which is `None` on a Unix socket, in one of its `slot`s.
    pub(super) fn count(&self, peer: Option<IpAddr>, slot: u8) -> Result<Guess<'_>, TooMany> {
        let (place, now) = ((network(peer), slot), Instant::now());
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_TRACKED {
            all.retain(|_, counted| counted.free_at > now);
        }
        let counted = all.entry(place).or_insert(Counted { free_at: now, logged_at: None });
        let free_at = counted.free_at.max(now) + INTERVAL;
        let wait = free_at.saturating_duration_since(now + INTERVAL * FREE);
        if wait.is_zero() {
            counted.free_at = free_at;
            return Ok(Guess { guesses: self, place });
        }
        let is_news = counted.logged_at.is_none_or(|at| now - at >= LINE_EVERY);
        if is_news {
            counted.logged_at = Some(now);
        }
        Err(TooMany { wait, is_news })
    }
}

impl Guess<'_> {
    /// The guess was right, so it was none.
    pub(super) fn was_right(self) {
        let mut all = self.guesses.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(counted) = all.get_mut(&self.place) {
            counted.free_at -= INTERVAL;
        }
    }
}

/// Whoever has one IPv6 address usually has all of its /64.
fn network(peer: Option<IpAddr>) -> IpAddr {
    match peer {
        Some(IpAddr::V6(address)) => IpAddr::V6(Ipv6Addr::from(u128::from(address) >> 64 << 64)),
        Some(address) => address,
        None => IpAddr::V6(Ipv6Addr::LOCALHOST),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    #[tokio::test(start_paused = true)]
    async fn a_few_guesses_are_free_and_then_one_comes_at_a_time() {
        let guesses = Guesses::default();
        for _ in 0..FREE {
            assert!(guesses.count(HERE, 0).is_ok());
        }
        let refused = guesses.count(HERE, 0).unwrap_err();
        assert_eq!(refused, TooMany { wait: INTERVAL, is_news: true });
        assert!(!guesses.count(HERE, 0).unwrap_err().is_news, "once a minute");
        assert!(guesses.count(HERE, 1).is_ok(), "another name");
        assert!(guesses.count(Some("192.0.2.1".parse().unwrap()), 0).is_ok(), "another address");
        tokio::time::advance(INTERVAL).await;
        assert!(guesses.count(HERE, 0).is_ok() && guesses.count(HERE, 0).is_err());
        tokio::time::advance(INTERVAL * FREE * 2).await;
        assert_eq!((0..2 * FREE).filter(|_| guesses.count(HERE, 0).is_ok()).count(), FREE as usize);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_right_costs_nothing_and_what_is_under_way_is_counted() {
        let guesses = Guesses::default();
        for _ in 0..5 * FREE {
            guesses.count(HERE, 0).unwrap().was_right();
        }
        let under_way: Vec<_> = (0..FREE).map(|_| guesses.count(HERE, 0).unwrap()).collect();
        assert!(guesses.count(HERE, 0).is_err(), "all at once are no more than one after the other");
        drop(under_way);
        assert!(guesses.count(HERE, 0).is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_network_of_ipv6_is_one_guesser_and_many_guessers_take_bounded_memory() {
        let guesses = Guesses::default();
        let address = |number: u128| Some(IpAddr::V6(Ipv6Addr::from(number)));
        let admitted = (0..1000).filter(|number| guesses.count(address((1 << 64) + number), 0).is_ok()).count();
        assert_eq!(admitted, FREE as usize);
        for number in 0..3 * MOST_TRACKED as u128 {
            if number % 100 == 0 {
                tokio::time::advance(INTERVAL).await;
            }
            guesses.count(address(number << 64), 0).unwrap();
        }
        assert!(guesses.0.lock().unwrap().len() <= MOST_TRACKED);
    }
}
