//! `preflight`: is a new token ready for this integration? It checks what the guide of the integration asks for, and
//! prints the clicks that fix what is missing. The value is sent in the requests and nowhere else.

use std::io::{IsTerminal, Write};
use std::path::Path;
use std::sync::Arc;

use secrecy::zeroize::Zeroizing;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::alert::Firing;
use crate::belief::{PermissionState, TokenState};
use crate::check::{Job, check_with};
use crate::cli::{Output, PreflightArguments};
use crate::config::{self};
use crate::exit::Exit;
use crate::model::Token;
use crate::state::PermissionView;
use crate::syncro::{TokenValue, Unreadable};

use super::finding::{Finding, PARTS, client, permission_json};
use super::table::table;
use super::{finish, finish_json, usage};

/// Whether the token is ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Ready,
    NotReady,
    Undetermined,
}

pub(super) async fn preflight(path: &Path, arguments: PreflightArguments) -> Exit {
    let PreflightArguments { subdomain, profile, token_file, base_url, output } = arguments;
    let config = match config::load_if_there(path) {
        Ok(config) => config,
        Err(faults) => return undetermined(&faults),
    };
    let token = match config::candidate(&config, &subdomain, &profile, base_url.as_deref()) {
        Ok(token) => Arc::new(token),
        Err(problem) => return usage(&format!("understand the arguments: {problem}")),
    };
    let value = match value(token_file.as_deref()) {
        Ok(value) => value,
        Err(why) => return undetermined(&format!("the token value {why}")),
    };
    let client = match client(&config) {
        Ok(client) => client,
        Err(error) => return undetermined(&format!("failed to {error}")),
    };
    let (sender, receiver) = mpsc::channel(PARTS);
    check_with(&client, Job::once(Arc::clone(&token), config.syncro.probes, false), &value, &sender).await;
    let finding = Finding::of(&config, token, receiver);
    let verdict = verdict(&finding);
    let exit = match verdict {
        Verdict::Ready => Exit::Success,
        Verdict::NotReady => Exit::Critical,
        Verdict::Undetermined => Exit::Unknown,
    };
    match output {
        Output::Table => finish(&text(&finding, verdict), exit),
        Output::Json => finish_json(&json(&finding, verdict), exit),
    }
}

fn undetermined(why: &dyn std::fmt::Display) -> Exit {
    // Without standard error nobody can be notified.
    writeln!(std::io::stderr(), "{why}").ok();
    Exit::Unknown
}

/// Reads the token value, from the terminal, standard input or a file; never from an argument, which every user of the
/// machine can read.
fn value(token_file: Option<&Path>) -> Result<TokenValue, Unreadable> {
    if token_file.is_none() && std::io::stdin().is_terminal() {
        let failed =
            |error: std::io::Error| Unreadable::Failed { place: "the terminal".to_owned(), error: error.to_string() };
        // What is typed is not shown.
        let typed = Zeroizing::new(rpassword::prompt_password("token value: ").map_err(failed)?);
        return TokenValue::typed(&typed);
    }
    TokenValue::handed_over(token_file)
}

/// The token is ready if nothing that is required is missing and whatever can be observed of it is granted. The user's
/// right is evidence enough where nothing shows the token's own tick; where nothing shows anything, the verdict is
/// undetermined.
fn verdict(finding: &Finding) -> Verdict {
    let required: Vec<_> = finding.permissions().into_iter().filter(|permission| permission.required).collect();
    let works = finding.status.state == TokenState::Valid;
    let missing = required.iter().any(|permission| permission.state == PermissionState::Missing);
    if missing || !(works || finding.status.state == TokenState::Unknown) {
        Verdict::NotReady
    } else if !works || required.iter().any(|permission| permission.evidence.is_none()) {
        Verdict::Undetermined
    } else {
        Verdict::Ready
    }
}

fn state(permission: &PermissionView) -> &'static str {
    match permission.state {
        PermissionState::Granted => "held",
        PermissionState::Missing => "missing",
        PermissionState::Unverified => "could not be told",
    }
}

/// The text that says where to click for a missing permission, if its alert has one.
fn fix<'a>(finding: &'a Finding, permission: &PermissionView) -> Option<&'a str> {
    let about = |firing: &&Firing| firing.subject.as_deref() == Some(permission.permission.name());
    finding.alerts.iter().find(about).map(|firing| firing.message.text.as_str())
}

/// What is wrong besides missing permissions.
fn problems(finding: &Finding) -> Vec<String> {
    let alerts = finding.alerts.iter().filter(|firing| firing.message.permission.is_none());
    let failure = finding.failure.iter().map(|failure| format!("not everything could be checked: {failure}"));
    alerts.map(|firing| firing.message.text.clone()).chain(failure).collect()
}

fn text(finding: &Finding, verdict: Verdict) -> String {
    let Token { tenant, profile, .. } = finding.token.as_ref();
    let title = profile.as_ref().map_or("", |profile| profile.title.as_str());
    let permissions = finding.permissions();
    let row = |permission: &PermissionView| {
        let needed = if permission.required { "required" } else { "recommended" };
        let evidence = permission.shown_by.clone().unwrap_or_default();
        vec![permission.permission.name().to_owned(), needed.to_owned(), state(permission).to_owned(), evidence]
    };
    let rows: Vec<_> = permissions.iter().map(row).collect();
    let user = finding.status.user.as_ref().and_then(|user| user.admin.granted).map(|admin| {
        let group = finding.status.security_group().map_or_else(|| "unknown".to_owned(), |group| format!("`{group}`"));
        format!("its user: security group {group}, Global Admin: {}", if admin { "yes" } else { "no" })
    });
    let mut lines =
        vec![format!("token for {title} on the account `{}`: {}", tenant.name, finding.status.state.as_str())];
    lines.extend(user);
    lines.push(table(&["PERMISSION", "NEEDED", "STATE", "EVIDENCE"], &rows).trim_end().to_owned());
    lines.extend(problems(finding).iter().map(|problem| format!("- {problem}")));
    lines.extend(
        permissions.iter().filter_map(|permission| fix(finding, permission)).map(|clicks| format!("- {clicks}")),
    );
    lines.push(conclusion(finding, &permissions, verdict));
    lines.join("\n") + "\n"
}

/// The last line of the output, which has the verdict.
fn conclusion(finding: &Finding, permissions: &[PermissionView], verdict: Verdict) -> String {
    let required = |state: PermissionState| {
        let chosen = permissions.iter().filter(|permission| permission.required && permission.state == state);
        chosen.map(|permission| permission.permission.name()).collect::<Vec<_>>().join(", ")
    };
    let (missing, undetermined) = (required(PermissionState::Missing), required(PermissionState::Unverified));
    let undetermined = match undetermined.as_str() {
        "" => String::new(),
        names => format!("; not seen, so see in Syncro whether the token has it ticked: {names}"),
    };
    match verdict {
        Verdict::Ready => format!("ready{undetermined}"),
        Verdict::NotReady if missing.is_empty() => {
            format!("not ready: the token is {}", finding.status.state.as_str())
        }
        Verdict::NotReady => format!("not ready: missing {missing}{undetermined}"),
        Verdict::Undetermined => format!("could not tell whether it is ready{undetermined}"),
    }
}

fn json(finding: &Finding, verdict: Verdict) -> Value {
    let permission = |permission: &PermissionView| {
        let mut json = permission_json(permission);
        json["state"] = state(permission).replace(' ', "_").into();
        json["mend"] = fix(finding, permission).into();
        json
    };
    json!({
        "subdomain": finding.token.tenant.name,
        "profile": finding.token.profile_name(),
        "verdict": match verdict {
            Verdict::Ready => "ready",
            Verdict::NotReady => "not_ready",
            Verdict::Undetermined => "could_not_tell",
        },
        "state": finding.status.state.as_str(),
        "security_group": finding.status.security_group(),
        "global_admin": finding.status.user.as_ref().and_then(|user| user.admin.granted),
        "permissions": finding.permissions().iter().map(permission).collect::<Vec<_>>(),
        "problems": problems(finding),
    })
}
