//! `report`: prints the report for customers and auditors, from the store of a daemon that may be running.

use std::path::Path;
use std::sync::Arc;

use crate::cli::ReportArguments;
use crate::exit::Exit;
use crate::state::AlertHistory;
use crate::store;
use crate::system::{clock, output};
use crate::web::{History, Report, Selection, pieces};

use super::believed::snapshot;
use super::{failed, load, usage, without_log};

pub(super) fn report(path: &Path, arguments: ReportArguments) -> Exit {
    let config = match load(path) {
        Ok(config) => Arc::new(config),
        Err(exit) => return exit,
    };
    let snapshot = match store::state(&config.storage.path) {
        Ok(state) => Arc::new(snapshot(&config, state)),
        Err(error) => return failed(&error.into()),
    };
    let ReportArguments { tenant, since, output: form } = arguments;
    let now = clock::now();
    let selection = match Selection::new(tenant, Some(since), now) {
        Ok(selection) => selection,
        Err(why) => return usage(&format_args!("make the report: {why}")),
    };
    if let Some(tenant) = selection.unknown_tenant(&snapshot) {
        return usage(&format_args!("make the report: no token of a tenant `{tenant}` is configured"));
    }
    let path = config.storage.path.clone();
    let read = move |queries: &[_]| store::histories(&path, queries).map_err(|error| error.to_string());
    // No report needs what happened to alerts.
    let history = History::new(read, |_| Ok(AlertHistory::default()), || Ok(Vec::new()));
    let report = Report { snapshot, selection, history };
    for piece in pieces(report, form, None) {
        match piece.map(|piece| output::print(&piece)) {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return without_log(&format_args!("write to standard output: {error}"), Exit::Failure),
            Err(why) => return failed(&anyhow::anyhow!("make the report: {why}")),
        }
    }
    Exit::Success
}
