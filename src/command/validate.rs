//! `validate`: prints every fault of the configuration, or what its schedule costs. It reads files, and never uses the
//! network.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use crate::config::{self, Config, Cost, Interval, Shard, SourceCost};
use crate::daemon::warnings;
use crate::exit::Exit;
use crate::http_server::Access;
use crate::syncro::TokenValue;
use crate::system::files::Deadline;

use super::{finish, refused};

/// How long the reading of all token files together may take.
const LONGEST_READ: Duration = Duration::from_secs(20);

pub(super) fn validate(path: &Path) -> Exit {
    let faults = match config::load(path) {
        Ok(config) => match Access::load(&config.web) {
            Ok(_) => return finish(&plan(&config), Exit::Success),
            Err(faults) => faults,
        },
        Err(faults) => faults.0.iter().map(ToString::to_string).collect(),
    };
    let count = faults.len();
    let text = format!(
        "{}\n{count} {} in the configuration\n",
        faults.join("\n"),
        if count == 1 { "fault" } else { "faults" }
    );
    refused(&text)
}

fn plan(config: &Config) -> String {
    let cost = Cost::of(config);
    let share = 100.0 * cost.requests_per_minute / cost.budget;
    let every_timeout =
        config.syncro.timeout.saturating_mul(u32::try_from(cost.requests_per_sweep).unwrap_or(u32::MAX));
    let deadline = Deadline::within(LONGEST_READ);
    let unreadable = config.tokens.iter().filter_map(|token| {
        let why = TokenValue::read_blocking(&token.source, deadline).err()?;
        Some(format!("token `{}` of tenant `{}`: the token value {why}", token.name, token.tenant.name))
    });
    let warnings: Vec<_> =
        warnings(config).into_iter().chain(unreadable).map(|warning| format!("warning: {warning}\n")).collect();
    let warnings = warnings.concat();
    let sources: String = config.syncro.source_addresses.iter().zip(Cost::of_each_source(config)).map(from).collect();
    let intervals = config.intervals;
    let remedy = intervals.are_stretched().then(|| format!("the intervals are stretched: {}\n", intervals.remedy()));
    let remedy = remedy.unwrap_or_default();
    format!(
        "{warnings}the configuration is valid\n\
         {}\
         tokens: {}\n\
         plan: {:.1} of {} requests a minute ({share:.0} %)\n\
         {sources}\
         validity: {}\n\
         permissions: {}\n\
         {remedy}\
         a full check of every token: {} requests, {} if only the budget holds it up, {} if \
         every request runs into its time-out one after the other\n",
        shard(config),
        cost.tokens,
        cost.requests_per_minute,
        cost.budget,
        interval(intervals.validity),
        interval(intervals.permissions),
        cost.requests_per_sweep,
        humantime::format_duration(rounded(cost.sweep)),
        humantime::format_duration(rounded(every_timeout)),
    )
}

/// Which of several daemons it is, and how many tenants it watches; nothing for the only one.
fn shard(config: &Config) -> String {
    let Shard { index, count } = config.shard;
    if count == 1 {
        return String::new();
    }
    let own: BTreeSet<_> = config.tokens.iter().map(|token| &token.tenant.name).collect();
    let all = own.len() + config.elsewhere.len();
    format!("shard: {index} of 0 to {}, {} of {all} tenants\n", count - 1, own.len())
}

/// What leaves from a source address.
fn from((address, cost): (&IpAddr, SourceCost)) -> String {
    let SourceCost { tenants, tokens, requests_per_minute } = cost;
    format!(
        "source address {address}: {requests_per_minute:.1} requests a minute, {tokens} tokens of {tenants} tenants\n"
    )
}

/// How often a check is made, and how often it should be.
fn interval(Interval { target, holds }: Interval) -> String {
    let every = format!("every {}", humantime::format_duration(holds));
    if holds == target { every } else { format!("{every}, instead of {}", humantime::format_duration(target)) }
}

fn rounded(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs_f64().round() as u64)
}
