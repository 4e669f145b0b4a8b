//! `rotate`: puts the next value of a token in the place of the one in use, once a check has proven that it may do at least what
//! that was shown to do. It says what is left to be done by hand.

use std::path::Path;
use std::sync::Arc;

use crate::belief::{Comparison, Proof, TokenStatus};
use crate::catalog::PermissionId;
use crate::cli::RotateArguments;
use crate::config::{self, Config};
use crate::exit::Exit;
use crate::model::{NextToken, Token};
use crate::rotation::{Switched, left_by_hand, switch};
use crate::store;
use crate::syncro::{Client, TokenValue};

use super::client::client;
use super::finding::Finding;
use super::{finish, undetermined};

pub(super) async fn rotate(path: &Path, arguments: &RotateArguments) -> Exit {
    let config = match config::load(path) {
        Ok(config) => config,
        Err(faults) => return undetermined(&faults),
    };
    let RotateArguments { tenant, token_name, dry_run } = arguments;
    let mut tokens = config.tokens.iter();
    let Some(token) = tokens.find(|token| token.tenant.name == *tenant && token.name == *token_name) else {
        let elsewhere = config.elsewhere.contains(tenant);
        let why = if elsewhere { "another shard watches it" } else { "the configuration has none of these names" };
        return undetermined(&format!("token `{token_name}` of tenant `{tenant}` is not known: {why}"));
    };
    let Some(next) = &token.next else {
        let why = "no next token: name the file of its value as `next_token_file`";
        return undetermined(&format!("token `{token_name}` of tenant `{tenant}` has {why}"));
    };
    let requests = 2 * config::full_check(token, config.syncro.probes, false);
    let client = match client(&config, Some(requests)).await {
        Ok(client) => client,
        Err(error) => return undetermined(&format!("failed to {error}")),
    };
    let probes = config.syncro.probes;
    let in_use = in_use(&config, &client, token).await;
    let beside = Finding::checked(&config, &client, next.apart_from(token), probes, false).await;
    let comparison = Comparison::of(token, &in_use, &beside.status, probes);
    let mut lines = verdict(token, &comparison, &beside);
    let exit = match comparison.proof {
        Proof::Proven if *dry_run => Exit::Success,
        Proof::Proven => put_in_place(token, next, &beside.status, &mut lines),
        Proof::InUse => already(token, next, &beside.status, &mut lines),
        Proof::Lacking | Proof::Unusable => Exit::Critical,
        Proof::Unknown | Proof::Absent | Proof::Unproven => Exit::Unknown,
    };
    finish(&(lines.join("\n") + "\n"), exit)
}

/// What is believed of the value in use: what the daemon does, if that has seen this value; otherwise what a check shows now.
async fn in_use(config: &Config, client: &Client, token: &Arc<Token>) -> TokenStatus {
    let fingerprint = TokenValue::read(&token.source).await.map(|value| value.fingerprint()).ok();
    let stored = config.storage.path.exists().then(|| store::state(&config.storage.path).ok()).flatten();
    let status = stored.and_then(|mut state| state.tokens.remove(&token.id())).map(|persisted| persisted.status);
    match status {
        Some(status) if fingerprint.is_none() || status.fingerprint == fingerprint => status,
        _ => Finding::checked(config, client, Arc::clone(token), config.syncro.probes, false).await.status,
    }
}

/// What was found, in a line or more.
fn verdict(token: &Token, comparison: &Comparison, beside: &Finding) -> Vec<String> {
    let names = |permissions: &[PermissionId]| {
        permissions.iter().map(|permission| format!("`{}`", permission.name())).collect::<Vec<_>>().join(", ")
    };
    let of = format!("the next value of token `{}` of tenant `{}`", token.name, token.tenant.name);
    let (status, proof) = (&beside.status, comparison.proof);
    let failure = beside.failure.as_ref();
    let compared =
        if comparison.is_known { "which the one in use was shown to have" } else { "which the integration requires" };
    let mut lines = vec![match proof {
        Proof::Proven if !comparison.is_known => {
            format!("proven: {of} works on this account, and is shown to have what the integration requires")
        }
        Proof::Proven => {
            format!("proven: {of} works on this account, and is shown to have what the one in use was shown to have")
        }
        Proof::InUse => format!("{of} is the one in use"),
        Proof::Lacking => {
            format!("not proven: {of} lacks {}, {compared}", names(&comparison.lacks))
        }
        Proof::Unusable => format!("not proven: {of} does not work here: it is {}", status.state.as_str()),
        Proof::Unproven => {
            format!("not known: no check has shown that {of} has {}, {compared}", names(&comparison.not_shown))
        }
        Proof::Absent => {
            let why = status.unreadable.as_ref().map_or_else(|| "is missing".to_owned(), ToString::to_string);
            format!("nothing to be proven: {of} {why}")
        }
        Proof::Unknown => {
            let unreadable = status.unreadable.as_ref().map(|why| format!(" {why}"));
            let why = unreadable.or(failure.map(|failure| format!(" could not be checked: {failure}")));
            format!("not known: {of}{}", why.as_deref().unwrap_or(" could not be checked"))
        }
    }];
    if let (Some(failure), Proof::Unproven) = (failure, proof) {
        lines.push(format!("not everything could be checked: {failure}"));
    }
    if proof == Proof::InUse {
        return lines;
    }
    if !comparison.is_known {
        lines.push("nothing was ever shown of the one in use, so that nothing can be compared with it".to_owned());
    }
    match comparison.is_of_another_user {
        Some(true) => lines.push("another user is behind it than behind the one in use".to_owned()),
        Some(false) if proof == Proof::Proven => lines.push("the same user is behind both".to_owned()),
        _ => {}
    }
    if !comparison.both_lack.is_empty() {
        lines.push(format!("both lack {}, which the integration needs", names(&comparison.both_lack)));
    }
    lines
}

/// Puts the proven value in place.
fn put_in_place(token: &Token, next: &NextToken, status: &TokenStatus, lines: &mut Vec<String>) -> Exit {
    let (Some((current, beside)), Some(proven)) = (token.switched_files(), &status.fingerprint) else {
        lines.push(format!(
            "nothing was changed, since what a credential holds is for systemd to replace: give the value of {} to the credential \
             in use, and restart the daemon",
            next.source
        ));
        return Exit::Unknown;
    };
    match switch(current, beside, proven) {
        Ok(switched) => {
            lines.push(format!("`{}` has it now; a running daemon uses it from its next check on", current.display()));
            lines.extend(left(token, &switched));
            Exit::Success
        }
        Err(why) => {
            lines.push(format!("nothing was switched: {why}"));
            Exit::Unknown
        }
    }
}

/// The next value is in use already: somebody has switched, or has not written another one.
fn already(token: &Token, next: &NextToken, status: &TokenStatus, lines: &mut Vec<String>) -> Exit {
    let files = token.switched_files().zip(status.fingerprint.as_ref());
    match files.map(|((current, next), fingerprint)| switch(current, next, fingerprint)) {
        Some(Ok(switched)) if switched.former.is_some() => {
            lines.push("it was switched before".to_owned());
            lines.extend(left(token, &switched));
            Exit::Success
        }
        Some(Err(why)) => {
            lines.push(format!("whether it was switched before is not known: {why}"));
            Exit::Unknown
        }
        Some(Ok(_)) | None => {
            lines.push(format!("nothing was changed: put the value of a new token into {} first", next.source));
            Exit::Critical
        }
    }
}

fn left(token: &Token, switched: &Switched) -> Vec<String> {
    let steps = (1..).zip(left_by_hand(token, switched)).map(|(number, step)| format!("{number}. {step}"));
    std::iter::once("left to be done by hand:".to_owned()).chain(steps).collect()
}
