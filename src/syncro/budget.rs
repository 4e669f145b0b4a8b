//! The one request budget of the daemon: how many requests a minute may leave, and who goes first.
//!
//! A request waits in its lane. Each lane sends its first waiter on to compete with the lane before it, so an urgent
//! request waits for at most one other of each lane.

use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::config::SYNCRO_REQUESTS_PER_MINUTE;

use super::Lane;

/// How many requests may leave at once after a quiet time.
const BURST: u32 = 10;

type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<Duration>>;

/// Time as tokio has it, so that tests can pause it.
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

/// The request budget.
#[derive(Debug)]
pub struct Budget {
    clock: TokioClock,
    limit: RwLock<Limit>,
    paused_until: RwLock<Option<Instant>>,
    permissions: Mutex<()>,
    validity: Mutex<()>,
    gate: Mutex<()>,
}

#[derive(Debug)]
struct Limit {
    requests_per_minute: NonZeroU32,
    limiter: Arc<Limiter>,
}

impl Budget {
    /// A budget of so many requests a minute, plus a burst that stays within what Syncro allows.
    pub fn new(requests_per_minute: NonZeroU32) -> Self {
        let clock = TokioClock { start: Instant::now() };
        let limiter = limiter(requests_per_minute, &clock);
        Self {
            clock,
            limit: RwLock::new(Limit { requests_per_minute, limiter }),
            paused_until: RwLock::new(None),
            permissions: Mutex::new(()),
            validity: Mutex::new(()),
            gate: Mutex::new(()),
        }
    }

    /// Changes the budget. The new one starts without a burst: the old one's may just have been used.
    pub fn set(&self, requests_per_minute: NonZeroU32) {
        let mut limit = self.limit.write().unwrap_or_else(PoisonError::into_inner);
        if limit.requests_per_minute != requests_per_minute {
            let limiter = limiter(requests_per_minute, &self.clock);
            while limiter.check().is_ok() {}
            *limit = Limit { requests_per_minute, limiter };
        }
    }

    /// Lets nothing leave for so long.
    pub fn pause(&self, duration: Duration) {
        let until = Instant::now() + duration;
        let mut paused = self.paused_until.write().unwrap_or_else(PoisonError::into_inner);
        *paused = Some(paused.map_or(until, |already| already.max(until)));
    }

    /// Waits until one request may leave. Dropping the future gives the place in the queue back.
    pub async fn permit(&self, lane: Lane) {
        let _permissions = if lane == Lane::Permissions { Some(self.permissions.lock().await) } else { None };
        let _validity = if lane == Lane::Urgent { None } else { Some(self.validity.lock().await) };
        let _gate = self.gate.lock().await;
        while let Some(until) = self.not_before() {
            sleep_until(until).await;
        }
    }

    /// Takes one request out of the budget, or says when to ask again.
    fn not_before(&self) -> Option<Instant> {
        let paused = *self.paused_until.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(until) = paused.filter(|until| *until > Instant::now()) {
            return Some(until);
        }
        let limiter = Arc::clone(&self.limit.read().unwrap_or_else(PoisonError::into_inner).limiter);
        limiter.check().err().map(|not_until| self.clock.start + not_until.earliest_possible())
    }
}

fn limiter(requests_per_minute: NonZeroU32, clock: &TokioClock) -> Arc<Limiter> {
    // Whoever stays within Syncro's limit stays within it with the burst; whoever does not has another one.
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

    fn budget(requests_per_minute: u32) -> Arc<Budget> {
        Arc::new(Budget::new(NonZeroU32::new(requests_per_minute).expect("not zero")))
    }

    /// When each of `count` requests was let through, in milliseconds from the start.
    async fn times(budget: &Budget, count: usize) -> Vec<u128> {
        let start = Instant::now();
        let mut times = Vec::new();
        for _ in 0..count {
            budget.permit(Lane::Validity).await;
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
    async fn a_pause_holds_every_lane_until_its_end() {
        let budget = budget(90);
        budget.pause(Duration::from_secs(30));
        budget.pause(Duration::from_secs(5));
        let start = Instant::now();
        for lane in [Lane::Permissions, Lane::Urgent, Lane::Validity] {
            budget.permit(lane).await;
            assert!(start.elapsed() >= Duration::from_secs(30), "{lane:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_urgent_request_overtakes_a_queue_of_others() {
        let budget = budget(60);
        times(&budget, 10).await;
        let mut waiting = tokio::task::JoinSet::new();
        for lane in [Lane::Permissions, Lane::Validity] {
            for _ in 0..50 {
                let budget = Arc::clone(&budget);
                waiting.spawn(async move { budget.permit(lane).await });
            }
        }
        tokio::task::yield_now().await;
        let start = Instant::now();
        budget.permit(Lane::Urgent).await;
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
