//! `acknowledge` and `unacknowledge`: somebody takes an alert on, or gives it back. Both leave that in the store, from where a
//! running daemon takes it within seconds; it needs no password of the web server.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use tokio::time::{Instant, sleep};

use crate::alert::{Acknowledgement, Firing};
use crate::cli::AcknowledgeArguments;
use crate::exit::Exit;
use crate::store;
use crate::system::clock;

use super::{failed, finish, load};

/// How long a running daemon is waited for: it takes what it finds once a second, and commits once a second.
const PATIENCE: Duration = Duration::from_secs(15);
/// How long an alert is waited for that the daemon may show before it is persisted.
const JUST_BEGUN: Duration = Duration::from_secs(3);
/// How often it is asked whether it has.
const EVERY: Duration = Duration::from_millis(200);

pub(super) async fn acknowledge(path: &Path, arguments: &AcknowledgeArguments) -> Exit {
    let now = clock::now();
    let made = arguments.until.moment(now).context("until: it is beyond all time").and_then(|until| {
        Acknowledgement::new(&arguments.by, &arguments.reason, until, now).map_err(anyhow::Error::from)
    });
    match made.with_context(|| format!("acknowledge alert {}", arguments.alert)) {
        Ok(acknowledgement) => order(path, &arguments.alert, Some(acknowledgement)).await,
        Err(error) => failed(&error),
    }
}

pub(super) async fn unacknowledge(path: &Path, alert: &str) -> Exit {
    order(path, alert, None).await
}

async fn order(path: &Path, alert: &str, acknowledgement: Option<Acknowledgement>) -> Exit {
    let config = match load(path) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let what = match acknowledgement {
        Some(_) => format!("acknowledge alert {alert}"),
        None => format!("take the acknowledgement of alert {alert} back"),
    };
    match carry_out(&config.storage.path, alert, acknowledgement).await {
        Ok(text) => finish(&text, Exit::Success),
        Err(error) => failed(&error.context(what)),
    }
}

/// Leaves what is wanted in the store, waits for a daemon that runs, and says what happened.
async fn carry_out(store: &Path, alert: &str, wanted: Option<Acknowledgement>) -> anyhow::Result<String> {
    let begun = Instant::now();
    // What the daemon shows already it persists within a second.
    while find(store, alert)?.is_none() && store::is_in_use(store) && begun.elapsed() < JUST_BEGUN {
        sleep(EVERY).await;
    }
    let Some(firing) = find(store, alert)? else {
        bail!("no alert of that id fires; `/api/v1/alerts` and the page have the ids of those that do");
    };
    if wanted.is_none() && firing.acknowledged.is_none() {
        return Ok(format!("nobody has acknowledged alert {alert}\n"));
    }
    let number = store::order_acknowledgement(store, alert, wanted.as_ref())?;
    let what = described(&firing, wanted.as_ref());
    if !store::is_in_use(store) {
        return Ok(format!("the daemon does not run; once it does, {what}\n"));
    }
    let end = Instant::now() + PATIENCE;
    while store::acknowledgement_orders(store)?.iter().any(|order| order.number == number) {
        if Instant::now() >= end {
            return Ok(format!("the daemon has not taken it yet; once it has, {what}\n"));
        }
        sleep(EVERY).await;
    }
    match find(store, alert)? {
        None => bail!("the alert has just ended"),
        Some(firing) if firing.acknowledged == wanted => Ok(format!("{what}\n")),
        Some(_) => bail!("the alert has become worse or was changed by somebody else meanwhile"),
    }
}

/// The alert with this id, if it fires as far as the store says.
fn find(store: &Path, alert: &str) -> anyhow::Result<Option<Firing>> {
    let state = store::state(store)?;
    let mut all = state.tenants.into_values().chain([state.fleet]).flatten();
    Ok(all.find(|firing| firing.id == alert))
}

fn described(firing: &Firing, wanted: Option<&Acknowledgement>) -> String {
    let Firing { id, alert, scope, .. } = firing;
    let names = [scope.tenant().map(str::to_owned), scope.subject()].into_iter().flatten().collect::<Vec<_>>();
    let about = if names.is_empty() { "all tenants".to_owned() } else { names.join(" / ") };
    let which = format!("alert {id} ({} of {about})", alert.as_str());
    let moment = |at: DateTime<Utc>| at.format("%Y-%m-%d %H:%M UTC").to_string();
    match wanted {
        Some(made) => format!("{which} is acknowledged by {} until {}: {}", made.by, moment(made.until), made.reason),
        None => format!("the acknowledgement of {which} is taken back"),
    }
}
