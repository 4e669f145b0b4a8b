//! What people and programs see over HTTP: pages, the JSON API, the calendar, the runbooks, the health. It reads the
//! snapshot that the engine publishes, and changes something only by requests to the engine. `routes` has the paths.

mod acknowledge;
mod answers;
mod api;
mod bounds;
mod calendar;
mod encoding;
mod handlers;
mod health;
mod meter;
mod page;
mod pages;
mod report;
mod report_forms;
mod routes;
mod runbook;
mod state;
#[cfg(any(test, fuzzing))]
pub(crate) mod untrusted;
mod users;

pub(crate) use meter::Meter;
pub(crate) use report::{Report, Selection};
pub(crate) use report_forms::pieces;
pub(crate) use routes::{all, health};
pub(crate) use state::{AcknowledgementRequest, History, NotKept, ReloadRequest, State};
