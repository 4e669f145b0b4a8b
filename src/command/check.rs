//! `check`: every token once, now. Reads no state and sends no alert; says what the daemon would say.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use prometheus::Registry;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::alert::{Firing, Rules, Severity, token_alerts};
use crate::cli::{CheckArguments, Output};
use crate::config::{self, Config, Token};
use crate::engine::{Job, look};
use crate::exit::Exit;
use crate::standing::{PermissionStanding, PermissionState, Policy, Standing, TokenState, step};
use crate::syncro::{Budget, Client, Failure, Instruments, Look};
use crate::system::clock;

use super::table::table;
use super::{failed, print, print_json};

/// Enough to use the whole budget while some hosts are slow.
const AT_ONCE: usize = 16;
/// A look has two parts: the token, and its permissions.
const PARTS: usize = 2;

/// What was found about one token.
struct Finding {
    token: Arc<Token>,
    standing: Standing,
    failure: Option<Failure>,
    alerts: Vec<Firing>,
}

/// How bad a finding is, as Nagios orders it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Ok,
    Unknown,
    Warning,
    Critical,
}

impl Level {
    fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl Finding {
    fn level(&self) -> Level {
        let worst = self.alerts.iter().map(|firing| firing.severity).max();
        match worst {
            Some(Severity::Critical) => Level::Critical,
            Some(Severity::Warning) => Level::Warning,
            None if self.failure.is_some() => Level::Unknown,
            None => Level::Ok,
        }
    }
}

pub(super) async fn check(path: &Path, arguments: CheckArguments) -> Exit {
    let config = match config::load(path) {
        Ok(config) => config,
        Err(faults) => {
            // Without standard error there is nobody to tell.
            writeln!(std::io::stderr(), "{faults}").ok();
            return Exit::CouldNotTell;
        }
    };
    let chosen = |token: &&Arc<Token>| {
        arguments.tenant.as_ref().is_none_or(|tenant| *tenant == token.tenant.name)
            && arguments.token_name.as_ref().is_none_or(|name| *name == token.name)
    };
    let tokens: Vec<_> = config.tokens.iter().filter(chosen).cloned().collect();
    if tokens.is_empty() {
        writeln!(std::io::stderr(), "no configured token fits; `validate` counts them").ok();
        return Exit::CouldNotTell;
    }
    let client = Instruments::new(&Registry::new()).map_err(|error| error.to_string()).and_then(|instruments| {
        Client::new(&config.syncro, Arc::new(Budget::new(config.syncro.requests_per_minute)), instruments)
    });
    let client = match client {
        Ok(client) => client,
        Err(error) => return failed(&anyhow::Error::msg(error)),
    };
    let findings = look_at_all(&config, &client, tokens).await;
    match arguments.output {
        Output::Table => print(&text(&findings)),
        Output::Json => print_json(&json(&findings)),
    }
    match findings.iter().map(Finding::level).max() {
        Some(Level::Critical) => Exit::Critical,
        Some(Level::Warning) => Exit::Warning,
        Some(Level::Unknown) => Exit::CouldNotTell,
        Some(Level::Ok) | None => Exit::Success,
    }
}

async fn look_at_all(config: &Config, client: &Client, tokens: Vec<Arc<Token>>) -> Vec<Finding> {
    let bar =
        if std::io::stderr().is_terminal() { ProgressBar::new(tokens.len() as u64) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{pos} of {len} tokens {wide_bar} {eta}") {
        bar.set_style(style);
    }
    let looks = tokens.into_iter().map(|token| async {
        let (tell, mut told) = mpsc::channel(PARTS);
        look(client, Job::once(Arc::clone(&token), config.syncro.probes), &tell).await;
        let parts: Vec<_> = std::iter::from_fn(|| told.try_recv().ok()).map(|looked| looked.look).collect();
        bar.inc(1);
        judge(config, token, &parts)
    });
    let findings = stream::iter(looks).buffered(AT_ONCE).collect().await;
    bar.finish_and_clear();
    findings
}

fn judge(config: &Config, token: Arc<Token>, parts: &[Look]) -> Finding {
    let mut standing = Standing::default();
    // One look is all there is, so what it shows is believed.
    let alerts = config::Alerts { confirmations: std::num::NonZeroU32::MIN, ..config.alerts.clone() };
    let (probes, news_for) = (config.syncro.probes, alerts.remind_every);
    let policy = Policy { token: &token, confirmations: 1, probes, news_for };
    for look in parts {
        // Nothing was believed before, so no change is news.
        let _ = step(&mut standing, look, policy);
    }
    let mut firing = Vec::new();
    let _ = token_alerts(Rules { alerts: &alerts, now: clock::now() }, &token, &standing, &mut firing);
    let failure = parts.iter().find_map(Look::failure).cloned();
    Finding { token, standing, failure, alerts: firing }
}

fn permissions(finding: &Finding) -> Vec<(&'static str, bool, PermissionState, Value)> {
    let wanted = finding.token.wanted.iter();
    wanted
        .map(|wanted| {
            let known = finding.standing.permissions.iter().find(|known| known.permission == wanted.permission);
            let state = known.map_or(PermissionState::Unverified, PermissionStanding::state);
            let missing = known.filter(|_| state == PermissionState::Missing);
            let json = json!({
                "permission": wanted.permission.name(),
                "required": wanted.required,
                "state": state.as_str(),
                "evidence": known.filter(|known| known.belief.held.is_some()).map(|known| known.evidence.as_str()),
                "cause": missing.map(|known| known.cause.as_str()),
            });
            (wanted.permission.name(), wanted.required, state, json)
        })
        .collect()
}

fn text(findings: &[Finding]) -> String {
    let row = |finding: &Finding| {
        let permissions = permissions(finding);
        let count = |state| permissions.iter().filter(|(_, _, known, _)| *known == state).count();
        let counts = format!(
            "{} granted, {} missing, {} unverified",
            count(PermissionState::Granted),
            count(PermissionState::Missing),
            count(PermissionState::Unverified)
        );
        vec![
            finding.level().as_str().to_owned(),
            finding.token.tenant.name.clone(),
            finding.token.name.clone(),
            finding.standing.state.as_str().to_owned(),
            finding
                .token
                .expires
                .map_or_else(|| "-".to_owned(), |expires| expires.format("%Y-%m-%d %H:%M").to_string()),
            counts,
        ]
    };
    let rows: Vec<_> = findings.iter().map(row).collect();
    let head = ["LEVEL", "TENANT", "TOKEN", "STATE", "EXPIRES (UTC)", "PERMISSIONS"];
    let notes: Vec<String> = findings.iter().flat_map(notes).collect();
    table(&head, &rows) + &notes.concat()
}

/// What is wrong with a token, a line each.
fn notes(finding: &Finding) -> Vec<String> {
    let Token { tenant, name, .. } = finding.token.as_ref();
    let what = if finding.standing.state == TokenState::Unknown { "" } else { " at everything" };
    let alert = |firing: &Firing| {
        format!("{}: {}: {}\n", firing.severity.as_str(), firing.alert.as_str(), firing.words.message)
    };
    let unknown = |failure: &Failure| {
        format!("unknown: could not look{what} for token `{name}` of tenant `{}`: {failure}\n", tenant.name)
    };
    finding.alerts.iter().map(alert).chain(finding.failure.iter().map(unknown)).collect()
}

fn json(findings: &[Finding]) -> Value {
    let token = |finding: &Finding| {
        let Finding { token, standing, failure, alerts } = finding;
        let user = standing.user.as_ref();
        json!({
            "tenant": token.tenant.name,
            "token_name": token.name,
            "level": finding.level().as_str(),
            "state": standing.state.as_str(),
            "reason": failure.as_ref().map(|failure| failure.reason.as_str()),
            "detail": failure.as_ref().map(|failure| &failure.detail),
            "expires": token.expires,
            "profile": token.profile_name(),
            "fingerprint": standing.fingerprint,
            "security_group": standing.security_group(),
            "global_admin": user.and_then(|user| user.admin.held),
            "permissions": permissions(finding).into_iter().map(|(.., json)| json).collect::<Vec<_>>(),
            "alerts": alerts.iter().map(|firing| json!({
                "alert": firing.alert.as_str(),
                "severity": firing.severity.as_str(),
                "permission": firing.words.permission,
                "cause": firing.words.cause,
                "evidence": firing.words.evidence,
                "message": firing.words.message,
            })).collect::<Vec<_>>(),
        })
    };
    let count = |level| findings.iter().filter(|finding| finding.level() == level).count();
    json!({
        "tokens": findings.iter().map(token).collect::<Vec<_>>(),
        "summary": {
            "ok": count(Level::Ok),
            "warning": count(Level::Warning),
            "critical": count(Level::Critical),
            "unknown": count(Level::Unknown),
        },
    })
}
