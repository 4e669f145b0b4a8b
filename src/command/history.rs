//! `history`: prints what changed in the past, from the daemon's store.

use std::path::Path;

use serde_json::json;

use crate::cli::{HistoryArguments, Output};
use crate::exit::Exit;
use crate::state::{HistoryLine, HistoryQuery, in_milliseconds};
use crate::store;
use crate::system::clock;

use super::table::table;
use super::{failed, finish, finish_json, load};

pub(super) fn history(path: &Path, arguments: HistoryArguments) -> Exit {
    let config = match load(path) {
        Ok(config) => config,
        Err(exit) => return exit,
    };
    let HistoryArguments { tenant, token_name, since, output } = arguments;
    let since = since.and_then(|since| since.moment(clock::now()));
    match store::history(&config.storage.path, &HistoryQuery { tenant, token_name, since, ..HistoryQuery::default() }) {
        Ok(lines) => match output {
            Output::Json => finish_json(&json!(lines), Exit::Success),
            Output::Table => finish(&table(&HEAD, &lines.into_iter().map(row).collect::<Vec<_>>()), Exit::Success),
        },
        Err(error) => failed(&error.into()),
    }
}

const HEAD: [&str; 8] = ["WHEN", "TENANT", "TOKEN", "WHAT", "WHICH", "BEFORE", "AFTER", "EVIDENCE"];

fn row(line: HistoryLine) -> Vec<String> {
    let HistoryLine { at, tenant, token_name, kind, subject, before, after, evidence, shown_by, .. } = line;
    let evidence = shown_by.or_else(|| evidence.map(|evidence| evidence.as_str().to_owned())).unwrap_or_default();
    let (at, kind) = (in_milliseconds(at), kind.as_str().to_owned());
    vec![at, tenant, token_name, kind, subject.unwrap_or_default(), before, after, evidence]
}
