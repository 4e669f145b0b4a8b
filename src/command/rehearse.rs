//! `rehearse`: what the receivers of this configuration would be sent in a simulated year. It asks nobody and sends nothing.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use serde_json::{Value, json};

use crate::alert::Notification;
use crate::cli::{RehearseArguments, RehearseOutput};
use crate::config::{Config, Receiver};
use crate::exit::Exit;
use crate::model::Token;
use crate::notify::Targets;
use crate::rehearsal::{Incident, Script, Sent, Truth, What, by_receiver, live, rule_tests};
use crate::system::clock;

use super::table::table;
use super::{failed, finish, finish_json, load};

/// The longest rehearsal, in days.
const LONGEST: i64 = 3650;

pub(super) fn rehearse(path: &Path, arguments: &RehearseArguments) -> Exit {
    let config = match load(path) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let script = match script(&config, arguments, clock::now().trunc_subsecs(0)) {
        Ok(script) => script,
        Err(error) => return failed(&error.context("rehearse")),
    };
    let targets = Targets { receivers: config.alerts.receivers.clone(), ..Targets::default() };
    let truth = Truth::new(config.tokens.iter().map(|token| &**token), &script);
    let mut sent = live(&config, &truth, &script, &targets.subscriptions());
    sent.extend(digests(&config, &script));
    sent.sort_by_key(|sent| sent.at);
    match arguments.output {
        RehearseOutput::Table => finish(&text(&config, &script, &sent), Exit::Success),
        RehearseOutput::Json => finish_json(&value(&config, &script, &sent), Exit::Success),
        RehearseOutput::Promtool => {
            finish_json(&rule_tests(&arguments.rules, &sent, |sent| shown(&config, sent)), Exit::Success)
        }
    }
}

/// What is to happen, by the command line.
fn script(config: &Config, arguments: &RehearseArguments, start: DateTime<Utc>) -> anyhow::Result<Script> {
    let RehearseArguments { days, revoke, outage, fixed_after, .. } = arguments;
    if !(1..=LONGEST).contains(days) {
        bail!("--days {days}: from 1 to {LONGEST}");
    }
    let on = |day: i64| {
        if (0..*days).contains(&day) {
            Ok(start + TimeDelta::days(day))
        } else {
            bail!("day {day} is not in the {days} days")
        }
    };
    let mut incidents = Vec::new();
    for wanted in revoke {
        let (name, day) = wanted.rsplit_once('@').context("--revoke wants TENANT/TOKEN@DAY")?;
        let is_meant = |token: &&Arc<Token>| format!("{}/{}", token.tenant.name, token.name) == name;
        let token = config.tokens.iter().find(is_meant).with_context(|| format!("no token `{name}` is configured"))?;
        let day = day.parse().with_context(|| format!("`{day}` is no number of a day"))?;
        incidents.push(Incident::Revoked { token: token.id(), at: on(day)? });
    }
    for wanted in outage {
        let (day, hours) = wanted.split_once(':').unwrap_or((wanted, "4"));
        let number = |text: &str| text.parse::<u32>().with_context(|| format!("--outage {wanted}: DAY or DAY:HOURS"));
        let (at, hours) = (on(i64::from(number(day)?))?, i64::from(number(hours)?));
        if hours == 0 || at + TimeDelta::hours(hours) > start + TimeDelta::days(*days) {
            bail!("--outage {wanted}: it must last for an hour at least, and end within the {days} days");
        }
        incidents.push(Incident::Outage { at, until: at + TimeDelta::hours(hours) });
    }
    let fixed_after = TimeDelta::from_std(*fixed_after).context("--fixed-after is too long")?;
    if fixed_after <= TimeDelta::zero() || fixed_after > TimeDelta::days(LONGEST) {
        bail!("--fixed-after: more than nothing, and at most {LONGEST} days");
    }
    Ok(Script { start, end: start + TimeDelta::days(*days), incidents, fixed_after })
}

/// The digests that are due.
fn digests(config: &Config, script: &Script) -> Vec<Sent> {
    let of = |receiver: &Arc<Receiver>| {
        let moments =
            std::iter::successors(receiver.digest.as_ref().and_then(|digest| digest.next(script.start)), |at| {
                receiver.digest.as_ref()?.next(*at)
            });
        let moments = moments.take_while(|at| *at <= script.end);
        let name = receiver.name.as_str().into();
        let shown = |at| receiver.digest.as_ref().map(|digest| format!("{} {}", digest.shown(at), digest.zone_name()));
        let digest =
            |at| Sent { at, what: What::Digest(shown(at).unwrap_or_default()), receivers: vec![Arc::clone(&name)] };
        moments.map(digest).collect::<Vec<_>>()
    };
    config.alerts.receivers.iter().flat_map(of).collect()
}

/// The moment as the tenant reads it, or the receiver of a digest.
fn shown(config: &Config, sent: &Sent) -> String {
    let name = match &sent.what {
        What::Notification(notification) => notification.key.of.tenant(),
        What::Digest(local) => return local.clone(),
    };
    let tenant = config.tokens.iter().map(|token| &token.tenant).find(|tenant| Some(tenant.name.as_str()) == name);
    tenant.map_or_else(|| sent.at.format("%Y-%m-%d %H:%M UTC").to_string(), |tenant| tenant.shown(sent.at))
}

fn text(config: &Config, script: &Script, sent: &[Sent]) -> String {
    let row = |sent: &Sent| {
        let What::Notification(notification) = &sent.what else { return None };
        let Notification { severity, key, change, message, .. } = &**notification;
        let [severity, alert, change] = [severity.as_str(), key.alert.as_str(), change.as_str()].map(str::to_owned);
        Some(vec![shown(config, sent), sent.receivers.join(", "), severity, alert, change, message.line.clone()])
    };
    let rows: Vec<_> = sent.iter().filter_map(row).collect();
    let (digests, notifications): (Vec<_>, Vec<_>) =
        sent.iter().cloned().partition(|sent| matches!(sent.what, What::Digest(_)));
    let counts = |sent: &[Sent]| {
        let counts = by_receiver(sent).into_iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>();
        if counts.is_empty() { "none".to_owned() } else { counts.join(", ") }
    };
    format!(
        "{}\n{}\nnotifications by receiver: {}\ndigests by receiver: {}\n{}",
        table(&["WHEN", "RECEIVERS", "SEVERITY", "ALERT", "CHANGE", "WHAT"], &rows).trim_end(),
        rehearsed(config, script),
        counts(&notifications),
        counts(&digests),
        assumed(script)
    )
}

fn rehearsed(config: &Config, script: &Script) -> String {
    let days = (script.end - script.start).num_days();
    let from = script.start.format("%Y-%m-%d %H:%M UTC");
    let day = if days == 1 { "day" } else { "days" };
    let token = if config.tokens.len() == 1 { "token" } else { "tokens" };
    format!("rehearsed {days} {day} from {from} with {} {token}", config.tokens.len())
}

fn assumed(script: &Script) -> String {
    let after = match (script.fixed_after.num_days(), script.fixed_after.to_std().unwrap_or_default()) {
        (1, whole) if whole.as_secs() == 24 * 3600 => "a day".to_owned(),
        (days, whole) if whole.as_secs().is_multiple_of(24 * 3600) => format!("{days} days"),
        (_, other) => humantime::format_duration(other).to_string(),
    };
    format!(
        "assumed: a token that expires or is revoked is replaced {after} later, by one that lives for a year; every permission is granted; \
         no next token is there; nobody acknowledges anything; messages that begin together are not gathered\n"
    )
}

fn value(config: &Config, script: &Script, sent: &[Sent]) -> Value {
    let one = |sent: &Sent| {
        let mut json = json!({ "at": sent.at, "local": shown(config, sent), "receivers": sent.receivers });
        match &sent.what {
            What::Digest(_) => json["kind"] = "digest".into(),
            What::Notification(notification) => {
                json["kind"] = "notification".into();
                json["id"] = notification.id.as_str().into();
                json["alert"] = notification.key.alert.as_str().into();
                json["change"] = notification.change.as_str().into();
                json["severity"] = notification.severity.as_str().into();
                json["tenant"] = notification.key.of.tenant().into();
                json["token_names"] = notification.token_names().into();
                json["message"] = notification.message.line.as_str().into();
            }
        }
        json
    };
    json!({
        "from": script.start,
        "until": script.end,
        "tokens": config.tokens.len(),
        "fixed_after_seconds": script.fixed_after.num_seconds(),
        "sent": sent.iter().map(one).collect::<Vec<_>>(),
        "by_receiver": by_receiver(sent),
    })
}
