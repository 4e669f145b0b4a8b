//! The bodies of requests, as the services that are notified take them. Pure.

mod pagerduty;
mod slack;
mod summary;
mod teams;

pub(super) use pagerduty::pagerduty;
pub(super) use slack::slack;
pub(super) use teams::teams;
