//! The report for customers and auditors, whatever its form: what it is about, what happened to each token in its period,
//! and the figures of all of them together.

mod chapters;
mod csv;
mod incidents;
mod query;
mod totals;

pub(super) use self::csv::csv;
pub(super) use chapters::Chapter;
pub(crate) use chapters::Report;
pub(super) use incidents::Incident;
pub(crate) use query::Selection;
pub(super) use query::{ApiReportQuery, ReportQuery};
pub(super) use totals::{Figures, Totals, mean_time_to_fix, totals};
