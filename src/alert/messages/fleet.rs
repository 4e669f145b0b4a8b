//! The messages of the alerts about all tenants together: Syncro as a whole, and the monitor itself. Pure.

use crate::alert::{Impaired, Message, Throttled};
use crate::belief::Outage;

use super::words::{count, cut, line, quoted, utc};

/// The most characters of the name of a host, and of an error of the operating system.
const LONGEST_DETAIL: usize = 180;

/// The message of `SyncroOutage`.
pub(crate) fn outage(outage: &Outage) -> Message {
    let since = utc(outage.since());
    let line = line(|_| {
        match outage {
        Outage::TurnedBad { state, tenants, of, .. } => vec![
            format!(
                "the tokens of {tenants} of {of} tenants that were checked since {since} are {} all at once, so it is probably \
                not the tokens",
                state.as_str().replace('_', " ")
            ),
            "nobody is notified of a token until this has passed, or until ten minutes of checks show that it is the tokens"
                .to_owned(),
        ],
        Outage::Unreachable { tenants, of, .. } => vec![
            format!(
                "nothing can be learnt about {tenants} of the {of} tenants of which it is known whether they answer, about the \
                first since {since}"
            ),
            "nothing is known to be wrong with their tokens".to_owned(),
        ],
    }
    });
    let steps = vec![
        "Open https://www.syncrostatus.com and see whether Syncro has an outage".to_owned(),
        "If it has none: see whether this machine reaches Syncro as usual".to_owned(),
    ];
    Message::new(line, steps)
}

/// The message of `MonitorThrottled`.
pub(crate) fn throttled(throttled: &Throttled) -> Message {
    let Throttled { since, host, source_address } = throttled;
    let from = source_address.map_or_else(String::new, |address| format!(" from `{address}`"));
    let public = if source_address.is_some() { "its public address" } else { "the public address of this machine" };
    let line = line(|_| {
        vec![
            format!("requests{from} to {} are paused, because it asks to send fewer", quoted(host, LONGEST_DETAIL)),
            format!("since {}", utc(*since)),
            "tokens are not being checked, and nothing is known to be wrong with them".to_owned(),
        ]
    });
    let steps = vec![
        format!("Find out what else sends requests to Syncro from {public}, and let it send fewer"),
        "If there is nothing that can: lower `syncro.requests_per_minute`, the share of the monitor, and reload"
            .to_owned(),
    ];
    Message::new(line, steps)
}

/// The message of `MonitorImpaired`.
pub(crate) fn impaired(impaired: &Impaired) -> Message {
    let Impaired { since, tokens, detail } = impaired;
    let detail = if detail.is_empty() { String::new() } else { format!(" ({})", cut(detail, LONGEST_DETAIL)) };
    let line = line(|_| {
        vec![
            format!(
                "trouble of this machine prevents checks of {} from giving a verdict{detail}",
                count(*tokens, "token")
            ),
            format!("since {}", utc(*since)),
            "nothing is known to be wrong with the tokens".to_owned(),
        ]
    });
    let steps = vec![
        "See whether the file descriptors are used up: `LimitNOFILE=` of the unit".to_owned(),
        "See whether the threads are: `TasksMax=` of the unit".to_owned(),
        "See to the free memory of this machine, and to the disk with the token files".to_owned(),
    ];
    Message::new(line, steps)
}
