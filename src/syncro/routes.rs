//! The routes of a client: what sends requests from each source address, and which of them a tenant is asked by.

use std::net::IpAddr;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::model::ranked;

use super::{FailingAddress, Pause, SourceAddress, Transport};

/// A source address, and what sends requests from it.
#[derive(Debug, Clone)]
pub struct Route {
    /// The address, with its budget.
    pub source: Arc<SourceAddress>,
    /// What sends requests from it.
    pub transport: Arc<dyn Transport>,
}

/// All routes of a client, in the order of the configuration.
#[derive(Debug, Clone)]
pub(super) struct Routes(pub(super) Arc<[Route]>);

impl Routes {
    /// By which a tenant is asked now, the first of its order that does not fail, and by which if that is not answered: the one
    /// of the others that was answered last. One that fails is tried once a minute.
    pub(super) fn of<'a>(&'a self, tenant: &str) -> (&'a Route, Option<&'a Route>) {
        let Self(routes) = self;
        if let [only] = &**routes {
            return (only, None);
        }
        let addresses =
            routes.iter().map(|route| route.source.address().as_ref().map_or_else(String::new, IpAddr::to_string));
        let order: Vec<_> = ranked(addresses, tenant).into_iter().map(|place| &routes[place]).collect();
        let works = |route: &&Route| route.source.failing().is_none();
        let [home, others @ ..] = order.as_slice() else { unreachable!("a client has a route") };
        let mut working = others.iter().copied().filter(works);
        let Some(next) = working.next() else { return (home, None) };
        // Of several that were answered at the same time, or never, the first of the order.
        let last_answered = |routes: &mut dyn Iterator<Item = &'a Route>| {
            routes.reduce(|one, other| if other.source.answered_at() > one.source.answered_at() { other } else { one })
        };
        if home.source.takes_turn() {
            (home, last_answered(&mut [next].into_iter().chain(working)))
        } else {
            (next, last_answered(&mut working))
        }
    }

    /// Every pause after which requests do not flow again yet.
    pub(super) fn pauses(&self, now: DateTime<Utc>) -> Vec<Pause> {
        self.0.iter().flat_map(|route| route.source.pauses(now)).collect()
    }

    /// The source addresses that fail.
    pub(super) fn failing(&self) -> Vec<FailingAddress> {
        self.0.iter().filter_map(|route| route.source.failing()).collect()
    }
}
