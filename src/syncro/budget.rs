//! The one request budget of the daemon and of the commands beside it: how many requests a minute may leave, which leave
//! first, and which a pause delays.
//!
//! A request waits in its lane. Each lane sends its first waiter on to compete with the lane before it, so an urgent
//! request waits for at most one other of each lane. A request that waits for the end of a pause waits in no lane: its
//! host delays no requests but those to that host. What competes last takes its place from the `ledger`, through a file
//! if the budget is shared with other processes (`sharing`).

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

use crate::config::SYNCRO_REQUESTS_PER_MINUTE;
use crate::system::clock;

use super::bucket::{BURST, Decision, Rate};
use super::budget_file::BudgetFile;
use super::ledger::{Found, Ledger, Outcome, Party, Query};
use super::pause::{Host, PauseCause, Paused, Pauses};
use super::sharing::Sharing;
use super::{CheckLane, Reason};

/// How long a host may be asked again and again whose pause cannot be recorded.
const UNRECORDED: Duration = Duration::from_secs(1);
/// A command that cannot know what the daemon sends takes this part of its budget.
const PART_APART: u32 = 10;

/// The clock of tokio, which tests can pause, as the time since the machine started, which all processes share.
#[derive(Debug, Clone)]
struct BudgetClock {
    start: Instant,
    at_start: Duration,
    /// Which start of the machine it was.
    boot: String,
}

impl BudgetClock {
    fn of_this_process() -> Self {
        Self { start: Instant::now(), at_start: Duration::ZERO, boot: String::new() }
    }

    fn of_this_machine() -> Self {
        Self { start: Instant::now(), at_start: clock::since_boot(), boot: clock::boot_id() }
    }

    fn now(&self) -> Duration {
        self.at_start + self.start.elapsed()
    }

    fn instant(&self, moment: Duration) -> Instant {
        self.start + moment.saturating_sub(self.at_start)
    }
}

/// One pause that a host asked for, or several that followed each other with hardly a request between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// The name of the host that asked for it, which [`Host::is`] understands.
    pub host: String,
    /// The source address from which it was asked; `None` where the system chooses it.
    pub source_address: Option<IpAddr>,
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
    clock: BudgetClock,
    rate: RwLock<Rate>,
    pauses: RwLock<Pauses>,
    /// Locked by the first request of the lane for permissions.
    permissions: Mutex<()>,
    /// Locked by the first request of the lane for validity, or by the first of the lane behind it.
    validity: Mutex<()>,
    /// Locked by the request that leaves next, whichever lane it comes from.
    next: Mutex<Ledger>,
    /// Every request that waits for its turn has it, too.
    waiting: Arc<()>,
    /// Whether a pause has begun since the last request was let through.
    has_paused: AtomicBool,
    /// How it is shared with other processes, if it is.
    sharing: Option<Sharing>,
}

impl Budget {
    /// A budget of so many requests a minute for this process alone, with a burst that stays within what Syncro allows.
    pub fn new(requests_per_minute: NonZeroU32) -> Self {
        Self::build(requests_per_minute, BudgetClock::of_this_process(), None)
    }

    /// The budget of the daemon, which commands share through `file`. It goes on without the file where that cannot be
    /// used.
    pub(crate) fn of_daemon(requests_per_minute: NonZeroU32, file: BudgetFile) -> Self {
        let sharing = Sharing::new(file, Party::Daemon);
        Self::build(requests_per_minute, BudgetClock::of_this_machine(), Some(sharing))
    }

    /// The budget of a command, which it shares through `file` with other commands, and with the daemon if one runs.
    pub(crate) fn of_command(requests_per_minute: NonZeroU32, file: BudgetFile, daemon_runs: bool) -> Self {
        let sharing = Sharing::new(file, if daemon_runs { Party::Beside } else { Party::Alone });
        Self::build(requests_per_minute, BudgetClock::of_this_machine(), Some(sharing))
    }

    /// How many requests a minute a command may send that cannot know whether a daemon sends the whole budget: few, and
    /// not so many that both together exceed what Syncro allows. `None` if that leaves nothing.
    pub(crate) fn apart(requests_per_minute: NonZeroU32) -> Option<NonZeroU32> {
        let part = (requests_per_minute.get() / PART_APART).max(1);
        if requests_per_minute.get() > SYNCRO_REQUESTS_PER_MINUTE {
            return NonZeroU32::new(part);
        }
        let daemon = requests_per_minute.get() + Rate::per_minute(requests_per_minute).burst();
        let room = SYNCRO_REQUESTS_PER_MINUTE.saturating_sub(daemon).saturating_sub(BURST);
        NonZeroU32::new(part.min(room))
    }

    fn build(requests_per_minute: NonZeroU32, clock: BudgetClock, sharing: Option<Sharing>) -> Self {
        let rate = Rate::per_minute(requests_per_minute);
        let party = sharing.as_ref().map_or(Party::Daemon, |sharing| sharing.party);
        Self {
            clock,
            rate: RwLock::new(rate),
            pauses: RwLock::default(),
            permissions: Mutex::new(()),
            validity: Mutex::new(()),
            next: Mutex::new(Ledger::new(party, rate)),
            waiting: Arc::default(),
            has_paused: AtomicBool::new(false),
            sharing,
        }
    }

    /// Changes the budget. The new one starts without a burst, since that of the old one may just have been used.
    pub fn set(&self, requests_per_minute: NonZeroU32) {
        *self.rate.write().unwrap_or_else(PoisonError::into_inner) = Rate::per_minute(requests_per_minute);
    }

    /// Lets no request leave to a host for as long as it asks, within bounds; returns for how long.
    pub(super) fn pause(&self, host: &Host, why: PauseCause, requested: Duration) -> Duration {
        self.has_paused.store(true, Ordering::Relaxed);
        self.pauses.write().unwrap_or_else(PoisonError::into_inner).begin(host, why, requested, Instant::now())
    }

    /// Lets the other processes that share the budget pause a host too, which was throttled, for so long from now.
    pub(super) async fn share_pause(&self, host: &Host, duration: Duration) {
        let Some(sharing) = &self.sharing else { return };
        let mut query = self.query(host, self.clock.now());
        if query.party == Party::Alone {
            // What the file says about the budget is not the concern of a pause.
            query.party = Party::Beside;
        }
        let throttle = move |found| {
            let until = query.now + duration;
            ((), Some(Ledger::default().throttle(found, &query, until)))
        };
        // Without the file each process finds out for itself; that has been logged.
        sharing.update(throttle).await.unwrap_or_default();
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
            source_address: None,
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
            let _waiting = Arc::clone(&self.waiting);
            let _permissions = if lane == CheckLane::Permissions { Some(self.permissions.lock().await) } else { None };
            let _validity = if lane == CheckLane::Urgent { None } else { Some(self.validity.lock().await) };
            let mut next = self.next.lock().await;
            let since = self.clock.now();
            while self.paused(host).is_none() {
                match self.take(&mut next, host, since).await {
                    Decision::Now => return Ok(()),
                    Decision::At(moment) => {
                        sleep_until(self.clock.instant(moment)).await;
                        if self.paused(host).is_none() {
                            return Ok(());
                        }
                    }
                    Decision::Later(moment) => sleep_until(self.clock.instant(moment)).await,
                }
            }
        }
    }

    fn paused(&self, host: &Host) -> Option<Paused> {
        self.pauses.read().unwrap_or_else(PoisonError::into_inner).of(host, Instant::now())
    }

    /// Takes one request out of the budget, for a request that has waited for its turn since `since`. What was not used
    /// during a pause is not made up for, since that would be the burst that Syncro has just asked to be spared.
    async fn take(&self, ledger: &mut Ledger, host: &Host, since: Duration) -> Decision {
        let mut query = self.query(host, since);
        if self.has_paused.swap(false, Ordering::Relaxed) {
            ledger.give_up_booked();
        }
        // Each access to the file takes another thread.
        if let Some(decision) = ledger.take_booked(&query) {
            return decision;
        }
        if let Some(moment) = ledger.waits_until(&query) {
            return Decision::Later(moment);
        }
        query.without_burst =
            self.pauses.write().unwrap_or_else(PoisonError::into_inner).has_ended(host, Instant::now());
        let shared = match &self.sharing {
            None => Err(Found::Nothing),
            Some(sharing) => {
                let (mut ledger, query) = (ledger.clone(), query.clone());
                let take = move |found| {
                    let (outcome, entry) = ledger.take(found, &query);
                    ((ledger, outcome), entry)
                };
                sharing.update(take).await.map_err(|_| Found::Unusable)
            }
        };
        let outcome = match shared {
            Ok((shared, outcome)) => {
                *ledger = shared;
                outcome
            }
            Err(found) => ledger.take(found, &Query { now: self.clock.now(), others: 0, ..query }).0,
        };
        match outcome {
            Outcome::Decided(decision) => decision,
            Outcome::Paused(until) => {
                let now = self.clock.now();
                self.pause(host, PauseCause::Throttled, until.saturating_sub(now));
                Decision::Later(if self.paused(host).is_some() { now } else { now + UNRECORDED })
            }
        }
    }

    /// How many requests wait for their turn besides one of them, if there is a file that they could be written into
    /// together.
    fn others(&self) -> u32 {
        let all = if self.sharing.is_some() { Arc::strong_count(&self.waiting) } else { 0 };
        // One is the budget's own.
        u32::try_from(all.saturating_sub(2)).unwrap_or(u32::MAX)
    }

    fn query(&self, host: &Host, since: Duration) -> Query {
        Query {
            party: self.sharing.as_ref().map_or(Party::Daemon, |sharing| sharing.party),
            rate: *self.rate.read().unwrap_or_else(PoisonError::into_inner),
            host: host.limit().to_owned(),
            since,
            others: self.others(),
            without_burst: false,
            boot: self.clock.boot.clone(),
            now: self.clock.now(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const FOR_EVER: Duration = Duration::MAX;

    fn host() -> Host {
        Host::of("http://127.0.0.1:1")
    }

    /// Budgets of a daemon and of a command beside it, on one clock, and the folder of their file.
    fn shared(requests_per_minute: u32) -> (tempfile::TempDir, Budget, Budget) {
        let folder = tempfile::TempDir::new().unwrap();
        let clock = BudgetClock { at_start: Duration::from_hours(1), ..BudgetClock::of_this_process() };
        let requests_per_minute = NonZeroU32::new(requests_per_minute).unwrap();
        let of = |party| {
            let sharing = Sharing::new(BudgetFile::beside(&folder.path().join("state.db")), party);
            Budget::build(requests_per_minute, clock.clone(), Some(sharing))
        };
        let (daemon, command) = (of(Party::Daemon), of(Party::Beside));
        (folder, daemon, command)
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
    #[tokio::test(start_paused = true)]
    async fn a_daemon_and_a_command_stay_within_one_budget() {
        let (_folder, daemon, command) = shared(90);
        let (mut times, others) = tokio::join!(times(&daemon, 250), times(&command, 60));
        assert!(times[249] < 240_000, "the daemon goes on");
        times.extend(others);
        assert!(most_in_a_minute(&times) <= 100);
    }

    /// When each of `count` requests that wait together is let through, in milliseconds from the start. After a second the host
    /// is paused for so long.
    async fn together(budget: Budget, count: usize, pause: Option<Duration>) -> Vec<u128> {
        let (budget, start) = (Arc::new(budget), Instant::now());
        let waits = |budget: Arc<Budget>| async move {
            budget.permit(&host(), CheckLane::Validity, FOR_EVER).await.unwrap();
            start.elapsed().as_millis()
        };
        let mut waiting: tokio::task::JoinSet<_> = (0..count).map(|_| waits(Arc::clone(&budget))).collect();
        if let Some(pause) = pause {
            tokio::time::sleep(Duration::from_millis(1050)).await;
            budget.pause(&host(), PauseCause::Throttled, pause);
        }
        let mut times = Vec::new();
        while let Some(time) = waiting.join_next().await {
            times.push(time.unwrap());
        }
        times.sort_unstable();
        times
    }

    #[tokio::test(start_paused = true)]
    async fn requests_that_are_booked_together_leave_one_by_one() {
        for requests_per_minute in [7, 90, 170, 180, 600] {
            let (_folder, daemon, _) = shared(requests_per_minute);
            let times = together(daemon, 300, None).await;
            let limit = requests_per_minute as usize;
            assert!(most_in_a_minute(&times) <= (limit + 10).min(limit.max(181)), "{requests_per_minute}: {times:?}");
            let used = times.len() as f64 / (times[times.len() - 1] as f64 / 60_000.0);
            assert!(used >= 0.97 * f64::from(requests_per_minute), "{used} of {requests_per_minute}");
            let apart = 59_999 / u128::from(requests_per_minute);
            assert!(times[10..].windows(2).all(|pair| pair[1] - pair[0] >= apart), "{requests_per_minute}: {times:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_booked_before_a_pause_does_not_leave_after_it() {
        let (_folder, daemon, _) = shared(600);
        let times = together(daemon, 40, Some(Duration::from_secs(30))).await;
        let after: Vec<_> = times.iter().copied().filter(|time| *time >= 1050).collect();
        assert!(after.len() > 10 && after[0] >= 31_050 + 99, "{times:?}");
        assert!(after.windows(2).all(|pair| pair[1] - pair[0] >= 99), "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_throttle_of_one_process_pauses_the_other() {
        let (_folder, daemon, command) = shared(90);
        let pause = command.pause(&host(), PauseCause::Throttled, Duration::from_secs(30));
        command.share_pause(&host(), pause).await;
        let refused = daemon.permit(&host(), CheckLane::Validity, Duration::from_secs(10)).await;
        assert_eq!(refused, Err(Reason::Throttled));
        assert_eq!(daemon.pauses(crate::testing::at(0)).len(), 1);
        daemon.permit(&Host::of("http://127.0.0.1:2"), CheckLane::Validity, Duration::ZERO).await.unwrap();
        assert!(times(&daemon, 1).await[0] >= 30_000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_daemon_without_the_file_stays_within_its_budget() {
        let (folder, daemon, _) = shared(60);
        assert_eq!(times(&daemon, 10).await[9], 0);
        drop(folder);
        let times = times(&daemon, 70).await;
        assert!(times[0] >= 1000 && (60_000..=80_000).contains(&times[69]), "{times:?}");
    }

    #[test]
    fn a_command_apart_leaves_the_daemon_what_syncro_allows() {
        let apart = |requests_per_minute| Budget::apart(NonZeroU32::new(requests_per_minute).unwrap());
        for requests_per_minute in 1..=180 {
            let Some(part) = apart(requests_per_minute) else { continue };
            let both = [requests_per_minute, part.get()]
                .map(|rate| rate + Rate::per_minute(NonZeroU32::new(rate).unwrap()).burst());
            assert!(both.iter().sum::<u32>() <= SYNCRO_REQUESTS_PER_MINUTE, "{requests_per_minute}");
        }
        assert_eq!(
            [5, 90, 170, 10_000].map(|rate| apart(rate).map(NonZeroU32::get)),
            [Some(1), Some(9), None, Some(1000)]
        );
    }
}
