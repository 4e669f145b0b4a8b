//! `preflight`: is a new token ready for an integration? It checks what the guide of the integration asks for, and
//! prints the clicks that fix what is missing. The value is sent in the requests and nowhere else.

use std::io::IsTerminal;
use std::path::Path;
use std::sync::Arc;

use secrecy::zeroize::Zeroizing;
use serde_json::Value;

use crate::cli::{Output, PreflightArguments, ProbesArgument};
use crate::config::{self, Config};
use crate::exit::Exit;
use crate::model::Probes;
use crate::syncro::{Client, TokenValue, Unreadable};

use super::client::client;
use super::finding::Finding;
use super::readiness::{Readiness, Verdict};
use super::{finish, finish_json, undetermined, usage};

pub(super) async fn preflight(path: &Path, arguments: PreflightArguments) -> Exit {
    let loaded = if arguments.all { config::load(path) } else { config::load_if_there(path) };
    let config = match loaded {
        Ok(config) => config,
        Err(faults) => return undetermined(&faults),
    };
    let probes = arguments.probes.map_or(config.syncro.probes, probes);
    let requests = || config.tokens.iter().map(|token| config::full_check(token, probes, false)).sum();
    let client = match client(&config, arguments.all.then(requests)).await {
        Ok(client) => client,
        Err(error) => return undetermined(&format!("failed to {error}")),
    };
    let findings = if arguments.all {
        every_token(&config, &client, probes).await
    } else {
        match new_token(&config, &client, probes, &arguments).await {
            Ok(finding) => vec![finding],
            Err(exit) => return exit,
        }
    };
    let of = |finding| Readiness::of(finding, arguments.accept_unverified);
    let found: Vec<_> = findings.iter().map(of).collect();
    let exit = match found.iter().map(|readiness| readiness.verdict).max() {
        Some(Verdict::NotReady) => Exit::Critical,
        Some(Verdict::Undetermined) | None => Exit::Unknown,
        Some(Verdict::Ready) => Exit::Success,
    };
    match (arguments.output, found.as_slice()) {
        (Output::Table, _) => finish(&found.iter().map(Readiness::text).collect::<Vec<_>>().join("\n"), exit),
        (Output::Json, [one]) if !arguments.all => finish_json(&one.json(), exit),
        (Output::Json, all) => finish_json(&all.iter().map(Readiness::json).collect::<Value>(), exit),
    }
}

/// Checks a token that is not in the configuration.
///
/// # Errors
/// The exit code, when it cannot be checked; what is wrong has been printed.
async fn new_token(
    config: &Config,
    client: &Client,
    probes: Probes,
    arguments: &PreflightArguments,
) -> Result<Finding, Exit> {
    let PreflightArguments { subdomain, profile, token_file, base_url, .. } = arguments;
    // Both are there: the command line demands them unless every token is to be checked.
    let (subdomain, profile) = (subdomain.as_deref().unwrap_or_default(), profile.as_deref().unwrap_or_default());
    let token = config::candidate(config, subdomain, profile, base_url.as_deref())
        .map_err(|problem| usage(&format!("understand the arguments: {problem}")))?;
    let value = value(token_file.as_deref()).map_err(|why| undetermined(&format!("the token value {why}")))?;
    Ok(Finding::checked_with(config, client, Arc::new(token), probes, &value).await)
}

/// Checks every token of the configuration, one after the other.
async fn every_token(config: &Config, client: &Client, probes: Probes) -> Vec<Finding> {
    let mut findings = Vec::new();
    for token in &config.tokens {
        findings.push(Finding::checked(config, client, Arc::clone(token), probes, false).await);
    }
    findings
}

pub(super) fn probes(argument: ProbesArgument) -> Probes {
    match argument {
        ProbesArgument::ReadOnly => Probes::ReadOnly,
        ProbesArgument::WriteSafe => Probes::WriteSafe,
    }
}

/// Reads the token value, from the terminal, standard input or a file; never from an argument, which every user of the
/// machine can read.
pub(super) fn value(token_file: Option<&Path>) -> Result<TokenValue, Unreadable> {
    if token_file.is_none() && std::io::stdin().is_terminal() {
        let failed =
            |error: std::io::Error| Unreadable::Failed { place: "the terminal".to_owned(), error: error.to_string() };
        // What is typed is not shown.
        let typed = Zeroizing::new(rpassword::prompt_password("token value: ").map_err(failed)?);
        return TokenValue::typed(&typed);
    }
    TokenValue::handed_over(token_file)
}
