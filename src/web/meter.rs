//! How much of the daemon's work visitors may ask for: whoever asks for checks or reloads again and again leaves most of the
//! budget to the schedule.

use std::num::NonZeroU32;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, header};
use governor::clock::{Clock, DefaultClock};
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

/// One in so many requests to Syncro may be for a check that somebody asked for.
const SHARE: u32 = 5;
/// How many reloads may follow one another at once; after them there is one every two seconds.
const RELOADS: NonZeroU32 = NonZeroU32::new(30).expect("not zero");

type Limiter = RateLimiter<NotKeyed, InMemoryState, DefaultClock>;

/// What visitors have asked for of late.
#[derive(Debug)]
pub(crate) struct Meter {
    requests: Limiter,
    /// How many requests may be made at once for checks that were asked for.
    most: NonZeroU32,
    reloads: Limiter,
}

/// Too much was asked for; it may be asked for again after this time.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; come again in {} s", .wait.as_secs() + 1)]
pub(crate) struct TooMuch {
    what: &'static str,
    /// After which time it may be asked for again.
    wait: Duration,
}

impl TooMuch {
    /// When it may be asked for again, as a header.
    pub(super) fn retry_after(&self) -> (HeaderName, HeaderValue) {
        (header::RETRY_AFTER, HeaderValue::from(self.wait.as_secs() + 1))
    }
}

impl Meter {
    /// A meter beside a budget of so many requests a minute.
    pub(crate) fn new(requests_per_minute: u32) -> Self {
        let most = NonZeroU32::new(requests_per_minute / SHARE).unwrap_or(NonZeroU32::MIN);
        Self {
            requests: RateLimiter::direct(Quota::per_minute(most)),
            most,
            reloads: RateLimiter::direct(Quota::per_minute(RELOADS)),
        }
    }

    /// Counts a check that takes so many requests.
    ///
    /// # Errors
    /// When checks that were asked for take their share already.
    pub(super) fn check(&self, requests: usize) -> Result<(), TooMuch> {
        let requests = u32::try_from(requests).ok().and_then(NonZeroU32::new).unwrap_or(NonZeroU32::MIN).min(self.most);
        let what = "checks that are asked for have had their fifth of the request budget for now";
        match self.requests.check_n(requests) {
            Ok(Ok(())) => Ok(()),
            Ok(Err(refused)) => Err(TooMuch { what, wait: refused.wait_time_from(self.requests.clock().now()) }),
            // It is no more than fits.
            Err(_) => Err(TooMuch { what, wait: Duration::ZERO }),
        }
    }

    /// Counts a reload.
    ///
    /// # Errors
    /// When too many have been asked for of late.
    pub(super) fn reload(&self) -> Result<(), TooMuch> {
        let what = "too many reloads were asked for";
        let refused = self.reloads.check();
        refused.map_err(|refused| TooMuch { what, wait: refused.wait_time_from(self.reloads.clock().now()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checks_that_are_asked_for_leave_four_fifths_of_the_budget() {
        let meter = Meter::new(90);
        let made = (0..100).filter(|_| meter.check(6).is_ok()).count();
        assert_eq!(made, 3, "18 requests at once, and 18 in a minute");
        let refused = meter.check(6).unwrap_err();
        assert!(refused.wait > Duration::from_secs(15) && refused.wait <= Duration::from_secs(20), "{refused:?}");
        assert!(Meter::new(90).check(1000).is_ok(), "a check that takes more than that is made all the same, alone");
        assert!(Meter::new(1).check(8).is_ok());
    }

    #[test]
    fn a_few_reloads_are_free() {
        let meter = Meter::new(90);
        assert_eq!((0..100).filter(|_| meter.reload().is_ok()).count(), 30);
    }
}
