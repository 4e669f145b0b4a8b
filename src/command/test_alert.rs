//! `test-alert`: sends one alert that is plainly a test, firing and resolved, through every receiver, and prints what
//! each answered; or prints what each would be sent.

use std::path::Path;
use std::sync::Arc;

use crate::alert::Change;
use crate::config::{self, Receiver};
use crate::exit::Exit;
use crate::notify::{Http, Trouble, once, preview, test_delivery};
use crate::state::Delivery;
use crate::system::clock;

use super::table::table;
use super::{finish, refused, usage};

pub(super) async fn test_alert(path: &Path, wanted: Option<String>, print: bool) -> Exit {
    let config = match config::load(path) {
        Ok(config) => config,
        Err(faults) => return refused(&format!("{faults}\n")),
    };
    let chosen = |receiver: &&Arc<Receiver>| wanted.as_ref().is_none_or(|name| *name == receiver.name);
    let receivers: Vec<_> = config.alerts.receivers.iter().filter(chosen).collect();
    if receivers.is_empty() {
        let names: Vec<_> = config.alerts.receivers.iter().map(|receiver| receiver.name.as_str()).collect();
        let names = if names.is_empty() { "none is configured".to_owned() } else { names.join(", ") };
        return usage(&format!("find a receiver to test; known besides the log: {names}"));
    }
    let external_url = config.web.url(config.web.listen);
    if print {
        return print_all(&receivers, &external_url);
    }
    let (mut rows, mut all_took_it) = (Vec::new(), true);
    for receiver in receivers {
        let mut post = Http::default();
        for change in [Change::New, Change::Resolved] {
            let answer = once(&mut post, receiver, &delivery(receiver, change), &external_url).await;
            all_took_it &= answer.is_ok();
            let answer = answer
                .map_or_else(|Trouble { why, detail, .. }| format!("{}: {detail}", why.as_str()), |()| "ok".to_owned());
            rows.push(vec![
                receiver.name.clone(),
                receiver.kind.as_str().to_owned(),
                change.status().to_owned(),
                answer,
            ]);
        }
    }
    let exit = if all_took_it { Exit::Success } else { Exit::Failure };
    finish(&table(&["RECEIVER", "KIND", "STATUS", "ANSWER"], &rows), exit)
}

/// Prints what each receiver would be sent.
fn print_all(receivers: &[&Arc<Receiver>], external_url: &str) -> Exit {
    let (mut parts, mut exit) = (Vec::new(), Exit::Success);
    for receiver in receivers {
        for change in [Change::New, Change::Resolved] {
            let (name, kind) = (&receiver.name, receiver.kind.as_str());
            let text = preview(receiver, &delivery(receiver, change), external_url).unwrap_or_else(|trouble| {
                exit = Exit::Failure;
                format!("nothing: {}", trouble.detail)
            });
            parts.push(format!("# {name} ({kind}), {}\n{}\n", change.status(), text.trim_end()));
        }
    }
    finish(&parts.join("\n"), exit)
}

fn delivery(receiver: &Receiver, change: Change) -> Delivery {
    let now = clock::now();
    // Both ends of the test have a number of their own.
    let id = -2 * now.timestamp_millis() - i64::from(change == Change::Resolved);
    test_delivery(&receiver.name, change, (id, now), "", now)
}
