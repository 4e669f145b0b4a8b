//! The figures of a report. Pure.

use chrono::TimeDelta;
use serde::Serialize;
use utoipa::ToSchema;

use crate::state::Health;

use super::chapters::{Chapter, Report};
use super::incidents::Incident;

/// How many tokens a report has, how they are, and how often they failed in its period.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, ToSchema)]
pub(in super::super) struct Totals {
    /// How many tokens it has.
    pub(in super::super) tokens: usize,
    /// Of how many what uses them fails.
    pub(in super::super) broken: usize,
    /// How many work, but should be seen to.
    pub(in super::super) attention: usize,
    /// Of how many the last check gave no verdict.
    pub(in super::super) unseen: usize,
    /// How many are as they should be.
    pub(in super::super) well: usize,
    /// Of how many no check gave a verdict in the period: nothing is known of them.
    pub(in super::super) unknown: usize,
    /// How often a token did not work, or lacked what its integration requires.
    pub(in super::super) incidents: usize,
    /// How many of these last.
    pub(in super::super) lasting: usize,
    /// How long the others took on average, of those that began in the period; `null` if there was none.
    #[schema(required)]
    pub(in super::super) mean_time_to_fix_seconds: Option<i64>,
}

/// How often one token failed: what the list at the beginning of a report needs of its chapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Figures {
    /// The index of the token in the snapshot.
    pub(in super::super) index: usize,
    /// `None` where no check gave a verdict in the period.
    pub(in super::super) incidents: Option<usize>,
    pub(in super::super) is_lasting: bool,
    pub(in super::super) mean_time_to_fix: Option<TimeDelta>,
}

/// The figures of a report: of all tokens together, and of each. Blocks.
///
/// # Errors
/// Why a chapter could not be made.
pub(in super::super) fn totals(report: &Report) -> Result<(Totals, Vec<Figures>), String> {
    let (mut totals, mut all, mut times) = (Totals::default(), Vec::new(), Vec::new());
    for chapter in report.chapters() {
        let Chapter { index, incidents, .. } = chapter?;
        totals.tokens += 1;
        *match report.snapshot.tokens[index].health(report.selection.until) {
            Health::Broken => &mut totals.broken,
            Health::Attention => &mut totals.attention,
            Health::Unseen => &mut totals.unseen,
            Health::Ok => &mut totals.well,
        } += 1;
        let is_known = report.snapshot.tokens[index].status.validity.last_success >= Some(report.selection.since);
        totals.unknown += usize::from(!is_known);
        let lasting = incidents.iter().filter(|incident| incident.until.is_none()).count();
        totals.incidents += incidents.len();
        totals.lasting += lasting;
        times.extend(incidents.iter().filter_map(Incident::took));
        let mean_time_to_fix = mean_time_to_fix(&incidents);
        let count = Some(incidents.len()).filter(|count| is_known || *count > 0);
        all.push(Figures { index, incidents: count, is_lasting: lasting > 0, mean_time_to_fix });
    }
    totals.mean_time_to_fix_seconds = mean(&times).map(|mean| mean.num_seconds());
    Ok((totals, all))
}

/// How long these incidents took on average, of those of which it is known.
pub(in super::super) fn mean_time_to_fix(incidents: &[Incident]) -> Option<TimeDelta> {
    mean(&incidents.iter().filter_map(Incident::took).collect::<Vec<_>>())
}

fn mean(times: &[TimeDelta]) -> Option<TimeDelta> {
    let count = i32::try_from(times.len()).ok().filter(|count| *count > 0)?;
    Some(times.iter().sum::<TimeDelta>() / count)
}
