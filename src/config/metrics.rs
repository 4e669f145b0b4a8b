//! `[metrics]`: what `/metrics` leaves out. Pure.

use std::sync::Arc;

use toml::Value;

use super::fault::{Problem, nearest, shown};
use super::raw::{Notes, Section};
use super::value;
use crate::model::Metric;

/// What `exclude` may have.
const ALLOWED: &str = "a list of names of metrics about the fleet, such as [\"syncro_security_group_right\"]";

/// Reads the metrics that are left out.
pub(super) fn excluded(mut section: Section<'_>, notes: &mut Notes<'_>) -> Arc<[Metric]> {
    let excluded = section.read_list("exclude", ALLOWED, notes, metric);
    section.finish(notes);
    excluded.unwrap_or_default().into()
}

fn metric(value: &Value) -> Result<Metric, Problem> {
    let name = value::text(value, "the name of a metric")?;
    Metric::ALL.iter().copied().find(|metric| metric.as_str() == name).ok_or_else(|| {
        let names = || Metric::ALL.iter().map(|metric| metric.as_str());
        let allowed = match nearest(name, names()) {
            Some(near) => format!("did you mean `{near}`?"),
            None => names().collect::<Vec<_>>().join(", "),
        };
        Problem::new(format!("{} is no metric about the fleet", shown(name)), allowed)
    })
}
