//! `test-alert --digest`: sends the digest that the store makes of now to every receiver that wants one, or prints it.

use std::path::Path;
use std::sync::Arc;

use crate::config::{self, Receiver};
use crate::exit::Exit;
use crate::notify::{Http, Trouble, digest_once, digest_preview};
use crate::state::PersistedState;
use crate::store;

use super::believed::snapshot;
use super::table::table;
use super::{failed, finish, refused, usage};

pub(super) async fn test_digest(path: &Path, wanted: Option<String>, print: bool) -> Exit {
    let config = match config::load(path) {
        Ok(config) => Arc::new(config),
        Err(faults) => return refused(&format!("{faults}\n")),
    };
    let of_all = config.alerts.receivers.iter().filter(|receiver| receiver.digest.is_some());
    let chosen = |receiver: &&Arc<Receiver>| wanted.as_ref().is_none_or(|name| *name == receiver.name);
    let receivers: Vec<_> = of_all.clone().filter(chosen).collect();
    if receivers.is_empty() {
        let names: Vec<_> = of_all.map(|receiver| receiver.name.as_str()).collect();
        let names = if names.is_empty() { "none has one".to_owned() } else { names.join(", ") };
        return usage(&format!("find a receiver with a `digest`; known: {names}"));
    }
    let state = match store::state(&config.storage.path) {
        Ok(state) => state,
        // Nothing is believed where there is no store yet.
        Err(error) if matches!(error.problem, store::Problem::Missing) => PersistedState::default(),
        Err(error) => return failed(&error.into()),
    };
    let snapshot = snapshot(&config, state);
    let external_url = config.web.url(config.web.listen);
    let (mut parts, mut rows, mut exit) = (Vec::new(), Vec::new(), Exit::Success);
    for receiver in receivers {
        let (name, kind) = (&receiver.name, receiver.kind.as_str());
        if print {
            let text = digest_preview(receiver, &snapshot, &external_url).unwrap_or_else(|trouble| {
                exit = Exit::Failure;
                format!("nothing: {}", trouble.detail)
            });
            parts.push(format!("# {name} ({kind}), digest\n{}\n", text.trim_end()));
            continue;
        }
        let answer = digest_once(&mut Http::default(), receiver, &snapshot, &external_url).await;
        let answer = answer.map_or_else(
            |Trouble { why, detail, .. }| {
                exit = Exit::Failure;
                format!("{}: {detail}", why.as_str())
            },
            |()| "ok".to_owned(),
        );
        rows.push(vec![name.clone(), kind.to_owned(), "digest".to_owned(), answer]);
    }
    let text = if print { parts.join("\n") } else { table(&["RECEIVER", "KIND", "STATUS", "ANSWER"], &rows) };
    finish(&text, exit)
}
