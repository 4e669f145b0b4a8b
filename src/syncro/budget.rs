//! The one request budget of the daemon: how many requests a minute may leave, which leave first, and which a pause
//! delays.
//!
//! A request waits in its lane. Each lane sends its first waiter on to compete with the lane before it, so an urgent
//! request waits for at most one other of each lane. A request that waits for the end of a pause waits in no lane: its
//! host delays no requests but those to that host.

use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::config::SYNCRO_REQUESTS_PER_MINUTE;

use super::pause::{Host, PauseCause, Paused, Pauses};
use super::{CheckLane, Reason};

/// How many requests may leave at once after a time without requests.
const BURST: u32 = 10;

type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>;

/// The clock of tokio, which tests can pause.
#[derive(Debug, Clone)]
struct TokioClock {
    start: Instant,
}

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.start.elapsed()
    }
}

/// One pause that a host asked for, or several that followed each other with hardly a request between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The name of the host that asked for it, which [`Host::is`] understands.
    pub host: String,
    /// Why the host asked for it: too many requests, or trouble of the host itself.
    pub reason: Reason,
    /// When the first of them began.
    pub since: DateTime<Utc>,
    /// When the last of them ends, or ended.
    pub until: DateTime<Utc>,
    /// Whether any request has been answered since then.
    pub answered: bool,
}

/// The request budget; shared by all clones of a client.
#[derive(Debug)]
pub struct Budget {
    clock: TokioClock,
    limit: RwLock<Limit>,
    pauses: RwLock<Pauses>,
    /// Locked by the first request of the lane for permissions.
    permissions: Mutex<()>,
    /// Locked by the first request of the lane for validity, or by the first of the lane behind it.
    validity: Mutex<()>,
    /// Locked by the request that leaves next, whichever lane it comes from.
    next: Mutex<()>,
}

#[derive(Debug)]
struct Limit {
    requests_per_minute: NonZeroU32,
    limiter: Arc<Limiter>,
}

impl Budget {
    /// A budget of so many requests a minute, with a burst that stays within what Syncro allows.
    pub fn new(requests_per_minute: NonZeroU32) -> Self {
        let clock = TokioClock { start: Instant::now() };
        let limiter = limiter(requests_per_minute, &clock);
        Self {
            clock,
            limit: RwLock::new(Limit { requests_per_minute, limiter }),
            pauses: RwLock::default(),
            permissions: Mutex::new(()),
            validity: Mutex::new(()),
            next: Mutex::new(()),
        }
    }

    /// Changes the budget. The new one starts without a burst, since that of the old one may just have been used.
    pub fn set(&self, requests_per_minute: NonZeroU32) {
        let mut limit = self.limit.write().unwrap_or_else(PoisonError::into_inner);
        if limit.requests_per_minute != requests_per_minute {
            let limiter = limiter(requests_per_minute, &self.clock);
            while limiter.check().is_ok() {}
            *limit = Limit { requests_per_minute, limiter };
        }
    }

    /// Lets no request leave to a host for as long as it asks, within bounds; returns for how long.
    pub(super) fn pause(&self, host: &Host, why: PauseCause, requested: Duration) -> Duration {
        self.pauses.write().unwrap_or_else(PoisonError::into_inner).begin(host, why, requested, Instant::now())
    }

    /// Records that a host answered without asking for a pause.
    pub(super) fn answered(&self, host: &Host) {
        self.pauses.write().unwrap_or_else(PoisonError::into_inner).answered(host, Instant::now());
    }

    /// Every pause after which requests do not flow again yet, in calendar time, of which the present is `now`.
    pub fn pauses(&self, now: DateTime<Utc>) -> Vec<Pause> {
        let instant = Instant::now();
        let delta = |duration| TimeDelta::from_std(duration).unwrap_or_default();
        let pauses = self.pauses.read().unwrap_or_else(PoisonError::into_inner);
        let pause = |(host, paused): (&str, Paused)| Pause {
            host: host.to_owned(),
            reason: paused.why.reason(),
            since: now - delta(instant - paused.since),
            until: now + delta(paused.until.saturating_duration_since(instant))
                - delta(instant.saturating_duration_since(paused.until)),
            answered: paused.answered > 0,
        };
        pauses.list(instant).map(pause).collect()
    }

    /// Waits until one request to a host may leave. Dropping the future gives up the place in the queue.
    ///
    /// # Errors
    /// Why the host is paused, if the pause lasts longer than `patience`.
    pub(super) async fn permit(&self, host: &Host, lane: CheckLane, patience: Duration) -> Result<(), Reason> {
        loop {
            if let Some(paused) = self.paused(host) {
                if paused.until - Instant::now() > patience {
                    return Err(paused.why.reason());
                }
                sleep_until(paused.until).await;
                continue;
            }
            let _permissions = if lane == CheckLane::Permissions { Some(self.permissions.lock().await) } else { None };
            let _validity = if lane == CheckLane::Urgent { None } else { Some(self.validity.lock().await) };
            let _next = self.next.lock().await;
            while self.paused(host).is_none() {
                match self.take(host) {
                    None => return Ok(()),
                    Some(until) => sleep_until(until).await,
                }
            }
        }
    }

    fn paused(&self, host: &Host) -> Option<Paused> {
        self.pauses.read().unwrap_or_else(PoisonError::into_inner).of(host, Instant::now())
    }

    /// Takes one request out of the budget, or returns when to try again. What was not used during a pause is not made
    /// up for, since that would be the burst that Syncro has just asked to be spared.
    fn take(&self, host: &Host) -> Option<Instant> {
        let limiter = Arc::clone(&self.limit.read().unwrap_or_else(PoisonError::into_inner).limiter);
        if self.pauses.write().unwrap_or_else(PoisonError::into_inner).has_ended(host, Instant::now()) {
            while limiter.check().is_ok() {}
        }
        limiter.check().err().map(|not_until| self.clock.start + not_until.earliest_possible())
    }
}

fn limiter(requests_per_minute: NonZeroU32, clock: &TokioClock) -> Arc<Limiter> {
    // A budget within Syncro's limit stays within it with the burst; a greater one is for a server with another limit.
    let burst = match SYNCRO_REQUESTS_PER_MINUTE.checked_sub(requests_per_minute.get()) {
        Some(room) => room.clamp(1, BURST),
        None => BURST,
    };
    let burst = NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN);
    let quota = Quota::per_minute(requests_per_minute).allow_burst(burst);
    Arc::new(RateLimiter::direct_with_clock(quota, clock.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FOR_EVER: Duration = Duration::MAX;

    fn host() -> Host {
        Host::of("http://127.0.0.1:1")
    }

    fn budget(requests_per_minute: u32) -> Arc<Budget> {
        Arc::new(Budget::new(NonZeroU32::new(requests_per_minute).expect("not zero")))
    }

    /// When each of `count` requests was let through, in milliseconds from the start.
    async fn times(budget: &Budget, count: usize) -> Vec<u128> {
        let start = Instant::now();
        let mut times = Vec::new();
        for _ in 0..count {
            budget.permit(&host(), CheckLane::Validity, FOR_EVER).await.unwrap();
            times.push(start.elapsed().as_millis());
        }
        times
    }

    fn most_in_a_minute(times: &[u128]) -> usize {
        times
            .iter()
            .map(|start| times.iter().filter(|time| (*start..start + 60_000).contains(time)).count())
            .max()
            .unwrap_or(0)
    }

    #[tokio::test(start_paused = true)]
    async fn no_minute_sees_more_than_the_budget_and_a_burst_of_ten_and_the_budget_is_used() {
        for requests_per_minute in [1, 7, 90, 170, 180, 600] {
            let times = times(&budget(requests_per_minute), 600).await;
            let most = most_in_a_minute(&times);
            let limit = requests_per_minute as usize;
            assert!(most <= (limit + 10).min(limit.max(181)), "{most} in a minute of {requests_per_minute}");
            let used = times.len() as f64 / (times[times.len() - 1] as f64 / 60_000.0);
            assert!(used >= 0.95 * f64::from(requests_per_minute), "{used} of {requests_per_minute}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_delays_every_lane_until_its_end() {
        let budget = budget(90);
        budget.pause(&host(), PauseCause::Throttled, Duration::from_secs(30));
        budget.pause(&host(), PauseCause::Throttled, Duration::from_secs(5));
        let start = Instant::now();
        for lane in [CheckLane::Permissions, CheckLane::Urgent, CheckLane::Validity] {
            budget.permit(&host(), lane, FOR_EVER).await.unwrap();
            assert!(start.elapsed() >= Duration::from_secs(30), "{lane:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_paused_host_delays_no_other_and_no_request_waits_beyond_its_patience() {
        let (budget, other) = (budget(90), Host::of("http://127.0.0.1:2"));
        let start = Instant::now();
        let mut waiting = tokio::task::JoinSet::new();
        for lane in [CheckLane::Permissions, CheckLane::Validity, CheckLane::Urgent] {
            let budget = Arc::clone(&budget);
            waiting.spawn(async move { budget.permit(&host(), lane, FOR_EVER).await });
        }
        budget.pause(&host(), PauseCause::Throttled, Duration::from_mins(4));
        tokio::task::yield_now().await;
        for lane in [CheckLane::Permissions, CheckLane::Validity, CheckLane::Urgent] {
            budget.permit(&other, lane, Duration::ZERO).await.unwrap();
            assert_eq!(budget.permit(&host(), lane, Duration::from_secs(10)).await, Err(Reason::Throttled));
        }
        assert_eq!(start.elapsed(), Duration::ZERO);
        waiting.join_all().await;
        assert!(start.elapsed() >= Duration::from_mins(4));
    }

    #[tokio::test(start_paused = true)]
    async fn a_request_that_waits_when_a_pause_begins_fails_at_once() {
        let budget = budget(1);
        times(&budget, 10).await;
        let waiter = Arc::clone(&budget);
        let waiting = tokio::spawn(async move { waiter.permit(&host(), CheckLane::Validity, Duration::ZERO).await });
        tokio::task::yield_now().await;
        budget.pause(&host(), PauseCause::Unavailable, Duration::from_mins(4));
        assert_eq!(waiting.await.unwrap(), Err(Reason::Http5xx));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_pause_requests_leave_one_by_one() {
        let budget = budget(60);
        budget.pause(&host(), PauseCause::Throttled, Duration::from_mins(2));
        let times = times(&budget, 20).await;
        assert!(times[0] >= 121_000, "{times:?}");
        assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 999), "{times:?}");
        let pauses = budget.pauses(crate::testing::at(0));
        assert_eq!(pauses.len(), 1, "no answer has come yet: {pauses:?}");
        budget.answered(&host());
        assert!(budget.pauses(crate::testing::at(0)).iter().all(|pause| pause.answered));
    }

    #[tokio::test(start_paused = true)]
    async fn an_urgent_request_overtakes_a_queue_of_others() {
        let budget = budget(60);
        times(&budget, 10).await;
        let mut waiting = tokio::task::JoinSet::new();
        for lane in [CheckLane::Permissions, CheckLane::Validity] {
            for _ in 0..50 {
                let budget = Arc::clone(&budget);
                waiting.spawn(async move { budget.permit(&host(), lane, FOR_EVER).await });
            }
        }
        tokio::task::yield_now().await;
        let start = Instant::now();
        budget.permit(&host(), CheckLane::Urgent, FOR_EVER).await.unwrap();
        assert!(start.elapsed() <= Duration::from_secs(3), "{:?}", start.elapsed());
        waiting.join_all().await;
        assert!(start.elapsed() >= Duration::from_secs(90));
    }

    #[tokio::test(start_paused = true)]
    async fn a_changed_budget_starts_without_a_burst() {
        let budget = budget(60);
        budget.set(NonZeroU32::new(6).expect("not zero"));
        assert!(times(&budget, 3).await[2] >= 20_000);
    }
}
