//! Judges what was read: one or more TOML documents in, a [`Config`] or every fault out. Pure.
//!
//! Tenants and tokens are judged in `fleet`.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use toml::Table;

use super::context::Context;
use super::cost::Load;
use super::fault::{Fault, Faults, Problem, nearest, shown};
use super::fleet::Fleet;
use super::maintenance::maintenance;
use super::metrics::excluded;
use super::profiles::Profiles;
use super::raw::{Notes, Section};
use super::receivers::{Named, Read, receivers, unknown_names};
use super::schedule::{Schedule, schedule};
use super::shard::{elsewhere, shard};
use super::source::path_from;
use super::stretch::stretch;
use super::web::web;
use super::{Alerts, Config, SYNCRO_REQUESTS_PER_MINUTE, Schedules, Storage, Syncro, value};
use crate::model::{Probes, Token, Zone};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);
const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// The default budget: half of what Syncro allows one address, since other integrations share it.
const REQUESTS_PER_MINUTE: u32 = 90;
/// The highest budget. More than Syncro allows is a warning, since a simulator or several addresses may bear it; more
/// than this is a mistake.
const MOST_REQUESTS_PER_MINUTE: u32 = 1_000_000;
const TIMEOUT: Duration = Duration::from_secs(10);
const VALIDITY: Duration = Duration::from_mins(5);
const PERMISSIONS: Duration = HOUR;
/// By default each token is checked once a day at least, so that a dead one is not unseen for longer.
const AT_MOST: Duration = DAY;
const NEAR_EXPIRY: Duration = MINUTE;
/// The default is two checks, since one odd answer proves nothing.
const CONFIRMATIONS: u32 = 2;
const CONFIRM_AFTER: Duration = Duration::from_secs(30);
const EXPIRY_NOTICE: [Duration; 4] =
    [Duration::from_hours(30 * 24), Duration::from_hours(14 * 24), Duration::from_hours(7 * 24), DAY];
const REMIND_EVERY: Duration = DAY;
const UNREACHABLE_AFTER: Duration = Duration::from_mins(15);
const STORAGE_PATH: &str = "state.db";
/// The default is a year and a month: at the renewal of this year one can read what happened at that of last year.
const KEEP: Duration = Duration::from_hours(400 * 24);

/// One parsed file.
#[derive(Debug)]
pub(super) struct Document {
    /// The path of the file, as it was given to the program.
    pub(super) file: String,
    /// The table that was parsed from it.
    pub(super) table: Table,
}

/// Judges the main document and those of `conf.d`; adds what it finds to the faults that were found while they were
/// read.
pub(super) fn validate(
    main: &Document,
    more: &[Document],
    context: &Context<'_>,
    mut faults: Faults,
) -> Result<Config, Faults> {
    let mut notes = Notes { file: &main.file, faults: &mut faults };
    let mut root = Section::root(&main.table);
    let web = web(root.section("web", &mut notes), context, &mut notes);
    let syncro = syncro(root.section("syncro", &mut notes), &mut notes);
    let (mut schedule, zone) = schedules(root.section("schedule", &mut notes), context, &mut notes);
    let mut warnings = Vec::new();
    let shard = shard(root.section("shard", &mut notes), context, &mut warnings, &mut notes);
    let excluded_metrics = excluded(root.section("metrics", &mut notes), &mut notes);
    let (alerts, in_filters) = alerts(root.section("alerts", &mut notes), (context, &zone), &mut notes, &mut warnings);
    let maintenance = maintenance(&mut root, &zone, context, &mut notes);
    let storage = storage(root.section("storage", &mut notes), context, &mut notes);
    let mut fleet = Fleet::new(context, zone, Profiles::read(&mut root, &mut notes));
    fleet.read(&mut root, &mut notes);
    root.finish(&mut notes);
    for document in more {
        let mut notes = Notes { file: &document.file, faults: &mut faults };
        let mut root = Section::root(&document.table);
        fleet.read(&mut root, &mut notes);
        root.finish(&mut notes);
    }
    let Fleet { profiles, mut tokens, tenants, warnings: of_tokens, .. } = fleet;
    faults.0.extend(unknown_names(&main.file, &in_filters, &tenants, profiles.all()));
    warnings.extend(of_tokens);
    warnings.extend(unknown_tenants(&main.file, &maintenance.named, &tenants));
    let maintenance = maintenance.maintenance.into();
    let profiles = profiles.into_all();
    let (files, zones) = (Vec::new(), Vec::new());
    let budget = f64::from(syncro.requests_per_minute.get());
    warnings.extend(unusual(&main.file, &syncro, &tokens));
    let elsewhere = elsewhere(shard, tenants.keys());
    tokens.retain(|token| !elsewhere.contains(&token.tenant.name));
    let intervals = stretch(&mut schedule, &Load::of_each_source(&tokens, &syncro), budget).map_err(|needed| {
        let at_most = humantime::format_duration(schedule.at_most);
        let problem = format!(
            "a validity check of every token each {at_most} needs {needed:.1} requests a minute, the budget is {budget}"
        );
        let allowed = "a longer time, fewer tokens or wanted permissions, or a higher `syncro.requests_per_minute`";
        Notes { file: &main.file, faults: &mut faults }.fault("schedule.at_most", Problem::new(problem, allowed));
    });
    match intervals {
        Ok(intervals) if faults.0.is_empty() => Ok(Config {
            web,
            syncro,
            schedule,
            intervals,
            alerts,
            storage,
            excluded_metrics,
            maintenance,
            profiles,
            shard,
            tokens,
            elsewhere: Arc::new(elsewhere),
            warnings,
            files,
            zones,
        }),
        _ => Err(faults),
    }
}

/// The warnings about names in `[[maintenance]]` that no tenant has. They are no faults: a tenant that is taken out of
/// the configuration must not need its windows taken out at the same time.
fn unknown_tenants(file: &str, named: &[(String, Vec<String>)], tenants: &HashMap<String, String>) -> Vec<Fault> {
    let named = named.iter().flat_map(|(path, names)| names.iter().map(move |name| (path, name)));
    let unknown = named.filter(|(_, name)| !tenants.contains_key(*name)).map(|(path, name)| {
        let near = nearest(name, tenants.keys().map(String::as_str));
        let allowed = near.map_or_else(|| "names of tenants".to_owned(), |near| format!("did you mean `{near}`?"));
        let problem = format!("{} is not a configured tenant", shown(name));
        Fault { file: file.to_owned(), path: path.clone(), problem, allowed }
    });
    unknown.collect()
}

/// The warnings about what is allowed but probably not meant.
fn unusual(file: &str, syncro: &Syncro, tokens: &[Arc<Token>]) -> Vec<Fault> {
    let warning = |path: &str, problem: String, allowed: &str| {
        let (file, path, allowed) = (file.to_owned(), path.to_owned(), allowed.to_owned());
        Fault { file, path, problem, allowed }
    };
    let of_budget = (syncro.requests_per_minute.get() > SYNCRO_REQUESTS_PER_MINUTE).then(|| {
        let problem =
            format!("Syncro allows {SYNCRO_REQUESTS_PER_MINUTE} a minute for each IP address, whoever sends them");
        warning("syncro.requests_per_minute", problem, "less, so that others have room")
    });
    let of_tokens = tokens.is_empty().then(|| {
        let problem = "no token is configured, so nothing is watched".to_owned();
        warning("tenants", problem, "[[tenants]] with [[tenants.tokens]]")
    });
    of_budget.into_iter().chain(of_tokens).collect()
}

fn syncro(mut section: Section<'_>, notes: &mut Notes<'_>) -> Syncro {
    let requests_per_minute =
        section.read("requests_per_minute", notes, |value| value::count(value, 1..=MOST_REQUESTS_PER_MINUTE));
    let source_addresses = source_addresses(&mut section, notes);
    let timeout =
        section.read("timeout", notes, |value| value::duration(value, Duration::from_millis(100)..=2 * MINUTE));
    let probes = section.read("probes", notes, |value| {
        value::word(value, &[("read-only", Probes::ReadOnly), ("write-safe", Probes::WriteSafe)])
    });
    let audit_excess = section.read("audit_excess", notes, value::flag);
    let user_names = section.read("user_names", notes, value::flag);
    section.finish(notes);
    Syncro {
        requests_per_minute: requests_per_minute.unwrap_or(non_zero(REQUESTS_PER_MINUTE)),
        source_addresses,
        timeout: timeout.unwrap_or(TIMEOUT),
        probes: probes.unwrap_or(Probes::ReadOnly),
        audit_excess: audit_excess.unwrap_or(false),
        user_names: user_names.unwrap_or(true),
    }
}

/// Reads the local addresses from which requests leave; each may stand there once, since each has a budget of its own.
fn source_addresses(section: &mut Section<'_>, notes: &mut Notes<'_>) -> Vec<IpAddr> {
    let allowed = "a list of IP addresses of this machine, such as [\"203.0.113.4\", \"203.0.113.5\"]";
    let mut seen = Vec::new();
    let addresses = section.read_list("source_addresses", allowed, notes, |value| {
        let address = value::source_address(value)?;
        if seen.contains(&address) {
            return Err(Problem::new(format!("{address} stands there twice"), "each address once"));
        }
        seen.push(address);
        Ok(address)
    });
    addresses.unwrap_or_default()
}

fn schedules(mut section: Section<'_>, context: &Context<'_>, notes: &mut Notes<'_>) -> (Schedules, Zone) {
    let zone = section.read("time_zone", notes, |value| value::time_zone(value, context));
    let zone = zone.unwrap_or_else(Zone::utc);
    let validity = section.read("validity", notes, |value| schedule(value, &zone));
    let permissions = section.read("permissions", notes, |value| schedule(value, &zone));
    let validity = validity.unwrap_or(Schedule::Every(VALIDITY));
    let target = validity.busiest_interval();
    let at_most = section.read("at_most", notes, |value| value::duration(value, target.max(SECOND)..=31 * DAY));
    let near_expiry = section.read("near_expiry", notes, |value| value::duration(value, SECOND..=HOUR));
    section.finish(notes);
    let schedules = Schedules {
        permissions: permissions.unwrap_or(Schedule::Every(PERMISSIONS)),
        at_most: at_most.unwrap_or(AT_MOST.max(target)),
        near_expiry: near_expiry.unwrap_or(NEAR_EXPIRY),
        validity,
    };
    (schedules, zone)
}

fn alerts(
    mut section: Section<'_>,
    (context, zone): (&Context<'_>, &Zone),
    notes: &mut Notes<'_>,
    warnings: &mut Vec<Fault>,
) -> (Alerts, Named) {
    let confirmations = section.read("confirmations", notes, |value| value::count(value, 1..=10));
    let confirm_after = section.read("confirm_after", notes, |value| value::duration(value, Duration::ZERO..=HOUR));
    let before_expiry = |value: &toml::Value| value::duration(value, SECOND..=5 * 365 * DAY);
    let expiry_notice = section.read_list(
        "expiry_notice",
        "a list of durations such as [\"30d\", \"7d\", \"1d\"]",
        notes,
        before_expiry,
    );
    let remind_every = section.read("remind_every", notes, |value| value::duration(value, SECOND..=31 * DAY));
    let unreachable_after = section.read("unreachable_after", notes, |value| value::duration(value, SECOND..=7 * DAY));
    let Read { receivers, named, heartbeat, canary } = receivers(&mut section, (context, zone), notes, warnings);
    section.finish(notes);
    let mut expiry_notice = expiry_notice.unwrap_or_else(|| EXPIRY_NOTICE.to_vec());
    expiry_notice.sort_unstable_by(|left, right| right.cmp(left));
    expiry_notice.dedup();
    let alerts = Alerts {
        confirmations: confirmations.unwrap_or(non_zero(CONFIRMATIONS)),
        confirm_after: confirm_after.unwrap_or(CONFIRM_AFTER),
        expiry_notice: expiry_notice.into(),
        remind_every: remind_every.unwrap_or(REMIND_EVERY),
        unreachable_after: unreachable_after.unwrap_or(UNREACHABLE_AFTER),
        receivers,
        heartbeat,
        canary,
    };
    (alerts, named)
}

fn storage(mut section: Section<'_>, context: &Context<'_>, notes: &mut Notes<'_>) -> Storage {
    let path = section.read("path", notes, |value| path_from(context.state, value, context));
    let keep = section.read("keep", notes, |value| value::duration(value, DAY..=3650 * DAY));
    section.finish(notes);
    Storage { path: path.unwrap_or_else(|| context.state.join(STORAGE_PATH)), keep: keep.unwrap_or(KEEP) }
}

fn non_zero(number: u32) -> std::num::NonZeroU32 {
    std::num::NonZeroU32::new(number).unwrap_or(std::num::NonZeroU32::MIN)
}
