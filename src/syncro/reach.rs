//! Whether what leaves from one source address is answered, as a comparison with another one shows: the same request at the
//! same moment, answered there and not here. The present is an argument, and nothing waits.

use std::time::Duration;

use tokio::time::Instant;

/// An address from which anything was answered so lately is not doubted: it is the account that does not answer.
const QUIET: Duration = Duration::from_secs(10);
/// After this long nothing is compared again where no address was answered: that is no fault of the address.
const NEITHER: Duration = Duration::from_secs(30);
/// An address fails that lost so many comparisons in a row, ...
const LOST: u32 = 3;
/// ... over at least so long.
const OVER: Duration = Duration::from_mins(1);
/// How often an address that fails is tried again.
const RETRY: Duration = Duration::from_mins(1);

/// What became of an address by what was observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It fails from now on.
    Fails,
    /// It works again.
    Works,
}

/// What is known of the way from one source address.
#[derive(Debug, Default)]
pub(super) struct Reach {
    /// When anything was answered last.
    answered: Option<Instant>,
    /// Since when comparisons have been lost without an answer between, and how many.
    lost: Option<(Instant, u32)>,
    /// When no address was answered in the last comparison.
    neither: Option<Instant>,
    /// When it was tried last, if it fails.
    failing: Option<Instant>,
}

impl Reach {
    pub(super) fn is_failing(&self) -> bool {
        self.failing.is_some()
    }

    /// When anything was answered last.
    pub(super) fn answered_at(&self) -> Option<Instant> {
        self.answered
    }

    /// Whether a request that was not answered here is to be sent from another address too, from which something was
    /// answered last at this moment.
    pub(super) fn is_doubtful(&self, answered_there: Option<Instant>, now: Instant) -> bool {
        let within = |then: Option<Instant>, time| then.is_some_and(|then| now.duration_since(then) < time);
        !within(self.answered, QUIET) && (!within(self.neither, NEITHER) || answered_there > self.neither)
    }

    /// Whether the address fails and is to be tried once more; then it is not to be tried again for a while.
    pub(super) fn takes_try(&mut self, now: Instant) -> bool {
        match &mut self.failing {
            Some(tried) if now.duration_since(*tried) >= RETRY => {
                *tried = now;
                true
            }
            _ => false,
        }
    }

    /// Takes in that something was answered.
    pub(super) fn answered(&mut self, now: Instant) -> Option<Turn> {
        let was_failing = self.is_failing();
        *self = Self { answered: Some(now), ..Self::default() };
        was_failing.then_some(Turn::Works)
    }

    /// Takes in that a request was not answered, and whether it was answered when it was sent from another address.
    pub(super) fn compared(&mut self, is_answered_there: bool, now: Instant) -> Option<Turn> {
        if !is_answered_there {
            self.neither = Some(now);
            return None;
        }
        let (since, before) = self.lost.unwrap_or((now, 0));
        let lost = before.saturating_add(1);
        self.lost = Some((since, lost));
        let fails = !self.is_failing() && lost >= LOST && now.duration_since(since) >= OVER;
        if fails {
            self.failing = Some(now);
        }
        fails.then_some(Turn::Fails)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn an_address_fails_that_loses_for_a_minute_and_works_with_its_first_answer() {
        let (start, mut reach) = (Instant::now(), Reach::default());
        for seconds in [0, 20, 40, 59] {
            assert!(reach.is_doubtful(None, after(start, seconds)));
            assert_eq!(reach.compared(true, after(start, seconds)), None);
        }
        assert_eq!(reach.compared(true, after(start, 60)), Some(Turn::Fails));
        assert_eq!(reach.compared(true, after(start, 61)), None, "it fails already");
        assert!(reach.is_failing() && !reach.takes_try(after(start, 119)));
        assert!(reach.takes_try(after(start, 120)) && !reach.takes_try(after(start, 121)), "once a minute");
        assert_eq!(reach.answered(after(start, 130)), Some(Turn::Works));
        assert!(!reach.is_failing() && reach.answered(after(start, 131)).is_none());
    }

    #[test]
    fn two_comparisons_however_far_apart_are_not_enough_and_an_answer_between_clears_them() {
        let (start, mut reach) = (Instant::now(), Reach::default());
        assert_eq!([0, 900].map(|seconds| reach.compared(true, after(start, seconds))), [None; 2]);
        assert_eq!(reach.answered(after(start, 901)), None);
        assert_eq!([902, 950].map(|seconds| reach.compared(true, after(start, seconds))), [None; 2]);
        assert_eq!(reach.compared(true, after(start, 962)), Some(Turn::Fails));
    }

    #[test]
    fn where_no_address_is_answered_it_is_not_the_address() {
        let (start, mut reach) = (Instant::now(), Reach::default());
        for seconds in (0..3_600).step_by(30) {
            assert!(reach.is_doubtful(Some(start), after(start, seconds)));
            assert_eq!(reach.compared(false, after(start, seconds)), None);
            assert!(!reach.is_doubtful(Some(start), after(start, seconds + 29)), "nothing is asked twice for a while");
            assert!(reach.is_doubtful(Some(after(start, seconds + 1)), after(start, seconds + 1)), "there it was");
        }
    }

    #[test]
    fn an_address_from_which_others_are_answered_is_not_doubted() {
        let (start, mut reach) = (Instant::now(), Reach::default());
        reach.answered(start);
        assert!(!reach.is_doubtful(None, after(start, 9)) && reach.is_doubtful(None, after(start, 10)));
    }
}
