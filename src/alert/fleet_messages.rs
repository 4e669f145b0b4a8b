//! The messages of the alerts that are about no single token: a tenant, Syncro as a whole, the monitor itself. Pure.

use chrono::{DateTime, Utc};

use crate::belief::Outage;

use super::message::Message;
use super::messages::day;
use super::trouble::{Impaired, Throttled};

/// The message of `TenantUnreachable`.
pub(super) fn unreachable(tenant: &str, since: DateTime<Utc>, reason: &str) -> Message {
    let what = format!(
        "nothing could be learnt about any token of tenant `{tenant}` since {} ({reason}); nothing is known to be \
        wrong with them",
        day(since)
    );
    Message::new(&what, "Check whether its Syncro answers from this machine")
}

/// The message of `SyncroOutage`.
pub(super) fn outage(outage: &Outage) -> Message {
    const SEE: &str = "Check whether Syncro has an outage, and whether this machine reaches it as usual";
    let since = day(outage.since());
    match outage {
        Outage::TurnedBad { state, tenants, of, .. } => Message::new(
            &format!(
                "the tokens of {tenants} of {of} tenants that were checked since {since} are {} all at once, so it is \
                probably not the tokens",
                state.as_str().replace('_', " ")
            ),
            &format!(
                "{SEE}. Nobody is notified of a token until this has passed, or until ten minutes of checks show that \
                it is the tokens"
            ),
        ),
        Outage::Unreachable { tenants, of, .. } => Message::new(
            &format!(
                "nothing can be learnt about {tenants} of the {of} tenants of which it is known whether they answer, about \
                the first since {since}; nothing is known to be wrong with their tokens"
            ),
            SEE,
        ),
    }
}

/// The message of `MonitorThrottled`.
pub(super) fn throttled(throttled: &Throttled) -> Message {
    let Throttled { since, host } = throttled;
    let what = format!(
        "requests to `{host}` have been paused since {}, because it asks to send fewer: tokens are not being checked, \
        and nothing is known to be wrong with them",
        day(*since)
    );
    let fix = "Find out what else sends requests to Syncro from this address; the monitor's own share is \
               `syncro.requests_per_minute`";
    Message::new(&what, fix)
}

/// The message of `MonitorImpaired`.
pub(super) fn impaired(impaired: &Impaired) -> Message {
    let Impaired { since, tokens, detail } = impaired;
    let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
    let tokens = if *tokens == 1 { "1 token".to_owned() } else { format!("{tokens} tokens") };
    let what = format!(
        "trouble of this machine prevents checks of {tokens} from giving a verdict since {}{detail}; nothing is known to \
        be wrong with the tokens",
        day(*since)
    );
    Message::new(&what, "See to the file descriptors, memory, threads and disks of this machine")
}
