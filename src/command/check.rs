//! `check`: one check of every token, now. It reads no state and sends no alert; it prints the alerts that would fire
//! in the daemon.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use futures_util::{StreamExt, stream};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use crate::belief::{PermissionState, TokenState};
use crate::cli::{CheckArguments, Output};
use crate::config::{self, Config};
use crate::exit::Exit;
use crate::model::Token;
use crate::syncro::{Client, Failure};

use super::client::client;
use super::finding::{Finding, Level, alert_json, alert_text, in_use, permission_json};
use super::table::table;
use super::{failed, finish, finish_json, undetermined};

/// How many tokens are checked at once: enough to use the whole budget while some hosts are slow.
const AT_ONCE: usize = 16;

pub(super) async fn check(path: &Path, arguments: CheckArguments) -> Exit {
    let config = match config::load(path) {
        Ok(config) => config,
        Err(faults) => return undetermined(&faults),
    };
    let chosen = |token: &&Arc<Token>| {
        arguments.tenant.as_ref().is_none_or(|tenant| *tenant == token.tenant.name)
            && arguments.token_name.as_ref().is_none_or(|name| *name == token.name)
    };
    let tokens: Vec<_> = config.tokens.iter().filter(chosen).cloned().collect();
    if tokens.is_empty() {
        let elsewhere = arguments.tenant.as_ref().filter(|tenant| config.elsewhere.contains(*tenant));
        let why = match elsewhere {
            Some(tenant) => format!("shard {} watches tenant `{tenant}`: check it there", config.shard.owner(tenant)),
            None => "no configured token fits; `validate` counts them".to_owned(),
        };
        return undetermined(&why);
    }
    let requests = |token: &Arc<Token>| config::full_check(token, config.syncro.probes, config.syncro.audit_excess);
    let client = match client(&config, Some(tokens.iter().map(requests).sum())).await {
        Ok(client) => client,
        Err(error) => return failed(&anyhow::Error::msg(error)),
    };
    let findings = check_all(&config, &client, tokens).await;
    let exit = findings.iter().map(Finding::level).max().map_or(Exit::Success, Exit::from);
    match arguments.output {
        Output::Table => finish(&text(&findings), exit),
        Output::Json => finish_json(&json(&findings), exit),
    }
}

async fn check_all(config: &Config, client: &Client, tokens: Vec<Arc<Token>>) -> Vec<Finding> {
    let bar =
        if std::io::stderr().is_terminal() { ProgressBar::new(tokens.len() as u64) } else { ProgressBar::hidden() };
    if let Ok(style) = ProgressStyle::with_template("{pos} of {len} tokens {wide_bar} {eta}") {
        bar.set_style(style);
    }
    let done = &bar;
    let checks = tokens.into_iter().map(|configured| async move {
        let token = in_use(&configured).await;
        let finding = Finding::checked(config, client, token, config.syncro.probes, config.syncro.audit_excess).await;
        done.inc(1);
        finding
    });
    let findings = stream::iter(checks).buffered(AT_ONCE).collect().await;
    bar.finish_and_clear();
    findings
}

fn text(findings: &[Finding]) -> String {
    let row = |finding: &Finding| {
        let permissions = finding.permissions();
        let count = |state| permissions.iter().filter(|permission| permission.state == state).count();
        let audited = finding.status.audit.is_some();
        let excess = if audited { format!(", {} excess", finding.excess().count()) } else { String::new() };
        let counts = format!(
            "{} granted, {} missing, {} unverified{excess}",
            count(PermissionState::Granted),
            count(PermissionState::Missing),
            count(PermissionState::Unverified)
        );
        vec![
            finding.level().as_str().to_owned(),
            finding.token.tenant.name.clone(),
            finding.token.name.clone(),
            finding.status.state.as_str().to_owned(),
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

/// What was found wrong with a token, in a line each, and the steps that fix it.
fn notes(finding: &Finding) -> Vec<String> {
    let Token { tenant, name, .. } = finding.token.as_ref();
    let what = if finding.status.state == TokenState::Unknown { "" } else { "not everything of " };
    let could = if what.is_empty() { "could not" } else { "could" };
    let unknown = |failure: &Failure| {
        format!("unknown: {what}token `{name}` of tenant `{}` {could} be checked: {failure}\n", tenant.name)
    };
    let excess: Vec<_> = finding.excess().map(|excess| excess.permission.name()).collect();
    let excess = (!excess.is_empty()).then(|| {
        format!("excess: token `{name}` of tenant `{}` may do more than it needs: {}\n", tenant.name, excess.join(", "))
    });
    finding.alerts.iter().map(alert_text).chain(finding.failure.iter().map(unknown)).chain(excess).collect()
}

fn json(findings: &[Finding]) -> Value {
    let token = |finding: &Finding| {
        let Finding { token, status, failure, alerts, .. } = finding;
        let user = status.user.as_ref();
        json!({
            "tenant": token.tenant.name,
            "token_name": token.name,
            "level": finding.level().as_str(),
            "state": status.state.as_str(),
            "reason": failure.as_ref().map(|failure| failure.reason.as_str()),
            "detail": failure.as_ref().map(|failure| &failure.detail),
            "expires": token.expires,
            "profile": token.profile_name(),
            "fingerprint": status.fingerprint,
            "security_group": status.security_group(),
            "global_admin": user.and_then(|user| user.admin.granted),
            "permissions": finding.permissions().iter().map(permission_json).collect::<Vec<_>>(),
            "excess": status.audit.as_ref().map(|_| finding.excess().map(|excess| json!({
                "permission": excess.permission,
                "answer": excess.answer,
                "shown_by": excess.shown_by(&token.tenant),
            })).collect::<Vec<_>>()),
            "alerts": alerts.iter().map(|firing| alert_json(firing, None)).collect::<Vec<_>>(),
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
