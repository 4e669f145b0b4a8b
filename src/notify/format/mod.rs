//! The bodies of requests, as the services that are notified take them. Pure.

mod slack;

pub(super) use slack::slack;
