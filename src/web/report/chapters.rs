//! What a report says of each token besides what is believed of it now: what changed in its period, and when it failed.

use std::iter::from_fn;
use std::sync::Arc;

use crate::state::{HistoryLine, HistoryQuery, Snapshot};

use super::super::state::History;
use super::incidents::{Incident, incidents};
use super::query::Selection;

/// The history of so many tokens is in memory at once.
const AT_ONCE: usize = 20;
/// How many changes of one token a report is made of at most: the newest.
const MOST_CHANGES: u32 = 1000;

/// One token in a report.
#[derive(Debug)]
pub(in super::super) struct Chapter {
    /// The index of the token in the snapshot.
    pub(in super::super) index: usize,
    /// What changed in the period, the newest first.
    pub(in super::super) changes: Vec<HistoryLine>,
    /// When what uses the token failed, the first time first.
    pub(in super::super) incidents: Vec<Incident>,
}

/// What a report is made of.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// The fleet.
    pub(crate) snapshot: Arc<Snapshot>,
    /// What the report is about.
    pub(crate) selection: Selection,
    /// The history.
    pub(crate) history: History,
}

impl Report {
    /// The chapters, read from the history as they are wanted. Blocks.
    pub(in super::super) fn chapters(&self) -> impl Iterator<Item = Result<Chapter, String>> + Send + use<> {
        let Self { snapshot, selection, history } = self.clone();
        let mut left = selection.indexes(&snapshot).into_iter();
        let some = move || {
            let part: Vec<_> = left.by_ref().take(AT_ONCE).collect();
            (!part.is_empty()).then(|| read(&snapshot, &selection, &history, &part))
        };
        from_fn(some).flatten()
    }
}

/// The chapters of these tokens.
fn read(
    snapshot: &Snapshot,
    selection: &Selection,
    history: &History,
    indexes: &[usize],
) -> Vec<Result<Chapter, String>> {
    let query = |index: &usize| HistoryQuery::newest_of(&snapshot.tokens[*index].token, selection.since, MOST_CHANGES);
    let chapter = |(index, changes): (&usize, Vec<HistoryLine>)| {
        let incidents = incidents(&snapshot.tokens[*index], &changes, selection.until);
        Ok(Chapter { index: *index, changes, incidents })
    };
    match history.read(&indexes.iter().map(query).collect::<Vec<_>>()) {
        Ok(histories) => indexes.iter().zip(histories).map(chapter).collect(),
        Err(why) => vec![Err(format!("the history cannot be read: {why}"))],
    }
}
