//! The local addresses from which requests leave: each has a budget of its own, since Syncro counts by address. A tenant is
//! asked from one of them, and from the next in its order while that one fails.

use std::net::IpAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use crate::config;
use crate::system::clock;

use super::budget_file::BudgetFile;
use super::reach::{Reach, Turn};
use super::{Budget, Pause};

/// A source address that fails: requests from it are not answered that are answered from another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailingAddress {
    /// The address.
    pub address: IpAddr,
    /// Since when it has failed.
    pub since: DateTime<Utc>,
}

/// One local address from which requests leave.
#[derive(Debug)]
pub struct SourceAddress {
    /// `None` where the system chooses it.
    address: Option<IpAddr>,
    budget: Budget,
    reach: Mutex<(Reach, Option<FailingAddress>)>,
}

impl SourceAddress {
    /// The address that the system chooses, with this budget.
    pub fn chosen_by_the_system(budget: Budget) -> Arc<Self> {
        Self::new(None, budget)
    }

    pub(super) fn new(address: Option<IpAddr>, budget: Budget) -> Arc<Self> {
        Arc::new(Self { address, budget, reach: Mutex::default() })
    }

    /// The addresses that a configuration names, each with the budget that `budget` makes of the file that is its own.
    pub(crate) fn all(config: &config::Syncro, store: &Path, budget: impl Fn(BudgetFile) -> Budget) -> Vec<Arc<Self>> {
        addresses(config).map(|address| Self::new(address, budget(BudgetFile::of(store, address)))).collect()
    }

    /// The addresses of the daemon, of which those that were there `before` go on with what they know.
    pub(crate) fn of_daemon(config: &config::Syncro, store: &Path, before: &[Arc<Self>]) -> Vec<Arc<Self>> {
        let rate = config.requests_per_minute;
        let of = |address| {
            let kept = before.iter().find(|source| source.address == address).cloned();
            kept.unwrap_or_else(|| Self::new(address, Budget::of_daemon(rate, BudgetFile::of(store, address))))
        };
        addresses(config).map(of).collect()
    }

    /// The address; `None` where the system chooses it.
    pub(crate) fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The budget of what leaves from it.
    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// What is known of its failure, if it fails.
    pub(crate) fn failing(&self) -> Option<FailingAddress> {
        self.reach().1
    }

    /// Every pause of requests from it.
    pub(super) fn pauses(&self, now: DateTime<Utc>) -> impl Iterator<Item = Pause> {
        self.budget.pauses(now).into_iter().map(|pause| Pause { source_address: self.address, ..pause })
    }

    /// Whether it is used now: it does not fail, or is tried once more, which it then is not again for a while.
    pub(super) fn takes_turn(&self) -> bool {
        let (reach, _) = &mut *self.reach();
        !reach.is_failing() || reach.takes_try(Instant::now())
    }

    /// When anything was answered last.
    pub(super) fn answered_at(&self) -> Option<Instant> {
        self.reach().0.answered_at()
    }

    /// Whether a request that was not answered is to be sent from `other` too.
    pub(super) fn is_doubtful(&self, other: &Self) -> bool {
        let answered_there = other.answered_at();
        self.reach().0.is_doubtful(answered_there, Instant::now())
    }

    /// Takes in that something was answered.
    pub(super) fn answered(&self) {
        let (reach, failing) = &mut *self.reach();
        let turn = reach.answered(Instant::now());
        self.turned(turn, failing, None);
    }

    /// Takes in that a request was not answered, and whether it was answered when it was sent from `other`.
    pub(super) fn compared(&self, other: &Self, is_answered_there: bool) {
        let (reach, failing) = &mut *self.reach();
        let turn = reach.compared(is_answered_there, Instant::now());
        self.turned(turn, failing, other.address);
    }

    fn turned(&self, turn: Option<Turn>, failing: &mut Option<FailingAddress>, other: Option<IpAddr>) {
        let (Some(address), Some(turn)) = (self.address, turn) else { return };
        match turn {
            Turn::Fails => {
                *failing = Some(FailingAddress { address, since: clock::now() });
                let other = other.map_or_else(|| "another address".to_owned(), |other| format!("`{other}`"));
                tracing::warn!(
                    event = "source_address_failing",
                    source_address = %address,
                    "requests from the source address `{address}` are not answered, and the same ones are from {other}: its \
                    tenants are asked from the others until it works again"
                );
            }
            Turn::Works => {
                *failing = None;
                tracing::info!(
                    event = "source_address_working",
                    source_address = %address,
                    "requests from the source address `{address}` are answered again"
                );
            }
        }
    }

    fn reach(&self) -> MutexGuard<'_, (Reach, Option<FailingAddress>)> {
        self.reach.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn addresses(config: &config::Syncro) -> impl Iterator<Item = Option<IpAddr>> {
    let chosen_by_the_system = config.source_addresses.is_empty().then_some(None);
    chosen_by_the_system.into_iter().chain(config.source_addresses.iter().copied().map(Some))
}
