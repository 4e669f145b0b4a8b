//! The bodies of requests, as the services that are notified take them. Pure.

mod email;
mod pagerduty;
mod slack;
mod summary;
mod teams;

pub(super) use email::email;
pub(super) use pagerduty::pagerduty;
pub(super) use slack::slack;
pub(super) use teams::{card, teams};
