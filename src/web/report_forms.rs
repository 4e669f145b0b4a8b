//! A report in each of its forms, piece by piece: of a large fleet it is long. A document goes through the history twice: for
//! the figures at its beginning, and for the chapters.

use std::iter::{once, once_with};
use std::sync::Arc;

use crate::cli::ReportOutput;

use super::api;
use super::page::{self, Frame};
use super::report::{Chapter, Figures, Report, csv, totals};

/// The pieces of a report that was begun.
type Pieces = Box<dyn Iterator<Item = Result<String, String>> + Send>;

/// The pieces of a report in a form, or why the next one cannot be made. The paths in it begin with `base`; without one it
/// stands alone. Blocks.
pub(crate) fn pieces(
    report: Report,
    output: ReportOutput,
    base: Option<String>,
) -> impl Iterator<Item = Result<String, String>> + Send {
    let begin = move || match output {
        ReportOutput::Html => html(report, base),
        ReportOutput::Csv => Ok(Box::new(csv(report)) as Pieces),
        ReportOutput::Json => Ok(Box::new(api::report(report, base.unwrap_or_default())) as Pieces),
    };
    once_with(begin).flat_map(|begun| begun.unwrap_or_else(|why| Box::new(once(Err(why)))))
}

fn html(report: Report, base: Option<String>) -> Result<Pieces, String> {
    let failed = |error: askama::Error| error.to_string();
    let (is_alone, base, now) = (base.is_none(), base.unwrap_or_default(), report.selection.until);
    let (totals, figures) = totals(&report)?;
    let [beginning, middle, end] =
        page::report_frame(Frame::new(&base, now), &report, &totals, is_alone).map_err(failed)?;
    let (chapters, snapshot) = (report.chapters(), report.snapshot);
    let (of_lines, of_chapters) = ((base.clone(), Arc::clone(&snapshot)), (base, snapshot));
    let line = move |figures: Figures| {
        let (base, snapshot) = &of_lines;
        page::report_line(Frame::new(base, now), snapshot, figures).map_err(failed)
    };
    let chapter = move |chapter: Result<Chapter, String>| {
        let (base, snapshot) = &of_chapters;
        page::report_chapter(Frame::new(base, now), snapshot, &chapter?).map_err(failed)
    };
    let lines = once(Ok(beginning)).chain(figures.into_iter().map(line));
    Ok(Box::new(lines.chain(once(Ok(middle))).chain(chapters.map(chapter)).chain(once(Ok(end)))))
}
